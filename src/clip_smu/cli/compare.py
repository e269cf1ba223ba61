"""``clip-smu compare``: which of two methods, or encoders, reads what better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.numbers import interval, number
from clip_smu.cli.options import AsCsv, AsJson, Hide, Seed, method_option, one_form, output_option
from clip_smu.cli.show import note, show, write, write_csv
from clip_smu.errors import InputError
from clip_smu.storage.documents import finite

if TYPE_CHECKING:
    from clip_smu.evaluation.comparison import Comparison

_SHORT = {
    "A encodes more": ("A more", "green"),
    "B encodes more": ("B more", "magenta"),
    "no difference shown": ("", "dim"),
}


def compare(
    evaluations: Annotated[
        list[str], typer.Argument(metavar="A [B]", help="One or two folders made by clip-smu evaluate.")
    ],
    method: Annotated[
        list[str] | None,
        method_option("Which method of A, and again, which of B (or of A); default, the only one."),
    ] = None,
    output: Annotated[Path | None, output_option("Also write to this .csv, .parquet or .json file.")] = None,
    hide: Hide = "",
    level: Annotated[
        float, typer.Option(help="Of the intervals; differences are called at adjusted p below 1 less this.")
    ] = 0.95,
    rounds: Annotated[int, typer.Option(help="Resamples of persons for the mean's interval.")] = 1000,
    seed: Seed = 0,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Say what A's templates encode more than B's. Attribute by attribute, with intervals and adjusted p.

    Example: clip-smu compare evaluation/ --method dlib-faces --method my-probe
    """
    from clip_smu.evaluation.compare import compare as run
    from clip_smu.evaluation.folder import require_table_name
    from clip_smu.storage.output_paths import require_output

    one_form(as_json, as_csv)
    if len(evaluations) > 2:
        raise InputError(
            f"compare takes one or two evaluations, found {len(evaluations)}: compare them pair by pair"
        )
    if method and len(method) != 2:
        raise InputError(f"--method names two methods (-m A -m B), found {len(method)}: name both, or none")
    if len(evaluations) == 1 and not method:
        raise InputError(
            "one evaluation alone: name two of its methods (-m A -m B), or give a second evaluation"
        )
    if output is not None:
        require_table_name(output)
        require_output(output, folder=False)
    a, b = method or (None, None)
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
        write_csv(made.table)
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
            by_name(row["attribute"]).label, number(row["auc_a"]), number(row["auc_b"]),
            _signed(row["difference"]), interval(row["low"], row["high"], signed=True), _p(row["p_adjusted"]),
            f"{row['n_positive']}/{row['n_negative']}", Text(told, style=style),
        )  # fmt: skip
    show(table)
    write(made.summary)
    write(f"{made.photos} photos of {made.persons} persons, read by {made.method_a} and {made.method_b}")


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0") or "0"
