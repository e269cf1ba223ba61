"""Labels in the MAAD form, written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clip_smu.errors import InputError
from clip_smu.labels.labels import Labels
from clip_smu.storage.files import atomic
from clip_smu.words.attributes import NAMES


def write_labels(labels: Labels, path: str | Path) -> None:
    """Writes labels in the MAAD form; ``path`` ends in ``.csv`` or ``.parquet``.

    Raises:
        InputError: another ending.
        StorageError: the disk is full, or the folder may not be written.
    """
    import pyarrow as pa
    from pyarrow import compute, csv, parquet

    path = Path(path)
    check_ending(path)
    columns = {"Filename": pa.array(labels.images, pa.string())}
    columns["Identity"] = pa.array(labels.identities, pa.string())
    for column, name in enumerate(NAMES):
        columns[name] = pa.array(np.ascontiguousarray(labels.values[:, column]))
    table = pa.table(columns)
    with atomic(path) as temporary:
        if path.suffix.lower() == ".parquet":
            parquet.write_table(table, temporary, compression="zstd", use_dictionary=["Identity"])
        else:
            special = compute.match_substring_regex(table["Filename"], r'[,"\r\n]')
            special = compute.or_(special, compute.match_substring_regex(table["Identity"], r'[,"\r\n]'))
            style = "needed" if compute.any(special).as_py() else "none"
            with temporary.open("wb") as file:
                file.write((",".join(table.column_names) + "\n").encode())
                csv.write_csv(table, file, csv.WriteOptions(include_header=False, quoting_style=style))


def check_ending(path: Path) -> None:
    """Raises InputError where labels cannot be written under this name."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"labels are written as .csv or .parquet, not {path.name!r}: choose one of the two")
