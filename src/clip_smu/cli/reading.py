"""``clip-smu interpret``, ``ask``, ``words``: readings of photos and templates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clip_smu.arrays import Float32s
from clip_smu.cli.options import (
    Align,
    Card,
    Column,
    Detector,
    EncoderName,
    Example,
    Hide,
    Inputs,
    InterpreterName,
    Jitter,
    Landmarks,
    Overwrite,
    Upsample,
    store,
)
from clip_smu.cli.show import csv_rows, note, note_left_out, progress_bar, show, write
from clip_smu.errors import ClipSmuError, ImageError, InputError, TemplateError
from clip_smu.storage.escaping import visible

if TYPE_CHECKING:
    from clip_smu.encoders.encoder import EncoderOptions
    from clip_smu.interpreter.interpreter import Interpretation, Interpreter

EVIDENCE = (
    "AUC, its 95 % interval and the numbers of yes and no are from persons that training did not see; labels: how "
    "often MAAD-Face's labels of this attribute agree with humans."
)
REMINDER = "What this template gives away, by an interpreter trained on machine-made labels; not a fact about a person."
_STYLES = {"encoded": "green", "not encoded": "red", "cannot tell": "bright_black"}


def interpret(
    inputs: Inputs = None,
    interpreter: InterpreterName = "dlib-lfw",
    encoder: EncoderName = None,
    card: Card = None,
    example: Example = False,
    top: Annotated[int | None, typer.Option(min=0, help="Show this many attributes of each face.")] = None,
    hide: Hide = "",
    attributes: Annotated[str, typer.Option(help="Show only these attributes or groups.")] = "",
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show the figures behind each reading.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a face, a line each.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row a face and attribute.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write readings of stored templates to this folder, as Parquet."),
    ] = None,
    detector: Detector = None,
    align: Align = "default",
    landmarks: Landmarks = None,
    upsample: Upsample = None,
    jitter: Jitter = 0,
    overwrite: Overwrite = False,
    column: Column = None,
) -> None:
    """Say what each face's template gives away."""
    from clip_smu.encoders.encoder import EncoderOptions
    from clip_smu.interpreter.interpreter import load_interpreter

    reader = load_interpreter(interpreter)
    hidden = _hidden(reader, hide, attributes)
    if output is not None:
        _interpret_store(reader, inputs or [], output, hidden, overwrite, column)
        return
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other: choose one")
    layout = _Layout(top, evidence)
    show_face = {"json": _show_json, "csv": _csv_writer(), "text": _show_text}[
        "json" if as_json else "csv" if as_csv else "text"
    ]
    options = EncoderOptions(detector, upsample, jitter, align=align, landmarks=landmarks)
    faces = rejected = 0
    for batch in _batches(reader, inputs, encoder, card, example, options, column):
        for image, error in batch.rejected:
            rejected += 1
            _report(image, error, as_json)
        if len(batch.vectors):
            for (image, face), interpretation in zip(
                batch.names, reader.interpret(batch.vectors, hide=hidden), strict=True
            ):
                show_face(image, face, interpretation, layout)
                faces += 1
    if faces and evidence and not (as_json or as_csv):
        show(f"[dim]{EVIDENCE}[/dim]")
    if faces and not (as_json or as_csv):
        show(f"[dim]{REMINDER}[/dim]")
    _finish(faces, rejected)


def ask(
    question: Annotated[str, typer.Argument(help='A phrase or sentence, such as "wears spectacles".')],
    inputs: Inputs = None,
    interpreter: InterpreterName = "dlib-lfw",
    encoder: EncoderName = None,
    card: Card = None,
    example: Example = False,
    top: Annotated[int, typer.Option(min=1, help="Show this many faces, the best first.")] = 10,
    hide: Annotated[
        str,
        typer.Option(help="Refuse questions about these attributes or groups: race,gender,age,sensitive ..."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a face, a line each.")] = False,
    detector: Detector = None,
    align: Align = "default",
    landmarks: Landmarks = None,
    upsample: Upsample = None,
    jitter: Jitter = 0,
    column: Column = None,
) -> None:
    """Rank faces by how well their templates fit a question in free words."""
    import heapq

    from clip_smu.encoders.encoder import EncoderOptions
    from clip_smu.interpreter.interpreter import load_interpreter
    from clip_smu.words.hiding import refuse_question

    refuse_question(question, hide)
    reader = load_interpreter(interpreter)
    unseen = reader.unseen_words(question)
    if unseen:
        note(
            f"the text encoder was not trained on: {', '.join(unseen)}; the order may mean little. "
            "Words that it knows: see clip-smu words"
        )
    best: list[tuple[float, int, str, int]] = []
    options = EncoderOptions(detector, upsample, jitter, align=align, landmarks=landmarks)
    faces = rejected = 0
    for batch in _batches(reader, inputs, encoder, card, example, options, column):
        for image, error in batch.rejected:
            rejected += 1
            _report(image, error, as_json)
        if not len(batch.vectors):
            continue
        for (image, face), score in zip(batch.names, reader.ask(question, batch.vectors).scores, strict=True):
            entry = (float(score), -faces, image, face)
            (heapq.heappush if len(best) < top else heapq.heappushpop)(best, entry)
            faces += 1
    for rank, (score, _, image, face) in enumerate(sorted(best, reverse=True), 1):
        if as_json:
            write(
                json.dumps(
                    {"rank": rank, "image": image, "face": face, "score": round(score, 6)}, ensure_ascii=False
                )
            )
        else:
            write(f"{rank:4d}  {score:+.4f}  {_name(image, face)}")
    _finish(faces, rejected)


def words(interpreter: InterpreterName = "dlib-lfw") -> None:
    """List the words that an interpreter's text encoder was trained on."""
    from clip_smu.interpreter.interpreter import load_interpreter

    write("\n".join(sorted(load_interpreter(interpreter).known_words)))


@dataclass(frozen=True, slots=True)
class _Layout:
    top: int | None
    evidence: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Some faces: names (image, face) and (N, d) vectors; and inputs that gave nothing."""

    names: list[tuple[str, int]]
    vectors: Float32s
    rejected: list[tuple[str, ClipSmuError]]


def _batches(
    reader: Interpreter,
    inputs: list[str] | None,
    encoder: str | None,
    card_file: Path | None,
    example: bool,
    options: EncoderOptions,
    column: str | None,
) -> Iterator[_Batch]:
    """Faces of templates and photos alike, in the order of the command line (templates first)."""
    import numpy as np

    from clip_smu.photos.example import example_photo
    from clip_smu.templates import is_templates

    given = [*(inputs or []), *([str(example_photo())] if example else [])]
    if not given:
        raise InputError("nothing to read: give photos or templates, or --example")
    stored = [one for one in given if one != "-" and is_templates(one, column)]
    photos = [one for one in given if one not in stored]
    for one in stored:
        yield from _stored(reader, one, column)
    if not photos:
        return
    from clip_smu.encoders.cards import card, own_encoder
    from clip_smu.encoders.encoding import encode_photos
    from clip_smu.encoders.load import load_encoder
    from clip_smu.interpreter.interpreter import stranger
    from clip_smu.interpreter.methods import readable
    from clip_smu.photos import iter_photos

    name = own_encoder(encoder or reader.encoder, card_file)
    reader.check_templates(card(name), None)
    stream = iter_photos(photos)
    first = next(stream)  # a wrong path is said before a model is loaded
    model = load_encoder(name, options)
    for photo in _chain(first, stream):
        (outcome,) = encode_photos(model, [photo])
        rejected = [(photo.name, outcome.error)] if outcome.error else []
        vectors = np.array([face.template for face in outcome.faces], dtype=np.float32).reshape(
            -1, reader.dim
        )
        fine = readable(reader, vectors)
        why = {int(row): stranger(reader.encoder) for row in np.flatnonzero(~fine)}
        yield _batch([(photo.name, index) for index in range(len(vectors))], vectors, why, list(rejected))
    note_left_out(stream.left_out)


def _stored(reader: Interpreter, path: str, column: str | None) -> Iterator[_Batch]:
    from clip_smu.interpreter.methods import refuse_strangers, unreadable
    from clip_smu.templates import iter_templates

    for number, part in enumerate(iter_templates(store(path, column))):
        reader.check_templates(part.card, part.vectors.shape[1])
        if number == 0:
            refuse_strangers(reader, part.vectors, path)
            _note_unguarded(reader)
        names = list(zip(part.images, part.faces.tolist(), strict=True))
        yield _batch(names, part.vectors, unreadable(reader, part), [])


def _note_unguarded(reader: Interpreter) -> None:
    if reader.likeness is None:
        note(
            f"{reader.name} does not know what templates of {reader.encoder} look like (it was made without faces, or "
            "before readers kept that): rows of other encoders and noise are read like any other"
        )


def _batch(
    names: list[tuple[str, int]],
    vectors: Float32s,
    why: dict[int, str],
    rejected: list[tuple[str, ClipSmuError]],
) -> _Batch:
    """The faces that can be read, and the others with their reasons; ``rejected`` gave no face."""
    import numpy as np

    bad: list[tuple[str, ClipSmuError]] = [
        (_name(*names[row]), TemplateError(f"the template {_is(reason)}")) for row, reason in why.items()
    ]
    good = np.array([row not in why for row in range(len(names))], bool)
    return _Batch([name for row, name in enumerate(names) if row not in why], vectors[good], rejected + bad)


def _is(reason: str) -> str:
    return reason if reason.startswith("does not") else f"is {reason}"


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
    _note_unguarded(reader)
    with progress_bar("templates", None) as advance:
        done = interpret_store(
            reader, store(inputs[0], column), output, hide=hidden, overwrite=overwrite, progress=advance
        )
    write(f"{done.rows} templates read into {output}")
    if done.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
        _finish(
            done.rows - sum(done.rejected.values()),
            sum(done.rejected.values()),
            f" ({reasons}); see column rejected",
        )


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

    show(Text(_name(image, face), style="bold"))
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
    write(
        json.dumps(
            {"image": image, "face": face, "sentence": interpretation.sentence, "readings": readings},
            ensure_ascii=False,
        )
    )


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


def _report(image: str, error: ClipSmuError, as_json: bool) -> None:
    """Says what gave nothing, and why: to standard error, and in JSON as a row of its own."""
    reason = error.reason if isinstance(error, ImageError) else "unusable-template"
    if as_json:
        write(json.dumps({"image": image, "rejected": reason, "message": str(error)}, ensure_ascii=False))
    note(f"{image}: {error}")


def _finish(done: int, rejected: int, more: str = "") -> None:
    if not done and not rejected:
        raise InputError("nothing was read: the inputs hold no template and no face")
    if rejected:
        if done + rejected > 1:
            note(f"{rejected} of {done + rejected} gave nothing{more}")
        raise typer.Exit(1)


def _name(image: str, face: int) -> str:
    return visible(image) if face == 0 else f"{visible(image)} (face {face + 1})"


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
