"""Seals of shards: a damaged bit is found before anything is read, and content has a name without being read.

Parquet's own checksums cover pages alone, not their headers, the names of columns or the encoder's card. A sealed
file holds one record between its last page and its footer, where every reader of Parquet passes over it:

    ... pages | b"clip-smu sealed\\n" sha256 (32 bytes) crc32 (4 bytes) | footer, its length (4 bytes) "PAR1"

Both are of the file without the record. Reading checks the crc32 (1.1 GB/s, against .6 for sha256); the sha256 is
the content's name for jobs that go on where they stopped.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from clip_smu.errors import TemplateError

_TAG = b"clip-smu sealed\n"
_RECORD = len(_TAG) + 32 + 4
_BLOCK = 1 << 22


def seal(path: Path) -> None:
    """Puts the record into a Parquet file that was just written."""
    with path.open("r+b") as file:
        size, footer = _footer(file)
        digest, check = hashlib.sha256(), 0
        for block in _blocks(file, 0, size):
            digest.update(block)
            check = zlib.crc32(block, check)
        file.seek(footer)
        rest = file.read()
        file.seek(footer)
        file.write(_TAG + digest.digest() + check.to_bytes(4, "little") + rest)


def check_seal(path: Path) -> None:
    """Compares a file with its record; files of others have none.

    Raises:
        TemplateError: a bit of it is not as it was written.
    """
    with path.open("rb") as file:
        size, footer = _footer(file)
        record = _record(file, footer)
        if record is None:
            return
        check = 0
        for start, end in ((0, footer - _RECORD), (footer, size)):
            for block in _blocks(file, start, end):
                check = zlib.crc32(block, check)
    if check.to_bytes(4, "little") != record[-4:]:
        raise TemplateError(
            f"{path} is damaged: it is not as it was written (checksum {check:08x}); copy it again, or delete it and "
            "run the command that made it"
        )


def content_key(path: Path) -> str:
    """sha256 (hex) that names a file's content: from its record where it has one, else of the whole file."""
    with path.open("rb") as file:
        record = _record(file, _footer(file)[1])
        if record is not None:
            return record[len(_TAG) : len(_TAG) + 32].hex()
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(file: BinaryIO, footer: int) -> bytes | None:
    if footer < _RECORD:
        return None
    file.seek(footer - _RECORD)
    found = file.read(_RECORD)
    return found if found.startswith(_TAG) else None


def _footer(file: BinaryIO) -> tuple[int, int]:
    """Size of a file, and where its footer begins (0: it is no whole Parquet file)."""
    size = file.seek(0, 2)
    if size < 12:
        return size, 0
    file.seek(size - 8)
    tail = file.read(8)
    return size, max(0, size - 8 - int.from_bytes(tail[:4], "little")) if tail[4:] == b"PAR1" else 0


def _blocks(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end and (block := file.read(min(_BLOCK, end - start))):
        start += len(block)
        yield block
