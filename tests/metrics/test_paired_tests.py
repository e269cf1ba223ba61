"""DeLong's paired test against the covariance matrix and loops; Benjamini and Hochberg's q against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clip_smu import metrics
from samples import obuchowski, sample, wins


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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
@settings(deadline=None)
def test_benjamini_hochberg_agrees_with_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(metrics.benjamini_hochberg(p), stats.false_discovery_control(p), atol=1e-15)


def test_benjamini_hochberg_leaves_out_tests_not_made() -> None:
    q = metrics.benjamini_hochberg([0.04, np.nan, 0.01])
    np.testing.assert_allclose(q, [0.04, np.nan, 0.02])
    assert metrics.benjamini_hochberg([]).shape == (0,)
