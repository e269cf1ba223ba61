"""An expression as cases that exclude each other, so that their probabilities add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from clip_smu.errors import InputError
from clip_smu.words.coherence import AT_MOST_ONE, CLASHES
from clip_smu.words.expression import And, Expression, Not, Or, Part

MOST_CASES = 64
Sides = dict[str, bool]
"""Attributes that hold (or not) together."""


@dataclass(frozen=True, slots=True)
class Case:
    """Attributes with the side on which each is; ``sign`` 1 or -1: its probability is added, or taken away."""

    sign: int
    sides: tuple[tuple[str, bool], ...]


def cases(expression: Expression) -> tuple[Case, ...]:
    """The expression's probability as a signed sum of probabilities that attributes hold together.

    "glasses or a hat" is glasses, and no glasses with a hat. What the rules of :mod:`clip_smu.words.coherence` forbid
    has no case, and what they imply is not asked for: a man with a mustache is one with a mustache, and nobody is bald
    and blond. Neither of two that exclude each other ("neither Asian nor white") is all but the one and but the other.

    Raises:
        InputError: the expression has an unknown or refused phrase, or over `MOST_CASES` cases.

    Example:
        >>> glasses, hat = Part("glasses", (("Eyeglasses", True),)), Part("hat", (("Wearing_Hat", True),))
        >>> [dict(one.sides) for one in cases(Or((glasses, hat)))]
        [{'Eyeglasses': True}, {'Eyeglasses': False, 'Wearing_Hat': True}]
    """
    return tuple(one for sides in _cases(expression) for one in _counted(1, _plain(sides)))


def _cases(expression: Expression) -> list[Sides]:
    if isinstance(expression, Part):
        return _possible([dict(expression.means)])
    if isinstance(expression, Not):
        return _none_of(_cases(expression.of))
    if isinstance(expression, And):
        found: list[Sides] = [{}]
        for one in expression.of:
            found = _both(found, _cases(one))
        return found
    if isinstance(expression, Or):
        found = []
        for one in expression.of:
            found = _few([*found, *_both(_none_of(found), _cases(one))])
        return found
    raise InputError(f"expected phrases that are known, found {expression.phrase!r}: ask in other words")


def _both(first: Iterable[Sides], second: list[Sides]) -> list[Sides]:
    agreeing = (
        {**one, **other}
        for one in first
        for other in second
        if all(other.get(name, side) == side for name, side in one.items())
    )
    return _few(_possible(agreeing))


def _none_of(found: list[Sides]) -> list[Sides]:
    """The cases of the opposite, apart from each other: not a; a and not b; a, b and not c ..."""
    left: list[Sides] = [{}]
    for sides in found:
        items = list(sides.items())
        left = _both(left, [{**dict(items[:k]), name: not side} for k, (name, side) in enumerate(items)])
    return left


def _possible(found: Iterable[Sides]) -> list[Sides]:
    return [sides for sides in found if not any(clash.items() <= sides.items() for clash in _clashes())]


def _plain(sides: Sides) -> Sides:
    """Without what the rest implies."""
    for first, second in _pairs():
        name, side = second
        if sides.get(first[0]) == first[1] and sides.get(name) == (not side):
            sides = {one: value for one, value in sides.items() if one != name}
    return sides


def _counted(sign: int, sides: Sides) -> list[Case]:
    """The case; where it denies several of which at most one holds, all but each of them."""
    for names in AT_MOST_ONE:
        denied = [name for name in names if sides.get(name) is False]
        if len(denied) > 1:
            rest = {name: side for name, side in sides.items() if name not in denied}
            found = _counted(sign, rest)
            for name in denied:
                for one in _possible([{**rest, name: True}]):
                    found += _counted(-sign, _plain(one))
            return found
    return [Case(sign, tuple(sides.items()))]


def _few(found: list[Sides]) -> list[Sides]:
    if len(found) > MOST_CASES:
        raise InputError(
            f"expected a question of at most {MOST_CASES} cases, found {len(found)}: ask for fewer things"
        )
    return found


@cache
def _clashes() -> tuple[Sides, ...]:
    return tuple({name: side > 0 for name, side in clash} for clash in CLASHES)


@cache
def _pairs() -> tuple[tuple[tuple[str, bool], tuple[str, bool]], ...]:
    """(what holds, what then does not hold), both ways round."""
    pairs = [tuple(sides.items()) for sides in _clashes() if len(sides) == 2]
    return tuple((a, b) for pair in pairs for a, b in (pair, pair[::-1]))
