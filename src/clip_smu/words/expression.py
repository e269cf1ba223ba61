"""What a question asks: a small expression over parts that can be read, told in words and as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clip_smu.words.coherence import CLASHES

Means = tuple[tuple[str, bool], ...]
"""Attributes that hold together, each with whether it is asked for or its absence is."""


@dataclass(frozen=True, slots=True)
class Part:
    """A phrase that labels cover.

    Attributes:
        phrase: as it was asked ("portly").
        means: what it stands for, all of it together: Chubby yes.
        weight: how surely the phrase means that, 0 to 1.
    """

    phrase: str
    means: Means
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Unknown:
    """A phrase of which the lexicon does not know every word."""

    phrase: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A phrase that cannot be answered, and why: a key of :data:`clip_smu.words.refusal.REASONS`."""

    phrase: str
    reason: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of several."""

    of: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of several."""

    of: tuple[Expression, ...]


Expression = Part | Unknown | Refused | Not | And | Or
Leaf = Part | Unknown | Refused


def negated(one: Expression) -> Expression:
    """Its opposite, without a double negation."""
    return one.of if isinstance(one, Not) else Not(one)


def together(parts: Iterable[Expression], kind: type[And] | type[Or] = And) -> Expression:
    """All of them (or any, with ``Or``), each once, without brackets in brackets; one alone is itself."""
    flat: list[Expression] = []
    for one in parts:
        flat += one.of if isinstance(one, kind) else [one]
    found = tuple(dict.fromkeys(flat))
    return found[0] if len(found) == 1 else kind(found)


def leaves(expression: Expression) -> Iterator[tuple[Leaf, bool]]:
    """Parts, unknown and refused phrases in their order, each with whether it is asked for or denied."""
    if isinstance(expression, Not):
        yield from ((leaf, not asked) for leaf, asked in leaves(expression.of))
    elif isinstance(expression, And | Or):
        for one in expression.of:
            yield from leaves(one)
    else:
        yield expression, True


def replaced(expression: Expression, known: Callable[[str], Expression]) -> Expression:
    """The expression with what ``known`` makes of each unknown phrase in its place."""
    if isinstance(expression, Not):
        return negated(replaced(expression.of, known))
    if isinstance(expression, And | Or):
        return together((replaced(one, known) for one in expression.of), type(expression))
    return known(expression.phrase) if isinstance(expression, Unknown) else expression


def asked_for(expression: Expression) -> dict[str, set[bool]]:
    """Attribute → the sides on which the expression names it, in the order of the question."""
    sides: dict[str, set[bool]] = {}
    for leaf, asked in leaves(expression):
        for name, side in leaf.means if isinstance(leaf, Part) else ():
            sides.setdefault(name, set()).add(side == asked)
    return sides


def in_words(expression: Expression) -> str:
    """How it was understood.

    Example:
        >>> hat, glasses = Part("hat", (("Wearing_Hat", True),)), Part("glasses", (("Eyeglasses", True),))
        >>> in_words(And((hat, Not(glasses))))
        'hat AND NOT glasses: Wearing_Hat yes, Eyeglasses no'
    """
    told = _sides(expression)
    return _logic(expression) + (f": {told}" if told else "")


def to_dict(expression: Expression) -> dict[str, Any]:
    """The expression as JSON values: ``{"and": [...]}``, ``{"not": ...}``, ``{"phrase": ..., "means": {...}}``."""
    if isinstance(expression, Not):
        return {"not": to_dict(expression.of)}
    if isinstance(expression, And | Or):
        return {type(expression).__name__.lower(): [to_dict(one) for one in expression.of]}
    if isinstance(expression, Part):
        means = {name: "yes" if side else "no" for name, side in expression.means}
        return {"phrase": expression.phrase, "means": means, "weight": expression.weight}
    if isinstance(expression, Refused):
        return {"phrase": expression.phrase, "refused": expression.reason}
    return {"phrase": expression.phrase, "unknown": True}


def contradiction(expression: Expression) -> str:
    """What cannot be true of one face together in all that an expression asks for at once, or "".

    Example:
        >>> contradiction(And((Part("bald", (("Bald", True),)), Part("blond", (("Blond_Hair", True),)))))
        'Bald yes and Blond_Hair yes'
    """
    if isinstance(expression, Or):
        return next((text for one in expression.of if (text := contradiction(one))), "")
    must: set[tuple[str, int]] = set()
    for one in expression.of if isinstance(expression, And) else (expression,):
        inner = one.of if isinstance(one, Not) else one
        if isinstance(inner, Part) and (inner is one or len(inner.means) == 1):
            must |= {(name, 1 if side == (inner is one) else -1) for name, side in inner.means}
    clashes = (*CLASHES, *(((name, 1), (name, -1)) for name, side in must if side > 0))
    for clash in clashes:
        if must.issuperset(clash):
            return " and ".join(f"{name} {'yes' if side > 0 else 'no'}" for name, side in clash)
    return ""


def excluded(first: tuple[str, bool], second: tuple[str, bool]) -> bool:
    """Whether two sides of attributes cannot be true of one face."""
    return (first[0] == second[0] and first[1] != second[1]) or frozenset((first, second)) in _EXCLUDED


def _sides(expression: Expression) -> str:
    """The attributes that an expression asks for, each with its side, or "" where no phrase names one."""
    if isinstance(expression, Part):
        return ", ".join(f"{name} {'yes' if side else 'no'}" for name, side in expression.means)
    if isinstance(expression, Not):
        one = expression.of
        if isinstance(one, Part) and len(one.means) == 1:
            ((name, side),) = one.means
            return f"{name} {'no' if side else 'yes'}"
        return f"not ({told})" if (told := _sides(one)) else ""
    if isinstance(expression, And | Or):
        joint, other = (", ", " or ") if isinstance(expression, And) else (" or ", ", ")
        several = [f"({told})" if other in told else told for one in expression.of if (told := _sides(one))]
        return joint.join(dict.fromkeys(several))
    return ""


def _logic(expression: Expression, inside: bool = False) -> str:
    if isinstance(expression, Not):
        return f"NOT {_logic(expression.of, True)}"
    if isinstance(expression, And | Or):
        joined = f" {type(expression).__name__.upper()} ".join(_logic(one, True) for one in expression.of)
        return f"({joined})" if inside else joined
    if isinstance(expression, Part):
        return expression.phrase
    mark = "not known" if isinstance(expression, Unknown) else expression.reason
    return f"[{expression.phrase}: {mark}]"


_EXCLUDED = frozenset(
    frozenset((name, side > 0) for name, side in clash) for clash in CLASHES if len(clash) == 2
)
