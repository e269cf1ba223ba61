"""What every command shows with: lines, notes, tables, rows of csv."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from clip_smu.storage.escaping import cell, visible


def show(what: Any) -> None:
    """Text or a table in colours; whatever in it would have an effect on the terminal is written out."""
    from rich.console import Console
    from rich.segment import Segment

    class Harmless:
        def __rich_console__(self, console: Any, options: Any) -> Iterator[Segment]:
            for piece in console.render(what, options):
                yield piece if piece.control else Segment(visible(piece.text, "\n"), piece.style)

    Console(highlight=False).print(Harmless())


def write(line: str) -> None:
    """A line, or several, on standard output; in JSON the escapes are JSON's own."""
    sys.stdout.write(visible(line, "\n\t") + "\n")


def csv_rows() -> Callable[[Iterable[Any]], None]:
    """Writes rows of csv to standard output: no cell is run by a spreadsheet, nothing obeyed by a terminal."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    watched = sys.stdout.isatty()

    def add(values: Iterable[Any]) -> None:
        cells = [cell(value) for value in values]
        writer.writerow([visible(one) if watched and isinstance(one, str) else one for one in cells])

    return add


def write_csv(table: Any) -> None:
    """An Arrow table on standard output, as :func:`csv_rows`."""
    add = csv_rows()
    add(table.column_names)
    for row in table.to_pylist():
        add(row.values())


def note(line: str) -> None:
    """One line on standard error; where that is closed or full, nothing more can be said."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"clip-smu: {one_line(line)}\n")
        sys.stderr.flush()


def note_left_out(left_out: Mapping[str, int]) -> None:
    """Says how many files of what was given are no photos, if any."""
    from clip_smu.photos import left_out_line  # with all that photos need

    if line := left_out_line(left_out):
        note(line)


def one_line(text: str) -> str:
    return visible(" ".join(text.split()))
