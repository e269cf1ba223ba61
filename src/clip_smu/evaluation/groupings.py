"""Ways to part labelled faces into groups: by labels (gender, age, race, any attribute), by a column, and crossed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Indices, Int8s
from clip_smu.errors import InputError
from clip_smu.words.attributes import GROUPS, INDEX, NAMES, by_name, resolve

_CROSS = " × "  # between what is crossed; between its groups stands a comma


@dataclass(frozen=True, eq=False)
class Grouping:
    """One way to part N faces.

    Attributes:
        by: its name: "gender", "race × age".
        groups: names of its groups, :attr:`unknown` last; those without a face among them.
        of: (N,) place of each face's group in ``groups``.
        defining: columns, 0 to 46, of the attributes whose labels say the group.
    """

    by: str
    groups: tuple[str, ...]
    of: Indices
    defining: tuple[int, ...]

    @property
    def unknown(self) -> str:
        """The name of the group of faces whose group is unknown."""
        return unknown(self.by)

    def rows(self, group: str) -> Bools:
        """(N,) bool, the faces of a group."""
        return np.asarray(self.of == self.groups.index(group), dtype=np.bool_)


def unknown(by: str) -> str:
    """What the faces are called of which nobody knows the group, parted ``by``."""
    return f"unknown {by}"


def names_of(by: str | Iterable[str]) -> tuple[str, ...]:
    """What to part by, one by one; names of attributes or exclusive groups as :func:`resolve` takes them.

    Raises:
        InputError: one is neither an attribute nor an exclusive group, or comes twice.
    """
    entries = [by] if isinstance(by, str) else list(by)
    names = tuple(part.strip() for text in entries for part in text.split(",") if part.strip())
    for name in names:
        _members(name)
    return _once(names)


def groupings(
    labels: Int8s, by: Sequence[str] = (), columns: Mapping[str, Sequence[str]] | None = None
) -> tuple[Grouping, ...]:
    """Each way to part by one thing, then by two at once, and so on up to all of them.

    Of an attribute the groups are "male" and "not male"; of an exclusive group its members, each the faces of which it
    alone is labelled yes, and "other age", of which none or several are; where all its labels are 0, "unknown age". Of
    a column they are what stands in it, where an empty cell is unknown. A crossing is unknown where a part of it is.

    Args:
        labels: (N, 47) int8. by: as :func:`names_of` gives. columns: name → N texts.

    Raises:
        InputError: as :func:`names_of`; or a name comes twice.
    """
    columns = columns or {}
    _once([*by, *columns])
    single = [_by_labels(name, labels) for name in by]
    single += [_by_column(name, values) for name, values in columns.items()]
    return tuple(
        _crossed(parts) if size > 1 else parts[0]
        for size in range(1, len(single) + 1)
        for parts in combinations(single, size)
    )


def _members(name: str) -> tuple[int, ...]:
    """Columns of an attribute or of an exclusive group."""
    columns = resolve([name])
    if len(columns) > 1 and tuple(NAMES[k] for k in columns) not in GROUPS.values():
        raise InputError(
            f"expected an attribute or an exclusive group to part faces by, found {name!r}: "
            f"use one of {', '.join(GROUPS)}"
        )
    return columns


def _once(names: Sequence[str]) -> tuple[str, ...]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"faces are parted by {twice} twice: name it once")
    return tuple(names)


def _by_labels(name: str, labels: Int8s) -> Grouping:
    members = _members(name)
    values, words = labels[:, members], [by_name(NAMES[k]).label for k in members]
    if len(members) == 1:
        of = np.where(values[:, 0] == 0, 2, np.where(values[:, 0] > 0, 0, 1))
        return Grouping(name, (words[0], f"not {words[0]}", unknown(name)), of.astype(np.intp), members)
    yes = values > 0
    place = np.where(yes.sum(axis=1) == 1, yes.argmax(axis=1), len(members))
    of = np.where((values == 0).all(axis=1), len(members) + 1, place)
    return Grouping(name, (*words, f"other {name}", unknown(name)), of.astype(np.intp), members)


def _by_column(name: str, values: Sequence[str]) -> Grouping:
    groups = sorted({value for value in values if value})
    place = {value: number for number, value in enumerate(groups)}
    of: NDArray[np.intp] = np.array([place.get(value, len(groups)) for value in values], dtype=np.intp)
    defining = (INDEX[name],) if name in INDEX else ()
    return Grouping(name, (*groups, unknown(name)), of, defining)


def _crossed(parts: Sequence[Grouping]) -> Grouping:
    known = [part.groups[:-1] for part in parts]
    groups = [", ".join(names) for names in product(*known)]
    of = np.zeros(len(parts[0].of), dtype=np.intp)
    missing = np.zeros(len(of), dtype=np.bool_)
    for part, names in zip(parts, known, strict=True):
        of = of * len(names) + part.of
        missing |= part.of == len(names)
    of[missing] = len(groups)
    defining = tuple(dict.fromkeys(k for part in parts for k in part.defining))
    by = _CROSS.join(part.by for part in parts)
    return Grouping(by, (*groups, unknown(by)), of, defining)
