"""``clip-smu extract`` and ``clip-smu fit``: jobs that write folders, and go on where they were."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.fitted import write_fitted
from clip_smu.cli.options import (
    Align,
    Card,
    Column,
    Detector,
    Jitter,
    Landmarks,
    Overwrite,
    Upsample,
    store,
)
from clip_smu.cli.show import note_left_out, progress_bar, stage_bars, write
from clip_smu.errors import InputError


def extract(
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO...", help="Files, folders, globs, list files, tar shards, or -."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the templates.")],
    encoder: Annotated[
        str, typer.Option("--encoder", "-e", help="A name of clip-smu encoders list, or onnx:PATH.")
    ] = "dlib",
    card: Card = None,
    detector: Detector = None,
    align: Align = "default",
    landmarks: Landmarks = None,
    upsample: Upsample = None,
    jitter: Jitter = 0,
    main_face: Annotated[
        bool, typer.Option("--main-face", help="Keep one face a photo: the large and central one.")
    ] = False,
    processes: Annotated[int | None, typer.Option(help="Worker processes; default, one a core.")] = None,
    shard_photos: Annotated[
        int, typer.Option(help="Photos a shard: the most that a killed job repeats.")
    ] = 1000,
    overwrite: Overwrite = False,
) -> None:
    """Turn photos into templates, on all cores; killed and run again, it goes on."""
    from clip_smu.encoders.cards import own_encoder
    from clip_smu.encoders.encoder import EncoderOptions
    from clip_smu.photos import count_photos
    from clip_smu.storage.output_paths import require_output
    from clip_smu.templates.extraction import extract as run

    options = EncoderOptions(detector, upsample, jitter, main_face, align, landmarks)
    require_output(output, folder=True)
    total = count_photos(photos)
    with progress_bar("photos", total) as advance:
        done = run(
            photos, output, own_encoder(encoder, card), options,
            processes=processes, shard_photos=shard_photos, overwrite=overwrite, progress=advance,
        )  # fmt: skip
    resumed = f" ({done.resumed} of them done before)" if done.resumed else ""
    write(f"{done.photos} photos{resumed}: {done.templates} templates in {output}, {done.seconds:.1f} s")
    if done.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
        write(
            f"{sum(done.rejected.values())} photos gave nothing ({reasons}); each is listed in {output / '_rejected'}"
        )
    note_left_out(done.left_out)
    if not done.templates:
        raise InputError(f"no photo gave a template; the reasons are listed in {output / '_rejected'}")


def fit(
    templates: Annotated[
        str, typer.Argument(help="Folder made by clip-smu extract, or a file of templates.")
    ],
    labels: Annotated[str, typer.Option("--labels", "-l", help="csv or Parquet in the MAAD form.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the interpreter.")],
    train: Annotated[str | None, typer.Option(help="List of the photos to fit on; default, all.")] = None,
    test: Annotated[
        str | None, typer.Option(help="List of photos of other persons to measure the evidence on.")
    ] = None,
    check: Annotated[
        str | None, typer.Option(help="JSON of clip-smu encoders check --json, kept with the evidence.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the interpreter; default, the folder's.")] = None,
    objective: Annotated[
        str, typer.Option(help="attribute, multipositive, or clip (the paper's).")
    ] = "attribute",
    text_encoder: Annotated[
        str, typer.Option(help="mini, or a CLIP: a name on the Hugging Face Hub, or a folder.")
    ] = "mini",
    error_rate: Annotated[
        float, typer.Option(help="Share of wrong verdicts that the thresholds are chosen for.")
    ] = 0.10,
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
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Fit an interpreter to the templates of one encoder."""
    import clip_smu

    run, config = clip_smu.fit, clip_smu.FitConfig
    settings = config(
        objective=objective, text_encoder=text_encoder, steps=steps, batch_size=batch_size,
        learning_rate=learning_rate, folds=folds, error_rate=error_rate, precision=precision,
        accumulate=accumulate, tensorboard=tensorboard, seed=seed,
    )  # fmt: skip
    with stage_bars() as progress:
        made = run(
            store(templates, column), labels, output,
            train=train, test=test, config=settings, preprocessing_check=check, name=name,
            overwrite=overwrite, progress=progress,
        )  # fmt: skip
    write_fitted(made.name, made.evidence, made.provenance, error_rate, output)
