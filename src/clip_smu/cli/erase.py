"""``clip-smu erase``: templates without chosen attributes, and what is left of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.options import (
    Column,
    Hide,
    Labels,
    Overwrite,
    Seed,
    Templates,
    method_option,
    output_option,
    store,
)
from clip_smu.cli.progress import stage_bars
from clip_smu.cli.show import show, write

if TYPE_CHECKING:
    from clip_smu.evaluation.erasure import Erasure, Reread

_LOST = 5  # attributes besides the erased ones whose loss is shown


def erase(
    attributes: Annotated[
        list[str],
        typer.Argument(metavar="ATTRIBUTE...", help="Names or groups, such as Male, race, Eyeglasses."),
    ],
    templates: Templates,
    labels: Labels,
    train: Annotated[str, typer.Option("--train", help="List of the photos that the eraser is fitted on.")],
    test: Annotated[
        str, typer.Option("--test", help="List of photos of other persons, to measure what is left.")
    ],
    output: Annotated[Path, output_option("Folder for the erased templates.")],
    pairs: Annotated[
        str | None,
        typer.Option(help="LFW's pairs.txt, or a csv a,b,same; default, pairs drawn from the test list."),
    ] = None,
    method: Annotated[
        list[str] | None,
        method_option("Interpreter or probe to read with, before and after; may be repeated."),
    ] = None,
    hide: Hide = "",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Erase attributes from templates. Then measure what can still be read, and who is still recognised.

    Example: clip-smu erase Male templates/ -l MAAD.csv --train train_list.txt --test test_list.txt -o no-male/
    """
    from clip_smu.evaluation.erasure import ErasureConfig
    from clip_smu.evaluation.erasure import erase as run
    from clip_smu.interpreter.load import load_reader

    methods = [load_reader(path) for path in method or []]
    with stage_bars() as progress:
        found = run(
            attributes, store(templates, column), labels, output,
            train=train, test=test, methods=methods, config=ErasureConfig(pairs, hide, seed),
            overwrite=overwrite, progress=progress,
        )  # fmt: skip
    write(found.sentence)
    _show_readings(found)
    _show_verification(found)
    bad = f" ({found.unusable} of them zero or not finite, kept as they are)" if found.unusable else ""
    write(f"{found.templates} templates{bad} in {output}; all figures in {output / 'erasure.json'}")


def _show_readings(found: Erasure) -> None:
    import numpy as np
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("read by")
    table.add_column("attribute")
    for title in ("before", "after", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for reading in found.readings:
        name = f"{reading.reader} ({reading.fitted_on})" if reading.fitted_on else reading.reader
        for attribute in found.eraser.attributes:
            _add(table, name, reading, attribute)
        if len(reading.attributes) == len(found.eraser.attributes):
            continue
        means = [f"{np.nanmean(side.auc):.3f}" for side in (reading.before, reading.after)]
        table.add_row(name, f"mean of {len(reading.attributes)}", *means, "")
    linear = found.readings[[r.reader for r in found.readings].index("linear probe")]
    lost = np.nan_to_num(linear.before.auc - linear.after.auc)
    others = [k for k in np.argsort(-lost) if linear.attributes[k] not in found.eraser.attributes]
    for k in others[:_LOST]:
        _add(table, "lost besides, linear probe", linear, linear.attributes[k])
    show(table)
    for attribute, area in found.norm_auc.items():
        if area == area:
            write(
                f"The norm of the templates alone tells {attribute} with AUC {area:.3f}; it is not written."
            )


def _add(table: object, name: str, reading: Reread, attribute: str) -> None:
    k = reading.attributes.index(attribute)
    before, after = reading.of(attribute)
    interval = f"{reading.after.low[k]:.3f}-{reading.after.high[k]:.3f}"
    table.add_row(name, attribute, f"{before:.3f}", f"{after:.3f}", interval)  # type: ignore[attr-defined]


def _show_verification(found: Erasure) -> None:
    from rich.table import Table

    known = found.recognition
    if known is None:
        write(f"Verification was not measured: {found.no_recognition}")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("verification")
    for title in ("before", "after", "p"):
        table.add_column(title, justify="right", no_wrap=True)
    before, after, paired = known.before, known.after, known.paired
    for far in before.tar:
        table.add_row(f"TAR at FAR {float(far):.0e}", f"{before.tar[far]:.4f}", f"{after.tar[far]:.4f}", "")
    table.add_row("accuracy, ten folds", f"{before.accuracy:.4f}", f"{after.accuracy:.4f}", "")
    table.add_row("AUC", f"{before.auc:.4f}", f"{after.auc:.4f}", f"{paired.auc_p:.2g}")
    table.add_row("d'", f"{before.d_prime:.3f}", f"{after.d_prime:.3f}", f"{paired.d_prime_p:.2g}")
    show(table)
    pairs = f"{before.n_same} pairs of one person, {before.n_different} of two, from {known.pairs_from}"
    write(f"{pairs}; {known.left_out} left out")
