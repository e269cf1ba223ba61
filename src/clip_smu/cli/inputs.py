"""The faces that a user gave, of photos and of stored templates alike; and what gave none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from clip_smu.arrays import Float32s
from clip_smu.cli.options import Faces, store
from clip_smu.cli.show import note, note_left_out, write
from clip_smu.errors import ClipSmuError, ImageError, InputError, TemplateError
from clip_smu.storage.escaping import visible

if TYPE_CHECKING:
    from clip_smu.interpreter.drift import Drift
    from clip_smu.interpreter.interpreter import Interpreter


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some faces: names (image, face) and (N, d) vectors; and inputs that gave nothing.

    ``begins``: the first of a store of templates, or a photo.
    """

    names: list[tuple[str, int]]
    vectors: Float32s
    rejected: list[tuple[str, ClipSmuError]]
    begins: bool = True


def batches(
    reader: Interpreter,
    inputs: list[str] | None,
    encoder: str | None,
    example: bool,
    faces: Faces,
    column: str | None,
) -> Iterator[Batch]:
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
    from clip_smu.encoders.encoding import encode_photos
    from clip_smu.encoders.load import load_encoder
    from clip_smu.encoders.locate import card, own_encoder
    from clip_smu.interpreter.readable import readable
    from clip_smu.interpreter.reader import stranger
    from clip_smu.photos import iter_photos

    name = own_encoder(encoder or reader.encoder, faces.card)
    reader.check_templates(card(name), None)
    stream = iter_photos(photos)
    first = next(stream)  # a wrong path is said before a model is loaded
    model = load_encoder(name, faces.encoder_options())
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


def _stored(reader: Interpreter, path: str, column: str | None) -> Iterator[Batch]:
    from clip_smu.interpreter.readable import refuse_strangers, unreadable
    from clip_smu.templates import iter_templates

    for number, part in enumerate(iter_templates(store(path, column))):
        reader.check_templates(part.card, part.vectors.shape[1])
        if number == 0:
            refuse_strangers(reader, part.vectors, path)
            note_unguarded(reader)
        names = list(zip(part.images, part.faces.tolist(), strict=True))
        yield replace(_batch(names, part.vectors, unreadable(reader, part), []), begins=number == 0)


def tell_place(drift: Drift | None) -> None:
    """One line that says by which home's calibration a batch was read; nothing where it was too small to ask."""
    if drift is None or not (drift.home or drift.away):
        return
    if drift.home:
        note(f"{drift.faces} faces look like {drift.home}: read as calibrated there")
        return
    off = f" (most off: {', '.join(drift.shifted)})" if drift.shifted else ""
    note(
        f"{drift.faces} faces look like none of {', '.join(drift.distances)}{off}: read with caution, as away from "
        "home; some hundred labelled ones make it at home there (clip-smu calibrate)"
    )


def note_unguarded(reader: Interpreter) -> None:
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
) -> Batch:
    """The faces that can be read, and the others with their reasons; ``rejected`` gave no face."""
    import numpy as np

    if not why:
        return Batch(names, vectors, rejected)
    bad: list[tuple[str, ClipSmuError]] = [
        (face_name(*names[row]), TemplateError(f"the template {_is(reason)}")) for row, reason in why.items()
    ]
    good = np.array([row not in why for row in range(len(names))], bool)
    return Batch([name for row, name in enumerate(names) if row not in why], vectors[good], rejected + bad)


def _is(reason: str) -> str:
    return reason if reason.startswith("does not") else f"is {reason}"


def tell_rejected(image: str, error: ClipSmuError, as_json: bool) -> None:
    """Says what gave nothing, and why: to standard error, and in JSON as a row of its own."""
    reason = error.reason if isinstance(error, ImageError) else "unusable-template"
    if as_json:
        write(json.dumps({"image": image, "rejected": reason, "message": str(error)}, ensure_ascii=False))
    note(f"{image}: {error}")


def finish(done: int, rejected: int, more: str = "") -> None:
    if not done and not rejected:
        raise InputError("nothing was read: the inputs hold no template and no face")
    if rejected:
        if done + rejected > 1:
            note(f"{rejected} of {done + rejected} gave nothing{more}")
        raise typer.Exit(1)


def face_name(image: str, face: int) -> str:
    return visible(image) if face == 0 else f"{visible(image)} (face {face + 1})"


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
