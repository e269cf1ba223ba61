"""Charts of figures that are known already: AUC with intervals, one method against another, what is read from what."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s
from clip_smu.errors import InputError
from clip_smu.report.figures.series import AucSeries
from clip_smu.report.figures.style import MARKERS, Theme, drawn, new_figure, theme_of
from clip_smu.words.attributes import NAMES, by_name, resolve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE = 0.19  # inches an attribute in a list
_WIDE, _STRONGEST = 14, 3  # columns of a heat map from which on only the strongest cells have numbers
_LABEL_GAP = 0.0135  # of the height, between two labels of a slope chart


def auc_dots(
    series: Sequence[AucSeries], *, attributes: Sequence[str] | None = None, theme: str = "light"
) -> Figure:
    """AUC of each attribute as a dot with its interval, one line an attribute, the best on top.

    Args:
        series: of the same attributes; the first one's AUC orders the lines.
        attributes: names to draw; default, all.

    Raises:
        InputError: no series, or no attribute.
    """
    if not series:
        raise InputError("a dot plot needs at least one method")
    first, kept = series[0], _kept(series[0], attributes)
    order = sorted(kept, key=lambda k: (np.isnan(first.auc[k]), -first.auc[k]))
    look = theme_of(theme)
    with drawn(look):
        figure = new_figure(6.6, _LINE * len(order) + 1.0)
        axes = figure.subplots()
        axes.axvline(0.5, color=look.muted, linewidth=0.9, linestyle=(0, (4, 3)))
        step = 0.62 / max(1, len(series) - 1)
        y = np.arange(len(order), dtype=np.float64)
        for place, one in enumerate(series):
            color = look.series[place % len(look.series)]
            moved = y + (place * step - 0.31 if len(series) > 1 else 0)
            axes.hlines(moved, one.low[order], one.high[order], color=color, linewidth=1.1)
            axes.plot(
                one.auc[order], moved, linestyle="none", color=color, marker=MARKERS[place % len(MARKERS)],
                markersize=4.5 if len(series) < 4 else 3.2, label=_name(one, series),
            )  # fmt: skip
        for line in np.flatnonzero(np.isnan(first.auc[order])):
            axes.text(0.505, float(line), "too few labels", va="center", fontsize=7.5, color=look.muted)
        axes.set_yticks(y, [by_name(first.attributes[k]).label for k in order])
        axes.set(ylim=(len(order) - 0.4, -0.6), xlabel="ROC AUC with 95 % interval (dashed: chance)")
        axes.set_xlim(min(0.45, _least(series, order)), 1.005)
        axes.grid(True)
        axes.tick_params(axis="y", length=0)
        if len(series) > 1:
            figure.legend(loc="outside upper center", ncols=min(4, len(series)))
    return figure


def slope_chart(
    a: AucSeries,
    b: AucSeries,
    *,
    different: Sequence[bool] | None = None,
    attributes: Sequence[str] | None = None,
    theme: str = "light",
) -> Figure:
    """AUC by ``a`` on the left and by ``b`` on the right, a line an attribute.

    Args:
        a, b: two encoders, or two methods.
        different: (K,) whether a paired test, corrected for all attributes, tells them apart: thick and coloured lines
            with a filled marker; the others are thin, grey and hollow. ``None``: no test was made.
        attributes: names to draw; default, all.

    Raises:
        InputError: the two series are of other attributes.
    """
    if a.attributes != b.attributes:
        raise InputError("a slope chart needs two series of the same attributes")
    kept = [k for k in _kept(a, attributes) if not np.isnan(a.auc[k] + b.auc[k])]
    if not kept:
        raise InputError("a slope chart needs an attribute with an AUC on both sides")
    told = np.zeros(len(a.attributes), dtype=bool) if different is None else np.asarray(different, dtype=bool)
    look = theme_of(theme)
    with drawn(look):
        figure = new_figure(6.6, max(3.0, _LINE * 0.85 * len(kept) + 0.9))
        axes = figure.subplots()
        for k in kept:
            color = _side(a.auc[k], b.auc[k], look) if told[k] else look.muted
            axes.plot(
                [0, 1], [a.auc[k], b.auc[k]], color=color, linewidth=1.7 if told[k] else 0.7,
                marker="o", markersize=4, markerfacecolor=color if told[k] else look.paper,
            )  # fmt: skip
        values = np.array([[a.auc[k], b.auc[k]] for k in kept])
        low, high = float(values.min()), float(values.max())
        room = max(high - low, 0.02)
        low, high = low - 0.03 * room, high + 0.03 * room
        reach = [low, high]
        for side, align in ((0, "right"), (1, "left")):
            places = spread(values[:, side], _LABEL_GAP * 1.35 * (47 / max(len(kept), 12)) * (high - low))
            reach = [min(reach[0], *places), max(reach[1], *places)]
            for k, value, place in zip(kept, values[:, side], places, strict=True):
                x = -0.05 if side == 0 else 1.05
                label = by_name(a.attributes[k]).label
                text = f"{label} {value:.2f}" if side == 0 else f"{value:.2f} {label}"
                axes.plot([side, x], [value, place], color=look.grid, linewidth=0.6, zorder=0)
                axes.text(
                    x,
                    place,
                    text,
                    ha=align,
                    va="center",
                    fontsize=7,
                    fontweight="bold" if told[k] else "normal",
                )
        axes.set(xlim=(-0.75, 1.75), ylim=(reach[0] - 0.02 * room, reach[1] + 0.02 * room))
        axes.set_xticks([0, 1], [_name(one, (a, b)) for one in (a, b)], fontweight="bold")
        axes.xaxis.tick_top()
        axes.tick_params(axis="x", length=0)
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        if different is not None:
            axes.set_xlabel("ROC AUC. Bold: the two differ (paired test, corrected for all attributes)")
    return figure


def read_from_map(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    meaning: str = "AUC of the reading (row) for another attribute's label (column)",
    neutral: float = 0.5,
    theme: str = "light",
) -> Figure:
    """A heat map: what the reading of a row's attribute is read from.

    Each cell has its number; with more than fourteen columns only the darkest three of each row. A column without
    any number is left out.

    Args:
        values: (R, C) float; NaN is an empty, hatched cell.
        rows, columns: names of attributes; a name that is none stands as it is.
        meaning: what a number is, written below.
        neutral: the value of the palest cell; the farther a value is from it, on either side, the darker its cell.

    Raises:
        InputError: the shape is not (R, C), or there is no number.
    """
    table: Float64s = np.asarray(values, dtype=np.float64)
    if table.shape != (len(rows), len(columns)) or not np.isfinite(table).any():
        raise InputError(
            f"a heat map of {len(rows)} x {len(columns)} needs as many numbers, found {table.shape}"
        )
    some = np.flatnonzero(np.isfinite(table).any(axis=0)).tolist()
    table, columns = table[:, some], [columns[c] for c in some]
    look = theme_of(theme)
    distance = np.abs(table - neutral)
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    with drawn(look):
        wide = len(columns) > _WIDE
        figure = new_figure(
            1.8 + (0.27 if wide else 0.39) * len(columns), 1.5 + (0.24 if wide else 0.18) * len(rows)
        )
        axes = figure.subplots()
        colours = LinearSegmentedColormap.from_list("read-from", [look.low, look.high])
        scale = Normalize(0, float(np.nanmax(distance)) or 1.0)
        axes.imshow(
            np.ma.masked_invalid(distance), cmap=colours, norm=scale, aspect="auto", interpolation="nearest"
        )
        axes.hlines(np.arange(1, len(rows)) - 0.5, -0.5, len(columns) - 0.5, color=look.paper, linewidth=0.8)
        axes.vlines(np.arange(1, len(columns)) - 0.5, -0.5, len(rows) - 0.5, color=look.paper, linewidth=0.8)
        for r, c in _numbered(distance, _STRONGEST if wide else len(columns)):
            ink = look.on_high if scale(distance[r, c]) > 0.55 else look.on_low
            axes.text(
                c, r, _short(table[r, c]), ha="center", va="center", color=ink, fontsize=6 if wide else 7.5
            )
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
        axes.set_xlabel(textwrap.fill(meaning, max(34, 5 * len(columns))))
        axes.set_xticks(
            range(len(columns)),
            [_label(name) for name in columns],
            rotation=60,
            ha="left",
            rotation_mode="anchor",
        )
        axes.set_yticks(range(len(rows)), [_label(name) for name in rows])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def most_told(values: ArrayLike, count: int = _WIDE, *, neutral: float = 0.5) -> list[int]:
    """Columns of a (K, K) read-from matrix that other attributes' readings tell best, ascending.

    Example:
        >>> most_told([[0.9, 0.5, 0.8], [0.5, 0.9, 0.3], [0.6, 0.5, 0.9]], 1)
        [2]
    """
    far = np.abs(np.nan_to_num(np.asarray(values, dtype=np.float64), nan=neutral) - neutral)
    np.fill_diagonal(far, 0)
    return sorted(int(k) for k in np.argsort(-far.mean(axis=0), kind="stable")[:count])


def spread(values: ArrayLike, gap: float) -> Float64s:
    """Values moved as little as keeps them ``gap`` apart, in their order; for labels beside points.

    Example:
        >>> spread([0.5, 0.5, 0.9], 0.1).round(2).tolist()
        [0.45, 0.55, 0.9]
    """
    wanted: Float64s = np.asarray(values, dtype=np.float64)
    order = np.argsort(wanted, kind="stable")
    blocks: list[list[float]] = []  # of neighbours that touch: sum of (wanted - place in block), count
    for value in wanted[order]:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and _start(blocks[-1]) < _start(blocks[-2]) + blocks[-2][1] * gap:
            total, count = blocks.pop()
            before = blocks[-1]
            before[0] += total - count * before[1] * gap
            before[1] += count
    placed = [_start(block) + n * gap for block in blocks for n in range(int(block[1]))]
    result = np.empty_like(wanted)
    result[order] = placed
    return result


def _start(block: list[float]) -> float:
    """Where the first of a block stands: its mean of (wanted - n gap)."""
    return block[0] / block[1]


def _numbered(distance: Float64s, count: int) -> list[tuple[int, int]]:
    """Cells whose number is written: the darkest of each row."""
    order = np.argsort(-np.nan_to_num(distance), axis=1, kind="stable")[:, :count]
    return [(r, int(c)) for r, row in enumerate(order) for c in row if np.isfinite(distance[r, c])]


def _short(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".").replace("-", "−")


def _kept(series: AucSeries, attributes: Sequence[str] | None) -> list[int]:
    if attributes is None:
        return list(range(len(series.attributes)))
    wanted = {NAMES[k] for k in resolve(attributes)}
    kept = [k for k, name in enumerate(series.attributes) if name in wanted]
    if not kept:
        raise InputError("no attribute is left to draw: choose at least one")
    return kept


def _least(series: Sequence[AucSeries], order: list[int]) -> float:
    lows = np.concatenate([np.append(one.low[order], one.auc[order]) for one in series])
    return float(np.nanmin(lows)) - 0.01 if np.isfinite(lows).any() else 0.45


def _side(left: float, right: float, look: Theme) -> str:
    return look.series[0] if left > right else look.series[1]


def _name(one: AucSeries, among: Sequence[AucSeries]) -> str:
    """What tells a series from the others: its encoder, its method, or both."""
    encoders, methods = ({getattr(row, key) for row in among} for key in ("encoder", "method"))
    if len(encoders) == 1:
        return one.method
    return one.encoder if len(methods) == 1 else f"{one.encoder}, {one.method}"


def _label(name: str) -> str:
    try:
        return by_name(name).label
    except InputError:
        return name
