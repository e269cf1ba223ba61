"""For whom a method errs: an evaluation's figures group by group, with intervals by persons, and the worst named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Int8s
from clip_smu.evaluation.folder import GROUP_SCHEMA, Scored, table_of
from clip_smu.evaluation.groupings import Grouping, unknown
from clip_smu.evaluation.measures import MEAN, POOLED, metric_table
from clip_smu.words.attributes import INDEX

LEAST_PERSONS = 20
"""Persons from whom on a group has figures."""
OWN_ERROR = "own_error"
_TAKEN = (
    (MEAN, "auc"),
    (POOLED, "verdict_error"),
    (POOLED, "encoded_error"),
    (POOLED, "not_encoded_error"),
    (POOLED, "coverage"),
    (POOLED, "ece"),
)  # rows of an evaluation's table
GROUP_METRICS = (*(metric for _, metric in _TAKEN), OWN_ERROR)


def group_table(
    encoder: str,
    attributes: Sequence[str],
    labels: Int8s,
    persons: NDArray[np.str_],
    methods: Mapping[str, Scored],
    parted: Sequence[Grouping],
    *,
    rounds: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> pa.Table:
    """Figures of each method in each group, columns of ``GROUP_SCHEMA``: one row a group and metric.

    They are those of :func:`clip_smu.evaluation.metric_table` on the group's faces alone: AUC is the mean over the
    attributes that have one there, all others are of all labels together. The attributes that say the group are left
    out where their label is the same throughout; how often a verdict on these is wrong, that is, the group itself is
    misread, is the metric ``own_error``. A group of under ``LEAST_PERSONS`` has rows with that reason.

    Args:
        encoder, attributes, labels, persons, methods, rounds, seed: as for ``metric_table``.
        parted: of the same faces.
        progress: called with 1 after each way to part them.
    """
    rows: list[dict[str, Any]] = []
    for parting in parted:
        for group in parting.groups:
            inside = parting.rows(group)
            people = persons[inside]
            count = len(np.unique(people))
            about = {
                "encoder": encoder,
                "by": parting.by,
                "group": group,
                "faces": len(people),
                "persons": count,
            }
            own = _own(parting, attributes, labels[inside])
            for name, scored in methods.items():
                figures = (
                    _figures(attributes, labels[inside], people, _of(scored, inside), own, rounds, seed)
                    if count >= LEAST_PERSONS
                    else [_none(metric, _few(count)) for metric in GROUP_METRICS]
                )
                rows += [{"method": name, **about, **figure} for figure in figures]
        if progress:
            progress(1)
    return table_of(rows, GROUP_SCHEMA)


def worst_group(table: pa.Table, method: str) -> dict[str, Any] | None:
    """The row of the group with the most wrong verdicts, of those that are known; ``None`` where none has a figure."""
    rows = [
        row
        for row in table.to_pylist()
        if row["method"] == method and row["metric"] == "verdict_error" and row["value"] is not None
    ]
    return max(
        (row for row in rows if row["group"] != unknown(row["by"])),
        key=lambda row: row["value"],
        default=None,
    )


def _own(parting: Grouping, attributes: Sequence[str], labels: Int8s) -> Bools:
    """(K,) the attributes that say the group and whose known labels are the same throughout it."""
    constant = ~((labels > 0).any(axis=0) & (labels < 0).any(axis=0))
    return np.asarray([INDEX[name] in parting.defining for name in attributes], dtype=np.bool_) & constant


def _of(scored: Scored, chosen: Any) -> Scored:
    return Scored(scored.scores[chosen], scored.probabilities[chosen], scored.verdicts[chosen])


def _figures(
    attributes: Sequence[str],
    labels: Int8s,
    persons: NDArray[np.str_],
    scored: Scored,
    own: Bools,
    rounds: int | None,
    seed: int,
) -> list[dict[str, Any]]:
    """A row a metric."""

    def rows(columns: Bools) -> dict[tuple[str, str], dict[str, Any]]:
        names = [name for name, kept in zip(attributes, columns, strict=True) if kept]
        part = _of(scored, np.s_[:, columns])
        table = metric_table("", names, labels[:, columns], persons, {"": part}, rounds=rounds, seed=seed)
        return {(row["attribute"], row["metric"]): row for row in table.to_pylist()}

    others = rows(~own) if not own.all() else {}
    taken = [others.get(key) or _none(key[1], "no other attribute") for key in _TAKEN]
    misread = rows(own)[POOLED, "verdict_error"] if own.any() else _none(OWN_ERROR, "not said by attributes")
    columns = ("value", "low", "high", "n_attributes", "reason")
    return [
        {"metric": metric, **{column: row[column] for column in columns}}
        for metric, row in zip(GROUP_METRICS, [*taken, misread], strict=True)
    ]


def _none(metric: str, reason: str) -> dict[str, Any]:
    return {"metric": metric, "value": None, "low": None, "high": None, "n_attributes": 0, "reason": reason}


def _few(persons: int) -> str:
    return f"under {LEAST_PERSONS} persons" if persons else "no face"
