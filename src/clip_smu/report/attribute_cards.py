"""One card an attribute: its figures by the leading method, beside others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clip_smu.report import findings
from clip_smu.words.attribute_table import ATTRIBUTES

Values = dict[str, Any]
_ROWS = {row.name: row for row in ATTRIBUTES}


def attribute_card(
    row: Values, lead: Values, best: Values | None, rows: Sequence[Values], conditional: dict[str, Any]
) -> Values:
    """The card of one attribute.

    Args:
        row: its figures by the leading method.
        lead, best, rows: as :func:`clip_smu.report.method_figures.method_figures` gives them.
        conditional: attribute → its AUC among faces alike in another one.
    """
    name = row["attribute"]
    about = _ROWS[name]
    others = {
        other["encoder"]: other["attributes"][name]["auc"]
        for other in rows
        if other["lead_of_encoder"] and other["encoder"] != lead["encoder"] and name in other["attributes"]
    }
    card = {
        **row,
        "label": about.label,
        "category": about.category,
        "sensitive": about.sensitive,
        "level": findings.level(row["auc"], row["low"]),
        "label_accuracy": about.label_accuracy,
        "best_probe_auc": best["attributes"].get(name, {}).get("auc") if best else None,
        "other_encoders": others,
        "conditional": conditional.get(name, []),
    }
    return card | {"sentence": findings.of_attribute(card)}
