"""Lists of photos: text files, one name a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clip_smu.errors import LabelError
from clip_smu.storage.files import atomic
from clip_smu.storage.textfiles import read_lines


def read_list(path: str | Path) -> list[str]:
    """Photo names, one a line, as VGGFace2's train_list.txt.

    Raises:
        LabelError: no such file, or nothing in it.
    """
    names = read_lines(path, "a list of photos", LabelError)
    if not names:
        raise LabelError(f"the list {path} is empty: expected one photo name a line")
    return names


def write_list(names: Sequence[str], path: Path) -> None:
    """Writes photo names, one a line, as :func:`read_list` takes them."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in names)
