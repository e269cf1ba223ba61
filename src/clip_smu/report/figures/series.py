"""AUC of the attributes by one method: what the figures draw, from an evaluation or a method's own evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clip_smu.arrays import Float64s
from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.metrics import MIN_CLASS

_WAYS = {
    "multi-label": "multi-label",
    "binary": "binary",
    "logistic-regression": "probe",
    "mlp": "probe",
    "zero-shot": "zero-shot",
}
"""Names and kinds that say how a method reads; any other is language."""


@dataclass(frozen=True, eq=False)
class AucSeries:
    """AUC of K attributes by one method on one encoder's templates.

    Attributes:
        encoder, method: names.
        way: ``language``, ``multi-label``, ``binary``, ``probe`` or ``zero-shot``.
        attributes: K names.
        auc, low, high: (K,) 0 to 1 with its 95 % interval; NaN where it cannot be said.
    """

    encoder: str
    method: str
    way: str
    attributes: tuple[str, ...]
    auc: Float64s
    low: Float64s
    high: Float64s

    def with_auc(self, attributes: Sequence[str], auc: Sequence[float | None]) -> AucSeries:
        """The same names with other attributes and AUCs, and no intervals; ``None`` is NaN."""
        values = np.array([np.nan if value is None else value for value in auc], dtype=np.float64)
        return replace(self, attributes=tuple(attributes), auc=values, low=values, high=values)


def auc_series(evaluation: Evaluation, methods: Sequence[str] | None = None) -> list[AucSeries]:
    """One series a method, in the evaluation's order.

    Raises:
        InputError: a method that was not evaluated.
    """
    names = list(evaluation.methods) if methods is None else list(methods)
    unknown = [name for name in names if name not in evaluation.methods]
    if unknown:
        raise InputError(
            f"the evaluation of {evaluation.encoder} has no method {', '.join(unknown)}: "
            f"choose from {', '.join(evaluation.methods)}"
        )
    rows = {
        (row["method"], row["attribute"]): row
        for row in evaluation.table.to_pylist()
        if row["metric"] == "auc"
    }
    made = []
    for name in names:
        columns = [rows.get((name, attribute), {}) for attribute in evaluation.attributes]
        auc, low, high = (
            np.array([np.nan if row.get(key) is None else row[key] for row in columns], dtype=np.float64)
            for key in ("value", "low", "high")
        )
        made.append(
            AucSeries(
                evaluation.encoder,
                name,
                way_of(evaluation, name),
                tuple(evaluation.attributes),
                auc,
                low,
                high,
            )
        )
    return made


def method_series(method: TemplateReader) -> AucSeries:
    """The series of an interpreter's or probe's own evidence.

    Example:
        >>> from clip_smu.interpreter.load import load_reader
        >>> method_series(load_reader("dlib-faces")).way
        'language'
    """
    few = np.array([min(row.n_positive, row.n_negative) < MIN_CLASS for row in method.evidence])
    auc, low, high = (
        np.where(few, np.nan, np.array([getattr(row, key) for row in method.evidence], dtype=np.float64))
        for key in ("auc", "low", "high")
    )
    way = _WAYS.get(method.method_kind, "language")
    return AucSeries(method.encoder, method.name, way, method.attributes, auc, low, high)


def way_of(evaluation: Evaluation, method: str) -> str:
    """How a method reads, by its kind in the evaluation's manifest, or else by its name."""
    kinds = {row.get("name"): str(row.get("kind", "")) for row in evaluation.manifest.get("methods", [])}
    kind = kinds.get(method, "")
    if kind == "interpreter":
        return "language"
    return _WAYS.get(kind) or _WAYS.get(method, "language")
