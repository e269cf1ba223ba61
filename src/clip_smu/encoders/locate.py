"""A name, or a file of anybody's network → its card, and where its weights belong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.card_files import CARD_FILE, read_card
from clip_smu.encoders.converted import converted
from clip_smu.encoders.known import CARDS
from clip_smu.encoders.weights import weights_folder
from clip_smu.errors import EncoderError
from clip_smu.storage.digests import file_digest

ONNX = "onnx:"
CARD = "?card="


def card(name: str) -> EncoderCard:
    """The card of an encoder: a row of :data:`CARDS`, what ``convert`` made of it, or ``onnx:PATH``.

    Raises:
        EncoderError: there is none (the message lists those there are), or a user's card is wrong.
    """
    return locate(name)[0]


def locate(name: str) -> tuple[EncoderCard, Path | None]:
    """The card of an encoder and where its ONNX file belongs (which may not be there yet).

    ``adaface-ir50-0f3a2b1c`` is a checkpoint that ``encoders convert`` made; ``adaface-ir50`` alone is the released
    file, or where that is not there the one converted checkpoint of it.

    ``onnx:PATH?card=CARD.toml`` is anybody's model; without ``?card=`` the card is PATH with the ending
    ``.toml``, or ``card.toml`` beside it.

    Raises:
        EncoderError: as :func:`card`.
    """
    if name.startswith(ONNX):
        return _own(name)
    for row in CARDS:
        if row.name == name:
            if not row.filename:
                return row, None
            folder = weights_folder(name)
            made = [] if (folder / row.filename).is_file() else converted(name)
            if len(made) > 1:
                raise EncoderError(
                    f"several checkpoints of {name} were converted: say which, {', '.join(one.name for one in made)}"
                )
            if made:
                folder, row = weights_folder(made[0].name), made[0]
            elif (folder / CARD_FILE).is_file():  # converted before checkpoints had names of their own
                row = read_card(folder / CARD_FILE)
            return row, folder / row.filename
    made = [one for one in converted() if one.name == name]
    if made:
        return made[0], weights_folder(name) / made[0].filename
    known = ", ".join(row.name for row in [*CARDS, *converted()])
    raise EncoderError(f"no encoder is called {name!r}: choose one of {known}, or onnx:PATH for your own")


def own_encoder(model: str, card_file: Path | None) -> str:
    """The one string that stands for a user's ONNX model and its card, as workers get it."""
    if card_file is None:
        return model
    if not model.startswith(ONNX):
        raise EncoderError(f"a card file belongs to an encoder given as onnx:PATH, found {model!r}")
    return f"{model.split(CARD)[0]}{CARD}{card_file}"


def _own(name: str) -> tuple[EncoderCard, Path]:
    model, _, given = name.removeprefix(ONNX).partition(CARD)
    path = Path(model)
    if not path.is_file():
        raise EncoderError(f"expected an ONNX file at {path}, found nothing: check the path after onnx:")
    beside = [path.with_suffix(".toml"), path.with_name(CARD_FILE)]
    file = Path(given) if given else next((one for one in beside if one.is_file()), beside[0])
    row, digest = read_card(file), file_digest(path)
    if row.sha256 not in ("", digest):
        raise EncoderError(
            f"{file} is the card of a file with sha256 {row.sha256}, found {digest} in {path}: "
            "give the right file, or correct the card"
        )
    return dataclasses.replace(row, sha256=digest), path
