"""An evaluation's figures by groups, in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clip_smu.cli.numbers import short
from clip_smu.cli.show import show, write

if TYPE_CHECKING:
    from clip_smu.evaluation import Evaluation

_MEANING = (
    "In percent. wrong: share of wrong verdicts, its interval counts persons; enc., not: of encoded and of not encoded "
    "alone; read: labels with a verdict; self: wrong verdicts on what says the group, left out of the others."
)


def show_groups(made: Evaluation) -> None:
    """A table a method: each group that has figures, then those with too few persons, then the worst."""
    from rich.table import Table
    from rich.text import Text

    assert made.groups is not None
    rows = made.groups.to_pylist()
    for worst, method in zip(made.manifest["groups"]["worst"], made.methods, strict=True):
        everyone = _everyone(made, method)
        show(Text(f"{method} by groups", style="bold"))
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("group")
        for title in ("faces", "pers.", "AUC", "wrong", "95 %", "enc.", "not", "read", "ECE", "self"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_row("everyone", str(len(made)), str(made.manifest["persons"]), *_cells(everyone))
        few = []
        for name, figures in _by_group(rows, method).items():
            about = figures["auc"]
            if all(row["value"] is None for row in figures.values()):
                few.append(f"{name} ({about['persons']})")
            else:
                table.add_row(name, str(about["faces"]), str(about["persons"]), *_cells(figures))
        show(table)
        if few:
            least = made.manifest["groups"]["least_persons"]
            write(f"no figures for groups of under {least} persons (their number): {'; '.join(few)}")
        if worst is not None:
            write(
                f"most wrong: {worst['group']}, {_percent(worst['value'])} % of verdicts ({_interval(worst)}); "
                f"of everyone's {_percent(everyone['verdict_error']['value'])} %"
            )
    show(f"[dim]{_MEANING}[/dim]")


def _everyone(made: Evaluation, method: str) -> dict[str, dict[str, Any]]:
    """The figures of all faces, by metric."""
    own = [row for row in made.table.to_pylist() if row["method"] == method]
    mean = {row["metric"]: row for row in own if row["attribute"] == "mean"}
    pooled = {row["metric"]: row for row in own if row["attribute"] == "all"}
    nothing = {"value": None, "low": None, "high": None}
    return {**pooled, "auc": mean["auc"], "own_error": nothing}


def _by_group(rows: list[dict[str, Any]], method: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Group → metric → row."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["method"] == method:
            found.setdefault(row["group"], {})[row["metric"]] = row
    return found


def _cells(figures: dict[str, dict[str, Any]]) -> list[str]:
    rest = ("encoded_error", "not_encoded_error", "coverage")
    calibration, error = figures["ece"]["value"], figures["verdict_error"]
    return [
        _short(figures["auc"]["value"]), _percent(error["value"]), _interval(error),
        *(_percent(figures[metric]["value"]) for metric in rest), _short(calibration),
        _percent(figures["own_error"]["value"]),
    ]  # fmt: skip


def _short(value: float | None) -> str:
    return "-" if value is None else short(value)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f}"


def _interval(row: dict[str, Any]) -> str:
    return "-" if row["low"] is None else f"{_percent(row['low'])}-{_percent(row['high'])}"
