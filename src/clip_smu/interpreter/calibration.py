"""Scores → probabilities (Platt) and verdict thresholds for a chosen error rate; NumPy, all attributes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Floats, Int8s
from clip_smu.metrics import delong
from clip_smu.metrics.persons import persons_apart

ENCODED, NOT_ENCODED, CANNOT_TELL = 1, -1, 0  # verdicts, as int8
SURE = 0.55
MIN_ASSERTED = 20  # held-out assertions that a threshold must rest on
_NEVER = 2.0  # a bound that no confidence reaches
_ROUNDS = 100
_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Calibration:
    """How the scores of K attributes are read.

    Attributes:
        slope, intercept: (K,) ``probability = 1 / (1 + exp(-(slope * score + intercept)))``; slope >= 0.
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
    probabilities no other rule asserts more at that rate: Chow 1970.) A side of an attribute gets a higher bound if
    over 45 % of its own verdicts would be wrong, and none if fewer than 20 verdicts support it; the bound is then
    that of the sides that are left. An attribute whose AUC's 95 % interval touches chance is never asserted.

    Args:
        scores: (N, K) float, of faces that training did not see.
        labels: (N, K) int8, 1, -1 or 0 (unknown, left out).
        error_rate: 0 to 0.5.
        identities: N persons, for the AUC's interval ("" is a person of its own); ``None`` if each face is of another.
    """
    slope, intercept = fit_platt(scores, labels)
    persons = None if identities is None else persons_apart(identities)
    told = (slope > 0) & (delong(scores, labels, identity=persons).low > 0.5)  # NaN: one class, or a lone one
    said = _probability(slope, intercept, scores).astype(np.float64)  # in float32, as readers will get them
    confidence, wrong = np.stack([said, 1 - said]), np.stack([labels < 0, labels > 0])  # (2, N, K): yes, no
    known = labels != 0
    least = np.full((2, len(slope)), _NEVER)
    for side in range(2):
        for k in np.flatnonzero(told):
            rows = known[:, k]
            own = _threshold(confidence[side, rows, k], wrong[side, rows, k], 1 - SURE)
            least[side, k] = max(SURE, own)
    green, confident = _bounds(confidence, wrong, known, least, error_rate)
    return Calibration(slope, intercept, green, 1 - confident)


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
        bounds = np.maximum(least, _threshold(confidence[asserted], wrong[asserted], error_rate))
        unsupported = (known & (confidence >= bounds[:, None])).sum(axis=1) < MIN_ASSERTED
        if not (unsupported & (bounds < _NEVER)).any():
            return bounds
        least = np.where(unsupported, _NEVER, least)


def apply(calibration: Calibration, scores: Floats) -> tuple[Float32s, Int8s]:
    """Probabilities (N, K) float32 and verdicts (N, K) int8 of (N, K) scores."""
    c = calibration
    p = _probability(c.slope, c.intercept, scores)
    encoded = p >= np.asarray(c.encoded_at, dtype=np.float32)
    not_encoded = p <= np.asarray(c.not_encoded_at, dtype=np.float32)
    not_encoded &= ~encoded
    return p, encoded.view(np.int8) - not_encoded.view(np.int8)


def _probability(slope: Float64s, intercept: Float64s, scores: Floats) -> Float32s:
    """(N, K) float32 ``1 / (1 + exp(-(slope * score + intercept)))``."""
    p = np.asarray(scores, dtype=np.float32) * np.asarray(0.5 * slope, dtype=np.float32)
    p += np.asarray(0.5 * intercept, dtype=np.float32)
    np.tanh(p, out=p)  # sigmoid(z) = (1 + tanh(z / 2)) / 2, in place
    p *= np.float32(0.5)
    p += np.float32(0.5)
    return p


def fit_platt(scores: Floats, labels: Int8s) -> tuple[Float64s, Float64s]:
    """Platt's slope and intercept, (K,) each, with his smoothed targets; Newton's method on all K at once.

    Source: Platt 1999; Lin, Lin, Weng, A note on Platt's probabilistic outputs, 2007.
    A column whose labels are all of one class, or whose best slope is negative, gets slope 0.
    """
    scores = np.asarray(scores, dtype=np.float64)
    known = labels != 0  # (N, K)
    n_yes, n_no = (labels > 0).sum(axis=0), (labels < 0).sum(axis=0)
    target = np.where(labels > 0, (n_yes + 1) / (n_yes + 2), 1 / (n_no + 2))  # (N, K)
    total = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, scores, 0).sum(axis=0) / total
    spread = np.sqrt(np.where(known, (scores - mean) ** 2, 0).sum(axis=0) / total)
    x = (scores - mean) / np.where(spread > 0, spread, 1)
    slope, intercept = np.zeros(scores.shape[1]), np.log((n_yes + 1) / (n_no + 1))
    previous = np.inf
    for _ in range(_ROUNDS):
        z = slope * x + intercept
        p = sigmoid(z)
        error, curve = np.where(known, p - target, 0), np.where(known, p * (1 - p), 0)
        g_slope, g_intercept = (error * x).sum(axis=0), error.sum(axis=0)
        h_ss = (curve * x * x).sum(axis=0) + _RIDGE
        h_si, h_ii = (curve * x).sum(axis=0), curve.sum(axis=0) + _RIDGE
        determinant = h_ss * h_ii - h_si**2
        step_slope = (h_ii * g_slope - h_si * g_intercept) / determinant
        step_intercept = (h_ss * g_intercept - h_si * g_slope) / determinant
        longest = np.maximum(1, np.maximum(np.abs(step_slope), np.abs(step_intercept)))  # at most 1 a round
        slope, intercept = slope - step_slope / longest, intercept - step_intercept / longest
        change = float(max(np.abs(step_slope).max(), np.abs(step_intercept).max()))
        if change < 1e-10 or (change < 1e-7 and change >= previous):
            break
        previous = change
    one_class = (n_yes == 0) | (n_no == 0)
    useless = one_class | (slope <= 0) | (spread <= 0)
    base = np.log((n_yes + 1) / (n_no + 1))
    slope = np.where(useless, 0.0, slope / np.where(spread > 0, spread, 1))
    return slope, np.where(useless, base, intercept - slope * mean)


def sigmoid(z: Float64s) -> Float64s:
    """1 / (1 + exp(-z)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), dtype=np.float64)


def _threshold(confidence: Float64s, wrong: Bools, error_rate: float) -> float:
    """Lowest confidence such that of all faces at or above it at most ``error_rate`` are wrong; 2.0 if none."""
    order = np.argsort(-confidence, kind="stable")
    sure, asserted = confidence[order], np.arange(1, len(order) + 1)
    rate = np.cumsum(wrong[order]) / asserted
    last_of_tie = np.append(sure[1:] != sure[:-1], True) if len(sure) else np.zeros(0, bool)
    allowed = np.flatnonzero((rate <= error_rate) & (asserted >= MIN_ASSERTED) & last_of_tie)
    return float(sure[allowed[-1]]) if len(allowed) else _NEVER
