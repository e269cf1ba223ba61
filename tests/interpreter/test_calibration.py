"""Platt's fit against scikit-learn, thresholds against a slow search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from clip_smu.interpreter.calibration import MIN_ASSERTED, SURE, Calibration, apply, calibrate, fit_platt
from clip_smu.metrics import delong


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
    probabilities, verdicts = apply(made, scores)
    probabilities = probabilities.astype(np.float64)
    known = labels != 0

    def asserted_and_wrong(bound: float) -> tuple[int, int]:
        """By a loop over faces and attributes, each side held to at most 45 % of its own."""
        total = wrong = 0
        for k in range(labels.shape[1]):
            for confidence, right in ((probabilities[:, k], 1), (1 - probabilities[:, k], -1)):
                said = known[:, k] & (confidence >= max(floors[k, right], bound))
                total += int(said.sum())
                wrong += int((labels[said, k] != right).sum())
        return total, wrong

    def widest(confidence: np.ndarray, wrong: np.ndarray) -> float:
        for bound in np.unique(confidence):
            chosen = confidence >= bound
            if chosen.sum() >= MIN_ASSERTED and wrong[chosen].mean() <= 1 - SURE:
                return max(SURE, bound)
        return 2.0

    floors = {
        (k, right): widest(confidence[known[:, k]], labels[known[:, k], k] != right)
        for k in range(labels.shape[1])
        for confidence, right in ((probabilities[:, k], 1), (1 - probabilities[:, k], -1))
    }
    found = min(made.encoded_at.min(), 1 - made.not_encoded_at.max())
    total, wrong = asserted_and_wrong(found)
    assert wrong <= rate * total
    for lower in np.linspace(SURE, found - 1e-6, 25) if found > SURE else []:
        total, wrong = asserted_and_wrong(lower)
        assert wrong > rate * total or total == asserted_and_wrong(found)[0]
    errors = ((verdicts != labels) & (verdicts != 0) & known).sum()
    assert errors <= rate * ((verdicts != 0) & known).sum()


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
    assert calibrate(scores, labels, 0.45).not_encoded_at[0] > 0
    assert calibrate(scores, labels, 0.45, names).not_encoded_at[0] < 0


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


def steps(*runs: tuple[float, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of faces that come in runs of one score: (score, how many yes, how many no)."""
    scores = np.concatenate([np.full(yes + no, score) for score, yes, no in runs])
    labels = np.concatenate([np.repeat(np.int8([1, -1]), [yes, no]) for _, yes, no in runs])
    return scores, labels


def padded(*columns: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of unequal length side by side; what is missing is unknown."""
    most = max(len(scores) for scores, _ in columns)
    tables = [
        np.stack([np.pad(column[part], (0, most - len(column[part]))) for column in columns], axis=1)
        for part in (0, 1)
    ]
    return tables[0], tables[1]


def of_verdicts(made: Calibration, scores: np.ndarray, labels: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Asserted verdicts, wrong ones among them, and (2, K) how many each side asserts, all of known label."""
    _, verdicts = apply(made, scores)
    known = labels != 0
    sides = np.stack([((verdicts == sign) & known).sum(axis=0) for sign in (1, -1)])
    return int(sides.sum()), int(((verdicts * labels == -1) & known).sum()), sides


def test_the_rate_holds_for_the_verdicts_that_are_left() -> None:
    """Nineteen right verdicts of a side that must leave may not pay for the errors of those that stay."""
    few = steps((3.0, 19, 0), (-1.0, 300, 300))  # *encoded*: 19 sure ones, then a coin
    many = steps((2.0, 90, 11), (-2.0, 2, 90))
    scores, labels = padded(few, many)
    made = calibrate(scores, labels, 0.10)
    asserted, wrong, sides = of_verdicts(made, scores, labels)
    assert asserted >= MIN_ASSERTED
    assert wrong <= 0.10 * asserted
    assert sides[0, 0] == 0
    assert made.encoded_at[0] > 1  # never, and not only on these faces


def test_the_rate_is_solved_anew_after_a_side_leaves() -> None:
    """13 errors of 123 are too many; with the 18 right verdicts of a side that cannot stay they would pass."""
    leaving = steps((4.0, 18, 0), (1.0, 24, 8), (-2.0, 20, 47))  # its bound is at 1, the shared one above
    other = steps((3.0, 110, 13), (-1.5, 30, 65))
    assert 13 / (18 + 123) < 0.10 < 13 / 123
    scores, labels = padded(leaving, other)
    _, _, sides = of_verdicts(calibrate(scores, labels, 0.10), scores, labels)
    assert not sides.any()
    _, _, sides = of_verdicts(calibrate(scores, labels, 0.11), scores, labels)
    assert sides[0, 1] == 123


@pytest.mark.parametrize("seed", range(40))
def test_the_rate_holds_whatever_the_sides(seed: int) -> None:
    """Many small attributes, few faces: on these faces at most the rate is wrong, and no side rests on under 20."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(60, 400)), int(rng.integers(1, 8))
    labels = rng.choice(np.int8([-1, 0, 1]), (n, k), p=[0.5, 0.2, 0.3])
    strength = rng.uniform(0, 3, k)
    scores = np.round(rng.normal(size=(n, k)) + strength * labels, int(rng.integers(0, 3)))  # with ties
    rate = float(rng.choice([0.02, 0.1, 0.3]))
    made = calibrate(scores, labels, rate, [f"p{row // 2}" for row in range(n)])
    asserted, wrong, sides = of_verdicts(made, scores, labels)
    assert wrong <= rate * asserted
    assert not ((sides > 0) & (sides < MIN_ASSERTED)).any()
    assert (made.encoded_at >= SURE).all()
    assert (made.not_encoded_at <= 1 - SURE).all()


def test_a_verdict_is_never_asserted_below_the_least_bound() -> None:
    """With any error allowed, every face whose probability is at least .55, and none below, gets a verdict."""
    rng = np.random.default_rng(5)
    labels = rng.choice(np.int8([-1, 1]), (6000, 1))
    scores = rng.normal(size=(6000, 1)) + labels
    made = calibrate(scores, labels, 0.5)
    assert made.encoded_at[0] == pytest.approx(SURE, abs=2e-3)
    assert made.not_encoded_at[0] == pytest.approx(1 - SURE, abs=2e-3)
    assert made.encoded_at[0] >= SURE
    assert made.not_encoded_at[0] <= 1 - SURE
    probabilities, verdicts = apply(made, scores)
    np.testing.assert_array_equal(
        verdicts[:, 0] != 0, np.abs(probabilities[:, 0] - 0.5) >= made.encoded_at[0] - 0.5
    )


@pytest.mark.parametrize(("count", "asserts"), [(MIN_ASSERTED - 1, False), (MIN_ASSERTED, True)])
def test_a_side_needs_twenty_verdicts(count: int, asserts: bool) -> None:
    scores, labels = steps((4.0, count, 0), (0.0, 100, 400), (-4.0, 0, 400))
    made = calibrate(scores[:, None], labels[:, None], 0.02)
    _, _, sides = of_verdicts(made, scores[:, None], labels[:, None])
    assert sides[0, 0] == (count if asserts else 0)
    assert bool(made.encoded_at[0] <= 1) is asserts
    assert sides[1, 0] >= 400


def test_ties_are_asserted_together_or_not_at_all() -> None:
    """25 % of the faces at one score are wrong: the bound may not fall between them."""
    rng = np.random.default_rng(6)
    scores, labels = steps((2.0, 60, 1), (1.0, 75, 25), (-1.0, 25, 75), (-2.0, 1, 60))
    order = rng.permutation(len(scores))
    scores, labels = scores[order, None], labels[order, None]
    _, _, sides = of_verdicts(calibrate(scores, labels, 0.10), scores, labels)
    np.testing.assert_array_equal(sides[:, 0], [61, 61])
    _, _, sides = of_verdicts(calibrate(scores, labels, 0.20), scores, labels)
    np.testing.assert_array_equal(sides[:, 0], [161, 161])


def test_a_side_that_would_be_wrong_too_often_gets_a_higher_bound() -> None:
    """At score 1 Platt's curve says .6, but of the faces from there on 57 % are no: only what is above is asserted."""
    runs = ((4.0, 40, 0), (1.0, 20, 80), (-0.5, 500, 450), (-3.0, 0, 100))
    scores, labels = steps(*runs)
    scores, labels = scores[:, None], labels[:, None]
    made = calibrate(scores, labels, 0.5)  # a rate that no other rule of these would keep
    probability = {run[0]: float(apply(made, np.array([[run[0]]]))[0][0, 0]) for run in runs}
    assert probability[1.0] > SURE > probability[-0.5]
    assert made.encoded_at[0] == pytest.approx(probability[4.0])
    _, _, sides = of_verdicts(made, scores, labels)
    assert sides[0, 0] == 40


def test_one_bound_for_all() -> None:
    """A sure and an unsure attribute get the same bound, not each its own rate."""
    rng = np.random.default_rng(7)
    labels = rng.choice(np.int8([-1, 1]), (4000, 2))
    scores = rng.normal(size=(4000, 2)) + labels * np.array([2.0, 0.7])
    made = calibrate(scores, labels, 0.10)
    shared = made.encoded_at.min()
    assert shared > SURE
    np.testing.assert_allclose([*made.encoded_at, *(1 - made.not_encoded_at)], shared, atol=1e-9)
    _, verdicts = apply(made, scores)
    errors = [(verdicts[:, k] * labels[:, k] < 0).sum() / (verdicts[:, k] != 0).sum() for k in range(2)]
    assert errors[1] > 0.12 > 0.10 > errors[0]
    sure = calibrate(scores[:, :1], labels[:, :1], 0.10)
    assert sure.encoded_at[0] < shared


def test_negative_slopes_and_strangers() -> None:
    """A reversed score is given the base rate and no verdict, however well it would tell; "" is a person of its own."""
    rng = np.random.default_rng(8)
    labels = np.where(rng.random((800, 2)) < 0.2, 1, -1).astype(np.int8)
    scores = rng.normal(size=(800, 2)) + labels * np.array([-2.0, 2.0])
    slope, intercept = fit_platt(scores, labels)
    yes, no = (labels[:, 0] > 0).sum(), (labels[:, 0] < 0).sum()
    assert slope[0] == 0 < slope[1]
    assert intercept[0] == pytest.approx(np.log((yes + 1) / (no + 1)))
    made = calibrate(scores, labels, 0.10, [""] * 800)
    apart = calibrate(scores, labels, 0.10)
    for name in ("slope", "intercept", "encoded_at", "not_encoded_at"):
        np.testing.assert_array_equal(getattr(made, name), getattr(apart, name))
    assert made.encoded_at[0] > 1
    assert made.not_encoded_at[0] < 0
    assert made.encoded_at[1] < 1


def test_platt_is_the_optimum_of_its_definition() -> None:
    """Against scipy, where Newton's method goes astray first: outliers, ties, separable and very rare classes."""
    rng = np.random.default_rng(9)
    for kind in ("outlier", "ties", "separable", "rare"):
        labels = rng.choice(np.int8([-1, 0, 1]), 200, p=[0.6, 0.2, 0.2])
        if kind == "rare":
            labels = np.full(200, -1, np.int8)
            labels[0] = 1
        scores = rng.normal(size=200) + labels
        if kind == "outlier":
            scores[labels > 0] *= np.abs(rng.standard_cauchy((labels > 0).sum()))
        elif kind == "ties":
            scores = np.round(scores)
        elif kind == "separable":
            scores = 5.0 * labels + 0.01 * scores
        elif kind == "rare":
            scores[0] = 4.0
        known = labels != 0
        yes, no = (labels > 0).sum(), (labels < 0).sum()
        target = np.where(labels[known] > 0, (yes + 1) / (yes + 2), 1 / (no + 2))

        def loss(point: np.ndarray, x: np.ndarray = scores[known], t: np.ndarray = target) -> float:
            z = point[0] * x + point[1]
            return float((np.logaddexp(0, z) - t * z).sum())

        slope, intercept = fit_platt(scores[:, None], labels[:, None])
        limits = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
        found = (minimize(loss, [a, 0.0], method="Nelder-Mead", options=limits) for a in (0.1, 3.0))
        best = min(one.fun for one in found)
        assert slope[0] > 0, kind
        assert loss(np.array([slope[0], intercept[0]])) <= best + 1e-7 * max(1.0, best), kind


def test_a_better_rank_with_a_falling_slope_is_not_told() -> None:
    """Two far outliers turn the slope round though most pairs stand right: no verdict, the base rate as probability."""
    rng = np.random.default_rng(4)
    labels = np.repeat(np.int8([1, -1]), 200)[:, None]
    scores = rng.normal(size=(400, 1)) + 0.4 * labels
    scores[:3] = -400
    assert delong(scores, labels).low[0] > 0.5
    made = calibrate(scores, labels, 0.45)
    assert made.slope[0] == 0
    assert made.intercept[0] == pytest.approx(0, abs=1e-12)
    assert made.encoded_at[0] > 1
    assert made.not_encoded_at[0] < 0


def test_float32_scores_are_fitted_in_float64(held_out: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = held_out
    rough = scores.astype(np.float32)
    for one, two in zip(fit_platt(rough, labels), fit_platt(rough.astype(np.float64), labels), strict=True):
        np.testing.assert_array_equal(one, two)


def test_one_face_of_a_class_still_tells_a_slope() -> None:
    scores = np.linspace(-1, 1, 30)[:, None]
    for labels in (np.where(scores > 0.99, 1, -1), np.where(scores < -0.99, -1, 1)):
        slope, _ = fit_platt(scores, labels.astype(np.int8))
        assert slope[0] > 0.5


def test_constant_scores_tell_the_base_rate() -> None:
    labels = np.repeat(np.int8([1, -1]), [30, 10])[:, None]
    slope, intercept = fit_platt(np.full((40, 1), 0.7), labels)
    assert slope[0] == 0
    assert intercept[0] == pytest.approx(np.log(31 / 11))


def test_readers_compare_in_float32() -> None:
    """A probability that is the bound, as float32 holds it, is asserted; all arithmetic is float32's."""
    scores = np.linspace(-3, 3, 500, dtype=np.float32)[:, None]
    slope, intercept = np.array([1.7]), np.array([0.3])
    p = scores * np.float32(0.5 * 1.7) + np.float32(0.5 * 0.3)
    p = np.tanh(p) * np.float32(0.5) + np.float32(0.5)
    for row in (40, 60, 301, 417):
        bound = float(p[row, 0])
        for step in (0, 1):  # a hair beyond what float32 can tell from it, on either side
            green, red = bound * (1 + 1e-9 * (1 - 2 * step)), bound * (1 - 1e-9 * (1 - 2 * step))
            found, verdicts = apply(
                Calibration(slope, intercept, np.array([green]), np.array([-1.0])), scores
            )
            np.testing.assert_array_equal(found, p)
            assert verdicts[row, 0] == 1
            assert verdicts[row - 1, 0] == 0
            _, verdicts = apply(Calibration(slope, intercept, np.array([2.0]), np.array([red])), scores)
            assert verdicts[row, 0] == -1
            assert verdicts[row + 1, 0] == 0
