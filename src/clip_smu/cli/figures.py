"""``clip-smu figures``: evidence as drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.options import AllowUnfinished, EvidenceSource, Hide, method_option, output_option
from clip_smu.cli.show import write


def figures(
    source: EvidenceSource,
    output: Annotated[Path, output_option("Folder for the figures.")],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            "-k",
            help="roc, dots, slope, read-from, reliability or photos; default, all that can be drawn.",
        ),
    ] = None,
    attributes: Annotated[str, typer.Option(help="Draw only these attributes or groups.")] = "",
    hide: Hide = "",
    method: Annotated[list[str] | None, method_option("Draw only this method; may be repeated.")] = None,
    photos: Annotated[
        str, typer.Option(help="Photos of the table of readings, by name, with commas; default, five.")
    ] = "",
    form: Annotated[str, typer.Option("--format", help="svg, pdf, png, or several with commas.")] = "svg",
    theme: Annotated[str, typer.Option(help="light, dark, or both.")] = "light",
    allow_unfinished: AllowUnfinished = False,
) -> None:
    """Draw the evidence. ROC curves, AUCs, encoder against encoder, what is read from what, reliability, photos.

    Example: clip-smu figures evaluation/ -o figures/ --kind roc --attributes Male,Young
    """
    from clip_smu.report.plates import FigureOptions, write_figures

    options = FigureOptions(
        tuple(kind or ()), attributes, hide, tuple(method or ()), _words(photos),
        _words(form), ("light", "dark") if theme == "both" else (theme,), allow_unfinished,
    )  # fmt: skip
    for file in write_figures(source, output, options):
        write(str(file))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)
