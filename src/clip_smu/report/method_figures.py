"""What each method reaches: its mean and, attribute by attribute, its figures; which of them the report speaks of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.report.figures.series import AucSeries, auc_series, method_series
from clip_smu.report.sources import Source

Values = dict[str, Any]
PROBES = ("multi-label", "binary", "probe")  # ways of reading that are classifiers


def method_figures(source: Source, hidden: Sequence[str]) -> tuple[list[Values], Values, Values | None]:
    """One row a method, of all encoders; the row that the report speaks of; and the best classifier beside it.

    Raises:
        InputError: no attribute of any method is shown.
    """
    if source.evaluations:
        rows = [_evaluated(one, series) for one in source.evaluations.values() for series in auc_series(one)]
    else:
        rows = [_by_evidence(method, hidden) for method in source.methods.values()]
    if not rows or all(row["counted"] == 0 and not row["attributes"] for row in rows):
        raise InputError("nothing is left to report: hide fewer attributes")
    for encoder in {row["encoder"] for row in rows}:
        _first([row for row in rows if row["encoder"] == encoder])["lead_of_encoder"] = True
    lead = _first(rows)
    probes = [
        row
        for row in rows
        if row["encoder"] == lead["encoder"] and row["way"] in PROBES and row["auc"] is not None
    ]
    best = None if lead["way"] in PROBES else max(probes, key=lambda row: row["auc"], default=None)
    return rows, lead, best


def _first(rows: Sequence[Values]) -> Values:
    """The row to speak of: language before classifiers, then the highest mean AUC."""
    return max(rows, key=lambda row: (row["way"] == "language", row["way"] not in PROBES, row["auc"] or 0.0))


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
        "promised": _promised(one, series.method),
        "error": value("all", "verdict_error"),
        "error_low": value("all", "verdict_error", "low"),
        "error_high": value("all", "verdict_error", "high"),
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
        "promised": method.error_rate,
        "error": _clean(verdicts.get("error")),
        "error_low": None,
        "error_high": None,
        "coverage": _clean(verdicts.get("coverage")),
        "calibration_error": _clean(verdicts.get("ece_pooled")),
        "lead_of_encoder": False,
        "attributes": attributes,
    }


def _promised(one: Evaluation, method: str) -> float | None:
    """The error rate that the method's verdicts were chosen for; ``None`` in evaluations of before it was kept."""
    said = (row.get("error_rate") for row in one.manifest.get("methods", ()) if row["name"] == method)
    return next(said, None)


def _clean(value: Any) -> Any:
    """NaN → ``None``."""
    return None if value is None or math.isnan(value) else float(value)
