"""AUCs with intervals that count persons, and never a figure where there is too little to measure it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clip_smu.arrays import Bools, Floats, Indices, Int8s, SignedInts
from clip_smu.errors import InputError
from clip_smu.metrics import MIN_CLASS, AucInterval, delong
from clip_smu.metrics.ranking import check, weakness
from clip_smu.words.attributes import by_name


def checked(scores: Floats, labels: SignedInts, rows: int, attributes: Sequence[str]) -> tuple[Floats, Int8s]:
    """Scores and labels of that many photos and these attributes.

    Raises:
        InputError: malformed input (see :mod:`clip_smu.metrics`), or of another shape.
    """
    found, known = check(scores, labels)
    if found.shape != (rows, len(attributes)):
        raise InputError(
            f"expected scores and labels of {rows} photos and {len(attributes)} attributes, found {found.shape}: "
            "give one row for each photo, one column for each attribute"
        )
    return found, known.astype(np.int8, copy=False)


def place(name: str, attributes: Sequence[str]) -> int:
    """The column of an attribute, by any of its names.

    Raises:
        InputError: there is no such attribute, or it is not among these.
    """
    full = by_name(name).name
    if full not in attributes:
        raise InputError(
            f"expected an attribute that was evaluated, found {full}, which was left out: name another"
        )
    return list(attributes).index(full)


def areas(scores: Floats, labels: SignedInts, persons: Indices) -> AucInterval:
    """:func:`clip_smu.metrics.delong` over persons, its figures masked below ``MIN_CLASS`` photos of a class."""
    return masked(delong(scores, labels, identity=persons))


def masked(area: AucInterval) -> AucInterval:
    """The same with NaN, and the reason, where a class has fewer than ``MIN_CLASS`` photos."""
    fewest = np.minimum(area.n_positive, area.n_negative)
    counts = zip(fewest, area.n_positive, area.n_negative, area.reason, strict=True)
    reasons = [
        weakness(int(m), int(n)) if 0 < least < MIN_CLASS else reason for least, m, n, reason in counts
    ]
    return without(area, fewest < MIN_CLASS, reasons)


def without(area: AucInterval, chosen: Bools, reasons: Sequence[str]) -> AucInterval:
    """The same with NaN in place of the chosen attributes' figures, and these K reasons for all."""
    figures = (np.where(chosen, np.nan, value) for value in (area.auc, area.low, area.high, area.se))
    auc, low, high, se = figures
    return replace(area, auc=auc, low=low, high=high, se=se, reason=tuple(reasons))
