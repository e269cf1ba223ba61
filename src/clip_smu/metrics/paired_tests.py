"""Two sets of scores on the same photos: DeLong's paired test, and the correction for many attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s, Floats, Indices, Int64s
from clip_smu.errors import InputError
from clip_smu.metrics.intervals import Persons, auc_components, auc_variance, reason_with
from clip_smu.metrics.ranking import (
    Sides,
    check,
    check_identity,
    check_level,
    column,
    each_attribute,
    weakness,
)

_ROUNDING = 1e-30  # a variance below this is rounding, not a difference


@dataclass(frozen=True, eq=False)
class AucDifference:
    """AUC of scores A less AUC of scores B, of K attributes on the same photos.

    Attributes:
        difference: (K,) float64, -1 to 1; NaN without a positive or a negative.
        low, high: (K,) ends of the interval, -1 to 1; NaN where ``se`` is.
        se: (K,) standard error; NaN below two positives or two negatives, or identities of them.
        z: (K,) ``difference / se``; 0 where the rankings do not differ.
        p: (K,) two-sided; 1 where the rankings do not differ, NaN where there is no variance to test with.
        n_positive, n_negative: (K,) int64 photos.
        reason: K strings, empty where nothing is wrong.
    """

    difference: Float64s
    low: Float64s
    high: Float64s
    se: Float64s
    z: Float64s
    p: Float64s
    n_positive: Int64s
    n_negative: Int64s
    reason: tuple[str, ...]


def delong_paired(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    labels: ArrayLike,
    *,
    level: float = 0.95,
    identity: Sequence[str] | ArrayLike | None = None,
) -> AucDifference:
    """DeLong's test of two AUCs on the same photos, attribute by attribute.

    ``se²`` is DeLong's (with ``identity`` Obuchowski's) formula on the differences of the two structural
    components of each photo, which is ``var A + var B - 2 cov``; ``z = difference / se``, two-sided normal p;
    interval ``difference ± z se``, cut at -1 and 1 (DeLong, DeLong & Clarke-Pearson 1988; Obuchowski 1997).

    Args:
        scores_a, scores_b: (N, K) or (N,) float, without NaN, of the same photos and attributes.
        labels: the same shape, signed integers 1, -1, 0 (unknown, left out).
        level: of confidence, inside (0, 1).
        identity: (N,) names or numbers of persons; ``None`` if each photo is of another person.

    Raises:
        InputError: malformed input.
    """
    scores_a, known = check(scores_a, labels)
    scores_b, known = check(scores_b, labels)
    critical = NormalDist().inv_cdf((1 + check_level(level)) / 2)
    codes = None if identity is None else check_identity(identity, len(known))

    def one(k: int) -> tuple[float, float, tuple[int, int], str]:
        (a, of_photos), (b, _) = column(scores_a, known, k), column(scores_b, known, k)
        yes, no = np.flatnonzero(of_photos > 0), np.flatnonzero(of_photos < 0)
        weak = weakness(len(yes), len(no))
        if not len(yes) or not len(no):
            return np.nan, np.nan, (len(yes), len(no)), weak
        area_a, v10_a, v01_a = _components(a, yes, no)
        area_b, v10_b, v01_b = _components(b, yes, no)
        difference = area_a - area_b
        persons = None if codes is None else Persons(codes[0][yes], codes[0][no], codes[1])
        variance = auc_variance(v10_a - v10_b - difference, v01_a - v01_b - difference, persons)
        if variance < _ROUNDING:
            variance = 0.0
            weak = "no variance" if difference else "no difference between the rankings"
        return difference, variance, (len(yes), len(no)), reason_with(persons, weak)

    rows = each_attribute(one, known.shape)
    difference, variance = (np.array([row[i] for row in rows], dtype=np.float64) for i in (0, 1))
    photos = np.array([row[2] for row in rows], dtype=np.int64).reshape(-1, 2)
    se = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(se > 0, difference / se, np.where((se == 0) & (difference == 0), 0.0, np.nan))
    p = np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z], dtype=np.float64)
    half = np.where(np.isnan(z), np.nan, critical * se)
    low, high = np.maximum(difference - half, -1), np.minimum(difference + half, 1)
    reasons = tuple(row[3] for row in rows)
    return AucDifference(difference, low, high, se, z, p, photos[:, 0], photos[:, 1], reasons)


def benjamini_hochberg(p: ArrayLike) -> Float64s:
    """q-values, float64 of the same (M,): reject where ``q <= rate`` and that false discovery rate is kept.

    ``q_(i) = min over j >= i of p_(j) M / j`` for ascending p (Benjamini & Hochberg 1995). A NaN is a test
    that was not made: it stays NaN and does not count in M.

    Args:
        p: (M,) p-values, 0 to 1 or NaN.

    Raises:
        InputError: not one-dimensional, or a value outside 0 to 1.

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.04, 0.04]
    """
    values = np.asarray(p, dtype=np.float64)
    made = ~np.isnan(values)
    if values.ndim != 1 or not np.all((values[made] >= 0) & (values[made] <= 1)):
        raise InputError(
            f"expected p-values between 0 and 1, (M,), found {values.tolist()}: give one p for each attribute"
        )
    tests = np.flatnonzero(made)
    order = tests[np.argsort(values[tests])]
    scaled = values[order] * len(order) / np.arange(1, len(order) + 1)  # p_(i) M / i
    q = np.full_like(values, np.nan)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return q


def _components(scores: Floats, yes: Indices, no: Indices) -> tuple[float, Float64s, Float64s]:
    """AUC and DeLong's structural components V10 (m,) and V01 (n,) of one attribute, in the order of the given rows."""
    order_yes, order_no = np.argsort(scores[yes]), np.argsort(scores[no])
    area, v10, v01 = auc_components(Sides(scores[yes[order_yes]], scores[no[order_no]]))
    of_yes, of_no = np.empty_like(v10), np.empty_like(v01)
    of_yes[order_yes], of_no[order_no] = v10, v01
    return area, of_yes, of_no
