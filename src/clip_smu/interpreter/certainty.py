"""How sure a calibrated probability is: what held-out faces leave open, and what homes differ in."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from clip_smu.arrays import Float32s, Float64s
from clip_smu.interpreter.calibration import Calibration, sigmoid
from clip_smu.interpreter.evidence import Evidence

SURE = NormalDist().inv_cdf(0.975)  # of a 95 % interval
_LEAST = 1e-7


def open_log_odds(evidence: Evidence, probabilities: Float32s) -> Float64s:
    """(N,) standard error of the log odds of one attribute, by its held-out faces.

    Platt scaling on ``n_positive`` and ``n_negative`` faces is a logistic regression of two numbers; its information
    is that of scores which are normal in both classes and as far apart as the AUC says. So the error is least where
    both classes lie and grows outwards. Photos of one person tell less than as many persons: the variance is
    multiplied by that of the AUC over the one that independent photos would have (Hanley & McNeil 1982), where that
    is more.

    Not in it: that faces from elsewhere may be calibrated otherwise; see :func:`ends`.

    Args:
        evidence: with an AUC. probabilities: (N,) 0 to 1; NaN stays.
    """
    p = np.clip(np.asarray(probabilities, dtype=np.float64), _LEAST, 1 - _LEAST)
    log_odds = np.log(p / (1 - p))
    yes, no = max(evidence.n_positive, 1), max(evidence.n_negative, 1)
    area = min(max(evidence.auc, 0.51), 0.9999)
    apart = math.sqrt(2) * NormalDist().inv_cdf(area)
    x = np.linspace(-8, 8, 321)
    bell = np.exp(-0.5 * (x - apart / 2) ** 2) * yes + np.exp(-0.5 * (x + apart / 2) ** 2) * no
    chance = sigmoid(apart * x + math.log(yes / no))
    weight = bell * chance * (1 - chance) * (x[1] - x[0]) / math.sqrt(2 * math.pi)
    terms = np.stack([np.ones_like(x), x])
    information = (terms * weight) @ terms.T
    (a, b), (_, c) = np.linalg.inv(information)
    at = (log_odds - math.log(yes / no)) / apart
    return np.asarray(np.sqrt((a + 2 * b * at + c * at * at) * _alike(evidence, area)))


def ends(
    evidence: Evidence,
    probabilities: Float32s,
    *,
    scores: Float32s | None = None,
    attribute: int = 0,
    read_by: Calibration | None = None,
    others: tuple[Calibration, ...] = (),
) -> tuple[Float32s, Float32s]:
    """(N,) float32 lower and upper end of a 95 % interval of one attribute's probability.

    Of faces from nowhere known it reaches to what the calibration of each home would say of the same score, since
    any of them may hold there.

    Args:
        evidence, probabilities: as for :func:`open_log_odds`.
        scores: (N,) of the attribute; needed with ``others``.
        attribute: its place in the calibrations.
        read_by: the calibration that the probabilities are by. others: of the homes; none where it is at home.
    """
    p = np.clip(np.asarray(probabilities, dtype=np.float64), _LEAST, 1 - _LEAST)
    log_odds, error = np.log(p / (1 - p)), SURE * open_log_odds(evidence, probabilities)
    lower, upper = log_odds - error, log_odds + error
    if others and scores is not None and read_by is not None:
        k = attribute
        others = tuple(one for one in others if one.slope[k] > 0) or (read_by,)
        shifts = [
            (one.slope[k] - read_by.slope[k]) * scores + one.intercept[k] - read_by.intercept[k]
            for one in others
        ]
        lower += np.minimum(np.min(shifts, axis=0), 0)
        upper += np.maximum(np.max(shifts, axis=0), 0)
    return sigmoid(lower).astype(np.float32), sigmoid(upper).astype(np.float32)


def _alike(evidence: Evidence, area: float) -> float:
    """How many photos tell as much as one of another person, at least 1; 1 where the interval is not known."""
    yes, no = max(evidence.n_positive, 1), max(evidence.n_negative, 1)
    error = (evidence.high - evidence.low) / (2 * SURE)
    alone = (
        area * (1 - area)
        + (yes - 1) * (area / (2 - area) - area**2)
        + (no - 1) * (2 * area**2 / (1 + area) - area**2)
    ) / (yes * no)
    return max(1.0, error**2 / alone) if math.isfinite(error) and alone > 0 else 1.0
