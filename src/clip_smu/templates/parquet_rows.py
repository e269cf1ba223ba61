"""Rows of a Parquet file, batch by batch: vectors of several kinds, names, faces and norms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Int64s
from clip_smu.errors import TemplateError
from clip_smu.templates.arrow_kinds import holds_bytes, is_bytes, is_list, is_name, is_number
from clip_smu.templates.bounds import MOST_NUMBERS, refuse_bomb
from clip_smu.templates.columns import IDENTITIES, NAMES, first_of
from clip_smu.templates.footer import Chunk
from clip_smu.templates.table import Rows

NAMES_BYTES = 1 << 16  # of one name, at most
SHORT = 512  # bytes that a name takes on average; a photo takes more


def batches(
    parquet: pq.ParquetFile, chunks: list[Chunk], columns: list[str], rows: int, file: Path
) -> Iterator[Rows]:
    schema = parquet.schema_arrow
    name = _name_column(schema, chunks, file)
    identity = first_of([field.name for field in schema if is_name(field.type)], IDENTITIES)
    numbers = [
        one for one in ("face", "norm") if schema.names.count(one) == 1 and is_number(schema.field(one).type)
    ]
    texts = [one for one in (name, identity) if one is not None and one not in columns]
    wanted = [*columns, *numbers]
    wanted += [f"{one}.path" if pa.types.is_struct(schema.field(one).type) else one for one in texts]
    first = so_far = 0
    problems: dict[int, str]
    for batch in parquet.iter_batches(rows, columns=wanted):
        count = batch.num_rows
        if len(columns) > 1:
            table = np.stack([_floats(batch.column(column)) for column in columns], axis=1)
            values, lengths, problems = table.reshape(-1), np.full(count, len(columns), np.int64), {}
        else:
            values, lengths, problems = _vectors(batch.column(columns[0]), file)
        so_far += len(values)
        refuse_bomb(file, first + count, so_far, 4)  # what the footer did not tell
        images: list[str | None] = [None] * count
        identities: list[str | None] = [None] * count
        if name is not None and name in texts:
            images = _texts(batch.column(name), name, file)
        if identity is not None and identity in texts:
            identities = _texts(batch.column(identity), identity, file)
        faces = _faces(batch.column("face"), file) if "face" in numbers else np.zeros(count, np.int16)
        norms = _floats(batch.column("norm")) if "norm" in numbers else np.full(count, np.nan, np.float32)
        yield Rows(
            values, lengths, problems, _named(images, f"{file.name}:", first), faces,
            [one or "" for one in identities], norms,
        )  # fmt: skip
        first += count


def _vectors(column: pa.Array, file: Path) -> tuple[Float32s, Int64s, dict[int, str]]:
    """Flat values, lengths (0 where there is none) and problems of one batch of a vector column."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column, kind = column.storage, kind.storage_type
    problems = dict.fromkeys(
        np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist(), "missing (null)"
    )
    if holds_bytes(kind):
        return _from_bytes(column, problems, file)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = column.flatten()
    if is_list(kind.value_type):  # [[...]]: one list in it is the template
        inner = pc.fill_null(pc.list_value_length(flat), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        numbers = _floats(flat.flatten())
        starts = np.cumsum(inner) - inner
        of = np.cumsum(lengths) - lengths
        for row in np.flatnonzero(lengths > 1).tolist():
            problems[row] = f"a list of {lengths[row]} lists, not of numbers"
        alone = lengths == 1
        picked = of[alone]
        spans = [numbers[starts[k] : starts[k] + inner[k]] for k in picked.tolist()]
        sizes = np.zeros(len(lengths), np.int64)
        sizes[alone] = inner[picked]
        values, lengths = np.concatenate(spans) if spans else np.empty(0, np.float32), sizes
    else:
        if pa.types.is_struct(flat.type):  # DuckDB's arrays: lists of {element}
            flat = flat.flatten()[0]
        values = _floats(flat)
    for row in np.flatnonzero(lengths == 0).tolist():
        problems.setdefault(row, "empty")
    return values, lengths, problems


def _from_bytes(
    column: pa.Array, problems: dict[int, str], file: Path
) -> tuple[Float32s, Int64s, dict[int, str]]:
    """float32 as bytes, little-endian."""
    indices = range(len(column))
    if pa.types.is_dictionary(column.type):
        indices, column = column.indices.to_pylist(), column.dictionary
    sizes = pc.fill_null(pc.binary_length(column), 0)
    if len(sizes) and pc.max(sizes).as_py() > 4 * MOST_NUMBERS:
        raise TemplateError(
            f"{file}: expected templates of at most {MOST_NUMBERS} numbers, found longer ones"
        )
    given = column.to_pylist()
    kept: list[bytes] = []
    lengths = np.zeros(len(indices), np.int64)
    for row, index in enumerate(indices):
        data = None if index is None else given[index]
        if data is None:
            continue
        if not data or len(data) % 4:
            problems[row] = "empty" if not data else f"{len(data)} bytes, not float32 numbers of 4 bytes each"
            continue
        lengths[row] = len(data) // 4
        kept.append(data)
    return np.frombuffer(b"".join(kept), "<f4").astype(np.float32, copy=False), lengths, problems


def _floats(column: pa.Array) -> Float32s:
    with np.errstate(over="ignore", invalid="ignore"):  # too large becomes infinite: a counted row
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)


def _faces(column: pa.Array, file: Path) -> NDArray[np.int16]:
    given = np.nan_to_num(np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64))
    if ((given < 0) | (given > 32_767) | (given % 1 != 0)).any():
        raise TemplateError(f"{file}: the column 'face' must hold whole numbers, 0 for a photo's main face")
    return given.astype(np.int16)


def _named(given: list[str | None], file: str, first: int) -> list[str]:
    """The names; where one is missing or empty, the file and the row, counted from ``first``."""
    if all(given):
        return cast("list[str]", given)
    return [name or f"{file}{first + row}" for row, name in enumerate(given)]


def _texts(column: pa.Array, name: str, file: Path) -> list[str | None]:
    """Names as text; ``None`` where there is none."""
    if pa.types.is_struct(column.type):
        column = column.field(0) if column.null_count == 0 else pc.struct_field(column, [0])
    indices: list[int] | None = None
    if pa.types.is_dictionary(column.type):
        indices, column = column.indices.to_pylist(), column.dictionary
    values: list[str | None]
    if pa.types.is_floating(column.type):  # numbers with a null among them, as pandas keeps them
        values = [
            None if v is None or v != v else str(int(v)) if v == int(v) else str(v)
            for v in column.to_pylist()
        ]
    elif is_bytes(column.type):
        values = [None if v is None else v.decode("utf-8", "backslashreplace") for v in column.to_pylist()]
    elif pa.types.is_string(column.type):
        values = column.to_pylist()
    else:
        values = [v if v is None or isinstance(v, str) else str(v) for v in column.to_pylist()]
    longest = max(map(len, filter(None, values)), default=0)
    if longest > NAMES_BYTES:
        raise TemplateError(
            f"{file}: the column '{name}' holds a name of {longest} characters: that is no name"
        )
    return values if indices is None else [None if k is None else values[k] for k in indices]


def _name_column(schema: pa.Schema, chunks: list[Chunk], file: Path) -> str | None:
    """The column of photo names; of kinds that hold no names, ``image`` is refused and others are passed over."""
    times = Counter(schema.names)
    usable = [
        field.name
        for field in schema
        if times[field.name] == 1
        and field.name.lower() in NAMES
        and (is_name(field.type) or (holds_bytes(field.type) and _mean_bytes(chunks, field.name) <= SHORT))
    ]
    twice = times["image"]
    if twice > 1:
        raise TemplateError(f"{file} has {twice} columns called 'image': rename all but one")
    if twice and "image" not in usable and not holds_bytes(schema.field("image").type):
        found = str(schema.field("image").type)[:80]
        raise TemplateError(
            f"{file}: expected names in the column 'image' (text, numbers or {{bytes, path}}), found {found}"
        )
    return first_of(usable, NAMES)


def _mean_bytes(chunks: list[Chunk], column: str) -> float:
    """Of a column of bytes: names are short, photos are long."""
    own = [chunk for chunk in chunks if chunk.column == column]
    return sum(chunk.stored for chunk in own) / max(1, sum(chunk.rows for chunk in own))
