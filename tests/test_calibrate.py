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


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.10])
def test_the_bound_is_the_widest_that_keeps_the_rate(
    held_out: tuple[np.ndarray, np.ndarray], rate: float
) -> None:
    scores, labels = held_out
    made = calibrate(scores, labels, rate)
    probabilities = 1 / (1 + np.exp(-(made.slope * scores + made.intercept)))
    known = labels != 0

    def asserted_and_wrong(bound: float) -> tuple[int, int]:
        """By a loop over faces and attributes, each side held to at most 45 % of its own."""
        total = wrong = 0
        for k in range(labels.shape[1]):
            for confidence, right in ((probabilities[:, k], 1), (1 - probabilities[:, k], -1)):
                floor = widest(confidence[known[:, k]], labels[known[:, k], k] != right)
                said = known[:, k] & (confidence >= max(floor, bound))
                total += int(said.sum())
                wrong += int((labels[said, k] != right).sum())
        return total, wrong

    def widest(confidence: np.ndarray, wrong: np.ndarray) -> float:
        for bound in np.unique(confidence):
            chosen = confidence >= bound
            if chosen.sum() >= MIN_ASSERTED and wrong[chosen].mean() <= 1 - SURE:
                return max(SURE, bound)
        return 2.0

    found = min(made.green.min(), 1 - made.red.max())
    total, wrong = asserted_and_wrong(found)
    assert wrong <= rate * total
    for lower in np.linspace(SURE, found - 1e-6, 25) if found > SURE else []:
        total, wrong = asserted_and_wrong(lower)
        assert wrong > rate * total or total == asserted_and_wrong(found)[0]
    _, verdicts = apply(made, scores)
    errors = ((verdicts != labels) & (verdicts != 0) & known).sum()
    assert errors <= rate * ((verdicts != 0) & known).sum() + 1  # float32 may move one face


def test_chance_is_never_asserted_though_one_class_is_rare() -> None:
    rng = np.random.default_rng(2)
    labels = np.where(rng.random((3000, 2)) < 0.05, 1, -1).astype(np.int8)  # "no" would be right in 95 %
    scores = np.column_stack([rng.normal(size=3000), rng.normal(size=3000) + 2 * labels[:, 1]])
    _, verdicts = apply(calibrate(scores, labels, 0.10), scores)
    assert not verdicts[:, 0].any()
    assert verdicts[:, 1].any()


def test_photos_of_one_person_count_once() -> None:
    """A score that knows one person with many photos, and nothing else, is chance."""
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(40), 50)
    of_person = np.where(rng.random(40) < 0.3, 1, -1).astype(np.int8)
    favourite = people == np.flatnonzero(of_person > 0)[0]
    scores, labels = (rng.normal(size=2000) + 3 * favourite)[:, None], of_person[people][:, None]
    names = [f"person{one}" for one in people]
    assert calibrate(scores, labels, 0.45).red[0] > 0
    assert calibrate(scores, labels, 0.45, names).red[0] < 0


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
