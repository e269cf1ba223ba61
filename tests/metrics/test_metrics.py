"""Metrics against scikit-learn, SciPy, a published example and slow double loops."""

from __future__ import annotations

import doctest
import importlib
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import optimize, stats
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from clip_smu import metrics
from clip_smu.errors import InputError
from clip_smu.evaluation.resampling import resample_auc
from clip_smu.metrics import intervals, ranking

DTYPES = [np.float32, np.float64]
PER_ATTRIBUTE = [
    metrics.auc,
    metrics.average_precision,
    metrics.eer,
    lambda s, y: metrics.tpr_at_fpr(s, y, [0.0, 0.1]),
    lambda s, y: metrics.ece(np.clip(s, 0, 1), y),
]


def sample(
    seed: int = 0, n: int = 400, k: int = 5, decimals: int = 1, dtype: type = np.float64
) -> tuple[NDArray[np.floating], NDArray[np.int8]]:
    """(n, k) scores with many ties, and labels with unknowns."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array([1, -1, 0], dtype=np.int8), size=(n, k), p=[0.25, 0.6, 0.15])
    scores = np.round(rng.normal(size=(n, k)) + 0.7 * labels, decimals).astype(dtype)
    return scores, labels


def known(scores: NDArray, labels: NDArray, k: int) -> tuple[NDArray, NDArray]:
    keep = labels[:, k] != 0
    return scores[keep, k], labels[keep, k]


def wins(positive: NDArray, negative: NDArray) -> NDArray[np.float64]:
    """(m, n) 1 where the positive scores higher, 0.5 where equal."""
    return np.array([[1.0 * (p > q) + 0.5 * (p == q) for q in negative] for p in positive])


# --- AUC -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [0, 1, 8])
@pytest.mark.parametrize("dtype", DTYPES)
def test_auc_agrees_with_sklearn_with_ties_and_unknowns(dtype: type, decimals: int) -> None:
    scores, labels = sample(decimals=decimals, dtype=dtype)
    result = metrics.auc(scores, labels)
    for k in range(scores.shape[1]):
        s, y = known(scores, labels, k)
        assert result.value[k] == pytest.approx(sk.roc_auc_score(y, s), abs=1e-14)
        assert (result.n_positive[k], result.n_negative[k]) == ((y > 0).sum(), (y < 0).sum())
    assert result.value.dtype == np.float64
    assert result.reason == ("",) * 5


def test_ties_are_those_of_the_dtype_given() -> None:
    scores = np.array([1.0, 1.0 + 1e-12])
    labels = np.array([-1, 1], dtype=np.int8)
    assert metrics.auc(scores, labels).value[0] == 1.0
    assert metrics.auc(scores.astype(np.float32), labels).value[0] == 0.5
    assert metrics.auc(np.array([-0.0, 0.0], dtype=np.float32), labels).value[0] == 0.5
    assert metrics.auc(np.array([-np.inf, np.inf]), labels).value[0] == 1.0


def test_integer_and_half_scores() -> None:
    labels = np.array([-1, 1, -1, 1])
    for dtype in (np.int16, np.uint8, np.float16):
        assert metrics.auc(np.array([3, 3, 1, 2], dtype=dtype), labels).value[0] == 0.625


def test_one_dimension_is_one_attribute() -> None:
    scores, labels = sample(k=1)
    assert (
        metrics.auc(scores[:, 0], labels[:, 0]).value.tolist() == metrics.auc(scores, labels).value.tolist()
    )


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = sample(k=7)
    persons = np.arange(len(scores)) // 5
    serial = metrics.delong(scores, labels), metrics.delong(scores, labels, identity=persons)
    monkeypatch.setattr(ranking, "_THREADED_SIZE", 0)
    monkeypatch.setattr(ranking.os, "cpu_count", lambda: 4)
    threaded = metrics.delong(scores, labels), metrics.delong(scores, labels, identity=persons)
    for one, other in zip(serial, threaded, strict=True):
        assert one.low.tolist() == other.low.tolist()
        assert one.se.tolist() == other.se.tolist()


scored = hnp.arrays(np.int64, 40, elements=st.integers(-8, 8))
labelled = hnp.arrays(np.int8, 40, elements=st.sampled_from([1, -1, 0]))


@given(scored, labelled)
@settings(deadline=None)
def test_auc_does_not_change_under_a_rising_transform(scores: NDArray, labels: NDArray) -> None:
    plain = metrics.auc(scores, labels)
    for moved in (np.exp(scores / 2), 3.0 * scores - 7, np.tanh(scores / 9).astype(np.float32)):
        np.testing.assert_array_equal(metrics.auc(moved, labels).value, plain.value)


@given(scored, labelled)
@settings(deadline=None)
def test_opposite_scores_or_opposite_labels_give_one_minus_auc(scores: NDArray, labels: NDArray) -> None:
    plain, turned, swapped = (
        metrics.delong(scores, labels),
        metrics.delong(-scores, labels),
        metrics.delong(scores, -labels),
    )
    for other in (turned, swapped):
        np.testing.assert_allclose(other.auc, 1 - plain.auc, atol=1e-15)
        np.testing.assert_allclose(other.se, plain.se, atol=1e-15)
        np.testing.assert_allclose(other.low, 1 - plain.high, atol=1e-12)


@given(scored, labelled, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_of_photos_and_score_of_unknowns_do_not_matter(scores: NDArray, labels: NDArray, dice) -> None:
    order = np.array(dice.sample(range(40), 40))
    moved = np.where(labels == 0, 1000, scores)[order]
    persons = np.arange(40) // 3
    for identity in (None, persons):
        plain = metrics.delong(scores, labels, identity=identity)
        other = metrics.delong(moved, labels[order], identity=None if identity is None else identity[order])
        np.testing.assert_array_equal(other.auc, plain.auc)
        np.testing.assert_allclose(other.se, plain.se, atol=1e-14)


# --- standard errors and intervals ---------------------------------------------------------------------------


def test_published_example() -> None:
    """Hanley & McNeil 1982, table I: 109 CT images, five ratings; DeLong's figures as Stata's roctab prints them."""
    ratings = np.repeat([1, 2, 3, 4, 5] * 2, [33, 6, 6, 11, 2, 3, 2, 2, 11, 33])
    labels = np.repeat([-1, 1], [58, 51])
    result = metrics.delong(ratings, labels)
    assert round(result.auc[0], 4) == 0.8932
    assert round(result.se[0], 4) == 0.0307
    half = 1.959964 * result.se[0]
    assert (round(result.auc[0] - half, 5), round(result.auc[0] + half, 5)) == (0.83295, 0.95339)


@pytest.mark.parametrize("dtype", DTYPES)
def test_delong_agrees_with_the_double_loop(dtype: type) -> None:
    scores, labels = sample(n=150, dtype=dtype)
    result = metrics.delong(scores, labels)
    for k in range(scores.shape[1]):
        s, y = known(scores, labels, k)
        pairs = wins(s[y > 0], s[y < 0])
        variance = (
            pairs.mean(axis=1).var(ddof=1) / len(pairs) + pairs.mean(axis=0).var(ddof=1) / pairs.shape[1]
        )
        assert result.auc[k] == pytest.approx(pairs.mean(), abs=1e-14)
        assert result.se[k] == pytest.approx(math.sqrt(variance), rel=1e-12)


def obuchowski(pairs: NDArray, of_positives: NDArray, of_negatives: NDArray) -> float:
    """Variance by the formulas of Obuchowski 1997, one person after the other; ``pairs`` (m, n) of wins."""
    (m, n), area = pairs.shape, pairs.mean()
    v10, v01 = pairs.mean(axis=1), pairs.mean(axis=0)
    persons = sorted(set(of_positives) | set(of_negatives))
    s10 = s01 = s11 = 0.0
    for person in persons:
        x = sum(v10[j] - area for j in range(m) if of_positives[j] == person)
        y = sum(v01[j] - area for j in range(n) if of_negatives[j] == person)
        s10, s01, s11 = s10 + x * x, s01 + y * y, s11 + x * y
    i10, i01, i = len(set(of_positives)), len(set(of_negatives)), len(persons)
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * n), s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def test_identities_agree_with_obuchowskis_loops() -> None:
    scores, labels = sample(n=150)
    persons = np.array([f"person {i}" for i in np.random.default_rng(1).integers(25, size=150)])
    result = metrics.delong(scores, labels, identity=persons)
    for k in range(scores.shape[1]):
        yes, no = labels[:, k] > 0, labels[:, k] < 0
        expected = obuchowski(wins(scores[yes, k], scores[no, k]), persons[yes], persons[no])
        assert result.se[k] == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_each_photo_of_another_person_is_delong() -> None:
    scores, labels = sample()
    alone, persons = (
        metrics.delong(scores, labels),
        metrics.delong(scores, labels, identity=np.arange(400)[::-1]),
    )
    np.testing.assert_allclose(persons.se, alone.se, rtol=1e-12)
    np.testing.assert_allclose(persons.low, alone.low, rtol=1e-12)


def test_copies_of_a_photo_add_no_certainty_when_identities_are_given() -> None:
    scores, labels = sample(n=300, k=1)
    persons = np.arange(300)
    copied = [np.repeat(array, 10, axis=0) for array in (scores, labels, persons)]
    once, tenfold = metrics.delong(scores, labels), metrics.delong(copied[0], copied[1], identity=copied[2])
    assert tenfold.se[0] == pytest.approx(once.se[0], rel=1e-9)
    assert metrics.delong(copied[0], copied[1]).se[0] < 0.4 * once.se[0]


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_interval_of_many_errors_is_wilsons_and_nearly_the_logit_interval(level: float) -> None:
    scores, labels = sample(n=20_000, k=1, decimals=8)
    result = metrics.delong(scores, labels, level=level)
    area, se = result.auc[0], result.se[0]
    throws = area * (1 - area) / se**2
    wilson = proportion_wilson(area, throws, stats.norm.ppf((1 + level) / 2))
    assert (result.low[0], result.high[0]) == pytest.approx(wilson, abs=2e-5)
    half = stats.norm.ppf((1 + level) / 2) * se / (area * (1 - area))
    logit = [1 / (1 + math.exp(side * half - math.log(area / (1 - area)))) for side in (1, -1)]
    assert (result.low[0], result.high[0]) == pytest.approx(logit, abs=2e-5)


def proportion_wilson(share: float, throws: float, quantile: float) -> list[float]:
    """Shares p with ``|share - p| = quantile sqrt(p (1 - p) / throws)``, the definition, solved by SciPy."""

    def gap(p: float) -> float:
        return (share - p) ** 2 - quantile**2 * p * (1 - p) / throws

    low = optimize.brentq(gap, 0, share) if share > 0 and gap(share) < 0 else 0.0
    return [low, optimize.brentq(gap, share, 1) if share < 1 and gap(share) < 0 else 1.0]


@pytest.mark.parametrize(("m", "n"), [(2, 2), (10, 10), (20, 20), (10, 1000), (5000, 5000)])
def test_perfect_auc_has_an_interval_with_width(m: int, n: int) -> None:
    labels = np.repeat([1, -1], [m, n])
    result = metrics.delong(np.arange(m + n)[::-1], labels)
    assert (result.auc[0], result.se[0], result.high[0]) == (1.0, 0.0, 1.0)
    throws = m * n / (1 + ((m + n) / 2 - 1) / 2)  # Newcombe 2006, method 5, at 1
    quantile = stats.t.ppf(0.975, min(m, n) - 1)
    assert result.low[0] == pytest.approx(throws / (throws + quantile**2), abs=0.03 if m == 2 else 1e-4)
    mirrored = metrics.delong(np.arange(m + n), labels)
    assert (mirrored.auc[0], mirrored.low[0]) == (0.0, 0.0)
    assert mirrored.high[0] == pytest.approx(1 - result.low[0])


def test_one_error_gives_almost_the_interval_of_none() -> None:
    positive, negative = np.arange(100, 120.0), np.arange(100.0)
    labels = np.repeat([1, -1], [20, 100])
    perfect = metrics.delong(np.append(positive, negative), labels)
    positive[0] = 98.5  # one pair of 2000 is the wrong way round
    result = metrics.delong(np.append(positive, negative), labels)
    assert result.auc[0] == 1 - 1 / 2000
    assert result.low[0] == pytest.approx(perfect.low[0], abs=0.02)
    assert 1 - 1e-4 < result.high[0] < 1
    assert result.auc[0] - result.low[0] > 5 * 1.96 * result.se[0]  # DeLong's se alone would be far too sure


@given(scored, labelled, st.sampled_from([None, 3, 10]))
@settings(deadline=None)
def test_interval_holds_the_auc_with_width(scores: NDArray, labels: NDArray, photos: int | None) -> None:
    result = metrics.delong(scores, labels, identity=None if photos is None else np.arange(40) // photos)
    if np.isnan(result.se[0]):
        assert np.isnan(result.low[0]) and np.isnan(result.high[0]) and result.reason[0]
        return
    assert 0 <= result.low[0] <= result.auc[0] <= result.high[0] <= 1
    assert result.high[0] - result.low[0] > 0.01


def test_higher_level_is_wider() -> None:
    scores, labels = sample(k=1)
    narrow, wide = metrics.delong(scores, labels, level=0.8), metrics.delong(scores, labels, level=0.99)
    assert wide.low[0] < narrow.low[0] < narrow.high[0] < wide.high[0]


# --- paired test ---------------------------------------------------------------------------------------------


def test_paired_agrees_with_the_covariance_matrix() -> None:
    a, labels = sample(0, n=150)
    b = np.round(0.5 * a + sample(1, n=150)[0], 1)
    result = metrics.delong_paired(a, b, labels)
    for k in range(a.shape[1]):
        yes, no = labels[:, k] > 0, labels[:, k] < 0
        both = [wins(s[yes, k], s[no, k]) for s in (a, b)]
        s10 = np.cov([pairs.mean(axis=1) for pairs in both])
        s01 = np.cov([pairs.mean(axis=0) for pairs in both])
        contrast = np.array([1, -1])
        se = math.sqrt(contrast @ (s10 / yes.sum() + s01 / no.sum()) @ contrast)
        difference = both[0].mean() - both[1].mean()
        assert result.difference[k] == pytest.approx(difference, abs=1e-14)
        assert result.se[k] == pytest.approx(se, rel=1e-12)
        assert result.p[k] == pytest.approx(2 * stats.norm.sf(abs(difference / se)), rel=1e-9)
        assert result.low[k] == pytest.approx(difference - stats.norm.ppf(0.975) * se)
        assert result.high[k] == pytest.approx(difference + stats.norm.ppf(0.975) * se)


def test_paired_with_identities_agrees_with_obuchowskis_loops() -> None:
    a, labels = sample(0, n=150, k=2)
    b = sample(1, n=150, k=2)[0]
    persons = np.random.default_rng(1).integers(25, size=150)
    result = metrics.delong_paired(a, b, labels, identity=persons)
    for k in range(2):
        yes, no = labels[:, k] > 0, labels[:, k] < 0
        pairs = wins(a[yes, k], a[no, k]) - wins(b[yes, k], b[no, k])
        assert result.se[k] == pytest.approx(
            math.sqrt(obuchowski(pairs, persons[yes], persons[no])), rel=1e-12
        )


def test_paired_is_antisymmetric_and_takes_mixed_dtypes() -> None:
    a, labels = sample(0, dtype=np.float32)
    b, _ = sample(1)
    forth, back = metrics.delong_paired(a, b, labels), metrics.delong_paired(b, a, labels)
    np.testing.assert_allclose(forth.z, -back.z)
    np.testing.assert_allclose(forth.p, back.p)
    np.testing.assert_allclose(forth.low, -back.high)


def test_paired_without_difference_or_variance() -> None:
    scores, labels = sample(k=1)
    same = metrics.delong_paired(scores, 2 * scores + 1, labels)
    assert (same.difference[0], same.z[0], same.p[0]) == (0, 0, 1)
    assert same.reason == ("no difference between the rankings",)
    perfect, truth = np.arange(40.0), np.repeat([-1, 1], 20)
    opposite = metrics.delong_paired(perfect, -perfect, truth)
    assert opposite.difference[0] == 1
    assert np.isnan(opposite.p[0]) and opposite.reason == ("no variance",)


def test_paired_p_is_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(3)
    labels = np.where(rng.random((200, 800)) < 0.4, 1, -1)
    truth = rng.normal(size=labels.shape) + labels
    a, b = truth + rng.normal(size=labels.shape), truth + rng.normal(size=labels.shape)
    p = metrics.delong_paired(a, b, labels).p
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.03 < (p < 0.05).mean() < 0.07


def test_obuchowski_agrees_with_the_bootstrap_of_persons_on_large_samples() -> None:
    rng = np.random.default_rng(4)
    persons = np.repeat(np.arange(400), rng.integers(1, 21, 400))
    labels = np.where(rng.random(400) < 0.3, 1, -1)[persons]
    scores = 0.8 * labels + rng.normal(size=400)[persons] + rng.normal(size=len(persons))
    exact = metrics.delong(scores, labels, identity=persons)
    drawn = resample_auc(scores[:, None], labels[:, None].astype(np.int8), persons.astype(str), 1000, 0)[:, 0]
    assert drawn.std(ddof=1) == pytest.approx(exact.se[0], rel=0.08)
    assert np.quantile(drawn, 0.025) == pytest.approx(exact.low[0], abs=0.01)
    assert exact.se[0] > 2 * metrics.delong(scores, labels).se[0]


# --- curves, calibration -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_roc_curve_agrees_with_sklearn(dtype: type) -> None:
    scores, labels = sample(k=1, dtype=dtype)
    s, y = known(scores, labels, 0)
    curve = metrics.roc_curve(scores, labels)
    fpr, tpr, thresholds = sk.roc_curve(y, s, drop_intermediate=False)
    np.testing.assert_allclose(curve.fpr, fpr, atol=1e-15)
    np.testing.assert_allclose(curve.tpr, tpr, atol=1e-15)
    np.testing.assert_array_equal(curve.thresholds, thresholds)


def test_points_of_the_curve_agree_with_sklearn_and_scipy() -> None:
    scores, labels = sample()
    precision, equal = metrics.average_precision(scores, labels), metrics.eer(scores, labels)
    at = metrics.tpr_at_fpr(scores, labels, [0.0, 0.01, 0.1, 1.0])
    assert at.value.shape == (5, 4)
    for k in range(5):
        s, y = known(scores, labels, k)
        assert precision.value[k] == pytest.approx(sk.average_precision_score(y, s))
        fpr, tpr, _ = sk.roc_curve(y, s, drop_intermediate=False)
        assert equal.value[k] == pytest.approx(crossing(fpr, tpr), abs=1e-10)
        for rate, value in zip([0.0, 0.01, 0.1, 1.0], at.value[k], strict=True):
            assert value == max(tpr[fpr <= rate])


def crossing(fpr: NDArray, tpr: NDArray) -> float:
    """False positive rate where it equals the false negative rate, found by SciPy along the curve."""
    along = np.arange(len(fpr))

    def gap(place: float) -> float:
        return float(np.interp(place, along, fpr) + np.interp(place, along, tpr) - 1)

    return float(np.interp(optimize.brentq(gap, 0, len(fpr) - 1), along, fpr))


def test_tpr_at_an_fpr_that_a_threshold_meets_exactly() -> None:
    scores = np.arange(31.0)
    labels = np.full(31, -1)
    labels[27] = 1  # three of thirty negatives score higher: a rate of exactly 0.1
    assert metrics.tpr_at_fpr(scores, labels, [0.1]).value[0, 0] == 1.0
    assert metrics.tpr_at_fpr(scores, labels, [0.099]).value[0, 0] == 0.0


def calibrated(dtype: type = np.float64) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(5)
    probabilities = np.round(rng.random((500, 4)), 2).astype(dtype)
    labels = np.where(rng.random((500, 4)) < probabilities**1.5, 1, -1)
    labels[rng.random((500, 4)) < 0.2] = 0
    probabilities[:2] = [[0.0] * 4, [1.0] * 4]
    return probabilities, labels


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_reliability_and_ece_agree_with_sklearn_and_a_loop(bins: int) -> None:
    p, y = calibrated()
    curve, error = metrics.reliability(p, y, bins), metrics.ece(p, y, bins)
    for k in range(4):
        of_k, truth = known(p, y, k)
        seen, said = calibration_curve(truth > 0, of_k, n_bins=bins, strategy="uniform")
        filled = curve.count[k] > 0
        np.testing.assert_allclose(curve.frequency[k][filled], seen)
        np.testing.assert_allclose(curve.mean_probability[k][filled], said)
        expected = 0.0
        for b in range(bins):
            low, high = curve.edges[b], curve.edges[b + 1]
            inside = (of_k > low) & (of_k <= high) | ((of_k == 0) & (b == 0))
            if inside.any():
                expected += inside.mean() * abs(of_k[inside].mean() - (truth[inside] > 0).mean())
        assert error.value[k] == pytest.approx(expected)
    flat = metrics.ece(p.reshape(-1), y.reshape(-1), bins)
    assert metrics.ece(p, y, bins, pooled=True).value[0] == pytest.approx(flat.value[0])
    assert metrics.reliability(p, y, bins, pooled=True).count.sum() == (y != 0).sum()


def test_empty_bins_are_nan_with_count_zero() -> None:
    curve = metrics.reliability([0.05, 0.95], np.array([-1, 1]), bins=10)
    assert curve.count[0].tolist() == [1] + [0] * 8 + [1]
    assert np.isnan(curve.frequency[0]).tolist() == [False] + [True] * 8 + [False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
@settings(deadline=None)
def test_benjamini_hochberg_agrees_with_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(metrics.benjamini_hochberg(p), stats.false_discovery_control(p), atol=1e-15)


def test_benjamini_hochberg_leaves_out_tests_not_made() -> None:
    q = metrics.benjamini_hochberg([0.04, np.nan, 0.01])
    np.testing.assert_allclose(q, [0.04, np.nan, 0.02])
    assert metrics.benjamini_hochberg([]).shape == (0,)


# --- degenerate and wrong input ------------------------------------------------------------------------------


def test_reasons() -> None:
    scores = np.tile(np.arange(30.0)[:, None], 6)
    labels = np.tile(np.where(np.arange(30) % 2, 1, -1)[:, None], 6)
    labels[:, 0] = 0
    labels[:, 1] = -1
    labels[:, 2] = 1
    scores[:, 3] = 4.0
    labels[8:, 4] = np.where(labels[8:, 4] > 0, 0, -1)
    expected = ("no labels", "no positives", "no negatives", "constant score", "too few positives", "")
    for result in (
        metrics.auc(scores, labels),
        metrics.average_precision(scores, labels),
        metrics.eer(scores, labels),
    ):
        assert result.reason == expected
    interval = metrics.delong(scores, labels)
    assert interval.reason == expected
    assert np.isnan(interval.auc).tolist() == [True] * 3 + [False] * 3
    assert np.isnan(interval.low).tolist() == [True] * 3 + [False] * 3
    assert interval.auc[3] == 0.5 and interval.low[3] < 0.5 < interval.high[3]
    paired = metrics.delong_paired(scores, scores[::-1], labels)
    assert paired.reason == (*expected[:3], "no difference between the rankings", *expected[4:])
    assert metrics.auc(scores, -labels).reason[4] == "too few negatives"
    assert metrics.roc_curve(scores[:, 1], labels[:, 1]).reason == "no positives"


def test_one_positive_has_an_auc_but_no_interval() -> None:
    result = metrics.delong([1.0, 2.0, 3.0], np.array([-1, 1, -1]))
    assert result.auc[0] == 0.5 and np.isnan(result.se[0]) and np.isnan(result.low[0])
    assert result.reason == ("too few positives",)


def test_positives_of_one_identity_have_no_interval() -> None:
    labels = np.repeat([1, -1], [20, 20])
    persons = np.where(labels > 0, 0, np.arange(40))
    scores = np.arange(40.0)
    results = (
        metrics.delong(scores, labels, identity=persons),
        metrics.delong_paired(scores, -scores, labels, identity=persons),
    )
    for result in results:
        assert result.reason == ("positives of one identity",)
        assert np.isnan(result.se[0]) and np.isnan(result.low[0])
    assert metrics.delong(scores, -labels, identity=persons).reason == ("negatives of one identity",)


def test_positives_of_few_identities_are_named_and_have_an_interval() -> None:
    labels = np.repeat([1, -1], [30, 60])
    persons = np.where(labels > 0, np.arange(90) % 9, np.arange(90))
    scores = np.random.default_rng(0).normal(size=90)
    result = metrics.delong(scores, labels, identity=persons)
    assert result.reason == ("positives of few identities",) and result.low[0] < result.high[0]
    assert metrics.delong(scores, -labels, identity=persons).reason == ("negatives of few identities",)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_students_quantile_agrees_with_scipy(level: float) -> None:
    freedom = np.array([2, 3, 5, 9, 30, 1000])
    bound = {0.8: 0.01, 0.95: 0.01, 0.99: 0.08}[level]
    np.testing.assert_allclose(
        intervals._student(level, freedom), stats.t.ppf((1 + level) / 2, freedom), rtol=bound
    )
    np.testing.assert_allclose(
        intervals._student(level, freedom[3:]), stats.t.ppf((1 + level) / 2, freedom[3:]), rtol=1e-3
    )


@given(
    hnp.arrays(np.int64, st.integers(0, 14), elements=st.integers(-2, 2)),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_nan_always_has_a_reason_and_warns_of_nothing(scores: NDArray, dice) -> None:
    labels = np.array([dice.choice([1, -1, 0]) for _ in scores], dtype=np.int8)
    persons = np.array([dice.choice([1, 2, 3]) for _ in scores], dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in PER_ATTRIBUTE:
            result = figure(scores, labels)
            assert result.reason[0] or not np.isnan(result.value).any()
        curve = metrics.roc_curve(scores, labels)
        assert curve.reason or not np.isnan([curve.fpr, curve.tpr]).any()
        intervals = [metrics.delong(scores, labels), metrics.delong(scores, labels, identity=persons)]
        for interval in intervals:
            numbers = [interval.auc[0], interval.low[0], interval.high[0], interval.se[0]]
            assert interval.reason[0] or not np.isnan(numbers).any()
        paired = metrics.delong_paired(scores, np.roll(scores, 1), labels, identity=persons)
        assert paired.reason[0] or not np.isnan([paired.p[0], paired.low[0]]).any()


def test_no_attributes_and_no_photos() -> None:
    nothing = np.zeros((5, 0)), np.zeros((5, 0), dtype=np.int8)
    assert metrics.auc(*nothing).value.shape == metrics.delong(*nothing).low.shape == (0,)
    assert metrics.delong_paired(nothing[0], *nothing).p.shape == (0,)
    empty = np.zeros((0, 2)), np.zeros((0, 2), dtype=np.int8)
    assert metrics.auc(*empty).reason == metrics.delong(*empty).reason == ("no labels",) * 2


S, Y = np.array([0.1, 0.2, 0.3]), np.array([1, -1, 0], dtype=np.int8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.auc([0.1, np.nan, 0.3], Y), "found 1 of 3"),
        (lambda: metrics.auc(S, Y[:2]), r"found \(3,\) and \(2,\)"),
        (lambda: metrics.auc(S[None, None], Y[None, None]), "same shape"),
        (lambda: metrics.auc(["a", "b", "c"], Y), "floating-point"),
        (lambda: metrics.auc(S, Y > 0), "found bool"),
        (lambda: metrics.auc(S, Y.astype(float)), "found float64"),
        (lambda: metrics.auc(S, 2 * Y), "found values from -2 to 2"),
        (lambda: metrics.roc_curve(np.ones((3, 2)), np.ones((3, 2), dtype=int)), "one attribute, found 2"),
        (lambda: metrics.tpr_at_fpr(S, Y, [1.5]), r"found \[1.5\]"),
        (lambda: metrics.delong(S, Y, level=95), "found 95"),
        (lambda: metrics.delong_paired(S, S, Y, level=0), "found 0"),
        (lambda: metrics.delong_paired(S, S[:2], Y), "same shape"),
        (lambda: metrics.delong(S, Y, identity=["a", "b"]), "one identity for each of 3 photos"),
        (lambda: metrics.delong(S, Y, identity=["a", "", "b"]), "found an empty one"),
        (lambda: metrics.delong(S, Y, identity=[0.5, 1.0, 2.0]), "names or whole numbers, found float64"),
        (lambda: metrics.ece(S - 0.5, Y), "found -0.4 to -0.2"),
        (lambda: metrics.ece(2 * S + 0.5, Y), "calibrate the scores"),
        (lambda: metrics.ece(S, Y, bins=0), "found 0"),
        (lambda: metrics.benjamini_hochberg([0.5, 1.5]), "found"),
        (lambda: metrics.benjamini_hochberg([[0.5]]), "found"),
    ],
)
def test_wrong_input_says_what_was_expected_found_and_to_do(call, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert str(caught.value).startswith("expected ") and "\n" not in str(caught.value)
    assert ": " in str(caught.value)


@pytest.mark.parametrize(
    "name", ["roc", "intervals", "paired_tests", "calibration_error", "verification", "persons"]
)
def test_examples_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"clip_smu.metrics.{name}"))
    assert result.attempted and not result.failed
