"""How common an attribute is among unlabelled faces, if that is all that has changed since calibration: label shift.

Calibrated probabilities p of K attributes hold where a share ``prior`` of faces has the attribute. Where ``new`` has
it and the faces with and without it look as before, Bayes' rule turns p into :func:`shift_prior`, and the likelihood of
the faces seen is greatest at :func:`prevalence` (Saerens, Latinne and Decaestecker, *Adjusting the outputs of a
classifier to new a priori probabilities*, Neural Computation 14, 2002). Their EM climbs that likelihood, slowly; it is
concave, so that its slope is bisected here. Whether the premise holds is asked by :func:`prior_shift_only`.

All work on histograms of the probabilities, so that millions of faces cost one pass. Everywhere NaN is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from clip_smu.arrays import Bools, Float64s, Floats
from clip_smu.errors import InputError
from clip_smu.metrics.tails import f_tail

BINS = 4_096  # of the likelihood, of equal width; the mean probability of each counts
_STEPS = 60  # of bisection: to float64's last digits
_TINY = 1e-9  # a prior of 0 or 1 cannot shift
_NEVER = 1e-300  # probability of what cannot be, in logarithms and under fractions


@dataclass(frozen=True, eq=False)
class Prevalence:
    """Shares of faces that have each of K attributes; made by :func:`prevalence`.

    Attributes:
        share: (K,) 0 to 1; NaN where no face has a probability, or all have that of the prior: then nothing is known.
        low, high: (K,) the interval. It counts the faces' chance, not that of the calibration.
    """

    share: Float64s
    low: Float64s
    high: Float64s


@dataclass(frozen=True, eq=False)
class ScoreShape:
    """How probabilities are spread at home; made by :func:`score_shape`.

    Attributes:
        edges: (K, B - 1) between B bins; ascending, each bin of about equally many faces at home.
        having, lacking: (K, B) share of the faces with, and without, the attribute that lie in each bin.
        prior: (K,) share of faces with it.
        faces: (K,) that were counted, as float64.
    """

    edges: Float64s
    having: Float64s
    lacking: Float64s
    prior: Float64s
    faces: Float64s


def shift_prior(probabilities: Floats, prior: Floats, new: Floats) -> Float64s:
    """(N, K) probabilities where ``new`` (K,) is the share of faces that have the attribute, not ``prior`` (K,).

    Example:
        >>> shift_prior(np.array([[0.5]]), np.array([0.5]), np.array([0.2])).tolist()
        [[0.2]]
    """
    said, old, now = np.asarray(probabilities, np.float64), _inner(prior), np.asarray(new, np.float64)
    yes, no = said * (now / old), (1 - said) * ((1 - now) / (1 - old))
    with np.errstate(invalid="ignore"):  # a sure face against a prevalence of 0 or 1: unknown
        return np.asarray(yes / (yes + no))


def prevalence(
    probabilities: Floats, prior: Floats, *, confidence: float = 0.95, design_effect: float = 1.0
) -> Prevalence:
    """Shares of faces that have each attribute, without a label, with the interval of the profile likelihood.

    Args:
        probabilities: (N, K) calibrated, 0 to 1; NaN is left out.
        prior: (K,) share of faces with the attribute where they were calibrated.
        confidence: of the intervals.
        design_effect: photos for one independent face, at least 1: N / persons is safe.

    Raises:
        InputError: probabilities outside 0 to 1, or other numbers of attributes.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> has = rng.random(20_000) < 0.1
        >>> odds = np.exp(2 * rng.normal(size=20_000) + np.where(has, 2, -2))  # calibrated where half have it
        >>> said = 1 / (1 + 1 / odds[:, None])
        >>> round(float(prevalence(said, np.array([0.5])).share[0]), 2)
        0.1
    """
    said, old = _checked(probabilities, prior)
    count, mean = _histogram(said)
    odds = _Mixture(count, mean / old[:, None], (1 - mean) / (1 - old[:, None]))
    best = odds.likeliest()
    least = odds.log_likelihood(best) - NormalDist().inv_cdf((1 + confidence) / 2) ** 2 / 2 * design_effect
    low = _bisected(np.zeros_like(best), best, lambda share: odds.log_likelihood(share) < least)
    high = _bisected(best, np.ones_like(best), lambda share: odds.log_likelihood(share) >= least)
    known = odds.tells()
    return Prevalence(*(np.where(known, part, np.nan) for part in (best, low, high)))


def score_shape(probabilities: Floats, bins: int = 20) -> ScoreShape:
    """How (N, K) calibrated probabilities are spread at home, among faces with and without each attribute.

    No label is needed: a face counts as its probability among those with the attribute, the rest among those without.
    """
    said, _ = _checked(probabilities, np.full(np.shape(probabilities)[1], 0.5))
    edges = np.stack([np.nanquantile(column, np.linspace(0, 1, bins + 1)[1:-1]) for column in said.T])
    having, lacking = _totals(said, edges, lambda p: p), _totals(said, edges, lambda p: 1 - p)
    yes, no = having.sum(axis=1), lacking.sum(axis=1)
    return ScoreShape(edges, _shares(having), _shares(lacking), yes / (yes + no), yes + no)


def prior_shift_only(
    probabilities: Floats, home: ScoreShape, *, design_effect: float = 1.0, margin: float = 1_000.0
) -> Float64s:
    """(K,) p: chance of scores at least so unlike a mixture of home's faces with and without the attribute.

    Pearson's goodness of fit of the home's bins, with the share of the mixture fitted: where p is small, more than the
    prevalence has moved, and :func:`prevalence` and :func:`shift_prior` are not to be trusted. A large p is no proof:
    scores that hardly tell the attribute move alike in both cases.

    Args:
        probabilities: (N, K) by the calibration that ``home`` was measured with; NaN is left out.
        design_effect: as for :func:`prevalence`; the home's faces count alike.
        margin: faces that count as all of them: others of home may differ as much as a sample so large does.
    """
    said, _ = _checked(probabilities, home.prior)
    count = _totals(said, home.edges, np.ones_like)
    share = _Mixture(count, home.having, home.lacking).likeliest()[:, None]
    expected = share * home.having + (1 - share) * home.lacking
    filled = expected > 0
    with np.errstate(divide="ignore"):
        variance = design_effect * (1 / count.sum(axis=1) + 1 / home.faces) + 1 / margin
    square = np.divide((_shares(count) - expected) ** 2, expected, out=np.zeros_like(expected), where=filled)
    square, free = square.sum(axis=1) / variance, np.maximum(filled.sum(axis=1) - 2, 1)
    some = count.sum(axis=1) > 0
    return np.array(
        [f_tail(s / df, df) if ok else np.nan for s, df, ok in zip(square, free, some, strict=True)]
    )


@dataclass(frozen=True, eq=False)
class _Mixture:
    """Counts (K, B) of bins, and how likely (K, B) a bin is among faces with and without the attribute."""

    count: Float64s
    yes: Float64s
    no: Float64s

    def _likely(self, share: Float64s) -> Float64s:
        return np.maximum(share[:, None] * self.yes + (1 - share[:, None]) * self.no, _NEVER)

    def log_likelihood(self, share: Float64s) -> Float64s:
        """(K,) concave in the (K,) shares of faces with the attribute."""
        return np.asarray((self.count * np.log(self._likely(share))).sum(axis=1))

    def likeliest(self) -> Float64s:
        """(K,) where the slope of the log likelihood, which falls, is 0; 0 or 1 where it never is."""

        def rises(share: Float64s) -> Bools:
            return np.asarray((self.count * (self.yes - self.no) / self._likely(share)).sum(axis=1) > 0)

        return _bisected(np.zeros(len(self.count)), np.ones(len(self.count)), rises)

    def tells(self) -> Bools:
        """(K,) whether any bin is likelier among those with it."""
        apart = (self.count * np.abs(self.yes - self.no)).sum(axis=1)
        return np.asarray(apart > _TINY * self.count.sum(axis=1))


def _bisected(low: Float64s, high: Float64s, further: Callable[[Float64s], Bools]) -> Float64s:
    """(K,) where ``further`` turns false."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        up = further(middle)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.asarray((low + high) / 2)


def _histogram(said: Floats) -> tuple[Float64s, Float64s]:
    """(K, BINS) counts, and mean probability of each bin (0 where it is empty)."""
    count, mean = np.zeros((2, said.shape[1], BINS))
    for k, column in enumerate(said.T):
        p = column[~np.isnan(column)].astype(np.float64)
        place = np.minimum((p * BINS).astype(np.intp), BINS - 1)
        count[k] = np.bincount(place, minlength=BINS)
        mean[k] = np.bincount(place, p, minlength=BINS) / np.maximum(count[k], 1)
    return count, mean


def _totals(said: Floats, edges: Float64s, weight: Callable[[Float64s], Float64s]) -> Float64s:
    """(K, B) sums of the weights of the probabilities in each bin."""
    totals = np.zeros((len(edges), edges.shape[1] + 1))
    for k, column in enumerate(said.T):
        p = column[~np.isnan(column)].astype(np.float64)
        totals[k] = np.bincount(
            np.searchsorted(edges[k], p, side="right"), weight(p), minlength=totals.shape[1]
        )
    return totals


def _shares(counts: Float64s) -> Float64s:
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), _NEVER))


def _inner(prior: Floats) -> Float64s:
    return np.clip(np.asarray(prior, dtype=np.float64), _TINY, 1 - _TINY)


def _checked(probabilities: Floats, prior: Floats) -> tuple[Floats, Float64s]:
    said, old = np.asarray(probabilities), _inner(prior)
    if said.ndim != 2 or old.shape != said.shape[1:]:
        raise InputError(
            f"expected probabilities of faces and attributes and a prior of each attribute, found {said.shape} and "
            f"{old.shape}: give (N, K) and (K,)"
        )
    if np.any((said < 0) | (said > 1)):
        raise InputError("expected probabilities between 0 and 1, found others: calibrate the scores first")
    return said, old
