"""DeLong's and Obuchowski's standard errors and the interval, against a published example, loops and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats

from clip_smu import metrics
from clip_smu.evaluation.resampling import resample_auc
from clip_smu.metrics import intervals
from samples import DTYPES, known, labelled, obuchowski, sample, scored, wins


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
