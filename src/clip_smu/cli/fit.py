"""``clip-smu fit``: an interpreter of one encoder's templates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.fitted import write_fitted
from clip_smu.cli.options import Check, ErrorRate, Name, Overwrite, Seed, TrainingData, output_option
from clip_smu.cli.progress import stage_bars


def fit(
    *,
    data: TrainingData,
    output: Annotated[Path, output_option("Folder for the interpreter.")],
    check: Check = None,
    name: Name = None,
    objective: Annotated[
        str, typer.Option(help="taught, attribute, multipositive, or clip (the paper's).")
    ] = "attribute",
    text_encoder: Annotated[
        str,
        typer.Option(help="mini, minilm, or a CLIP or BERT: a name on the Hugging Face Hub, or a folder."),
    ] = "mini",
    error_rate: ErrorRate = 0.10,
    steps: Annotated[
        int | None, typer.Option(help="Most optimiser steps of one training; default, the objective's.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Templates a step; default, the objective's.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Highest learning rate; default, the objective's, and 1e-5 for a CLIP."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Identity folds for early stopping and calibration; default, the objective's."),
    ] = None,
    precision: Annotated[str, typer.Option(help="float32; on a GPU also bf16 or fp16.")] = "float32",
    accumulate: Annotated[
        int, typer.Option(help="Parts that a step's sentences are encoded in, to save memory.")
    ] = 1,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the curves for TensorBoard too.")
    ] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit an interpreter to the templates of one encoder.

    Several data sets: clip-smu fit --data lfw=lfw/,lfw.csv,train.txt,test.txt --data celeba=celeba/,celeba.csv -o it/

    Example: clip-smu fit templates/ --labels MAAD.csv --train train_list.txt --test test_list.txt -o my-interpreter/
    """
    import clip_smu

    run, config = clip_smu.fit, clip_smu.FitConfig
    settings = config(
        objective=objective, text_encoder=text_encoder, steps=steps, batch_size=batch_size,
        learning_rate=learning_rate, folds=folds, error_rate=error_rate, precision=precision,
        accumulate=accumulate, tensorboard=tensorboard, seed=seed,
    )  # fmt: skip
    with stage_bars() as progress:
        made = run(
            data.store, data.labels, output,
            train=data.train, test=data.test, sources=data.sources, config=settings,
            preprocessing_check=check, name=name, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    write_fitted(made.name, made.evidence, made.provenance, error_rate, output)
