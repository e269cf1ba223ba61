"""Labels in the MAAD form, read: csv or Parquet of photos with 47 attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Int8s
from clip_smu.errors import LabelError
from clip_smu.labels.labels import Labels
from clip_smu.photos.spelling import distinct, folder_of
from clip_smu.storage.textfiles import read_header, require_encoding, require_file
from clip_smu.words.attributes import NAMES

BATCH_ROWS = 65_536
_BLOCK = 8 << 20  # bytes of csv that are parsed at once
_WHAT = "labels in the MAAD form"


def read_labels(path: str | Path) -> Labels:
    """Reads a csv or Parquet with the columns Filename, Identity and MAAD-Face's 47, in any order.

    Other columns are ignored. Without a column Identity, a photo's folder is its person. A row that repeats
    another word for word is left out and counted.

    Raises:
        LabelError: no such file, a missing column, a value other than 1, 0, -1, or a photo twice with
            different labels.

    Example:
        >>> import pathlib, tempfile
        >>> from clip_smu.labels.writing import write_labels
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "labels.parquet"
        >>> write_labels(Labels(["n000002/0001_01.jpg"], ["n000002"], np.ones((1, 47), np.int8)), file)
        >>> read_labels(file).identities
        ['n000002']
    """
    path = Path(path)
    parts = list(iter_labels(path))
    images = [image for part in parts for image in part.images]
    identities = [identity for part in parts for identity in part.identities]
    values = np.concatenate([part.values for part in parts])
    return _once(Labels(images, identities, values), path)


def iter_labels(path: str | Path) -> Iterator[Labels]:
    """The same as :func:`read_labels` in batches, with flat memory; photos that come twice are not looked for.

    Raises:
        LabelError: as :func:`read_labels`.
    """
    import pyarrow as pa

    path = Path(path)
    require_file(path, _WHAT, LabelError)
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    row = 1 if parquet else 2  # as editors count: a csv's first line is the header
    empty = True
    try:
        for batch in _parquet_batches(path) if parquet else _csv_batches(path):
            if batch.num_rows:
                yield _from_batch(batch, path, row)
                row += batch.num_rows
                empty = False
    except (pa.ArrowException, OSError, UnicodeError) as problem:
        kind = "a whole Parquet file" if parquet else "a csv in the MAAD form"
        said = (str(problem) or type(problem).__name__).splitlines()[0]
        raise LabelError(f"{path} is not {kind} ({said}): write it anew, or fetch it again") from None
    if empty:
        raise LabelError(f"{path} has the MAAD form but no row: expected one row a photo")


def _csv_batches(path: Path) -> Iterator[Any]:
    """Record batches with the columns wanted: labels as int8, or as text where one is no small number."""
    import pyarrow as pa
    from pyarrow import csv

    header = read_header(path, _WHAT, LabelError)
    columns = _wanted(header.names, path)
    numbers, texts = (
        dict.fromkeys(("Filename", "Identity"), pa.string()) | dict.fromkeys(NAMES, kind)
        for kind in (pa.int8(), pa.string())
    )
    rows = 0
    try:
        for batch in csv.open_csv(path, **header.options(columns, numbers, _BLOCK)):
            if any(batch.column(name).null_count for name in NAMES):
                raise pa.ArrowInvalid("an empty cell")
            yield batch
            rows += batch.num_rows
        return
    except pa.ArrowInvalid:
        require_encoding(path, _WHAT, LabelError)
    # read again as text, to take other ways to write 1, 0 and -1, or to say what stands where
    for batch in csv.open_csv(path, **header.options(columns, texts, _BLOCK)):
        skip = min(rows, batch.num_rows)
        rows -= skip
        yield batch.slice(skip)


def _parquet_batches(path: Path) -> Iterator[Any]:
    from pyarrow import parquet

    with parquet.ParquetFile(path, memory_map=True) as file:
        columns = _wanted(file.schema_arrow.names, path)
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            yield batch.select(columns)


def _wanted(found: Sequence[str], path: Path) -> list[str]:
    """The columns to read, of those that the file has."""
    missing = [name for name in ("Filename", *NAMES) if name not in found]
    if missing and not found:
        raise LabelError(f"{path} is empty: expected labels in the MAAD form")
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise LabelError(
            f"{path} lacks the column {shown}: expected Filename, Identity and MAAD-Face's 47 attributes, in a csv "
            "parted by commas, semicolons or tabs"
        )
    columns = [name for name in ("Filename", "Identity", *NAMES) if name in found]
    twice = [name for name in columns if found.count(name) > 1]
    if twice:
        raise LabelError(f"{path} has the column {twice[0]} twice: keep one of them")
    return columns


def _from_batch(batch: Any, path: Path, first_row: int) -> Labels:
    import pyarrow as pa

    columns = np.empty((len(NAMES), batch.num_rows), dtype=np.int8)
    for column, name in enumerate(NAMES):
        array = batch.column(name)
        if array.type == pa.int8() and not array.null_count:
            columns[column] = array.to_numpy()
        else:
            columns[column] = _small_numbers(array, path, first_row, name)
    wrong = np.flatnonzero(((columns < -1) | (columns > 1)).any(axis=1))
    if len(wrong):
        name = NAMES[wrong[0]]
        _small_numbers(batch.column(name), path, first_row, name)  # raises
    images: list[str] = _text(batch, "Filename", path).to_pylist()
    if "" in images:
        row = images.index("")
        raise LabelError(f"{path}, row {first_row + row}, column Filename: expected a photo's name, found ''")
    if "Identity" in batch.schema.names:
        identities = _shared(_text(batch, "Identity", path))
    else:
        identities = [folder_of(image) for image in images]
    return Labels(images, identities, np.ascontiguousarray(columns.T))


def _small_numbers(array: Any, path: Path, first_row: int, name: str) -> Int8s:
    """1, 0 and -1 of a column of any type; 1.0 is 1.

    Raises:
        LabelError: another value.
    """
    import pyarrow as pa
    from pyarrow import compute

    try:
        text = array.cast(pa.string())
    except pa.ArrowException:
        raise LabelError(f"{path}, column {name}: expected 1, 0 or -1, found {array.type}") from None
    plain = compute.replace_substring_regex(text, _NUMBER, r"\1\2")
    index = compute.index_in(plain, pa.array(["-1", "0", "1", "-0"]))
    if index.null_count:
        row = int(np.flatnonzero(index.is_null().to_numpy(zero_copy_only=False))[0])
        found = text[row].as_py()
        raise LabelError(
            f"{path}, row {first_row + row}, column {name}: expected 1, 0 or -1, "
            f"found {'' if found is None else found!r}: write 1 for yes, -1 for no, 0 for unknown"
        )
    numbers: Int8s = index.to_numpy().astype(np.int8) - 1
    numbers[numbers > 1] = 0
    return numbers


_NUMBER = r'^\s*"?\s*(?:\+|(-))?(\d+)(?:[.,]0+)?\s*"?\s*$'  # as spreadsheets write whole numbers


def _text(batch: Any, name: str, path: Path) -> Any:
    """A column of names as text without blanks around it, "" for null.

    Raises:
        LabelError: the column holds something else.
    """
    import pyarrow as pa
    from pyarrow import compute

    column = batch.column(name)
    try:
        return compute.utf8_trim_whitespace(column.cast(pa.string()).fill_null(""))
    except pa.ArrowException:
        raise LabelError(
            f"{path}, column {name}: expected text, found {column.type}: write names as text"
        ) from None


def _shared(column: Any) -> list[str]:
    """The texts of a column, of which equal ones are one object."""
    encoded = column.dictionary_encode()
    known = encoded.dictionary.to_numpy(zero_copy_only=False)
    texts: list[str] = known[encoded.indices.to_numpy()].tolist()
    return texts


def _once(labels: Labels, path: Path) -> Labels:
    """The labels without rows that repeat another.

    Raises:
        LabelError: two rows of one photo differ.
    """
    _, first, place = distinct(labels.images)
    if len(first) == len(labels.images):
        return labels
    before = first[place]  # (N,) the row at which each photo came first
    again = np.flatnonzero(before != np.arange(len(before)))
    differing = [
        labels.images[row]
        for row, other in zip(again.tolist(), before[again].tolist(), strict=True)
        if labels.identities[row] != labels.identities[other]
        or (labels.values[row] != labels.values[other]).any()
    ]
    if differing:
        raise LabelError(
            f"{path} has {len(differing)} photos twice, the first is {differing[0]}: keep one row each"
        )
    images, identities = ([side[row] for row in first] for side in (labels.images, labels.identities))
    return Labels(images, identities, labels.values[first], len(again))
