"""``clip-smu labels doubt``: which labels look wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.numbers import number, share
from clip_smu.cli.options import AsJson, Column, Labels, Seed, Templates, output_option, store
from clip_smu.cli.progress import stage_bars
from clip_smu.cli.show import note, show, write

if TYPE_CHECKING:
    from clip_smu.evaluation.doubt import Doubt

_SHOWN = 20  # labels in the terminal, where --most does not say
_MEANING = (
    "yes→no: share of the labels yes that look like no, by confident learning on persons whose labels were not seen. "
    "A face that is hard to read looks wrong too, and an error that is always made looks right: look at the photos. "
    "Margin: P(label) less P(the other), -1 to 0."
)


def doubt(
    templates: Templates,
    labels: Labels,
    train: Annotated[
        str | None, typer.Option(help="List of the photos whose labels are looked at; default, all.")
    ] = None,
    output: Annotated[
        Path | None, output_option("The labels that look wrong, as .csv, .parquet or .json.")
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            min=1, help="Labels to list, of those that look most wrong; default, all (terminal: 20)."
        ),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    column: Column = None,
) -> None:
    """Find the labels that look wrong. By templates, read by persons whose labels were not seen.

    Example: clip-smu labels doubt templates/ --labels MAAD.csv --train train_list.txt -o doubt.csv
    """
    from clip_smu.evaluation.doubt import doubt as run
    from clip_smu.evaluation.folder import require_table_name, write_table
    from clip_smu.storage.output_paths import require_output

    if output is not None:
        require_output(output, folder=False)
        require_table_name(output)
    with stage_bars() as progress:
        found = run(store(templates, column), labels, train, most=most, seed=seed, progress=progress)
    if output is not None:
        write_table(found.labels, output, found.to_dict())
    if as_json:
        write(json.dumps({**found.to_dict(), "rows": found.labels.to_pylist()}, ensure_ascii=False))
    else:
        _show(found, most or _SHOWN)
    for text in found.notes:
        note(text)
    if output is not None and not as_json:
        write(f"{output}: {found.labels.num_rows} labels that look wrong")


def _show(found: Doubt, most: int) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("attribute", no_wrap=True)
    for title in ("yes", "no", "AUC", "yes→no", "no→yes", "listed"):
        table.add_column(title, justify="right")
    table.add_column("")
    for row in found.attributes:
        if row.n_yes or row.n_no:
            table.add_row(
                row.attribute, str(row.n_yes), str(row.n_no), number(row.auc), share(row.yes_looks_no),
                share(row.no_looks_yes), str(row.doubted_yes + row.doubted_no), row.reason,
            )  # fmt: skip
    show(table)
    listed = Table(box=None, pad_edge=False, header_style="dim")
    listed.add_column("photo", overflow="fold")  # whole, to be found again
    for title in ("attribute", "label"):
        listed.add_column(title, no_wrap=True)
    for title in ("P(yes)", "margin"):
        listed.add_column(title, justify="right", no_wrap=True)
    for one in found.labels.slice(0, most).to_pylist():
        said = "yes" if one["label"] > 0 else "no"
        listed.add_row(
            one["Filename"], one["attribute"], said, number(one["probability"]), number(one["margin"], 2)
        )
    show(listed)
    write(f"{found.photos} photos of {found.persons} persons; {found.labels.num_rows} labels look wrong")
    show(f"[dim]{_MEANING}[/dim]")
