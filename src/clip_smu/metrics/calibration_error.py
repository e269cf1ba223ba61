"""Are the probabilities true? Reliability curve and expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s, Floats, Int64s, SignedInts
from clip_smu.errors import InputError
from clip_smu.metrics.ranking import Measure, check, count_classes, measure


@dataclass(frozen=True, eq=False)
class Reliability:
    """Said and seen, bin by bin of equal width.

    Attributes:
        edges: (bins + 1,) from 0 to 1; a bin holds its upper edge, the first also 0.
        count: (K, bins) int64 photos of known label.
        mean_probability: (K, bins) mean of what was said; NaN in an empty bin (count 0).
        frequency: (K, bins) share of positives; NaN in an empty bin (count 0).
    """

    edges: Float64s
    count: Int64s
    mean_probability: Float64s
    frequency: Float64s


def reliability(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 15, *, pooled: bool = False
) -> Reliability:
    """Reliability curves of K attributes, or one of all of them pooled (then K = 1 in the result).

    Args:
        probabilities: (N, K) or (N,) float, 0 to 1, of having the attribute.
        labels: the same shape, signed integers 1, -1, 0 (unknown, left out).
        bins: at least 1.
        pooled: put the known labels of all attributes together.

    Raises:
        InputError: malformed input, or a probability outside 0 to 1 (a cosine is not a probability).
    """
    said, known = _check_probabilities(probabilities, labels, pooled)
    if bins < 1:
        raise InputError(f"expected at least 1 bin, found {bins}: 15 is usual")
    edges = np.linspace(0, 1, bins + 1)
    k = said.shape[1]
    place = np.searchsorted(edges[1:-1], said, side="left") + bins * np.arange(
        k
    )  # (N, K): bin, attribute by attribute
    kept = known != 0
    place, said, yes = place[kept], said[kept], known[kept] > 0

    def total(weights: Float64s | None) -> Float64s:
        return np.bincount(place, weights, minlength=k * bins).reshape(k, bins).astype(np.float64)

    count = total(None).astype(np.int64)
    some = np.where(count > 0, count, np.nan)
    return Reliability(
        edges, count, total(said.astype(np.float64)) / some, total(yes.astype(np.float64)) / some
    )


def ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15, *, pooled: bool = False) -> Measure:
    """Expected calibration error, (K,), or (1,) pooled: ``sum over bins of count / n |said - seen|``.

    Equal-width bins, closed above (Naeini et al. 2015; Guo et al. 2017), of the probability *of having the
    attribute*, not of the likelier answer. NaN without labels. Arguments and errors: :func:`reliability`.

    Example:
        >>> round(float(ece([0.9, 0.8, 0.3], [1, 1, -1]).value[0]), 12)
        0.2
    """
    curve = reliability(probabilities, labels, bins, pooled=pooled)
    gap = np.abs(curve.mean_probability - curve.frequency)
    weighted = np.where(curve.count > 0, curve.count * gap, 0).sum(axis=1)
    _, known = _check_probabilities(probabilities, labels, pooled)
    return measure(_mean(weighted, known), known)


def _mean(total: Float64s, labels: SignedInts) -> Float64s:
    n = np.sum(count_classes(labels), axis=0)
    return total / np.where(n > 0, n, np.nan)


def _check_probabilities(
    probabilities: ArrayLike, labels: ArrayLike, pooled: bool
) -> tuple[Floats, SignedInts]:
    said, known = check(probabilities, labels)
    if said.size and (said.min() < 0 or said.max() > 1):
        raise InputError(
            f"expected probabilities between 0 and 1, found {said.min():.4g} to {said.max():.4g}: "
            "calibrate the scores first"
        )
    return (said.reshape(-1, 1), known.reshape(-1, 1)) if pooled else (said, known)
