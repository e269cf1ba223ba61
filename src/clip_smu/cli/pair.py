"""``clip-smu pair``: two faces, one person or two, and which attributes say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.arrays import Float32s
from clip_smu.cli.options import AsJson, Column, EncoderName, Faces, Hide, MethodName, store
from clip_smu.cli.show import note, note_left_out, show, write
from clip_smu.errors import InputError, TemplateError

if TYPE_CHECKING:
    from clip_smu.encoders.encoder import Encoder
    from clip_smu.interpreter.pairing import PairReading
    from clip_smu.interpreter.reader import TemplateReader
    from clip_smu.interpreter.thresholds import Threshold

REMINDER = (
    "LLR: log10 of how much likelier this is of one person than of two; not to be added up, for attributes depend on "
    "each other. A reading is what templates give away, not a fact about a person."
)
_STYLES = {"agree": "green", "disagree": "red", "cannot tell": "dim"}
_Face = Annotated[
    str,
    typer.Argument(
        help="A photo, a file or folder with one template, or TEMPLATES::PHOTO, one photo of a store."
    ),
]


def pair(
    *,
    a: _Face,
    b: _Face,
    method: MethodName = "dlib-faces",
    encoder: EncoderName = None,
    threshold: Annotated[
        float | None, typer.Option(help="Cosine from which two templates match; default, the encoder's own.")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="Templates to find the threshold on, with --pairs and --far.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="LFW's pairs.txt, or a csv a,b,same, of the --calibration templates.")
    ] = None,
    far: Annotated[float, typer.Option(help="False accept rate that the threshold is chosen for.")] = 1e-3,
    hide: Hide = "",
    top: Annotated[int | None, typer.Option(min=0, help="Show this many attributes.")] = None,
    as_json: AsJson = False,
    faces: Faces,
    column: Column = None,
) -> None:
    """Say whether two faces match, and which attributes say so.

    Example: clip-smu pair a.jpg b.jpg
    """
    from clip_smu.interpreter.load import load_reader
    from clip_smu.interpreter.pairing import pair as run

    reader = load_reader(method)
    limit = _limit(threshold, calibration, pairs, far, column)
    first, second = _templates(reader, (a, b), encoder, faces, column)
    found = run(reader, first, second, limit, hide=hide)
    if as_json:
        values = found.to_dict()
        write(
            json.dumps(
                {"a": a, "b": b, **values, "attributes": values["attributes"][:top]}, ensure_ascii=False
            )
        )
        return
    _show(found, top)


def _limit(
    threshold: float | None,
    calibration: str | None,
    pairs: Path | None,
    far: float,
    column: str | None,
) -> Threshold | float | None:
    if (calibration is None) != (pairs is None):
        raise InputError(
            "--calibration and --pairs belong together: give templates and the pairs of their photos"
        )
    if calibration is None or pairs is None:
        return threshold
    if threshold is not None:
        raise InputError("--threshold and --calibration exclude each other: choose one")
    from clip_smu.interpreter.thresholds import find_threshold
    from clip_smu.metrics.pairs import read_pairs
    from clip_smu.templates import read_templates

    return find_threshold(
        read_templates(store(calibration, column)), read_pairs(pairs), far, f"{pairs.name} in {calibration}"
    )


def _templates(
    method: TemplateReader,
    inputs: tuple[str, str],
    encoder: str | None,
    faces: Faces,
    column: str | None,
) -> list[Float32s]:
    """(d,) of the main face of each input; the encoder is loaded once, if at all."""
    from clip_smu.templates import is_templates

    model: Encoder | None = None
    found: dict[str, Float32s] = {}
    for one in dict.fromkeys(inputs):
        path, _, photo = one.partition("::")
        if is_templates(path, column):
            found[one] = _stored(method, path, photo, column)
            continue
        if model is None:
            from clip_smu.encoders.load import load_encoder
            from clip_smu.encoders.locate import card, own_encoder

            name = own_encoder(encoder or method.encoder, faces.card)
            method.check_templates(card(name), None)
            model = load_encoder(name, faces.encoder_options())
        found[one] = _photographed(model, one)
    return [found[one] for one in inputs]


def _photographed(model: Encoder, path: str) -> Float32s:
    from clip_smu.encoders.encoding import encode_photos
    from clip_smu.photos import iter_photos

    photos = iter_photos([path])
    (outcome,) = encode_photos(model, [next(photos)])
    if next(photos, None) is not None:
        raise InputError(f"{path} holds several photos: name one")
    note_left_out(photos.left_out)
    if outcome.error:
        raise outcome.error
    if len(outcome.faces) > 1:
        note(f"{path} shows {len(outcome.faces)} faces; the main one, large and central, is used")
    return outcome.faces[0].template


def _stored(method: TemplateReader, path: str, photo: str, column: str | None) -> Float32s:
    from clip_smu.templates import iter_templates

    rows: list[Float32s] = []
    example, several = "", False
    photo = _whole_name(photo, path, column) if photo else ""
    for part in iter_templates(store(path, column)):
        method.check_templates(part.card, part.vectors.shape[1])
        for row, (image, face) in enumerate(zip(part.images, part.faces.tolist(), strict=True)):
            example = example or image
            if photo in ("", image):
                if face:
                    note(f"{image} has several faces; the main one is used")
                elif row in part.problems:
                    raise TemplateError(f"the template of {image} is {part.problems[row]}: give another")
                else:
                    rows.append(part.vectors[row])
            several = len(rows) > 1
            if several:
                break
        if several:
            break
    if several and not photo:
        raise InputError(f"{path} holds templates of several photos: name one, as {path}::{example}")
    if not rows:
        raise TemplateError(
            f"{path} holds no template of {photo or 'a main face'}: its first photo is {example}"
        )
    return rows[0]


def _whole_name(photo: str, path: str, column: str | None) -> str:
    """The name in the store that matches what was given, or, where none does, what was given."""
    from clip_smu.photos.names import match
    from clip_smu.templates import iter_templates

    images = [image for part in iter_templates(store(path, column)) for image in part.images]
    found = match([photo], images)
    if found.first:
        raise InputError(f"{path}::{photo} may be several photos ({found.first}): give more of its name")
    return images[found.at[0]] if found.at[0] >= 0 else photo


def _show(found: PairReading, top: int | None) -> None:
    from rich.table import Table
    from rich.text import Text

    show(Text(found.sentence))
    if found.threshold is not None and found.threshold.source != "given":
        show(Text(f"Threshold from {found.threshold.source}.", style="dim"))
    if top == 0:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("attribute")
    for title in ("first", "second", "LLR"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in found.attributes[:top]:
        first, second = one.probabilities
        figure = "" if one.llr != one.llr else f"{one.llr:+.2f}"
        table.add_row(
            Text(one.outcome, style=_STYLES[one.outcome]), one.label, f"{first:.0%}", f"{second:.0%}", figure
        )
    show(table)
    show(f"[dim]{REMINDER}[/dim]")
