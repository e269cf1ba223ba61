"""Figures of yes or no at a given threshold: balanced accuracy and F1."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Int64s
from clip_smu.errors import InputError
from clip_smu.metrics.ranking import Measure, check, count_classes, measure


def balanced_accuracy(scores: ArrayLike, labels: ArrayLike, threshold: ArrayLike) -> Measure:
    """Mean of true positive and true negative rate, (K,), of "yes at ``score >= threshold``".

    NaN without a positive or a negative.

    Args:
        scores: (N, K) or (N,) float, without NaN.
        labels: the same shape, signed integers 1, -1, 0 (unknown, left out).
        threshold: one for all, or (K,).

    Raises:
        InputError: malformed input.
    """
    result, tp, fp = _decide(scores, labels, threshold)
    m, n = result.n_positive, result.n_negative
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (tp / m + (n - fp) / n) / 2
    return Measure(value, m, n, result.reason)


def f1(scores: ArrayLike, labels: ArrayLike, threshold: ArrayLike) -> Measure:
    """``F1 = 2 TP / (2 TP + FP + FN)``, (K,), of "yes at ``score >= threshold``".

    0 where positives exist and none is found, NaN without a positive.
    Arguments and errors are those of :func:`balanced_accuracy`.
    """
    result, tp, fp = _decide(scores, labels, threshold)
    with np.errstate(invalid="ignore"):
        value = 2 * tp / (tp + fp + result.n_positive)
    return Measure(
        np.where(result.n_positive > 0, value, np.nan), result.n_positive, result.n_negative, result.reason
    )


def _decide(scores: ArrayLike, labels: ArrayLike, threshold: ArrayLike) -> tuple[Measure, Int64s, Int64s]:
    """Counts and reasons, (K,) true positives, (K,) false positives."""
    scores, labels = check(scores, labels)
    limit = np.asarray(threshold, dtype=np.float64)
    if limit.shape not in ((), (scores.shape[1],)) or np.isnan(limit).any():
        raise InputError(
            f"expected one threshold, or one for each of {scores.shape[1]} attributes, without NaN, "
            f"found shape {limit.shape}: give a number or (K,)"
        )
    tp, fp = count_classes(np.where(scores >= limit, labels, labels.dtype.type(0)))
    return measure(np.full(scores.shape[1], np.nan), labels), tp, fp
