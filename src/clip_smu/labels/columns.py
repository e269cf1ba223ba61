"""A further column of a labels file, as text: what parts photos into groups that the 47 attributes do not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_smu.errors import LabelError
from clip_smu.storage.textfiles import read_header, require_file

_WHAT = "labels with a further column"


def read_column(path: str | Path, column: str) -> dict[str, str]:
    """Photo name → what the column says, without blanks around it; "" where the cell is empty.

    Args:
        path: a csv or Parquet with the column Filename.
        column: its header, exact.

    Raises:
        LabelError: no such file, not such a file, no such column, or two rows of one photo that differ.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "labels.csv"
        >>> _ = file.write_text("Filename,age band\\na/1.jpg, 18-39\\nb/2.jpg,\\n")
        >>> read_column(file, "age band")
        {'a/1.jpg': '18-39', 'b/2.jpg': ''}
    """
    import pyarrow as pa
    from pyarrow import compute

    path = Path(path)
    require_file(path, _WHAT, LabelError)
    try:
        table = _read(path, ["Filename", column])
        images, values = (
            compute.utf8_trim_whitespace(table[name].cast(pa.string()).fill_null("")).to_pylist()
            for name in ("Filename", column)
        )
    except (pa.ArrowException, OSError, UnicodeError) as problem:
        said = (str(problem) or type(problem).__name__).splitlines()[0]
        raise LabelError(f"the column {column} of {path} cannot be read ({said}): write it as text") from None
    found: dict[str, str] = {}
    for image, value in zip(images, values, strict=True):
        if found.setdefault(image, value) != value:
            raise LabelError(
                f"{path} says of {image} once {found[image]!r} and once {value!r} in the column {column}: keep one row"
            )
    return found


def _read(path: Path, columns: list[str]) -> Any:
    """An Arrow table of these columns."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    header = None if is_parquet else read_header(path, _WHAT, LabelError)
    names = list(parquet.read_schema(path).names if header is None else header.names)
    for name in columns:
        if names.count(name) != 1:
            raise LabelError(
                f"expected the column {name} once in {path}, found it {names.count(name)} times: "
                f"its columns begin with {', '.join(names[:5])}"
            )
    if header is None:
        return parquet.read_table(path, columns=columns)
    return csv.read_csv(path, **header.options(columns, dict.fromkeys(columns, pa.string())))
