"""Several normal variables against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from clip_smu.metrics.orthants import LEAST, all_of, below, both, density, threshold


def test_one_variable() -> None:
    p = np.concatenate([np.geomspace(1e-7, 0.5, 500), 1 - np.geomspace(1e-7, 0.5, 500)])
    np.testing.assert_allclose(threshold(p), norm.ppf(p), atol=1e-6)
    t = np.linspace(-7, 7, 500)
    np.testing.assert_allclose(below(t), norm.cdf(t), atol=1e-7)
    np.testing.assert_allclose(density(t), norm.pdf(t), atol=1e-15)
    assert threshold(np.array([0.0, 1.0])) == pytest.approx([norm.ppf(LEAST), norm.ppf(1 - LEAST)], abs=1e-6)


@pytest.mark.parametrize("correlation", [-0.95, -0.5, 0.0, 0.3, 0.9, 0.95])
def test_two_variables(correlation: float) -> None:
    p = np.random.default_rng(0).random((100, 2))
    matrix = np.array([[1, correlation], [correlation, 1]])
    expected = [multivariate_normal.cdf(norm.ppf(row), cov=matrix) for row in p]
    np.testing.assert_allclose(both(p[:, 0], p[:, 1], correlation), expected, atol=1e-6)
    np.testing.assert_allclose(all_of(p, matrix), expected, atol=1e-6)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_more_variables(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(15):
        drawn = rng.normal(size=(count, count + 2))
        matrix = drawn @ drawn.T
        matrix /= np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
        matrix = 0.6 * matrix + 0.4 * np.eye(count)
        p = rng.random((4, count))
        expected = [multivariate_normal.cdf(norm.ppf(row), cov=matrix) for row in p]
        np.testing.assert_allclose(all_of(p, matrix), expected, atol=0.01)


def test_bounds_and_independence() -> None:
    p = np.array([[0.9, 0.8], [0.2, 0.1], [1.0, 0.3], [np.nan, 0.5]])
    np.testing.assert_allclose(all_of(p, np.eye(2))[:3], p[:3].prod(axis=1))
    for correlation in (-0.95, 0.95):
        together = all_of(p, np.array([[1, correlation], [correlation, 1]]))[:3]
        assert (together >= np.maximum(p[:3].sum(axis=1) - 1, 0) - 1e-12).all()
        assert (together <= p[:3].min(axis=1)).all()
    assert np.isnan(all_of(p, np.array([[1, 0.5], [0.5, 1]]))[3])
    np.testing.assert_array_equal(all_of(np.empty((2, 0)), np.eye(0)), [1, 1])
