"""Lists of photos: one path a line, from a file or from standard input."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterable, Iterator
from io import BufferedReader, TextIOWrapper
from pathlib import Path, PurePath

from clip_smu.errors import InputError
from clip_smu.photos.photo import Photo, utf8
from clip_smu.storage.textfiles import LONGEST_LINE, read_lines

_LOOKED_FOR = 1000  # paths of which one at least must exist, if there are more
_EMPTY = 100_000  # lines in a row without a path: an endless list


def list_file(path: Path, typed: str) -> Iterator[Photo]:
    """The photos of a list: relative to the list, or else to the current folder; ``#`` begins a comment.

    Raises:
        InputError: no regular file, no text in UTF-8 or UTF-16, or no path of many exists.
    """
    return _photos(read_lines(path, "a list of photos"), typed, path.parent)


def list_stream(stream: BufferedReader, typed: str) -> Iterator[Photo]:
    """The same from a stream, relative to the current folder.

    Raises:
        InputError: as :func:`list_file`, or a line that has no end.
    """
    return _photos(_lines(stream, typed), typed, Path.cwd())


def _lines(stream: BufferedReader, typed: str) -> Iterator[str]:
    head = stream.peek(2)[:2]
    wide = head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    text = TextIOWrapper(stream, encoding="utf-16" if wide else "utf-8-sig")
    expected = f'expected UTF-8 text, one path a line, found binary data in "{typed}"'
    empty = 0
    try:
        while line := text.readline(LONGEST_LINE):
            if "\0" in line or len(line) == LONGEST_LINE:
                raise InputError(f"{expected}: check it")
            stripped = line.strip()
            empty = 0 if stripped and not stripped.startswith("#") else empty + 1
            if empty > _EMPTY:
                raise InputError(f'expected paths in "{typed}", found {_EMPTY:,} lines in a row without one')
            if not empty:
                yield stripped
    except UnicodeDecodeError as error:
        raise InputError(f"{expected} ({error.reason}): save it as UTF-8") from None


def _photos(lines: Iterable[str], typed: str, folder: Path) -> Iterator[Photo]:
    paths = ((line, _path(line, folder)) for line in lines if not line.startswith("#"))
    first: list[tuple[str, Path]] = []
    for line, path in paths:
        first.append((line, path))
        if exists(path):
            break
        if len(first) > _LOOKED_FOR:
            raise InputError(
                f'expected paths of photos in "{typed}", found none of its first {_LOOKED_FOR:,} lines to be one '
                f'(the first: "{utf8(first[0][0][:80])}"): they count from the folder of the list, or else from here'
            )
    for line, path in itertools.chain(first, paths):
        below = PurePath(line)
        if below.is_absolute():
            below = below.relative_to(folder) if below.is_relative_to(folder) else PurePath(below.name)
        identity = "" if ".." in below.parts else below.parent.name
        yield Photo(utf8(PurePath(line).as_posix()), utf8(identity), path)


def _path(line: str, folder: Path) -> Path:
    path = folder / line
    return Path(line).absolute() if not exists(path) and exists(Path(line)) else path


def exists(path: Path) -> bool:
    """Whether something is there; False too for a name too long, or a folder that may not be entered."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
