"""Templates in HDF5 files: one dataset (N, d), with names beside it; needs the extra [hdf5]."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.errors import MissingExtraError, TemplateError
from clip_smu.templates.bounds import batch_of, first_bytes, reading, refuse_bomb
from clip_smu.templates.columns import IDENTITIES, NAMES, TEMPLATE, VECTORS, first_of, vector_column
from clip_smu.templates.table import Rows, Templates, even


def read(file: Path, batch_rows: int, asked: str | None = None) -> Iterator[Templates]:
    """The templates of the dataset asked for, the one called ``template`` or the like, or the only one (N, d).

    Raises:
        MissingExtraError: h5py is not installed.
        TemplateError: there is no such dataset, or it is no (N, d) of numbers.
    """
    first_bytes(file)
    try:
        import h5py
    except ImportError:
        raise MissingExtraError("reading HDF5", "hdf5") from None
    with reading(file), h5py.File(file, "r") as opened:
        sets = dict(_datasets(opened, h5py))
        name = _chosen(sets, asked, file)
        data = sets[name]
        shape = data.shape if len(data.shape) != 1 else (1, *data.shape)
        if len(shape) != 2 or data.dtype.kind not in "fiu":
            raise TemplateError(
                f"{file}: the dataset '{name}' must hold (N, d) numbers, found {data.dtype} {data.shape}: "
                "store one row a face"
            )
        rows, dim = shape
        refuse_bomb(file, rows, rows * dim, data.dtype.itemsize, data.id.get_storage_size())
        if not rows or not dim:
            return
        folder = name.rpartition("/")[0]
        beside = {
            one.rpartition("/")[2]: found
            for one, found in sets.items()
            if one.rpartition("/")[0] == folder and found.shape == (rows,)
        }
        step = batch_of(batch_rows, dim, data.dtype.itemsize)
        yield from even(_rows(data, rows, dim, step, beside, file), f"{name} in {file}")


def _datasets(group: Any, h5py: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The datasets that lie in the file itself; links to other files are not followed, nor such storage."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        found = group[name]
        if isinstance(found, h5py.Group) and depth < 16:
            yield from _datasets(found, h5py, f"{prefix}{name}/", depth + 1)
        elif isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual:
            yield f"{prefix}{name}", found


def _chosen(sets: dict[str, Any], asked: str | None, file: Path) -> str:
    names = list(sets)
    if asked is not None:
        return vector_column(names, asked.strip("/"), file, "dataset")
    known = [name for name in names if name.rpartition("/")[2].lower() in VECTORS]
    ours = [name for name in known if name.rpartition("/")[2].lower() == TEMPLATE]
    matrices = [name for name in names if len(sets[name].shape) == 2 and sets[name].dtype.kind in "fiu"]
    for some in (ours, known, matrices):
        if len(some) == 1:
            return some[0]
        if some:
            raise TemplateError(
                f"{file} has several datasets of templates ({', '.join(some[:20])}): choose with --column"
            )
    return vector_column(names, None, file, "dataset")


def _rows(data: Any, rows: int, dim: int, step: int, beside: dict[str, Any], file: Path) -> Iterator[Rows]:
    image, identity = (first_of(list(beside), known) for known in (NAMES, IDENTITIES))
    for start in range(0, rows, step):
        end = min(rows, start + step)
        count = end - start
        with np.errstate(over="ignore", invalid="ignore"):
            piece = np.asarray(data[...] if len(data.shape) == 1 else data[start:end], dtype=np.float32)
        numbered = [f"{file.name}:{row}" for row in range(start, end)]
        yield Rows(
            np.ascontiguousarray(piece).reshape(-1),
            np.full(count, dim, np.int64),
            {},
            [text or other for text, other in zip(_texts(beside[image][start:end]), numbered, strict=True)]
            if image
            else numbered,
            np.zeros(count, np.int16),
            _texts(beside[identity][start:end]) if identity else [""] * count,
            np.full(count, np.nan, np.float32),
        )


def _texts(values: Any) -> list[str]:
    return [
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
        for value in values.tolist()
    ]
