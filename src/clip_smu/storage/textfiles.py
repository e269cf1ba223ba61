"""The one reader of text files that people write: lists, csv, cards, plans, pairs, landmarks.

Taken as they come from editors and spreadsheets: UTF-8 with or without a byte order mark, UTF-16 with one. What cannot
be told for sure (Latin-1, UTF-16 without its mark) is refused in one line, never guessed.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip_smu.errors import ClipSmuError, InputError

MOST_BYTES = 1 << 30  # of a text that is read whole
_LONGEST_HEADER = 1 << 20  # characters
LONGEST_LINE = 1 << 16  # characters; no path is longer
_BLOCK = 1 << 20  # bytes that are decoded at once where a text is not read whole

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def require_file(path: Path, what: str, error: type[ClipSmuError] = InputError) -> None:
    """Refuses what is no regular file before it is opened: a pipe or a device might never end.

    Args:
        what: the name of such files in messages, with its article ("a list of photos").

    Raises:
        error: nothing is there, or a folder, pipe, device or socket, or it may not be read.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error(f"expected {what} at {path}, found none ({reason}): check the path") from None
    if stat.S_ISREG(mode):
        if not os.access(path, os.R_OK):
            raise error(f"expected {what} at {path}, found one that may not be read: check its permissions")
        return
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
    raise error(f"expected {what} at {path}, found {kind}: give a regular file")


def encoding_of(path: Path, what: str, error: type[ClipSmuError] = InputError) -> str:
    """The encoding that a file's first bytes tell: ``utf-8``, ``utf-8-sig`` or ``utf-16``.

    Raises:
        error: as :func:`require_file`.
    """
    require_file(path, what, error)
    with path.open("rb") as file:
        first = file.read(4)
    return next((name for mark, name in _MARKS if first.startswith(mark)), "utf-8")


def read_text(path: str | Path, what: str, error: type[ClipSmuError] = InputError) -> str:
    """The text of a file, without its byte order mark.

    Args:
        what: the name of such files in messages, with its article ("a list of photos").
        error: what is raised.

    Raises:
        error: no regular file, over 1 GiB, or neither UTF-8 nor UTF-16 with a byte order mark.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "list.txt"
        >>> _ = file.write_bytes("Å/1.jpg".encode("utf-16"))
        >>> read_text(file, "a list of photos")
        'Å/1.jpg'
    """
    path = Path(path)
    encoding = encoding_of(path, what, error)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise error(f"expected {what} at {path}, found {size >> 20} MiB: that is no such text")
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeDecodeError as problem:
        raise not_text(path, what, problem, error) from None
    if "\0" in text:
        raise error(
            f"expected {what} at {path}, found bytes of zero: save it as UTF-8 "
            "(UTF-16 needs its byte order mark)"
        )
    return text


def read_lines(path: str | Path, what: str, error: type[ClipSmuError] = InputError) -> list[str]:
    """The lines of a text file that are not blank, each without blanks around it; see :func:`read_text`.

    Only the ends of lines that editors write part lines (not form feeds or Unicode's separators within a name).

    Raises:
        error: as :func:`read_text`, or a line of over 64 Ki characters.
    """
    lines = read_text(path, what, error).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise error(
                f"expected {what} at {path}, found {len(line):,} characters on line {number}: that is no such text"
            )
    return [line.strip() for line in lines if line.strip()]


def not_text(
    path: Path, what: str, problem: UnicodeDecodeError, error: type[ClipSmuError], before: int = 0
) -> ClipSmuError:
    """The one line of a file in an encoding that cannot be told; ``before``, the lines that were decoded."""
    line = before + problem.object[: problem.start].count(b"\n") + 1
    byte = problem.object[problem.start : problem.start + 1].hex() or "none"
    return error(
        f"expected {what} at {path} in UTF-8, found byte 0x{byte} on line {line} that is none: "
        "save it as UTF-8 (from Latin-1: iconv -f latin1 -t utf8), or as UTF-16 with a byte order mark"
    )


def require_encoding(path: Path, what: str, error: type[ClipSmuError] = InputError) -> None:
    """Refuses a file that is not in the encoding that its first bytes tell; read block by block, however large.

    Raises:
        error: as :func:`read_text`, save that the size is not looked at.
    """
    decoder = codecs.getincrementaldecoder(encoding_of(path, what, error))()
    before = 0  # lines in the blocks that are done
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            try:
                before += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as problem:
                raise not_text(path, what, problem, error, before) from None
            if not block:
                return


def separator_of(header: str) -> str:
    """The separator of a csv by its header line: a comma, a semicolon (Excel in much of Europe) or a tab."""
    return max(",;\t", key=header.count)


@dataclass(frozen=True, slots=True)
class CsvHeader:
    """How a csv begins.

    Attributes:
        names: of the columns, without blanks around them; none in an empty file.
        lines: that they take.
        separator: see :func:`separator_of`.
        encoding: see :func:`encoding_of`.
    """

    names: tuple[str, ...]
    lines: int
    separator: str
    encoding: str

    def options(
        self, columns: Sequence[str], types: Mapping[str, Any], block_size: int | None = None
    ) -> dict[str, Any]:
        """What ``pyarrow.csv`` needs to read these columns as these types."""
        from pyarrow import csv as arrow_csv

        return {
            "read_options": arrow_csv.ReadOptions(
                column_names=list(self.names),
                skip_rows=self.lines,
                encoding="utf8" if self.encoding.startswith("utf-8") else self.encoding,
                block_size=block_size,
            ),
            "parse_options": arrow_csv.ParseOptions(delimiter=self.separator),
            "convert_options": arrow_csv.ConvertOptions(
                include_columns=list(columns), column_types={name: types[name] for name in columns}
            ),
        }


def read_header(path: Path, what: str, error: type[ClipSmuError] = InputError) -> CsvHeader:
    """The header of a csv, told from its first line that is not blank.

    Raises:
        error: as :func:`encoding_of`, or the file begins with what is no text.
    """
    encoding = encoding_of(path, what, error)
    try:
        with path.open(encoding=encoding, newline="") as file:
            start = file.read(_LONGEST_HEADER)
        separator = separator_of(next((line for line in start.splitlines() if line.strip()), ""))
        reader = csv.reader(io.StringIO(start, newline=""), delimiter=separator, skipinitialspace=True)
        names = next((row for row in reader if row), [])
    except UnicodeError:
        require_encoding(path, what, error)
        raise
    except csv.Error as problem:
        raise error(
            f"expected {what} at {path}, found no csv ({problem}): save it as a csv in UTF-8"
        ) from None
    return CsvHeader(tuple(name.strip() for name in names), reader.line_num, separator, encoding)
