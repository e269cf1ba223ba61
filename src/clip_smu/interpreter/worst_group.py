"""Groups of people by their labels, none of whom may be much worse off than a promise says for all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from clip_smu.arrays import Bools, Float64s, Indices, Int8s
from clip_smu.interpreter.calibration import lowest_threshold
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import GROUPS, INDEX

ALLOWED = 1.25
"""How many times the promised rate a group may be wrong, on the faces that thresholds are chosen on."""

LEAST_PERSONS = 100  # of a group, fewer of which tell little
_STRICTEST = 0.9997  # where even that is not enough


def groups_of(labels: Int8s, persons: Indices) -> Iterator[tuple[str, Bools]]:
    """Name and (N,) rows of each group of `LEAST_PERSONS` or more: women, men, ages, not young, races, and by gender.

    Args:
        labels: (N, 47) int8, 1, -1 or 0 (unknown: in no group). persons: (N,) numbers.
    """
    genders = [("men", labels[:, INDEX["Male"]] > 0), ("women", labels[:, INDEX["Male"]] < 0)]
    names = (*GROUPS["age"], *GROUPS["race"])
    kinds = [(ATTRIBUTES[INDEX[name]].label, labels[:, INDEX[name]] > 0) for name in names]
    kinds.append(("not young", labels[:, INDEX["Young"]] < 0))
    crossed = [(f"{who}, {kind}", one & other) for who, one in genders for kind, other in kinds]
    for name, rows in [*genders, *kinds, *crossed]:
        if len(np.unique(persons[rows])) >= LEAST_PERSONS:
            yield name, rows


def raised_for_groups(
    bounds: Float64s,
    confidence: Float64s,
    wrong: Float64s,
    counted: Bools,
    groups: Iterator[tuple[str, Bools]],
    rate: float,
) -> Float64s:
    """(2, K) thresholds raised until in every group at most `ALLOWED` times the rate is wrong; no finite-sample bound.

    Args:
        bounds: (2, K) of *encoded* and *not encoded*. rate: promised.
        confidence, wrong, counted: (2, N, K) how sure, how likely wrong, and which count.
    """
    for _, rows in groups:
        said = counted[:, rows] & (confidence[:, rows] >= bounds[:, None])
        least = lowest_threshold(confidence[:, rows][said], wrong[:, rows][said], ALLOWED * rate)
        bounds = np.maximum(bounds, min(least, _STRICTEST)) if said.any() else bounds
    return bounds


def kept_by_groups(said: Bools, wrong: Float64s, groups: Iterator[tuple[str, Bools]], rate: float) -> bool:
    """Whether in every group at most `ALLOWED` times the rate of (2, N, K) ``said`` verdicts is wrong."""
    return all((wrong * said)[:, rows].sum() <= ALLOWED * rate * said[:, rows].sum() for _, rows in groups)
