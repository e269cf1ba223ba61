"""From which cosine on two templates are one person's: thresholds that ship, and new ones from pairs of photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Indices
from clip_smu.errors import InputError
from clip_smu.metrics.pairs import Pairs
from clip_smu.metrics.verification import cosine
from clip_smu.photos.names import match
from clip_smu.templates import Templates, usable


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which cosine on two templates count as one person's.

    Attributes:
        cosine: -1 to 1; a pair at or above it matches.
        far: share of pairs of two persons that match wrongly; NaN where nobody measured it.
        tar: share of pairs of one person that match; NaN likewise.
        source: what it was measured on.
    """

    cosine: float
    far: float
    tar: float
    source: str


THRESHOLDS: dict[str, Threshold] = {
    "dlib": Threshold(0.9227, 0.00067, 0.9537, "LFW's pairs.txt: 2,984 pairs of two persons, 2,979 of one"),
}
"""Encoder → threshold of at most one false match in 1,000, from `find_threshold`."""


def threshold_of(encoder: str, given: Threshold | float | None) -> Threshold | None:
    """The threshold that is given, as one or as a cosine; else the encoder's own; ``None`` where none is known.

    Raises:
        InputError: the cosine is not between -1 and 1.
    """
    if given is None:
        return THRESHOLDS.get(encoder)
    if isinstance(given, Threshold):
        return given
    if not -1 <= given <= 1:
        raise InputError(f"expected a threshold between -1 and 1, a cosine, found {given}")
    return Threshold(float(given), float("nan"), float("nan"), "given")


def find_threshold(templates: Templates, pairs: Pairs, far: float, source: str = "") -> Threshold:
    """The threshold with which at most ``far`` of the pairs of two persons match, midway to the next such pair below.

    Args:
        templates: of all photos of the pairs; pairs with a photo that has none are left out.
        pairs: of one person and of two.
        far: 0 to 1.
        source: words for what these pairs are.

    Raises:
        InputError: too few pairs for that rate.
    """
    first, second, used = rows_of(pairs, templates)
    scores = cosine(templates.vectors[first], templates.vectors[second])
    different, same = np.sort(scores[~used.same])[::-1], scores[used.same]
    if not 0 < far < 1 or len(different) * far < 1 or not len(same):
        raise InputError(
            f"expected at least {1 / far if far > 0 else 0:.0f} pairs of two persons for a false accept rate of "
            f"{far:g} (inside 0 to 1), and some of one person; found {len(different)} and {len(same)} with templates"
        )
    allowed = int(len(different) * far * (1 + 1e-12))  # at least 1, below their number
    last, first_wrong = float(different[allowed - 1]), float(different[allowed])
    cut = max(
        (last + first_wrong) / 2, float(np.nextafter(first_wrong, 2.0))
    )  # the latter where the two are equal
    return Threshold(cut, float((different >= cut).mean()), float((same >= cut).mean()), source)


def rows_of(pairs: Pairs, templates: Templates) -> tuple[Indices, Indices, Pairs]:
    """Rows of both photos of each pair (main faces, usable templates), and the pairs for which there are two.

    Names match as :mod:`clip_smu.photos.names` says.
    """
    main = np.flatnonzero(templates.faces == 0)
    found = match([*pairs.first, *pairs.second], [templates.images[row] for row in main]).at
    rows = np.where(found >= 0, main[np.maximum(found, 0)], -1) if len(main) else found
    good = (rows >= 0) & usable(templates.vectors)[rows] if len(main) else rows >= 0
    there = np.flatnonzero(good[: len(pairs)] & good[len(pairs) :])
    return rows[there], rows[len(pairs) + there], pairs.take(there)
