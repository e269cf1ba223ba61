"""Templates in Parquet files: lists, tensors and bytes of numbers, with names of many kinds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import EncoderError, TemplateError
from clip_smu.templates.arrow_kinds import (
    fixed_length,
    holds_bytes,
    is_bytes,
    is_name,
    is_text,
    require_kind,
    require_number,
)
from clip_smu.templates.bounds import (
    BATCH_ROWS,
    MOST_NUMBERS,
    batch_of,
    first_bytes,
    reading,
    refuse_bomb,
)
from clip_smu.templates.columns import IDENTITIES, NAMES, known_vectors, numbered_run, vector_column
from clip_smu.templates.footer import Chunk, chunks_of
from clip_smu.templates.parquet_rows import batches
from clip_smu.templates.seal import check_seal
from clip_smu.templates.table import Templates, even

CARD_KEY = b"clip_smu.encoder"
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
        yield from even(batches(parquet, chunks, columns, rows, file), file, card_of(schema))


def peek(file: Path, asked: str | None = None) -> tuple[EncoderCard | None, int | None]:
    """The card and the length d of a file's templates, where its schema tells them."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        columns = _columns(schema, asked, file)
        dim = len(columns) if len(columns) > 1 else fixed_length(schema.field(columns[0]).type)
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
    named = [field for field in schema if field.name.lower() in (*NAMES, *IDENTITIES) and is_name(field.type)]
    leaves = [
        (f"{one.name}.path", one.type.field("path").type)
        if pa.types.is_struct(one.type)
        else (one.name, one.type)
        for one in named
    ]
    bytes_ = [(field.name, field.type) for field in schema if is_bytes(field.type)]
    return [leaf for leaf, kind in (*leaves, *bytes_) if is_text(kind) or is_bytes(kind)]


def _columns(schema: pa.Schema, asked: str | None, file: Path) -> list[str]:
    """The column of vectors, or else the columns of one number each."""
    names = schema.names
    if asked not in names and (asked is not None or not known_vectors(names)):
        run = numbered_run(names, asked, file)
        if run is not None:
            return [require_number(schema.field(place), file) for place in run]
    column = vector_column(names, asked, file)
    require_kind(schema.field(column).type, column, file)
    return [column]


def _bounded(parquet: pq.ParquetFile, chunks: list[Chunk], columns: list[str], file: Path) -> int:
    """Rows to decode at once, by what the footer says of each group of rows; refuses what would fill memory."""
    total = parquet.metadata
    kind = parquet.schema_arrow.field(columns[0]).type
    numbers, most, width = 0, len(columns) if len(columns) > 1 else fixed_length(kind) or 1, 4
    wanted, roots = set(columns), tuple(f"{column}." for column in columns[:1])
    for chunk in chunks:
        if chunk.column in wanted or chunk.column.startswith(roots):
            numbers += chunk.values
            most = max(most, chunk.values // max(1, chunk.rows))
            width = 8 if chunk.wide else width
    if most > MOST_NUMBERS:
        raise TemplateError(f"{file}: expected templates of at most {MOST_NUMBERS} numbers, found {most}")
    refuse_bomb(file, total.num_rows, max(numbers, most * total.num_rows), width)
    if holds_bytes(kind):
        return BYTES_ROWS
    return batch_of(BATCH_ROWS, most, width)
