"""Labels in the MAAD form (csv or Parquet of photos with 47 attributes) and lists of photos; joined with templates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Int8s, Int64s
from clip_smu.errors import InputError, LabelError
from clip_smu.photos.names import distinct, folder_of, match
from clip_smu.storage.files import atomic
from clip_smu.storage.textfiles import read_header, read_lines, require_encoding, require_file
from clip_smu.templates import Templates
from clip_smu.words.attributes import NAMES

BATCH_ROWS = 65_536
_BLOCK = 8 << 20  # bytes of csv that are parsed at once
_WHAT = "labels in the MAAD form"


@dataclass(frozen=True, eq=False)
class Labels:
    """Attribute labels of photos.

    Attributes:
        images: N photo names, unique.
        identities: N persons, "" where unknown.
        values: (N, 47) int8 in the order of :data:`clip_smu.words.attributes.NAMES`; 1 yes, -1 no,
            0 unknown (never no).
        duplicates: rows of the file that said the same of a photo once more, and were left out.
    """

    images: list[str]
    identities: list[str]
    values: Int8s
    duplicates: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class LeftOut:
    """What a join of templates with labels left out.

    Attributes:
        unlabelled: photos with a template and no label (or not on the list).
        without_template: photos with a label (and on the list) but no template.
        not_listed: of ``unlabelled``, photos that have a label but are not on the list.
        without_label: names on the list that have no label; 0 without a list.
        duplicate_templates: main faces left out, as their photo had come before.
        duplicate_labels: rows of labels left out, as their photo had come before.
        ambiguous: photos with a template whose name may be that of several; see :mod:`clip_smu.photos.names`.
        ambiguous_on_list: names on the list, likewise.
        unusable: photos with both whose template is zero, NaN or infinite, where somebody looked.
        notes: what of this wants looking at, in sentences that name the first.
    """

    unlabelled: int = 0
    without_template: int = 0
    not_listed: int = 0
    without_label: int = 0
    duplicate_templates: int = 0
    duplicate_labels: int = 0
    ambiguous: int = 0
    ambiguous_on_list: int = 0
    unusable: int = 0
    notes: tuple[str, ...] = ()

    def for_provenance(self) -> dict[str, int | str]:
        """What a method says of its training photos; from ``not_listed`` on only where there is something to say."""
        seldom: dict[str, int | str] = {
            "not_listed": self.not_listed,
            "ambiguous": self.ambiguous + self.ambiguous_on_list,
            "unusable": self.unusable,
            "notes": "; ".join(self.notes),
        }
        return {
            "without_label": self.unlabelled - self.not_listed,
            "without_template": self.without_template,
            **{what: count for what, count in seldom.items() if count},
        }

    def counts(self) -> dict[str, int]:
        """In words → photos."""
        return {
            "templates without label": self.unlabelled - self.not_listed,
            "templates not on the list": self.not_listed,
            "labels without template": self.without_template,
            "names on the list without label": self.without_label,
            "templates of a photo that came before": self.duplicate_templates,
            "labels of a photo that came before": self.duplicate_labels,
            "templates with an ambiguous name": self.ambiguous,
            "ambiguous names on the list": self.ambiguous_on_list,
            "unusable templates": self.unusable,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinedRows(LeftOut):
    """Rows of templates and of labels that belong together.

    Attributes:
        rows: (N,) of the templates, ascending.
        label_rows: (N,) of the labels.
    """

    rows: Int64s
    label_rows: Int64s


@dataclass(frozen=True, eq=False)
class Labelled(LeftOut):
    """Templates that have labels, row by row, and what was left out.

    Attributes:
        templates: the main face of each photo that both sides know.
        labels: (N, 47) int8, of the same rows.
    """

    templates: Templates
    labels: Int8s

    def report(self) -> dict[str, int]:
        """What the join kept and left out, in words → photos."""
        return {KEPT: len(self.labels), **self.counts()}


KEPT = "photos with template and label"


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
    names = read_lines(path, "a list of photos", LabelError)
    if not names:
        raise LabelError(f"the list {path} is empty: expected one photo name a line")
    return names


def write_list(names: Sequence[str], path: Path) -> None:
    """Writes photo names, one a line, as :func:`read_list` takes them."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in names)


def join(templates: Templates, labels: Labels, only: Sequence[str] | None = None) -> Labelled:
    """Joins templates with labels by photo name; labels speak of a photo's main face.

    Names match by the rule of :mod:`clip_smu.photos.names`, those on the list likewise. Of a photo that comes twice
    the first row is kept. Whether a template can be used is not looked at;
    :func:`clip_smu.labels.joined.labelled` does.

    Args:
        only: names of the photos to keep; all where ``None``.

    Raises:
        LabelError: no photo is on both sides, or on the list.
    """
    found = join_rows(templates.images, templates.faces, labels, only)
    chosen = templates.take(found.rows)
    identities = [labels.identities[row] for row in found.label_rows]
    return Labelled(
        replace(chosen, identities=identities),
        labels.values[found.label_rows],
        **{field.name: getattr(found, field.name) for field in fields(LeftOut)},
    )


def join_rows(
    images: Sequence[str], faces: NDArray[np.int16], labels: Labels, only: Sequence[str] | None = None
) -> JoinedRows:
    """The rows that :func:`join` joins, from the names alone.

    Args:
        images, faces: of the templates, N each.
        only: as for :func:`join`.

    Raises:
        LabelError: as :func:`join`.
    """
    notes = []
    label_rows = distinct(labels.images)[1]
    listed, without_label, ambiguous_on_list = np.ones(len(labels.images), dtype=np.bool_), 0, 0
    if only is not None:
        names = distinct(only)[0].to_pylist()
        found = match(names, labels.images, labels.identities)
        if found.first:
            ambiguous_on_list = found.ambiguous
            notes.append(f"{found.ambiguous} names on the list may be of several photos; {found.first}")
        if (found.at < 0).all():
            raise LabelError(
                f"no photo of the list has a label: the list says {next(iter(only), '?')}, "
                f"the labels {labels.images[0]}{_because(found.first)}"
            )
        listed = np.zeros(len(labels.images), dtype=np.bool_)
        listed[found.at[found.at >= 0]] = True
        without_label = int((found.at < 0).sum()) - ambiguous_on_list

    main = np.flatnonzero(faces == 0)
    photos, first, _ = distinct([images[row] for row in main.tolist()])
    found = match(photos.to_pylist(), labels.images, labels.identities)
    if found.first:
        notes.append(f"{found.ambiguous} templates have a name that may be of several photos; {found.first}")
    good = (found.at >= 0) & listed[np.maximum(found.at, 0)]
    if not good.any():
        raise LabelError(
            f"no photo has both a template and a label: the templates say {images[0] if len(images) else 'nothing'}, "
            f"the labels {labels.images[0]}; extract from the folder that those names start in{_because(found.first)}"
        )
    not_listed = int(((found.at >= 0) & ~good).sum())
    return JoinedRows(
        rows=main[first[good]],
        label_rows=found.at[good],
        unlabelled=int((found.at < 0).sum()) - found.ambiguous + not_listed,
        without_template=int(listed[label_rows].sum()) - int(good.sum()),
        not_listed=not_listed,
        without_label=without_label,
        duplicate_templates=len(main) - len(first),
        duplicate_labels=len(labels.images) - len(label_rows),
        ambiguous=found.ambiguous,
        ambiguous_on_list=ambiguous_on_list,
        notes=tuple(notes),
    )


def _because(first: str) -> str:
    return f" (ambiguous: {first})" if first else ""


# ---------------------------------------------------------------- files


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
