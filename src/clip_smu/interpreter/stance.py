"""How much a reader dares: verdicts at home alone, wherever any of its homes would give one, or on a word asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import reduce

import numpy as np

from clip_smu.arrays import Bools, Float64s
from clip_smu.errors import InputError
from clip_smu.interpreter.calibration import NEVER, SURE, Calibration
from clip_smu.interpreter.places import Places
from clip_smu.interpreter.reader import Reader
from clip_smu.words.agreement import asserted_by_default


def strict(reader: Reader) -> Reader:
    """The same reader that gives verdicts at home alone; everywhere else all is *cannot tell*, with its probability.

    Raises:
        InputError: it has no homes, so that it cannot know where it is.
    """
    _homes(reader)
    never = np.full_like(reader.calibration.slope, NEVER)
    return replace(
        reader, calibration=replace(reader.calibration, encoded_at=never, not_encoded_at=1 - never)
    )


def optimistic(reader: Reader) -> Reader:
    """The same reader that asserts, at home and away, what any of its homes asserts; it promises nothing.

    Words that are not asserted by default, and attributes that failed where they were measured, are asserted where the
    probability of being right is at least 1 less the promised rate.

    Raises:
        InputError: it has no homes.
    """
    known = (reader.calibration, *_homes(reader).calibrations)
    encoded = reduce(np.minimum, [one.encoded_at for one in known])
    not_encoded = reduce(np.minimum, [1 - one.not_encoded_at for one in known])
    everywhere = np.ones(len(encoded), dtype=np.bool_)
    return _changed(
        reader,
        lambda one: _dared(
            replace(one, encoded_at=encoded, not_encoded_at=1 - not_encoded), everywhere, reader.error_rate
        ),
    )


def asked_for(reader: Reader, names: Collection[str]) -> Reader:
    """The same reader that also asserts those of the named words that it does not by default.

    Where the probability of being right is at least 1 less the promised rate; nothing is promised of them. A reader
    without homes asserts every word by default, and stays as it is.
    """
    asked = np.array([name in names and not asserted_by_default(name) for name in reader.attributes])
    if reader.places is None or not asked.any():
        return reader
    return _changed(reader, lambda one: _dared(one, asked, reader.error_rate))


def _dared(one: Calibration, where: Bools, error_rate: float) -> Calibration:
    """Asserts, ``where`` it never did, what is likelier than the rate asks; nothing that cannot be read."""
    bold = max(SURE, 1 - error_rate)

    def loose(thresholds: Float64s) -> Float64s:
        return np.where(one.slope > 0, np.where(where & (thresholds >= NEVER), bold, thresholds), NEVER)

    return replace(one, encoded_at=loose(one.encoded_at), not_encoded_at=1 - loose(1 - one.not_encoded_at))


def _changed(reader: Reader, change: Callable[[Calibration], Calibration]) -> Reader:
    places = _homes(reader)
    homes = tuple(change(one) for one in places.calibrations)
    return replace(reader, calibration=change(reader.calibration), places=replace(places, calibrations=homes))


def _homes(reader: Reader) -> Places:
    if reader.places is None:
        raise InputError(
            f"{reader.name} keeps no homes, so that it reads the same everywhere: give an interpreter of objective "
            "taught, or one that clip-smu calibrate made"
        )
    return reader.places
