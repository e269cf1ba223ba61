"""AUC with its standard error and interval (DeLong), photos independent or several of one identity (Obuchowski)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip_smu.metrics.ranking import (
    Floats,
    Integers,
    Ranking,
    check,
    check_identity,
    check_level,
    doubled_wins,
    each_attribute,
    rank,
)

Codes = NDArray[np.intp]
_TRUSTED_ERRORS = 5.0  # independent errors at which DeLong's variance and Newcombe's weigh the same


@dataclass(frozen=True, eq=False)
class AucInterval:
    """AUC of K attributes and how sure it is.

    Attributes:
        auc: (K,) float64, 0 to 1; NaN without a positive or a negative.
        low, high: (K,) ends of the interval, 0 to 1; NaN where ``se`` is.
        se: (K,) standard error on the AUC's scale; NaN below two positives or two negatives, or identities of them.
        n_positive, n_negative: (K,) int64 photos.
        reason: K strings, empty where nothing is wrong.
    """

    auc: Floats
    low: Floats
    high: Floats
    se: Floats
    n_positive: Integers
    n_negative: Integers
    reason: tuple[str, ...]


def delong(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    level: float = 0.95,
    identity: Sequence[str] | ArrayLike | None = None,
) -> AucInterval:
    """AUC with DeLong's standard error and an interval that holds near 1, O(N log N) per attribute.

    With V10 of a positive the share of negatives below it, V01 of a negative the share of positives above it,
    ties half, ``se² = var(V10) / m + var(V01) / n`` (DeLong, DeLong & Clarke-Pearson 1988; by midranks as in
    Sun & Xu 2014). Photos of one person are not independent: with ``identity``, the sums of ``V - AUC`` of each
    person take the place of single photos, with the covariance between the two classes of a person
    (Obuchowski 1997), which equals DeLong's if every photo is of another person.

    The interval is Wald's on the logit scale (Pepe 2003; Qin & Hotilovac 2008),
    ``logit AUC ± z / sqrt(e AUC (1 - AUC))`` with ``e = AUC (1 - AUC) / se²``, the number of coin throws that
    would be as uncertain. Where few photos carry all the errors, DeLong's se is itself a guess, too small on
    average, and 0 at AUC = 1. There ``e`` is lowered towards Newcombe's,
    ``e' = m n / (1 + (N - 1) ((1 - AUC) / (2 - AUC) + AUC / (1 + AUC))), N = (m + n) / 2`` (Newcombe 2006,
    method 5, after Hanley & McNeil 1982; m and n are identities if given):
    ``1 / e <- w / e' + (1 - w) / e, w = 5 / (5 + c)`` if ``e' < e``, with c the number of independent errors,
    ``(sum of errors)² / sum of errors²`` of ``1 - V`` in the class that has fewer. At AUC = 0 or 1 it is Wilson's
    interval of e' throws. So no interval has zero width. The weight is ours; ``tests/test_metrics_coverage.py``
    holds what it covers.

    Args:
        scores: (N, K) or (N,) float, without NaN.
        labels: the same shape, signed integers 1, -1, 0 (unknown, left out).
        level: of confidence, inside (0, 1).
        identity: (N,) names or numbers of persons; ``None`` if each photo is of another person.

    Raises:
        InputError: malformed input.

    Example:
        >>> result = delong([0.1, 0.4, 0.35, 0.8], [-1, -1, 1, 1])
        >>> float(result.auc[0]), round(float(result.se[0]), 4), result.reason
        (0.75, 0.3536, ('too few positives',))
    """
    scores, labels = check(scores, labels)
    check_level(level)
    persons = None if identity is None else check_identity(identity, len(scores))

    def one(k: int) -> tuple[float, float, float, int, int, int, int, str]:
        ranking = rank(scores[:, k], labels[:, k])
        m, n = ranking.n_positive, ranking.n_negative
        if m == 0 or n == 0:
            return np.nan, np.nan, 0.0, m, n, m, n, ranking.reason
        area, components = auc_components(ranking)
        codes, count = (None, 0) if persons is None else (persons[0][ranking.rows], persons[1])
        units_m, units_n = independent_units(ranking.positive, codes, count)
        variance = auc_variance(components - area, ranking.positive, codes, count)
        errors = _independent_errors(area, components, ranking.positive, codes, count)
        lone = "" if codes is None else reason_of_identities(units_m, units_n)
        return area, variance, errors, m, n, units_m, units_n, lone or ranking.reason

    rows = each_attribute(one, scores.shape)
    area, variance, errors = (np.array([row[i] for row in rows], dtype=np.float64) for i in (0, 1, 2))
    n_positive, n_negative, units_m, units_n = (np.array([row[i] for row in rows], dtype=np.int64) for i in (3, 4, 5, 6))
    low, high = auc_bounds(area, variance, errors, units_m, units_n, level)
    return AucInterval(area, low, high, np.sqrt(variance), n_positive, n_negative, tuple(row[7] for row in rows))


def auc_components(ranking: Ranking) -> tuple[float, Floats]:
    """AUC, and (n,) V10 of each positive or V01 of each negative, in the order of the ranking."""
    wins = doubled_wins(ranking)
    m, n = ranking.n_positive, ranking.n_negative
    area = int(wins.sum(where=ranking.positive)) / (2 * m * n)
    return area, wins * np.where(ranking.positive, 0.5 / n, 0.5 / m)


def auc_variance(centred: Floats, positive: NDArray[np.bool_], codes: Codes | None, count: int) -> float:
    """Variance of an AUC, or of a difference of AUCs, from its (n,) components less their mean.

    NaN below two independent positives or negatives. Obuchowski's with (n,) identity ``codes`` below ``count``.
    """
    units_m, units_n = independent_units(positive, codes, count)
    if units_m < 2 or units_n < 2:
        return np.nan
    m = np.count_nonzero(positive)
    n = len(positive) - m
    scaled = centred / np.where(positive, m, n)  # what each photo adds to AUC - E[AUC]
    if codes is None:
        squares = np.square(scaled)
        ours = float(squares.sum(where=positive))
        return ours * m / (m - 1) + (float(squares.sum()) - ours) * n / (n - 1)
    of_positives, of_negatives = _by_identity(scaled, positive, codes, count)  # (I,) each
    total = np.count_nonzero(np.bincount(codes, minlength=count))
    return float(
        np.square(of_positives).sum() * units_m / (units_m - 1)
        + np.square(of_negatives).sum() * units_n / (units_n - 1)
        + 2 * (of_positives * of_negatives).sum() * total / (total - 1)
    )


def independent_units(positive: NDArray[np.bool_], codes: Codes | None, count: int) -> tuple[int, int]:
    """Photos, or identities with a photo, of each class."""
    if codes is None:
        m = int(np.count_nonzero(positive))
        return m, len(positive) - m
    return (
        int(np.count_nonzero(np.bincount(codes[positive], minlength=count))),
        int(np.count_nonzero(np.bincount(codes[~positive], minlength=count))),
    )


def reason_of_identities(units_m: int, units_n: int) -> str:
    """Why identities allow no variance; empty if they do."""
    if units_m == 1:
        return "positives of one identity"
    return "negatives of one identity" if units_n == 1 else ""


def auc_bounds(
    area: Floats, variance: Floats, errors: Floats, units_m: Integers, units_n: Integers, level: float
) -> tuple[Floats, Floats]:
    """(K,) ends of the interval that :func:`delong` documents; NaN where the variance is."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    spread = area * (1 - area)
    with np.errstate(divide="ignore", invalid="ignore"):
        throws = np.where(variance > 0, spread / variance, np.inf)  # e
        mean_size = (units_m + units_n) / 2
        newcombe = units_m * units_n / (1 + (mean_size - 1) * ((1 - area) / (2 - area) + area / (1 + area)))  # e'
        weight = _TRUSTED_ERRORS / (_TRUSTED_ERRORS + errors)
        throws = np.where(newcombe < throws, 1 / (weight / newcombe + (1 - weight) / throws), throws)
        centre, half = np.log(area / (1 - area)), z / np.sqrt(throws * spread)
        low, high = 1 / (1 + np.exp(half - centre)), 1 / (1 + np.exp(-half - centre))
        beyond = z * z / (newcombe + z * z)  # Wilson's at 0 and, mirrored, at 1
    low = np.where(area == 0, 0.0, np.where(area == 1, 1 - beyond, low))
    high = np.where(area == 0, beyond, np.where(area == 1, 1.0, high))
    undefined = np.isnan(variance)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def _independent_errors(
    area: float, components: Floats, positive: NDArray[np.bool_], codes: Codes | None, count: int
) -> float:
    """Kish's effective number of photos (identities) that lower the AUC, or raise it where it is below 0.5."""
    wrong = 1 - components if area >= 0.5 else components
    sides = (wrong[positive], wrong[~positive]) if codes is None else _by_identity(wrong, positive, codes, count)
    numbers = [float(side.sum()) ** 2 / max(float(np.square(side).sum()), np.finfo(float).tiny) for side in sides]
    return min(numbers)


def _by_identity(
    values: Floats, positive: NDArray[np.bool_], codes: Codes, count: int
) -> tuple[Floats, Floats]:
    """(I,) sums over the positives and over the negatives of each identity."""
    return (
        np.bincount(codes, np.where(positive, values, 0), count),
        np.bincount(codes, np.where(positive, 0, values), count),
    )
