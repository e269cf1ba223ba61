"""The figures of a report, as SVG that stands in the page and follows its light or dark theme."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from clip_smu.evaluation.comparison import A_MORE, B_MORE
from clip_smu.report.figures import (
    DARK,
    LIGHT,
    AucSeries,
    as_svg,
    auc_dots,
    auc_series,
    method_series,
    most_told,
    read_from_map,
    reliability_diagrams,
    roc_grid,
    slope_chart,
)
from clip_smu.report.figures.curves import DEFAULT_ATTRIBUTES
from clip_smu.report.sources import Source
from clip_smu.report.types import Comparison, ConfoundsOf, Content

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SLOPES = 3


def draw(source: Source, content: Content) -> dict[str, str]:
    """Name → SVG: ``overview``, and, where the source has what they need, ``roc``, ``reliability``, ``read-from`` and
    ``slope-N`` of the N-th comparison.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    shown = [card.attribute for card in content.attributes]
    made = {"overview": auc_dots(_overview(source, content), attributes=shown)}
    for number in slopes(content):
        made[f"slope-{number}"] = _slope(content.comparisons[number])
    found = _lead_confounds(content)
    if found is not None:
        matrix = np.array(
            [[np.nan if value is None else value for value in row] for row in found.read_from.auc]
        )
        if np.isfinite(matrix).any():
            names, told = found.read_from.attributes, most_told(matrix)
            made["read-from"] = read_from_map(matrix[:, told], names, [names[k] for k in told])
    if source.evaluations:
        evaluations = list(source.evaluations.values())
        some = [name for name in DEFAULT_ATTRIBUTES if name in shown] or shown
        made["roc"] = roc_grid(evaluations, some)
        made["reliability"] = reliability_diagrams(evaluations)
    return {name: as_svg(figure, prefix=name) for name, figure in made.items()}


def slopes(content: Content) -> list[int]:
    """Which comparisons have a slope chart: the first three, encoders before methods."""
    rows = content.comparisons
    order = sorted(range(len(rows)), key=lambda n: (rows[n].encoder_a == rows[n].encoder_b, n))
    return order[:_SLOPES]


def dark_rules() -> str:
    """CSS that turns the light theme's colours, wherever a drawing has them, into the dark theme's."""
    pairs: dict[str, str] = {}
    for field in fields(LIGHT):
        light, dark = getattr(LIGHT, field.name), getattr(DARK, field.name)
        if field.name == "series":
            pairs |= dict(zip(light, dark, strict=True))
        elif field.name not in ("name", "low", "high", "on_low", "on_high"):  # heat maps keep their colours
            pairs[light] = dark
    return "".join(
        f'.drawing [style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in pairs.items()
        for what in ("fill", "stroke")
    )


def _overview(source: Source, content: Content) -> list[AucSeries]:
    """The method that leads, the best classifier beside it, and the leads of other encoders."""
    lead, best = content.lead, content.best_probe
    wanted = [(lead.encoder, lead.method)]
    if best is not None:
        wanted.append((lead.encoder, best.method))
    wanted += [(row.encoder, row.method) for row in content.methods if row.lead_of_encoder]
    known = {
        (one.encoder, one.method): one
        for one in (
            [series for each in source.evaluations.values() for series in auc_series(each)]
            or [method_series(method) for method in source.methods.values()]
        )
    }
    return [known[key] for key in dict.fromkeys(wanted)]


def _slope(row: Comparison) -> Figure:
    names = tuple(one.attribute for one in row.rows)
    nothing = np.empty(0)
    a, b = (
        AucSeries(
            getattr(row, f"encoder_{side}"),
            getattr(row, f"method_{side}"),
            "language",
            (),
            nothing,
            nothing,
            nothing,
        ).with_auc(names, [getattr(one, f"auc_{side}") for one in row.rows])
        for side in "ab"
    )
    return slope_chart(a, b, different=[one.verdict in (A_MORE, B_MORE) for one in row.rows])


def _lead_confounds(content: Content) -> ConfoundsOf | None:
    return next((row for row in content.confounds if row.encoder == content.lead.encoder), None)
