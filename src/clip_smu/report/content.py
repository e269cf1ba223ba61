"""A source → the report's content as JSON values: what the page shows, and what ``--format json`` writes.

``data/report.schema.json`` describes it. Figures that are not there are ``null``; parts that are not there are ``null``
or empty, and ``absent`` says which command would add them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec

from clip_smu.encoders.kept_check import in_words, kept_check
from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation
from clip_smu.interpreter.interpreter import DEFAULT
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.report import findings
from clip_smu.report.figures.qualitative import encoded_readings
from clip_smu.report.figures.series import AucSeries, auc_series, method_series, way_of
from clip_smu.report.law import law, principles
from clip_smu.report.provenance import provenance_of, short
from clip_smu.report.sources import Source
from clip_smu.report.supplements import comparisons_of, conditional_of, confounds_of, erasures_of
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import by_name

FORMAT = 1
NOT_SAID = "labels whose origin is not recorded (say it with --labels-are)"
_SHIPPED_LABELS = "machine-made labels of LFW in the form of MAAD-Face"
_PROBES = ("multi-label", "binary", "probe")
_ACCURACY = {row.name: row.label_accuracy for row in ATTRIBUTES}

Values = dict[str, Any]


def gather(
    source: Source, *, hidden: Sequence[str] = (), labels_are: str | None = None, command: str = ""
) -> Values:
    """Everything that a report says, as JSON values.

    Args:
        source: as :func:`clip_smu.report.restrict.without` leaves it.
        hidden: names of attributes to leave out of everything.
        labels_are: where the labels come from, in words; default, what the source says.
        command: that makes the report.

    Raises:
        InputError: every attribute is hidden.
    """
    rows = _method_rows(source, hidden)
    if not rows or all(row["counted"] == 0 and not row["attributes"] for row in rows):
        raise InputError("nothing is left to report: hide fewer attributes")
    lead = _lead(rows)
    conditional = conditional_of(_home(source.confounds, source, lead["encoder"]), lead["method"], hidden)
    probes = [
        row
        for row in rows
        if row["encoder"] == lead["encoder"] and row["way"] in _PROBES and row["auc"] is not None
    ]
    best = max(probes, key=lambda row: row["auc"], default=None) if lead["way"] not in _PROBES else None
    content: Values = {
        "format": FORMAT,
        "kind": source.kind,
        "title": _title(source, lead),
        "made": {
            "clip_smu": version("clip-smu"),
            "on": datetime.now(UTC).date().isoformat(),
            "command": short(command),
        },
        "hidden": list(hidden),
        "measured": _measured(source, lead, labels_are),
        "lead": {
            key: lead[key]
            for key in ("encoder", "method", "way", "auc", "low", "high", "counted", "error", "coverage")
        },
        "best_probe": None if best is None else {key: best[key] for key in ("method", "auc", "low", "high")},
        "methods": [{key: value for key, value in row.items() if key != "attributes"} for row in rows],
        "attributes": [_card(row, lead, best, rows, conditional) for row in lead["attributes"].values()],
        "comparisons": comparisons_of(source.comparisons, hidden),
        "confounds": confounds_of(source.confounds, hidden),
        "erasure": erasures_of(source.erasures, hidden),
        "photos": _photos(source, lead),
        "label_limits": list(law().label_limits),
    }
    for card in content["attributes"]:
        card["sentence"] = findings.of_attribute(card)
    content["finding"] = findings.sentences(content)
    content["principles"] = principles(content)
    content["law"] = {"note": law().note, "provisions": msgspec.to_builtins(list(law().provisions))}
    content["absent"] = _absent(source, content)
    content["provenance"] = [
        {"of": of, "what": what, "value": value} for of, what, value in provenance_of(source, hidden)
    ]
    return content


def _home(parts: Mapping[str, Any], source: Source, encoder: str) -> Any:
    """The part of a run's folder for that encoder; a folder may have another name than its encoder."""
    home = next((name for name, one in source.evaluations.items() if one.encoder == encoder), "")
    return parts.get(home)


def _method_rows(source: Source, hidden: Sequence[str]) -> list[Values]:
    if source.evaluations:
        rows = [_evaluated(one, series) for one in source.evaluations.values() for series in auc_series(one)]
    else:
        rows = [_by_evidence(method, hidden) for method in source.methods.values()]
    for encoder in {row["encoder"] for row in rows}:
        of_encoder = [row for row in rows if row["encoder"] == encoder]
        _lead(of_encoder)["lead_of_encoder"] = True
    return rows


def _lead(rows: Sequence[Values]) -> Values:
    """The row that the report speaks of: language before classifiers, then the highest mean AUC."""
    return max(rows, key=lambda row: (row["way"] == "language", row["way"] not in _PROBES, row["auc"] or 0.0))


def _evaluated(one: Evaluation, series: AucSeries) -> Values:
    figures = {
        (row["attribute"], row["metric"]): row
        for row in one.table.to_pylist()
        if row["method"] == series.method
    }

    def value(attribute: str, metric: str, part: str = "value") -> Any:
        return _clean(figures.get((attribute, metric), {}).get(part))

    attributes = {}
    for k, name in enumerate(one.attributes):
        known = figures.get((name, "auc"), {})
        attributes[name] = {
            "attribute": name,
            "auc": _clean(series.auc[k]),
            "low": _clean(series.low[k]),
            "high": _clean(series.high[k]),
            "n_positive": int((one.labels[:, k] > 0).sum()),
            "n_negative": int((one.labels[:, k] < 0).sum()),
            "encoded_error": value(name, "encoded_error"),
            "not_encoded_error": value(name, "not_encoded_error"),
            "coverage": value(name, "coverage"),
            "reason": known.get("reason") or "",
        }
    return {
        "encoder": one.encoder,
        "method": series.method,
        "way": series.way,
        "auc": value("mean", "auc"),
        "low": value("mean", "auc", "low"),
        "high": value("mean", "auc", "high"),
        "counted": sum(row["auc"] is not None for row in attributes.values()),
        "error": value("all", "verdict_error"),
        "coverage": value("all", "coverage"),
        "calibration_error": value("all", "ece"),
        "lead_of_encoder": False,
        "attributes": attributes,
    }


def _by_evidence(method: TemplateReader, hidden: Sequence[str]) -> Values:
    attributes = {}
    for name, row in zip(method.attributes, method.evidence, strict=True):
        if name in hidden:
            continue
        few = min(row.n_positive, row.n_negative) < 10
        attributes[name] = {
            "attribute": name,
            "auc": None if few else _clean(row.auc),
            "low": None if few else _clean(row.low),
            "high": None if few else _clean(row.high),
            "n_positive": row.n_positive,
            "n_negative": row.n_negative,
            "encoded_error": _clean(row.encoded_error),
            "not_encoded_error": _clean(row.not_encoded_error),
            "coverage": _clean(row.coverage),
            "reason": row.reason,
        }
    known = [row["auc"] for row in attributes.values() if row["auc"] is not None]
    verdicts = {} if hidden else method.provenance.get("verdicts") or {}
    return {
        "encoder": method.encoder,
        "method": method.name,
        "way": method_series(method).way,
        "auc": sum(known) / len(known) if known else None,
        "low": None,
        "high": None,
        "counted": len(known),
        "error": _clean(verdicts.get("error")),
        "coverage": _clean(verdicts.get("coverage")),
        "calibration_error": _clean(verdicts.get("ece_pooled")),
        "lead_of_encoder": False,
        "attributes": attributes,
    }


def _card(
    row: Values, lead: Values, best: Values | None, rows: Sequence[Values], conditional: dict[str, Any]
) -> Values:
    name = row["attribute"]
    about = by_name(name)
    others = {
        other["encoder"]: other["attributes"][name]["auc"]
        for other in rows
        if other["lead_of_encoder"] and other["encoder"] != lead["encoder"] and name in other["attributes"]
    }
    return {
        **row,
        "label": about.label,
        "category": about.category,
        "sensitive": about.sensitive,
        "level": findings.level(row["auc"], row["low"]),
        "label_accuracy": _ACCURACY[name],
        "best_probe_auc": best["attributes"].get(name, {}).get("auc") if best else None,
        "other_encoders": others,
        "conditional": conditional.get(name, []),
    }


def _measured(source: Source, lead: Values, labels_are: str | None) -> Values:
    """What was measured, on what, by which commands."""
    encoders, commands = [], []
    photos: int | None
    if source.evaluations:
        one = _home(source.evaluations, source, lead["encoder"])
        photos, persons = len(one.images), len(set(one.persons().tolist()))
        for name, each in source.evaluations.items():
            encoders.append(_encoder(each.encoder, len(each.images), _dim(source, name), each.manifest))
            commands.append(str(each.manifest.get("command") or f"clip-smu evaluate ({each.encoder})"))
    else:
        method = next(iter(source.methods.values()))
        persons, photos = None, _faces(method)
        encoders.append(_encoder(method.encoder, photos, method.dim, method.provenance))
        commands.append(method.made_by)
    said = source.manifest.get("labels_are")
    shipped = source.kind == "method" and source.name == DEFAULT
    return {
        "encoders": encoders,
        "photos": photos,
        "persons": persons,
        "evidence_from": _evidence_from(source),
        "labels_are": labels_are or said or (_SHIPPED_LABELS if shipped else NOT_SAID),
        "error_rate": next((method.error_rate for method in source.methods.values()), None),
        "commands": list(dict.fromkeys(short(command) for command in commands)),
        "finished": source.finished,
        "smoke": bool(source.manifest.get("smoke", False)),
    }


def _encoder(name: str, photos: int, dim: int | None, record: Mapping[str, Any]) -> Values:
    """An encoder's row; ``record`` is what holds the check of its preprocessing."""
    check = kept_check(record)
    return {
        "encoder": name,
        "photos": photos,
        "dim": dim,
        "fed": in_words(check),
        "misfed": bool(check and check["misfed"]),
    }


def _evidence_from(source: Source) -> str:
    """Whose photos these are, and whether the methods may have met them; by encoder where that differs."""
    if not source.evaluations:
        made = next(iter(source.methods.values())).provenance
        return str(made.get("evidence_from", "not recorded"))
    said = {name: str(one.manifest.get("training_persons", "")) for name, one in source.evaluations.items()}
    texts = {
        name: text or "whether training met these persons was not recorded" for name, text in said.items()
    }
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


def _faces(method: TemplateReader) -> int:
    """Faces that the evidence rests on: what the provenance says, else the most that any attribute has."""
    first = str(method.provenance.get("evidence_from", "")).split(" ", 1)[0]
    return (
        int(first)
        if first.isdigit()
        else max((row.n_positive + row.n_negative for row in method.evidence), default=0)
    )


def _dim(source: Source, encoder: str) -> int | None:
    return next((method.dim for (home, _), method in source.methods.items() if home == encoder), None)


def _title(source: Source, lead: Values) -> str:
    encoders = list(source.evaluations) or [lead["encoder"]]
    return f"What face templates of {findings.listed(encoders)} give away"


def _photos(source: Source, lead: Values) -> list[Values]:
    """Readings of a few photos, numbered: names of photos are often names of persons."""
    one = _home(source.evaluations, source, lead["encoder"])
    if one is None:
        return []
    ways = {name: way_of(one, name) for name in one.methods}
    chosen = [lead["method"], *(name for name, way in ways.items() if way in _PROBES)][:4]
    numbers: dict[str, int] = {}
    return [
        {
            "photo": numbers.setdefault(cell.image, len(numbers) + 1),
            "method": cell.method,
            "encoded": [{"attribute": name, "label": label} for name, label in cell.attributes],
        }
        for cell in encoded_readings(one, methods=chosen)
    ]


def _absent(source: Source, content: Values) -> list[dict[str, str]]:
    """What this report does not have, and how to get it."""
    missing = []

    def say(there: object, what: str, how: str) -> None:
        if not there:
            missing.append({"what": what, "how": how})

    of_run = "clip-smu reproduce, or "
    say(
        source.evaluations,
        "single photos, ROC curves, reliability diagrams, intervals of means",
        f"{of_run}clip-smu evaluate",
    )
    say(
        content["best_probe"] or content["lead"]["way"] in _PROBES,
        "a classifier to measure language against",
        f"{of_run}clip-smu probe and clip-smu evaluate with both",
    )
    say(content["comparisons"], "a comparison of encoders or methods", f"{of_run}clip-smu compare")
    say(content["confounds"], "confounds: what is read from what", f"{of_run}clip-smu confounds")
    say(content["erasure"], "erasure: whether recognition uses an attribute", f"{of_run}clip-smu erase")
    return missing  # fmt: skip


def _clean(value: Any) -> Any:
    """NaN → ``None``."""
    return None if value is None or math.isnan(value) else float(value)
