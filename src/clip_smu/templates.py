"""The template store: Parquet shards of faces with their templates, and bare .npy files of vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_smu.encoders.cards import EncoderCard
from clip_smu.errors import EncoderError, TemplateError
from clip_smu.storage import atomic, storage_errors

FORMAT = "1"
_CARD_KEY, _FORMAT_KEY, _NOTE_KEY = b"clip_smu.encoder", b"clip_smu.format", b"clip_smu.shard"
BATCH_ROWS = 65_536
REJECTED = "_rejected"  # subfolder; readers of Parquet folders pass over names with an underscore

REJECTED_SCHEMA = pa.schema(
    [("image", pa.string()), ("identity", pa.string()), ("reason", pa.string()), ("message", pa.string())]
)


@dataclass(frozen=True, eq=False)
class Templates:
    """Templates in memory, with what is known of each.

    Attributes:
        vectors: (N, d) float32, as the encoder gave them.
        images: N names of photos (``.npy`` files: ``name:row``).
        faces: (N,) int16, 0 for the main face of a photo.
        identities: N names of persons, empty where unknown.
        norms: (N,) float32 L2 norms of the network's output, NaN where unknown.
        card: the encoder's card, ``None`` for a bare file of vectors.
    """

    vectors: NDArray[np.float32]
    images: list[str]
    faces: NDArray[np.int16]
    identities: list[str]
    norms: NDArray[np.float32]
    card: EncoderCard | None

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: NDArray[np.intp]) -> Templates:
        """The same of the given rows, (M,) integer."""
        return Templates(
            self.vectors[rows],
            [self.images[row] for row in rows],
            self.faces[rows],
            [self.identities[row] for row in rows],
            self.norms[rows],
            self.card,
        )


def is_templates(path: Path) -> bool:
    """Whether ``path`` looks like stored templates: a .parquet or .npy file, or a folder of .parquet files."""
    if path.is_dir():
        return any(path.glob("*.parquet"))
    return path.suffix.lower() in (".parquet", ".npy")


def read_templates(path: str | Path) -> Templates:
    """Reads all templates of a folder, a .parquet file, or an .npy file of shape (N, d).

    Raises:
        TemplateError: nothing there, no ``template`` column, vectors of several lengths or encoders.

    Example:
        >>> import numpy as np, tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "vendor.npy"
        >>> np.save(file, np.eye(3, 128, dtype=np.float32))
        >>> read_templates(file).vectors.shape
        (3, 128)
    """
    parts = list(iter_templates(path))
    if not parts:
        raise TemplateError(f"{path} holds no template: extract some with clip-smu extract")
    return Templates(
        np.concatenate([part.vectors for part in parts]),
        [image for part in parts for image in part.images],
        np.concatenate([part.faces for part in parts]),
        [identity for part in parts for identity in part.identities],
        np.concatenate([part.norms for part in parts]),
        parts[0].card,
    )


def iter_templates(path: str | Path, batch_rows: int = BATCH_ROWS) -> Iterator[Templates]:
    """The same as :func:`read_templates` in batches of at most ``batch_rows`` rows, with flat memory."""
    path = Path(path)
    if path.suffix.lower() == ".npy":
        yield from _iter_npy(path, batch_rows)
        return
    card: EncoderCard | None = None
    dim: int | None = None
    for file in parquet_files(path):
        with open_parquet(file) as parquet:
            found = card_of(parquet.schema_arrow)
            if card is not None and found is not None and found != card:
                raise TemplateError(
                    f"{file} holds templates of {found.name}, the files before it of {card.name}: "
                    "templates of different encoders cannot be read as one"
                )
            card = card or found
            columns = [
                c
                for c in ("image", "face", "identity", "norm", "template")
                if c in parquet.schema_arrow.names
            ]
            row = 0
            for batch in parquet.iter_batches(batch_rows, columns=columns):
                part = _from_batch(batch, file, card, row)
                row += batch.num_rows
                if dim is not None and part.vectors.shape[1] != dim:
                    raise TemplateError(
                        f"{file} holds templates of length {part.vectors.shape[1]}, before it {dim}"
                    )
                dim = part.vectors.shape[1]
                yield part


def parquet_files(path: Path) -> list[Path]:
    """The shards at ``path``, in order.

    Raises:
        TemplateError: there are none.
    """
    if path.is_dir():
        files = sorted(path.glob("*.parquet"))
        if not files:
            raise TemplateError(f"{path} holds no .parquet file: expected a folder made by clip-smu extract")
        return files
    if not path.is_file():
        raise TemplateError(f"no such templates: {path}")
    return [path]


def open_parquet(file: Path) -> pq.ParquetFile:
    """Opens a shard.

    Raises:
        TemplateError: it is no Parquet file, is truncated, or has no ``template`` column.
    """
    try:
        parquet = pq.ParquetFile(file, memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise TemplateError(f"{file} is not a whole Parquet file ({str(error).splitlines()[0]})") from None
    if "template" not in parquet.schema_arrow.names:
        found = ", ".join(parquet.schema_arrow.names)
        parquet.close()
        raise TemplateError(f"{file} has no column 'template' (it has: {found})")
    return parquet


def card_of(schema: pa.Schema) -> EncoderCard | None:
    """The encoder card in a shard's metadata, or ``None``.

    Raises:
        TemplateError: the card there is damaged.
    """
    text = (schema.metadata or {}).get(_CARD_KEY)
    if text is None:
        return None
    try:
        return EncoderCard.from_dict(json.loads(text))
    except (ValueError, EncoderError) as error:
        raise TemplateError(f"the encoder card in the templates' metadata is damaged: {error}") from None


def vectors_of(column: pa.Array, where: str | Path) -> NDArray[np.float32]:
    """(N, d) float32 from a list column, without a copy where it is a fixed-size list of float32.

    Raises:
        TemplateError: vectors missing, or of several lengths.
    """
    if column.null_count:
        raise TemplateError(f"{where}: {column.null_count} rows have no template")
    if not pa.types.is_fixed_size_list(column.type):
        lengths = set(np.diff(column.offsets.to_numpy()).tolist()) if hasattr(column, "offsets") else set()
        if len(lengths) != 1:
            raise TemplateError(
                f"{where}: the column 'template' must hold lists of one length, found {sorted(lengths)}"
            )
        dim = lengths.pop()
    else:
        dim = column.type.list_size
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float32).reshape(-1, dim)


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
        metadata={_FORMAT_KEY: FORMAT.encode(), _CARD_KEY: json.dumps(card.to_dict()).encode()},
    )


def shard_note(note: dict[str, Any]) -> dict[bytes, bytes]:
    """Metadata that tells a resumed job what a finished shard holds."""
    return {_NOTE_KEY: json.dumps(note).encode()}


def read_note(path: Path) -> tuple[dict[str, Any], int]:
    """The note of a finished shard, and its number of rows."""
    metadata = pq.read_metadata(path)
    return json.loads(metadata.metadata[_NOTE_KEY]), metadata.num_rows


def write_shard(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Writes rows (column → value) as one Parquet file, atomically."""
    table = pa.Table.from_pylist(list(rows), schema=schema)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def save_templates(
    path: str | Path, vectors: NDArray[np.float32], images: Sequence[str], card: EncoderCard
) -> None:
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
    with atomic(Path(path)) as temporary:
        pq.write_table(table, temporary, compression="none")


def read_rejected(folder: str | Path) -> list[dict[str, str]]:
    """The photos of an extraction that gave nothing: image, identity, reason, message."""
    files = sorted((Path(folder) / REJECTED).glob("*.parquet"))
    with storage_errors(Path(folder)):
        rows: list[dict[str, str]] = [row for file in files for row in pq.read_table(file).to_pylist()]
    return rows


def _from_batch(batch: pa.RecordBatch, where: Path, card: EncoderCard | None, first: int) -> Templates:
    names, rows = batch.schema.names, batch.num_rows
    vectors = vectors_of(batch.column("template"), where)
    images = (
        batch.column("image").to_pylist()
        if "image" in names
        else [f"{where.name}:{first + row}" for row in range(rows)]
    )
    faces = (
        batch.column("face").to_numpy(zero_copy_only=False) if "face" in names else np.zeros(rows, np.int16)
    )
    identities = batch.column("identity").to_pylist() if "identity" in names else [""] * rows
    norms = batch.column("norm").to_numpy(zero_copy_only=False) if "norm" in names else np.full(rows, np.nan)
    return Templates(vectors, images, faces.astype(np.int16), identities, norms.astype(np.float32), card)


def _iter_npy(path: Path, batch_rows: int) -> Iterator[Templates]:
    if not path.is_file():
        raise TemplateError(f"no such templates: {path}")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise TemplateError(f"{path} is not a NumPy array of numbers ({error})") from None
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise TemplateError(f"{path} must hold an (N, d) array of numbers, found {array.dtype} {array.shape}")
    for start in range(0, len(array), batch_rows):
        vectors = np.ascontiguousarray(array[start : start + batch_rows], dtype=np.float32)
        n = len(vectors)
        names = [f"{path.name}:{start + row}" for row in range(n)]
        yield Templates(vectors, names, np.zeros(n, np.int16), [""] * n, np.full(n, np.nan, np.float32), None)
