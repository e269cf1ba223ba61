"""Does a promised error rate hold for new persons, and what does it cost? Six bounds, redraws of persons.

    python benchmarks/risk_simulation.py [--redraws 100] [--persons 100 300 1000 4000] [--rate 0.1] [--kind heavy ...]
        [--bounds ours ...]

A kind is a population of 20,000 made-up persons, whose error rates are known: a person's photos share what is hard
about that person (`person`: in all attributes, `attribute`: in one), so errors come together. Each redraw takes persons
with replacement and looks for the lowest threshold in the sequence of `selective_threshold`, with each bound in turn
(the others may start wherever they first can). A promise holds if at that threshold no more than the rate is wrong in
the population, or if nothing is promised. Coverage is that of the population at the threshold, by that at the lowest
threshold that keeps the rate. Bounds that need a largest number of verdicts of a person get the largest in the redraw.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist

import numpy as np
from scipy import stats

from clip_smu.arrays import Float64s
from clip_smu.metrics.risk_control import p_value, threshold_grid

KINDS = {  # photos of a person; shares of the variance; how much worse the famous are; how overconfident
    "one photo": {"photos": "one", "person": 0.1, "attribute": 0.3},
    "CelebA-like": {"photos": "few", "person": 0.1, "attribute": 0.4},
    "LFW-like": {"photos": "heavy", "person": 0.02, "attribute": 0.4},
    "heavy": {"photos": "heavy", "person": 0.1, "attribute": 0.4},
    "heavy, all photos alike": {"photos": "heavy", "person": 0.3, "attribute": 0.7},
    "heavy, the famous worse": {"photos": "heavy", "person": 0.05, "attribute": 0.4, "famous": 0.04},
    "heavy, overconfident": {"photos": "heavy", "person": 0.1, "attribute": 0.4, "over": 1.6},
    "one attribute": {"photos": "few", "person": 0.1, "attribute": 0.7, "attributes": 1},
}
LEVEL, LEAST, RESAMPLES = 0.95, 0.55, 200
Sums = tuple[Float64s, Float64s]  # (P, G) wrong and asserted at each threshold


def population(
    photos: str,
    person: float,
    attribute: float,
    famous: float = 0.0,
    over: float = 1.0,
    attributes: int = 33,
    persons: int = 20_000,
) -> Sums:
    """Errors by a Gaussian copula, so that a verdict of log odds z is wrong in ``1 / (1 + exp(z / over))``."""
    rng, grid = np.random.default_rng(0), threshold_grid(LEAST)
    n = {
        "one": np.ones(persons, dtype=int),
        "few": 1 + rng.binomial(7, 0.115, persons),
        "heavy": np.minimum((1 - rng.random(persons)) ** (-1 / 1.45), 524).astype(int),
    }[photos]
    wrong, asserted = np.zeros((persons, len(grid))), np.zeros((persons, len(grid)))
    for i, faces in enumerate(n):
        ease = rng.normal(size=attributes) + rng.normal(size=(faces, attributes))
        odds = 1.6 * np.abs(ease)
        luck = math.sqrt(person) * rng.normal() + math.sqrt(attribute) * rng.normal(size=attributes)
        luck = luck + math.sqrt(1 - person - attribute) * rng.normal(size=odds.shape)
        slips = luck - famous * math.log(faces) < stats.norm.ppf(1 / (1 + np.exp(odds / over)))
        at = np.searchsorted(-grid, -1 / (1 + np.exp(-odds)), side="left").ravel()
        asserted[i] = np.bincount(at, minlength=len(grid) + 1)[:-1]
        wrong[i] = np.bincount(at, slips.ravel(), minlength=len(grid) + 1)[:-1]
    return wrong.cumsum(axis=1), asserted.cumsum(axis=1)


def ours(wrong: Float64s, asserted: Float64s, rate: float) -> Float64s:
    """p at each threshold, as far as the sequence goes."""
    p = np.ones(wrong.shape[1])
    for g in range(len(p)):
        p[g] = p_value(wrong[:, g], asserted[:, g], rate)
        if p[g] > 1 - LEVEL:
            break
    return p


def student(wrong: Float64s, asserted: Float64s, rate: float) -> Float64s:
    excess = wrong - rate * asserted
    with np.errstate(divide="ignore", invalid="ignore"):
        t = excess.mean(axis=0) / excess.std(axis=0, ddof=1) * math.sqrt(len(excess))
    return np.nan_to_num(stats.t.cdf(t, len(excess) - 1), nan=1.0)


@cache
def resamples(persons: int) -> Float64s:
    """(RESAMPLES, P) how often each person is drawn."""
    even = np.full(persons, 1 / persons)
    return np.random.default_rng(1).multinomial(persons, even, RESAMPLES).astype(np.float64)


def bootstrap(wrong: Float64s, asserted: Float64s, rate: float) -> Float64s:
    """BCa (Efron 1987) of the ratio; a p of 0 or 1: whether the upper bound is at most the rate."""
    z = NormalDist()
    weights = resamples(len(wrong))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (weights @ wrong) / (weights @ asserted)
        ratio = wrong.sum(axis=0) / asserted.sum(axis=0)
        leave = (wrong.sum(axis=0) - wrong) / (asserted.sum(axis=0) - asserted)
        apart = leave.mean(axis=0) - leave
        skew = np.nan_to_num((apart**3).sum(axis=0) / (6 * (apart**2).sum(axis=0) ** 1.5))
    below = (ratios < ratio).mean(axis=0) + (ratios == ratio).mean(axis=0) / 2
    p = np.ones(wrong.shape[1])
    for g in range(len(p)):
        shift = z.inv_cdf(min(max(below[g], 1 / RESAMPLES), 1 - 1 / RESAMPLES))
        place = shift + (shift + z.inv_cdf(LEVEL)) / (1 - skew[g] * (shift + z.inv_cdf(LEVEL)))
        p[g] = np.quantile(np.nan_to_num(ratios[:, g], nan=1.0), z.cdf(place)) > rate
    return p


def between_0_and_1(wrong: Float64s, asserted: Float64s, rate: float) -> Float64s:
    """(P, G) of mean at most the rate if the promise holds: ``rate + excess / most`` of a person's verdicts."""
    return rate + (wrong - rate * asserted) / np.maximum(asserted.max(axis=0), 1)


def hoeffding_bentkus(wrong: Float64s, asserted: Float64s, rate: float) -> Float64s:
    x = between_0_and_1(wrong, asserted, rate)
    n, mean = len(x), np.minimum(x.mean(axis=0), rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(mean > 0, mean * np.log(mean / rate), 0) + (1 - mean) * np.log(
            (1 - mean) / (1 - rate)
        )
    return np.minimum(np.exp(-n * entropy), math.e * stats.binom.cdf(np.ceil(n * mean), n, rate))


def empirical_bernstein(wrong: Float64s, asserted: Float64s, rate: float) -> Float64s:
    """Maurer & Pontil 2009, theorem 4; a p of 0 or 1."""
    x = between_0_and_1(wrong, asserted, rate)
    n, log = len(x), math.log(2 / (1 - LEVEL))
    bound = x.mean(axis=0) + np.sqrt(2 * x.var(axis=0, ddof=1) * log / n) + 7 * log / (3 * (n - 1))
    return np.where(bound <= rate, 0.0, 1.0)


def betting(wrong: Float64s, asserted: Float64s, rate: float) -> Float64s:
    """Waudby-Smith & Ramdas 2023 (their predictable plug-in bet); 1 by the largest capital."""
    x = between_0_and_1(wrong, asserted, rate)
    i = np.arange(1, len(x) + 1)[:, None]
    mean = (0.5 + x.cumsum(axis=0)) / (i + 1)
    variance = (0.25 + ((x - mean) ** 2).cumsum(axis=0)) / (i + 1)
    before = np.vstack([np.full((1, x.shape[1]), 0.25), variance[:-1]])
    bet = np.minimum(np.sqrt(2 * math.log(1 / (1 - LEVEL)) / (len(x) * before)), 0.9 / (1 - rate))
    return np.exp(-np.maximum.accumulate(np.log1p(-bet * (x - rate)).cumsum(axis=0))[-1])


BOUNDS: dict[str, Callable[[Float64s, Float64s, float], Float64s]] = {
    "ours": ours,
    "Student's t": student,
    "BCa bootstrap": bootstrap,
    "betting": betting,
    "Hoeffding-Bentkus": hoeffding_bentkus,
    "empirical Bernstein": empirical_bernstein,
}


def first(asserted: Float64s, rate: float) -> int | None:
    """Where the sequence of `selective_threshold` starts; None where no outcome could be promised anything."""
    nobody, allowed = np.zeros(len(asserted)), 1 - LEVEL
    unerring = p_value(nobody, asserted[:, -1], rate)
    if unerring > allowed:
        return None
    enough = max(allowed / 100, math.sqrt(allowed * unerring))
    return next(g for g in range(asserted.shape[1]) if p_value(nobody, asserted[:, g], rate) <= enough)


def simulate(
    sums: Sums, persons: int, rate: float, redraws: int, bounds: list[str]
) -> dict[str, tuple[float, float]]:
    """Of each bound: the share of redraws in which the promise holds, mean coverage by the oracle's."""
    wrong, asserted = sums
    truth = wrong.sum(axis=0) / np.maximum(asserted.sum(axis=0), 1)
    coverage = asserted.sum(axis=0)
    best = coverage[np.flatnonzero(truth <= rate)[-1]]
    rng, held, kept = np.random.default_rng(persons), dict.fromkeys(bounds, 0), dict.fromkeys(bounds, 0.0)
    for _ in range(redraws):
        drawn = rng.integers(len(wrong), size=persons)
        start = first(asserted[drawn], rate)
        if start is None:
            for name in bounds:
                held[name] += 1
            continue
        w, a = wrong[drawn, start:], asserted[drawn, start:]
        for name in bounds:
            rejected = np.append(BOUNDS[name](w, a, rate) <= 1 - LEVEL, False)
            begin = 0 if name == "ours" else int(np.argmax(rejected))
            last = start + begin + int(np.argmin(rejected[begin:])) - 1
            some = bool(rejected[begin])
            held[name] += not some or truth[last] <= rate
            kept[name] += coverage[last] / best if some else 0.0
    return {name: (held[name] / redraws, kept[name] / redraws) for name in bounds}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--redraws", type=int, default=100)
    options.add_argument("--persons", type=int, nargs="+", default=[100, 300, 1000, 4000])
    options.add_argument("--rate", type=float, default=0.1)
    options.add_argument("--kind", nargs="+", default=list(KINDS), choices=list(KINDS))
    options.add_argument("--bounds", nargs="+", default=list(BOUNDS), choices=list(BOUNDS))
    given = options.parse_args()
    print(
        f"promised {given.rate:.0%} at {LEVEL:.0%}, {given.redraws} redraws: held in, coverage of the oracle's"
    )
    print(f"{'kind':24} {'persons':>7}  " + "  ".join(f"{name:>19}" for name in given.bounds))
    for kind in given.kind:
        sums = population(**KINDS[kind])  # type: ignore[arg-type]
        for persons in given.persons:
            cells = simulate(sums, persons, given.rate, given.redraws, given.bounds).values()
            row = "  ".join(f"{held:>11.1%} {kept:>7.1%}" for held, kept in cells)
            print(f"{kind:24} {persons:>7}  {row}", flush=True)


if __name__ == "__main__":
    main()
