"""``clip-smu captions``: captions of templates, with their figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.inputs import tell_place
from clip_smu.cli.numbers import short
from clip_smu.cli.options import (
    Column,
    Hide,
    MethodName,
    Only,
    Templates,
    labels_option,
    output_option,
    store,
)
from clip_smu.cli.progress import progress_bar
from clip_smu.cli.show import note, show, write
from clip_smu.errors import InputError
from clip_smu.storage.escaping import visible

if TYPE_CHECKING:
    from clip_smu.evaluation.generation import CaptionScores


def captions(
    templates: Templates,
    method: MethodName = "dlib-faces",
    output: Annotated[Path | None, output_option("Captions as .csv or .jsonl, one row a template.")] = None,
    strategy: Annotated[
        str, typer.Option(help="calibrated, likely, threshold (the paper's) or greedy (the paper's).")
    ] = "calibrated",
    labels: Annotated[
        str | None, labels_option("csv or Parquet in the MAAD form: judge all strategies on it.")
    ] = None,
    only: Only = None,
    table: Annotated[
        Path | None, typer.Option("--table", help="With labels: figures of every attribute, as .csv.")
    ] = None,
    hide: Hide = "",
    threshold: Annotated[float, typer.Option(help="Of threshold: a score above it says yes.")] = 0.0,
    margin: Annotated[float, typer.Option(help="Of greedy: likelihood that an attribute must add.")] = 0.2,
    scale: Annotated[float, typer.Option(help="Of greedy: factor of the cosines in the softmax.")] = 100.0,
    most: Annotated[int, typer.Option(help="Of greedy: attributes in a caption at most.")] = 12,
    top: Annotated[int, typer.Option(help="Captions to print.")] = 5,
    column: Column = None,
) -> None:
    """Write captions of templates. With labels, also their precision, recall and F1 beside the paper's strategies.

    Example: clip-smu captions templates/ -o captions.csv
    """
    from clip_smu.evaluation.generation import (
        CaptionConfig,
        compare_strategies,
        write_captions,
        write_figures,
    )
    from clip_smu.interpreter.load import load_reader
    from clip_smu.interpreter.store_readings import sample_of
    from clip_smu.labels.lists import read_list
    from clip_smu.labels.reading import read_labels
    from clip_smu.storage.output_paths import require_output
    from clip_smu.templates import store_of

    if output is None and labels is None:
        raise InputError("nothing to do: give --output for captions, --labels for figures, or both")
    if table is not None and labels is None:
        raise InputError("--table holds figures against labels: give --labels with it")
    for file in (output, table):
        if file is not None:
            require_output(file, folder=False)
    reader, drift = load_reader(method), None
    if reader.places is not None:
        reader, drift = reader.for_batch(sample_of(store_of(store(templates, column))))
    tell_place(drift)
    config = CaptionConfig(threshold, margin, scale, most)
    names = None if only is None else read_list(only)
    if output is not None:
        with progress_bar("captions", None) as advance:
            done = write_captions(
                reader,
                store(templates, column),
                output,
                strategy=strategy,
                config=config,
                hide=hide,
                only=names,
                show=top,
                progress=advance,
            )
        for image, text in done.first:
            write(f"{visible(image)}: {text}")
        write(f"{done.rows} captions written to {output}")
        if done.rejected:
            note(f"{done.rejected} of {done.rows} templates gave none; see column rejected")
        for text in done.notes:
            note(text)
    if labels is not None:
        from clip_smu.templates import read_templates

        with progress_bar("templates", None) as advance:
            figures = compare_strategies(
                reader, read_templates(store(templates, column)), read_labels(labels), names,
                config=config, hide=hide, progress=advance,
            )  # fmt: skip
        _show_figures(figures)
        if table is not None:
            write_figures(figures, table, hide=hide)
            write(f"figures of every attribute written to {table}")


def _show_figures(figures: Mapping[str, CaptionScores]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("strategy", no_wrap=True)
    titles = ("prec.", "recall", "F1\nface", "\n95 %", "F1\nmicro", "\n95 %", "F1\nmacro", "said")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for name, one in figures.items():
        table.add_row(
            name,
            *(short(value) for value in (one.micro.precision, one.micro.recall, one.sample.f1)),
            "-".join(short(value) for value in one.sample_f1_interval),
            short(one.micro.f1),
            "-".join(short(value) for value in one.micro_f1_interval),
            short(one.macro.f1),
            f"{one.said:.1f}",
        )
    show(table)
    first = next(iter(figures.values()))
    if first.interval_reason:
        note(f"the intervals are weak: {first.interval_reason}")
    write(
        f"{first.faces} faces of {first.persons} persons; unknown labels left out; said: attributes a caption"
    )
