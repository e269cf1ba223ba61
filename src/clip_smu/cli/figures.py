"""``clip-smu figures``: evidence as drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.options import Hide
from clip_smu.cli.show import write


def figures(
    source: Annotated[
        str, typer.Argument(help="Folder of reproduce, evaluate, fit or probe; or dlib-lfw, which ships.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the figures.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="roc, dots, slope, read-from, reliability or photos; default, all that can be drawn."
        ),
    ] = None,
    attributes: Annotated[str, typer.Option(help="Draw only these attributes or groups.")] = "",
    hide: Hide = "",
    methods: Annotated[str, typer.Option(help="Draw only these methods, with commas.")] = "",
    photos: Annotated[
        str, typer.Option(help="Photos of the table of readings, by name, with commas; default, five.")
    ] = "",
    form: Annotated[str, typer.Option("--format", help="svg, pdf, png, or several with commas.")] = "svg",
    theme: Annotated[str, typer.Option(help="light, dark, or both.")] = "light",
    allow_unfinished: Annotated[
        bool, typer.Option("--allow-unfinished", help="Draw what an unfinished run has so far.")
    ] = False,
) -> None:
    """Draw the evidence: ROC curves, AUCs, encoder against encoder, what is read from what, reliability, photos."""
    from clip_smu.report.plates import FigureOptions, write_figures

    options = FigureOptions(
        tuple(kind or ()), attributes, hide, _words(methods), _words(photos),
        _words(form), ("light", "dark") if theme == "both" else (theme,), allow_unfinished,
    )  # fmt: skip
    for file in write_figures(source, output, options):
        write(str(file))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)
