"""What ``encoders convert`` made: its names, its cards, and which of them are in the cache."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.card_files import CARD_FILE, read_card
from clip_smu.encoders.known import CARDS
from clip_smu.encoders.weights import weights_folder

_DIGITS = 8  # of a checkpoint's sha256, in the name of what was converted from it


def converted(architecture: str = "") -> list[EncoderCard]:
    """Cards of the checkpoints that ``encoders convert`` put into the cache; default, of all architectures."""
    root = weights_folder("")
    pattern = re.compile(rf"{re.escape(architecture) or '.+'}-[0-9a-f]{{{_DIGITS}}}")
    files = sorted(root.glob(f"*/{CARD_FILE}")) if root.is_dir() else []
    return [read_card(file) for file in files if pattern.fullmatch(file.parent.name)]


def checkpoint_name(architecture: str, sha256: str, *, flip_fusion: bool = False) -> str:
    """What a converted checkpoint is called: two files, two names.

    Args:
        sha256: of the checkpoint, hex.

    Example:
        >>> checkpoint_name("adaface-ir50", "0f3a2b1c" * 8)
        'adaface-ir50-0f3a2b1c'
    """
    return f"{architecture}{'-flip' if flip_fusion else ''}-{sha256[:_DIGITS]}"


def converted_card(
    architecture: str, called: str, path: Path, digest: str, checkpoint: str, channels: str | None = None
) -> EncoderCard | None:
    """The card of an ONNX file that ``convert`` made; ``None`` for a text tower, which is no encoder.

    Args:
        architecture: a name of :data:`clip_smu.encoders.conversion.convert.ARCHITECTURES`.
        called: as :func:`checkpoint_name` says.
        path: the ONNX file.
        digest: its sha256.
        checkpoint: what it was made from.
        channels: instead of those of the architecture's card.
    """
    name = architecture.removesuffix("-heads")
    row = next((one for one in CARDS if one.name == name), None)
    if row is None:
        return None
    return dataclasses.replace(
        row,
        name=called,
        channels=channels or row.channels,
        sources=(f"converted from {checkpoint}", *row.sources),
        sha256=digest,
        filename=path.name,
        norm_output="norm" if name.startswith("adaface") else "",
    )
