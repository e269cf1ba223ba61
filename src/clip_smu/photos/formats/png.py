"""PNG: the chunks that hold text or a colour profile, which Pillow refuses to read where they are large."""

from __future__ import annotations

_SIGNATURE = 8
_LEFT_OUT = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def without_text(data: bytes) -> bytes:
    """The same PNG without text and colour profile; the pixels are the same, as profiles are not applied."""
    kept = [data[:_SIGNATURE]]
    position = _SIGNATURE
    while position + 8 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] not in _LEFT_OUT:
            kept.append(data[position:end])
        position = end
    return b"".join(kept)
