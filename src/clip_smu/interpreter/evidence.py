"""What held-out faces say of a reader's readings: per attribute, and of its verdicts as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from msgspec import structs, to_builtins

from clip_smu.arrays import Bools, Float32s, Floats, Int8s
from clip_smu.interpreter.calibration import ENCODED, NOT_ENCODED, Calibration, apply, decide
from clip_smu.interpreter.coherence import coherent as coherent_probabilities
from clip_smu.interpreter.coherence import settle
from clip_smu.interpreter.records import EvidenceForm
from clip_smu.interpreter.worst_group import groups_of
from clip_smu.metrics import auc, delong, ece
from clip_smu.metrics.persons import person_numbers, persons_apart
from clip_smu.storage.documents import finite
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES


@dataclass(frozen=True, slots=True)
class Evidence:
    """What held-out faces say of one attribute's readings.

    Attributes:
        auc, low, high: ROC AUC with its 95 % interval, 0 to 1; NaN where ``reason`` says why.
        n_positive, n_negative: faces with a known label.
        encoded_error, not_encoded_error: share of wrong verdicts among those asserted; NaN where none was.
        coverage: share of the labelled faces for which a verdict was asserted.
        label_accuracy: how often MAAD-Face's labels agree with humans (its own check).
        reason: why a figure is missing or weak ("too few positives"), or "".
    """

    auc: float
    low: float
    high: float
    n_positive: int
    n_negative: int
    encoded_error: float
    not_encoded_error: float
    coverage: float
    label_accuracy: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, under the names that files have (``green_error``, ``red_error``); NaN becomes ``None``."""
        values: dict[str, Any] = to_builtins(EvidenceForm(**finite(asdict(self))))
        return values

    @classmethod
    def from_form(cls, form: EvidenceForm) -> Evidence:
        """From what a folder holds, with NaN for null."""
        given = structs.asdict(form)
        filled: dict[str, Any] = {k: float("nan") if v is None else v for k, v in given.items()}
        return cls(**filled)


def gather_evidence(
    calibration: Calibration,
    scores: Floats,
    labels: Int8s,
    identities: Sequence[str],
    *,
    coherent: bool = False,
) -> tuple[Evidence, ...]:
    """Figures of each of the 47 attributes on faces that training did not see.

    The interval of the AUC counts persons, not photos (Obuchowski's variance): photos of one person are alike.

    Args:
        scores: (N, 47) float. labels: (N, 47) int8, 1, -1 or 0 (unknown, left out).
        identities: N persons; "" stands for a person of its own.
        coherent: whether the reader makes its readings coherent.
    """
    persons = persons_apart(identities)
    curve = delong(scores, labels, identity=persons)
    _, verdicts = _read(calibration, scores, coherent)
    rows = []
    for k, attribute in enumerate(ATTRIBUTES):
        encoded, not_encoded, asserted, known = _counts(verdicts[:, [k]], labels[:, [k]])
        rows.append(
            Evidence(
                float(curve.auc[k]),
                float(curve.low[k]),
                float(curve.high[k]),
                int(curve.n_positive[k]),
                int(curve.n_negative[k]),
                encoded,
                not_encoded,
                asserted / known if known else float("nan"),
                attribute.label_accuracy,
                curve.reason[k],
            )
        )
    return tuple(rows)


def verdict_errors(
    calibration: Calibration, scores: Floats, labels: Int8s, error_rate: float, *, coherent: bool = False
) -> dict[str, Any]:
    """Over all attributes: error of the verdicts, coverage, and calibration error (15 bins).

    ``bound`` is the lowest probability of being right at which a verdict is asserted; ``None`` where none ever is.
    """
    probabilities, verdicts = _read(calibration, scores, coherent)
    encoded, not_encoded, asserted, known = _counts(verdicts, labels)
    bound = float(np.minimum(calibration.encoded_at, 1 - calibration.not_encoded_at).min())
    return {
        "chosen_error_rate": error_rate,
        "bound": bound if bound <= 1 else None,
        "error": _share((verdicts != labels) & (verdicts != 0) & (labels != 0), asserted),
        "green_error": finite(encoded),
        "red_error": finite(not_encoded),
        "coverage": asserted / known if known else None,
        "ece_pooled": float(ece(probabilities, labels, pooled=True).value[0]),
        "ece_mean": float(np.nanmean(ece(probabilities, labels).value)),
    }


def group_errors(
    calibration: Calibration, scores: Floats, labels: Int8s, identities: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Group of people by their labels → persons, and the share of coherent verdicts about them that is wrong."""
    verdicts, persons = _read(calibration, scores, True)[1], person_numbers(identities)
    said = (verdicts != 0) & (labels != 0)
    wrong = said & (verdicts != labels)
    return {
        name: {
            "persons": len(np.unique(persons[rows])),
            "error": _share(wrong[rows], said[rows].sum()),
        }
        for name, rows in groups_of(labels, persons)
    }


def mean_auc(scores: Floats, labels: Int8s) -> float | None:
    """Over the attributes that have one; ``None`` where none has."""
    areas = auc(scores, labels).value
    return None if np.isnan(areas).all() else float(np.nanmean(areas))


def _read(calibration: Calibration, scores: Floats, coherent: bool) -> tuple[Float32s, Int8s]:
    if not coherent:
        return apply(calibration, scores)
    probabilities = coherent_probabilities(calibration, scores, NAMES)
    return probabilities, settle(decide(calibration, probabilities), probabilities, NAMES)


def _counts(verdicts: Int8s, labels: Int8s) -> tuple[float, float, int, int]:
    """Share of wrong *encoded* and of wrong *not encoded* verdicts, number asserted, number of known labels."""
    known = labels != 0
    encoded, not_encoded = (verdicts == ENCODED) & known, (verdicts == NOT_ENCODED) & known
    of_encoded = float((labels[encoded] < 0).mean()) if encoded.any() else float("nan")
    of_not_encoded = float((labels[not_encoded] > 0).mean()) if not_encoded.any() else float("nan")
    return of_encoded, of_not_encoded, int((encoded | not_encoded).sum()), int(known.sum())


def _share(part: Bools, whole: Any) -> float | None:
    return float(part.sum() / whole) if whole else None
