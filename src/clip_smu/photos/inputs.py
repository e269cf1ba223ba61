"""What the user typed, as one stream of photos, each under a name of its own."""

from __future__ import annotations

import glob
import itertools
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import BinaryIO

from clip_smu.errors import InputError
from clip_smu.photos.folders import head_of, walk
from clip_smu.photos.kinds import LIST_SUFFIXES, TAR_SUFFIXES, LeftOut, is_photo, left_out_line, suffix_of
from clip_smu.photos.lists import exists, list_file
from clip_smu.photos.photo import Photo, utf8
from clip_smu.photos.streams import STDIN, standard_input
from clip_smu.photos.tars import last_of_each, tar_file
from clip_smu.photos.unpacked import COMPRESSED
from clip_smu.storage.textfiles import require_file

_REPEATS = 100_000  # photos in a row that were all given before: an endless list


class PhotoStream(Iterator[Photo]):
    """Photos, one after another.

    Attributes:
        left_out: files and members so far that are no photos: suffix → number.
    """

    def __init__(self, photos: Iterator[Photo], left_out: LeftOut) -> None:
        self._photos, self.left_out = photos, left_out

    def __next__(self) -> Photo:
        return next(self._photos)


def iter_photos(inputs: Sequence[str | Path], *, stdin: BinaryIO | None = None) -> PhotoStream:
    """Stream the photos of all inputs: in the order of the inputs, sorted within each, tars as packed.

    Files count as photos by their suffix or else by their first bytes. Two photos of one name, from two inputs, are
    both kept, under as much of their paths as tells them apart; a name twice in one tar is the later member, which is
    tar's own rule. A folder that holds tars and no photo stands for its tars.

    Args:
        inputs: any mix of files; folders (with all below; hidden ones left out; links followed, but not back
            up); globs like ``people/**/*.jpg`` (photos, tars and, without ``**``, folders); lists (.txt or
            .lst: UTF-8 or UTF-16, one path a line, relative to the list or else to the current folder, ``#`` begins a
            comment); tars (.tar, .tar.gz, .tgz, .tar.bz2, .tar.xz); and ``-``, standard input: one photo, a
            tar or a list.
        stdin: what ``-`` reads; ``sys.stdin.buffer`` if None.

    Returns:
        The photos; its ``left_out`` counts what is no photo. A listed path that is missing and the break in a
        damaged tar are photos too: their ``read`` raises ImageError. A file that is given twice comes once.

    Raises:
        InputError: at the call, before any photo: an input that does not exist, is a pipe or device, or holds no
            photo. While iterating: nothing on standard input, or a list without end there.

    Example:
        >>> for photo in iter_photos(["portraits", "more.tar"]):  # doctest: +SKIP
        ...     print(photo.name, len(photo.read()))
    """
    left_out = LeftOut()
    sources, ignored = _sources(inputs)
    sources = [one for source in sources for one in _checked(source, whole=True)]
    left_out.update(ignored)
    return PhotoStream(_named(sources, stdin, left_out), left_out)


def count_photos(inputs: Sequence[str | Path], *, seconds: float = 5.0) -> int | None:
    """Count what :func:`iter_photos` will yield, for a progress bar; no photo is read.

    Returns:
        The number; None if the photos can only be streamed (standard input, a compressed tar), or if counting
        takes more than ``seconds``.

    Raises:
        InputError: as :func:`iter_photos`.
    """
    deadline = time.monotonic() + seconds
    sources, _ = _sources(inputs)
    if any(source.kind in ("standard input", "compressed tar") for source in sources):
        return None
    sources = [one for source in sources for one in _checked(source, whole=False)]
    if any(source.kind == "compressed tar" for source in sources):
        return None
    names: set[tuple[int, str]] = set()  # in a tar the later member of one name replaces the other
    count = 0
    for rounds, (source, photo) in enumerate(_distinct(sources, None, LeftOut()), start=1):
        if source.kind == "tar":
            names.add((id(source), photo.name))
        else:
            count += 1
        if rounds % 256 == 0 and time.monotonic() > deadline:
            return None
    return count + len(names)


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    kind: str  # file, folder, list, tar, compressed tar, standard input
    typed: str
    path: Path  # absolute
    last: Mapping[str, int] = field(default_factory=dict)  # of tars: see last_of_each
    packed: bool = False  # a folder that stands for its tars


def _sources(inputs: Sequence[str | Path]) -> tuple[list[_Source], LeftOut]:
    """Each input with its kind, globs expanded; the same path twice is taken once. And what globs left out."""
    if isinstance(inputs, (str, Path)):
        inputs = [inputs]
    if not inputs:
        raise InputError(
            "expected a file, folder, glob, list, tar or - (standard input), found none: name one"
        )
    sources: dict[str, _Source] = {}
    left_out = LeftOut()
    for given in map(str, inputs):
        if given == STDIN:
            sources[STDIN] = _Source("standard input", STDIN, Path(STDIN))
            continue
        for typed in [given] if given and exists(Path(given)) else _matches(given, left_out):
            path = Path(typed).absolute()
            sources.setdefault(os.path.normpath(path), _Source(_kind(path), typed, path))
    return list(sources.values()), left_out


def _kind(path: Path) -> str:
    name = path.name.lower()
    if path.is_dir():
        return "folder"
    if name.endswith(LIST_SUFFIXES):
        return "list"
    require_file(path, "photos")
    if not name.endswith(TAR_SUFFIXES):
        return "file"
    try:
        with path.open("rb") as file:
            return "compressed tar" if file.read(6).startswith(COMPRESSED) else "tar"
    except OSError as error:
        raise InputError(f"expected a tar that can be read, found: {error}") from error


def _matches(pattern: str, left_out: LeftOut) -> list[str]:
    if not glob.has_magic(pattern):
        raise InputError(f'expected a file or folder at "{pattern}", found nothing: check the path')
    folders = "**" not in pattern  # ** reaches into every folder by itself
    found = []
    ignored = LeftOut()
    for match in _expanded(pattern):
        if match.lower().endswith(TAR_SUFFIXES) or (Path(match).is_dir() and folders):
            found.append(match)
        elif not Path(match).is_dir():
            if is_photo(match, lambda path=match: head_of(path)):  # type: ignore[misc]
                found.append(match)
            else:
                ignored[suffix_of(match)] += 1
    if not found:
        what = f'expected photos, tars or folders like "{pattern}", found none'
        raise InputError(f"{what}{_but(ignored)}: check the pattern")
    left_out.update(ignored)
    return found


def _expanded(pattern: str) -> list[str]:
    """What a glob matches, sorted: nothing hidden, and no circles of links, which glob.glob would follow."""
    parts = PurePath(pattern).parts
    if parts[-1] == "**":
        parts = (*parts, "*")
    root = PurePath(pattern).anchor
    hidden = [part for part in parts if part.startswith(".")]
    below = str(PurePath(*parts[1:] if root else parts))
    return sorted(
        str(match)
        for match in Path(root).glob(below)
        if all(
            not part.startswith(".") or part == ".." or any(fnmatchcase(part, one) for one in hidden)
            for part in match.parts
        )
    )


def _checked(source: _Source, *, whole: bool) -> list[_Source]:
    """The source, if it holds photos; a folder of tars with its tars. ``whole`` looks through tars to their end.

    Raises:
        InputError: it holds none.
    """
    if source.kind in ("file", "standard input"):
        return [source]
    if source.kind.endswith("tar") and whole:
        count, last = last_of_each(source.path)
        if count:
            return [replace(source, last=last)]
    left_out, tars = LeftOut(), list[str]()
    photos = (
        walk(str(source.path), left_out, tars) if source.kind == "folder" else _read(source, None, left_out)
    )
    if any(True for _ in photos):
        return [source]
    if not tars:
        raise _nothing_in(source, left_out)
    inside = [_Source(_kind(Path(tar)), tar, Path(tar)) for tar in tars]
    return [replace(source, packed=True), *(one for tar in inside for one in _checked(tar, whole=whole))]


def _nothing_in(source: _Source, left_out: LeftOut) -> InputError:
    return InputError(
        f'expected photos in the {source.kind} "{source.typed}", found none{_but(left_out)}: check it'
    )


def _but(left_out: LeftOut) -> str:
    line = left_out_line(left_out)
    return f" ({line})" if line else ""


def _read(source: _Source, stdin: BinaryIO | None, left_out: LeftOut) -> Iterator[Photo]:
    match source.kind:
        case "file":
            return iter([Photo(utf8(PurePath(source.typed).as_posix()), "", source.path)])
        case "folder":
            return walk(str(source.path), left_out, [] if source.packed else None)
        case "list":
            return list_file(source.path, source.typed)
        case "tar" | "compressed tar":
            return tar_file(source.path, source.typed, left_out, source.last)
        case _:
            if stdin is None and sys.stdin is None:  # a shell's <&-
                raise InputError(
                    "expected photos on standard input (-), found it closed: give files or folders"
                )
            return standard_input(sys.stdin.buffer if stdin is None else stdin, left_out)


def _named(sources: list[_Source], stdin: BinaryIO | None, left_out: LeftOut) -> Iterator[Photo]:
    """The photos of all sources, each under a name of its own."""
    if len(sources) == 1 and sources[0].kind not in ("list", "standard input"):  # nothing repeats
        photos: Iterator[tuple[_Source, Photo]] = (
            (sources[0], photo) for photo in _read(sources[0], stdin, left_out)
        )
        names: dict[str, str] = {}
    else:
        photos = _distinct(sources, stdin, left_out)
        names = _telling_names([source for source in sources if source.kind != "standard input"])
    empty = True
    for source, photo in photos:
        empty = False
        name = names.get(_whole_name(source, photo.name, photo.path), photo.name) if names else photo.name
        yield photo if name == photo.name else replace(photo, name=name)
    if empty:
        raise _nothing_in(sources[0], left_out)


def _distinct(
    sources: list[_Source], stdin: BinaryIO | None, left_out: LeftOut
) -> Iterator[tuple[_Source, Photo]]:
    """The photos of all sources; a file that comes again is passed over."""
    taken: set[str] = set()  # files, as normalised absolute paths
    for source in sources:
        repeats = 0
        for photo in _read(source, stdin, left_out):
            if photo.path is not None and photo.offset == 0:
                file = os.path.normpath(photo.path)
                if file in taken:
                    repeats += 1
                    if repeats > _REPEATS and source.kind == "standard input":
                        raise InputError(
                            f"expected a list that ends, found {_REPEATS:,} lines in a row that were there before"
                        )
                    continue
                taken.add(file)
                repeats = 0
            yield source, photo


def _telling_names(sources: list[_Source]) -> dict[str, str]:
    """Whole name → a name that tells its photo from others, for photos whose name is not theirs alone."""
    first: dict[str, _Source | Path] = {}  # name → where it was found first
    shared: dict[str, list[str]] = {}
    for source, photo in _distinct(sources, None, LeftOut()):
        place = source if source.kind != "list" or photo.path is None else photo.path
        if photo.name not in first:
            first[photo.name] = place
            continue
        if photo.name not in shared:
            shared[photo.name] = [_whole_name_at(first[photo.name], photo.name)]
        shared[photo.name].append(_whole_name_at(place, photo.name))
    names: dict[str, str] = {}
    given: set[str] = set()
    for name, wholes in shared.items():
        parts = [PurePath(whole).parts for whole in wholes]
        for length in itertools.count(len(PurePath(name).parts) + 1):
            tails = ["/".join(part[-length:]) for part in parts]
            longest = all(length >= len(part) for part in parts)
            new = not any(tail in first or tail in given for tail in tails)
            if longest or (new and len(set(tails)) == len(tails)):
                break
        given.update(tails)
        names.update(zip(wholes, tails, strict=True))
    return names


def _whole_name(source: _Source, name: str, path: Path | None) -> str:
    return _whole_name_at(source if source.kind != "list" or path is None else path, name)


def _whole_name_at(place: _Source | Path, name: str) -> str:
    """The path that names a photo and no other: of its file, or of its tar and of the member in it."""
    if isinstance(place, Path):
        whole = os.path.normpath(place)
    elif place.kind in ("folder", "tar", "compressed tar"):
        whole = f"{os.path.normpath(place.path)}/{name}"
    elif place.kind == "file":
        whole = os.path.normpath(place.path)
    else:
        whole = f"{STDIN}/{name}"
    return utf8(PurePath(whole).as_posix())
