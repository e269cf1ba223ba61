"""Templates on disk → readings on disk: Parquet to Parquet with flat memory, resumable part by part."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_smu.interpreter import Interpreter, usable, why_unusable
from clip_smu.storage import atomic, claim_folder
from clip_smu.templates import BATCH_ROWS, card_of, open_parquet, parquet_files, vectors_of


@dataclass(frozen=True, slots=True)
class StoreReading:
    """What :func:`interpret_store` did: rows read (bad ones too), and bad rows by reason."""

    rows: int
    rejected: dict[str, int]


def interpret_store(
    interpreter: Interpreter,
    templates: str | Path,
    output: str | Path,
    *,
    hide: Sequence[int] = (),
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> StoreReading:
    """Reads every template of a store into a folder of Parquet parts, one for each part of the store.

    Columns: ``image``, ``face``; ``scores``, ``probabilities`` (lists of float32) and ``verdicts`` (lists of int8:
    1 encoded, -1 not encoded, 0 cannot tell) in the order of the attributes named in the schema's metadata; and
    ``rejected``, the reason why a template could not be read, whose numbers are then NaN and 0. Rows keep their order.

    Raises:
        TemplateError, EncoderError: the templates do not fit the interpreter.
        InputError: ``output`` holds another job.
        StorageError: the disk is full; finished parts are kept.
    """
    output = Path(output)
    files = parquet_files(Path(templates))
    keep = [k for k in range(len(interpreter.attributes)) if k not in set(hide)]
    names = [interpreter.attributes[k] for k in keep]
    for file in files:
        with open_parquet(file) as parquet:
            kind = parquet.schema_arrow.field("template").type
            dim = kind.list_size if pa.types.is_fixed_size_list(kind) else None
            interpreter.check_templates(card_of(parquet.schema_arrow), dim)
    job = {
        "command": "interpret",
        "interpreter": [interpreter.name, interpreter.provenance.get("job")],
        "attributes": names,
        "templates": [[file.name, file.stat().st_size] for file in files],
    }
    claim_folder(output, job, overwrite=overwrite)
    schema = _schema(names, interpreter)
    rows, rejected = 0, Counter[str]()
    for file in files:
        part = output / f"{file.stem}.parquet"
        if not part.exists():
            with atomic(part) as temporary:
                _write_part(interpreter, file, temporary, keep, schema, progress)
        column = pq.read_table(part, columns=["rejected"])["rejected"]
        rows += len(column)
        rejected.update(column.drop_null().to_pylist())
    return StoreReading(rows, dict(sorted(rejected.items())))


def _write_part(
    interpreter: Interpreter,
    source: Path,
    target: Path,
    keep: list[int],
    schema: pa.Schema,
    progress: Callable[[int], None] | None,
) -> None:
    """Reads batch by batch; one batch is written while the next is computed."""
    everything = len(keep) == len(interpreter.attributes)
    with (
        open_parquet(source) as parquet,
        pq.ParquetWriter(
            target, schema, compression="none", use_dictionary=["image"], write_statistics=False
        ) as writer,
        ThreadPoolExecutor(1) as thread,
    ):
        columns = [name for name in ("image", "face", "template") if name in parquet.schema_arrow.names]
        written: Future[None] | None = None
        for batch in parquet.iter_batches(BATCH_ROWS, columns=columns):
            vectors = vectors_of(batch.column("template"), source)
            interpreter.check_templates(None, vectors.shape[1])
            good = usable(vectors)
            scores, probabilities, verdicts = interpreter.read(vectors)
            if not good.all():
                scores[~good], probabilities[~good], verdicts[~good] = np.nan, np.nan, 0
            lists = [
                _lists(array if everything else array[:, keep]) for array in (scores, probabilities, verdicts)
            ]
            table = pa.Table.from_arrays(
                [*_names(batch, source), *lists, _reasons(vectors, good)], schema=schema
            )
            if written is not None:
                written.result()
            written = thread.submit(writer.write_table, table)
            if progress:
                progress(batch.num_rows)
        if written is not None:
            written.result()


def _schema(names: list[str], interpreter: Interpreter) -> pa.Schema:
    width = len(names)
    return pa.schema(
        [
            ("image", pa.string()),
            ("face", pa.int16()),
            ("scores", pa.list_(pa.float32(), width)),
            ("probabilities", pa.list_(pa.float32(), width)),
            ("verdicts", pa.list_(pa.int8(), width)),
            ("rejected", pa.string()),
        ],
        metadata={"clip_smu.attributes": json.dumps(names), "clip_smu.interpreter": interpreter.name},
    )


def _names(batch: pa.RecordBatch, source: Path) -> list[pa.Array]:
    names, rows = batch.schema.names, batch.num_rows
    images = (
        batch.column("image")
        if "image" in names
        else pa.array([f"{source.name}:{row}" for row in range(rows)])
    )
    faces = batch.column("face").cast(pa.int16()) if "face" in names else pa.array(np.zeros(rows, np.int16))
    return [images, faces]


def _lists(array: NDArray[np.generic]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1]
    )


def _reasons(vectors: NDArray[np.float32], good: NDArray[np.bool_]) -> pa.Array:
    if good.all():
        return pa.nulls(len(good), pa.string())
    return pa.array(
        [None if fine else why_unusable(row) for row, fine in zip(vectors, good, strict=True)], pa.string()
    )
