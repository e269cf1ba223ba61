"""Standard input: one photo, a tar, or a list of photos."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, cast

from clip_smu.errors import ImageError
from clip_smu.photos.decode import MAX_BYTES, image_format, too_many_bytes
from clip_smu.photos.kinds import LeftOut
from clip_smu.photos.lists import list_stream
from clip_smu.photos.photo import Photo
from clip_smu.photos.tars import is_tar, tar_members
from clip_smu.photos.unpacked import COMPRESSED

STDIN = "-"
_PIECE = 1 << 20


def standard_input(stdin: BinaryIO, left_out: LeftOut) -> Iterator[Photo]:
    """The photos of a stream, by its first bytes; endless ones end with a reason.

    Raises:
        InputError: it is a list, and no text.
    """
    head = stdin.read(tarfile.BLOCKSIZE)
    stream = cast("io.BufferedReader", io.BufferedReader(cast("Any", _Rejoined(head, stdin))))
    if image_format(head):
        yield _one_photo(stream)
    elif head.startswith(COMPRESSED) or is_tar(head):
        yield from _told_twice(tar_members(stream, STDIN, left_out))
    else:
        yield from list_stream(stream, STDIN)


def _one_photo(stream: BinaryIO) -> Photo:
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            return Photo(STDIN, "", None, problem=too_many_bytes(size))
    return Photo(STDIN, "", None, 0, size, b"".join(pieces))


def _told_twice(photos: Iterator[Photo]) -> Iterator[Photo]:
    """The later member of one name cannot replace what was already passed on; so it is counted."""
    seen: set[str] = set()
    for photo in photos:
        if photo.name in seen:
            message = (
                f'expected each name once in a tar from standard input, found "{photo.name}" again, '
                "which would replace the one before: give the tar as a file"
            )
            yield replace(photo, data=None, problem=ImageError("repeated", message))
        else:
            seen.add(photo.name)
            yield photo


class _Rejoined(io.RawIOBase):
    """A stream put together again after its head was read to see what it is."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        size = len(buffer)
        data = self._head[:size] or self._rest.read1(size)  # type: ignore[attr-defined]
        self._head = self._head[size:]
        buffer[: len(data)] = data
        return len(data)
