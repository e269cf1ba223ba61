"""What all metrics share: reasons, degenerate and wrong input, examples."""

from __future__ import annotations

import doctest
import importlib
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from clip_smu import metrics
from clip_smu.errors import InputError

PER_ATTRIBUTE = [
    metrics.auc,
    metrics.average_precision,
    metrics.eer,
    lambda s, y: metrics.tpr_at_fpr(s, y, [0.0, 0.1]),
    lambda s, y: metrics.ece(np.clip(s, 0, 1), y),
]


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
