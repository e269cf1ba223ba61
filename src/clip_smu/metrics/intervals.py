"""AUC with standard error and interval: DeLong's, or Obuchowski's where a person has several photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s, Floats, Indices, Int64s, SignedInts
from clip_smu.metrics.ranking import (
    MIN_CLASS,
    Sides,
    check,
    check_identity,
    check_level,
    column,
    doubled_wins,
    each_attribute,
    rows_by_score,
    split,
)

_TRUSTED_ERRORS = 5.0  # independent errors at which DeLong's variance and Newcombe's weigh the same


@dataclass(frozen=True, eq=False)
class AucInterval:
    """AUC of K attributes and how sure it is.

    Attributes:
        auc: (K,) float64, 0 to 1; NaN without a positive or a negative.
        low, high: (K,) ends of the interval, 0 to 1; NaN where ``se`` is.
        se: (K,) standard error on the scale of the AUC; NaN below two positives or two negatives (or, where
            identities are given, two persons with one).
        n_positive, n_negative: (K,) int64 photos.
        reason: K strings, empty where nothing is wrong.
    """

    auc: Float64s
    low: Float64s
    high: Float64s
    se: Float64s
    n_positive: Int64s
    n_negative: Int64s
    reason: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Persons:
    """Whose photos these are, of one attribute.

    Attributes:
        positive: (m,) code of each positive's person.
        negative: (n,) code of each negative's person.
        count: codes are below this.
    """

    positive: Indices
    negative: Indices
    count: int


def delong(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    level: float = 0.95,
    identity: Sequence[str] | ArrayLike | None = None,
) -> AucInterval:
    """AUC with DeLong's standard error and an interval that holds near 1, O(N log N) per attribute.

    With the structural components V10 of a positive, the share of negatives below it, and V01 of a negative, the
    share of positives above it, ties half, ``se² = S10 / m + S01 / n``, S10 and S01 their variances (DeLong, DeLong
    & Clarke-Pearson 1988; by sorting, as Sun & Xu 2014). Photos of one person are not independent: with ``identity``,
    sums of ``V - AUC`` of each person take the place of single photos, with the covariance between the two classes of a
    person (Obuchowski 1997). If every photo is of another person this is DeLong's.

    The interval is Wilson's, which is symmetric on the logit scale and never leaves 0 to 1 (Newcombe 2001), for
    ``e = AUC (1 - AUC) / se²`` coin throws, the number that would be as uncertain, with Student's quantile for
    ``min(m, n) - 1`` degrees of freedom. Where few photos carry all the errors, DeLong's se is itself a
    guess, too small on average, and 0 at AUC = 1. There e is lowered towards Newcombe's (2006, method 5, after
    Hanley & McNeil 1982), ``e' = m n / (1 + (N - 1) ((1 - AUC) / (2 - AUC) + AUC / (1 + AUC)))``,
    ``N = (m + n) / 2``, m and n being persons if identities are given: if ``e' < e``, ``1 / e`` becomes
    ``w / e' + (1 - w) / e`` with ``w = 5 / (5 + c)`` and c the number of independent errors,
    ``(sum of errors)² / sum of errors²`` of ``1 - V`` in the class that has fewer. So no interval has zero
    width. The weight w is this project's own choice, made by simulation; what the interval then covers is
    measured in ``tests/metrics/test_metrics_coverage.py``.

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
    codes = None if identity is None else check_identity(identity, len(scores))

    def one(k: int) -> tuple[float, float, float, tuple[int, int], tuple[int, int], str]:
        if codes is None:
            sides, persons = split(*column(scores, labels, k)), None
        else:
            sides, persons = split_persons(*column(scores, labels, k), *codes)
        photos = len(sides.positive), len(sides.negative)
        if 0 in photos:
            return np.nan, np.nan, 0.0, photos, photos, sides.reason
        area, v10, v01 = auc_components(sides)
        variance = auc_variance(v10 - area, v01 - area, persons)
        errors = _independent_errors(area, v10, v01, persons)
        units = photos if persons is None else units_of(persons)
        return area, variance, errors, photos, units, reason_with(persons, sides.reason)

    rows = each_attribute(one, scores.shape)
    area, variance, errors = (np.array([row[i] for row in rows], dtype=np.float64) for i in range(3))
    photos, units = (np.array([row[i] for row in rows], dtype=np.int64).reshape(-1, 2) for i in (3, 4))
    low, high = auc_bounds(area, variance, errors, units, level)
    reasons = tuple(row[5] for row in rows)
    return AucInterval(area, low, high, np.sqrt(variance), photos[:, 0], photos[:, 1], reasons)


def auc_components(sides: Sides) -> tuple[float, Float64s, Float64s]:
    """AUC, and DeLong's structural components: (m,) V10 of the positives, (n,) V01 of the negatives, as sorted."""
    m, n = len(sides.positive), len(sides.negative)
    of_positives, of_negatives = doubled_wins(sides)
    return int(of_positives.sum()) / (2 * m * n), of_positives / (2.0 * n), of_negatives / (2.0 * m)


def auc_variance(v10: Float64s, v01: Float64s, persons: Persons | None) -> float:
    """Variance of an AUC, or of a difference of AUCs, from its (m,) and (n,) components less their mean.

    ``S10 / m + S01 / n`` (DeLong et al. 1988). With persons V10 and V01 are summed over each person's photos, and the
    covariance S11 of the two sums is added twice, each with its I / (I - 1) for I persons (Obuchowski 1997).
    NaN below two independent positives or negatives.
    """
    of_positives, of_negatives = _sums(v10 / len(v10), v01 / len(v01), persons)
    units_m, units_n = (len(v10), len(v01)) if persons is None else units_of(persons)
    if units_m < 2 or units_n < 2:
        return np.nan
    variance = float(np.square(of_positives).sum()) * units_m / (units_m - 1)
    variance += float(np.square(of_negatives).sum()) * units_n / (units_n - 1)
    if persons is not None:
        total = np.count_nonzero(np.bincount(np.append(persons.positive, persons.negative)))
        variance += 2 * float((of_positives * of_negatives).sum()) * total / (total - 1)
    return variance


def split_persons(scores: Floats, labels: SignedInts, codes: Indices, count: int) -> tuple[Sides, Persons]:
    """Both classes of one attribute by ascending score, with (N,) codes of persons carried along."""
    positive, negative = rows_by_score(scores, labels > 0), rows_by_score(scores, labels < 0)
    return Sides(scores[positive], scores[negative]), Persons(codes[positive], codes[negative], count)


def units_of(persons: Persons) -> tuple[int, int]:
    """Persons with a positive, persons with a negative."""
    return (
        int(np.count_nonzero(np.bincount(persons.positive))),
        int(np.count_nonzero(np.bincount(persons.negative))),
    )


def reason_with(persons: Persons | None, reason: str) -> str:
    """The reason of an attribute, after what persons add to it: one allows no variance, few make it weak."""
    if persons is None:
        return reason
    whys = [
        of_persons(units, of) for units, of in zip(units_of(persons), ("positives", "negatives"), strict=True)
    ]
    alone = next((why for why in whys if why.endswith("one identity")), "")
    return alone or reason or whys[0] or whys[1]


def of_persons(count: int, of: str) -> str:
    """Why a figure of photos ("positives", "verdicts") of so many persons is weak; empty if it is not, or of none."""
    return (
        f"{of} of one identity" if count == 1 else f"{of} of few identities" if 0 < count < MIN_CLASS else ""
    )


def auc_bounds(
    area: Float64s, variance: Float64s, errors: Float64s, units: Int64s, level: float
) -> tuple[Float64s, Float64s]:
    """(K,) ends of the interval that :func:`delong` documents, NaN where the variance is.

    Args:
        area, variance: (K,) the AUC and its variance. errors: (K,) c, the independent errors.
        units: (K, 2) positives and negatives, or persons with one. level: of confidence.
    """
    binomial = area * (1 - area)  # variance of one coin throw
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(variance > 0, binomial / variance, np.inf)  # e, the coin throws
        hanley = (1 - area) / (2 - area) + area / (1 + area)
        newcombe = units.prod(axis=1) / (1 + (units.mean(axis=1) - 1) * hanley)  # e'
        weight = _TRUSTED_ERRORS / (_TRUSTED_ERRORS + errors)
        effective = np.where(
            newcombe < effective, 1 / (weight / newcombe + (1 - weight) / effective), effective
        )
        t2_e = _student(level, np.maximum(units.min(axis=1) - 1, 1)) ** 2 / effective  # t^2 / e
    # Wilson's score interval: ((A + t²/2e) ± sqrt(t²/e A (1 - A) + t⁴/4e²)) / (1 + t²/e)
    centre, half = area + t2_e / 2, np.sqrt(t2_e * binomial + t2_e**2 / 4)
    low, high = (centre - half) / (1 + t2_e), (centre + half) / (1 + t2_e)
    known = ~np.isnan(variance)
    return np.where(known, np.clip(low, 0, area), np.nan), np.where(known, np.clip(high, area, 1), np.nan)


def _student(level: float, freedom: Int64s) -> Float64s:
    """Two-sided quantile of Student's t (Abramowitz & Stegun 26.7.5); at 95 % within 1 % from 2 degrees on."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return np.asarray(z + sum(term / freedom**power for power, term in enumerate(terms, 1)), dtype=np.float64)


def _independent_errors(area: float, v10: Float64s, v01: Float64s, persons: Persons | None) -> float:
    """Kish's effective number of photos (persons) that lower the AUC, or raise it where it is below 0.5."""
    wrong = (1 - v10, 1 - v01) if area >= 0.5 else (v10, v01)
    return min(
        float(side.sum() ** 2 / np.square(side).sum()) if side.any() else 0.0
        for side in _sums(*wrong, persons)
    )


def _sums(
    of_positives: Float64s, of_negatives: Float64s, persons: Persons | None
) -> tuple[Float64s, Float64s]:
    """Sums over each person's positives and negatives, (count,) each; as given if photos are independent."""
    if persons is None:
        return of_positives, of_negatives
    return (
        np.bincount(persons.positive, of_positives, persons.count).astype(np.float64),
        np.bincount(persons.negative, of_negatives, persons.count).astype(np.float64),
    )
