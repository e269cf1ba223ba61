"""``clip-smu evaluate``: how well methods read templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.ends import starts_anew
from clip_smu.cli.groups import show_groups
from clip_smu.cli.numbers import interval, number, share
from clip_smu.cli.options import (
    AsCsv,
    AsJson,
    Check,
    Column,
    Hide,
    Labels,
    Only,
    Overwrite,
    Seed,
    one_form,
    output_option,
    store,
    templates_option,
)
from clip_smu.cli.progress import stage_bars
from clip_smu.cli.show import note, show, write, write_csv
from clip_smu.storage.documents import finite

if TYPE_CHECKING:
    from clip_smu.evaluation import Evaluation

_LABELS = (
    "AUC with its 95 % interval, which counts persons, not photos; yes/no: photos with a known label; labels: how "
    "often MAAD-Face's labels of this attribute agree with humans. Fewer than 10 yes or no are too few for a figure."
)
_EXPECTED = ("photos with template and label", "templates not on the list")


def evaluate(
    methods: Annotated[
        list[str],
        typer.Argument(
            metavar="METHOD...", help="Interpreters or probes of one encoder: dlib-faces, or folders."
        ),
    ],
    templates: Annotated[str, templates_option("Folder made by clip-smu extract, or a file of templates.")],
    labels: Labels,
    output: Annotated[Path, output_option("Folder for the evaluation.")],
    only: Only = None,
    train: Annotated[
        str | None,
        typer.Option(
            help="List of the photos, or persons, that the methods were fitted on: persons in both are refused."
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", help="Name of each method, in their order; default, their own; may be repeated."
        ),
    ] = None,
    check: Check = None,
    hide: Hide = "",
    rounds: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Resamples of persons for the intervals; 0: AUC's alone. Default 500, for over 200,000 photos 100.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    overwrite: Overwrite = False,
    column: Column = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="GROUP,...",
            help="Also for whom: by gender,age,race or other attributes or exclusive groups, as labelled, and crossed.",
        ),
    ] = "",
    by_column: Annotated[
        list[str] | None,
        typer.Option("--by-column", help="Likewise by a further column of the labels file; may be repeated."),
    ] = None,
) -> None:
    """Measure how well methods read labelled templates.

    Example: clip-smu evaluate dlib-faces my-probe/ -t templates/ -l MAAD.csv --only test_list.txt -o evaluation/
    """
    from clip_smu.encoders.kept_check import in_words, kept_check
    from clip_smu.evaluation import EvaluationConfig
    from clip_smu.evaluation import evaluate as run

    one_form(as_json, as_csv)
    with starts_anew(output), stage_bars() as progress:
        made = run(
            methods, store(templates, column), labels, output,
            EvaluationConfig(only, train, name or None, check, hide, rounds, seed, by, by_column or ()),
            overwrite=overwrite, progress=progress,
        )  # fmt: skip
    if as_json:
        by_groups = {} if made.groups is None else {"group_rows": made.groups.to_pylist()}
        write(
            json.dumps(
                finite({**made.manifest, "rows": made.table.to_pylist(), **by_groups}), ensure_ascii=False
            )
        )
    elif as_csv:
        write_csv(made.table if made.groups is None else made.groups)
    else:
        _show_evaluation(made)
        if made.groups is not None:
            show_groups(made)
    _warn(made)
    if not (as_json or as_csv):
        write(in_words(kept_check(made.manifest)))
        write(f"{len(made)} photos of {made.manifest['persons']} persons; written to {output}")


def _show_evaluation(made: Evaluation) -> None:
    from rich.table import Table
    from rich.text import Text

    from clip_smu.evaluation.promised import is_broken, promise_in_words
    from clip_smu.words.attributes import by_name

    rows = made.table.to_pylist()
    promised = {row["name"]: row.get("error_rate") for row in made.manifest["methods"]}
    for method in made.methods:
        own = [row for row in rows if row["method"] == method]
        show(Text(f"{method} ({made.encoder})", style="bold"))
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("attribute")
        for title in ("AUC", "95 %", "yes/no", "labels"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("")
        for row in own:
            if row["metric"] == "auc" and row["attribute"] != "mean":
                table.add_row(
                    by_name(row["attribute"]).label, number(row["value"]), interval(row["low"], row["high"]),
                    f"{row['n_positive']}/{row['n_negative']}", f"{row['label_accuracy']:.0%}", row["reason"],
                )  # fmt: skip
        show(table)
        verdicts = next(row for row in own if (row["attribute"], row["metric"]) == ("all", "verdict_error"))
        if told := promise_in_words(promised[method], verdicts["value"], verdicts["low"], verdicts["high"]):
            show(Text(told, style="bold red" if is_broken(promised[method], verdicts["value"]) else "bold"))
        means = {row["metric"]: row for row in own if row["attribute"] == "mean"}
        pooled = {row["metric"]: row["value"] for row in own if row["attribute"] == "all"}
        area, precision = means["auc"], means["average_precision"]
        write(
            f"mean of {area['n_attributes']} attributes: AUC {number(area['value'], 4)} "
            f"({interval(area['low'], area['high'], 4)}), average precision {number(precision['value'], 4)}; "
            f"wrong verdicts {share(pooled['verdict_error'])}, coverage {share(pooled['coverage'])}, "
            f"calibration error {number(pooled['ece'])}"
        )
    show(f"[dim]{_LABELS}[/dim]")


def _warn(made: Evaluation) -> None:
    from clip_smu.encoders.kept_check import kept_check

    left = {what: count for what, count in made.manifest["join"].items() if count and what not in _EXPECTED}
    if left:
        note(f"left out: {', '.join(f'{count} {what}' for what, count in left.items())}")
    for text in made.manifest.get("left_out", ()):
        note(text)
    for advice in (kept_check(made.manifest) or {}).get("misfed", ()):
        note(advice)
    if made.manifest["train"] is None:
        note(f"whether these persons were fitted on was {made.manifest['training_persons']}")
