"""Scores → probabilities (Platt) and verdict thresholds for a chosen error rate; NumPy, all attributes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ENCODED, NOT_ENCODED, CANNOT_TELL = 1, -1, 0  # verdicts, as int8
SURE = 0.6  # no verdict is asserted that is less likely than this to be right
MIN_ASSERTED = 20  # held-out assertions that a threshold must rest on
_ROUNDS = 100
_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Calibration:
    """How the scores of K attributes are read.

    Attributes:
        slope, intercept: (K,) ``probability = 1 / (1 + exp(-(slope * score + intercept)))``; slope >= 0.
        green: (K,) lowest probability that is asserted as *encoded*, at least 0.6; above 1: never.
        red: (K,) highest probability that is asserted as *not encoded*, at most 0.4; below 0: never.
    """

    slope: Floats
    intercept: Floats
    green: Floats
    red: Floats


def calibrate(scores: NDArray[np.floating], labels: NDArray[np.int8], error_rate: float) -> Calibration:
    """Fits probabilities and verdict thresholds on held-out faces.

    Thresholds are the widest with which, attribute by attribute, at most ``error_rate`` of the *encoded*
    verdicts and at most ``error_rate`` of the *not encoded* verdicts are wrong on these faces.

    Args:
        scores: (N, K) float, of faces that training did not see.
        labels: (N, K) int8, 1, -1 or 0 (unknown, left out).
        error_rate: 0 to 0.5.
    """
    slope, intercept = fit_platt(scores, labels)
    green, red = np.full(len(slope), 2.0), np.full(len(slope), -1.0)
    for k in range(len(slope)):
        known = labels[:, k] != 0
        probability = sigmoid(slope[k] * scores[known, k] + intercept[k])
        yes = labels[known, k] > 0
        if slope[k] <= 0 or yes.all() or not yes.any():
            continue  # cannot tell: no verdict ever
        green[k] = max(SURE, _threshold(probability, ~yes, error_rate))
        red[k] = min(1 - SURE, 1 - _threshold(1 - probability, yes, error_rate))
    return Calibration(slope, intercept, green, red)


def apply(
    calibration: Calibration, scores: NDArray[np.floating]
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Probabilities (N, K) float32 and verdicts (N, K) int8 of (N, K) scores."""
    c = calibration
    slope, intercept, green, red = (
        np.asarray(a, dtype=np.float32) for a in (c.slope, c.intercept, c.green, c.red)
    )
    p = np.asarray(scores, dtype=np.float32) * (0.5 * slope)  # sigmoid(z) = (1 + tanh(z / 2)) / 2, in place
    p += 0.5 * intercept
    np.tanh(p, out=p)
    p *= np.float32(0.5)
    p += np.float32(0.5)
    encoded = p >= green
    not_encoded = p <= red
    not_encoded &= ~encoded
    return p, encoded.view(np.int8) - not_encoded.view(np.int8)


def fit_platt(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> tuple[Floats, Floats]:
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


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), dtype=np.float64)


def _threshold(confidence: Floats, wrong: NDArray[np.bool_], error_rate: float) -> float:
    """Lowest confidence such that of all faces at or above it at most ``error_rate`` are wrong; 2.0 if none."""
    order = np.argsort(-confidence, kind="stable")
    sure, asserted = confidence[order], np.arange(1, len(order) + 1)
    rate = np.cumsum(wrong[order]) / asserted
    last_of_tie = np.append(sure[1:] != sure[:-1], True)
    allowed = np.flatnonzero((rate <= error_rate) & (asserted >= MIN_ASSERTED) & last_of_tie)
    return float(sure[allowed[-1]]) if len(allowed) else 2.0
