"""A source without the attributes that the user hides: nothing that comes after can show, count or average them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from clip_smu.evaluation import TABLE_SCHEMA, Evaluation, Scored, metric_table, table_of
from clip_smu.report.sources import Source

_SUMMARIES = ("mean", "all")


def without(source: Source, hidden: Collection[str]) -> Source:
    """The same with evaluations that lack the named attributes; means are of the others, and then have no interval."""
    return replace(source, evaluations={name: _less(one, hidden) for name, one in source.evaluations.items()})


def _less(one: Evaluation, hidden: Collection[str]) -> Evaluation:
    keep = np.array([k for k, name in enumerate(one.attributes) if name not in hidden], dtype=np.intp)
    if len(keep) == len(one.attributes):
        return one
    attributes = tuple(one.attributes[k] for k in keep)
    labels = np.ascontiguousarray(one.labels[:, keep])
    methods = {
        name: Scored(row.scores[:, keep], row.probabilities[:, keep], row.verdicts[:, keep])
        for name, row in one.methods.items()
    }
    rows = [row for row in one.table.to_pylist() if row["attribute"] in attributes]
    if attributes:
        fresh = metric_table(one.encoder, attributes, labels, one.persons(), methods, rounds=0).to_pylist()
        rows += [row for row in fresh if row["attribute"] in _SUMMARIES]
    table = table_of(rows, TABLE_SCHEMA)
    return replace(one, attributes=attributes, labels=labels, methods=methods, table=table)
