"""ROC curve and what is read off it: AUC, average precision, true positives at a rate of false ones, EER."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s, Floats, Int64s, SignedInts
from clip_smu.errors import InputError
from clip_smu.metrics.ranking import (
    Measure,
    check,
    column,
    doubled_area,
    each_attribute,
    measure,
    split,
    weakness,
)


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The ROC curve of one attribute: a point for each of its G distinct scores, and one before them.

    Attributes:
        fp: (G + 1,) int64 negatives at or above the threshold, ascending from 0.
        tp: (G + 1,) int64 positives at or above the threshold, ascending from 0.
        thresholds: (G + 1,) float64, descending from +inf; positive means ``score >= threshold``.
        reason: empty, or why the curve is undefined or weak.
    """

    fp: Int64s
    tp: Int64s
    thresholds: Float64s
    reason: str

    @cached_property
    def fpr(self) -> Float64s:
        """(G + 1,) false positive rate, 0 to 1; NaN if there are no negatives."""
        return _share(self.fp, self.fp[-1])

    @cached_property
    def tpr(self) -> Float64s:
        """(G + 1,) true positive rate, 0 to 1; NaN if there are no positives."""
        return _share(self.tp, self.tp[-1])


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> RocCurve:
    """ROC curve of one attribute, every point kept, exact with ties.

    Args:
        scores: (N,) or (N, 1) float, without NaN.
        labels: the same shape, signed integers 1, -1, 0 (unknown, left out).

    Raises:
        InputError: malformed input, or more than one attribute.

    Example:
        >>> curve = roc_curve([0.1, 0.4, 0.35, 0.8], [-1, -1, 1, 1])
        >>> curve.tpr.tolist()
        [0.0, 0.5, 0.5, 1.0, 1.0]
    """
    scores, labels = check(scores, labels)
    if scores.shape[1] != 1:
        raise InputError(f"expected one attribute, found {scores.shape[1]}: draw one curve for each column")
    return _curve(*column(scores, labels, 0))


def auc(scores: ArrayLike, labels: ArrayLike) -> Measure:
    """Area under the ROC curve, (K,): the chance that a positive scores above a negative, ties half.

    ``AUC = sum over positives of (negatives below + half the negatives equal) / (m n)``, the Mann-Whitney
    statistic (Bamber 1975), in whole numbers until the last division. NaN without a positive or a negative.

    Args:
        scores: (N, K) or (N,) float, without NaN.
        labels: the same shape, signed integers 1, -1, 0 (unknown, left out).

    Raises:
        InputError: malformed input.

    Example:
        >>> auc([0.1, 0.4, 0.35, 0.8], [-1, -1, 1, 1]).value.tolist()
        [0.75]
    """
    scores, labels = check(scores, labels)

    def one(k: int) -> tuple[Float64s, str]:
        sides = split(*column(scores, labels, k))
        pairs = len(sides.positive) * len(sides.negative)
        return _share(doubled_area(sides), 2 * pairs), sides.reason

    return _measure(each_attribute(one, scores.shape), labels)


def average_precision(scores: ArrayLike, labels: ArrayLike) -> Measure:
    """Average precision, (K,): ``sum over thresholds of (R_i - R_(i-1)) P_i``, recall R, precision P.

    No interpolation, tied scores are one threshold (as scikit-learn). NaN without a positive.
    Arguments and errors are those of :func:`auc`.
    """

    def area(curve: RocCurve) -> Float64s:
        precision = curve.tp[1:] / (curve.tp[1:] + curve.fp[1:])
        return _share(np.sum(np.diff(curve.tp) * precision), curve.tp[-1])

    return _over_curves(area, scores, labels)


def tpr_at_fpr(scores: ArrayLike, labels: ArrayLike, fprs: Sequence[float] | Float64s) -> Measure:
    """True positive rate at given rates of false positives, (K, F): the highest that a threshold reaches.

    A step function, no interpolation: thresholds count whose false positive rate is at most the given one.
    NaN without a positive or a negative. Other arguments and errors are those of :func:`auc`.

    Args:
        fprs: F rates, 0 to 1.
    """
    rates = np.asarray(fprs, dtype=np.float64)
    if rates.ndim != 1 or not np.all((rates >= 0) & (rates <= 1)):
        raise InputError(
            f"expected a list of false positive rates from 0 to 1, found {fprs}: give e.g. [0.01]"
        )

    def reached(curve: RocCurve) -> Float64s:
        last = np.searchsorted(curve.fpr, rates, side="right") - 1
        return curve.tpr[last] if curve.fp[-1] else np.full(len(rates), np.nan)

    return _over_curves(reached, scores, labels)


def eer(scores: ArrayLike, labels: ArrayLike) -> Measure:
    """Equal error rate, (K,): where false positive and false negative rate meet, on lines between ROC points.

    NaN without a positive or a negative. Arguments and errors are those of :func:`auc`.
    """

    def crossing(curve: RocCurve) -> Float64s:
        if not curve.tp[-1] or not curve.fp[-1]:
            return np.asarray(np.nan)
        ahead = curve.fpr - (1 - curve.tpr)  # rises from -1 to 1
        after = int(np.searchsorted(ahead, 0.0))
        before = after - 1
        step = -ahead[before] / (ahead[after] - ahead[before])
        return np.asarray(curve.fpr[before] + step * (curve.fpr[after] - curve.fpr[before]))

    return _over_curves(crossing, scores, labels)


def _curve(scores: Floats, labels: SignedInts) -> RocCurve:
    known = np.flatnonzero(labels)
    rows = known[np.argsort(scores[known])[::-1]]
    descending = scores[rows].astype(np.float64)
    last = np.append(descending[1:] != descending[:-1], True)[: len(rows)]  # of each run of equal scores
    tp = np.append(0, np.cumsum(labels[rows] > 0)[last])
    fp = np.append(0, np.flatnonzero(last) + 1) - tp
    reason = weakness(int(tp[-1]), int(fp[-1]), constant=len(tp) == 2)
    return RocCurve(fp, tp, np.append(np.inf, descending[last]), reason)


def _over_curves(figure: Callable[[RocCurve], Float64s], scores: ArrayLike, labels: ArrayLike) -> Measure:
    scores, labels = check(scores, labels)

    def one(k: int) -> tuple[Float64s, str]:
        curve = _curve(*column(scores, labels, k))
        return figure(curve), curve.reason

    return _measure(each_attribute(one, scores.shape), labels)


def _measure(rows: list[tuple[Float64s, str]], labels: SignedInts) -> Measure:
    counted = measure(np.array([row[0] for row in rows], dtype=np.float64), labels)
    return Measure(counted.value, counted.n_positive, counted.n_negative, tuple(row[1] for row in rows))


def _share(part: ArrayLike, whole: int | np.integer) -> Float64s:
    """``part / whole``, NaN where there is nothing to share."""
    part = np.asarray(part, dtype=np.float64)
    return part / whole if whole else np.full_like(part, np.nan)
