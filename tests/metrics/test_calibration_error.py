"""Reliability and expected calibration error, against scikit-learn and a loop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from clip_smu import metrics
from samples import known


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
