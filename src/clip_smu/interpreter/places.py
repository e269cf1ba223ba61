"""Where a reader is at home, and what it reads by there; everywhere else it reads by its cautious calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s
from clip_smu.errors import InterpreterError
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.drift import Drift, find_home
from clip_smu.interpreter.home import Home
from clip_smu.interpreter.records import BoundsForm
from clip_smu.interpreter.saved_homes import HomeForm, home_arrays, home_numbers, saved_homes
from clip_smu.storage.tensors import real_array

_AXES = "places.axes"  # as it is saved
BATCH = 50  # faces from which on a batch is asked where it comes from


@dataclass(frozen=True, eq=False)
class Places:
    """The data sets that a reader was calibrated on.

    Attributes:
        homes: what their faces look like; calibrations: of each, in the same order.
        axes: (d, K) float32, of the attributes; they take the place of scores where a batch is compared with a home.
    """

    homes: tuple[Home, ...]
    calibrations: tuple[Calibration, ...]
    axes: Float32s

    def find(self, vectors: Float32s, attributes: Sequence[str]) -> tuple[Calibration | None, Drift]:
        """The calibration of the home that a batch looks like, if it looks like one; and what was found."""
        drift = find_home(self.homes, vectors, marks(vectors, self.axes), least=BATCH, attributes=attributes)
        names = [home.name for home in self.homes]
        return (None if drift.home is None else self.calibrations[names.index(drift.home)]), drift


def marks(vectors: Float32s, axes: Float32s) -> Float32s:
    """(N, K) sums of unit templates along (d, K) :func:`~clip_smu.interpreter.axes.attribute_axes`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(units @ axes, dtype=np.float32)


class PlaceForm(msgspec.Struct):
    """A home in interpreter.json: its numbers, and the calibration of each attribute there."""

    home: HomeForm
    calibration: list[BoundsForm]


def place_rows(places: Places) -> list[dict[str, Any]]:
    """As JSON values of :class:`PlaceForm`."""
    return [
        {"home": numbers, "calibration": bound_rows(calibration)}
        for numbers, calibration in zip(home_numbers(places.homes), places.calibrations, strict=True)
    ]


def place_arrays(places: Places | None) -> dict[str, Float32s]:
    """The arrays by name, as they are saved."""
    return {**home_arrays(places.homes), _AXES: places.axes} if places else {}


def saved_places(
    arrays: Mapping[str, NDArray[Any]], forms: Sequence[PlaceForm], dim: int, count: int, where: str
) -> Places | None:
    """What :func:`place_rows` and :func:`place_arrays` gave; ``None`` where there were none.

    Raises:
        InterpreterError: an array or a calibration does not fit; ``where`` begins the message.
    """
    if not forms:
        return None
    for form in forms:
        if len(form.calibration) != count:
            raise InterpreterError(
                f"{where} is damaged: expected {count} calibrations of the home {form.home.name!r}, found "
                f"{len(form.calibration)}"
            )
    homes = saved_homes(arrays, [form.home for form in forms], dim, count, where)
    axes = real_array(arrays, _AXES, (dim, count), where, InterpreterError)
    return Places(homes, tuple(calibration_of(form.calibration) for form in forms), axes)


def bound_rows(calibration: Calibration) -> list[dict[str, float]]:
    """Slope, intercept and thresholds as JSON values, one row an attribute."""
    return [
        {"slope": float(slope), "intercept": float(intercept), "green": float(green), "red": float(red)}
        for slope, intercept, green, red in zip(
            calibration.slope,
            calibration.intercept,
            calibration.encoded_at,
            calibration.not_encoded_at,
            strict=True,
        )
    ]


def calibration_of(rows: Sequence[BoundsForm]) -> Calibration:
    """From what :func:`bound_rows` gave."""
    columns = {
        key: np.array([getattr(row, key) for row in rows], np.float64)
        for key in ("slope", "intercept", "encoded_at", "not_encoded_at")
    }
    return Calibration(**columns)
