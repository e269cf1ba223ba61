"""What ``fit``, ``probe`` and ``zero-shot`` say of what they made; any of its figures may be unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip_smu.cli.show import note, show, write

if TYPE_CHECKING:
    from clip_smu.interpreter.evidence import Evidence


def write_fitted(
    name: str,
    evidence: Sequence[Evidence],
    provenance: Mapping[str, Any],
    error_rate: float,
    output: Path,
) -> None:
    """What each of several data sets gave; the mean AUC and its source; the verdicts' errors and where all of it is.

    What was left out is a note.
    """
    if sources := provenance.get("sources"):
        _show_sources(sources)
    aucs = [row.auc for row in evidence if row.auc == row.auc]
    mean = (
        f"mean AUC {sum(aucs) / len(aucs):.4f} over {len(aucs)} attributes" if aucs else "no AUC is defined"
    )
    verdicts = provenance["verdicts"]
    write(f"{name}: {mean}, from {provenance['evidence_from']}")
    wrong = _figure(verdicts["error"], ".1%")
    write(
        f"wrong verdicts {'none asserted' if wrong == '-' else wrong} (chosen: at most {error_rate:.0%}), "
        f"coverage {_figure(verdicts['coverage'], '.1%')}, "
        f"calibration error {_figure(verdicts['ece_pooled'], '.3f')}; written to {output}"
    )
    for what, part in (("away, taught by the other data sets", "abroad"), ("at home", "at_home")):
        for source, row in (provenance.get(part) or {}).items():
            write(
                f"  {source} {what}: mean AUC {_figure(row['auc'], '.4f')}, wrong {_figure(row['error'], '.1%')} "
                f"(encoded {_figure(row['green_error'], '.1%')}, not encoded {_figure(row['red_error'], '.1%')}), "
                f"coverage {_figure(row['coverage'], '.1%')}"
            )
    for part in ("trained_on", "calibrated_on"):
        if said := (provenance.get(part) or {}).get("notes"):
            note(said)


def _show_sources(sources: Mapping[str, Mapping[str, Any]]) -> None:
    """A row a source: what was learnt from, what was measured on."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("source")
    for column in ("photos", "persons", "labels known", "attributes", "test photos", "test persons"):
        table.add_column(column, justify="right")
    for name, read in sources.items():
        known, checked = read["trained_on"], read["measured_on"] or {}
        table.add_row(
            name,
            *(f"{known[what]:,}" for what in ("faces", "persons", "labels_known", "attributes_labelled")),
            *(f"{checked[what]:,}" if checked else "-" for what in ("faces", "persons")),
        )
    show(table)


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None or value != value else format(value, form)
