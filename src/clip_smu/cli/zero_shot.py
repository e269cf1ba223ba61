"""``clip-smu zero-shot``: CLIP off the shelf as an interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.fitted import write_fitted
from clip_smu.cli.options import (
    Column,
    ErrorRate,
    MaybeLabels,
    Name,
    Overwrite,
    Test,
    Train,
    output_option,
    store,
    templates_option,
)
from clip_smu.cli.show import write


def zero_shot(
    text_encoder: Annotated[
        str,
        typer.Option(
            help="CLIP's text encoder: a folder with clip-vit-b32-text.onnx and its tokenizer, a folder of "
            "transformers, or a name on the Hugging Face Hub."
        ),
    ],
    output: Annotated[Path, output_option("Folder for the interpreter.")],
    encoder: Annotated[
        str, typer.Option("--encoder", "-e", help="Encoder whose templates it reads: CLIP's image half.")
    ] = "clip-vit-b32",
    templates: Annotated[
        str | None, templates_option("Templates to calibrate on; without them no verdict is asserted.")
    ] = None,
    labels: MaybeLabels = None,
    train: Train = None,
    test: Test = None,
    error_rate: ErrorRate = 0.10,
    name: Name = None,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Make an interpreter of CLIP as it is. 47 prompts, cosines, nothing trained.

    Example: clip-smu zero-shot --text-encoder clip-text/ -o clip-off-the-shelf/
    """
    from clip_smu.training.zero_shot import zero_shot as run

    made = run(
        text_encoder, output,
        encoder=encoder, templates=None if templates is None else store(templates, column),
        labels=labels, train=train, test=test,
        error_rate=error_rate, name=name, overwrite=overwrite,
    )  # fmt: skip
    if made.provenance["verdicts"] is None:
        write(f"{made.name}: 47 prompts of length {made.dim}, not calibrated; written to {output}")
        return
    write_fitted(made.name, made.evidence, made.provenance, error_rate, output)
