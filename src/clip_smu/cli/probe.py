"""``clip-smu probe``: classifiers on stored templates, the reference that language is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.ends import starts_anew
from clip_smu.cli.fitted import write_fitted
from clip_smu.cli.options import ErrorRate, Name, Overwrite, Seed, TrainingData, output_option
from clip_smu.cli.progress import stage_bars


def probe(
    *,
    data: TrainingData,
    output: Annotated[Path, output_option("Folder for the probe.")],
    name: Name = None,
    kind: Annotated[
        str, typer.Option("--kind", "-k", help="multi-label, binary, logistic-regression or mlp.")
    ] = "logistic-regression",
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam; default, the kind's own.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the rows; default, the kind's own.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Templates a step; default, the kind's own.")] = None,
    standardise: Annotated[
        bool | None,
        typer.Option(
            "--standardise/--as-they-are", help="Scale the templates first; default, the kind's own."
        ),
    ] = None,
    networks: Annotated[int, typer.Option(help="Networks to average, kind mlp.")] = 1,
    unknown: Annotated[
        str, typer.Option(help="mask, or negative: train on unknown labels as if they were no.")
    ] = "mask",
    error_rate: ErrorRate = 0.10,
    folds: Annotated[int, typer.Option(help="Identity folds for calibration.")] = 5,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit classifiers to the templates of one encoder. They are what language is measured against.

    Several data sets: clip-smu probe --data lfw=lfw/,lfw.csv,train.txt,test.txt --data celeba=celeba/,celeba.csv -o it/

    Example: clip-smu probe templates/ --labels MAAD.csv --train train_list.txt --test test_list.txt -o my-probe/
    """
    from importlib.util import find_spec

    from clip_smu.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("probe", "train")
    from clip_smu.training.probe_config import ProbeConfig
    from clip_smu.training.probes import fit_probe

    settings = ProbeConfig(
        kind=kind, learning_rate=learning_rate, epochs=epochs, batch_size=batch_size, standardise=standardise,
        networks=networks, unknown=unknown, error_rate=error_rate, folds=folds, seed=seed,
    )  # fmt: skip
    with starts_anew(output), stage_bars() as progress:
        made = fit_probe(
            data.store, data.labels, output,
            train=data.train, test=data.test, sources=data.sources, config=settings,
            name=name, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    write_fitted(f"{made.name} ({made.kind})", made.evidence, made.provenance, error_rate, output)
