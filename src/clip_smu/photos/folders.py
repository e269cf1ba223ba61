"""The photos in and below a folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from clip_smu.errors import InputError
from clip_smu.photos.decode import HEAD_BYTES
from clip_smu.photos.kinds import TAR_SUFFIXES, LeftOut, is_photo, passed_over, suffix_of
from clip_smu.photos.photo import Photo, utf8

Inodes = tuple[tuple[int, int], ...]


def walk(root: str, left_out: LeftOut, tars: list[str] | None = None) -> Iterator[Photo]:
    """Photos in and below a folder, sorted; links are followed, but not back up.

    Args:
        root: absolute.
        left_out: counts the files that are no photos.
        tars: where given, takes the paths of tars below the folder, which are not counted then.

    Raises:
        InputError: the folder itself cannot be listed.
    """
    # folders on the way down, each with its prefix, its (device, inode) and those above, and what is left of it
    way = [_entries(root, "", ())]
    while way:
        prefix, above, entries = way[-1]
        entry = next(entries, None)
        if entry is None:
            way.pop()
            continue
        if isinstance(entry, Photo):
            yield entry
            continue
        if passed_over(entry.name):
            continue
        link = entry.is_symlink()
        if Path(entry.path).is_dir() if link else entry.is_dir():
            way.append(_entries(entry.path, f"{prefix}{entry.name}/", above))
        elif tars is not None and entry.name.lower().endswith(TAR_SUFFIXES):
            tars.append(entry.path)
        elif is_photo(entry.name, lambda path=entry.path: head_of(path)):  # type: ignore[misc]
            yield Photo(utf8(prefix + entry.name), utf8(posixpath.basename(prefix[:-1])), Path(entry.path))
        else:
            left_out[suffix_of(entry.name)] += 1


def head_of(path: str) -> bytes:
    """The first bytes of a file; none of a pipe, a device, or one that cannot be read."""
    try:
        if not Path(path).is_file():
            return b""
        with Path(path).open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _entries(
    folder: str, prefix: str, above: Inodes
) -> tuple[str, Inodes, Iterator[os.DirEntry[str] | Photo]]:
    try:
        status = Path(folder).stat()
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link that leads back up
            return prefix, above, iter(())
        with os.scandir(folder) as listing:
            return prefix, (*above, here), iter(sorted(listing, key=lambda entry: entry.name))
    except OSError as error:
        if not prefix:
            raise InputError(f"expected a folder that can be read, found: {error}") from error
        lost = Photo(utf8(prefix[:-1]), "", Path(folder))  # its read() raises: counted, not silently lost
        return prefix, above, iter((lost,))
