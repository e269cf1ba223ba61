"""Curves of scores and probabilities: the paper's grid of ROC curves, and reliability diagrams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float64s
from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation
from clip_smu.metrics import MIN_CLASS, ece, reliability, roc_curve
from clip_smu.report.figures.series import way_of
from clip_smu.report.figures.style import MARKERS, STYLES, Theme, drawn, new_figure, theme_of
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import INDEX, NAMES, by_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVE_POINTS = 200  # of a drawn ROC curve; all of them are points of the whole one
DEFAULT_ATTRIBUTES = (
    "Male", "Young", "Senior", "Asian", "White", "Black", "Bald", "Blond_Hair", "Gray_Hair", "Wavy_Hair",
    "No_Beard", "Mustache", "Oval_Face", "Chubby", "Brown_Eyes", "Smiling", "Big_Nose", "Heavy_Makeup",
    "Wearing_Hat", "Eyeglasses",
)  # fmt: skip
"""The twenty that are drawn unless others are chosen: of every category, easy ones and hard ones."""

_PAPER_WAYS = ("language", "multi-label", "binary")
_PER_ROW = 5
_BINS = 10
_LEGEND_LETTERS = 110  # that stand side by side above a grid, a line sample counting as eight


def roc_grid(
    evaluations: Sequence[Evaluation],
    attributes: Sequence[str] = DEFAULT_ATTRIBUTES,
    *,
    methods: Sequence[str] | None = None,
    theme: str = "light",
) -> Figure:
    """Small multiples of ROC curves, one attribute each, as in the paper.

    Line styles are the paper's: solid for language, dashed for the multi-label classifier, dot-dashed for the
    binary ones; dotted for other probes. Colours tell encoders, or, of one encoder, its methods.

    Args:
        evaluations: one an encoder.
        attributes: names; the grid keeps MAAD-Face's order.
        methods: names; default, all of one encoder; of several the paper's three ways, the last language method.

    Raises:
        InputError: nothing to draw, or a method that no evaluation has.
    """
    there = {name for one in evaluations for name in one.attributes}
    shown = [name for name in NAMES if name in attributes and name in there]
    look = theme_of(theme)
    lines = _lines(evaluations, methods, look)
    if not shown or not lines:
        raise InputError("a grid of ROC curves needs at least one attribute and one method of an evaluation")
    columns = min(_PER_ROW, len(shown))
    rows = math.ceil(len(shown) / columns)
    with drawn(look):
        figure = new_figure(1.62 * columns + 0.4, 1.72 * rows + 0.75)
        grid: NDArray[Any] = np.atleast_1d(
            figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        ).ravel()
        for axes, name in zip(grid, shown, strict=False):
            _one_attribute(axes, name, lines, look)
        for axes in grid[len(shown) :]:
            axes.set_visible(False)
        for axes in grid[max(0, len(shown) - columns) : len(shown)]:
            axes.tick_params(labelbottom=True)
        figure.supxlabel("false positive rate", fontsize=9)
        figure.supylabel("true positive rate", fontsize=9)
        handles = [_handle(line) for line in lines]
        longest = max(len(str(handle.get_label())) for handle in handles)
        across = max(1, min(4, len(handles), _LEGEND_LETTERS // (longest + 8)))
        figure.legend(handles=handles, loc="outside upper center", ncols=across, handlelength=3.2)
    return figure


def reliability_diagrams(
    evaluations: Sequence[Evaluation],
    *,
    methods: Sequence[str] | None = None,
    attributes: Sequence[str] | None = None,
    theme: str = "light",
) -> Figure:
    """What was said against what was seen: one panel a method, all attributes pooled, bars below say how often.

    "error" is the expected calibration error of 15 bins.

    Args:
        evaluations: one an encoder.
        methods: names; default as for :func:`roc_grid`.
        attributes: names; default, all.

    Raises:
        InputError: nothing to draw, or a method that no evaluation has.
    """
    look = theme_of(theme)
    lines = _lines(evaluations, methods, look)
    if not lines:
        raise InputError("reliability diagrams need at least one method of an evaluation")
    columns = min(4, len(lines))
    rows = math.ceil(len(lines) / columns)
    with drawn(look):
        figure = new_figure(2.05 * columns + 0.4, 2.75 * rows + 0.3)
        grid = figure.subplots(2 * rows, columns, sharex=True, squeeze=False, height_ratios=[3, 0.8] * rows)
        for place, line in enumerate(lines):
            row, column = divmod(place, columns)
            _one_reliability(grid[2 * row, column], grid[2 * row + 1, column], line, attributes, look)
        for place in range(len(lines), rows * columns):
            row, column = divmod(place, columns)
            grid[2 * row, column].set_visible(False)
            grid[2 * row + 1, column].set_visible(False)
        for row in range(rows):
            grid[2 * row, 0].set_ylabel("share of positives")
            grid[2 * row + 1, 0].set_ylabel("share of\nreadings")
        figure.supxlabel("probability that was said", fontsize=9)
    return figure


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """One curve: colours tell encoders, or the methods of one encoder; a marker those that share a style."""

    evaluation: Evaluation
    method: str
    label: str
    color: str
    style: Any
    marker: str


def _lines(evaluations: Sequence[Evaluation], methods: Sequence[str] | None, look: Theme) -> list[_Line]:
    known = {name for one in evaluations for name in one.methods}
    unknown = [name for name in methods or () if name not in known]
    if unknown:
        raise InputError(
            f"no evaluation has the method {', '.join(unknown)}: choose from {', '.join(sorted(known))}"
        )
    chosen = [(one, name) for one in evaluations for name in _methods(one, methods, len(evaluations) > 1)]
    encoders = list(dict.fromkeys(one.encoder for one, _ in chosen))
    ways = [way_of(one, name) for one, name in chosen]
    lines = []
    for place, (one, name) in enumerate(chosen):
        several = len(encoders) > 1
        number = encoders.index(one.encoder) if several else place
        twin = ways[:place].count(ways[place])
        lines.append(
            _Line(
                one, name, f"{one.encoder}, {name}" if several else name, look.series[number % len(look.series)],
                STYLES[ways[place]], MARKERS[(twin - 1) % len(MARKERS)] if twin else "",
            )
        )  # fmt: skip
    return lines


def _methods(one: Evaluation, methods: Sequence[str] | None, several: bool) -> list[str]:
    if methods is not None:
        return [name for name in methods if name in one.methods]
    names = list(one.methods)
    if not several:
        return names
    by_way = {way_of(one, name): name for name in names}
    return [by_way[way] for way in _PAPER_WAYS if way in by_way] or names[:3]


def _one_attribute(axes: Axes, name: str, lines: Sequence[_Line], look: Theme) -> None:
    axes.plot([0, 1], [0, 1], color=look.grid, linewidth=0.8)
    empty = True
    for place, line in enumerate(lines):
        if name not in line.evaluation.attributes:
            continue
        k = line.evaluation.attributes.index(name)
        labels = line.evaluation.labels[:, k]
        if min((labels > 0).sum(), (labels < 0).sum()) < MIN_CLASS:
            continue
        curve = roc_curve(line.evaluation.methods[line.method].scores[:, k], labels)
        x, y = thinned(curve.fpr, curve.tpr)
        axes.plot(
            x, y, color=line.color, linestyle=line.style, linewidth=1.1,
            marker=line.marker, markersize=2.8, markevery=(0.05 + 0.04 * (place % 5), 0.25),
        )  # fmt: skip
        empty = False
    if empty:
        axes.text(0.5, 0.5, "too few labels", ha="center", va="center", color=look.muted, fontsize=8)
    axes.set(title=ATTRIBUTES[INDEX[name]].label, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])


def thinned(x: Float64s, y: Float64s) -> tuple[Float64s, Float64s]:
    """At most :data:`CURVE_POINTS` points of a rising curve from (0, 0) to (1, 1), the ends among them.

    Example:
        >>> x, y = thinned(np.linspace(0, 1, 5001), np.linspace(0, 1, 5001))
        >>> len(x), float(x[0]), float(y[-1])
        (200, 0.0, 1.0)
    """
    if len(x) <= CURVE_POINTS:
        return x, y
    chosen = np.unique(np.searchsorted(x + y, np.linspace(0, 2, CURVE_POINTS)).clip(max=len(x) - 1))
    return x[chosen], y[chosen]


def _one_reliability(
    above: Axes, below: Axes, line: _Line, attributes: Sequence[str] | None, look: Theme
) -> None:
    one = line.evaluation
    wanted = one.attributes if attributes is None else [by_name(name).name for name in attributes]
    kept = [k for k, name in enumerate(one.attributes) if name in wanted]
    said, labels = one.methods[line.method].probabilities[:, kept], one.labels[:, kept]
    curve = reliability(said, labels, _BINS, pooled=True)
    some = curve.count[0] > 0
    above.plot([0, 1], [0, 1], color=look.muted, linewidth=0.8)
    above.plot(
        curve.mean_probability[0][some], curve.frequency[0][some], color=line.color, linewidth=1.2,
        marker=MARKERS[0], markersize=3.5,
    )  # fmt: skip
    error = float(ece(said, labels, pooled=True).value[0])
    above.text(0.97, 0.05, f"error {error:.3f}", ha="right", fontsize=8)
    above.set(title=line.label, xlim=(0, 1), ylim=(0, 1.02))
    share = curve.count[0] / max(1, curve.count[0].sum())
    middle = (curve.edges[1:] + curve.edges[:-1]) / 2
    below.bar(middle, share, width=0.08, color=line.color)
    below.set(ylim=(0, max(0.05, 1.05 * float(share.max(initial=0)))))
    below.set_xticks([0, 0.5, 1], ["0", ".5", "1"])


def _handle(line: _Line) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=line.color,
        linestyle=line.style,
        linewidth=1.4,
        marker=line.marker,
        markersize=3.5,
        label=line.label,
    )
