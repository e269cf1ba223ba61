"""Persons: which photos are of one, and that a photo of an unknown person ("") is of a person of its own.

Every count of persons, every fold, interval and overlap between lists goes through here. Names are compared in
Unicode's composed form (NFC): a file system or an editor may have taken an accent apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from clip_smu.arrays import Indices
from clip_smu.errors import LabelError


def persons_apart(identities: Sequence[str]) -> list[str]:
    """N names, in which photos of one person, and only those, have the same; strangers ("") each get one of their own.

    Example:
        >>> len(set(persons_apart(["ann", "ann", "", ""])))
        3
    """
    return [composed(identity) or f"\0{row}" for row, identity in enumerate(identities)]


def composed(identity: str) -> str:
    """A person's name in NFC."""
    return identity if identity.isascii() else unicodedata.normalize("NFC", identity)


def person_numbers(identities: Sequence[str]) -> Indices:
    """(N,) number of each photo's person, 0 to :func:`count_persons` - 1, in the order of their names."""
    return np.asarray(np.unique(persons_apart(identities), return_inverse=True)[1], dtype=np.intp)


def count_persons(identities: Sequence[str]) -> int:
    """Number of persons; each stranger ("") counts."""
    return len(set(persons_apart(identities)))


def known_persons(identities: Iterable[str]) -> set[str]:
    """The persons that are known by name, in NFC."""
    return {composed(identity) for identity in identities} - {""}


def in_both(some: Iterable[str], others: Iterable[str]) -> set[str]:
    """The persons known by name on both sides, in NFC: two strangers are never taken for one person."""
    return known_persons(some) & known_persons(others)


def require_persons(identities: Sequence[str], folds: int) -> None:
    """Refuses fewer persons than folds, at the start of a job and not after its trainings.

    Raises:
        LabelError: there are fewer.
    """
    found = count_persons(identities)
    if found < folds:
        raise LabelError(
            f"expected at least {folds} persons, one a fold, found {found}: give photos of more persons, or fewer folds"
        )
