"""Which home a batch of faces looks like, if any; how that is told: :mod:`clip_smu.interpreter.home`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Float64s, Floats
from clip_smu.errors import InputError
from clip_smu.interpreter.home import MARGIN, Home, drawn_rows, readable_rows, shift_tail, unit_rows
from clip_smu.words.attributes import NAMES

LEVEL = 0.005  # of a false alarm
MOST_SHIFTED = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """Which home a batch looks like; made by :func:`find_home`.

    Attributes:
        home: its name; ``None``: away, or too few faces or persons to tell.
        away: whether it looks like none of them; ``False`` where that cannot be told.
        distances: home → distance, where 1 is what chance gives; empty with too few faces.
        p: home → chance that faces of it lie so far off, all together or in one score, 0 to 1.
        faces: that were readable. ``persons``: as many faces of different persons would tell as much.
        shifted: attributes whose mean scores lie off those of the nearest home, the farthest first, at most 5.
    """

    home: str | None
    away: bool
    distances: dict[str, float]
    p: dict[str, float]
    faces: int
    persons: float
    shifted: tuple[str, ...]


def find_home(
    homes: Sequence[Home],
    vectors: Floats,
    scores: Floats,
    *,
    least: int = 50,
    attributes: Sequence[str] = NAMES,
) -> Drift:
    """Which home a batch of faces looks like.

    A home is ruled out at p < ``LEVEL``; of those left the nearest is the batch's, if its photos tell as much as
    ``least`` / 2 persons do: with fewer, one home cannot be told from another.

    Args:
        homes: at least one.
        vectors: (N, d) templates of any length; rows that are zero or not finite are left out.
        scores: (N, K), as for :func:`~clip_smu.interpreter.home.measure_home`; rows that are not finite are left out.
        least: faces from which on it is tested.
        attributes: K names of the scores.

    Raises:
        InputError: no home.

    Example:
        >>> from clip_smu.interpreter.home import measure_home
        >>> rng = np.random.default_rng(0)
        >>> faces, others = rng.normal(1, 1, (2, 500, 16))
        >>> home = measure_home("made up", faces, faces[:, :3], [""] * 500)
        >>> find_home([home], others, others[:, :3]).home
        'made up'
        >>> find_home([home], others + np.linspace(0, 1, 16), others[:, :3]).away
        True
    """
    if not homes:
        raise InputError(
            "expected at least one home to compare a batch with, found none: calibrate on a data set first"
        )
    kept = readable_rows(vectors, scores)
    faces = len(kept)
    if faces < least:
        return Drift(None, False, {}, {}, faces, 0.0, ())
    kept = drawn_rows(kept)
    units, values = unit_rows(vectors[kept]), np.asarray(scores[kept], dtype=np.float64)
    chances = {home.name: home.chance_of_one_person(units) for home in homes}
    variances = {home.name: chances[home.name] + home.repeated + 1 / MARGIN for home in homes}
    distances = {home.name: home.distance(units, values, variances[home.name]) for home in homes}
    shifts = {home.name: home.shifts(values, variances[home.name]) for home in homes}
    tails = {home.name: home.tail(distances[home.name], shifts[home.name]) for home in homes}
    nearest = min(homes, key=lambda home: (tails[home.name] < LEVEL, distances[home.name]))
    away = tails[nearest.name] < LEVEL
    persons = 1 / chances[nearest.name]
    found = None if away or persons < least / 2 else nearest.name
    shifted = _shifted(shifts[nearest.name], attributes)
    return Drift(found, away, distances, tails, faces, persons, shifted)


def _shifted(shifts: Float64s, attributes: Sequence[str]) -> tuple[str, ...]:
    """Those that alone rule out the home, the farthest first."""
    order = np.argsort(-np.abs(shifts), kind="stable")[:MOST_SHIFTED]
    return tuple(attributes[k] for k in order if 2 * shift_tail(shifts[k], len(shifts)) < LEVEL)
