"""A source → the report's content as JSON values: what the page shows, and what ``--format json`` writes.

``data/report.schema.json`` describes it. Figures that are not there are ``null``; parts that are not there are ``null``
or empty, and ``absent`` says which command would add them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec

from clip_smu.report import findings
from clip_smu.report.attribute_cards import attribute_card
from clip_smu.report.figures.qualitative import numbered_readings
from clip_smu.report.law import law, principles
from clip_smu.report.measured import measured_of
from clip_smu.report.method_figures import PROBES, method_figures
from clip_smu.report.provenance import provenance_of, short
from clip_smu.report.sources import Source
from clip_smu.report.supplements import (
    supplements_of,
)
from clip_smu.report.types import Content

FORMAT = 1
_MOST_METHODS = 4  # whose readings of single photos are shown

Values = dict[str, Any]


def gather(
    source: Source, *, hidden: Sequence[str] = (), labels_are: str | None = None, command: str = ""
) -> Content:
    """Everything that a report says.

    Args:
        source: as :func:`clip_smu.report.sources.read_source` gives it.
        hidden: names of attributes to leave out of everything.
        labels_are: where the labels come from, in words; default, what the source says.
        command: that makes the report.

    Raises:
        InputError: every attribute is hidden.
    """
    rows, lead, best = method_figures(source, hidden)
    home = next((name for name, one in source.evaluations.items() if one.encoder == lead["encoder"]), "")
    evaluation = source.evaluations.get(home)
    probes = [
        row["method"]
        for row in rows
        if row["encoder"] == lead["encoder"] and row["way"] in PROBES and row is not lead
    ]
    beside = supplements_of(source, home, lead["method"], hidden)
    conditional = beside.pop("conditional")
    content: Values = {
        "format": FORMAT,
        "kind": source.kind,
        "title": f"What face templates of {findings.listed(list(source.evaluations) or [lead['encoder']])} give away",
        "made": {
            "clip_smu": version("clip-smu"),
            "on": datetime.now(UTC).date().isoformat(),
            "command": short(command),
        },
        "hidden": list(hidden),
        "measured": measured_of(source, evaluation, labels_are),
        "lead": {
            key: lead[key]
            for key in (
                "encoder",
                "method",
                "way",
                "auc",
                "low",
                "high",
                "counted",
                "promised",
                "error",
                "error_low",
                "error_high",
                "coverage",
            )
        },
        "best_probe": None if best is None else {key: best[key] for key in ("method", "auc", "low", "high")},
        "methods": [{key: value for key, value in row.items() if key != "attributes"} for row in rows],
        "attributes": [
            attribute_card(row, lead, best, rows, conditional) for row in lead["attributes"].values()
        ],
        **beside,
        "photos": numbered_readings(evaluation, [lead["method"], *probes][:_MOST_METHODS]),
        "label_limits": list(law().label_limits),
    }
    content["finding"] = findings.sentences(content)
    content["principles"] = principles(content)
    content["law"] = {"note": law().note, "provisions": msgspec.to_builtins(list(law().provisions))}
    content["absent"] = _absent(content, single_photos=evaluation is not None)
    content["provenance"] = [
        {"of": of, "what": what, "value": value} for of, what, value in provenance_of(source, hidden)
    ]
    return msgspec.convert(content, Content)


def _absent(content: Values, *, single_photos: bool) -> list[dict[str, str]]:
    """What this report does not have, and how to get it."""
    missing = []

    def say(there: object, what: str, how: str) -> None:
        if not there:
            missing.append({"what": what, "how": how})

    of_run = "clip-smu reproduce, or "
    say(
        single_photos,
        "single photos, ROC curves, reliability diagrams, intervals of means",
        f"{of_run}clip-smu evaluate",
    )
    say(
        content["best_probe"] or content["lead"]["way"] in PROBES,
        "a classifier to measure language against",
        f"{of_run}clip-smu probe and clip-smu evaluate with both",
    )
    say(content["comparisons"], "a comparison of encoders or methods", f"{of_run}clip-smu compare")
    say(content["confounds"], "confounds: what is read from what", f"{of_run}clip-smu confounds")
    say(content["erasure"], "erasure: whether recognition uses an attribute", f"{of_run}clip-smu erase")
    return missing  # fmt: skip
