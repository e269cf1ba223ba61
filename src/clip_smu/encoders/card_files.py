"""Encoder cards on disk: TOML, one field a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import EncoderError
from clip_smu.storage.documents import read_toml
from clip_smu.storage.files import atomic

CARD_FILE = "card.toml"
# what a user's own card may leave out
_UNSTATED: dict[str, Any] = {
    "family": "own model",
    "licence_code": "not stated",
    "licence_weights": "not stated",
    "sources": [],
    "sha256": "",
    "paper": "",
}


def read_card(path: Path) -> EncoderCard:
    """A card from a TOML file; one number for ``mean`` or ``std`` stands for all three channels.

    Raises:
        EncoderError: no such file, no TOML, or a field is missing or wrong.
    """
    if not path.exists():
        raise EncoderError(f"expected an encoder card at {path}, found none; give --card CARD.toml")
    values = read_toml(path, "an encoder card", EncoderError)
    try:
        return own_card(values)
    except EncoderError as error:
        raise EncoderError(f"{path}: {error}") from None


def own_card(values: dict[str, Any]) -> EncoderCard:
    """A user's card from TOML values: some fields may be left out, one number stands for three channels.

    Raises:
        EncoderError: a field is missing, unknown or wrong.
    """
    whole = {**_UNSTATED, **values}
    for key in ("mean", "std"):
        if isinstance(whole.get(key), int | float):
            whole[key] = [whole[key]] * 3
    return EncoderCard.from_dict(whole)


def write_card(path: Path, row: EncoderCard) -> None:
    """Writes a card as TOML, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(card_toml(row), encoding="utf-8")


def card_toml(row: EncoderCard) -> str:
    """A card as TOML, one field a line."""
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in row.to_dict().items()
    )
