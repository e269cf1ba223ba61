"""``clip-smu calibrate``: an interpreter made at home with labelled faces of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.options import Column, Labels, Only, Overwrite, Templates, output_option, store
from clip_smu.cli.show import write


def calibrate(
    *,
    interpreter: Annotated[str, typer.Argument(help="An interpreter: a folder, or one that ships.")],
    templates: Templates,
    labels: Labels,
    output: Annotated[Path, output_option("Folder for the new interpreter.")],
    only: Only = None,
    name: Annotated[str, typer.Option(help="What the new home is called.")] = "here",
    column: Column = None,
    overwrite: Overwrite = False,
) -> None:
    """Make an interpreter at home with some hundred labelled faces: new probabilities, thresholds and evidence.

    Example: clip-smu calibrate dlib-faces templates/ --labels mine.csv -o at-home/
    """
    from clip_smu.interpreter.recalibration import recalibrate

    made = recalibrate(
        interpreter, store(templates, column), labels, output,
        only=only, name=name, overwrite=overwrite,
    )  # fmt: skip
    told = made.provenance["recalibrated"][name]
    write(f"{made.name} is at home in {name}: {told['faces']} faces of {told['persons']} persons")
    wrong, coverage = (f"{told[key]:.1%}" if told[key] is not None else "-" for key in ("error", "coverage"))
    write(
        f"promised: at most {made.error_rate:.0%} of the verdicts on new persons wrong; on these faces {wrong}, "
        f"coverage {coverage}; written to {output}"
    )
    poor = sorted(
        (row.n_positive, name_)
        for name_, row in zip(made.attributes, made.evidence, strict=True)
        if row.n_positive + row.n_negative and min(row.n_positive, row.n_negative) < 20
    )
    if poor:
        few = ", ".join(f"{name_} ({count} yes)" for count, name_ in poor[:8])
        write(f"more labels would help most: {few}")
