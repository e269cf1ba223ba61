"""The probability of an expression, with an interval, from its attributes' probabilities and their dependence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Float32s, Float64s, Floats
from clip_smu.metrics.orthants import all_of
from clip_smu.words.cases import Case, cases
from clip_smu.words.expression import Expression, Part, asked_for, leaves


@dataclass(frozen=True, eq=False)
class Likely:
    """How likely an expression is of N templates.

    Attributes:
        probabilities: (N,) float32, 0 to 1; NaN where a template was not read. low, high: ends of the interval.
    """

    probabilities: Float32s
    low: Float32s
    high: Float32s


def answer(
    expression: Expression,
    probabilities: Floats,
    attributes: Sequence[str],
    dependence: Floats,
    *,
    low: Mapping[str, Floats] | None = None,
    high: Mapping[str, Floats] | None = None,
    intervals: bool = True,
) -> Likely:
    """How likely an expression is, of N templates.

    A single attribute has its calibrated probability. Several are joined by a Gaussian copula: as likely together as
    normal variables with the correlations that labels show given such probabilities. The rules of
    :mod:`clip_smu.words.coherence` hold exactly: of sets of which at most one is true, "or" adds.

    The interval is what is left when each attribute is anywhere in its own and the attributes go together as labels
    show or not at all; it never leaves what any dependence allows (Fréchet's bounds). A phrase that means its
    attribute with weight w has ends of ``w low`` and ``1 - w (1 - high)``.

    Args:
        expression: parts alone; without unknown or refused phrases.
        probabilities: (N, K) calibrated and coherent, as :meth:`TemplateReader.read` gives them.
        attributes: K names. dependence: (K, K) correlations; see :mod:`clip_smu.interpreter.dependence`.
        low, high: name → (N,) ends of the attribute's own interval; the probability itself where not given.
        intervals: whether to give them; else both ends are the probability.

    Raises:
        InputError: it has too many cases.
    """
    found = cases(expression)
    place = {name: k for k, name in enumerate(attributes)}
    names = list(dict.fromkeys(name for one in found for name, _ in one.sides))
    middle = {name: np.asarray(probabilities[:, place[name]], dtype=np.float64) for name in names}
    at = [place[name] for name in names]
    joined = np.asarray(dependence, dtype=np.float64)[np.ix_(at, at)]
    count = len(probabilities)
    likely = _total(found, middle, names, joined, count)
    ways = (joined, np.eye(len(names))) if any(len(one.sides) > 1 for one in found) else (joined,)
    ends = []
    for lower, outer in ((True, np.min), (False, np.max)):
        if not intervals:
            ends.append(likely.copy())
            continue
        column = _outermost(expression, middle, low or {}, high or {}, lower)
        ends.append(outer([likely, *(_total(found, column, names, how, count) for how in ways)], axis=0))
    missing = np.any([np.isnan(one) for one in middle.values()], axis=0) if names else np.zeros(count, bool)
    made = []
    for values in (likely, *ends):
        values[missing] = np.nan
        made.append(values.astype(np.float32))
    return Likely(*made)


def _total(
    found: Sequence[Case], column: Mapping[str, Float64s], names: Sequence[str], joined: Float64s, count: int
) -> Float64s:
    """(N,) the sum of the cases' probabilities, 0 to 1."""
    total = np.zeros(count)
    for one in found:
        at = [names.index(name) for name, _ in one.sides]
        signs = np.array([1.0 if side else -1.0 for _, side in one.sides])
        p = np.empty((count, len(one.sides)))
        for k, (name, side) in enumerate(one.sides):
            p[:, k] = column[name] if side else 1 - column[name]
        total += one.sign * all_of(p, joined[np.ix_(at, at)] * signs[:, None] * signs)
    return np.clip(total, 0, 1)


def _outermost(
    expression: Expression,
    middle: Mapping[str, Float64s],
    low: Mapping[str, Floats],
    high: Mapping[str, Floats],
    lower: bool,
) -> dict[str, Float64s]:
    """Each attribute at the end of its interval that makes the expression least (or most) likely.

    What is asked for and denied in one expression stays where it is.
    """
    sides = asked_for(expression)
    weights: dict[str, float] = {}
    for leaf, _ in leaves(expression):
        for name, _side in leaf.means if isinstance(leaf, Part) else ():
            weights[name] = min(weights.get(name, 1.0), leaf.weight if isinstance(leaf, Part) else 1.0)
    made = {}
    for name, p in middle.items():
        asked = sides.get(name, set())
        if len(asked) != 1:
            made[name] = p
            continue
        yes = True in asked
        if yes == lower:
            made[name] = weights[name] * np.asarray(low.get(name, p), dtype=np.float64)
        else:
            made[name] = 1 - weights[name] * (1 - np.asarray(high.get(name, p), dtype=np.float64))
    return made
