"""Figures of resampled persons: photos of one person are drawn together or not at all (Field & Welsh 2007)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Float64s, Floats, Indices, Int8s
from clip_smu.evaluation.folder import Scored
from clip_smu.interpreter.calibration import ENCODED, NOT_ENCODED
from clip_smu.metrics.ranking import check_identity, column, each_attribute

FPRS = (0.01, 0.1)
RANKINGS = ("auc", "average_precision", *(f"tpr_at_fpr_{rate}" for rate in FPRS), "eer")
RATES = (
    "balanced_accuracy",
    "f1",
    "brier",
    "verdict_error",
    "coverage",
    "encoded_error",
    "encoded_share",
    "not_encoded_error",
    "not_encoded_share",
)
_SUMS = 9  # what the rates are made of, see _of_photos
_BLOCK = 16_384  # resampled photos held at once, per attribute: what the cache holds


@dataclass(frozen=True, eq=False)
class Resampled:
    """Figures of K attributes in R resamples.

    Attributes:
        rankings: (R, K, 5), in the order of ``RANKINGS``; NaN where a resample has one class only.
        sums: (R, K, 9), for :func:`rates`.
    """

    rankings: Float64s
    sums: Float64s


def resample(scored: Scored, labels: Int8s, persons: NDArray[np.str_], rounds: int, seed: int) -> Resampled:
    """A round draws P of the P persons with replacement, the same for every attribute and method.

    No photo is copied: the number of times that its person was drawn is its weight.
    """
    codes, count = check_identity(persons, len(labels))

    def one(k: int) -> tuple[Float64s, Float64s]:
        scores, known = column(scored.scores, labels, k)
        rows = np.flatnonzero(known)
        rows = rows[np.argsort(scores[rows])[::-1]]  # from the highest score down
        yes, ends = known[rows] > 0, _ends_of_ties(scores[rows])
        per_person = _by_person(_of_photos(scored, labels, k, rows), codes[rows], count)
        rankings, sums = np.full((rounds, len(RANKINGS)), np.nan), np.empty((rounds, _SUMS))
        for part, times in draws(count, rounds, seed, max(1, _BLOCK // max(len(rows), 1))):
            sums[part] = times @ per_person
            if yes.any() and not yes.all():
                rankings[part] = _rankings(times[:, codes[rows]], yes, ends)
        return rankings, sums

    parts = each_attribute(one, labels.shape)
    return Resampled(
        np.stack([part[0] for part in parts], axis=1), np.stack([part[1] for part in parts], axis=1)
    )


def resample_auc(
    scores: Floats, labels: Int8s, persons: NDArray[np.str_], rounds: int, seed: int
) -> Float64s:
    """(R, K) AUCs of the same resamples as :func:`resample` makes; NaN where one has one class only."""
    codes, count = check_identity(persons, len(labels))

    def one(k: int) -> Float64s:
        of_photos, known = column(scores, labels, k)
        rows = np.flatnonzero(known)
        rows = rows[np.argsort(of_photos[rows])[::-1]]
        yes, ends = known[rows] > 0, _ends_of_ties(of_photos[rows])
        areas = np.full(rounds, np.nan)
        if yes.any() and not yes.all():
            for part, times in draws(count, rounds, seed, max(1, _BLOCK // len(rows))):
                areas[part] = _area(*_curve(times[:, codes[rows]], yes, ends))
        return areas

    return np.stack(each_attribute(one, labels.shape), axis=1)


def totals(scored: Scored, labels: Int8s) -> Float64s:
    """(K, 9) sums over all photos, for :func:`rates`."""
    return np.stack(
        each_attribute(
            lambda k: _of_photos(scored, labels, k, np.flatnonzero(labels[:, k])).sum(axis=0), labels.shape
        )
    )


def rates(sums: Float64s) -> Float64s:
    """(..., 9) figures in the order of ``RATES`` of (..., 9) sums; NaN where nothing was there to count."""
    yes, no, tp, fp, squares, green_yes, green_no, red_yes, red_no = np.moveaxis(sums, -1, 0)
    green, red, known = green_yes + green_no, red_yes + red_no, yes + no
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [
                (tp / yes + (no - fp) / no) / 2,
                2 * tp / (tp + fp + yes),
                squares / known,
                (green_no + red_yes) / (green + red),
                (green + red) / known,
                green_no / green,
                green / known,
                red_yes / red,
                red / known,
            ],
            axis=-1,
        )


def draws(count: int, rounds: int, seed: int, block: int) -> Iterator[tuple[slice, Float64s]]:
    """``block`` rounds at a time: which, and (b, P) how often each person was drawn; the seed alone decides."""
    rng = np.random.default_rng(seed)
    for start in range(0, rounds, block):
        b = min(block, rounds - start)
        drawn = rng.integers(count, size=(b, count)) + count * np.arange(b)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=b * count).reshape(b, count)
        yield slice(start, start + b), times.astype(np.float64)


def _of_photos(scored: Scored, labels: Int8s, k: int, rows: Indices) -> Float64s:
    """(n, 9): yes, no; said yes and is yes, and is no; squared error; encoded, not encoded and is yes, is no."""
    yes = labels[rows, k] > 0
    probability, verdict = scored.probabilities[rows, k].astype(np.float64), scored.verdicts[rows, k]
    said, green, red = probability >= 0.5, verdict == ENCODED, verdict == NOT_ENCODED
    squares = (probability - yes) ** 2
    return np.stack(
        [yes, ~yes, said & yes, said & ~yes, squares, green & yes, green & ~yes, red & yes, red & ~yes],
        axis=1,
    ).astype(np.float64)


def _by_person(of_photos: Float64s, codes: Indices, count: int) -> Float64s:
    """(P, 9) sums over each person's photos."""
    return np.stack([np.bincount(codes, values, count) for values in of_photos.T], axis=1)


def _ends_of_ties(descending: Floats) -> Indices:
    """Last place of each run of equal scores: the only places where a threshold can stand."""
    return np.flatnonzero(np.append(descending[1:] != descending[:-1], True)[: len(descending)])


def _curve(weights: Float64s, yes: Bools, ends: Indices) -> tuple[Float64s, Float64s]:
    """(b, G + 1) weight of the positives and of the negatives at or above each threshold, from 0."""
    everything = np.cumsum(weights, axis=1)
    weights *= yes
    positive = np.cumsum(weights, axis=1)
    if len(ends) < weights.shape[1]:
        everything, positive = everything[:, ends], positive[:, ends]
    tp, fp = np.zeros((2, len(weights), len(ends) + 1))
    tp[:, 1:] = positive
    np.subtract(everything, positive, out=fp[:, 1:])
    return tp, fp


def _area(tp: Float64s, fp: Float64s) -> Float64s:
    pairs = tp[:, -1] * fp[:, -1]
    wins = np.einsum("bg,bg->b", np.diff(fp, axis=1), tp[:, 1:] + tp[:, :-1]) / 2
    return np.asarray(wins / np.where(pairs > 0, pairs, np.nan))


def _rankings(weights: Float64s, yes: Bools, ends: Indices) -> Float64s:
    """(b, 5) figures in the order of ``RANKINGS`` of (b, n) weights of photos from the highest score down."""
    tp, fp = _curve(weights, yes, ends)
    m, n = tp[:, -1], fp[:, -1]
    single = (m == 0) | (n == 0)
    m, n = np.where(single, np.nan, m), np.where(single, np.nan, n)
    both = tp[:, 1:] + fp[:, 1:]
    precision = tp[:, 1:] / np.where(both > 0, both, 1)
    ap = np.einsum("bg,bg->b", np.diff(tp, axis=1), precision) / m
    tpr, fpr = tp / m[:, None], fp / n[:, None]
    each = np.arange(len(tp))
    reached = [tpr[each, np.maximum((fpr <= rate).sum(axis=1) - 1, 0)] for rate in FPRS]
    ahead = fpr - (1 - tpr)  # rises from -1 to 1
    after = np.maximum(np.argmax(ahead >= 0, axis=1), 1)
    before = after - 1
    step = -ahead[each, before] / (ahead[each, after] - ahead[each, before])
    eer = fpr[each, before] + step * (fpr[each, after] - fpr[each, before])
    return np.stack([_area(tp, fp), ap, *reached, eer], axis=1)
