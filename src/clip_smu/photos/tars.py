"""The photos of a tar, plain or compressed; hostile and damaged ones end with a counted reason."""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path, PurePath
from typing import IO, Self, cast

from clip_smu.errors import ImageError, InputError
from clip_smu.photos.decode import HEAD_BYTES, MAX_BYTES, is_lfs_pointer, too_many_bytes
from clip_smu.photos.kinds import LeftOut, is_photo, passed_over, suffix_of
from clip_smu.photos.photo import Photo, broken_tar, utf8
from clip_smu.photos.unpacked import COMPRESSED, BombError, Unpacked

_HEADER_BYTES = 1 << 20  # of a long name or of extended attributes
_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_NONE: Mapping[str, int] = {}


def tar_file(path: Path, typed: str, left_out: LeftOut, last: Mapping[str, int] = _NONE) -> Iterator[Photo]:
    """The photos of a tar on disk, as packed: byte ranges of a plain one, bytes of a compressed one.

    Args:
        left_out: counts the members that are no photos.
        last: as :func:`last_of_each` gives it; earlier members of such names are replaced, by tar's own rule.

    Raises:
        InputError: it is no tar at all.
    """
    with path.open("rb") as file:
        compressed = file.read(6).startswith(COMPRESSED)
        file.seek(0)
        yield from tar_members(file, typed, left_out, path=None if compressed else path, last=last)


def last_of_each(path: Path) -> tuple[int, dict[str, int]]:
    """Number of photos in a tar, and for each name that it holds more than once the number of its last member.

    Raises:
        InputError: it is no tar, or cannot be read.
    """
    count = 0
    seen: set[int] = set()  # hashes: a third of the memory, and a false one only lengthens the table
    last: dict[str, int] = {}
    try:
        for count, photo in enumerate(tar_file(path, str(path), LeftOut()), start=1):
            mark = hash(photo.name)
            if mark in seen:
                last[photo.name] = count
            seen.add(mark)
    except OSError as error:
        raise InputError(f"expected a tar that can be read, found: {error}") from error
    return count, last


def tar_members(
    file: BufferedReader,
    typed: str,
    left_out: LeftOut,
    *,
    path: Path | None = None,
    last: Mapping[str, int] = _NONE,
) -> Iterator[Photo]:
    """Photos of a tar that is open: byte ranges of ``path`` if it is a plain tar on disk, else their bytes.

    A stream can be read once, so a second member of one name is a photo with a problem there.
    """
    headers = position = photos = 0
    length = os.fstat(file.fileno()).st_size if path else 0
    try:
        head = b"" if path else file.peek(6)
        stream = Unpacked(file, head) if head.startswith(COMPRESSED) else file
        with tarfile.open(
            fileobj=cast("IO[bytes]", stream), mode="r:" if path else "r|", tarinfo=_Member
        ) as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # else tarfile keeps them all
                headers += 1
                if member.size < 0 or member.offset_data <= position:
                    raise tarfile.ReadError("a member that lies before the one before it")
                position = member.offset_data
                name = posixpath.normpath(member.name)
                if member.isdir() or any(part != ".." and passed_over(part) for part in name.split("/")):
                    continue
                photo = _photo(tar, file, member, name, path, length)
                if photo is None:
                    left_out[suffix_of(name)] += 1
                    continue
                photos += 1
                if last.get(photo.name, photos) == photos:
                    yield photo
    except BombError as error:
        message = f"expected a compressed tar of photos, found one that grows beyond all measure ({error})"
        yield Photo(_shown(typed), "", None, problem=ImageError("too-large", f"{message}: do not trust it"))
    except Exception as error:  # damage makes tarfile raise ValueError, OverflowError, TypeError and more
        if not headers:
            raise _no_tar(path, typed, error) from error
        yield Photo(_shown(typed), "", None, problem=broken_tar(position))


def _photo(
    tar: tarfile.TarFile, file: IO[bytes], member: tarfile.TarInfo, name: str, path: Path | None, length: int
) -> Photo | None:
    """One member as a photo; None if it is none."""
    identity = utf8(posixpath.basename(posixpath.dirname(name)))
    start = member.offset_data
    if path is not None and not member.issparse():
        if start + member.size > length:
            raise tarfile.ReadError("unexpected end of data")

        def head() -> bytes:
            file.seek(start)
            return file.read(min(HEAD_BYTES, member.size))

        return Photo(utf8(name), identity, path, start, member.size) if is_photo(name, head) else None
    inside = tar.extractfile(member) if member.isreg() else None  # a link has no bytes
    first: list[bytes] = []

    def head_of_stream() -> bytes:
        first.append(b"" if inside is None else inside.read(HEAD_BYTES))
        return first[0]

    if not is_photo(name, head_of_stream):
        return None
    if member.size > MAX_BYTES:
        return Photo(utf8(name), identity, None, start, problem=too_many_bytes(member.size))
    data = b"" if inside is None else b"".join(first) + inside.read()
    return Photo(utf8(name), identity, None, start, len(data), data)


def _no_tar(path: Path | None, typed: str, error: Exception) -> InputError:
    if path is not None:
        with path.open("rb") as file:
            if is_lfs_pointer(file.read(HEAD_BYTES)):
                return InputError(f'expected a tar in "{typed}", found a Git LFS pointer: run git lfs pull')
    return InputError(f'expected a tar in "{typed}", found something else ({error}): check it')


def _shown(typed: str) -> str:
    return utf8(PurePath(typed).as_posix())


class _Member(tarfile.TarInfo):
    """A member whose damaged header is an error; tarfile itself takes it for the end of the tar."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the proper end: a block of zeros
                raise
            raise tarfile.ReadError(str(error)) from error
        if member.size < 0 or (member.type in _HEADERS and member.size > _HEADER_BYTES):
            raise tarfile.ReadError(f"a header of {member.size} bytes")  # tarfile would read it whole
        return member


def is_tar(head: bytes) -> bool:
    """Whether a stream begins like a tar."""
    try:
        tarfile.TarInfo.frombuf(head, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
