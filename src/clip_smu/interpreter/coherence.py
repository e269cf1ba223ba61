"""Probabilities that add up, and verdicts that do not contradict each other, by the rules of `words.coherence`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Floats, Indices, Int8s, Int64s
from clip_smu.interpreter.calibration import Calibration, probability_of
from clip_smu.words.attributes import GROUPS
from clip_smu.words.coherence import AT_LEAST_ONE, AT_MOST_ONE, CLASHES, EXCLUDES

_ONE = np.float32(1)
_ROUNDING = np.float32(5e-7)  # a sum of float32 that exceeds 1 by less is 1
_LEAST = 2.0**-24  # probabilities nearer to 0 or 1 have the log odds of this one
_ROWS = 8192  # rows that are settled at a time


def coherent(calibration: Calibration, scores: Floats, attributes: Sequence[str]) -> Float32s:
    """(N, K) float32 probabilities of (N, K) scores that some world without contradictions has, see :func:`cohere`.

    An attribute whose calibration has a slope of 0 takes no part: nothing is known of it but how common it was, and
    that would take its share from others.
    """
    alone = probability_of(calibration.slope, calibration.intercept, scores)
    silent = calibration.slope <= 0
    if not silent.any():
        return cohere(alone, attributes)
    return np.where(silent, alone, cohere(np.where(silent, np.float32(np.nan), alone), attributes))


def cohere(probabilities: Float32s, attributes: Sequence[str]) -> Float32s:
    """Marginal probabilities that some joint distribution without contradictions has; those that agree do not move.

    1. Where `EXCLUDES` forbids a *yes*, it is at most as likely as what it leaves: a mustache as a man. 2. A set of
    `AT_MOST_ONE` that sums to more than 1 is divided by its sum. 3. Where `EXCLUDES` forbids a *no*, the *yes* is at
    least as likely as what needs it: no beard as a woman.

    One pass is enough. 1 and 2 only lower, so what was at most 1 stays so; 3 raises no beard and the obstructed
    forehead to where 1 and 2 have left room: to 1 - P(man), when each kind of beard has at most P(man); and to
    P(bangs), when the fully visible forehead has at most 1 - P(bangs).

    Args:
        probabilities: (N, K) float32, calibrated one by one. Where NaN, the attribute is not there, and stays NaN.
        attributes: K names; rules hold over those that are there.

    Returns:
        (N, K) float32; sets of `AT_MOST_ONE` sum to at most 1 + 1e-6.

    Example:
        >>> cohere(np.array([[0.9, 0.6, 0.3]], np.float32), ["Asian", "White", "Smiling"]).round(2)
        array([[0.6, 0.4, 0.3]], dtype=float32)
    """
    result = np.array(probabilities, dtype=np.float32)
    rules = _sums(tuple(attributes))
    part = np.ascontiguousarray(result[:, rules.columns].T)  # (C, N), for rules work on columns
    missing = np.isnan(part)
    if some_missing := missing.any():
        part = np.where(missing, rules.idle[:, None], part)
    for first, verdict, yes in rules.lowers:
        np.minimum(part[yes], _left(part[first], verdict), out=part[yes])
    for members in rules.at_most_one:
        total = part[members[0]].copy()
        for place in members[1:]:
            total += part[place]
        total[total <= _ONE + _ROUNDING] = _ONE
        for place in members:
            part[place] /= total
    for first, verdict, no in rules.raises:
        np.maximum(part[no], _ONE - _left(part[first], verdict), out=part[no])
    if some_missing:
        part[missing] = np.nan
    result[:, rules.columns] = part.T
    return result


def settle(verdicts: Int8s, probabilities: Float32s, attributes: Sequence[str]) -> Int8s:
    """Verdicts without contradictions: of those that clash, the least sure become *cannot tell*.

    Rules that share attributes are settled together, exactly: of all choices that leave no contradiction, the verdicts
    kept have the largest sum of log odds (for *not encoded*, of the opposite). So a verdict that clashes and is less
    likely than not is never kept. None is added or turned round, and none that breaks no rule is touched.

    Args:
        verdicts: (N, K) int8, 1 encoded, -1 not encoded, 0 cannot tell.
        probabilities: (N, K) float, how sure they are; NaN counts as 0.5.
        attributes: K names; rules hold over those that are there, `AT_LEAST_ONE` where all of a set are.

    Example:
        >>> settle(np.array([[1, 1, -1]], np.int8), np.array([[0.9, 0.6, 0.1]]), ["Bald", "Bangs", "Smiling"])
        array([[ 1,  0, -1]], dtype=int8)
    """
    result = np.array(verdicts, dtype=np.int8)
    columns, components = _components(tuple(attributes))
    part = np.ascontiguousarray(result[:, columns].T)  # (C, N)
    stands = {1: part > 0, -1: part < 0}
    for component in components:
        broken = component.broken(stands)
        rows = np.flatnonzero(broken)
        for start in range(0, len(rows), _ROWS):
            some = rows[start : start + _ROWS]
            patterns = broken[some]
            for pattern in np.unique(patterns).tolist():
                clashing, choices = component.choices(pattern)
                cells = np.ix_(some[patterns == pattern], columns[clashing])
                sure = _log_odds(probabilities[cells]) * result[cells]
                result[cells] *= choices[(sure @ choices.T).argmax(axis=1)]
    return result


def contradictions(verdicts: Int8s, attributes: Sequence[str]) -> Int64s:
    """(N,) how many rules of `words.coherence` each row of (N, K) verdicts breaks."""
    column = dict(zip(attributes, np.asarray(verdicts).T, strict=True))
    count = np.zeros(len(verdicts), dtype=np.int64)
    for names in AT_MOST_ONE:
        encoded = np.zeros(len(verdicts), dtype=np.int64)
        for name in column.keys() & set(names):
            encoded += column[name] == 1
        count += encoded > 1
    for names in AT_LEAST_ONE:
        if column.keys() >= set(names):
            count += np.all([column[name] == -1 for name in names], axis=0)
    for (first, one), (second, other) in EXCLUDES:
        if first in column and second in column:
            count += (column[first] == one) & (column[second] == other)
    return count


def groups(probabilities: Float32s, attributes: Sequence[str]) -> dict[str, Float32s]:
    """Exclusive group → (N, M + 1) float32: its M members that are there, in `GROUPS`' order, and none of them.

    Rows sum to 1. Members that sum to more, which :func:`cohere` leaves nowhere, are divided by their sum.

    Example:
        >>> groups(np.array([[0.25, 0.5]], np.float32), ["White", "Asian"])
        {'race': array([[0.5 , 0.25, 0.25]], dtype=float32)}
    """
    place = {name: k for k, name in enumerate(attributes)}
    found = {}
    for group, names in GROUPS.items():
        there = [place[name] for name in names if name in place]
        if there and len(names) > 1:
            members = np.asarray(probabilities, dtype=np.float32)[:, there]
            total = members.sum(axis=1, keepdims=True)
            rest = np.maximum(_ONE - total, np.float32(0))
            found[group] = np.hstack([members / np.maximum(total, _ONE), rest])
    return found


@dataclass(frozen=True, eq=False)
class _Sums:
    """The rules of probabilities over some attributes; places count the C columns.

    Attributes:
        columns: (C,) of the attributes that a rule is about.
        idle: (C,) float32 the probability with which an attribute moves no other.
        at_most_one: sets of places.
        lowers, raises: (place, verdict, place of what gives way) of `EXCLUDES`, by the verdict that gives way.
    """

    columns: Indices
    idle: Float32s
    at_most_one: tuple[list[int], ...]
    lowers: tuple[tuple[int, int, int], ...]
    raises: tuple[tuple[int, int, int], ...]


@lru_cache(maxsize=16)
def _sums(attributes: tuple[str, ...]) -> _Sums:
    sets = [[name for name in names if name in attributes] for names in AT_MOST_ONE]
    sets = [names for names in sets if len(names) > 1]
    pairs = [pair for pair in EXCLUDES if all(name in attributes for name, _ in pair)]
    ruled = {name for names in sets for name in names} | {name for pair in pairs for name, _ in pair}
    place = {name: k for k, name in enumerate(name for name in attributes if name in ruled)}
    ways = {
        gives: tuple((place[a], verdict, place[b]) for (a, verdict), (b, no) in pairs if no == gives)
        for gives in (1, -1)
    }
    denied = {first for (first, verdict), _ in pairs if verdict < 0}
    return _Sums(
        columns=np.array([attributes.index(name) for name in place], dtype=np.intp),
        idle=np.array([name in denied for name in place], dtype=np.float32),
        at_most_one=tuple([place[name] for name in names] for names in sets),
        lowers=ways[1],
        raises=ways[-1],
    )


def _left(first: Float32s, verdict: int) -> Float32s:
    """The probability that what `verdict` says of an attribute is not so."""
    return first if verdict < 0 else _ONE - first


class _Component:
    """Clashes that share attributes, as (place, verdict)s that cannot all stand; bit b stands for the b-th."""

    def __init__(self, clashes: list[list[tuple[int, int]]]) -> None:
        self._clashes = clashes
        self._choices: dict[int, tuple[list[int], Int8s]] = {}

    def broken(self, stands: dict[int, Bools]) -> Int64s:
        """(N,) bits of the clashes that hold; `stands`: verdict → (C, N) whether it was read, by place."""
        broken = np.zeros(stands[1].shape[1], dtype=np.int64)
        for bit, clash in enumerate(self._clashes):
            held = np.logical_and.reduce([stands[verdict][place] for place, verdict in clash])
            if held.any():
                broken |= held.astype(np.int64) << bit
        return broken

    def choices(self, broken: int) -> tuple[list[int], Int8s]:
        """The n places that clash, and (S, n), 1 or 0, every way to keep some without a clash, most kept first."""
        if broken not in self._choices:
            clashes = [[k for k, _ in clash] for bit, clash in enumerate(self._clashes) if broken >> bit & 1]
            places = sorted({place for clash in clashes for place in clash})
            keep = (np.arange(2 ** len(places))[:, None] >> np.arange(len(places)) & 1).astype(np.int8)
            for clash in clashes:
                keep = keep[~keep[:, [places.index(place) for place in clash]].all(axis=1)]
            self._choices[broken] = places, keep[np.argsort(-keep.sum(axis=1), kind="stable")]
        return self._choices[broken]


@lru_cache(maxsize=16)
def _components(attributes: tuple[str, ...]) -> tuple[Indices, list[_Component]]:
    """(C,) columns of the attributes that rules are about, which places count, and the rules that belong together."""
    clashes = [clash for clash in CLASHES if all(name in attributes for name, _ in clash)]
    together: list[set[str]] = []
    for clash in clashes:
        names = {name for name, _ in clash}
        names.update(*(met for met in together if met & names))
        together = [*(apart for apart in together if not apart & names), names]
    ruled = [name for name in attributes if any(name in names for names in together)]
    place = {name: k for k, name in enumerate(ruled)}
    return np.array([attributes.index(name) for name in ruled], dtype=np.intp), [
        _Component([[(place[name], v) for name, v in clash] for clash in clashes if clash[0][0] in names])
        for names in together
    ]


def _log_odds(probabilities: Float32s) -> Float64s:
    """Finite log odds; 0 where NaN."""
    p = probabilities.astype(np.float64)
    p[np.isnan(p)] = 0.5
    p = np.minimum(np.maximum(p, _LEAST), 1 - _LEAST)
    return np.asarray(np.log(p / (1 - p)), dtype=np.float64)
