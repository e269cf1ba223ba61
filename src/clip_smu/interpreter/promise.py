"""The promise of a verdict: thresholds at which, so surely, at most a chosen share is wrong; at home, and away.

*At home* (persons of a data set that was calibrated on): selective risk control with a finite-sample bound over
persons, :mod:`clip_smu.metrics.risk_control`, for all verdicts together at the chosen rate, and for *encoded* and
*not encoded* each at `SIDE` times it. *Away* (anywhere else): thresholds that held where a source was read by what the
others taught; where there is one source alone, a fixed caution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Floats, Indices, Int8s
from clip_smu.interpreter.calibration import (
    MIN_ASSERTED,
    NEVER,
    SURE,
    Calibration,
    fit_platt,
    lowest_threshold,
)
from clip_smu.interpreter.coherence import coherent
from clip_smu.interpreter.worst_group import groups_of, kept_by_groups, raised_for_groups
from clip_smu.metrics import delong
from clip_smu.metrics.persons import person_numbers, persons_apart
from clip_smu.metrics.risk_control import ratio_bound, selective_threshold
from clip_smu.words.agreement import asserted_by_default
from clip_smu.words.attributes import INDEX, NAMES
from clip_smu.words.coherence import RIVALS

SIDE = 1.5
"""How many times the chosen rate *encoded*, or *not encoded*, may be wrong by itself."""

CAUTION = (0.2, 2.0)
"""Away by one source alone: *encoded* and *not encoded* are asserted where 1 less the probability is at most so many
times the rate. Attributes are rare more often than common, and how rare they are differs between data sets, so that of
two verdicts that are equally sure *encoded* fails first. Chosen on LFW's and CelebA's training persons, read by each
other's readout."""


SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of the rate that one side of one attribute may be wrong by itself, away: tried from the strictest on, until
all verdicts together do not surely keep the rate in some source. Less than 1, for places that nobody measured."""


HARDER = 1.6
"""How many times as often as its probability says a verdict is wrong about a face whose label is unknown.

Labels are missing where it is hard: LFW's are unknown where two machines disagree. Of asserted verdicts on such faces
24 % were found wrong by eye (7 % where there is a label; 192 photos of LFW), and their probabilities said 15 %.
"""

_ROUNDS = 3
_LEAST = 1e-6  # probabilities nearer to 0 or 1 have the log odds of this one


@dataclass(frozen=True, eq=False)
class Abroad:
    """A source's faces read by what the other sources taught.

    Attributes:
        name: of the source.
        probabilities: (N, K) float32, coherent. labels: (N, K) int8. identities: N persons.
    """

    name: str
    probabilities: Float32s
    labels: Int8s
    identities: Sequence[str]


def calibrate_home(
    scores: Floats, labels: Int8s, identities: Sequence[str], error_rate: float, *, level: float = 0.95
) -> Calibration:
    """Probabilities and thresholds for a data set, from faces whose persons training did not see.

    Words on which people agree at random, and *Attractive*, are never asserted
    (:func:`~clip_smu.words.agreement.asserted_by_default`); nor is an attribute whose AUC's 95 % interval touches
    chance, nor a side of an attribute of which over 45 % would be wrong or fewer than 20 verdicts are left.

    Args:
        scores: (N, 47) float. labels: (N, 47) int8, 1, -1 or 0 (unknown, left out). identities: N persons.
        error_rate: promised, 0 to 0.5. level: with which probability over the draw of persons each of the three
            promises (all, *encoded*, *not encoded*) holds by itself.
    """
    slope, intercept = _coherent_platt(scores, labels)
    never = np.full(len(slope), NEVER)
    whole = Calibration(slope, intercept, never, 1 - never)
    return promise_of(whole, scores, labels, identities, error_rate, level=level)


def promise_of(
    calibration: Calibration,
    scores: Floats,
    labels: Int8s,
    identities: Sequence[str],
    error_rate: float,
    *,
    level: float = 0.95,
) -> Calibration:
    """The same probabilities with the thresholds of :func:`calibrate_home` on these faces."""
    slope, intercept = calibration.slope, calibration.intercept
    curve = delong(scores, labels, identity=persons_apart(identities))
    asserted = (slope > 0) & (curve.low > 0.5) & _by_default()
    probability = coherent(calibration, scores, NAMES).astype(np.float64)
    least = _own_thresholds(probability, labels, asserted)
    bounds = _promised(probability, labels, person_numbers(identities), least, error_rate, level)
    return Calibration(slope, intercept, bounds[0], 1 - bounds[1])


def calibrate_away(
    scores: Floats,
    labels: Int8s,
    source_of: Indices,
    homes: Sequence[Calibration],
    abroad: Sequence[Abroad],
    error_rate: float,
    *,
    level: float = 0.95,
) -> Calibration:
    """Probabilities of all sources together, each weighing the same, and thresholds that held abroad in each of them.

    Each side of each attribute has a threshold of its own, :func:`_held_everywhere`; how much of the rate it may use up
    is the last of `SHARES` at which, so surely, all verdicts together and each side keep their rates in every source.

    Args:
        scores, labels: (N, 47), as for :func:`calibrate_home`, of all sources. source_of: (N,) from 0.
        homes: of each source; only that of one source alone is used.
        abroad: of each source, where there are several; empty for one source alone: then `CAUTION`.
    """
    if not abroad:
        return cautious(homes[0], error_rate)
    slope, intercept = _coherent_platt(scores, labels, _alike(labels, source_of))
    bounds = np.full((2, len(NAMES)), NEVER)
    for share in SHARES:
        tried = np.maximum(_held_everywhere(abroad, share * error_rate, error_rate), _never(slope))
        if not all(_keeps(one, tried, error_rate, level) for one in abroad):
            break
        bounds = tried
    return Calibration(slope, intercept, bounds[0], 1 - bounds[1])


def completed(home: Calibration, away: Calibration) -> Calibration:
    """A home that reads as *away* what its data set has no labels of, so far as that does not compete with what it has.

    Of the ages CelebA knows young and not young alone. Middle age as another data set calibrates it would take its
    share from *young*, which means something else there; so at that home it is not read at all (slope 0).
    """
    labelled = home.slope > 0
    rivalled = np.array([any(labelled[INDEX[other]] for other in RIVALS[name]) for name in NAMES])
    taken = ~labelled & ~rivalled & (away.slope > 0)

    def chosen(what: str) -> Float64s:
        return np.asarray(np.where(taken, getattr(away, what), getattr(home, what)), dtype=np.float64)

    return Calibration(*(chosen(what) for what in ("slope", "intercept", "encoded_at", "not_encoded_at")))


def cautious(home: Calibration, error_rate: float) -> Calibration:
    """The same probabilities with thresholds of `CAUTION` or stricter; words not asserted by default are not."""
    encoded, not_encoded = _cautious_least(error_rate)
    never = _never(home.slope)
    return replace(
        home,
        encoded_at=np.maximum.reduce([home.encoded_at, np.full_like(home.slope, encoded), never[0]]),
        not_encoded_at=1
        - np.maximum.reduce([1 - home.not_encoded_at, np.full_like(home.slope, not_encoded), never[1]]),
    )


def _cautious_least(error_rate: float) -> tuple[float, float]:
    encoded, not_encoded = (max(SURE, 1 - times * error_rate) for times in CAUTION)
    return encoded, not_encoded


def _by_default() -> Bools:
    return np.array([asserted_by_default(name) for name in NAMES])


def _never(slope: Float64s) -> Float64s:
    """(2, K) `NEVER` where an attribute cannot be read or is not asserted, else 0."""
    return np.where((slope > 0) & _by_default(), 0.0, NEVER)[None].repeat(2, axis=0)


def _coherent_platt(
    scores: Floats, labels: Int8s, weights: Float64s | None = None
) -> tuple[Float64s, Float64s]:
    """Slopes and intercepts with which probabilities are calibrated after they were made coherent.

    Platt scaling of the log odds of coherent probabilities says by how much they are off; the scores' own slope and
    intercept are moved by it, and again, `_ROUNDS` times.
    """
    slope, intercept = fit_platt(scores, labels, weights)
    never = np.full(len(slope), NEVER)
    for _ in range(_ROUNDS):
        p = coherent(Calibration(slope, intercept, never, 1 - never), scores, NAMES).astype(np.float64)
        odds = np.log(np.clip(p, _LEAST, 1) / np.clip(1 - p, _LEAST, 1))
        times, more = fit_platt(odds, labels, weights)
        better = (times > 0) & (slope > 0)
        slope, intercept = (
            np.where(better, times * slope, slope),
            np.where(better, times * intercept + more, intercept),
        )
    return slope, intercept


def _alike(labels: Int8s, source_of: Indices) -> Float64s:
    """(N, K) weights with which each source's known labels of an attribute count the same in all."""
    weights = np.zeros(labels.shape)
    for source in np.unique(source_of):
        rows = source_of == source
        known = labels[rows] != 0
        weights[rows] = known / np.maximum(known.sum(axis=0), 1)
    total = weights.sum(axis=0)
    return np.asarray(weights * (labels != 0).sum(axis=0) / np.where(total > 0, total, 1))


def _two_sides(probability: Float64s, labels: Int8s) -> tuple[Float64s, Bools]:
    """(2, N, K) of *encoded* and *not encoded*: how sure, and whether it would be wrong."""
    return np.stack([probability, 1 - probability]), np.stack([labels < 0, labels > 0])


def _hard_too(probability: Float64s, labels: Int8s) -> tuple[Float64s, Float64s, Bools]:
    """(2, N, K) how sure, how likely wrong (0 or 1 by the label; `HARDER` where it is unknown), and whether it counts.

    Attributes that the data set does not label at all do not count.
    """
    confidence, wrong = _two_sides(probability, labels)
    likely = np.minimum(1.0, HARDER * (1 - confidence))
    counted = np.broadcast_to((labels != 0).any(axis=0), confidence.shape)
    return confidence, np.where(labels == 0, likely, wrong), counted


def _own_thresholds(probability: Float64s, labels: Int8s, asserted: Bools) -> Float64s:
    """(2, K) each side's own lowest threshold: of at most 45 % wrong, and 20 verdicts."""
    confidence, wrong = _two_sides(probability, labels)
    least = np.full((2, labels.shape[1]), NEVER)
    for side in range(2):
        for k in np.flatnonzero(asserted):
            rows = labels[:, k] != 0
            own = lowest_threshold(confidence[side, rows, k], wrong[side, rows, k], 1 - SURE)
            least[side, k] = max(SURE, own)
    return least


def _held_everywhere(abroad: Sequence[Abroad], rate: float, error_rate: float) -> Float64s:
    """(2, K) lowest thresholds of each side at which at most ``rate`` is wrong in every source that can tell.

    Where there is none, or fewer than two sources can tell, that of `CAUTION`, unless it failed in one: over
    ``error_rate`` wrong of 20 verdicts or more.
    """
    held = np.stack([_held(one, rate) for one in abroad])  # (S, 2, K)
    known = (~np.isnan(held)).sum(axis=0)
    everywhere = np.where(np.isnan(held), 0, held).max(axis=0)
    cautious = np.repeat(np.array(_cautious_least(error_rate))[:, None], len(NAMES), axis=1)
    for one in abroad:
        confidence, wrong = _two_sides(one.probabilities.astype(np.float64), one.labels)
        said = (confidence >= cautious[:, None]) & (one.labels != 0)
        count, mistaken = said.sum(axis=1), (said & wrong).sum(axis=1)
        cautious = np.where((count >= MIN_ASSERTED) & (mistaken > error_rate * count), NEVER, cautious)
    return np.where((known >= 2) & (everywhere < NEVER), everywhere, cautious)


def _held(one: Abroad, rate: float) -> Float64s:
    """(2, K) lowest threshold of each side at which at most ``rate`` is wrong there; NaN: its labels cannot tell."""
    confidence, wrong = _two_sides(one.probabilities.astype(np.float64), one.labels)
    counts = np.stack([(one.labels > 0).sum(axis=0), (one.labels < 0).sum(axis=0)])
    bounds = np.full((2, len(NAMES)), np.nan)
    for k in np.flatnonzero((counts >= MIN_ASSERTED).all(axis=0)):
        rows = one.labels[:, k] != 0
        for side in range(2):
            own = lowest_threshold(confidence[side, rows, k], wrong[side, rows, k], rate)
            bounds[side, k] = max(SURE, own)
    return bounds


def _keeps(one: Abroad, bounds: Float64s, error_rate: float, level: float) -> bool:
    """Whether so surely, over the draw of persons, all verdicts together and each side keep their rates there.

    And whether, on these faces, no group of people is much worse off.
    """
    confidence, wrong, counted = _hard_too(one.probabilities.astype(np.float64), one.labels)
    said = (confidence >= bounds[:, None]) & counted
    persons = person_numbers(one.identities)

    def bound(sides: slice) -> float:
        counts = (part[sides].sum(axis=(0, 2)) for part in (said * wrong, said))
        of_wrong, of_all = (np.bincount(persons, count).astype(np.float64) for count in counts)
        return ratio_bound(of_wrong, of_all, level=level) if of_all.any() else 0.0

    one_side = min(SIDE * error_rate, 0.45)
    rates = (slice(0, 2), error_rate), (slice(0, 1), one_side), (slice(1, 2), one_side)
    fair = kept_by_groups(said, wrong, groups_of(one.labels, persons), error_rate)
    return fair and all(bound(sides) <= rate for sides, rate in rates)


def _promised(
    probability: Float64s, labels: Int8s, persons: Indices, least: Float64s, error_rate: float, level: float
) -> Float64s:
    """(2, K) ``least`` raised until all verdicts, then each side, keep their rate, and no group is much worse off.

    Hard faces, whose label is unknown, count too.
    """
    confidence, wrong, counted = _hard_too(probability, labels)
    person = np.broadcast_to(persons[:, None], confidence.shape)

    def raised(bounds: Float64s, sides: slice, rate: float) -> Float64s:
        said = counted[sides] & (confidence[sides] >= bounds[sides, None])
        found = selective_threshold(
            confidence[sides][said], wrong[sides][said], person[sides][said], rate, level=level, least=SURE
        )
        risen = bounds.copy()
        risen[sides] = np.maximum(bounds[sides], found)
        return risen

    bounds = raised(least, slice(0, 2), error_rate)
    for side in range(2):
        bounds = raised(bounds, slice(side, side + 1), min(SIDE * error_rate, 0.45))
    groups = groups_of(labels, persons)
    bounds = raised_for_groups(bounds, confidence, wrong, counted, groups, error_rate)
    few = ((labels != 0) & (confidence >= bounds[:, None])).sum(axis=1) < MIN_ASSERTED
    return np.where(few, NEVER, bounds)
