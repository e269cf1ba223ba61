"""``clip-smu probe``: classifiers on stored templates, the reference that language is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.ends import starts_anew
from clip_smu.cli.fitted import write_fitted
from clip_smu.cli.options import Column, Overwrite, store
from clip_smu.cli.show import stage_bars


def probe(
    templates: Annotated[
        str, typer.Argument(help="Folder made by clip-smu extract, or a file of templates.")
    ],
    labels: Annotated[str, typer.Option("--labels", "-l", help="csv or Parquet in the MAAD form.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the probe.")],
    train: Annotated[str | None, typer.Option(help="List of the photos to fit on; default, all.")] = None,
    test: Annotated[
        str | None, typer.Option(help="List of photos of other persons to measure the evidence on.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", "-k", help="multi-label, binary, logistic-regression or mlp.")
    ] = "logistic-regression",
    name: Annotated[str | None, typer.Option(help="Name of the probe; default, the folder's.")] = None,
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
    error_rate: Annotated[
        float, typer.Option(help="Share of wrong verdicts that the thresholds are chosen for.")
    ] = 0.10,
    folds: Annotated[int, typer.Option(help="Identity folds for calibration.")] = 5,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Fit classifiers to the templates of one encoder."""
    from importlib.util import find_spec

    from clip_smu.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("probe", "train")
    from clip_smu.training.probes import ProbeConfig, fit_probe

    settings = ProbeConfig(
        kind=kind, learning_rate=learning_rate, epochs=epochs, batch_size=batch_size, standardise=standardise,
        networks=networks, unknown=unknown, error_rate=error_rate, folds=folds, seed=seed,
    )  # fmt: skip
    with starts_anew(output), stage_bars() as progress:
        made = fit_probe(
            store(templates, column), labels, output,
            train=train, test=test, config=settings, name=name, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    write_fitted(f"{made.name} ({made.kind})", made.evidence, made.provenance, error_rate, output)
