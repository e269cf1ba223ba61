"""``clip-smu labels``: convert, show, prepare; ``doubt`` has a file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.commands import commands
from clip_smu.cli.labels_doubt import doubt
from clip_smu.cli.options import (
    AsJson,
    Column,
    Labels,
    Only,
    Seed,
    Templates,
    output_option,
    store,
    templates_option,
)
from clip_smu.cli.show import note, write
from clip_smu.cli.show import show as show_table

if TYPE_CHECKING:
    from clip_smu.labels.preparation import PreparationReport
    from clip_smu.labels.summary import Summary


def convert(
    source: Annotated[Path, typer.Argument(help="CelebA's or VGGFace2's folder, or a csv or Parquet.")],
    data_set: Annotated[str, typer.Option("--from", help="celeba, vggface2 or maad.")],
    output: Annotated[Path, output_option("Labels as .csv or .parquet; lists go beside it.")],
) -> None:
    """Write the labels of a data set in the MAAD form, and its lists.

    Example: clip-smu labels convert celeba/ --from celeba -o celeba.csv
    """
    from clip_smu.labels.datasets import convert as run

    done = run(source, data_set, output)
    write(f"{done.labels}: {done.photos} photos of {done.persons} persons")
    for part, file in done.lists.items():
        write(f"{file}: {done.sizes[part]} photos")
    for text in done.notes:
        note(text)


def show(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="csv or Parquet in the MAAD form.")],
    templates: Annotated[
        str | None, templates_option("Templates: also say how they join with the labels.")
    ] = None,
    only: Only = None,
    as_json: AsJson = False,
    column: Column = None,
) -> None:
    """Count what labels say, and how they join with templates.

    Example: clip-smu labels show MAAD.csv --templates templates/
    """
    from clip_smu.labels.lists import read_list
    from clip_smu.labels.reading import read_labels
    from clip_smu.labels.summary import summarise
    from clip_smu.templates import read_templates

    found = summarise(
        read_labels(labels),
        None if templates is None else read_templates(store(templates, column)),
        None if only is None else read_list(only),
    )
    if as_json:
        write(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        _show(found)


def prepare(
    templates: Templates,
    labels: Labels,
    only: Only = None,
    keep_all: Annotated[
        bool, typer.Option("--all", help="Keep all photos of a caption; default, one, as in the paper.")
    ] = False,
    output: Annotated[Path | None, output_option("List of the photos that remain, for fit --train.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    column: Column = None,
) -> None:
    """Take the photos that can be trained on. Says how many each step removed.

    Example: clip-smu labels prepare templates/ --labels MAAD.csv --only train_list.txt -o prepared.txt
    """
    from clip_smu.labels.lists import read_list, write_list
    from clip_smu.labels.preparation import prepare as run
    from clip_smu.labels.reading import read_labels
    from clip_smu.storage.output_paths import require_output

    if output is not None:
        require_output(output, folder=False)
    names = None if only is None else read_list(only)
    done = run(store(templates, column), read_labels(labels), names, unique=not keep_all, seed=seed)
    if as_json:
        write(
            json.dumps(
                {"preprocessing": done.report.preprocessing, "steps": done.report.rows()}, ensure_ascii=False
            )
        )
    else:
        _show_steps(done.report)
    for text in done.joined.notes:
        note(text)
    if output is not None:
        write_list(done.templates.images, output)
        if not as_json:
            write(f"{output}: {len(done.templates)} photos")


def _show(found: Summary) -> None:
    from rich.table import Table

    from clip_smu.words.attributes import NAMES

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("attribute", no_wrap=True)
    for title in ("yes", "no", "unknown", "yes of known"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, (yes, no, unknown) in zip(NAMES, found.counts.tolist(), strict=True):
        share = f"{yes / (yes + no):.1%}" if yes + no else "-"
        table.add_row(name, str(yes), str(no), str(unknown), share)
    show_table(table)
    write(f"{found.photos} photos of {found.persons} persons, {found.captions} distinct captions")
    if found.duplicates:
        write(f"{found.duplicates} rows repeated another and were left out")
    if found.joined is not None:
        for what, count in found.joined.report().items():
            write(f"{count:>9} {what}")
        for text in found.joined.notes:
            note(text)


def _show_steps(report: PreparationReport) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("removed", no_wrap=True)
    for title in ("before", "removed", "after"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in report.rows():
        table.add_row(row["step"], *(str(row[key]) for key in ("before", "removed", "after")))
    show_table(table)
    kept = report.after / report.before if report.before else 0.0
    write(f"{report.after} of {report.before} photos remain ({kept:.1%})")
    if report.preprocessing:
        write(f"preprocessing, by the card: {report.preprocessing}")


app = commands(
    "Attribute labels, in the form of MAAD-Face.",
    {"convert": convert, "show": show, "prepare": prepare, "doubt": doubt},
)
