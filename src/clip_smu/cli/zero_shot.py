"""``clip-smu zero-shot``: CLIP off the shelf as an interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.fitted import write_fitted
from clip_smu.cli.options import Column, Overwrite, store
from clip_smu.cli.show import write

if TYPE_CHECKING:
    pass


def zero_shot(
    text_encoder: Annotated[
        str,
        typer.Option(
            help="CLIP's text encoder: a folder with clip-vit-b32-text.onnx and its tokenizer, a folder of "
            "transformers, or a name on the Hugging Face Hub."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the interpreter.")],
    encoder: Annotated[
        str, typer.Option("--encoder", "-e", help="Encoder whose templates it reads: CLIP's image half.")
    ] = "clip-vit-b32",
    templates: Annotated[
        str | None, typer.Option(help="Templates to calibrate on; without them no verdict is asserted.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", "-l", help="csv or Parquet in the MAAD form.")
    ] = None,
    train: Annotated[str | None, typer.Option(help="List of the photos to calibrate on.")] = None,
    test: Annotated[
        str | None, typer.Option(help="List of photos of other persons to measure the evidence on.")
    ] = None,
    error_rate: Annotated[
        float, typer.Option(help="Share of wrong verdicts that the thresholds are chosen for.")
    ] = 0.10,
    name: Annotated[str | None, typer.Option(help="Name of the interpreter; default, the folder's.")] = None,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Make an interpreter of CLIP as it is: 47 prompts, cosines, nothing trained."""
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
