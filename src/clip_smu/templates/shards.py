"""Shards: the Parquet files that we write, sealed, and their owner's alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clip_smu.arrays import Float32s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import TemplateError
from clip_smu.storage.files import atomic, storage_errors
from clip_smu.templates.bounds import reading
from clip_smu.templates.parquet import CARD_KEY, opened
from clip_smu.templates.seal import check_seal, seal

FORMAT = "1"
_FORMAT_KEY, _NOTE_KEY = b"clip_smu.format", b"clip_smu.shard"
REJECTED = "_rejected"  # subfolder; readers of Parquet folders pass over names with an underscore

REJECTED_SCHEMA = pa.schema(
    [("image", pa.string()), ("identity", pa.string()), ("reason", pa.string()), ("message", pa.string())]
)


def template_schema(card: EncoderCard) -> pa.Schema:
    """Columns of a shard; the encoder card travels in the metadata."""
    return pa.schema(
        [
            ("image", pa.string()),
            ("face", pa.int16()),
            ("identity", pa.string()),
            ("box", pa.list_(pa.float32(), 4)),
            ("landmarks", pa.list_(pa.float32(), 10)),
            ("score", pa.float32()),
            ("norm", pa.float32()),
            ("template", pa.list_(pa.float32(), card.dim)),
        ],
        metadata={_FORMAT_KEY: FORMAT.encode(), CARD_KEY: json.dumps(card.to_dict()).encode()},
    )


def shard_note(note: dict[str, Any]) -> dict[bytes, bytes]:
    """Metadata that tells a resumed job what a finished shard holds."""
    return {_NOTE_KEY: json.dumps(note).encode()}


def read_note(path: Path) -> tuple[dict[str, Any], int]:
    """The note of a finished shard, and its number of rows.

    Raises:
        TemplateError: the shard is damaged, or no job of ours wrote it.
    """
    check_seal(path)
    with opened(path) as parquet:
        metadata = parquet.metadata
        note = json.loads(metadata.metadata[_NOTE_KEY])
    return note, metadata.num_rows


@contextlib.contextmanager
def shard(path: Path) -> Iterator[Path]:
    """Gives a temporary path for a Parquet file; sealed and renamed on success, readable by its owner alone."""
    with atomic(path, private=True) as temporary:
        yield temporary
        seal(temporary)


def write_shard(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Writes rows (column → value) as one shard."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    with shard(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def save_templates(path: str | Path, vectors: Float32s, images: Sequence[str], card: EncoderCard) -> None:
    """Writes a bare matrix (N, d) with its photo names as one shard that every command reads.

    Raises:
        TemplateError: the shapes do not fit the card.
        StorageError: the disk is full.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape != (len(images), card.dim):
        raise TemplateError(
            f"expected ({len(images)}, {card.dim}) vectors for {card.name}, found {vectors.shape}"
        )
    schema = template_schema(card)
    columns = {
        "image": pa.array(list(images), pa.string()),
        "face": pa.array(np.zeros(len(vectors), np.int16)),
        "identity": pa.array([str(Path(image).parent) if "/" in image else "" for image in images]),
        "norm": pa.array(np.linalg.norm(vectors, axis=1).astype(np.float32)),
        "template": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), card.dim),
    }
    fields = [schema.field(name) for name in columns]
    table = pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, metadata=schema.metadata))
    with shard(Path(path)) as temporary:
        pq.write_table(table, temporary, compression="none", write_page_checksum=True)


def read_rejected(folder: str | Path) -> list[dict[str, str]]:
    """The photos of an extraction that gave nothing: image, identity, reason, message.

    Raises:
        TemplateError: a shard of them is damaged.
    """
    files = sorted((Path(folder) / REJECTED).glob("*.parquet"))
    rows: list[dict[str, str]] = []
    with storage_errors(Path(folder)):
        for file in files:
            check_seal(file)
            with reading(file):
                rows += pq.read_table(file).to_pylist()
    return rows
