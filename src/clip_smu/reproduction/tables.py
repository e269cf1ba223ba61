"""The end of a run: tables, comparisons and figures of all its evaluations."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from clip_smu.encoders.kept_check import in_words, kept_check
from clip_smu.evaluation import Evaluation, write_table
from clip_smu.evaluation.comparison import Comparison
from clip_smu.report.figures import (
    auc_dots,
    auc_series,
    qualitative_table,
    reliability_diagrams,
    roc_grid,
    slope_chart,
    write_figure,
)
from clip_smu.reproduction.plan import Plan, reference_of
from clip_smu.reproduction.stages import Stages
from clip_smu.storage.escaping import cell
from clip_smu.storage.files import atomic


def write_results(
    plan: Plan,
    evaluations: dict[str, Evaluation],
    comparisons: dict[str, Comparison],
    output: Path,
    smoke: bool,
) -> tuple[dict[str, Any], ...]:
    """Writes results.csv, per_attribute.csv and results.md; gives the rows of the first."""
    results = tuple(_means(evaluations))
    with (
        atomic(output / "results.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, list(results[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: cell(value) for key, value in row.items()} for row in results)
    write_table(pa.concat_tables([one.table for one in evaluations.values()]), output / "per_attribute.csv")
    lines = [f"# {plan.name}: mean AUC over the attributes", ""]
    if smoke:
        lines += [
            "**A smoke run: a few hundred photos, trainings cut short. These figures mean nothing.**",
            "",
        ]
    lines += [
        f"Labels: {plan.labels_are}. Persons of the test list do not occur in training. Intervals: 95 %, by persons.",
        "",
    ]
    lines += [f"- {name}: {in_words(kept_check(one.manifest))}" for name, one in evaluations.items()]
    lines += ["", "| method | " + " | ".join(evaluations) + " |", "|---" * (1 + len(evaluations)) + "|"]
    cells = {(row["encoder"], row["method"]): _cell(row) for row in results}
    for method in plan.methods:
        lines.append(
            f"| {method.name} | "
            + " | ".join(cells.get((name, method.name), "-") for name in evaluations)
            + " |"
        )
    lines += [
        "",
        "Differences of the mean AUC on the same photos, and what a paired test says of each attribute:",
        "",
    ]
    lines += [f"- {pair}: {comparison.summary}" for pair, comparison in comparisons.items()]
    with atomic(output / "results.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return results


def _means(evaluations: dict[str, Evaluation]) -> Iterator[dict[str, Any]]:
    for name, evaluation in evaluations.items():
        for row in evaluation.table.to_pylist():
            if row["attribute"] == "mean" and row["metric"] == "auc":
                yield {
                    "encoder": name,
                    "method": row["method"],
                    "mean_auc": row["value"],
                    "low": row["low"],
                    "high": row["high"],
                    "attributes": row["n_attributes"],
                    "photos": len(evaluation),
                }


def _cell(row: dict[str, Any]) -> str:
    if row["mean_auc"] is None:
        return "-"
    interval = "" if row["low"] is None else f" ({row['low']:.4f} to {row['high']:.4f})"
    return f"{row['mean_auc']:.4f}{interval}"


def write_figures(plan: Plan, evaluations: dict[str, Evaluation], output: Path, stages: Stages) -> None:
    stages.tell("figures", 0, 1)
    home = output / "figures"
    ways = [method.name for method in plan.methods]
    for name, evaluation in evaluations.items():
        write_figure(roc_grid([evaluation]), home / f"roc-{name}.svg")
        write_figure(reliability_diagrams([evaluation]), home / f"reliability-{name}.svg")
        write_figure(qualitative_table(evaluation), home / f"readings-{name}.svg")
    reference = reference_of(plan, ways)
    series = [
        one
        for evaluation in evaluations.values()
        if reference in evaluation.methods
        for one in auc_series(evaluation, [reference])
    ]
    if series:
        write_figure(auc_dots(series), home / "auc.svg")
    for a, b in itertools.combinations(series, 2):
        write_figure(slope_chart(a, b), home / f"slope-{a.encoder}-{b.encoder}.svg")
    stages.tell("figures", 1, 1)
