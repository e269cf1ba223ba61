"""The floor of all metrics: checked input, one sort per attribute with its ties, and reasons for weak figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip_smu.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Scores = NDArray[np.floating[Any]]
Labels = NDArray[np.signedinteger[Any]]
T = TypeVar("T")

MIN_CLASS = 10  # fewer positives or negatives than this: the figure carries a reason
_THREADED_SIZE = 500_000  # N x K from which threads pay; NumPy lets go of the GIL while it sorts
_MAX_THREADS = 8


@dataclass(frozen=True, eq=False)
class Measure:
    """One figure per attribute.

    Attributes:
        value: (K,) float64, or (K, F) where F operating points were asked for; NaN where undefined.
        n_positive: (K,) int64 photos labelled 1.
        n_negative: (K,) int64 photos labelled -1.
        reason: K strings, empty where nothing is wrong; never empty where a value is NaN.
    """

    value: Floats
    n_positive: Integers
    n_negative: Integers
    reason: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The n photos of known label of one attribute, by ascending score.

    Attributes:
        rows: (n,) rows of these photos in the input.
        scores: (n,) ascending.
        positive: (n,) bool.
        ends: (G,) index just past each of the G runs of equal scores.
    """

    rows: NDArray[np.intp]
    scores: Scores
    positive: NDArray[np.bool_]
    ends: NDArray[np.intp]

    @property
    def n_positive(self) -> int:
        return int(np.count_nonzero(self.positive))

    @property
    def n_negative(self) -> int:
        return len(self.positive) - self.n_positive

    @property
    def reason(self) -> str:
        return weakness(self.n_positive, self.n_negative, constant=len(self.ends) == 1)


def rank(scores: Scores, labels: Labels) -> Ranking:
    """Sorts one attribute, (N,) scores and (N,) labels, once: O(n log n)."""
    labels = np.ascontiguousarray(labels)
    known = np.flatnonzero(labels)
    kept = scores[known]
    order = np.argsort(kept)
    ascending = kept[order]
    rows = known[order]
    ends = np.append(np.flatnonzero(ascending[1:] != ascending[:-1]) + 1, len(rows))[: len(rows)]
    return Ranking(rows, ascending, labels[rows] > 0, ends)


def doubled_wins(ranking: Ranking) -> Integers:
    """(n,) twice the photos of the other class that each photo is on the right side of; a tie is half a win.

    For a positive these are negatives below it, for a negative they are positives above it: 2 n V10 and
    2 m V01, DeLong's structural components, from midranks (Sun & Xu 2014), as exact integers.
    """
    positive = ranking.positive
    n = len(positive)
    ends = ranking.ends
    negatives = np.cumsum(~positive)  # at or before each place in the order
    if len(ends) == n:
        negatives_below = 2 * negatives - ~positive  # strictly below, plus not above
        photos_below = 2 * np.arange(n) + 1
    else:
        sizes = np.diff(ends, prepend=0)
        through = negatives[ends - 1]
        negatives_below = np.repeat(through + np.append(0, through[:-1]), sizes)
        photos_below = np.repeat(2 * ends - sizes, sizes)
    positives_below = photos_below - negatives_below
    return np.where(positive, negatives_below, 2 * ranking.n_positive - positives_below)


def weakness(n_positive: int, n_negative: int, constant: bool = False) -> str:
    """Why a figure of so many positives and negatives is undefined or weak; empty if it is neither."""
    if n_positive + n_negative == 0:
        return "no labels"
    if n_positive == 0:
        return "no positives"
    if n_negative == 0:
        return "no negatives"
    if constant:
        return "constant score"
    if n_positive < MIN_CLASS:
        return "too few positives"
    if n_negative < MIN_CLASS:
        return "too few negatives"
    return ""


def measure(value: ArrayLike, labels: Labels) -> Measure:
    """A :class:`Measure` that does not depend on the order of the scores, with the counts of (N, K) labels."""
    n_positive, n_negative = count_classes(labels)
    reason = tuple(weakness(int(m), int(n)) for m, n in zip(n_positive, n_negative, strict=True))
    return Measure(np.asarray(value, dtype=np.float64), n_positive, n_negative, reason)


def count_classes(labels: Labels) -> tuple[Integers, Integers]:
    """(K,) positives and (K,) negatives of (N, K) labels."""
    return (labels > 0).sum(axis=0, dtype=np.int64), (labels < 0).sum(axis=0, dtype=np.int64)


def each_attribute(work: Callable[[int], T], shape: tuple[int, ...]) -> list[T]:
    """``work(k)`` for each attribute of an (N, K) shape, in order; on threads where there is enough to do."""
    photos, attributes = shape
    threads = min(os.cpu_count() or 1, attributes, _MAX_THREADS)
    if photos * attributes < _THREADED_SIZE or threads < 2:
        return [work(k) for k in range(attributes)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(attributes)))


def check(scores: ArrayLike, labels: ArrayLike) -> tuple[Scores, Labels]:
    """Both as (N, K) arrays; scores stay float32 or become float64.

    Raises:
        InputError: shapes differ, a score is not a number or NaN, a label is not 1, -1 or 0.
    """
    found, known = np.asarray(scores), np.asarray(labels)
    if found.shape != known.shape or found.ndim not in (1, 2):
        raise InputError(
            f"expected scores and labels of the same shape, (N, K) or (N,), found {found.shape} and {known.shape}: "
            "give one score and one label for each photo and attribute"
        )
    if found.dtype.kind not in "fiu":
        raise InputError(f"expected scores as floating-point numbers, found {found.dtype}: convert them first")
    if known.dtype.kind != "i":
        raise InputError(
            f"expected labels as signed integers 1, -1 and 0 (unknown), found {known.dtype}: "
            "write yes as 1, no as -1, for instance numpy.where(yes, 1, -1)"
        )
    if known.size and (known.min() < -1 or known.max() > 1):
        raise InputError(
            f"expected labels 1, -1 and 0 (unknown), found values from {known.min()} to {known.max()}: recode them"
        )
    if found.dtype != np.float32:
        found = found.astype(np.float32 if found.dtype == np.float16 else np.float64, copy=False)
    if found.size and np.isnan(found.min()):
        count = int(np.isnan(found).sum())
        raise InputError(
            f"expected scores without NaN, found {count} of {found.size}: leave these photos out, "
            "or find out what made them"
        )
    if found.ndim == 1:
        found, known = found[:, None], known[:, None]
    return found, known


def check_identity(identity: Sequence[str] | ArrayLike, photos: int) -> tuple[NDArray[np.intp], int]:
    """(N,) identity codes 0 to I - 1, and I.

    Raises:
        InputError: not one name or whole number per photo, or an empty name (which joins all strangers).
    """
    names = np.asarray(identity)
    if names.shape != (photos,):
        raise InputError(f"expected one identity for each of {photos} photos, found shape {names.shape}: give (N,)")
    if names.dtype.kind not in "iuUS":
        raise InputError(f"expected identities as names or whole numbers, found {names.dtype}: convert them first")
    if names.dtype.kind in "US" and np.any(names == names.dtype.type()):
        raise InputError(
            "expected a name for each identity, found an empty one: leave these photos out, "
            "or give each unknown person a name of his own"
        )
    unique, codes = np.unique(names, return_inverse=True)
    return codes.reshape(-1), len(unique)


def check_level(level: float) -> float:
    """The level of confidence, if it lies inside (0, 1)."""
    if not 0 < level < 1:
        raise InputError(f"expected a level of confidence between 0 and 1, found {level}: 0.95 is usual")
    return level
