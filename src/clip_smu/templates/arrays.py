"""Templates in NumPy's files: .npy, and .npz with names; checked before anything is loaded, never unpickled."""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from clip_smu.errors import TemplateError
from clip_smu.templates.bounds import batch_of, first_bytes, reading, refuse_bomb
from clip_smu.templates.columns import IDENTITIES, NAMES, first_of, known_vectors, vector_column
from clip_smu.templates.table import Rows, Templates, even

_MOST_ARRAYS = 1000  # in one .npz
_HEADER = 10_000  # bytes that a header may take; NumPy's own limit


@dataclass(frozen=True, slots=True)
class _Header:
    """Of an array: what its file says of it, and where its numbers begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    offset: int

    @property
    def matrix(self) -> tuple[int, int] | None:
        """(N, d): as it is; (d,) as one row; axes of length 1 beyond the first left out."""
        shape = self.shape if len(self.shape) != 1 else (1, *self.shape)
        shape = (*shape[:1], *(size for size in shape[1:] if size != 1)) if len(shape) > 2 else shape
        return (shape[0], shape[1]) if len(shape) == 2 else (shape[0], 1) if len(shape) == 1 else None

    @property
    def bytes(self) -> int:
        count = self.dtype.itemsize
        for size in self.shape:
            count *= size
        return count


def read_npy(file: Path, batch_rows: int, asked: str | None = None) -> Iterator[Templates]:
    """The templates of a .npy file (or of a .npz file that is called so).

    Raises:
        TemplateError: no (N, d) array of numbers, Python objects, or a size that does not fit the header.
    """
    if first_bytes(file, 2) == b"PK":
        yield from read_npz(file, batch_rows, asked)
        return
    with reading(file):
        with file.open("rb") as stream:
            header = _header(stream, str(file))
        rows, dim = _checked(header, str(file))
        size = file.stat().st_size - header.offset
        if size != header.bytes:
            raise TemplateError(
                f"{file}: its header says {header.dtype} {header.shape}, {header.bytes} bytes, found {size}: "
                "it is cut off, damaged, or several arrays were saved into it; save it again"
            )
        refuse_bomb(file, rows, rows * dim, header.dtype.itemsize)
        if not rows or not dim:
            return
        order: Any = "F" if header.fortran else "C"
        array = np.memmap(file, header.dtype, "r", header.offset, header.shape, order).reshape(rows, dim)
        step = batch_of(batch_rows, dim, header.dtype.itemsize)
        pieces = (array[start : start + step] for start in range(0, rows, step))
        yield from even(_rows(pieces, file.name), file)


def read_npz(file: Path, batch_rows: int, asked: str | None = None) -> Iterator[Templates]:
    """The templates of a .npz file: its array called ``template``, ``embedding`` or the like, or its only one.

    Raises:
        TemplateError: as :func:`read_npy`, or names of another number.
    """
    first_bytes(file)
    with reading(file), zipfile.ZipFile(file) as archive:
        entries = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if not 0 < len(entries) <= _MOST_ARRAYS:
            raise TemplateError(
                f"{file}: expected a zip of .npy arrays, found {len(entries)}: save it with numpy.savez"
            )
        members = {info.filename.removesuffix(".npy"): info for info in entries}
        headers: dict[str, _Header] = {}
        for name, info in members.items():
            with archive.open(info) as stream, contextlib.suppress(TemplateError):
                headers[name] = _header(stream, f"{name} in {file}")
        column = _array_name(headers, asked, file)
        where = f"{column} in {file}"
        header, info = headers[column], members[column]
        rows, dim = _checked(header, where)
        refuse_bomb(
            file, rows, rows * dim, header.dtype.itemsize, min(info.compress_size, file.stat().st_size)
        )
        if info.file_size - header.offset != header.bytes:
            raise TemplateError(f"{where} is not as long as its header {header.shape} says: save it again")
        if not rows or not dim:
            return
        images, identities = (
            _texts(archive, members, headers, known, rows, file) for known in (NAMES, IDENTITIES)
        )
        step = batch_of(batch_rows, dim, header.dtype.itemsize)
        with archive.open(info) as stream:
            stream.read(header.offset)
            pieces = _whole(stream, header) if header.fortran else _streamed(stream, header, rows, dim, step)
            yield from even(_rows(pieces, file.name, images, identities), where)


def peek_npy(file: Path) -> tuple[int, int] | None:
    """(N, d) of a .npy file, by its header; ``None`` where it has none."""
    with contextlib.suppress(TemplateError), reading(file), file.open("rb") as stream:
        return _header(stream, str(file)).matrix
    return None


def _header(stream: IO[bytes], where: str) -> _Header:
    begin = stream.read(12)
    wide = begin[6:7] != b"\x01"  # format 1 has two bytes for the header's length, later ones four
    length = int.from_bytes(begin[8:12] if wide else begin[8:10], "little")
    whole = begin + stream.read(max(0, min(length, _HEADER) - (0 if wide else 2)))
    copy = io.BytesIO(whole)
    with warnings.catch_warnings():  # of headers by Python 2, and of odd escapes in damaged ones
        warnings.simplefilter("ignore")
        try:
            version = npy.read_magic(copy)
            if version not in ((1, 0), (2, 0)) or length > _HEADER:
                raise ValueError(f"format {version}, a header of {length} bytes")
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(copy, max_header_size=_HEADER)
        except (
            Exception
        ) as error:  # ValueError, but damage also makes SyntaxError, TokenError, OverflowError ...
            said = " ".join(str(error).split())[:100]
            raise TemplateError(
                f"{where} is not a NumPy array of numbers ({said}): save it with numpy.save"
            ) from None
    return _Header(tuple(int(size) for size in shape), bool(fortran), dtype, copy.tell())


def _checked(header: _Header, where: str) -> tuple[int, int]:
    if header.dtype.hasobject:
        raise TemplateError(
            f"{where} holds pickled Python objects, which are never loaded (they may run code): "
            "save numbers, np.save(file, np.stack(vectors).astype(np.float32))"
        )
    matrix = header.matrix
    if (
        matrix is None
        or header.dtype.kind not in "fiu"
        or min(header.shape, default=0) < 0
        or not header.shape
    ):
        raise TemplateError(
            f"{where} must hold an (N, d) array of numbers, found {header.dtype} {header.shape}: save one row a face"
        )
    return matrix


def _array_name(headers: dict[str, _Header], asked: str | None, file: Path) -> str:
    names = list(headers)
    if asked is None and not known_vectors(names):
        matrices = [
            name
            for name, header in headers.items()
            if header.dtype.kind in "fiu" and (header.matrix is not None) and len(header.shape) > 1
        ]
        if len(matrices) == 1 or len(names) == 1:
            return (matrices or names)[0]
    return vector_column(names, asked, file, "array")


def _texts(
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    headers: dict[str, _Header],
    known: tuple[str, ...],
    rows: int,
    file: Path,
) -> list[str] | None:
    """The names beside the templates, if there are any."""
    name = first_of([one for one, header in headers.items() if header.shape == (rows,)], known)
    if name is None:
        return None
    header = headers[name]
    if header.dtype.kind not in "USiu":
        raise TemplateError(
            f"{file}: the names in '{name}' are {header.dtype}, pickled objects are never loaded: "
            "save them as np.array(names, dtype=str)"
        )
    refuse_bomb(file, rows, rows, max(8, header.dtype.itemsize), members[name].compress_size)
    with archive.open(members[name]) as stream:
        stream.read(header.offset)
        values = np.frombuffer(stream.read(header.bytes), header.dtype)
    if header.dtype.kind == "S":
        return [bytes(value).decode("utf-8", "backslashreplace") for value in values.tolist()]
    return [str(value) for value in values.tolist()]


def _streamed(stream: IO[bytes], header: _Header, rows: int, dim: int, step: int) -> Iterator[NDArray[Any]]:
    for start in range(0, rows, step):
        count = min(step, rows - start)
        data = stream.read(count * dim * header.dtype.itemsize)
        yield np.frombuffer(data, header.dtype).reshape(count, dim)


def _whole(stream: IO[bytes], header: _Header) -> Iterator[NDArray[Any]]:
    matrix = header.matrix
    assert matrix is not None
    yield (
        np.frombuffer(stream.read(header.bytes), header.dtype)
        .reshape(header.shape, order="F")
        .reshape(matrix)
    )


def _rows(
    pieces: Iterator[NDArray[Any]],
    name: str,
    images: list[str] | None = None,
    identities: list[str] | None = None,
) -> Iterator[Rows]:
    """Batches of a matrix; rows are numbered where they have no names."""
    start = 0
    for piece in pieces:
        with np.errstate(over="ignore", invalid="ignore"):  # too large becomes infinite: a counted row
            vectors = np.ascontiguousarray(piece, dtype=np.float32)
        count, dim = vectors.shape
        end = start + count
        yield Rows(
            vectors.reshape(-1),
            np.full(count, dim, np.int64),
            {},
            images[start:end] if images else [f"{name}:{row}" for row in range(start, end)],
            np.zeros(count, np.int16),
            identities[start:end] if identities else [""] * count,
            np.full(count, np.nan, np.float32),
        )
        start = end
