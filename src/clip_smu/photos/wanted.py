"""The photos that a list names, out of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clip_smu.photos import Photo
from clip_smu.photos.names import Matches, match
from clip_smu.photos.spelling import file_of


def find_photos(photos: Iterable[Photo], wanted: Sequence[str]) -> tuple[dict[str, Photo], Matches]:
    """The photo of each wanted name that has one, and how the names matched; see :mod:`clip_smu.photos.names`.

    Photos of other file names pass by and are not kept.
    """
    files = {file_of(name) for name in wanted}
    kept = [photo for photo in photos if file_of(photo.name) in files]
    found = match(wanted, [photo.name for photo in kept])
    return {name: kept[row] for name, row in zip(wanted, found.at.tolist(), strict=True) if row >= 0}, found
