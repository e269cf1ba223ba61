"""AUC and what is read off the ROC curve, against scikit-learn and SciPy, with ties and unknowns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize
from sklearn import metrics as sk

from clip_smu import metrics
from clip_smu.metrics import ranking
from samples import DTYPES, known, labelled, sample, scored


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
