"""SHA-256 in hexadecimal: of files, bytes, lines and JSON values; and what is refused because it was changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clip_smu.errors import ClipSmuError, InputError


def file_digest(path: Path) -> str:
    """Of a file of any size, with flat memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_digest(*parts: bytes) -> str:
    """Of bytes, one part after the other.

    Example:
        >>> bytes_digest(b"ab", b"c") == bytes_digest(b"abc")
        True
    """
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def lines_digest(lines: Iterable[str]) -> str:
    """Of texts, one a line."""
    return bytes_digest("\n".join(lines).encode())


def json_digest(values: Any) -> str:
    """Of JSON values: of the numbers and texts, not of how they are laid out; anything else counts as its text.

    Example:
        >>> json_digest({"a": 1, "b": (2,)}) == json_digest({"b": [2], "a": 1})
        True
    """
    return bytes_digest(json.dumps(values, sort_keys=True, default=str).encode())


def checksum_of(values: dict[str, Any]) -> str:
    """Of a document but for its own ``checksum``.

    Example:
        >>> checksum_of({"n": 1, "checksum": "..."}) == checksum_of({"n": 1})
        True
    """
    return json_digest({key: value for key, value in values.items() if key != "checksum"})


def refuse_changed(
    name: str, found: str, noted: str | None, where: str, error: type[ClipSmuError] = InputError
) -> None:
    """Refuses a file whose checksum is not the one that was noted when it was made; ``None``: none was.

    Raises:
        error: they differ.
    """
    if noted is not None and noted != found:
        raise error(
            f"{where} is damaged: {name} is not the file that was written with it (sha256 {found[:12]}..., noted "
            f"{noted[:12]}...): copy the folder anew, or make it again"
        )
