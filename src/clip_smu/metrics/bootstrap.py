"""AUC interval by resampling identities: photos of one person are drawn together or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s
from clip_smu.errors import InputError
from clip_smu.metrics.intervals import (
    AucInterval,
    Persons,
    auc_bounds,
    reason_with,
    split_persons,
    units_of,
)
from clip_smu.metrics.ranking import (
    Sides,
    check,
    check_identity,
    check_level,
    column,
    doubled_area,
    each_attribute,
)

_BLOCK_SIZE = 65_536  # resampled photos held at once, per attribute
_MISSING_SHARE = 0.05  # of resamples without one class; more than this is a reason


def clustered_bootstrap(
    scores: ArrayLike,
    labels: ArrayLike,
    identity: Sequence[str] | ArrayLike,
    *,
    rounds: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> AucInterval:
    """AUC with a percentile interval from resamples of identities (Field & Welsh 2007).

    A round draws I of the I identities with replacement, the same for all attributes. No photo is copied: the
    number of times that its identity was drawn is its weight, and the weighted AUC, ties half, comes from
    cumulated weights in the one order of the scores. ``se`` is the standard deviation of the resampled AUCs.
    If no resample differs (AUC = 1, say), the ends are those of :func:`clip_smu.metrics.delong` without any
    error seen, so the interval has no zero width.

    It makes no assumption on the form of the variance, and so checks ``delong(..., identity=...)``, which is
    much faster and, with under about 200 identities or an AUC near 1, covers better.

    Args:
        scores: (N, K) or (N,) float, without NaN.
        labels: the same shape, signed integers 1, -1, 0 (unknown, left out).
        identity: (N,) names or numbers of persons.
        rounds: resamples, at least ``2 / (1 - level)``.
        seed: of the resamples; the same seed, the same interval.
        level: of confidence, inside (0, 1).

    Raises:
        InputError: malformed input.
    """
    scores, labels = check(scores, labels)
    codes, count = check_identity(identity, len(scores))
    least = round(2 / (1 - check_level(level)))
    if rounds < least:
        raise InputError(
            f"expected at least {least} rounds for a level of {level}, found {rounds}: 1000 is usual"
        )
    block = max(1, _BLOCK_SIZE // max(len(scores), 1))

    def one(k: int) -> tuple[float, float, float, float, tuple[int, int], tuple[int, int], str]:
        sides, persons = split_persons(*column(scores, labels, k), codes, count)
        photos = len(sides.positive), len(sides.negative)
        if 0 in photos:
            return np.nan, np.nan, np.nan, np.nan, photos, photos, sides.reason
        area, units = doubled_area(sides) / (2 * photos[0] * photos[1]), units_of(persons)
        reason = reason_with(persons, sides.reason)
        if 1 in units:
            return area, np.nan, np.nan, np.nan, photos, units, reason
        areas = _resample(sides, persons, rounds, seed, block)
        kept = areas[~np.isnan(areas)]
        if len(kept) < max(least, (1 - _MISSING_SHARE) * rounds):
            reason = "class missing in resamples"
        if len(kept) < least:
            return area, np.nan, np.nan, np.nan, photos, units, reason
        low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
        return area, float(low), float(high), float(kept.std(ddof=1)), photos, units, reason

    rows = each_attribute(one, scores.shape)
    area, low, high, se = (np.array([row[i] for row in rows], dtype=np.float64) for i in (0, 1, 2, 3))
    photos, units = (np.array([row[i] for row in rows], dtype=np.int64).reshape(-1, 2) for i in (4, 5))
    still = low == high
    still_low, still_high = auc_bounds(area, np.zeros_like(area), np.zeros_like(area), units, level)
    low, high = np.where(still, still_low, low), np.where(still, still_high, high)
    return AucInterval(area, low, high, se, photos[:, 0], photos[:, 1], tuple(row[6] for row in rows))


def _resample(sides: Sides, persons: Persons, rounds: int, seed: int, block: int) -> Float64s:
    """(rounds,) weighted AUCs, NaN where a resample has one class only; ``block`` rounds at once."""
    lower = np.searchsorted(sides.negative, sides.positive, side="left")  # negatives below each positive
    through = np.searchsorted(sides.negative, sides.positive, side="right")  # and those equal to it
    ties = bool(np.any(lower < through))
    count = persons.count
    rng = np.random.default_rng(seed)
    areas = np.empty(rounds)
    for start in range(0, rounds, block):
        b = min(block, rounds - start)
        drawn = rng.integers(count, size=(b, count)) + count * np.arange(b)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=b * count).reshape(b, count).astype(np.float64)
        weight = np.take(times, persons.positive, axis=1)  # (b, m)
        cumulated = np.zeros((b, len(persons.negative) + 1))  # weight of the negatives before each place
        np.cumsum(np.take(times, persons.negative, axis=1), axis=1, out=cumulated[:, 1:])
        wins = np.take(cumulated, lower, axis=1)
        if ties:
            wins = (wins + np.take(cumulated, through, axis=1)) / 2
        pairs = weight.sum(axis=1) * cumulated[:, -1]
        wins *= weight
        areas[start : start + b] = wins.sum(axis=1) / np.where(pairs > 0, pairs, np.nan)
    return areas
