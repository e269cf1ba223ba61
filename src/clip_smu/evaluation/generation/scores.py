"""How well captions agree with labels: precision, recall and F1, with intervals that count persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Float64s, Indices, Int8s
from clip_smu.errors import InputError
from clip_smu.metrics import Measure
from clip_smu.metrics.intervals import of_persons
from clip_smu.metrics.persons import person_numbers
from clip_smu.metrics.ranking import measure

_BOOTSTRAP_CELLS = 2_000_000  # drawn persons held at once


@dataclass(frozen=True, slots=True)
class Average:
    """Precision, recall and F1, averaged one way; NaN where nothing is left to average."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False)
class CaptionScores:
    """How the attributes of N captions agree with known labels.

    Attributes:
        precision, recall, f1: of each attribute, with counts of known labels and reasons; a precision is NaN
            where no caption says the attribute, the others where no label says yes.
        micro: over all readings together.
        macro: mean over the attributes that have a figure.
        sample: mean over the faces; a face takes no part in a figure that it leaves undefined (nothing said and
            nothing to say: the F1; nothing said: the precision; nothing to say: the recall).
        micro_f1_interval, sample_f1_interval: 95 %, by resampling persons with all their photos.
        interval_reason: why the intervals are missing or weak, or "".
        faces, persons: number of each.
        said: attributes a caption, mean.
    """

    precision: Measure
    recall: Measure
    f1: Measure
    micro: Average
    macro: Average
    sample: Average
    micro_f1_interval: tuple[float, float]
    sample_f1_interval: tuple[float, float]
    interval_reason: str
    faces: int
    persons: int
    said: float


def caption_scores(
    asserted: Bools,
    labels: Int8s,
    identities: Sequence[str] | None = None,
    *,
    rounds: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> CaptionScores:
    """Precision, recall and F1 of captions: per attribute, micro, macro and per face.

    Args:
        asserted: (N, K) bool, what the captions say.
        labels: (N, K) int8, 1, -1 or 0 (unknown, left out).
        identities: N persons for the intervals ("" stands for a person of its own); default, one a photo.
        rounds: resamples of persons. seed: of the resamples. level: of confidence.

    Raises:
        InputError: shapes differ, or ``asserted`` is not bool.

    Example:
        >>> said = np.array([[True, True, False], [False, True, True]])
        >>> labels = np.array([[1, -1, 0], [1, 1, 1]], dtype=np.int8)
        >>> figures = caption_scores(said, labels)
        >>> round(figures.micro.precision, 3), round(figures.micro.recall, 3), round(figures.sample.f1, 3)
        (0.75, 0.75, 0.733)
    """
    if asserted.dtype != np.bool_ or asserted.shape != labels.shape or asserted.ndim != 2:
        raise InputError(
            f"expected captions (N, K) bool and labels of the same shape, found {asserted.dtype} "
            f"{asserted.shape} and {labels.shape}: give one row a photo"
        )
    hit, false = asserted & (labels > 0), asserted & (labels < 0)
    missed = ~asserted & (labels > 0)
    counts = np.stack([hit, false, missed])  # (3, N, K)
    by_attribute, by_face = counts.sum(axis=1), counts.sum(axis=2)  # (3, K), (3, N)
    attribute, face = _ratios(by_attribute), _ratios(by_face)  # precision, recall, F1
    no_positive = by_attribute[0] + by_attribute[2] == 0
    f1 = np.where(no_positive, np.nan, attribute[2])
    precision = measure(attribute[0], labels)
    never = by_attribute[0] + by_attribute[1] == 0
    reasons = tuple(
        "never asserted" if mute else why for mute, why in zip(never, precision.reason, strict=True)
    )
    persons = persons_of(identities, len(labels))
    count = int(persons.max()) + 1 if len(persons) else 0
    resampled = _resampled(by_face, face[2], persons, rounds, seed)
    ends = [(1 - level) / 2, (1 + level) / 2]
    micro_low, micro_high, low, high = (
        float(value) for column in resampled.T for value in np.quantile(_some(column), ends)
    )
    return CaptionScores(
        Measure(precision.value, precision.n_positive, precision.n_negative, reasons),
        measure(attribute[1], labels),
        measure(f1, labels),
        _average(_ratios(by_attribute.sum(axis=1))),
        _average(np.stack([attribute[0], attribute[1], f1])),
        _average(face),
        (micro_low, micro_high),
        (low, high),
        of_persons(count, "photos"),
        len(labels),
        count,
        float(asserted.sum() / max(len(asserted), 1)),
    )


def _average(ratios: Float64s) -> Average:
    """Of (3,) precision, recall, F1, or their means over (3, M)."""
    return Average(*(_mean(np.atleast_1d(row)) for row in ratios))


def _ratios(counts: NDArray[np.integer]) -> Float64s:
    """(3, ...) precision, recall, F1 of (3, ...) hits, false ones, missed ones; NaN for 0 / 0."""
    hit, false, missed = counts.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.stack([hit / (hit + false), hit / (hit + missed), 2 * hit / (2 * hit + false + missed)])


def _mean(values: Float64s) -> float:
    return float(np.mean(_some(values)))


def _some(values: Float64s) -> Float64s:
    """The values that are numbers, or one NaN: no warning of an empty mean."""
    kept = values[~np.isnan(values)]
    return kept if len(kept) else np.array([np.nan])


def persons_of(identities: Sequence[str] | None, photos: int) -> Indices:
    """(N,) number of each photo's person."""
    if identities is None:
        return np.arange(photos)
    if len(identities) != photos:
        raise InputError(f"expected one identity for each of {photos} photos, found {len(identities)}")
    return person_numbers(identities)


def _resampled(
    by_face: NDArray[np.integer], f1: Float64s, persons: Indices, rounds: int, seed: int
) -> Float64s:
    """(rounds, 2) micro F1 and sample F1 of resampled persons; a person brings all photos, or none.

    Both are ratios of sums over persons, so a round is one product of how often each was drawn with their sums.
    """
    count = int(persons.max()) + 1 if len(persons) else 0
    if not count:
        return np.full((rounds, 2), np.nan)
    defined = ~np.isnan(f1)
    parts = [*by_face, np.where(defined, f1, 0.0), defined]
    sums = np.stack([np.bincount(persons, part, minlength=count) for part in parts], axis=1)  # (P, 5)
    rng = np.random.default_rng(seed)
    block = max(1, _BOOTSTRAP_CELLS // count)
    out = np.empty((rounds, 2))
    for start in range(0, rounds, block):
        b = min(block, rounds - start)
        drawn = rng.integers(count, size=(b, count)) + count * np.arange(b)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=b * count).reshape(b, count)
        hit, false, missed, total, faces = (times @ sums).T
        with np.errstate(invalid="ignore"):
            out[start : start + b, 0] = 2 * hit / (2 * hit + false + missed)
            out[start : start + b, 1] = total / faces
    return out
