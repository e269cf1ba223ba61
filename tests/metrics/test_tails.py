"""Tails against SciPy's."""

from __future__ import annotations

import pytest
from scipy import stats

from clip_smu.metrics.tails import f_tail


@pytest.mark.parametrize("above", [10, 20, 38, 100])
@pytest.mark.parametrize("below", [30, 100, 2_000])
@pytest.mark.parametrize("tail", [0.99, 0.5, 0.05, 0.01, 0.001])
def test_of_f(above: int, below: int, tail: float) -> None:
    assert f_tail(stats.f.isf(tail, above, below), above, below) == pytest.approx(tail, rel=0.1)


@pytest.mark.parametrize("df", [10, 20, 100])
@pytest.mark.parametrize("tail", [0.99, 0.5, 0.05, 0.01, 0.001])
def test_of_chi_square(df: int, tail: float) -> None:
    assert f_tail(stats.chi2.isf(tail, df) / df, df) == pytest.approx(tail, rel=0.1)


def test_the_ends() -> None:
    assert f_tail(0, 20) == 1 and f_tail(0, 20, 30) == 1
    assert 0 <= f_tail(1e6, 20) < 1e-12
