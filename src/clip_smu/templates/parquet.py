"""Templates in Parquet files: lists, tensors and bytes of numbers, with names of many kinds."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Int64s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import EncoderError, TemplateError
from clip_smu.templates.bounds import (
    BATCH_ROWS,
    MOST_NUMBERS,
    batch_of,
    first_bytes,
    reading,
    refuse_bomb,
)
from clip_smu.templates.columns import IDENTITIES, NAMES, first_of, known_vectors, numbered_run, vector_column
from clip_smu.templates.footer import Chunk, chunks_of
from clip_smu.templates.seal import check_seal
from clip_smu.templates.table import Rows, Templates, even

CARD_KEY = b"clip_smu.encoder"
NAMES_BYTES = 1 << 16  # of one name, at most
SHORT = 512  # bytes that a name takes on average; a photo takes more
BYTES_ROWS = 1024  # of templates as bytes, whose lengths the footer does not tell


def read(file: Path, batch_rows: int, asked: str | None = None) -> Iterator[Templates]:
    """The templates of one file, in batches.

    Raises:
        TemplateError: damaged, without templates, or made to fill memory.
    """
    check_seal(file)
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        columns = _columns(schema, asked, file)
        chunks = chunks_of(file)
        rows = min(batch_rows, _bounded(parquet, chunks, columns, file))
        yield from even(_batches(parquet, chunks, columns, rows, file), file, card_of(schema))


def peek(file: Path, asked: str | None = None) -> tuple[EncoderCard | None, int | None]:
    """The card and the length d of a file's templates, where its schema tells them."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        columns = _columns(schema, asked, file)
        dim = len(columns) if len(columns) > 1 else _fixed_length(schema.field(columns[0]).type)
        return card_of(schema), dim


def count(file: Path) -> int:
    """Rows of a file."""
    with opened(file) as parquet:
        return int(parquet.metadata.num_rows)


def has_templates(file: Path, asked: str | None = None) -> bool:
    """Whether a file has templates by its columns' names; also true where it cannot be read: that is told later."""
    try:
        with opened(file) as parquet:
            names = parquet.schema_arrow.names
        run = numbered_run(names, asked, file)
    except TemplateError:
        return True
    return run is not None or (asked in names if asked else bool(known_vectors(names)))


@contextlib.contextmanager
def opened(file: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file whose errors are ours.

    Raises:
        TemplateError: it is no Parquet file, or is damaged.
    """
    if first_bytes(file, 4) != b"PAR1":
        raise TemplateError(
            f"{file} is not a Parquet file (its first bytes are not PAR1): check how it was made"
        )
    with reading(file):
        try:
            parquet = pq.ParquetFile(
                file,
                memory_map=True,
                page_checksum_verification=True,
                read_dictionary=_name_leaves(file),
            )
        except (pa.ArrowInvalid, OSError) as error:
            said = str(error).splitlines()[0]
            raise TemplateError(
                f"{file} is not a whole Parquet file ({said}): write or copy it again"
            ) from None
        with parquet:
            yield parquet


def card_of(schema: pa.Schema) -> EncoderCard | None:
    """The encoder card in a file's metadata, or ``None``.

    Raises:
        TemplateError: the card there is damaged.
    """
    text = (schema.metadata or {}).get(CARD_KEY)
    if text is None:
        return None
    try:
        return EncoderCard.from_dict(json.loads(text))
    except (ValueError, TypeError, AttributeError, RecursionError, EncoderError) as error:
        raise TemplateError(f"the encoder card in the templates' metadata is damaged: {error}") from None


def _name_leaves(file: Path) -> list[str]:
    """Columns of names as dictionaries: a long name that is told once and pointed to often stays one."""
    schema = pq.read_schema(file, memory_map=True)
    named = [
        field for field in schema if field.name.lower() in (*NAMES, *IDENTITIES) and _is_name(field.type)
    ]
    leaves = [
        (f"{one.name}.path", one.type.field("path").type)
        if pa.types.is_struct(one.type)
        else (one.name, one.type)
        for one in named
    ]
    bytes_ = [(field.name, field.type) for field in schema if _is_bytes(field.type)]
    return [leaf for leaf, kind in (*leaves, *bytes_) if _is_text(kind) or _is_bytes(kind)]


def _columns(schema: pa.Schema, asked: str | None, file: Path) -> list[str]:
    """The column of vectors, or else the columns of one number each."""
    names = schema.names
    if asked not in names and (asked is not None or not known_vectors(names)):
        run = numbered_run(names, asked, file)
        if run is not None:
            return [_require_number(schema.field(place), file) for place in run]
    column = vector_column(names, asked, file)
    _require_kind(schema.field(column).type, column, file)
    return [column]


def _bounded(parquet: pq.ParquetFile, chunks: list[Chunk], columns: list[str], file: Path) -> int:
    """Rows to decode at once, by what the footer says of each group of rows; refuses what would fill memory."""
    total = parquet.metadata
    kind = parquet.schema_arrow.field(columns[0]).type
    numbers, most, width = 0, len(columns) if len(columns) > 1 else _fixed_length(kind) or 1, 4
    wanted, roots = set(columns), tuple(f"{column}." for column in columns[:1])
    for chunk in chunks:
        if chunk.column in wanted or chunk.column.startswith(roots):
            numbers += chunk.values
            most = max(most, chunk.values // max(1, chunk.rows))
            width = 8 if chunk.wide else width
    if most > MOST_NUMBERS:
        raise TemplateError(f"{file}: expected templates of at most {MOST_NUMBERS} numbers, found {most}")
    refuse_bomb(file, total.num_rows, max(numbers, most * total.num_rows), width)
    if _holds_bytes(kind):
        return BYTES_ROWS
    return batch_of(BATCH_ROWS, most, width)


# ---------------------------------------------------------------- rows


def _batches(
    parquet: pq.ParquetFile, chunks: list[Chunk], columns: list[str], rows: int, file: Path
) -> Iterator[Rows]:
    schema = parquet.schema_arrow
    name = _name_column(schema, chunks, file)
    identity = first_of([field.name for field in schema if _is_name(field.type)], IDENTITIES)
    numbers = [
        one for one in ("face", "norm") if schema.names.count(one) == 1 and _is_number(schema.field(one).type)
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
        images, identities = [f"{file.name}:{first + row}" for row in range(count)], [""] * count
        if name is not None and name in texts:
            images = _texts(batch.column(name), images, name, file)
        if identity is not None and identity in texts:
            identities = _texts(batch.column(identity), identities, identity, file)
        faces = _faces(batch.column("face"), file) if "face" in numbers else np.zeros(count, np.int16)
        norms = _floats(batch.column("norm")) if "norm" in numbers else np.full(count, np.nan, np.float32)
        yield Rows(values, lengths, problems, images, faces, identities, norms)
        first += count


def _vectors(column: pa.Array, file: Path) -> tuple[Float32s, Int64s, dict[int, str]]:
    """Flat values, lengths (0 where there is none) and problems of one batch of a vector column."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column, kind = column.storage, kind.storage_type
    problems = dict.fromkeys(
        np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist(), "missing (null)"
    )
    if _holds_bytes(kind):
        return _from_bytes(column, problems, file)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = column.flatten()
    if _is_list(kind.value_type):  # [[...]]: one list in it is the template
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


def _texts(column: pa.Array, missing: list[str], name: str, file: Path) -> list[str]:
    """Names as text; those of ``missing`` where there is none."""
    if pa.types.is_struct(column.type):
        column = column.field(0) if column.null_count == 0 else pc.struct_field(column, [0])
    indices: list[int] | None = None
    if pa.types.is_dictionary(column.type):
        indices, column = column.indices.to_pylist(), column.dictionary
    if pa.types.is_floating(column.type):  # numbers with a null among them, as pandas keeps them
        values = [
            None if v is None or v != v else str(int(v)) if v == int(v) else str(v)
            for v in column.to_pylist()
        ]
    elif _is_bytes(column.type):
        values = [None if v is None else v.decode("utf-8", "backslashreplace") for v in column.to_pylist()]
    else:
        values = [v if v is None or isinstance(v, str) else str(v) for v in column.to_pylist()]
    longest = max((len(v) for v in values if v), default=0)
    if longest > NAMES_BYTES:
        raise TemplateError(
            f"{file}: the column '{name}' holds a name of {longest} characters: that is no name"
        )
    if indices is not None:
        values = [None if k is None else values[k] for k in indices]
    return [value or other for value, other in zip(values, missing, strict=True)]


# ---------------------------------------------------------------- kinds of columns


def _require_kind(kind: pa.DataType, column: str, file: Path) -> None:
    """Refuses a column that holds no vectors, and says what it holds."""
    if isinstance(kind, pa.BaseExtensionType):
        shape = getattr(kind, "shape", None)
        if shape is not None and sum(size != 1 for size in shape) > 1:
            raise TemplateError(
                f"{file}: the column '{column}' holds tensors of shape {list(shape)}: expected one vector a row"
            )
        kind = kind.storage_type
    if _holds_bytes(kind):
        return
    inner = kind.value_type if _is_list(kind) else None
    if inner is not None and _is_list(inner):
        inner = inner.value_type
    elif inner is not None and pa.types.is_struct(inner) and inner.num_fields == 1:
        inner = inner.field(0).type
    if inner is not None and _is_number(inner):
        return
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found, todo = "text", "parse it (json.loads) and store lists of numbers"
    else:
        found, todo = str(kind)[:80], "store one list of numbers a row"
    raise TemplateError(f"{file}: expected lists of numbers in the column '{column}', found {found}: {todo}")


def _require_number(field: pa.Field, file: Path) -> str:
    if not _is_number(field.type):
        raise TemplateError(
            f"{file}: expected numbers in the column '{field.name}', found {str(field.type)[:80]}"
        )
    return str(field.name)


def _fixed_length(kind: pa.DataType) -> int | None:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def _name_column(schema: pa.Schema, chunks: list[Chunk], file: Path) -> str | None:
    """The column of photo names; of kinds that hold no names, ``image`` is refused and others are passed over."""
    times = Counter(schema.names)
    usable = [
        field.name
        for field in schema
        if times[field.name] == 1
        and field.name.lower() in NAMES
        and (_is_name(field.type) or (_holds_bytes(field.type) and _mean_bytes(chunks, field.name) <= SHORT))
    ]
    twice = times["image"]
    if twice > 1:
        raise TemplateError(f"{file} has {twice} columns called 'image': rename all but one")
    if twice and "image" not in usable and not _holds_bytes(schema.field("image").type):
        found = str(schema.field("image").type)[:80]
        raise TemplateError(
            f"{file}: expected names in the column 'image' (text, numbers or {{bytes, path}}), found {found}"
        )
    return first_of(usable, NAMES)


def _mean_bytes(chunks: list[Chunk], column: str) -> float:
    """Of a column of bytes: names are short, photos are long."""
    own = [chunk for chunk in chunks if chunk.column == column]
    return sum(chunk.stored for chunk in own) / max(1, sum(chunk.rows for chunk in own))


def _is_name(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        path = kind.field("path").type if kind.get_field_index("path") >= 0 else None
        return path is not None and (_is_text(path) or bool(pa.types.is_null(path)))
    return _is_text(kind) or _is_number(kind) or bool(pa.types.is_null(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _holds_bytes(kind: pa.DataType) -> bool:
    return _is_bytes(kind.value_type if pa.types.is_dictionary(kind) else kind)
