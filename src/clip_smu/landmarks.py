"""Reads landmark files in VGGFace2's format: five points for each photo, found by somebody's detector."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.errors import InputError

COLUMNS = ("NAME_ID", "P1X", "P1Y", "P2X", "P2Y", "P3X", "P3Y", "P4X", "P4Y", "P5X", "P5Y")


class Landmarks(Mapping[str, NDArray[np.float32]]):
    """Photo name to (5, 2) float32 x, y in pixels; names in byte order.

    It holds 40 bytes and the name for each photo (VGGFace2's 3.1 million: about 0.2 GB), and finds one by
    bisection.
    """

    def __init__(self, names: Any, points: NDArray[np.float32]) -> None:
        self._names = names  # pyarrow array of sorted, distinct strings
        self._points = points  # (N, 5, 2), in the same order

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        at = bisect_left(range(len(self)), name, key=lambda i: str(self._names[i].as_py()))
        if at == len(self) or self._names[at].as_py() != name:
            raise KeyError(name)
        points: NDArray[np.float32] = self._points[at]
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
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    types = {name: pa.float32() for name in COLUMNS[1:]} | {"NAME_ID": pa.string()}
    convert = csv.ConvertOptions(include_columns=list(COLUMNS), column_types=types)
    try:
        table = csv.read_csv(path, convert_options=convert).combine_chunks()
    except OSError as error:
        raise InputError(
            f"expected a landmarks csv at {path}, cannot read it: {error.strerror or error}"
        ) from error
    except (KeyError, pa.ArrowInvalid) as error:
        reason = " ".join(str(error).strip("'").split())
        raise InputError(
            f"expected {path} to have the columns {', '.join(COLUMNS)} as in VGGFace2's loose_landmark, "
            f"with numbers from P1X on; found: {reason}"
        ) from error

    names = pc.replace_substring_regex(table["NAME_ID"].combine_chunks(), r"(?i)\.jpe?g$", "")
    points = np.stack([table[name].to_numpy() for name in COLUMNS[1:]], axis=1, dtype=np.float32)
    broken = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(broken):
        raise InputError(
            f"expected ten finite coordinates for each photo in {path}, found {len(broken)} rows without, "
            f"the first for {names[int(broken[0])].as_py()!r}: correct or remove them"
        )
    by_name = pc.sort_indices(names)
    names, points = names.take(by_name), points[by_name.to_numpy()]
    again = pc.equal(names.slice(1), names.slice(0, max(len(names) - 1, 0)))
    if pc.any(again, min_count=0).as_py():
        first = names[pc.index(again, True).as_py()].as_py()
        raise InputError(f"expected each photo once in {path}, found {first!r} twice: remove one of the rows")
    return Landmarks(names, points.reshape(-1, 5, 2))
