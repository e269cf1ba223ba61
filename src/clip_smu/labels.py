"""Labels in the MAAD form (csv or Parquet of photos with 47 attributes) and lists of photos; joined with templates."""

from __future__ import annotations

import csv as text_csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.attributes import NAMES
from clip_smu.errors import InputError, LabelError
from clip_smu.storage import atomic
from clip_smu.templates import Templates

BATCH_ROWS = 65_536
_BLOCK = 8 << 20  # bytes of csv that are parsed at once


@dataclass(frozen=True, eq=False)
class Labels:
    """Attribute labels of photos.

    Attributes:
        images: N photo names, unique.
        identities: N persons, "" where unknown.
        values: (N, 47) int8 in the order of :data:`clip_smu.attributes.NAMES`; 1 yes, -1 no,
            0 unknown (never no).
        duplicates: rows of the file that said the same of a photo once more, and were left out.
    """

    images: list[str]
    identities: list[str]
    values: NDArray[np.int8]
    duplicates: int = 0


@dataclass(frozen=True, eq=False)
class Labelled:
    """Templates that have labels, row by row, and what was left out.

    Attributes:
        templates: the main face of each photo that both sides know.
        labels: (N, 47) int8, of the same rows.
        unlabelled: photos with a template and no label (or not on the list).
        without_template: photos with a label (and on the list) but no template.
        not_listed: of ``unlabelled``, photos that have a label but are not on the list.
        without_label: names on the list that have no label; 0 without a list.
        duplicate_templates: main faces left out, as their photo had come before.
        duplicate_labels: rows of labels left out, as their photo had come before.
    """

    templates: Templates
    labels: NDArray[np.int8]
    unlabelled: int
    without_template: int
    not_listed: int = 0
    without_label: int = 0
    duplicate_templates: int = 0
    duplicate_labels: int = 0

    def report(self) -> dict[str, int]:
        """What the join kept and left out, in words → photos."""
        return {
            "photos with template and label": len(self.labels),
            "templates without label": self.unlabelled - self.not_listed,
            "templates not on the list": self.not_listed,
            "labels without template": self.without_template,
            "names on the list without label": self.without_label,
            "templates of a photo that came before": self.duplicate_templates,
            "labels of a photo that came before": self.duplicate_labels,
        }


def read_labels(path: str | Path) -> Labels:
    """Reads a csv or Parquet with the columns Filename, Identity and MAAD-Face's 47, in any order.

    Other columns are ignored. Without a column Identity, a photo's folder is its person. A row that repeats
    another word for word is left out and counted.

    Raises:
        LabelError: no such file, a missing column, a value other than 1, 0, -1, or a photo twice with
            different labels.

    Example:
        >>> import pathlib, tempfile
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
    if len(set(images)) == len(images):
        return Labels(images, identities, values)
    return _once(images, identities, values, path)


def iter_labels(path: str | Path) -> Iterator[Labels]:
    """The same as :func:`read_labels` in batches, with flat memory; photos that come twice are not looked for.

    Raises:
        LabelError: as :func:`read_labels`.
    """
    path = Path(path)
    if not path.is_file():
        raise LabelError(f"no such labels file: {path}")
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    row = 1 if parquet else 2  # as editors count: a csv's first line is the header
    empty = True
    for batch in _parquet_batches(path) if parquet else _csv_batches(path):
        if batch.num_rows:
            yield _from_batch(batch, path, row)
            row += batch.num_rows
            empty = False
    if empty:
        raise LabelError(f"{path} has the MAAD form but no row: expected one row a photo")


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


def read_list(path: str | Path) -> list[str]:
    """Photo names, one a line, as VGGFace2's train_list.txt.

    Raises:
        LabelError: no such file, or nothing in it.
    """
    path = Path(path)
    if not path.is_file():
        raise LabelError(f"no such list: {path}")
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not names:
        raise LabelError(f"the list {path} is empty: expected one photo name a line")
    return names


def write_list(names: Sequence[str], path: Path) -> None:
    """Writes photo names, one a line, as :func:`read_list` takes them."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in names)


def join(templates: Templates, labels: Labels, only: Sequence[str] | None = None) -> Labelled:
    """Joins templates with labels by photo name; labels speak of a photo's main face.

    Names match whole, or, where none does, by their last two parts (``train/n000002/0001_01.jpg`` and
    ``n000002/0001_01.jpg``); so do names on the list. Labels of photos without a folder (CelebA's
    ``000001.jpg``) may also match by the last part alone, if no two templates share it. Of a photo that
    comes twice the first row is kept.

    Args:
        only: names of the photos to keep; all where ``None``.

    Raises:
        LabelError: no photo is on both sides, or on the list.
    """
    known, first = _distinct(labels.images)  # K distinct names and their rows
    duplicate_labels = len(labels.images) - len(first)
    listed, without_label = np.ones(len(known), dtype=bool), 0
    if only is not None:
        found = _match(_distinct(only)[0], known)
        if found is None or (found < 0).all():
            raise LabelError(
                f"no photo of the list has a label: the list says {next(iter(only), '?')}, "
                f"the labels {labels.images[0]}"
            )
        listed = np.zeros(len(known), dtype=bool)
        listed[found[found >= 0]] = True
        without_label = int((found < 0).sum())

    main = np.flatnonzero(templates.faces == 0)
    photos, once = _distinct([templates.images[row] for row in main])
    at = _match(photos, known)
    if at is None or not listed[at[at >= 0]].any():
        raise LabelError(
            f"no photo has both a template and a label: the templates say {templates.images[0]}, "
            f"the labels {labels.images[0]}; extract from the folder that those names start in"
        )
    good = (at >= 0) & listed[at]
    keep = np.zeros(len(at), dtype=bool)
    keep[np.flatnonzero(good)[np.unique(at[good], return_index=True)[1]]] = True  # two names of one photo
    rows, label_rows = main[once[keep]], first[at[keep]]
    chosen = templates.take(rows)
    identities = [labels.identities[row] for row in label_rows]
    chosen = Templates(chosen.vectors, chosen.images, chosen.faces, identities, chosen.norms, chosen.card)
    not_listed = int(((at >= 0) & ~listed[at]).sum())
    return Labelled(
        chosen,
        labels.values[label_rows],
        unlabelled=int((at < 0).sum()) + not_listed,
        without_template=int(listed.sum()) - len(rows),
        not_listed=not_listed,
        without_label=without_label,
        duplicate_templates=len(main) - len(once) + int(good.sum()) - len(rows),
        duplicate_labels=duplicate_labels,
    )


# ---------------------------------------------------------------- files


def _csv_batches(path: Path) -> Iterator[Any]:
    """Record batches with the columns wanted: labels as int8, or as text where one is no small number."""
    import pyarrow as pa

    columns = _wanted(_header(path), path)
    strings = {name: pa.string() for name in ("Filename", "Identity")}
    rows = 0
    try:
        for batch in _open_csv(path, columns, strings | dict.fromkeys(NAMES, pa.int8())):
            if any(batch.column(name).null_count for name in NAMES):
                raise pa.ArrowInvalid("an empty cell")
            yield batch
            rows += batch.num_rows
        return
    except pa.ArrowInvalid:
        pass  # read again as text, to say what stands where
    try:
        for batch in _open_csv(path, columns, strings | dict.fromkeys(NAMES, pa.string())):
            skip = min(rows, batch.num_rows)
            rows -= skip
            yield batch.slice(skip)
    except pa.ArrowInvalid as error:
        raise LabelError(f"{path} is not a csv in the MAAD form ({str(error).splitlines()[0]})") from None


def _open_csv(path: Path, columns: list[str], types: dict[str, Any]) -> Any:
    from pyarrow import csv

    convert = csv.ConvertOptions(
        include_columns=columns, column_types={name: types[name] for name in columns}
    )
    return csv.open_csv(path, read_options=csv.ReadOptions(block_size=_BLOCK), convert_options=convert)


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next((row for row in text_csv.reader(file) if row), [])
    except (UnicodeDecodeError, text_csv.Error):
        raise LabelError(f"{path} is not a csv in the MAAD form: its first line is no text") from None


def _parquet_batches(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, memory_map=True) as file:
            columns = _wanted(file.schema_arrow.names, path)
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                yield batch.select(columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise LabelError(f"{path} is not a whole Parquet file ({str(error).splitlines()[0]})") from None


def _wanted(found: list[str], path: Path) -> list[str]:
    """The columns to read, of those that the file has."""
    missing = [name for name in ("Filename", *NAMES) if name not in found]
    if missing and not found:
        raise LabelError(f"{path} is empty: expected labels in the MAAD form")
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise LabelError(
            f"{path} lacks the column {shown}: expected Filename, Identity and MAAD-Face's 47 attributes"
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
    if columns.min() < -1 or columns.max() > 1:
        name = NAMES[int(np.flatnonzero((np.abs(columns) > 1).any(axis=1))[0])]
        _small_numbers(batch.column(name), path, first_row, name)  # raises
    names = batch.column("Filename").cast(pa.string()).fill_null("")
    images: list[str] = names.to_numpy(zero_copy_only=False).tolist()
    if "" in images:
        row = images.index("")
        raise LabelError(f"{path}, row {first_row + row}, column Filename: expected a photo's name, found ''")
    if "Identity" in batch.schema.names:
        identities = _texts(batch.column("Identity"))
    else:
        identities = [image.rpartition("/")[0].rpartition("/")[2] for image in images]
    return Labels(images, identities, np.ascontiguousarray(columns.T))


def _small_numbers(array: Any, path: Path, first_row: int, name: str) -> NDArray[np.int8]:
    """1, 0 and -1 of a column of any type; 1.0 is 1.

    Raises:
        LabelError: another value.
    """
    import pyarrow as pa
    from pyarrow import compute

    plain = compute.replace_substring_regex(array.cast(pa.string()), r"^\s*(-?\d+)(?:\.0+)?\s*$", r"\1")
    index = compute.index_in(plain, pa.array(["-1", "0", "1"]))
    if index.null_count:
        row = int(np.flatnonzero(index.is_null().to_numpy(zero_copy_only=False))[0])
        found = array[row].as_py()
        raise LabelError(
            f"{path}, row {first_row + row}, column {name}: expected 1, 0 or -1, "
            f"found {'' if found is None else str(found)!r}"
        )
    numbers: NDArray[np.int8] = index.to_numpy().astype(np.int8) - 1
    return numbers


def _texts(column: Any) -> list[str]:
    """The texts of a column, of which equal ones are one object."""
    import pyarrow as pa

    encoded = column.cast(pa.string()).fill_null("").dictionary_encode()
    known = encoded.dictionary.to_numpy(zero_copy_only=False)
    texts: list[str] = known[encoded.indices.to_numpy()].tolist()
    return texts


def _once(images: list[str], identities: list[str], values: NDArray[np.int8], path: Path) -> Labels:
    """The labels without rows that repeat another.

    Raises:
        LabelError: two rows of one photo differ.
    """
    first: dict[str, int] = {}
    kept, differing = [], []
    for row, image in enumerate(images):
        before = first.setdefault(image, row)
        if before == row:
            kept.append(row)
        elif identities[row] != identities[before] or (values[row] != values[before]).any():
            differing.append(image)
    if differing:
        raise LabelError(
            f"{path} has {len(differing)} photos twice, the first is {differing[0]}: keep one row each"
        )
    return Labels(
        [images[row] for row in kept],
        [identities[row] for row in kept],
        values[kept],
        len(images) - len(kept),
    )


# ---------------------------------------------------------------- names


def _distinct(names: Sequence[str]) -> tuple[Any, NDArray[np.int64]]:
    """The distinct names as an Arrow array, in the order they come, and the row at which each comes first."""
    import pyarrow as pa

    encoded = pa.array(names, pa.large_string()).dictionary_encode()
    codes = encoded.indices.to_numpy()
    before = np.maximum.accumulate(codes) if len(codes) else codes
    rows = np.flatnonzero(np.diff(before, prepend=-1) > 0)
    return encoded.dictionary, rows.astype(np.int64)


def _match(names: Any, known: Any) -> NDArray[np.int64] | None:
    """(M,) the place in ``known`` of each name, -1 where there is none; None where no name matches at all."""
    at = _places(names, known)
    if (at >= 0).any():
        return at
    at = _places(_tails(names, 2), _tails(known, 2))
    if (at >= 0).any():
        return at
    if any("/" in name.as_py() for name in known):
        return None
    last = _tails(names, 1)
    if len(_distinct(last)[0]) < len(last):  # one label would speak of several photos
        return None
    at = _places(last, known)
    return at if (at >= 0).any() else None


def _places(names: Any, known: Any) -> NDArray[np.int64]:
    from pyarrow import compute

    found = compute.index_in(names, known).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _tails(names: Any, parts: int) -> Any:
    import pyarrow as pa

    texts = names.to_numpy(zero_copy_only=False).tolist()
    return pa.array(["/".join(name.split("/")[-parts:]) for name in texts], pa.large_string())
