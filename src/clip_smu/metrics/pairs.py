"""Pairs of photos, of one person or of two: LFW's lists, a csv, or drawn from persons.

Huang, Ramesh, Berg & Learned-Miller, Labeled Faces in the Wild (2007), protocol of ``pairs.txt``.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clip_smu.arrays import Bools, Indices
from clip_smu.errors import InputError
from clip_smu.storage.textfiles import read_lines, separator_of

FOLDS = 10  # of LFW's protocol, View 2


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs of photos.

    Attributes:
        first, second: names of the photos.
        same: (P,) bool, of one person.
        folds: (P,) which of the ten folds each belongs to.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    same: Bools
    folds: Indices

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: Indices) -> Pairs:
        """These pairs alone."""
        return Pairs(
            tuple(self.first[row] for row in rows),
            tuple(self.second[row] for row in rows),
            self.same[rows],
            self.folds[rows],
        )

    def sample(self, count: int) -> Pairs:
        """About ``count`` pairs, evenly from both kinds and over the whole list; all, if there are fewer."""
        rows = []
        for kind in (True, False):
            of_kind = np.flatnonzero(self.same == kind)
            wanted = min(count // 2, len(of_kind))
            rows.append(of_kind[np.linspace(0, len(of_kind) - 1, wanted).round().astype(np.intp)])
        return self.take(np.sort(np.concatenate(rows)))


def read_pairs(path: Path) -> Pairs:
    """Pairs from one of LFW's lists, or from a csv with the columns a, b, same (1 or 0).

    A line ``name i j`` is photos i and j of one person, ``name i other j`` of two; photo i of a person is
    ``name/name_000i.jpg``. The header of ``pairs.txt`` says how many folds there are, and how many pairs of each kind a
    fold has; that of ``pairsDevTrain.txt`` how many pairs of each kind. It may be missing, or be Kaggle's
    (``name,imagenum1,imagenum2``). Where there are not several folds, pairs are dealt to ten in turn within each kind.

    Raises:
        InputError: no such file, or a line of another form.
    """
    lines = read_lines(path, "a list of pairs")
    if not lines:
        raise InputError(f"expected {_FORMS}; found 'nothing' in {path}")
    separator = separator_of(lines[0])
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)
    ]
    head = [cell.lower() for cell in rows[0]]
    if head == ["a", "b", "same"]:
        return _named_pairs(path, rows[1:])
    if head[0] == "name":
        return _numbered_pairs(path, [[cell for cell in row if cell] for row in rows[1:]], 2, None)
    rows = [line.split("\t") if "\t" in line else line.split() for line in lines]
    if len(rows[0]) > 2 or not all(map(_is_number, rows[0])):  # no header
        if not _is_pair(rows[0]):
            raise InputError(f"expected {_FORMS}; found {lines[0][:40]!r} in {path}")
        return _numbered_pairs(path, rows, 1, None)
    *folds, each = map(int, rows[0])
    count = 2 * each * (folds[0] if folds else 1)
    if len(rows) - 1 != count:
        raise InputError(f"expected {count} pairs in {path} by its header, found {len(rows) - 1}")
    return _numbered_pairs(path, rows[1:], 2, 2 * each if folds and folds[0] > 1 else None)


def pairs_of_identities(photos: Sequence[tuple[str, str]], count: int = 6000, seed: int = 0) -> Pairs:
    """Pairs drawn at random: half of one person, half of two, each person with the same chance.

    Args:
        photos: (name, identity) of each; those without an identity are left out.
        count: pairs; fewer where there are not so many.
        seed: of the draw.

    Raises:
        InputError: there are no two photos of one person, or not two persons.
    """
    rng = np.random.default_rng(seed)
    persons: dict[str, list[str]] = {}
    for name, identity in photos:
        if identity:
            persons.setdefault(identity, []).append(name)
    everyone = sorted(persons)
    several = [person for person in everyone if len(persons[person]) > 1]
    if not several or len(everyone) < 2:
        raise InputError(
            f"expected several photos of several persons, a folder each; found {len(everyone)} persons, "
            f"{len(several)} of them with two photos: give such a folder, or --pairs"
        )
    sizes = [len(persons[person]) for person in everyone]
    of_one = sum(n * (n - 1) // 2 for n in sizes)
    of_two = sum(sizes) * (sum(sizes) - 1) // 2 - of_one
    drawn: dict[tuple[str, str], bool] = {}
    for same in (True, False):
        wanted = len(drawn) + min(count // 2, of_one if same else of_two)
        for _ in range(20 * count):  # draws; repeated pairs do not count
            if len(drawn) >= wanted:
                break
            if same:
                photos_of = persons[several[rng.integers(len(several))]]
                a, b = (photos_of[i] for i in rng.choice(len(photos_of), 2, replace=False))
            else:
                one, other = (persons[everyone[i]] for i in rng.choice(len(everyone), 2, replace=False))
                a, b = one[rng.integers(len(one))], other[rng.integers(len(other))]
            drawn[min(a, b), max(a, b)] = same
    return _dealt(
        [a for a, _ in drawn], [b for _, b in drawn], np.array(list(drawn.values()), dtype=np.bool_)
    )


def deal_folds(same: Bools) -> Indices:
    """(P,) fold of each pair, 0 to 9, dealt in turn within each kind."""
    folds = np.empty(len(same), np.intp)
    for kind in (same, ~same):
        folds[kind] = np.arange(kind.sum()) % FOLDS
    return folds


def _dealt(first: list[str], second: list[str], same: Bools) -> Pairs:
    return Pairs(tuple(first), tuple(second), same, deal_folds(same))


_FORMS = (
    "LFW's pairs.txt (first line: folds and pairs of a kind, as 10 300), its pairsDevTrain.txt, or a csv with the "
    "header a,b,same"
)


def _named_pairs(path: Path, rows: list[list[str]]) -> Pairs:
    for number, row in enumerate(rows, 2):
        if len(row) != 3 or row[2] not in ("0", "1"):
            raise InputError(f"expected a,b,same with same 0 or 1 in {path}, found {row} in line {number}")
    first, second = ([row[i] for row in rows] for i in (0, 1))
    return _dealt(first, second, np.array([row[2] == "1" for row in rows], dtype=np.bool_))


def _numbered_pairs(path: Path, rows: list[list[str]], line: int, fold: int | None) -> Pairs:
    """Pairs by persons and numbers, the first on ``line``, so many in a ``fold``; ``None``: to be dealt."""
    for number, row in enumerate(rows, line):
        if not _is_pair(row):
            raise InputError(
                f"expected 'name i j' or 'name i other j' in {path}, found {' '.join(row)[:80]!r} in line {number}"
            )
    first = [_lfw_name(row[0], row[1]) for row in rows]
    second = [_lfw_name(row[-2] if len(row) == 4 else row[0], row[-1]) for row in rows]
    same = np.array([len(row) == 3 for row in rows], dtype=np.bool_)
    if fold is None:
        return _dealt(first, second, same)
    return Pairs(tuple(first), tuple(second), same, np.arange(len(first), dtype=np.intp) // fold)


def _is_pair(row: list[str]) -> bool:
    return len(row) in (3, 4) and _is_number(row[1]) and _is_number(row[-1])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _lfw_name(person: str, number: str) -> str:
    return f"{person}/{person}_{int(number):04d}.jpg"
