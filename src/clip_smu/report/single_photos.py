"""What methods call encoded in a few photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clip_smu.evaluation import Evaluation
from clip_smu.report.figures.qualitative import encoded_readings
from clip_smu.report.method_figures import PROBES

Values = dict[str, Any]
_MOST_METHODS = 4


def single_photos(evaluation: Evaluation | None, methods: Sequence[Values], lead: Values) -> list[Values]:
    """Readings of a few photos, numbered: names of photos are often names of persons."""
    if evaluation is None:
        return []
    probes = [row["method"] for row in methods if row["encoder"] == lead["encoder"] and row["way"] in PROBES]
    chosen = [lead["method"], *(name for name in probes if name != lead["method"])][:_MOST_METHODS]
    numbers: dict[str, int] = {}
    return [
        {
            "photo": numbers.setdefault(cell.image, len(numbers) + 1),
            "method": cell.method,
            "encoded": [{"attribute": name, "label": label} for name, label in cell.attributes],
        }
        for cell in encoded_readings(evaluation, methods=chosen)
    ]
