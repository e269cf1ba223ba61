"""Platt scaling: scores → probabilities; and thresholds of verdicts for a chosen error rate. All attributes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Floats, Int8s
from clip_smu.metrics import delong
from clip_smu.metrics.persons import persons_apart

ENCODED, NOT_ENCODED, CANNOT_TELL = 1, -1, 0  # verdicts, as int8
SURE = 0.55  # the lowest threshold of *encoded*, and 1 less that of *not encoded*
MIN_ASSERTED = 20  # held-out assertions that a threshold must rest on
NEVER = 2.0  # a bound that no confidence reaches
_MAX_ITERATIONS = 100  # of Newton's method; it takes some ten
_TOLERANCE = 1e-10  # Newton has converged where no step is longer (x has unit variance),
_ROUNDING = 1e-7  # or where steps are below this and no longer get shorter
_RIDGE = 1e-6  # on the Hessian's diagonal, which keeps it invertible


@dataclass(frozen=True, eq=False)
class Calibration:
    """How the scores of K attributes are read.

    Attributes:
        slope, intercept: (K,) float64, ``probability = 1 / (1 + exp(-(slope * score + intercept)))``; slope >= 0.
        encoded_at: (K,) lowest probability that is asserted as *encoded*, at least 0.55; above 1: never.
        not_encoded_at: (K,) highest probability that is asserted as *not encoded*, at most 0.45; below 0: never.
    """

    slope: Float64s
    intercept: Float64s
    encoded_at: Float64s
    not_encoded_at: Float64s


def calibrate(
    scores: Floats,
    labels: Int8s,
    error_rate: float,
    identities: Sequence[str] | None = None,
) -> Calibration:
    """Fits probabilities and verdict thresholds on held-out faces.

    A verdict is asserted where it is likely enough to be right, with one bound for all attributes: the lowest, but
    at least 0.55, with which at most ``error_rate`` of all asserted verdicts on these faces are wrong. (For calibrated
    probabilities no other rule asserts more at that rate: Chow, On optimum recognition error and reject tradeoff,
    1970.) A side of an attribute gets a higher bound if over 45 % of its own verdicts would be wrong, and none if fewer
    than 20 verdicts support it; the bound is then that of the sides that are left.
    An attribute whose AUC's 95 % interval touches chance is never asserted.

    Args:
        scores: (N, K) float, of faces that training did not see.
        labels: (N, K) int8, 1, -1 or 0 (unknown, left out).
        error_rate: 0 to 0.5.
        identities: N persons, for the AUC's interval ("" is a person of its own); ``None`` if each face is of another.

    Raises:
        InputError: scores and labels do not fit, or a score is NaN.
    """
    slope, intercept = fit_platt(scores, labels)
    persons = None if identities is None else persons_apart(identities)
    # NaN, which is not above .5, where labels are of one class or of a lone person
    above_chance = (slope > 0) & (delong(scores, labels, identity=persons).low > 0.5)
    probability = probability_of(slope, intercept, scores).astype(np.float64)  # float32, as readers get them
    # (2, N, K): of encoded, of not encoded
    confidence, wrong = np.stack([probability, 1 - probability]), np.stack([labels < 0, labels > 0])
    known = labels != 0
    least = np.full((2, len(slope)), NEVER)
    for side in range(2):
        for k in np.flatnonzero(above_chance):
            rows = known[:, k]
            own = lowest_threshold(confidence[side, rows, k], wrong[side, rows, k], 1 - SURE)
            least[side, k] = max(SURE, own)
    encoded_at, confident = _bounds(confidence, wrong, known, least, error_rate)
    return Calibration(slope, intercept, encoded_at, 1 - confident)


def _bounds(
    confidence: Float64s,
    wrong: Bools,
    known: Bools,
    least: Float64s,
    error_rate: float,
) -> Float64s:
    """(2, K) ``least`` raised to one bound for all, that of the sides which :data:`MIN_ASSERTED` verdicts support.

    A side that leaves takes its verdicts, right and wrong, out of the shared rate: the bound is solved anew without it.

    Args:
        confidence, wrong: (2, N, K) of *encoded* and *not encoded*: how sure, and whether it would be wrong.
        known: (N, K) whether there is a label. least: (2, K) the sides' own bounds.
    """
    while True:
        asserted = known & (confidence >= least[:, None])
        bounds = np.maximum(least, lowest_threshold(confidence[asserted], wrong[asserted], error_rate))
        unsupported = (known & (confidence >= bounds[:, None])).sum(axis=1) < MIN_ASSERTED
        if not (unsupported & (bounds < NEVER)).any():
            return bounds
        least = np.where(unsupported, NEVER, least)


def apply(calibration: Calibration, scores: Floats) -> tuple[Float32s, Int8s]:
    """Probabilities (N, K) float32 and verdicts (N, K) int8 of (N, K) scores."""
    p = probability_of(calibration.slope, calibration.intercept, scores)
    return p, decide(calibration, p)


def decide(calibration: Calibration, probabilities: Float32s) -> Int8s:
    """(N, K) int8 verdicts of (N, K) probabilities; NaN is *cannot tell*."""
    encoded = probabilities >= np.asarray(calibration.encoded_at, dtype=np.float32)
    not_encoded = probabilities <= np.asarray(calibration.not_encoded_at, dtype=np.float32)
    not_encoded &= ~encoded
    return encoded.view(np.int8) - not_encoded.view(np.int8)


def probability_of(slope: Float64s, intercept: Float64s, scores: Floats) -> Float32s:
    """(N, K) float32 ``1 / (1 + exp(-(slope * score + intercept)))``."""
    p = np.asarray(scores, dtype=np.float32) * np.asarray(0.5 * slope, dtype=np.float32)
    p += np.asarray(0.5 * intercept, dtype=np.float32)
    np.tanh(p, out=p)  # sigmoid(z) = (1 + tanh(z / 2)) / 2, in place
    p *= np.float32(0.5)
    p += np.float32(0.5)
    return p


def fit_platt(scores: Floats, labels: Int8s, weights: Float64s | None = None) -> tuple[Float64s, Float64s]:
    """Platt scaling: slope a and intercept b of ``p = 1 / (1 + exp(-(a s + b)))``, (K,) float64 each.

    Minimises the cross-entropy ``-sum_i t_i log p_i + (1 - t_i) log(1 - p_i)`` over the known labels, with Platt's
    smoothed targets ``t = (N+ + 1) / (N+ + 2)`` for a label of 1 and ``1 / (N- + 2)`` for one of -1 (Platt 1999; his A
    is -a, his B is -b). Newton's method, which is iteratively reweighted least squares, on all K at once with a ridge
    on the Hessian, as Lin, Lin & Weng (A note on Platt's probabilistic outputs for support vector machines, 2007);
    in place of their line search no step is longer than 1.

    A column whose labels are all of one class, or whose best slope is not positive, gets slope 0 and the log odds of
    the smoothed counts, ``log((N+ + 1) / (N- + 1))``.

    Args:
        scores: (N, K) finite float. labels: (N, K) int8, 1, -1 or 0 (unknown, left out).
        weights: (N, K), of each known label; ``None``: 1.
    """
    scores = np.asarray(scores, dtype=np.float64)
    weights = np.ones(labels.shape) if weights is None else weights
    known = labels != 0  # (N, K)
    n_yes, n_no = (labels > 0).sum(axis=0), (labels < 0).sum(axis=0)
    target = np.where(labels > 0, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))  # (N, K)
    n_known = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, scores, 0).sum(axis=0) / n_known
    deviation = np.sqrt(np.where(known, (scores - mean) ** 2, 0).sum(axis=0) / n_known)
    x = (scores - mean) / np.where(deviation > 0, deviation, 1)
    slope, intercept = np.zeros(scores.shape[1]), np.log((n_yes + 1) / (n_no + 1))
    previous = np.inf
    for _ in range(_MAX_ITERATIONS):
        z = slope * x + intercept
        p = sigmoid(z)
        # derivatives of the loss by z: p - t and p (1 - p), the weight of iteratively reweighted least squares
        gradient_z = weights * np.where(known, p - target, 0)
        weight = weights * np.where(known, p * (1 - p), 0)
        g_slope, g_intercept = (gradient_z * x).sum(axis=0), gradient_z.sum(axis=0)
        h_ss = (weight * x * x).sum(axis=0) + _RIDGE
        h_si, h_ii = (weight * x).sum(axis=0), weight.sum(axis=0) + _RIDGE
        determinant = h_ss * h_ii - h_si**2
        step_slope = (h_ii * g_slope - h_si * g_intercept) / determinant
        step_intercept = (h_ss * g_intercept - h_si * g_slope) / determinant
        shrink = np.maximum(
            1, np.maximum(np.abs(step_slope), np.abs(step_intercept))
        )  # damped: no step is over 1
        slope, intercept = slope - step_slope / shrink, intercept - step_intercept / shrink
        largest_step = float(max(np.abs(step_slope).max(), np.abs(step_intercept).max()))
        if largest_step < _TOLERANCE or (largest_step < _ROUNDING and largest_step >= previous):
            break
        previous = largest_step
    one_class = (n_yes == 0) | (n_no == 0)
    undetermined = one_class | (slope <= 0) | (deviation <= 0)
    base = np.log((n_yes + 1) / (n_no + 1))
    slope = np.where(undetermined, 0.0, slope / np.where(deviation > 0, deviation, 1))
    return slope, np.where(undetermined, base, intercept - slope * mean)


def sigmoid(z: Float64s) -> Float64s:
    """1 / (1 + exp(-z)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), dtype=np.float64)


def lowest_threshold(confidence: Float64s, wrong: Bools | Float64s, error_rate: float) -> float:
    """Lowest confidence such that of all faces at or above it at most ``error_rate`` are wrong; 2.0 if none.

    Args:
        confidence: (n,) of being right, 0.5 to 1. wrong: (n,) whether it is not, or how likely. Fewer than
            :data:`MIN_ASSERTED` support no threshold, and none parts equal confidences.
    """
    order = np.argsort(-confidence, kind="stable")
    sure, asserted = confidence[order], np.arange(1, len(order) + 1)
    rate = np.cumsum(wrong[order].astype(np.float64)) / asserted
    last_of_tie = np.append(sure[1:] != sure[:-1], True) if len(sure) else np.zeros(0, bool)
    allowed = np.flatnonzero((rate <= error_rate) & (asserted >= MIN_ASSERTED) & last_of_tie)
    return float(sure[allowed[-1]]) if len(allowed) else NEVER
