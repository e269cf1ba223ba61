"""Names of photos: the one rule by which two spellings are taken for one photo, or refused.

Labels, lists, landmarks, pairs, captions and evaluations name photos from different folders. Names match **whole**;
else by their **longest common tail** of path parts, if on both sides no other name ends in it. A tail that several
names end in is refused, never guessed, and each name is decided by itself. Two names that both have a folder do not
match by the file's name alone: a folder is a person.

Compared as a person would: Unicode's composed form (NFC), ``\\`` as ``/``, no ``./`` and no ``/`` in front, and, where
that finds nothing, whatever the letter case and the kind of picture (``0001.png`` is ``0001.JPG`` is ``0001``).
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Bools, Int64s
from clip_smu.photos.spelling import all_clean, all_folded, clean, distinct, folded, mapped

ABSENT, AMBIGUOUS = -1, -2
_CHUNK = 65_536


@dataclass(frozen=True, eq=False)
class Matches:
    """What :func:`match` found.

    Attributes:
        at: (M,) int64, the place of each name among the known ones; ``ABSENT`` where there is none, ``AMBIGUOUS``
            where the longest common tail is not unique.
        first: words on the first ambiguous name, with its tail; "" where none is.
    """

    at: Int64s
    first: str

    @property
    def ambiguous(self) -> int:
        """Number of names that were refused."""
        return int((self.at == AMBIGUOUS).sum())


def match(names: Sequence[str], known: Sequence[str], persons: Sequence[str] | None = None) -> Matches:
    """Finds each name among the known ones, by the rule of this module's head.

    A name that is repeated on a side (in any clean spelling) is one name there; of the known, its first row counts.

    Args:
        names: M names.
        known: N names.
        persons: who each of the known shows, "" where unknown. Where both names have other folders before their common
            tail, and the person is one of the known name's folders, the tail must hold it.

    Example:
        >>> match(["train/ann/1.png", "db/cat/1.jpg"], ["ann/1.jpg", "bob/1.jpg"]).at.tolist()
        [0, -1]
    """
    left, own, place_of = distinct(names)
    right, rows, _ = distinct(known)
    at = _places(left, right)
    rest = np.flatnonzero(at < 0)
    first = ""
    if len(rest) and len(right):
        left, right = all_folded(left), all_folded(right)
        at[rest] = _whole(left, right, rest)
        rest = rest[at[rest] < 0]
        sides = _Side(left), _Side(right)
        del left, right  # millions of names: a side lets go of what it has looked at
        tails = _longest_tails(*sides, rest)
        at[rest] = tails.decided()
        if persons is not None:
            for name in rest[(at[rest] >= 0) & ~tails.known_whole].tolist():
                row = int(rows[at[name]])
                if not _holds_person(names[own[name]], known[row], persons[row]):
                    at[name] = ABSENT
        refused = np.flatnonzero(at[rest] == AMBIGUOUS)
        if len(refused):
            first = tails.words(int(refused[0]), clean(names[own[rest[refused[0]]]]))
    found = np.where(at >= 0, rows[np.maximum(at, 0)], at) if len(rows) else at
    return Matches(found[place_of], first)


class NameIndex:
    """Finds names one by one by the same rule, where nobody knows the other names on their side.

    It holds each known name and its key, about 100 bytes a name.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Of N distinct names."""
        import pyarrow as pa
        from pyarrow import compute

        self._names = all_clean(names)
        parts = (self._names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK))
        keys = pa.chunked_array([mapped(part, _key) for part in parts], pa.large_string()).combine_chunks()
        self._order = compute.sort_indices(keys).to_numpy()
        self._keys = keys.take(self._order)

    def find(self, name: str) -> int:
        """The place of a name among those that the index is of, or ``ABSENT``, or ``AMBIGUOUS``."""
        key = _key(name)
        parts = key.count(_END)
        at = self._from(key)
        near = (self._at(row) for row in (at - 1, at) if 0 <= row < len(self._keys))
        length = max((_in_common(key, other) for other in near), default=0)
        if not length:
            return ABSENT
        tail = _END.join(key.split(_END)[:length]) + _END
        first, last = self._from(tail), self._from(tail[:-1] + _AFTER_END)
        whole = bisect_right(range(len(self._keys)), tail, key=self._at) - first  # names that are the tail
        if length == parts and whole:
            same = clean(name)
            places = [int(self._order[row]) for row in range(first, first + whole)]
            spelt = [place for place in places if self._names[place].as_py() == same]
            return (spelt or places)[0] if spelt or whole == 1 else AMBIGUOUS
        if length == 1 and parts > 1 and not whole:
            return ABSENT
        return int(self._order[first]) if last - first == 1 else AMBIGUOUS

    def _from(self, key: str) -> int:
        return bisect_left(range(len(self._keys)), key, key=self._at)

    def _at(self, row: int) -> str:
        return str(self._keys[row].as_py())


_END, _AFTER_END = "\0", "\1"


def _key(name: str) -> str:
    """The folded parts, last one first, each with an end: names with a common tail have a common beginning."""
    return "".join(part + _END for part in reversed(folded(name).split("/")))


def _in_common(key: str, other: str) -> int:
    """How many parts two keys have in common from their beginning."""
    pairs = zip(key.split(_END)[:-1], other.split(_END)[:-1], strict=False)
    return next(
        (k for k, (one, two) in enumerate(pairs) if one != two), min(key.count(_END), other.count(_END))
    )


# ---------------------------------------------------------------- many names at once


@dataclass(frozen=True, eq=False)
class _Tails:
    """Of R names, the longest tail that a known name has too (or one that is long enough to decide).

    Attributes:
        length: (R,) parts of the tail, 0 where there is none.
        on_left, on_right: (R,) names of either side that end in it.
        place: (R,) a known name that does.
        whole: (R,) whether the tail is the whole of the name, or of one of the known names.
        known_whole: (R,) the latter.
    """

    length: Int64s
    on_left: Int64s
    on_right: Int64s
    place: Int64s
    whole: Bools
    known_whole: Bools

    def decided(self) -> Int64s:
        """(R,) the place of each name, ``ABSENT`` or ``AMBIGUOUS``."""
        fits = (self.length > 1) | ((self.length == 1) & self.whole)
        unique = (self.on_left == 1) & (self.on_right == 1)
        return np.where(~fits, ABSENT, np.where(unique, self.place, AMBIGUOUS))

    def words(self, row: int, name: str) -> str:
        tail = "/".join(name.split("/")[-int(self.length[row]) :])
        return f"{name}: {self.on_right[row]} known and {self.on_left[row]} given names end in {tail}"


class _Side:
    """Names of one side that may still share a tail, and what stands before it."""

    def __init__(self, names: Any) -> None:
        self.rows = np.arange(len(names))
        self.group = np.zeros(len(names), dtype=np.int64)  # names of one number share the tail so far
        self.before = names  # what stands before the tail

    def cut(self) -> Any:
        """Takes the last part off, and gives it; names that have nothing before the tail leave."""
        import pyarrow as pa
        from pyarrow import compute

        pieces = compute.split_pattern(self.before, "/", max_splits=1, reverse=True)
        ends = pieces.offsets.to_numpy()
        self.bare = np.diff(ends) == 1
        last = pieces.values.take(pa.array(ends[1:] - 1))
        self.before = pieces.values.take(pa.array(ends[:-1]))
        return last

    def keep(self, kept: Bools) -> None:
        import pyarrow as pa

        self.rows, self.group, self.bare = self.rows[kept], self.group[kept], self.bare[kept]
        self.before = self.before.filter(pa.array(kept))


def _longest_tails(left: _Side, right: _Side, rest: Int64s) -> _Tails:
    """The longest common tail of each name ``rest`` of the left side with the right side's; uses both sides up.

    From short tails to long: only names that share a tail of n parts can share one of n + 1.
    """
    import pyarrow as pa

    found = _Tails(*np.zeros((4, len(rest)), dtype=np.int64), *np.zeros((2, len(rest)), dtype=np.bool_))
    place_in_rest = np.full(len(left.rows), -1, dtype=np.int64)
    place_in_rest[rest] = np.arange(len(rest))
    sides, length = (left, right), 0
    while len(left.rows) and len(right.rows) and (place_in_rest[left.rows] >= 0).any():
        length += 1
        group = _codes(pa.chunked_array([side.cut() for side in sides]))
        group += np.concatenate([side.group for side in sides]) * (int(group.max()) + 1)
        group = _codes(pa.chunked_array([group]))
        left.group, right.group = np.split(group, [len(left.rows)])
        kinds = int(group.max()) + 1
        on_left, on_right = (np.bincount(side.group, minlength=kinds) for side in sides)
        place, bare = np.zeros(kinds, dtype=np.int64), np.zeros(kinds, dtype=np.bool_)
        place[right.group] = right.rows
        bare[right.group[right.bare]] = True

        asked = place_in_rest[left.rows]
        told = (asked >= 0) & (on_right[left.group] > 0)
        at, kind = asked[told], left.group[told]
        found.length[at], found.place[at] = length, place[kind]
        found.on_left[at], found.on_right[at] = on_left[kind], on_right[kind]
        found.known_whole[at] = bare[kind]
        found.whole[at] = bare[kind] | left.bare[told]

        one_pair = (on_left == 1) & (on_right == 1) & (length > 1)  # no longer tail could say more
        going = np.zeros(kinds, dtype=np.bool_)
        going[kind[~left.bare[told]]] = True
        going &= ~one_pair
        for side in sides:
            side.keep(going[side.group] & ~side.bare)
    return found


def _codes(values: Any) -> Int64s:
    """Equal values of a chunked array get equal numbers, from 0."""
    chunks = values.dictionary_encode().unify_dictionaries().chunks
    return np.concatenate([chunk.indices.to_numpy() for chunk in chunks]).astype(np.int64)


def _whole(a: Any, b: Any, rest: Int64s) -> Int64s:
    """The one known name of the same folded text as each name of ``rest``, if no other name has it; or ``ABSENT``."""
    from pyarrow import compute

    kinds = compute.unique(a.take(rest))
    of_a, of_b, code = (_places(side, kinds) for side in (a, b, a.take(rest)))
    on_left, on_right = (np.bincount(codes[codes >= 0], minlength=len(kinds)) for codes in (of_a, of_b))
    place = np.zeros(len(kinds), dtype=np.int64)
    place[of_b[of_b >= 0]] = np.flatnonzero(of_b >= 0)
    return np.where((on_left[code] == 1) & (on_right[code] == 1), place[code], ABSENT)


def _holds_person(name: str, known: str, person: str) -> bool:
    """Whether the common tail holds the known name's folder of that person, if it has one."""
    ours, theirs = folded(name).split("/"), folded(known).split("/")
    common = next((k for k in range(len(ours)) if ours[-1 - k :] != theirs[-1 - k :]), len(ours))
    who = unicodedata.normalize("NFC", clean(person).casefold()) if person else ""
    inside = common in (len(ours), len(theirs))
    return inside or who not in theirs[:-1] or who in theirs[len(theirs) - common : -1]


def _places(names: Any, known: Any) -> Int64s:
    """(M,) the place of each text among distinct others, or ``ABSENT``."""
    from pyarrow import compute

    return np.array(compute.index_in(names, known).fill_null(ABSENT).to_numpy(), dtype=np.int64)
