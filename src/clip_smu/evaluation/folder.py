"""An evaluation: what methods read from labelled photos, beside the labels, and what that comes to, as a folder.

    EVALUATION/
    ├── evaluation.json         what was evaluated on what: methods, files with their sha256, how the photos joined
    ├── table.csv|parquet|json  one row a method, attribute and metric, three times the same
    ├── groups.csv|parquet|json one row a method, group and metric, where faces were parted into groups
    ├── scores.parquet          one row a photo: person, labels, and each method's scores, probabilities, verdicts
    └── _job.json               what the folder was made with

``evaluation.json`` is written last: its presence says that the folder is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Int8s
from clip_smu.encoders.kept_check import KeepsCheck
from clip_smu.errors import InputError
from clip_smu.metrics.persons import persons_apart
from clip_smu.storage.documents import Count, Name, checked, write_json
from clip_smu.storage.escaping import cell
from clip_smu.storage.files import atomic, storage_errors
from clip_smu.storage.saved_folders import read_document, require_files
from clip_smu.words.attributes import NAMES

FORMAT = 1
MANIFEST = "evaluation.json"
SCORES = "scores.parquet"
_ATTRIBUTES_KEY, _ENCODER_KEY = "clip_smu.attributes", "clip_smu.encoder"
_ROWS = 65_536  # photos of a row group

TABLE_SCHEMA = pa.schema(
    [
        ("method", pa.string()),
        ("encoder", pa.string()),
        ("attribute", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n_positive", pa.int64()),
        ("n_negative", pa.int64()),
        ("n_attributes", pa.int64()),
        ("label_accuracy", pa.float64()),
        ("reason", pa.string()),
    ]
)
"""Columns of the table; a figure that cannot be given is null, and ``reason`` says why."""

GROUP_SCHEMA = pa.schema(
    [
        ("method", pa.string()),
        ("encoder", pa.string()),
        ("by", pa.string()),
        ("group", pa.string()),
        ("faces", pa.int64()),
        ("persons", pa.int64()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n_attributes", pa.int64()),
        ("reason", pa.string()),
    ]
)
"""Columns of the table by groups; a figure that cannot be given is null, and ``reason`` says why."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What one method reads from N photos, K attributes each.

    Attributes:
        scores: (N, K) float32, higher means likelier; of no fixed range.
        probabilities: (N, K) float32, calibrated, 0 to 1.
        verdicts: (N, K) int8: 1 encoded, -1 not encoded, 0 cannot tell.
    """

    scores: Float32s
    probabilities: Float32s
    verdicts: Int8s


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Methods evaluated on the labelled templates of one encoder.

    Attributes:
        encoder: name of the encoder whose templates were read.
        attributes: K names.
        images: N photo names, unique, as the labels spell them.
        identities: N persons, "" where unknown.
        norms: (N,) float32, norm of the encoder's output, NaN where unknown.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown (never no).
        methods: name → what it reads.
        manifest: what is in ``evaluation.json``.
        table: the figures, columns of ``TABLE_SCHEMA``.
        groups: the figures by groups, columns of ``GROUP_SCHEMA``; ``None`` where faces were not parted.
    """

    encoder: str
    attributes: tuple[str, ...]
    images: list[str]
    identities: list[str]
    norms: Float32s
    labels: Int8s
    methods: dict[str, Scored]
    manifest: dict[str, Any]
    table: pa.Table
    groups: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.images)

    def persons(self) -> NDArray[np.str_]:
        """(N,) the identities, with each unknown person one of his own."""
        return np.array(persons_apart(self.identities), dtype=np.str_)


def read_evaluation(folder: str | Path) -> Evaluation:
    """Reads what ``clip-smu evaluate`` wrote.

    Raises:
        InputError: no such folder, no evaluation in it, an unfinished one, or a damaged one.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        if (folder / "_job.json").is_file():
            raise InputError(f"the evaluation in {folder} is not finished: run its clip-smu evaluate again")
        require_files(folder, (MANIFEST,), "an evaluation", "clip-smu evaluate")
    try:
        manifest, form = _manifest(folder)
        rows = pq.read_table(folder / SCORES)
        table = pq.read_table(folder / "table.parquet").cast(TABLE_SCHEMA)
        methods = {
            name: Scored(
                _matrix(rows[f"scores:{name}"], np.float32),
                _matrix(rows[f"probabilities:{name}"], np.float32),
                _matrix(rows[f"verdicts:{name}"], np.int8),
            )
            for name in (row.name for row in form.methods)
        }
        attributes = checked(
            json.loads((rows.schema.metadata or {})[_ATTRIBUTES_KEY.encode()]), tuple[str, ...], "attributes"
        )
        made = Evaluation(
            form.encoder,
            attributes,
            rows["image"].cast(pa.string()).to_pylist(),
            rows["identity"].cast(pa.string()).to_pylist(),
            rows["norm"].to_numpy().astype(np.float32),
            _matrix(rows["labels"], np.int8),
            methods,
            manifest,
            table,
            pq.read_table(folder / "groups.parquet").cast(GROUP_SCHEMA) if form.groups else None,
        )
        _refuse_misshapen(made)
    except FileNotFoundError as error:
        raise InputError(
            f"the evaluation in {folder} lacks {Path(error.filename or SCORES).name}: run its clip-smu evaluate again"
        ) from None
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OSError,
        RecursionError,
        pa.ArrowException,
    ) as error:
        raise InputError(
            f"the evaluation in {folder} is damaged ({type(error).__name__}: {str(error).splitlines()[0]}): "
            "run its clip-smu evaluate again"
        ) from None
    return made


class _MethodForm(msgspec.Struct):
    name: Name
    kind: str = ""
    encoder: str = ""
    objective: str | None = None


class _Form(KeepsCheck, kw_only=True):
    """Those parts of evaluation.json that reports and commands use; others may be anything."""

    format: int
    encoder: str
    methods: list[_MethodForm]
    photos: Count = 0
    persons: Count = 0
    training_persons: str = ""
    join: dict[str, Count] = msgspec.field(default_factory=dict)
    unusable: dict[str, Count] = msgspec.field(default_factory=dict)
    train: dict[str, Any] | None = None
    groups: dict[str, Any] | None = None
    command: str = ""


def _manifest(folder: Path) -> tuple[dict[str, Any], _Form]:
    values = read_document(folder / MANIFEST, "an evaluation", FORMAT)
    return values, checked(values, _Form, f"the evaluation in {folder} is damaged")


def _refuse_misshapen(made: Evaluation) -> None:
    """Raises ValueError where the parts of an evaluation do not belong together."""
    shape = (len(made), len(made.attributes))
    unknown = [name for name in made.attributes if name not in NAMES]
    if unknown or len(set(made.attributes)) != len(made.attributes):
        raise ValueError(f"attributes {', '.join(unknown) or 'that are there twice'}")
    tables = [made.labels, *(part for one in made.methods.values() for part in _parts(one))]
    if any(part.shape != shape for part in tables):
        raise ValueError(f"expected {shape[0]} photos and {shape[1]} attributes in all columns")
    if not np.isin(made.labels, (-1, 0, 1)).all():
        raise ValueError("labels other than 1, -1 and 0")


def _parts(one: Scored) -> tuple[NDArray[Any], ...]:
    return one.scores, one.probabilities, one.verdicts


def write_evaluation(evaluation: Evaluation, folder: str | Path) -> None:
    """Writes an evaluation as a folder; the same evaluation gives the same bytes.

    Raises:
        StorageError: the disk is full or not writable.
    """
    folder = Path(folder)
    with storage_errors(folder):
        (folder / MANIFEST).unlink(missing_ok=True)
    schema = _scores_schema(evaluation)
    with (
        atomic(folder / SCORES) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for batch in _batches(evaluation, schema):
            writer.write_batch(batch)
    for suffix in ("csv", "parquet", "json"):
        write_table(evaluation.table, folder / f"table.{suffix}")
        if evaluation.groups is not None:
            write_table(evaluation.groups, folder / f"groups.{suffix}")
    write_json(folder / MANIFEST, {"format": FORMAT, **evaluation.manifest})


def write_table(table: pa.Table, path: Path, more: Mapping[str, Any] | None = None) -> None:
    """Writes a table as ``.csv``, ``.parquet`` or ``.json`` (a list of objects), atomically; null is an empty cell.

    Args:
        more: for JSON, write an object of these values with the rows under ``rows``.

    Raises:
        InputError: another suffix.
    """
    from pyarrow import csv

    require_table_name(path)
    suffix = path.suffix.lower()
    with atomic(path) as temporary:
        if suffix == ".csv":
            csv.write_csv(_for_spreadsheets(table), temporary)
        elif suffix == ".parquet":
            pq.write_table(table, temporary, compression="zstd")
        else:
            rows = table.to_pylist()
            text = json.dumps(
                rows if more is None else {**more, "rows": rows},
                indent=1,
                ensure_ascii=False,
                allow_nan=False,
            )
            temporary.write_text(text + "\n", encoding="utf-8")


def require_table_name(path: Path) -> None:
    """Refuses a file that :func:`write_table` cannot write, before any work.

    Raises:
        InputError: its name ends in none of .csv, .parquet and .json.
    """
    if path.suffix.lower() not in (".csv", ".parquet", ".json"):
        raise InputError(
            f"expected a file named .csv, .parquet or .json, found {path.name}: rename the output"
        )


def _for_spreadsheets(table: pa.Table) -> pa.Table:
    """The table with its texts as :func:`clip_smu.storage.escaping.cell` has them."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = [cell(one) for one in table.column(place).to_pylist()]
            table = table.set_column(place, field, pa.array(texts, pa.string()))
    return table


def table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema = TABLE_SCHEMA) -> pa.Table:
    """Rows as a table; NaN and infinity become null."""
    clean = [
        {
            key: None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in row.items()
        }
        for row in rows
    ]
    return pa.Table.from_pylist(clean, schema=schema)


def _scores_schema(evaluation: Evaluation) -> pa.Schema:
    width = len(evaluation.attributes)
    fields = [("image", pa.string()), ("identity", pa.string()), ("norm", pa.float32())]
    fields.append(("labels", pa.list_(pa.int8(), width)))
    for name in evaluation.methods:
        fields += [(f"{part}:{name}", pa.list_(pa.float32(), width)) for part in ("scores", "probabilities")]
        fields.append((f"verdicts:{name}", pa.list_(pa.int8(), width)))
    metadata = {_ATTRIBUTES_KEY: json.dumps(list(evaluation.attributes)), _ENCODER_KEY: evaluation.encoder}
    return pa.schema(fields, metadata=metadata)


def _batches(evaluation: Evaluation, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(evaluation), _ROWS):
        part = slice(start, start + _ROWS)
        columns = [
            pa.array(evaluation.images[part], pa.string()),
            pa.array(evaluation.identities[part], pa.string()),
            pa.array(evaluation.norms[part], pa.float32()),
            _lists(evaluation.labels[part]),
        ]
        for one in evaluation.methods.values():
            columns += [_lists(array[part]) for array in (one.scores, one.probabilities, one.verdicts)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _lists(array: NDArray[np.generic]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1]
    )


def _matrix(column: pa.ChunkedArray, kind: type[np.generic]) -> Any:
    """(N, K) array of a column of fixed-size lists."""
    width = column.type.list_size
    parts = [chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, width) for chunk in column.chunks]
    if not parts:
        return np.empty((0, width), kind)
    return np.concatenate(parts).astype(kind, copy=False)
