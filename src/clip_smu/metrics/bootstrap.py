"""AUC interval by resampling identities: photos of one person are drawn together or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.errors import InputError
from clip_smu.metrics.intervals import AucInterval, Codes, auc_bounds, independent_units, reason_of_identities
from clip_smu.metrics.ranking import (
    Floats,
    Ranking,
    check,
    check_identity,
    check_level,
    doubled_wins,
    each_attribute,
    rank,
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
    """AUC with a percentile interval from resamples of identities (Efron & Tibshirani 1993; Field & Welsh 2007).

    A round draws I of the I identities with replacement, the same for all attributes. No photo is copied: the
    number of times that its identity was drawn is its weight, and the weighted AUC, ties half, comes from
    cumulated weights in the one order of the scores. ``se`` is the standard deviation of the resampled AUCs.
    If no resample differs (AUC = 1, say), the ends are those of :func:`clip_smu.metrics.delong` for that AUC and
    as many independent photos as there are identities, so the interval has no zero width.

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
    least = 2 / (1 - check_level(level))
    if rounds < least:
        raise InputError(f"expected at least {least:.0f} rounds for a level of {level}, found {rounds}: 1000 is usual")

    def one(k: int) -> tuple[float, float, float, float, int, int, int, int, str]:
        ranking = rank(scores[:, k], labels[:, k])
        m, n = ranking.n_positive, ranking.n_negative
        if m == 0 or n == 0:
            return np.nan, np.nan, np.nan, np.nan, m, n, m, n, ranking.reason
        area = int(doubled_wins(ranking).sum(where=ranking.positive)) / (2 * m * n)
        persons = codes[ranking.rows]
        units_m, units_n = independent_units(ranking.positive, persons, count)
        lone = reason_of_identities(units_m, units_n)
        if lone:
            return area, np.nan, np.nan, np.nan, m, n, units_m, units_n, lone
        areas = _resampled(ranking, persons, count, rounds, seed)
        kept = areas[~np.isnan(areas)]
        ends = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2]) if len(kept) else [np.nan, np.nan]
        ...

    raise NotImplementedError


def _draws(count: int, rounds: int, block: int, seed: int) -> Iterator[Floats]:
    raise NotImplementedError
