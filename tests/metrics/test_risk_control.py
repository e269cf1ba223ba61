"""Selective risk control, against binomial tails, sums of drawn exponentials, a slow loop, MAPIE, and new persons."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from clip_smu.errors import InputError
from clip_smu.metrics.risk_control import p_value, ratio_bound, selective_threshold, threshold_grid

Verdicts = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]


def draw(seed: int, persons: int, *, heavy: bool = True, attributes: int = 20, over: float = 1.0) -> Verdicts:
    """Confidence, wrong, person; a verdict of log odds z is wrong in 1 / (1 + exp(z / over)), persons alike in luck."""
    rng = np.random.default_rng(seed)
    tail = np.minimum((1 - rng.random(persons)) ** (-1 / 1.5), 300).astype(int)
    who = np.repeat(np.arange(persons), tail if heavy else 1)
    odds = 2.2 * np.abs(rng.normal(size=(len(who), attributes)))
    luck = math.sqrt(0.1) * rng.normal(size=(persons, 1)) + math.sqrt(0.4) * rng.normal(
        size=(persons, attributes)
    )
    luck = luck[who] + math.sqrt(0.5) * rng.normal(size=odds.shape)
    wrong = luck < stats.norm.ppf(1 / (1 + np.exp(odds / over)))
    person = np.repeat(who, attributes)
    return 1 / (1 + np.exp(-odds.ravel())), wrong.ravel(), person


def truth(threshold: float, over: float = 1.0) -> float:
    """Rate of wrong verdicts at and above a confidence, in the population of :func:`draw`, by quantiles."""
    odds = 2.2 * stats.halfnorm.ppf((np.arange(200_000) + 0.5) / 200_000)
    odds = odds[1 / (1 + np.exp(-odds)) >= threshold]
    return float(np.mean(1 / (1 + np.exp(odds / over))))


def slow(
    confidence: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    persons: NDArray[np.intp],
    error_rate: float,
    level: float,
    least: float,
) -> float:
    """The sequence as the docstring says it, a threshold and a person at a time."""

    def p(threshold: float, unerring: bool) -> float:
        mistaken, asserted = dict.fromkeys(persons, 0.0), dict.fromkeys(persons, 0.0)
        for sure, bad, person in zip(confidence, wrong, persons, strict=True):
            if sure >= threshold:
                asserted[person] += 1
                mistaken[person] += bool(bad) and not unerring
        return p_value(np.array(list(mistaken.values())), np.array(list(asserted.values())), error_rate)

    enough = max((1 - level) / 100, math.sqrt((1 - level) * p(least, True)))
    if p(least, True) > 1 - level:
        return 2.0
    thresholds = [float(t) for t in threshold_grid(least)]
    start = next(i for i, t in enumerate(thresholds) if p(t, True) <= enough)
    found = 2.0
    for threshold in thresholds[start:]:
        if p(threshold, False) > 1 - level:
            break
        found = threshold
    return found


@pytest.mark.parametrize(
    ("n", "rate"), [(29, 0.1), (59, 0.05), (14, 0.2), (300, 0.02), (28, 0.1), (58, 0.05)]
)
def test_nobody_wrong_is_the_exact_binomial(n: int, rate: float) -> None:
    """Of persons of equal weight: (1 - rate) ** n, so that 29, 59 and 14 persons are the fewest for 10, 5 and 20 %."""
    assert p_value(np.zeros(n), np.full(n, 7), rate) == pytest.approx((1 - rate) ** n, rel=0.015)
    expected = 1 - 0.05 ** (1 / n)
    assert ratio_bound(np.zeros(n), np.full(n, 7)) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("n", "k", "rate"), [(50, 1, 0.1), (88, 3, 0.1), (200, 10, 0.1), (1000, 85, 0.1)])
def test_persons_wrong_as_a_whole_are_binomial(n: int, k: int, rate: float) -> None:
    """With the worst person once more: k + 1 of n + 1; above the exact k of n, so never a promise more."""
    wrong = np.where(np.arange(n) < k, 7, 0)
    p = p_value(wrong, np.full(n, 7), rate)
    assert p == pytest.approx(stats.binom.cdf(k + 1, n + 1, rate), rel=0.01)
    assert p > stats.binom.cdf(k, n, rate)


def test_p_is_the_probability_of_weighted_exponentials() -> None:
    """Of 200,000 drawn sums, for persons of very unequal weight."""
    rng = np.random.default_rng(3)
    asserted = np.floor(10 * rng.pareto(1.3, size=60)) + 1
    wrong = rng.binomial(asserted.astype(int), 0.08)
    excess = wrong - 0.15 * asserted
    weights = np.append(excess, [0.85 * np.sqrt(np.mean(asserted**2)), max(excess.max(), 0)])
    sums = rng.exponential(size=(200_000, len(weights))) @ weights
    share = np.mean(sums >= 0)
    assert 0.01 < share < 0.5
    assert p_value(wrong, asserted, 0.15) == pytest.approx(share, abs=0.004)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.4))
def test_p_grows_with_errors_and_falls_with_the_rate(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    asserted = rng.integers(0, 30, size=80)
    wrong = rng.binomial(asserted, 0.05)
    p = p_value(wrong, asserted, rate)
    more = np.minimum(wrong + (rng.random(80) < 0.1), asserted)
    assert 0 <= p <= 1
    assert p_value(more, asserted, rate) >= p - 1e-9
    assert p_value(wrong, asserted, rate * 1.1) <= p + 1e-9
    assert p_value(np.append(wrong, 0), np.append(asserted, 0), rate) == p  # nobody without a verdict counts


def test_the_bound_is_the_lowest_rate_rejected() -> None:
    _, wrong, persons = draw(0, 300)
    mistaken, asserted = np.bincount(persons, wrong), np.bincount(persons)
    bound = ratio_bound(mistaken, asserted, level=0.9)
    assert wrong.mean() < bound < wrong.mean() + 0.1
    assert p_value(mistaken, asserted, bound + 1e-6) <= 0.1 < p_value(mistaken, asserted, bound - 1e-6)
    assert ratio_bound(mistaken, asserted, level=0.99) > bound


def test_bounds_at_the_ends() -> None:
    assert ratio_bound(np.zeros(0), np.zeros(0)) == 1
    assert ratio_bound(np.zeros(9), np.zeros(9)) == 1
    assert ratio_bound(np.full(50, 3), np.full(50, 3)) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_slow_loop(seed: int) -> None:
    confidence, wrong, persons = draw(seed, 150, heavy=seed % 2 == 0, attributes=8)
    shuffled = np.random.default_rng(seed).permutation(len(wrong))
    rate, level, least = ((0.1, 0.95, 0.55), (0.2, 0.9, 0.7))[seed // 2]
    expected = slow(confidence, wrong, persons, rate, level, least)
    found = selective_threshold(
        confidence[shuffled], wrong[shuffled], persons[shuffled], rate, level=level, least=least
    )
    assert found == expected
    assert seed == 0 or found < 1


def test_equal_confidences_stay_together() -> None:
    """Of 200 persons' verdicts .9 all are right, of .7 a fifth is wrong: the promise ends between the two."""
    confidence = np.repeat([0.9, 0.7], 200)
    wrong = np.append(np.zeros(200, bool), np.arange(200) % 5 == 0)
    found = selective_threshold(confidence, wrong, np.tile(np.arange(200), 2), 0.05)
    assert 0.7 < found <= 0.9
    on_a_threshold = threshold_grid(0.55)[100]  # at a threshold itself a verdict is asserted
    assert (
        selective_threshold(np.full(200, on_a_threshold), np.zeros(200, bool), np.arange(200), 0.05) == 0.55
    )
    assert selective_threshold(np.full(200, 0.55), np.zeros(200, bool), np.arange(200), 0.05) == 0.55
    assert selective_threshold(np.full(200, np.nextafter(0.55, 0)), wrong[:200], np.arange(200), 0.05) == 2.0


def test_nobody_wrong() -> None:
    """Everything from the least confidence on is promised, once the persons suffice; all verdicts of 5 never do."""
    for persons, expected in ((5, 2.0), (28, 2.0), (32, 0.6), (400, 0.6)):
        confidence = np.linspace(0.5, 0.999, 47 * 500)
        whose = np.arange(len(confidence)) % persons
        found = selective_threshold(confidence, np.zeros(len(whose), bool), whose, 0.1, least=0.6)
        assert found == expected, persons


def test_one_person_of_many_photos_is_one_person() -> None:
    """100,000 right verdicts of one person promise nothing, and drown what 60 others could."""
    whose = np.append(np.zeros(100_000, int), 1 + np.arange(60 * 40) % 60)
    right = np.zeros(len(whose), bool)
    assert selective_threshold(np.full(len(whose), 0.9), right, whose, 0.05) == 2.0
    assert selective_threshold(np.full(2400, 0.9), right[:2400], whose[-2400:], 0.05) == 0.55


def test_everybody_wrong_or_no_verdicts() -> None:
    whose = np.arange(500)
    assert selective_threshold(np.full(500, 0.9), np.ones(500, bool), whose, 0.1) == 2.0
    assert selective_threshold(np.zeros(0), np.zeros(0, bool), np.zeros(0, np.intp), 0.1) == 2.0
    assert selective_threshold(np.full(500, 0.5), np.zeros(500, bool), whose, 0.1) == 2.0


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"confidence": np.full(3, 0.9)}, "flatten"),
        ({"confidence": np.full(4, np.nan)}, "NaN"),
        ({"confidence": np.full(4, 1.5)}, "calibrate"),
        ({"persons": np.array([0, 1, 2, -1])}, "-1"),
        ({"error_rate": 0.0}, "error rate"),
        ({"level": 1.0}, "level"),
        ({"least": 1.0}, "least"),
    ],
)
def test_refusals(broken: dict[str, object], said: str) -> None:
    fine = {
        "confidence": np.full(4, 0.9),
        "wrong": np.zeros(4, bool),
        "persons": np.arange(4),
        "error_rate": 0.1,
    }
    with pytest.raises(InputError, match=said):
        selective_threshold(**{**fine, **broken})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="more wrong"):
        ratio_bound(np.array([2.0]), np.array([1.0]))


def holds(redraws: int, persons: int, rate: float, over: float = 1.0) -> tuple[int, int]:
    """Redraws in which the promise holds for new persons, and in which something is promised."""
    held = some = 0
    for seed in range(redraws):
        found = selective_threshold(*draw(seed, persons, over=over), rate)
        some += found < 1
        held += found > 1 or truth(found, over) <= rate
    return held, some


@pytest.mark.parametrize("over", [1.0, 1.6])
def test_the_promise_holds_for_new_persons(over: float) -> None:
    """Heavy-tailed photos, a person's errors together, calibrated confidences and overconfident ones."""
    held, some = holds(60, 400, 0.1, over)
    assert held >= 57
    assert some >= 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("persons", "rate", "over"), [(100, 0.2, 1.6), (400, 0.1, 1), (400, 0.1, 1.6), (4000, 0.05, 1)]
)
def test_the_promise_holds_in_1000_redraws(persons: int, rate: float, over: float) -> None:
    held, some = holds(1000, persons, rate, over)
    assert held >= 950
    assert some >= 300


@pytest.mark.slow
def test_fast_enough() -> None:
    """400,000 verdicts of 3,400 persons: well under a second on a core of one's own."""
    confidence, wrong, persons = draw(0, 3400, attributes=47)
    repeats = -(-400_000 // len(wrong))
    big = [np.tile(column, repeats)[:400_000] for column in (confidence, wrong, persons)]
    started = time.process_time()
    assert selective_threshold(*big, 0.1) < 1
    assert time.process_time() - started < 3


def test_mapie_agrees() -> None:
    """MAPIE's binomial p-value of a binary loss, and its fixed sequence for the precision of one verdict a person."""
    control = pytest.importorskip("mapie.risk_control")
    methods = pytest.importorskip("mapie.risk_control.methods")
    for n, k, rate in ((100, 0, 0.05), (300, 12, 0.1), (1000, 30, 0.05)):
        seen = n + (k > 0), k + (k > 0)  # the worst person once more
        theirs = methods.compute_hoeffding_bentkus_p_value(
            np.array([seen[1] / seen[0]]), seen[0], rate, binary=True
        )
        assert p_value(np.arange(n) < k, np.ones(n), rate) == pytest.approx(float(theirs[0, 0]), rel=0.02)
    confidence, wrong, persons = draw(5, 3000, heavy=False, attributes=1)
    grid = threshold_grid(0.55)
    grid = grid[grid < 0.95]
    asserted = np.array([np.count_nonzero(confidence >= t) for t in grid])
    mistaken = np.array([np.count_nonzero(wrong & (confidence >= t)) for t in grid])
    theirs = methods.compute_hoeffding_bentkus_p_value(mistaken / asserted, asserted, 0.1, binary=True)[:, 0]
    lowest = grid[control.control_fwer(theirs, 0.05, "fixed_sequence")[-1]]
    ours = selective_threshold(confidence, wrong, persons, 0.1)
    assert 0.55 < lowest <= ours <= lowest + 0.02  # ours adds two persons: a step of the grid, or two
