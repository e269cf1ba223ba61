"""Platt's fit against scikit-learn, thresholds against a slow search."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clip_smu.calibrate import MIN_ASSERTED, SURE, Calibration, apply, calibrate, fit_platt


@pytest.fixture
def held_out() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([-1, 0, 1], np.int8), (4000, 3), p=[0.6, 0.2, 0.2])
    scores = 0.1 * rng.normal(size=(4000, 3)) + np.array([0.02, 0.1, 0.3]) * labels + 0.5
    return scores, labels


def test_platt_equals_weighted_logistic_regression(held_out: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = held_out
    slope, intercept = fit_platt(scores, labels)
    for k in range(3):
        known = labels[:, k] != 0
        x, y = scores[known, k : k + 1], labels[known, k] > 0
        high, low = (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2)
        target = np.where(y, high, low)  # a soft target is a weighted pair of hard ones
        model = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000).fit(
            np.concatenate([x, x]),
            np.repeat([1, 0], len(x)),
            sample_weight=np.concatenate([target, 1 - target]),
        )
        assert slope[k] == pytest.approx(model.coef_[0, 0], rel=1e-3)
        assert intercept[k] == pytest.approx(model.intercept_[0], rel=1e-3, abs=1e-3)


def test_thresholds_are_the_widest_allowed(held_out: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = held_out
    made = calibrate(scores, labels, 0.10)
    probabilities = 1 / (1 + np.exp(-(made.slope * scores + made.intercept)))
    for k in range(3):
        known = labels[:, k] != 0
        p, y = probabilities[known, k], labels[known, k] > 0
        candidates = [
            t for t in np.unique(p) if (p >= t).sum() >= MIN_ASSERTED and (~y[p >= t]).mean() <= 0.10
        ]
        assert made.green[k] == pytest.approx(max(SURE, min(candidates, default=2.0)))
        candidates = [t for t in np.unique(p) if (p <= t).sum() >= MIN_ASSERTED and y[p <= t].mean() <= 0.10]
        assert made.red[k] == pytest.approx(min(1 - SURE, max(candidates, default=-1.0)))
    _, verdicts = apply(made, scores)
    for side, wrong in ((1, -1), (-1, 1)):
        for k in range(3):
            asserted = labels[(verdicts[:, k] == side) & (labels[:, k] != 0), k]
            assert (asserted == wrong).sum() <= 0.10 * len(asserted) + 1  # float32 may move one face


def test_no_verdict_where_nothing_can_be_told() -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(np.array([-1, 1], np.int8), (500, 4))
    labels[:, 2], labels[:, 3] = 1, 0  # one class; no label at all
    scores = np.column_stack(
        [rng.normal(size=500), -labels[:, 1], rng.normal(size=500), rng.normal(size=500)]
    )
    made = calibrate(scores, labels, 0.10)  # chance, reversed, one class, unknown
    probabilities, verdicts = apply(made, scores)
    assert np.isfinite(probabilities).all()
    assert not verdicts[:, 1:].any()
    assert abs(verdicts[:, 0]).mean() < 0.2


def test_apply_is_the_sigmoid() -> None:
    z = np.linspace(-8, 8, 101)[:, None]
    made = Calibration(np.array([1.0]), np.array([0.5]), np.array([0.9]), np.array([0.2]))
    probabilities, verdicts = apply(made, z)
    expected = 1 / (1 + np.exp(-(z + 0.5)))
    np.testing.assert_allclose(probabilities, expected, atol=2e-7)
    np.testing.assert_array_equal(verdicts, np.where(expected >= 0.9, 1, np.where(expected <= 0.2, -1, 0)))
