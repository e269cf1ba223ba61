"""A binary classifier's rows with both classes equally often: repeated, or weighted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clip_smu.arrays import Float64s, Int8s, Int64s
from clip_smu.errors import LabelError


class ClassWeights(NamedTuple):
    """Weights of a binary classifier's rows; an unknown row weighs 0."""

    negative: float
    positive: float

    def of(self, column: Int8s) -> Float64s:
        """(N,) the weight of each row of one attribute's labels."""
        return np.where(column > 0, self.positive, np.where(column < 0, self.negative, 0.0))


def oversampled(column: Int8s, seed: int) -> Int64s:
    """Rows of one attribute's (N,) labels, ascending, with as many "yes" as "no"; unknown ones are left out.

    Each row of the larger class stands once. Those of the smaller are repeated equally often, and a random
    choice of them once more, to make up the number.

    Raises:
        LabelError: there is no "yes" or no "no".
    """
    small, large = _sides(column)
    times, rest = divmod(len(large), len(small))
    more = np.random.default_rng(seed).choice(small, rest, replace=False)
    return np.sort(np.concatenate([large, np.repeat(small, times), more]))


def class_weights(column: Int8s) -> ClassWeights:
    """Weights that do what :func:`oversampled` does, without repeating a row: 1 for the larger class.

    A sum over all rows, each times its weight, is the expectation, over seeds, of the sum over the
    oversampled rows; it is equal where the larger class is a multiple of the smaller.

    Raises:
        LabelError: there is no "yes" or no "no".
    """
    small, large = _sides(column)
    ratio = len(large) / len(small)
    return ClassWeights(1.0, ratio) if column[small[0]] > 0 else ClassWeights(ratio, 1.0)


def _sides(column: Int8s) -> tuple[Int64s, Int64s]:
    """Rows of the smaller and of the larger class."""
    yes, no = np.flatnonzero(column > 0), np.flatnonzero(column < 0)
    if not len(yes) or not len(no):
        raise LabelError(
            f"a binary classifier needs labels of both sides, found {len(yes)} yes and {len(no)} no: "
            "leave the attribute out"
        )
    return (yes, no) if len(yes) <= len(no) else (no, yes)
