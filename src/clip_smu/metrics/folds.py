"""Splits that keep persons apart: no identity stands on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clip_smu.arrays import Int64s
from clip_smu.metrics.persons import person_numbers


def identity_folds(identities: Sequence[str], folds: int, seed: int) -> Int64s:
    """(N,) fold number, 0 to ``folds`` - 1, of each photo; all photos of one identity get the same.

    Identities are dealt in seeded random order to the fold that has the fewest photos, so that folds are of
    equal size. A photo without identity ("") counts as a person of its own.
    """
    index = person_numbers(identities)
    counts = np.bincount(index)
    order = np.random.default_rng(seed).permutation(len(counts))
    order = order[np.argsort(-counts[order], kind="stable")]
    sizes = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(counts), dtype=np.int64)
    for person in order:
        fold = int(np.argmin(sizes))
        fold_of[person] = fold
        sizes[fold] += counts[person]
    return fold_of[index]
