"""``clip-smu confounds``: is it really that attribute that a method reads, or another one that comes with it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.ends import starts_anew
from clip_smu.cli.numbers import short
from clip_smu.cli.options import (
    Column,
    Hide,
    Overwrite,
    Seed,
    labels_option,
    method_option,
    output_option,
    store,
    templates_option,
)
from clip_smu.cli.progress import stage_bars
from clip_smu.cli.show import note, show, write

if TYPE_CHECKING:
    import numpy as np

    from clip_smu.evaluation.confounds import Conditional, Confounds


def confounds(
    evaluation: Annotated[
        str, typer.Argument(metavar="EVALUATION", help="Folder made by clip-smu evaluate.")
    ],
    output: Annotated[Path, output_option("Folder for the tables.")],
    method: Annotated[str | None, method_option("Which of its methods; default, the only one.")] = None,
    within: Annotated[
        str, typer.Option(help="Attributes or groups, with commas, that faces are parted by.")
    ] = "Male,Young",
    controls: Annotated[
        str, typer.Option(help="Attributes or groups, with commas, whose readings are regressed out.")
    ] = "Male,age,race",
    hide: Hide = "",
    bins: Annotated[int, typer.Option(min=1, help="Of template norms.")] = 4,
    templates: Annotated[
        str | None, templates_option("For the control task: the store that was evaluated.")
    ] = None,
    labels: Annotated[
        str | None, labels_option("For the control task: csv or Parquet in the MAAD form.")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(help="For the control task: list of photos of persons that were not evaluated."),
    ] = None,
    inverse_regularisation: Annotated[
        float | None,
        typer.Option(help="C of the control task's logistic regressions; default, each attribute's best."),
    ] = None,
    tosses: Annotated[int, typer.Option(min=1, help="Tosses of all coins in the control task.")] = 5,
    top: Annotated[int, typer.Option(min=1, help="Attributes to show: those that drop most.")] = 10,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Say which readings are really of something else.

    Of another attribute, of photo quality, or of the probe's own memory.

    Example: clip-smu confounds evaluation/ --within Male,Young -o confounds/
    """
    from clip_smu.evaluation.confounds import ConfoundsConfig, ControlData
    from clip_smu.evaluation.confounds import confounds as run

    with starts_anew(output), stage_bars() as progress:
        made = run(
            evaluation, method, output,
            ConfoundsConfig(
                within.split(","), controls.split(","), hide, bins,
                ControlData.of(None if templates is None else store(templates, column), labels, train),
                inverse_regularisation, tosses, seed,
            ),
            overwrite=overwrite, progress=progress,
        )  # fmt: skip
    for one in made.conditional:
        _show_conditional(one, top)
    _show_rest(made)
    write(
        f"{made.manifest['photos']} photos of {made.manifest['persons']} persons, read by {made.method}; "
        f"all figures are in {output}"
    )
    unmeasured = {one.by: len(made.attributes) - len(one.most_affected()) - 1 for one in made.conditional}
    if any(unmeasured.values()):
        counts = ", ".join(f"{count} within {by}" for by, count in unmeasured.items() if count)
        note(f"no figure for some attributes ({counts}): conditional.csv gives each reason")


def _show_conditional(one: Conditional, top: int) -> None:
    from rich.table import Table

    from clip_smu.evaluation.confounds.conditional import groups

    no, yes = groups(one.by)
    write(f"within {one.by}")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("attribute", no_wrap=True)
    for heading in ("over all", no, yes, "within", "95 %", "drop"):
        table.add_column(heading, justify="right")
    rows = one.most_affected(top)
    for k in rows:
        table.add_row(
            one.attributes[k],
            *(short(area.auc[k]) for area in (one.overall, one.no, one.yes, one.stratified)),
            f"{short(one.stratified.low[k])}-{short(one.stratified.high[k])}",
            f"{one.drop[k]:+.3f}",
        )
    show(table)
    for k in rows:
        write(one.sentence(k))
    if one.unknown:
        write(f"{one.unknown} photos are left out here: whether {one.by} holds is unknown.")
    write("")


def _show_rest(made: Confounds) -> None:
    import numpy as np

    if made.norm.alone is None:
        write(f"Template norms: {made.norm.reason}.")
    else:
        auc = made.norm.alone.auc
        told = np.argsort(-np.abs(np.nan_to_num(auc, nan=0.5) - 0.5), kind="stable")[:3]
        figures = ", ".join(f"{made.attributes[k]} {short(auc[k])}" for k in told)
        write(f"The norm of a template alone tells (AUC): {figures}.")
    if made.control is None:
        return
    unseen, shared = made.control.unseen, made.control.shared
    write(
        f"Labels that mean nothing, persons not seen: mean AUC {short(_mean(unseen.control))} (chance is .500), "
        f"real labels {short(_mean(unseen.real.auc))}."
    )
    if shared is not None:
        write(
            f"Labels that mean nothing, other photos of persons seen: {short(_mean(shared.control))}, "
            f"real labels {short(_mean(shared.real.auc))}: what lies between is not memory of persons."
        )


def _mean(values: np.ndarray) -> float:
    import numpy as np

    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
