"""The floor of all metrics: checked input, one sort per attribute, exact with ties, and reasons."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Bools, Float64s, Floats, Indices, Int64s, SignedInts
from clip_smu.errors import InputError

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

    value: Float64s
    n_positive: Int64s
    n_negative: Int64s
    reason: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sides:
    """The photos of known label of one attribute, its two classes apart, each by ascending score.

    Attributes:
        positive: (m,) scores of the photos labelled 1.
        negative: (n,) scores of the photos labelled -1.
    """

    positive: Floats
    negative: Floats

    @property
    def reason(self) -> str:
        """Why an AUC of these is undefined or weak."""
        m, n = len(self.positive), len(self.negative)
        constant = bool(
            m and n and self.positive[0] == self.negative[-1] and self.negative[0] == self.positive[-1]
        )
        return weakness(m, n, constant=constant)


def split(scores: Floats, labels: SignedInts) -> Sides:
    """Sorts one attribute, (N,) scores and (N,) labels: O(N log N), the one slow step of an AUC."""
    yes, no = np.flatnonzero(labels > 0), np.flatnonzero(labels < 0)
    return Sides(np.sort(scores[yes]), np.sort(scores[no]))


def rows_by_score(scores: Floats, chosen: Bools) -> Indices:
    """Rows of the chosen ones of (N,) scores, by ascending score."""
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(scores[rows])]


def doubled_wins(sides: Sides) -> tuple[Int64s, Int64s]:
    """Twice how many of the other class each photo is on the right side of, a tie for half: (m,) and (n,).

    For a positive these are negatives below it, for a negative positives above it: 2 n V10 and 2 m V01,
    DeLong's structural components, in whole numbers, by a merge of the two sorted classes.
    """
    m, n = len(sides.positive), len(sides.negative)
    lower = np.searchsorted(sides.negative, sides.positive, side="left")  # negatives below each positive
    through = np.searchsorted(sides.negative, sides.positive, side="right")  # and those equal to it
    below = np.cumsum(np.bincount(through, minlength=n + 1))[:n]  # positives below each negative
    at_most = np.cumsum(np.bincount(lower, minlength=n + 1))[:n]  # and those equal to it
    return lower + through, 2 * m - below - at_most


def doubled_area(sides: Sides) -> int:
    """Twice the pairs that are in the right order, a tie for half: 2 m n AUC."""
    lower = np.searchsorted(sides.negative, sides.positive, side="left")
    through = np.searchsorted(sides.negative, sides.positive, side="right")
    return int(lower.sum()) + int(through.sum())


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


def measure(value: ArrayLike, labels: SignedInts) -> Measure:
    """A :class:`Measure` with the counts of (N, K) labels and the reasons that they give."""
    n_positive, n_negative = count_classes(labels)
    reason = tuple(weakness(int(m), int(n)) for m, n in zip(n_positive, n_negative, strict=True))
    return Measure(np.asarray(value, dtype=np.float64), n_positive, n_negative, reason)


def count_classes(labels: SignedInts) -> tuple[Int64s, Int64s]:
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


def column(scores: Floats, labels: SignedInts, k: int) -> tuple[Floats, SignedInts]:
    """(N,) scores and (N,) labels of attribute k, each in one piece of memory: many times faster to read."""
    return np.ascontiguousarray(scores[:, k]), np.ascontiguousarray(labels[:, k])


def check(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, SignedInts]:
    """Both as (N, K) arrays; scores stay float32 or become float64.

    Raises:
        InputError: shapes differ, a score is not a number or NaN, a label is not 1, -1 or 0.
    """
    found, known = np.asarray(scores), np.asarray(labels)
    if found.shape != known.shape or found.ndim not in (1, 2):
        raise InputError(
            f"expected scores and labels of the same shape, (N, K) or (N,), found {found.shape} and "
            f"{known.shape}: give one score and one label for each photo and attribute"
        )
    if found.dtype.kind not in "fiu":
        raise InputError(
            f"expected scores as floating-point numbers, found {found.dtype}: convert them first"
        )
    if known.dtype.kind != "i":
        raise InputError(
            f"expected labels as signed integers 1, -1 and 0 (unknown), found {known.dtype}: "
            "write yes as 1, no as -1, for instance numpy.where(yes, 1, -1)"
        )
    if known.size and (known.min() < -1 or known.max() > 1):
        raise InputError(
            f"expected labels 1, -1 and 0 (unknown), found values from {known.min()} to {known.max()}: "
            "recode them"
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


def check_identity(identity: Sequence[str] | ArrayLike, photos: int) -> tuple[Indices, int]:
    """(N,) identity codes 0 to I - 1, and I.

    Raises:
        InputError: not one name or whole number per photo, or an empty name (which joins all strangers).
    """
    names = np.asarray(identity)
    if names.shape != (photos,):
        raise InputError(
            f"expected one identity for each of {photos} photos, found shape {names.shape}: give (N,)"
        )
    if names.dtype.kind not in "iuUS":
        raise InputError(
            f"expected identities as names or whole numbers, found {names.dtype}: convert them first"
        )
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
