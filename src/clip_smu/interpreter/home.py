"""Is a batch of faces from a home, a data set that the interpreter was calibrated on? A two-sample test of means.

What is compared are D numbers a face: the unit template along the leading axes in which the home's faces differ, the
scores along theirs, and the mean square of each of the two (the spread). With m and S the home's mean and covariance of
them, b the batch's mean, and 1/e = the chance that two photos drawn from a set (one may come twice) show one person,
so that e counts its photos as the faces of e persons:

    distance = (b - m)ᵀ S⁻¹ (b - m) / D / (1/e of the batch + 1/e of the home + 1 / MARGIN)

which is Hotelling's T² over D: 1 on average for other persons of the home, less where the margin counts, and F
distributed. One attribute that has moved may drown among D numbers, so the mean scores are also tested one by one
(Bonferroni), and p counts both tests.

Nobody knows who is in a batch, but face templates tell: two are taken for one person where they are more alike than all
but ``FALSE_MATCHES`` of the home's pairs of two persons, and that share is corrected by how often the home's own pairs
are. So fifty photos of one person are one face, and raise no alarm.

Any home differs a little from itself: the margin is the equivalence that huge batches need. A home is what lies as near
as another ``MARGIN`` persons drawn from it do, D / MARGIN = 0.04 squared; LFW and CelebA are 3.6 to 5.4 apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clip_smu.arrays import Bools, Float64s, Floats, Indices
from clip_smu.errors import InputError
from clip_smu.interpreter.axes import Axes, leading_axes
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import count_persons, person_numbers
from clip_smu.metrics.tails import f_tail

MARGIN = 1_000  # persons
LEAST_PERSONS = 64  # of a home
MOST_FACES = 2_048  # of a batch, or of a home's pairs, that are looked at; more are drawn from
TEMPLATE_AXES, SCORE_AXES = 24, 12  # at most; fewer where a home has few persons
FALSE_MATCHES = 1e-4  # share of a home's pairs of two persons that are taken for one
_LEAST_MATCHES, _FEW_PAIRS, _USUAL_MATCHES = 0.3, 20, 0.5
_SHRUNK = 0.02  # of the correlations, towards none
_MOST_SQUARE = 9.0  # a face three spreads away counts as that


@dataclass(frozen=True, eq=False)
class Home:
    """What the faces of one data set look like; made by :func:`measure_home`.

    Attributes:
        name: of the data set.
        faces, persons: that mean and covariance were measured on, two thirds of the data set's.
        axes, score_axes: of the unit templates and of the scores, drawn through the other third: axes suit the faces
            that they are drawn through better than others.
        mean, covariance: (D,) and (D, D) of the numbers compared, D = r + q + 2 (r + 1 without scores).
        score_mean, score_spread: (K,) mean and standard deviation of the scores.
        alike: cosine from which on two templates are taken for one person's, and ``matched``: the share of the home's
            pairs of one person that are.
        repeated: chance that two photos drawn from the home are of one person, above 0, at most 1.
    """

    name: str
    faces: int
    persons: int
    axes: Axes
    score_axes: Axes
    mean: Float64s
    covariance: Float64s
    score_mean: Float64s
    score_spread: Float64s
    alike: float
    matched: float
    repeated: float

    def chance_of_one_person(self, units: Float64s) -> float:
        """Chance that two photos drawn from a batch, (N, d) unit templates, are of one person: 1 / N to 1."""
        n = len(units)
        if n < 2:
            return 1.0
        above = int(np.count_nonzero(units @ units.T > self.alike)) - n  # each pair twice
        share = (max(above, 0) / (n * (n - 1)) - FALSE_MATCHES) / (self.matched - FALSE_MATCHES)
        return 1 / n + (1 - 1 / n) * min(max(share, 0.0), 1.0)

    def distance(self, units: Float64s, scores: Float64s, variance: float) -> float:
        """Of a batch's mean, in units of what ``variance``, in faces' variances, brings about by chance."""
        off = _compared(self.axes, self.score_axes, units, scores).mean(axis=0) - self.mean
        return float(off @ self._precision @ off) / (len(off) * variance)

    def shifts(self, scores: Float64s, variance: float) -> Float64s:
        """(K,) how far a batch's mean scores lie off, in what ``variance`` brings about; 0 where scores never vary."""
        off = scores.mean(axis=0) - self.score_mean
        return np.asarray(off / np.where(self.score_spread > 0, self.score_spread, np.inf) / variance**0.5)

    def tail(self, distance: float, shifts: Float64s) -> float:
        """Chance that faces of the home lie so far off, all numbers together or the farthest score: 0 to 1."""
        together = f_tail(distance, len(self.mean), self.persons - len(self.mean))
        alone = min((shift_tail(shift, len(shifts)) for shift in shifts), default=1.0)
        return min(2 * min(together, alone), 1.0)

    @cached_property
    def _precision(self) -> Float64s:
        """(D, D) inverse covariance, unbiased for that it was measured on so many persons."""
        spread = np.sqrt(np.diag(self.covariance))
        correlation = (1 - _SHRUNK) * self.covariance / np.outer(spread, spread) + _SHRUNK * np.eye(
            len(spread)
        )
        fewer = max(1 - (len(spread) + 1) / self.persons, 0)
        return np.asarray(np.linalg.inv(correlation) / np.outer(spread, spread) * fewer)


def measure_home(name: str, vectors: Floats, scores: Floats, identities: Sequence[str]) -> Home:
    """What the faces of a data set look like.

    Args:
        name: of the data set.
        vectors: (N, d) templates of any length; rows that are zero or not finite are left out.
        scores: (N, K) numbers of the attributes, whose means are those of new faces: an interpreter's are sums along
            :func:`~clip_smu.interpreter.axes.attribute_axes`. K may be 0.
        identities: N persons, "" for a person of its own.

    Raises:
        InputError: fewer than ``LEAST_PERSONS`` persons, or faces that are all alike.
    """
    kept = readable_rows(vectors, scores)
    people = [identities[row] for row in kept]
    persons = count_persons(people)
    if persons < LEAST_PERSONS:
        raise InputError(
            f"expected at least {LEAST_PERSONS} persons to measure the home {name!r} on, found {persons}: give more"
        )
    units, values = unit_rows(vectors[kept]), np.asarray(scores[kept], dtype=np.float64)
    third = identity_folds(people, 3, 0) == 0
    axes = leading_axes(units[third], min(TEMPLATE_AXES, persons // 8))
    if not axes.directions.shape[1]:
        raise InputError(
            f"expected faces that differ to measure the home {name!r} on, found {len(kept)} alike"
        )
    score_axes = leading_axes(values[third], min(SCORE_AXES, persons // 16), scaled=True)
    alike, matched = _one_person(units, people)
    units, values = units[~third], values[~third]
    numbers = _compared(axes, score_axes, units, values)
    number = person_numbers([person for person, out in zip(people, third, strict=True) if not out])
    share = np.bincount(number) / len(number)
    return Home(
        name,
        len(units),
        len(share),
        axes,
        score_axes,
        numbers.mean(axis=0),
        np.atleast_2d(np.cov(numbers.T)),
        values.mean(axis=0),
        values.std(axis=0),
        alike,
        matched,
        float(share @ share),
    )


def shift_tail(shift: float, count: int) -> float:
    """Chance, at most, that the farthest of ``count`` mean scores lies at least so far off (Bonferroni)."""
    return count * math.erfc(abs(shift) / math.sqrt(2))


def _one_person(units: Float64s, people: Sequence[str]) -> tuple[float, float]:
    """The cosine from which on two templates are taken for one person's, and the share of such pairs that are."""
    rows = drawn_rows(np.arange(len(units)))
    number = person_numbers(people)[rows]
    pairs = np.triu_indices(len(rows), 1)
    cosine, same = (units[rows] @ units[rows].T)[pairs], number[pairs[0]] == number[pairs[1]]
    alike = float(np.quantile(cosine[~same], 1 - FALSE_MATCHES))
    enough = np.count_nonzero(same) >= _FEW_PAIRS
    matched = float((cosine[same] > alike).mean()) if enough else _USUAL_MATCHES
    return alike, max(matched, _LEAST_MATCHES)


def _compared(axes: Axes, score_axes: Axes, units: Float64s, scores: Float64s) -> Float64s:
    """(N, D) numbers compared, of (N, d) unit templates and (N, K) scores."""
    parts = [part for part in (axes.of(units), score_axes.of(scores)) if part.shape[1]]
    spreads = [np.minimum(part**2, _MOST_SQUARE).mean(axis=1, keepdims=True) for part in parts]
    return np.hstack([*parts, *spreads])


def readable_rows(vectors: Floats, scores: Floats) -> Indices:
    """Places of the rows whose numbers are all finite, and whose template is not zero."""
    with np.errstate(over="ignore"):
        good: Bools = (
            np.isfinite(vectors).all(axis=1) & np.any(vectors, axis=1) & np.isfinite(scores).all(axis=1)
        )
    return np.flatnonzero(good)


def drawn_rows(rows: Indices) -> Indices:
    """At most ``MOST_FACES`` of them, the same ones every time."""
    if len(rows) <= MOST_FACES:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_FACES, replace=False))


def unit_rows(vectors: Floats) -> Float64s:
    """(N, d) rows of length 1."""
    wide = np.asarray(vectors, dtype=np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))
