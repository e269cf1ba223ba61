"""``clip-smu report``: evidence as one document."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.options import AllowUnfinished, EvidenceSource, Hide, output_option
from clip_smu.cli.show import write


def report(
    source: EvidenceSource,
    output: Annotated[Path, output_option("File to write.")],
    form: Annotated[
        str | None, typer.Option("--format", help="html or json; default, by the output's suffix.")
    ] = None,
    hide: Hide = "",
    labels_are: Annotated[
        str | None, typer.Option(help="Where the labels come from, in words; stands beside the figures.")
    ] = None,
    allow_unfinished: AllowUnfinished = False,
) -> None:
    """Write the evidence as one self-contained file. Finding, figures, limits, law, provenance.

    Example: clip-smu report evaluation/ -o report.html
    """
    from clip_smu.report import report as run

    command = " ".join(["clip-smu", *sys.argv[1:]])
    made = run(
        source, output, form=form, hide=hide, labels_are=labels_are, allow_unfinished=allow_unfinished,
        command=command,
    )  # fmt: skip
    for sentence in made.finding:
        write(sentence)
    for row in made.absent:
        write(f"not in it: {row['what']} ({row['how']})")
    write(f"{made.attributes} attributes in {made.path}")
