"""``clip-smu interpret``: what the templates of photos and stores give away."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.cli.inputs import batches, face_name, finish, note_unguarded, tell_place, tell_rejected
from clip_smu.cli.options import (
    AsJsonLines,
    Column,
    EncoderName,
    Example,
    Faces,
    Hide,
    Inputs,
    InterpreterName,
    Overwrite,
    Style,
    one_form,
    output_option,
    store,
)
from clip_smu.cli.progress import progress_bar
from clip_smu.cli.show import csv_rows, show, write
from clip_smu.errors import InputError

if TYPE_CHECKING:
    from clip_smu.interpreter.interpreter import Interpreter
    from clip_smu.interpreter.readings import Interpretation

EVIDENCE = (
    "AUC, its 95 % interval and the numbers of yes and no are from persons that training did not see; labels: how "
    "often MAAD-Face's labels of this attribute agree with humans."
)
REMINDER = "What this template gives away, by labels that are partly machine-made; not a fact about a person."
_STYLES = {"encoded": "green", "not encoded": "red", "cannot tell": "bright_black"}


def interpret(
    *,
    inputs: Inputs = None,
    method: InterpreterName = "dlib-faces",
    encoder: EncoderName = None,
    example: Example = False,
    top: Annotated[int | None, typer.Option(min=0, help="Show this many attributes of each face.")] = None,
    attributes: Annotated[str, typer.Option(help="Show only these attributes or groups.")] = "",
    hide: Hide = "",
    style: Style = "short",
    strict: Annotated[
        bool,
        typer.Option("--strict", help="No verdict unless at least 50 faces look like a home of the method."),
    ] = False,
    optimistic: Annotated[
        bool,
        typer.Option("--optimistic", help="Verdicts wherever any home would give one; nothing is promised."),
    ] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show the figures behind each reading.")
    ] = False,
    as_json: AsJsonLines = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row a face and attribute.")] = False,
    output: Annotated[
        Path | None, output_option("Write readings of stored templates to this folder, as Parquet.")
    ] = None,
    overwrite: Overwrite = False,
    faces: Faces,
    column: Column = None,
) -> None:
    """Say what each face's template gives away.

    Example: clip-smu interpret photo.jpg --hide race,gender
    """
    from clip_smu.interpreter.interpreter import load_interpreter
    from clip_smu.interpreter.stance import asked_for
    from clip_smu.words.agreement import asked_by_name
    from clip_smu.words.sentences import known_style

    style = known_style(style)
    named = asked_by_name(attributes)
    reader = asked_for(_daring(load_interpreter(method), strict, optimistic), named)
    hidden = _hidden(reader, hide, attributes)
    if output is not None:
        _interpret_store(reader, inputs or [], output, hidden, overwrite, column)
        return
    one_form(as_json, as_csv)
    layout = _Layout(top, evidence)
    show_face = {"json": _show_json, "csv": _csv_writer(), "text": _show_text}[
        "json" if as_json else "csv" if as_csv else "text"
    ]
    done, rejected, placed = 0, 0, reader
    for batch in batches(reader, inputs, encoder, example, faces, column):
        for image, error in batch.rejected:
            rejected += 1
            tell_rejected(image, error, as_json)
        if len(batch.vectors):
            if batch.begins:
                placed, drift = reader.for_batch(batch.vectors)
                tell_place(drift)
            read = replace(placed.interpret(batch.vectors, hide=hidden), style=style, named=named)
            for (image, face), interpretation in zip(batch.names, read, strict=True):
                show_face(image, face, interpretation, layout)
                done += 1
    if done and evidence and not (as_json or as_csv):
        show(f"[dim]{EVIDENCE}[/dim]")
    if done and not (as_json or as_csv):
        show(f"[dim]{REMINDER}[/dim]")
    finish(done, rejected)


@dataclass(frozen=True, slots=True)
class _Layout:
    top: int | None
    evidence: bool


def _interpret_store(
    reader: Interpreter,
    inputs: list[str],
    output: Path,
    hidden: list[str],
    overwrite: bool,
    column: str | None,
) -> None:
    from clip_smu.interpreter.store_readings import interpret_store
    from clip_smu.templates import is_templates

    if len(inputs) != 1 or not is_templates(inputs[0], column):
        raise InputError(
            "--output writes the readings of one store of templates, a folder or file: give exactly one"
        )
    note_unguarded(reader)
    with progress_bar("templates", None) as advance:
        done = interpret_store(
            reader, store(inputs[0], column), output, hide=hidden, overwrite=overwrite, progress=advance
        )
    write(f"{done.rows} templates read into {output}")
    tell_place(done.drift)
    if done.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
        finish(
            done.rows - sum(done.rejected.values()),
            sum(done.rejected.values()),
            f" ({reasons}); see column rejected",
        )


def _daring(reader: Interpreter, be_strict: bool, be_optimistic: bool) -> Interpreter:
    """The reader as --strict or --optimistic ask for it."""
    from clip_smu.interpreter.stance import optimistic, strict

    if be_strict and be_optimistic:
        raise InputError("--strict and --optimistic ask for opposites: give one of them")
    return strict(reader) if be_strict else optimistic(reader) if be_optimistic else reader


def _hidden(reader: Interpreter, hide: str, only: str) -> list[str]:
    """Names to leave out: those hidden, and those that are not among the attributes asked for."""
    from clip_smu.words.hiding import hidden_names

    hidden, shown = hidden_names(hide), hidden_names(only) if only else set(reader.attributes)
    names = [name for name in reader.attributes if name in hidden or name not in shown]
    if len(names) == len(reader.attributes):
        raise InputError("no attribute is left to show: loosen --hide or --attributes")
    return names


def _show_text(image: str, face: int, interpretation: Interpretation, layout: _Layout) -> None:
    from rich.table import Table
    from rich.text import Text

    show(Text(face_name(image, face), style="bold"))
    show(Text(interpretation.sentence))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("attribute")  # the only column that wraps in a narrow terminal
    for title in ("probability", "score", *(("AUC", "95 %", "yes/no", "labels") if layout.evidence else ())):
        table.add_column(title, justify="right", no_wrap=True)
    for reading in interpretation.readings[: layout.top]:
        figures = [f"{reading.probability:.0%}", f"{reading.score:+.3f}"]
        if layout.evidence:
            known = reading.evidence
            figures += [
                f"{known.auc:.3f}",
                f"{known.low:.3f}-{known.high:.3f}",
                f"{known.n_positive}/{known.n_negative}",
                f"{known.label_accuracy:.0%}",
            ]
        table.add_row(Text(reading.verdict, style=_STYLES[reading.verdict]), reading.label, *figures)
    if layout.top != 0:
        show(table)
    show("")


def _show_json(image: str, face: int, interpretation: Interpretation, layout: _Layout) -> None:
    readings = [
        reading.to_dict(evidence=layout.evidence) for reading in interpretation.readings[: layout.top]
    ]
    values = {
        "image": image,
        "face": face,
        "sentence": interpretation.sentence,
        "spans": [span.to_dict() for span in interpretation.spans],
        "readings": readings,
    }
    write(json.dumps(values, ensure_ascii=False))


def _csv_writer() -> Callable[[str, int, Interpretation, _Layout], None]:
    add = csv_rows()
    header: list[str] = []

    def show(image: str, face: int, interpretation: Interpretation, layout: _Layout) -> None:
        for reading in interpretation.readings[: layout.top]:
            row = {"image": image, "face": face, **reading.to_dict()}
            if layout.evidence:
                known = reading.evidence
                row |= {"auc": known.auc, "low": known.low, "high": known.high}
            if not header:
                header.extend(row)
                add(header)
            add(row.values())

    return show
