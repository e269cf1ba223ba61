"""Photos: whatever the user typed (files, folders, globs, lists, tars, standard input) as one stream."""

from __future__ import annotations

import glob
import itertools
import os
import posixpath
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, BinaryIO, Self, cast

from clip_smu.errors import ImageError, InputError
from clip_smu.images import image_format

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
LIST_SUFFIXES = (".txt", ".lst")
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, not yet read: small and picklable, so that a worker process can read it.

    Attributes:
        name: what its template is called, in posix form: relative to the folder or tar that it came from; as
            typed for a file or a glob; as written for a line of a list. Always valid UTF-8.
        identity: the folder that directly holds it, where that lies below the given root; else "".
        path: the absolute path of its file, or of the tar that holds it; None if the bytes were streamed.
        offset: first byte within ``path``; 0 for a file.
        size: number of bytes; -1 means up to the end of the file.
        data: the bytes, if they were streamed. With neither path nor data it stands for the break in a
            damaged tar, at ``offset``.
    """

    name: str
    identity: str
    path: Path | None
    offset: int = 0
    size: int = -1
    data: bytes | None = None

    def read(self) -> bytes:
        """Return the bytes of the photo.

        Raises:
            ImageError: ``missing`` (no such file), ``unreadable`` (no permission, a folder, a disk error) or
                ``truncated`` (the tar breaks off here).
        """
        if self.data is not None:
            return self.data
        if self.path is None:
            raise _broken_tar(self.offset)
        try:
            with self.path.open("rb") as file:
                if self.offset:
                    file.seek(self.offset)
                data = file.read(self.size)
        except (FileNotFoundError, NotADirectoryError) as error:
            message = f'expected a photo at "{self.path}", found no such file: check the path'
            raise ImageError("missing", message) from error
        except (OSError, ValueError) as error:
            message = (
                f'expected a photo at "{self.path}", found it unreadable ({error}): check its permissions'
            )
            raise ImageError("unreadable", message) from error
        if len(data) < self.size:
            raise _broken_tar(self.offset + len(data))
        return data


def iter_photos(inputs: Sequence[str | Path], *, stdin: BinaryIO | None = None) -> Iterator[Photo]:
    """Stream the photos of all inputs: in the order of the inputs, sorted within each, tars as packed.

    Args:
        inputs: any mix of files; folders (with all below; hidden ones left out; links followed, but not back
            up); globs like ``people/**/*.jpg`` (photos, tars and, without ``**``, folders); lists (.txt or
            .lst: UTF-8, one path a line, relative to the list or else to the current folder, ``#`` begins a
            comment); tars (.tar, .tar.gz, .tgz, .tar.bz2, .tar.xz); and ``-``, standard input: one photo, a
            tar or a list.
        stdin: what ``-`` reads; ``sys.stdin.buffer`` if None.

    Returns:
        The photos. A listed path that is missing and the break in a damaged tar are photos too: their
        ``read`` raises ImageError. A file that is given twice comes once.

    Raises:
        InputError: at the call, before any photo: an input that does not exist or holds no photo. While
            iterating: two different photos of one name, or nothing on standard input.

    Example:
        >>> for photo in iter_photos(["portraits", "more.tar"]):  # doctest: +SKIP
        ...     print(photo.name, len(photo.read()))
    """
    sources = _sources(inputs)
    for source in sources:
        if source.kind not in ("file", "standard input") and not any(True for _ in _read(source)):
            raise _nothing_in(source)
    return _unique(sources, stdin)


def count_photos(inputs: Sequence[str | Path], *, seconds: float = 5.0) -> int | None:
    """Count what :func:`iter_photos` will yield, for a progress bar; no photo is read.

    Returns:
        The number; None if the photos can only be streamed (standard input, a compressed tar), or if counting
        takes more than ``seconds``.

    Raises:
        InputError: as :func:`iter_photos`.
    """
    if any(source.kind in ("standard input", "compressed tar") for source in _sources(inputs)):
        return None
    deadline = time.monotonic() + seconds
    count = 0
    for count, _ in enumerate(iter_photos(inputs), start=1):
        if count % 256 == 0 and time.monotonic() > deadline:
            return None
    return count


@dataclass(frozen=True, slots=True)
class _Source:
    kind: str  # file, folder, list, tar, compressed tar, standard input
    typed: str
    path: Path  # absolute


_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
"""First bytes of gzip, bzip2 and xz."""


def _sources(inputs: Sequence[str | Path]) -> list[_Source]:
    """Each input with its kind, globs expanded; the same path twice is taken once."""
    if isinstance(inputs, (str, Path)):
        inputs = [inputs]
    if not inputs:
        raise InputError(
            "expected a file, folder, glob, list, tar or - (standard input), found none: name one"
        )
    sources: dict[str, _Source] = {}
    for given in map(str, inputs):
        if given == STDIN:
            sources[STDIN] = _Source("standard input", STDIN, Path(STDIN))
            continue
        for typed in [given] if given and _exists(Path(given)) else _matches(given):
            path = Path(typed).absolute()
            sources.setdefault(os.path.normpath(path), _Source(_kind(path), typed, path))
    return list(sources.values())


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, or a folder that may not be entered
        return False


def _kind(path: Path) -> str:
    name = path.name.lower()
    if path.is_dir():
        return "folder"
    if name.endswith(LIST_SUFFIXES):
        return "list"
    if not name.endswith(TAR_SUFFIXES):
        return "file"
    try:
        with path.open("rb") as file:
            return "compressed tar" if file.read(6).startswith(_COMPRESSED) else "tar"
    except OSError as error:
        raise InputError(f"expected a tar that can be read, found: {error}") from error


def _matches(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        raise InputError(f'expected a file or folder at "{pattern}", found nothing: check the path')
    folders = "**" not in pattern  # ** reaches into every folder by itself
    found = [
        match
        for match in sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob takes hidden files)
        if match.lower().endswith(PHOTO_SUFFIXES + TAR_SUFFIXES) or (folders and Path(match).is_dir())
    ]
    if not found:
        raise InputError(f'expected photos, tars or folders like "{pattern}", found none: check the pattern')
    return found


def _unique(sources: list[_Source], stdin: BinaryIO | None) -> Iterator[Photo]:
    if len(sources) == 1 and sources[0].kind in ("file", "folder"):
        yield from _read(sources[0])  # names cannot repeat: nothing to remember, however many photos
        return
    origin: dict[str, str] = {}  # name of a photo -> the input that it came from
    taken: set[str] = set()  # files, as normalised absolute paths
    for source in sources:
        empty = True
        for photo in _read(source, stdin):
            empty = False
            if photo.path is not None and photo.offset == 0:
                file = os.path.normpath(photo.path)
                if file in taken:
                    continue
                taken.add(file)
            if photo.name in origin:
                both = f'in "{origin[photo.name]}" and in "{source.typed}"'
                message = f'expected one photo of each name, found two called "{photo.name}", {both}'
                raise InputError(f"{message}: rename one, or give the folder that holds both")
            origin[photo.name] = source.typed
            yield photo
        if empty:
            raise _nothing_in(source)


def _nothing_in(source: _Source) -> InputError:
    hint = "check it, or name tars in it by a glob (FOLDER/*.tar)" if source.kind == "folder" else "check it"
    return InputError(f'expected photos in the {source.kind} "{source.typed}", found none: {hint}')


def _read(source: _Source, stdin: BinaryIO | None = None) -> Iterator[Photo]:
    match source.kind:
        case "file":
            return iter([Photo(_utf8(PurePath(source.typed).as_posix()), "", source.path)])
        case "folder":
            return _folder(str(source.path), "", ())
        case "list":
            return _list(source)
        case "tar" | "compressed tar":
            return _tar(source)
        case _:
            return _stdin(sys.stdin.buffer if stdin is None else stdin)


def _folder(folder: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[Photo]:
    """Photos in and below a folder; ``above`` holds the (device, inode) of the folders on the way to it."""
    try:
        status = Path(folder).stat()
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link that leads back up
            return
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        if not prefix:
            raise InputError(f"expected a folder that can be read, found: {error}") from error
        yield Photo(_utf8(prefix[:-1]), "", Path(folder))  # its read() raises: counted, not silently lost
        return
    identity = _utf8(posixpath.basename(prefix[:-1]))
    for entry in entries:
        if entry.name.startswith("."):
            continue
        link = entry.is_symlink()
        if Path(entry.path).is_dir() if link else entry.is_dir():
            yield from _folder(entry.path, f"{prefix}{entry.name}/", (*above, here))
        elif entry.name.lower().endswith(PHOTO_SUFFIXES) and (link or entry.is_file()):
            yield Photo(_utf8(prefix + entry.name), identity, Path(entry.path))


def _list(source: _Source) -> Iterator[Photo]:
    try:
        with source.path.open("rb") as file:
            yield from _lines(file, source.typed, source.path.parent)
    except OSError as error:
        raise InputError(f"expected a list that can be read, found: {error}") from error


def _lines(lines: Iterable[bytes], typed: str, folder: Path) -> Iterator[Photo]:
    for raw in lines:
        if b"\0" in raw:
            raise InputError(
                f'expected UTF-8 text, one path a line, found binary data in "{typed}": check it'
            )
        line = raw.decode("utf-8", "surrogateescape").strip("\ufeff \t\r\n")
        if not line or line.startswith("#"):
            continue
        path = folder / line
        if not _exists(path) and _exists(Path(line)):
            path = Path(line).absolute()
        below = PurePath(line)
        if below.is_absolute():
            below = below.relative_to(folder) if below.is_relative_to(folder) else PurePath(below.name)
        identity = "" if ".." in below.parts else below.parent.name
        yield Photo(_utf8(PurePath(line).as_posix()), _utf8(identity), path)


def _tar(source: _Source) -> Iterator[Photo]:
    with source.path.open("rb") as file:
        yield from _members(file, source.typed, source.path if source.kind == "tar" else None)


def _members(file: IO[bytes], typed: str, path: Path | None) -> Iterator[Photo]:
    """Photos of a tar: byte ranges of ``path`` if it is a plain tar on disk, else their bytes."""
    headers = position = 0
    length = os.fstat(file.fileno()).st_size if path else 0
    try:
        with tarfile.open(fileobj=file, mode="r:" if path else "r|*", tarinfo=_Member) as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # else tarfile keeps them all
                headers += 1
                position = member.offset_data
                name = posixpath.normpath(member.name)
                hidden = any(part.startswith(".") and part != ".." for part in name.split("/"))
                if hidden or member.isdir() or not name.lower().endswith(PHOTO_SUFFIXES):
                    continue
                identity = _utf8(posixpath.basename(posixpath.dirname(name)))
                if path is None or member.issparse():
                    inside = tar.extractfile(member) if member.isreg() else None  # a link has no bytes
                    data = b"" if inside is None else inside.read()
                    yield Photo(_utf8(name), identity, None, position, len(data), data)
                elif position + member.size > length:
                    raise tarfile.ReadError("unexpected end of data")
                else:
                    yield Photo(_utf8(name), identity, path, position, member.size)
    except Exception as error:  # damage makes tarfile raise ValueError, OverflowError, TypeError and more
        if not headers:
            raise InputError(
                f'expected a tar in "{typed}", found something else ({error}): check it'
            ) from error
        yield Photo(_utf8(PurePath(typed).as_posix()), "", None, position)


def _broken_tar(position: int) -> ImageError:
    message = (
        f"expected a whole tar, found it damaged or cut off near byte {position}: copy or download it again"
    )
    return ImageError("truncated", message)


class _Member(tarfile.TarInfo):
    """A member whose damaged header is an error; tarfile itself takes it for the end of the tar."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the proper end: a block of zeros
                raise
            raise tarfile.ReadError(str(error)) from error


def _stdin(stdin: BinaryIO) -> Iterator[Photo]:
    head = stdin.read(tarfile.BLOCKSIZE)
    if image_format(head):
        data = head + stdin.read()
        yield Photo(STDIN, "", None, 0, len(data), data)
    elif head.startswith(_COMPRESSED) or _is_tar(head):
        yield from _members(cast("IO[bytes]", _Rejoined(head, stdin)), STDIN, None)
    else:
        text = (head + stdin.readline()).split(b"\n")
        yield from _lines(itertools.chain(text, stdin), STDIN, Path.cwd())


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


class _Rejoined:
    """A stream put together again after its head was read to see what it is."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
        head, self._head = self._head[:size], self._head[size:]
        return head + self._rest.read(size - len(head))


def _utf8(name: str) -> str:
    r"""Turn bytes of a file name that are not UTF-8 into ``\xNN``, so that every table can hold the name."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
