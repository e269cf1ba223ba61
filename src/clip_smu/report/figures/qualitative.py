"""What was read of a handful of photos, by each method: right readings green, wrong ones red, unknown ones grey."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation
from clip_smu.interpreter.calibration import ENCODED
from clip_smu.metrics.persons import persons_apart
from clip_smu.photos.names import match
from clip_smu.report.figures.style import drawn, new_figure, theme_of
from clip_smu.words.attributes import by_name
from clip_smu.words.hiding import Hide, hidden_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = {1: "+", -1: "×", 0: "?"}
"""Beside the colour: the label says yes (a true positive), no (a false positive), or is unknown."""

_DEFAULT_PHOTOS = 5
_MOST = 10  # readings of a cell that are drawn; the others are counted
_LINE = 0.165  # inches


@dataclass(frozen=True, slots=True)
class Readings:
    """What one method called *encoded* in one photo.

    Attributes:
        image, method: names.
        attributes: names read as encoded, the likeliest first, with the label: 1 yes, -1 no, 0 unknown.
    """

    image: str
    method: str
    attributes: tuple[tuple[str, int], ...]

    def without(self, hidden: Collection[str]) -> Readings:
        """The same without the attributes of these names."""
        return replace(self, attributes=tuple(one for one in self.attributes if one[0] not in hidden))


def encoded_readings(
    evaluation: Evaluation,
    images: Sequence[str] | None = None,
    *,
    methods: Sequence[str] | None = None,
) -> list[Readings]:
    """What each method called *encoded* in each photo.

    Args:
        images: names; default, five evenly spaced ones of those with the most known labels, one a person.
        methods: names; default, all.

    Raises:
        InputError: a photo or method that was not evaluated.
    """
    names = list(evaluation.methods) if methods is None else list(methods)
    rows = _rows(evaluation, images)
    missing = [name for name in names if name not in evaluation.methods]
    if missing:
        raise InputError(
            f"the evaluation has no method {', '.join(missing)}: choose from {', '.join(evaluation.methods)}"
        )
    made = []
    for row in rows:
        for name in names:
            scored = evaluation.methods[name]
            order = np.argsort(-scored.probabilities[row], kind="stable")
            read = [int(k) for k in order if scored.verdicts[row, k] == ENCODED]
            made.append(
                Readings(
                    evaluation.images[row], name,
                    tuple((evaluation.attributes[k], int(evaluation.labels[row, k])) for k in read),
                )
            )  # fmt: skip
    return made


def numbered_readings(evaluation: Evaluation | None, methods: Sequence[str]) -> list[dict[str, Any]]:
    """The same as JSON values, of photos that are numbered: names of photos are often names of persons."""
    if evaluation is None:
        return []
    numbers: dict[str, int] = {}
    return [
        {
            "photo": numbers.setdefault(cell.image, len(numbers) + 1),
            "method": cell.method,
            "encoded": [{"attribute": name, "label": label} for name, label in cell.attributes],
        }
        for cell in encoded_readings(evaluation, methods=methods)
    ]


def qualitative_table(
    evaluation: Evaluation,
    images: Sequence[str] | None = None,
    *,
    methods: Sequence[str] | None = None,
    hide: Hide = (),
    theme: str = "light",
) -> Figure:
    """The readings of :func:`encoded_readings` as a table, a photo a row, a method a column.

    True positives are green with ``+``, false positives red with ``×``, and readings whose label is unknown grey
    with ``?``. Photos are named, never shown.

    Raises:
        InputError: a photo or method that was not evaluated.
    """
    hidden = hidden_names(hide)
    cells = [cell.without(hidden) for cell in encoded_readings(evaluation, images, methods=methods)]
    names = list(dict.fromkeys(cell.method for cell in cells))
    photos = list(dict.fromkeys(cell.image for cell in cells))
    look = theme_of(theme)
    colour = {1: look.green, -1: look.red, 0: look.grey}
    held = {(cell.image, cell.method): cell.attributes for cell in cells}
    heights = [max(2, *(min(len(held[photo, name]), _MOST + 1) for name in names)) for photo in photos]
    with drawn(look):
        width, height = 1.9 + 1.75 * len(names), _LINE * (sum(heights) + len(photos) + 3.5)
        figure = new_figure(width, height)
        axes = figure.subplots()
        axes.set(xlim=(0, width), ylim=(sum(heights) + len(photos) + 3.5, 0))
        axes.set_axis_off()
        for place, name in enumerate(names):
            axes.text(1.9 + 1.75 * place, 0.8, name, fontweight="bold", va="center")
        top = 1.9
        for photo, lines in zip(photos, heights, strict=True):
            axes.plot([0, width], [top - 0.4, top - 0.4], color=look.grid, linewidth=0.8)
            shown = textwrap.fill(photo.replace("/", "/ "), 24).replace("/ ", "/")
            axes.text(0, top + 0.1, shown, va="top", fontsize=7.5)
            for place, name in enumerate(names):
                x = 1.9 + 1.75 * place
                for line, (attribute, label) in enumerate(held[photo, name][:_MOST]):
                    text = f"{MARKS[label]} {by_name(attribute).label}"
                    axes.text(x, top + line + 0.5, text, color=colour[label], va="center", fontsize=8)
                more = len(held[photo, name]) - _MOST
                rest = f"and {more} more" if more > 0 else "" if held[photo, name] else "nothing asserted"
                line = min(len(held[photo, name]), _MOST)
                axes.text(
                    x, top + line + 0.5, rest, color=look.muted, va="center", fontsize=8, style="italic"
                )
            top += lines + 1
        for place, (label, text) in enumerate(
            ((1, "label agrees"), (-1, "label says no"), (0, "label unknown"))
        ):
            axes.text(
                1.5 * place, top + 0.6, f"{MARKS[label]} {text}", color=colour[label], fontsize=8, va="center"
            )
    return figure


def _rows(evaluation: Evaluation, images: Sequence[str] | None) -> list[int]:
    if images is not None:
        found = match(images, evaluation.images, evaluation.identities)
        missing = np.flatnonzero(found.at < 0)
        if len(missing):
            raise InputError(
                f"the evaluation has no photo {images[missing[0]]}: its first is {evaluation.images[0]}"
                f"{f' (ambiguous: {found.first})' if found.first else ''}"
            )
        return [int(row) for row in found.at]
    known = (evaluation.labels != 0).sum(axis=1)
    first = {person: row for row, person in reversed(list(enumerate(persons_apart(evaluation.identities))))}
    best = sorted(first.values(), key=lambda row: (-known[row], evaluation.images[row]))
    best = sorted(best[: max(_DEFAULT_PHOTOS, len(best) // 4)])
    step = max(1, len(best) // _DEFAULT_PHOTOS)
    return best[::step][:_DEFAULT_PHOTOS]
