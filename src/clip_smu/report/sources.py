"""What a report can be made of: a run, an evaluation, an interpreter or a probe; told by the files in the folder."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.errors import InputError
from clip_smu.evaluation import TABLE_SCHEMA, Evaluation, Scored, metric_table, read_evaluation, table_of
from clip_smu.evaluation.confounds import Confounds, read_confounds
from clip_smu.interpreter.load import load_reader
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.storage.documents import read_json

RUN, EVALUATION, CONFOUNDS = "run.json", "evaluation.json", "confounds.json"
_SUMMARIES = ("mean", "all")
METHODS = ("interpreter.json", "probe.json")


@dataclass(frozen=True, eq=False)
class Source:
    """Everything that a report is made of; what is absent is empty.

    Attributes:
        kind: ``run``, ``evaluation`` or ``method``.
        name: of the folder.
        finished: whether the run is.
        manifest: of the run.
        evaluations: encoder → evaluation.
        methods: (encoder, name) → the interpreter or probe itself.
        confounds: encoder → what its readings are read from.
        erasures: encoder → what ``erasure.json`` holds; ``comparisons``: name → what its JSON holds.
    """

    kind: str
    name: str
    finished: bool = True
    manifest: dict[str, Any] = field(default_factory=dict)
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    methods: dict[tuple[str, str], TemplateReader] = field(default_factory=dict)
    confounds: dict[str, Confounds] = field(default_factory=dict)
    erasures: dict[str, dict[str, Any]] = field(default_factory=dict)
    comparisons: dict[str, dict[str, Any]] = field(default_factory=dict)


def read_source(path: str | Path, *, allow_unfinished: bool = False, hidden: Collection[str] = ()) -> Source:
    """Reads a folder of ``reproduce``, ``evaluate``, ``fit`` or ``probe``, or the interpreter that ships.

    Args:
        allow_unfinished: take what an unfinished run has so far.
        hidden: names of attributes that the evaluations then lack: nothing that comes after can show, count or
            average them. Means are of the others, and then have no interval.

    Raises:
        InputError: none of these, an unfinished run, or one without any evaluation.
        InterpreterError: a damaged interpreter.
    """
    found = _read(path, allow_unfinished)
    return replace(found, evaluations={name: _less(one, hidden) for name, one in found.evaluations.items()})


def _read(path: str | Path, allow_unfinished: bool) -> Source:
    folder = Path(path)
    if (folder / RUN).is_file():
        return _run(folder, allow_unfinished)
    if (folder / "_job.json").is_file() and (folder / "stages").is_dir():
        raise InputError(f"the run in {folder} is not finished: run its clip-smu reproduce again")
    if (folder / EVALUATION).is_file():
        one = read_evaluation(folder)
        return Source("evaluation", folder.resolve().name, evaluations={one.encoder: one})
    if not folder.is_dir() or any((folder / name).is_file() for name in METHODS):
        method = load_reader(path)
        return Source("method", method.name, methods={(method.encoder, method.name): method})
    raise InputError(
        f"{folder} holds none of {', '.join((RUN, EVALUATION, *METHODS))}: give a folder made by clip-smu reproduce, "
        "evaluate, fit or probe"
    )


def _run(folder: Path, allow_unfinished: bool) -> Source:
    manifest = _json(folder / RUN)
    finished = manifest.get("finished") is True
    if not finished and not allow_unfinished:
        raise InputError(
            f"the run in {folder} is not finished: run its clip-smu reproduce again, or pass --allow-unfinished to "
            f"report "
            "what is there"
        )
    homes = sorted(file.parent.parent for file in folder.glob(f"*/evaluation/{EVALUATION}"))
    if not homes:
        raise InputError(f"the run in {folder} has no evaluation yet: run its clip-smu reproduce again")
    order = [str(row.get("name")) for row in manifest.get("encoders", []) if isinstance(row, dict)]
    homes.sort(key=lambda home: (order.index(home.name) if home.name in order else len(order), home.name))
    methods = {
        (file.parent.parent.parent.name, file.parent.name): load_reader(file.parent)
        for kind in ("interpreters", "probes")
        for name in METHODS
        for file in sorted(folder.glob(f"*/{kind}/*/{name}"))
    }
    return Source(
        "run",
        folder.resolve().name,
        finished,
        manifest,
        {home.name: read_evaluation(home / "evaluation") for home in homes},
        methods,
        {
            home.name: read_confounds(home / "confounds")
            for home in homes
            if (home / "confounds" / CONFOUNDS).is_file()
        },
        {home.name: _json(file) for home in homes if (file := home / "erasure" / "erasure.json").is_file()},
        {file.stem: _json(file) for file in sorted(folder.glob("comparisons/*.json"))},
    )


def _json(file: Path) -> dict[str, Any]:
    values = read_json(file, "what clip-smu wrote")
    if not isinstance(values, dict):
        raise InputError(
            f"expected an object in {file}, found {type(values).__name__}: run the command that made it again"
        )
    return values


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
