"""All figures of a run, an evaluation or an interpreter, as files: ``clip-smu figures``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation
from clip_smu.evaluation.compare import compare
from clip_smu.evaluation.comparison import A_MORE, B_MORE, NOT_TESTED
from clip_smu.evaluation.confounds import read_from
from clip_smu.report.figures import (
    AucSeries,
    auc_dots,
    auc_series,
    method_series,
    most_told,
    qualitative_table,
    read_from_map,
    reliability_diagrams,
    roc_grid,
    slope_chart,
    write_figure,
)
from clip_smu.report.figures.curves import DEFAULT_ATTRIBUTES
from clip_smu.report.figures.style import FORMATS, theme_of
from clip_smu.report.sources import Source, read_source
from clip_smu.storage.output_paths import require_output
from clip_smu.words.attributes import NAMES, resolve
from clip_smu.words.hiding import Hide, hidden_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("roc", "dots", "slope", "read-from", "reliability", "photos")
_NEED = "needs an evaluation: make one with clip-smu evaluate"


@dataclass(frozen=True, slots=True)
class FigureOptions:
    """What to draw, and how.

    Attributes:
        kinds: of ``KINDS``; empty: all that the source has what they need for.
        attributes: names or groups to draw; empty: all, or twenty for ROC curves.
        hide: names or groups to leave out.
        methods: names; empty: as each figure chooses.
        photos: names, of the table of readings; empty: five.
        formats: of svg, pdf, png.
        themes: of light, dark.
        allow_unfinished: draw what an unfinished run has.
    """

    kinds: tuple[str, ...] = ()
    attributes: Hide = ()
    hide: Hide = ()
    methods: tuple[str, ...] = ()
    photos: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("svg",)
    themes: tuple[str, ...] = ("light",)
    allow_unfinished: bool = False


def write_figures(source: str | Path, output: str | Path, options: FigureOptions | None = None) -> list[Path]:
    """Draws the figures of a source into a folder; gives their files.

    Raises:
        InputError: no such source, kind, format, theme or method; or a kind that the source cannot give.
        MissingExtraError: Matplotlib is not installed (the extra [report]).
        StorageError: the folder cannot be written.
    """
    options = options or FigureOptions()
    _check(options)
    require_output(output, folder=True)
    hidden = hidden_names(options.hide)
    found = read_source(source, allow_unfinished=options.allow_unfinished, hidden=hidden)
    written = []
    for theme in options.themes:
        for name, draw in _plates(found, options, theme).items():
            made = draw()
            for form in options.formats:
                suffix = f"-{theme}" if len(options.themes) > 1 else ""
                file = Path(output) / f"{name}{suffix}.{form}"
                write_figure(made, file)
                written.append(file)
    return written


def _check(options: FigureOptions) -> None:
    for what, given, known in (("kind", options.kinds, KINDS), ("format", options.formats, FORMATS)):
        unknown = [one for one in given if one not in known]
        if unknown:
            raise InputError(f"expected the {what} {', '.join(known)}, found {', '.join(unknown)}")
    for theme in options.themes:
        theme_of(theme)
    if not options.formats:
        raise InputError(f"expected at least one format of {', '.join(FORMATS)}, found none")


def _plates(source: Source, options: FigureOptions, theme: str) -> dict[str, Callable[[], Figure]]:
    """File name → what draws it."""
    evaluations = list(source.evaluations.values())
    methods = list(options.methods) or None
    hidden = hidden_names(options.hide)
    chosen = [NAMES[k] for k in resolve(options.attributes) if NAMES[k] not in hidden]
    shown = chosen or [name for name in NAMES if name not in hidden]
    wanted = options.kinds or KINDS
    plates: dict[str, Callable[[], Figure]] = {}
    if not evaluations:
        refused = [kind for kind in options.kinds if kind != "dots"]
        if refused:
            raise InputError(f"the figure {refused[0]} {_NEED}")
        series = [method_series(method) for method in source.methods.values()]
        return {"dots": lambda: auc_dots(series, attributes=shown, theme=theme)} if "dots" in wanted else {}
    if "roc" in wanted:
        some = chosen or [name for name in DEFAULT_ATTRIBUTES if name in shown] or shown
        plates["roc"] = lambda: roc_grid(evaluations, some, methods=methods, theme=theme)
    if "reliability" in wanted:
        plates["reliability"] = lambda: reliability_diagrams(
            evaluations, methods=methods, attributes=shown, theme=theme
        )
    for one in evaluations:
        if "dots" in wanted:
            plates[f"dots-{one.encoder}"] = lambda one=one: auc_dots(  # type: ignore[misc]
                auc_series(one, methods), attributes=shown, theme=theme
            )
        if "read-from" in wanted:
            plates[f"read-from-{one.encoder}"] = lambda one=one: _read_from(one, methods, chosen, theme)  # type: ignore[misc]
        if "photos" in wanted:
            plates[f"photos-{one.encoder}"] = lambda one=one: qualitative_table(  # type: ignore[misc]
                one,
                options.photos or None,
                methods=methods,
                hide=[name for name in one.attributes if name not in shown],
                theme=theme,
            )
    if "slope" in wanted:
        plates |= _slopes(evaluations, methods, shown, theme, required="slope" in options.kinds)
    return plates


def _read_from(one: Evaluation, methods: Sequence[str] | None, chosen: Sequence[str], theme: str) -> Figure:
    """Of the first method; columns are the chosen attributes, or those that other readings tell most."""
    name = methods[0] if methods else next(iter(one.methods))
    if name not in one.methods:
        raise InputError(
            f"the evaluation of {one.encoder} has no method {name}: choose from {', '.join(one.methods)}"
        )
    matrix = read_from(one.methods[name].scores, one.labels).auc
    columns = [one.attributes.index(given) for given in chosen if given in one.attributes] or most_told(
        matrix
    )
    return read_from_map(
        matrix[:, columns], one.attributes, [one.attributes[k] for k in columns], theme=theme
    )


def _slopes(
    evaluations: Sequence[Evaluation],
    methods: Sequence[str] | None,
    shown: Sequence[str],
    theme: str,
    *,
    required: bool,
) -> dict[str, Callable[[], Figure]]:
    """Each encoder against the first, by a method that all have or else by their first; of one encoder, its methods."""
    first, others = evaluations[0], evaluations[1:]
    names = [name for name in (methods or first.methods) if all(name in one.methods for one in evaluations)]
    pairs: list[tuple[str, Evaluation, str, Evaluation, str]] = []
    for one in others:
        of_a, of_b = (names or list(each.methods) for each in (first, one))
        pairs.append((f"{first.encoder}-{one.encoder}", first, of_a[0], one, of_b[0]))
    if not others:
        pairs = [(f"{names[0]}-{name}", first, names[0], first, name) for name in names[1:]]
    if required and not pairs:
        raise InputError(
            "the figure slope needs two encoders or two methods that were evaluated on the same photos"
        )
    return {
        f"slope-{name}": lambda a=a, of_a=of_a, b=b, of_b=of_b: _slope(a, of_a, b, of_b, shown, theme)  # type: ignore[misc]
        for name, a, of_a, b, of_b in pairs
    }


def _slope(a: Evaluation, of_a: str, b: Evaluation, of_b: str, shown: Sequence[str], theme: str) -> Figure:
    rows = compare(a, b, method_a=of_a, method_b=of_b, rounds=40).table.to_pylist()
    names = tuple(row["attribute"] for row in rows)
    known = [name for name in shown if name in names]
    sides: list[AucSeries] = []
    for one, method, key in ((a, of_a, "auc_a"), (b, of_b, "auc_b")):
        (series,) = auc_series(one, [method])
        sides.append(series.with_auc(names, [row[key] for row in rows]))
    tested = any(row["verdict"] != NOT_TESTED for row in rows)
    different = [row["verdict"] in (A_MORE, B_MORE) for row in rows] if tested else None
    return slope_chart(sides[0], sides[1], different=different, attributes=known, theme=theme)
