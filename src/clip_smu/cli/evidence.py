"""``clip-smu evaluate`` and ``compare``: how well methods read templates, and which reads what better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clip_smu.cli.ends import starts_anew
from clip_smu.cli.options import Column, Hide, Overwrite, store
from clip_smu.cli.show import csv_rows, note, show, stage_bars, write
from clip_smu.errors import InputError
from clip_smu.storage.documents import finite

if TYPE_CHECKING:
    from clip_smu.evaluation import Evaluation
    from clip_smu.evaluation.comparison import Comparison

_LABELS = (
    "AUC with its 95 % interval, which counts persons, not photos; yes/no: photos with a known label; labels: how "
    "often MAAD-Face's labels of this attribute agree with humans. Fewer than 10 yes or no are too few for a figure."
)
_SHORT = {
    "A encodes more": ("A more", "green"),
    "B encodes more": ("B more", "magenta"),
    "no difference shown": ("", "dim"),
}
_EXPECTED = ("photos with template and label", "templates not on the list")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="The rows as csv on standard output.")]


def evaluate(
    methods: Annotated[
        list[str],
        typer.Argument(
            metavar="METHOD...", help="Interpreters or probes of one encoder: dlib-lfw, or folders."
        ),
    ],
    templates: Annotated[
        str,
        typer.Option("--templates", "-t", help="Folder made by clip-smu extract, or a file of templates."),
    ],
    labels: Annotated[str, typer.Option("--labels", "-l", help="csv or Parquet in the MAAD form.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the evaluation.")],
    photos: Annotated[
        str | None, typer.Option("--list", help="List of the photos to evaluate on; default, all labelled.")
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            help="List of the photos, or persons, that the methods were fitted on: persons in both are refused."
        ),
    ] = None,
    names: Annotated[str, typer.Option(help="Names of the methods, with commas; default, their own.")] = "",
    check: Annotated[
        str | None,
        typer.Option(
            help="JSON of clip-smu encoders check --json, kept with the evidence; default, an interpreter's own."
        ),
    ] = None,
    hide: Hide = "",
    rounds: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Resamples of persons for the intervals; 0: AUC's alone. Default 500, for over 200,000 photos 100.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Measure how well interpreters and probes read labelled templates."""
    from clip_smu.encoders.preprocessing import in_words, kept_check
    from clip_smu.evaluation import evaluate as run

    _one_form(as_json, as_csv)
    with starts_anew(output), stage_bars() as progress:
        made = run(
            methods, store(templates, column), labels, output,
            only=photos, train=train, names=[one.strip() for one in names.split(",")] if names else None,
            preprocessing_check=check, hide=hide, rounds=rounds, seed=seed, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    if as_json:
        write(json.dumps(finite({**made.manifest, "rows": made.table.to_pylist()}), ensure_ascii=False))
    elif as_csv:
        _write_csv(made.table)
    else:
        _show_evaluation(made)
    _warn(made)
    if not (as_json or as_csv):
        write(in_words(kept_check(made.manifest)))
        write(f"{len(made)} photos of {made.manifest['persons']} persons; written to {output}")


def compare(
    evaluations: Annotated[
        list[str], typer.Argument(metavar="A [B]", help="One or two folders made by clip-smu evaluate.")
    ],
    methods: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B", help="Which method of A and which of B (or of A); default, the only one."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write to this .csv, .parquet or .json file.")
    ] = None,
    hide: Hide = "",
    level: Annotated[
        float, typer.Option(help="Of the intervals; differences are called at adjusted p below 1 less this.")
    ] = 0.95,
    rounds: Annotated[int, typer.Option(help="Resamples of persons for the mean's interval.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Say which attributes A's templates encode more than B's, with intervals and adjusted p."""
    from clip_smu.evaluation.comparison import compare as run
    from clip_smu.storage.output_paths import require_output

    _one_form(as_json, as_csv)
    if len(evaluations) > 2:
        raise InputError(
            f"compare takes one or two evaluations, found {len(evaluations)}: compare them pair by pair"
        )
    if len(evaluations) == 1 and methods is None:
        raise InputError(
            "one evaluation alone: name two of its methods (--methods A B), or give a second evaluation"
        )
    if output is not None and output.suffix.lower() not in (".csv", ".parquet", ".json"):
        raise InputError(f"expected a file named .csv, .parquet or .json, found {output}: rename the output")
    if output is not None:
        require_output(output, folder=False)
    a, b = methods or (None, None)
    made = run(
        evaluations[0],
        evaluations[-1],
        method_a=a,
        method_b=b,
        hide=hide,
        level=level,
        rounds=rounds,
        seed=seed,
    )
    if output is not None:
        made.save(output)
    if as_json:
        write(json.dumps(finite({**made.to_dict(), "rows": made.table.to_pylist()}), ensure_ascii=False))
    elif as_csv:
        _write_csv(made.table)
    else:
        _show_comparison(made)
    left = [
        f"{count} photos only in {side}" for count, side in ((made.only_a, "A"), (made.only_b, "B")) if count
    ]
    left += [
        f"{len(names)} attributes only in {side}"
        for names, side in ((made.attributes_only_a, "A"), (made.attributes_only_b, "B"))
        if names
    ]
    if left:
        note(f"left out: {', '.join(left)}")
    for text in made.notes:
        note(text)


def _show_evaluation(made: Evaluation) -> None:
    from rich.table import Table
    from rich.text import Text

    from clip_smu.words.attributes import by_name

    rows = made.table.to_pylist()
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
                    by_name(row["attribute"]).label, _number(row["value"]), _interval(row["low"], row["high"]),
                    f"{row['n_positive']}/{row['n_negative']}", f"{row['label_accuracy']:.0%}", row["reason"],
                )  # fmt: skip
        show(table)
        means = {row["metric"]: row for row in own if row["attribute"] == "mean"}
        pooled = {row["metric"]: row["value"] for row in own if row["attribute"] == "all"}
        area, precision = means["auc"], means["average_precision"]
        write(
            f"mean of {area['n_attributes']} attributes: AUC {_number(area['value'], 4)} "
            f"({_interval(area['low'], area['high'], 4)}), average precision {_number(precision['value'], 4)}; "
            f"wrong verdicts {_share(pooled['verdict_error'])}, coverage {_share(pooled['coverage'])}, "
            f"calibration error {_number(pooled['ece'])}"
        )
    show(f"[dim]{_LABELS}[/dim]")


def _warn(made: Evaluation) -> None:
    from clip_smu.encoders.preprocessing import kept_check

    left = {what: count for what, count in made.manifest["join"].items() if count and what not in _EXPECTED}
    if left:
        note(f"left out: {', '.join(f'{count} {what}' for what, count in left.items())}")
    for text in made.manifest.get("left_out", ()):
        note(text)
    for advice in (kept_check(made.manifest) or {}).get("misfed", ()):
        note(advice)
    if made.manifest["train"] is None:
        note(f"whether these persons were fitted on was {made.manifest['training_persons']}")


def _show_comparison(made: Comparison) -> None:
    from rich.table import Table
    from rich.text import Text

    from clip_smu.words.attributes import by_name

    show(Text(f"A: {made.method_a} ({made.encoder_a})   B: {made.method_b} ({made.encoder_b})", style="bold"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("attribute")
    for title in ("A", "B", "A - B", f"{made.level:.0%}", "adj. p", "yes/no"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("")
    rows = made.table.to_pylist()
    rows.sort(key=lambda row: (row["difference"] is None, -(row["difference"] or 0)))
    for row in rows:
        told, style = _SHORT.get(row["verdict"], (f"not tested: {row['reason']}", "dim"))
        table.add_row(
            by_name(row["attribute"]).label, _number(row["auc_a"]), _number(row["auc_b"]),
            _signed(row["difference"]), _interval(row["low"], row["high"], signed=True), _p(row["p_adjusted"]),
            f"{row['n_positive']}/{row['n_negative']}", Text(told, style=style),
        )  # fmt: skip
    show(table)
    write(made.summary)
    write(f"{made.photos} photos of {made.persons} persons, read by {made.method_a} and {made.method_b}")


def _one_form(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other: choose one")


def _write_csv(table: Any) -> None:
    add = csv_rows()
    add(table.column_names)
    for row in table.to_pylist():
        add(row.values())


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0") or "0"


def _interval(low: float | None, high: float | None, digits: int = 3, *, signed: bool = False) -> str:
    if low is None or high is None:
        return "-"
    return f"{low:+.{digits}f} {high:+.{digits}f}" if signed else f"{low:.{digits}f}-{high:.{digits}f}"
