"""Reads landmark files in VGGFace2's format: five points for each photo, found by somebody's detector."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s
from clip_smu.errors import InputError
from clip_smu.photos.names import ABSENT, AMBIGUOUS, NameIndex
from clip_smu.storage.textfiles import read_header, require_encoding

COLUMNS = ("NAME_ID", "P1X", "P1Y", "P2X", "P2Y", "P3X", "P3Y", "P4X", "P4Y", "P5X", "P5Y")


class Landmarks(Mapping[str, Float32s]):
    """Photo name to (5, 2) float32 x, y in pixels; names in byte order.

    It holds 40 bytes and the name for each photo (VGGFace2's 3.1 million: about 0.2 GB), and finds one by
    bisection.
    """

    def __init__(self, names: Any, points: Float32s) -> None:
        self._names = names  # pyarrow array of sorted, distinct strings
        self._points = points  # (N, 5, 2), in the same order

    def find(self, name: str) -> Float32s | str:
        """The points of a photo whose name matches one here, see :mod:`clip_smu.photos.names`, or why there are none.

        The first call makes an index of the names (0.3 GB for VGGFace2).
        """
        place = self._index.find(name)
        if place == ABSENT:
            return "found none"
        if place == AMBIGUOUS:
            return "found several names that it may be: give the photos from the folder that those names start in"
        points: Float32s = self._points[place]
        return points

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self._names)

    def __getitem__(self, name: str) -> Float32s:
        at = bisect_left(range(len(self)), name, key=lambda i: str(self._names[i].as_py()))
        if at == len(self) or self._names[at].as_py() != name:
            raise KeyError(name)
        points: Float32s = self._points[at]
        return points

    def __iter__(self) -> Iterator[str]:
        return (name.as_py() for name in self._names)

    def __len__(self) -> int:
        return len(self._points)


def read_landmarks(path: Path) -> Landmarks:
    """Read a ``loose_landmark_*.csv`` of VGGFace2, or a file of the same columns, into a mapping.

    Columns are NAME_ID and P1X, P1Y .. P5X, P5Y; others are ignored. NAME_ID is ``n000001/0001_01``: the
    photo's name without ``.jpg`` (which is cut off where a file has it). Points are left eye, right eye,
    nose, left and right mouth corner, in pixels of the photo.

    Raises:
        InputError: the file is missing or empty, lacks a column, repeats a name, or a coordinate is not a
            finite number.
    """
    names, points = read_numbers(path, COLUMNS, "loose_landmark")
    return Landmarks(names, points.reshape(-1, 5, 2))


def read_numbers(path: Path, columns: Sequence[str], form: str) -> tuple[Any, Float32s]:
    """The names in the first of a csv's columns, sorted, and (N, K) float32 of the others.

    UTF-8 or UTF-16 with its mark; parted by commas, semicolons or tabs.

    Args:
        form: VGGFace2's name for such a file.

    Raises:
        InputError: as for :func:`read_landmarks`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    what = f"a csv in the form of VGGFace2's {form}"
    header = read_header(path, what)
    types = {name: pa.float32() for name in columns[1:]} | {columns[0]: pa.string()}
    try:
        table = csv.read_csv(path, **header.options(columns, types)).combine_chunks()
    except (OSError, KeyError, UnicodeError, pa.ArrowException) as error:
        require_encoding(path, what)
        reason = " ".join(str(error).strip("'").split())
        raise InputError(
            f"expected {path} to have the columns {', '.join(columns)} as in VGGFace2's {form}, with numbers "
            f"from {columns[1]} on; found: {reason}"
        ) from None

    names = pc.replace_substring_regex(table[columns[0]].combine_chunks(), r"(?i)\.jpe?g$", "").fill_null("")
    numbers = np.stack([table[name].to_numpy() for name in columns[1:]], axis=1, dtype=np.float32)
    broken = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(broken):
        raise InputError(
            f"expected {len(columns) - 1} finite numbers for each photo in {path}, found {len(broken)} rows without, "
            f"the first for {names[int(broken[0])].as_py()!r}: correct or remove them"
        )
    order = pc.sort_indices(names)
    names, numbers = names.take(order), numbers[order.to_numpy()]
    again = pc.equal(names.slice(1), names.slice(0, max(len(names) - 1, 0)))
    if pc.any(again, min_count=0).as_py():
        twice = names[pc.index(again, True).as_py()].as_py()
        raise InputError(f"expected each photo once in {path}, found {twice!r} twice: remove one of the rows")
    return names, numbers
