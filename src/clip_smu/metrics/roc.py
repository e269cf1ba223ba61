"""ROC curve and what is read off it: AUC, average precision, true positives at a rate of false ones, EER."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip_smu.errors import InputError
from clip_smu.metrics.ranking import Floats, Measure, Ranking, check, each_attribute, rank


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The ROC curve of one attribute, a point for each of its G distinct scores and one before them.

    Attributes:
        fpr: (G + 1,) float64, ascending from 0 to 1; NaN if there are no negatives.
        tpr: (G + 1,) float64, ascending from 0 to 1; NaN if there are no positives.
        thresholds: (G + 1,) float64, descending from +inf; a photo counts as positive at ``score >= threshold``.
        reason: empty, or why the curve is undefined or weak.
    """

    fpr: Floats
    tpr: Floats
    thresholds: Floats
    reason: str


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> RocCurve:
    """ROC curve of one attribute, every point kept.

    Args:
        scores: (N,) or (N, 1) float, without NaN.
        labels: (N,) or (N, 1) signed integers 1, -1, 0 (unknown, left out).

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
    ranking = rank(scores[:, 0], labels[:, 0])
    fp, tp = _operating_points(ranking)
    thresholds = np.append(np.inf, ranking.scores[ranking.ends - 1][::-1]).astype(np.float64)
    return RocCurve(_share(fp, ranking.n_negative), _share(tp, ranking.n_positive), thresholds, ranking.reason)


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

    def area(ranking: Ranking) -> Floats:
        fp, tp = _operating_points(ranking)
        pairs = ranking.n_positive * ranking.n_negative
        return _share(np.sum(np.diff(fp) * (tp[1:] + tp[:-1])), 2 * pairs)

    return _over_rankings(area, scores, labels)


def average_precision(scores: ArrayLike, labels: ArrayLike) -> Measure:
    """Average precision, (K,): ``sum over thresholds of (R_i - R_(i-1)) P_i``, recall R, precision P.

    No interpolation, tied scores are one threshold (as scikit-learn). NaN without a positive.
    Arguments and errors are those of :func:`auc`.
    """

    def area(ranking: Ranking) -> Floats:
        fp, tp = _operating_points(ranking)
        precision = tp[1:] / (tp[1:] + fp[1:])
        return _share(np.sum(np.diff(tp) * precision), ranking.n_positive)

    return _over_rankings(area, scores, labels)


def tpr_at_fpr(scores: ArrayLike, labels: ArrayLike, fprs: Sequence[float] | Floats) -> Measure:
    """True positive rate at given rates of false positives, (K, F): the highest that a threshold reaches.

    A step function, no interpolation: only thresholds whose false positive rate is at most the given one count.
    NaN without a positive or a negative. Other arguments and errors are those of :func:`auc`.

    Args:
        fprs: F rates, 0 to 1.
    """
    rates = np.asarray(fprs, dtype=np.float64)
    if rates.ndim != 1 or not np.all((rates >= 0) & (rates <= 1)):
        raise InputError(f"expected a list of false positive rates between 0 and 1, found {fprs}: give e.g. [0.01]")

    def reached(ranking: Ranking) -> Floats:
        fp, tp = _operating_points(ranking)
        fpr = _share(fp, ranking.n_negative)
        last = np.searchsorted(fpr, rates, side="right") - 1
        defined = _share(tp, ranking.n_positive)[last]
        return np.where(np.isnan(fpr[0]), np.nan, defined)

    return _over_rankings(reached, scores, labels)


def eer(scores: ArrayLike, labels: ArrayLike) -> Measure:
    """Equal error rate, (K,): where false positive and false negative rate meet, on the line between ROC points.

    NaN without a positive or a negative. Arguments and errors are those of :func:`auc`.
    """

    def crossing(ranking: Ranking) -> Floats:
        if ranking.n_positive == 0 or ranking.n_negative == 0:
            return np.asarray(np.nan)
        fp, tp = _operating_points(ranking)
        fpr, fnr = fp / ranking.n_negative, 1 - tp / ranking.n_positive
        ahead = fpr - fnr  # rises from -1 to 1
        after = int(np.searchsorted(ahead, 0.0))
        before = after - 1
        step = -ahead[before] / (ahead[after] - ahead[before])
        return np.asarray(fpr[before] + step * (fpr[after] - fpr[before]))

    return _over_rankings(crossing, scores, labels)


def _operating_points(ranking: Ranking) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(G + 1,) false and true positives with a threshold above all scores, then at each, from high to low."""
    positives_through = np.cumsum(ranking.positive)[ranking.ends - 1]  # at or below each distinct score
    negatives_through = ranking.ends - positives_through
    tp = ranking.n_positive - np.append(0, positives_through)[::-1]
    fp = ranking.n_negative - np.append(0, negatives_through)[::-1]
    return fp, tp


def _over_rankings(figure: Callable[[Ranking], Floats], scores: ArrayLike, labels: ArrayLike) -> Measure:
    scores, labels = check(scores, labels)

    def one(k: int) -> tuple[Floats, int, int, str]:
        ranking = rank(scores[:, k], labels[:, k])
        return figure(ranking), ranking.n_positive, ranking.n_negative, ranking.reason

    rows = each_attribute(one, scores.shape)
    return Measure(
        np.array([row[0] for row in rows], dtype=np.float64),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.int64),
        tuple(row[3] for row in rows),
    )


def _share(part: ArrayLike, whole: int) -> Floats:
    """``part / whole``, NaN where there is nothing to share."""
    part = np.asarray(part, dtype=np.float64)
    return part / whole if whole else np.full_like(part, np.nan)
