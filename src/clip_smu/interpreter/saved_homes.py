"""Homes as they lie in an interpreter's folder: numbers in its document, arrays beside its prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s
from clip_smu.errors import InterpreterError
from clip_smu.interpreter.axes import Axes
from clip_smu.interpreter.home import Home
from clip_smu.storage.documents import Count, Dim, Finite, Name, Positive, Share
from clip_smu.storage.tensors import real_array


class HomeForm(msgspec.Struct):
    """Numbers of :class:`~clip_smu.interpreter.home.Home`; ``directions`` are the axes of templates and of scores."""

    name: Name
    faces: Positive
    persons: Positive
    directions: tuple[Dim, Count]
    alike: Finite
    matched: Annotated[float, msgspec.Meta(ge=0.01, le=1)]
    repeated: Share


def home_numbers(homes: Sequence[Home]) -> list[dict[str, Any]]:
    """The numbers, as JSON values of :class:`HomeForm`."""
    return [
        {
            "name": home.name,
            "faces": home.faces,
            "persons": home.persons,
            "directions": [home.axes.directions.shape[1], home.score_axes.directions.shape[1]],
            "alike": home.alike,
            "matched": home.matched,
            "repeated": home.repeated,
        }
        for home in homes
    ]


def home_arrays(homes: Sequence[Home]) -> dict[str, Float32s]:
    """The arrays by name, as they are saved."""
    return {
        f"home.{place}.{name}": np.asarray(array, dtype=np.float32)
        for place, home in enumerate(homes)
        for name, array in {
            "centre": home.axes.centre,
            "directions": home.axes.directions,
            "score_centre": home.score_axes.centre,
            "score_directions": home.score_axes.directions,
            "mean": home.mean,
            "covariance": home.covariance,
            "score_mean": home.score_mean,
            "score_spread": home.score_spread,
        }.items()
    }


def saved_homes(
    arrays: Mapping[str, NDArray[Any]], forms: Sequence[HomeForm], dim: int, count: int, where: str
) -> tuple[Home, ...]:
    """What :func:`home_numbers` and :func:`home_arrays` gave, of a reader of ``count`` attributes.

    Raises:
        InterpreterError: an array is missing or of another shape; ``where`` begins the message.
    """
    return tuple(_saved(arrays, form, place, (dim, count), where) for place, form in enumerate(forms))


def _saved(
    arrays: Mapping[str, NDArray[Any]], form: HomeForm, place: int, sizes: tuple[int, int], where: str
) -> Home:
    (dim, count), (r, q) = sizes, form.directions
    compared = r + q + 1 + (q > 0)
    shapes = {
        "centre": (dim,),
        "directions": (dim, r),
        "score_centre": (count,),
        "score_directions": (count, q),
        "mean": (compared,),
        "covariance": (compared, compared),
        "score_mean": (count,),
        "score_spread": (count,),
    }
    parts = {
        name: real_array(arrays, f"home.{place}.{name}", shape, where, InterpreterError).astype(np.float64)
        for name, shape in shapes.items()
    }
    if not (np.diag(parts["covariance"]) > 0).all() or form.persons <= compared:
        raise InterpreterError(
            f"{where} is damaged: expected the home {form.name!r} to have a covariance, of more persons than numbers"
        )
    return Home(
        form.name,
        form.faces,
        form.persons,
        Axes(parts.pop("centre"), parts.pop("directions")),
        Axes(parts.pop("score_centre"), parts.pop("score_directions")),
        alike=form.alike,
        matched=form.matched,
        repeated=form.repeated,
        **parts,
    )
