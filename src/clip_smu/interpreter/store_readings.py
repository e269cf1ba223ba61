"""Templates on disk → readings on disk as Parquet, with flat memory, resumable part by part."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_smu.arrays import Float32s
from clip_smu.errors import TemplateError
from clip_smu.interpreter.drift import Drift
from clip_smu.interpreter.readable import refuse_strangers
from clip_smu.interpreter.reader import TemplateReader, stranger
from clip_smu.storage.files import atomic
from clip_smu.storage.job_folders import claim_folder, writes_folder
from clip_smu.templates import Source, Store, iter_templates, store_of
from clip_smu.words.hiding import Hide, shown_columns

SAMPLE = 4000  # templates
_SOURCE = b"clip_smu.source"  # name and sha256 of the templates that a part was read from


@dataclass(frozen=True, slots=True)
class StoreReading:
    """What :func:`interpret_store` did: rows read (bad ones too), bad rows by reason, and where the store is from."""

    rows: int
    rejected: dict[str, int]
    drift: Drift | None = None


@writes_folder
def interpret_store(
    reader: TemplateReader,
    templates: Source,
    output: str | Path,
    *,
    hide: Hide = (),
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> StoreReading:
    """Reads every template of a store into a folder of Parquet parts, one for each file of the store.

    Columns: ``image``, ``face``; ``scores``, ``probabilities`` (lists of float32) and ``verdicts`` (lists of int8:
    1 encoded, -1 not encoded, 0 cannot tell) in the order of the attributes named in the schema's metadata; and
    ``rejected``, the reason why a template could not be read, whose numbers are then NaN and 0. An attribute of which
    nothing is known where the store was read has no probability (NaN) and no verdict. Rows keep their order.
    Run again, parts are kept whose templates have the same content, and the others are made anew.
    ``hide`` names attributes or groups to leave out.

    Raises:
        TemplateError, EncoderError: the templates do not fit the reader.
        InputError: ``output`` holds another job.
        StorageError: the disk is full; finished parts are kept.
    """
    output, store = Path(output), store_of(templates)
    files, keys = store.files, store.contents()
    if store.count() == 0:
        raise TemplateError(f"{store} holds no template: extract some with clip-smu extract")
    keep = shown_columns(reader.attributes, hide)
    names = [reader.attributes[k] for k in keep]
    for file in files:
        reader.check_templates(*store.peek(file))
    if (first := next(iter_templates(store), None)) is not None:
        refuse_strangers(reader, first.vectors, str(store))
    reader, drift = reader.for_batch(sample_of(store)) if reader.places else (reader, None)
    job = {
        "command": "interpret",
        "interpreter": [reader.name, reader.provenance.get("job")],
        **({"at": reader.at} if reader.places else {}),
        "attributes": names,
        "templates": [file.name for file in files],
        "column": store.column,
    }
    claim_folder(output, job, overwrite=overwrite, private=True)
    rows, rejected = 0, Counter[str]()
    for file, key in zip(files, keys, strict=True):
        part = output / f"{file.stem}.parquet"
        reasons = _finished(part, key)
        if reasons is None:
            with atomic(part, private=True) as temporary:
                schema = _schema(names, reader, key)
                _write_part(reader, store, file, temporary, keep, schema, progress)
            reasons = _finished(part, key)
            assert reasons is not None
        rows += len(reasons)
        rejected.update(reasons.drop_null().to_pylist())
    if not rows:
        raise TemplateError(f"{store} holds no template: extract some with clip-smu extract")
    return StoreReading(rows, dict(sorted(rejected.items())), drift)


def sample_of(store: Store) -> Float32s:
    """(n, d) templates spread evenly over a store, about `SAMPLE`, by which it is asked where it comes from."""
    every = max(1, (store.count() or 0) // SAMPLE)
    parts, seen = [], 0
    for batch in iter_templates(store):
        parts.append(batch.vectors[-seen % every :: every])
        seen += len(batch.vectors)
    return np.concatenate(parts)


def _finished(part: Path, key: list[str]) -> pa.ChunkedArray | None:
    """The column ``rejected`` of a part that is whole and was read from templates of this content, else ``None``."""
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as parquet:
            if (parquet.schema_arrow.metadata or {}).get(_SOURCE) != _source(key):
                return None
            return parquet.read(["rejected"])["rejected"]
    except (OSError, pa.ArrowException):  # not there, or damaged
        return None


def _write_part(
    reader: TemplateReader,
    store: Store,
    source: Path,
    target: Path,
    keep: list[int],
    schema: pa.Schema,
    progress: Callable[[int], None] | None,
) -> None:
    """Reads batch by batch; one batch is written while the next is computed."""
    everything = len(keep) == len(reader.attributes)
    with (
        pq.ParquetWriter(
            target,
            schema,
            compression="none",
            use_dictionary=["image"],
            write_statistics=False,
            write_page_checksum=True,
        ) as writer,
        ThreadPoolExecutor(1) as thread,
    ):
        written: Future[None] | None = None
        for batch in store.part(source):
            reader.check_templates(batch.card, batch.vectors.shape[1])
            scores, probabilities, verdicts = reader.read(batch.vectors)
            probabilities[:, reader.silent] = np.nan
            why = batch.unusable()
            if why:
                bad = list(why)
                scores[bad], probabilities[bad], verdicts[bad] = np.nan, np.nan, 0
            odd = np.flatnonzero(np.isnan(scores[:, 0])).tolist()  # else they are as they should be
            why = {row: why.get(row, stranger(reader.encoder)) for row in odd}
            lists = [
                _lists(array if everything else array[:, keep]) for array in (scores, probabilities, verdicts)
            ]
            names = [pa.array(batch.images, pa.string()), pa.array(batch.faces)]
            table = pa.Table.from_arrays([*names, *lists, _reasons(len(batch), why)], schema=schema)
            if written is not None:
                written.result()
            written = thread.submit(writer.write_table, table)
            if progress:
                progress(len(batch))
        if written is not None:
            written.result()


def _source(key: list[str]) -> bytes:
    return json.dumps(key).encode()


def _schema(names: list[str], reader: TemplateReader, key: list[str]) -> pa.Schema:
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
        metadata={
            b"clip_smu.attributes": json.dumps(names).encode(),
            b"clip_smu.interpreter": reader.name.encode(),
            _SOURCE: _source(key),
        },
    )


def _lists(array: NDArray[np.generic]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1]
    )


def _reasons(rows: int, why: dict[int, str]) -> pa.Array:
    if not why:
        return pa.nulls(rows, pa.string())
    return pa.array([why.get(row) for row in range(rows)], pa.string())
