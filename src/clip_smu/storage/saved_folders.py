"""What a command left in a folder, read again: all its files, in the format of this version, as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clip_smu.errors import ClipSmuError, InputError
from clip_smu.storage.digests import checksum_of
from clip_smu.storage.documents import read_json


def require_files(
    folder: Path, names: Sequence[str], what: str, made_by: str, error: type[ClipSmuError] = InputError
) -> None:
    """Refuses a folder that lacks one of the files.

    Args:
        what: the folder should be, with its article ("a probe").
        made_by: the command that makes such folders.

    Raises:
        error: the message names the file.
    """
    for name in names:
        if not (folder / name).exists():
            raise error(f"{folder} is not {what}: {name} is missing; give a folder made by {made_by}")


def read_document(
    file: Path, what: str, version: int, error: type[ClipSmuError] = InputError
) -> dict[str, Any]:
    """The values of a JSON file of ours, of the ``format`` that this version reads.

    Args:
        what: as :func:`read_json`.

    Raises:
        error: as :func:`read_json`, it holds no table, or another format.
    """
    values = read_json(file, what, error)
    if not isinstance(values, dict):
        thing = what.removeprefix("an ").removeprefix("a ")
        raise error(f"the {thing} in {file.parent} is damaged: {file.name} holds no table")
    found = values.get("format")
    if found != version or isinstance(found, bool):
        raise error(
            f"{file.parent} has format {str(found)[:40]}, this version reads {version}: update clip-smu"
        )
    return values


def refuse_edited(
    values: dict[str, Any], file: Path, made_by: str, error: type[ClipSmuError] = InputError
) -> None:
    """Refuses a document whose numbers are not those that were written; those of before have no checksum and pass.

    Args:
        made_by: the command that writes such documents.

    Raises:
        error: its checksum is not that of the rest.
    """
    if values.get("checksum") not in (None, checksum_of(values)):
        raise error(
            f"{file} was changed after it was written (its checksum is not that of the rest): copy the folder anew, or "
            f"make it again with {made_by}"
        )
