"""Templates as text: .csv, .tsv, and .jsonl with an object a line. A row that holds none is a problem of its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from clip_smu.arrays import Float32s
from clip_smu.errors import TemplateError
from clip_smu.storage.textfiles import encoding_of, separator_of
from clip_smu.templates.bounds import batch_of, first_bytes, reading
from clip_smu.templates.columns import (
    IDENTITIES,
    NAMES,
    TEMPLATE,
    first_of,
    known_vectors,
    listed,
    numbered_run,
)
from clip_smu.templates.table import Rows, Templates, even

_LINE = 1 << 22  # characters of the longest line: 65,536 numbers take 2 million

_ROW_NUMBERS = ("", "index", "unnamed: 0")  # pandas' index column
_OTHER = frozenset((*NAMES, *IDENTITIES, "face", "norm", *_ROW_NUMBERS))


class _Row(NamedTuple):
    values: Float32s | None
    problem: str
    image: str
    face: int
    identity: str
    norm: float


def read_table(file: Path, batch_rows: int, asked: str | None = None) -> Iterator[Templates]:
    """The templates of a .csv or .tsv file: one row a face, a column for each number, with or without a header.

    With a header, the numbers are the columns of one name and a running number (``0``, ``1`` ... or ``e_0`` ...), or
    else all that are not called as names are.

    Raises:
        TemplateError: no such columns, or no text.
    """
    first_bytes(file)
    with (
        reading(file),
        file.open(encoding=encoding_of(file, "templates", TemplateError), newline="") as stream,
    ):
        lines = _lines(stream, file)
        first = next(lines, "")
        separator = "\t" if file.suffix.lower() == ".tsv" else separator_of(first)
        (cells,) = csv.reader([first.rstrip("\r\n")], delimiter=separator) if first.strip() else ([],)
        if not cells:
            return
        plan = _plan([cell.strip() for cell in cells], asked, file)
        rows = csv.reader(_after(None if plan.header else first, lines), delimiter=separator)
        yield from even(_batched((_parsed(row, plan) for row in rows if row), file, batch_rows), file)


def read_json_lines(file: Path, batch_rows: int, asked: str | None = None) -> Iterator[Templates]:
    """The templates of a .jsonl file: on each line an object with ``template``, ``embedding`` or the like.

    Raises:
        TemplateError: no text, or no line holds a template.
    """
    first_bytes(file)
    with reading(file), file.open(encoding=encoding_of(file, "templates", TemplateError)) as stream:
        rows = (_from_json(line, asked) for line in _lines(stream, file) if line.strip())
        yield from even(_batched(rows, file, batch_rows), file)


def _lines(stream: IO[str], file: Path) -> Iterator[str]:
    while line := stream.readline(_LINE):
        if "\0" in line or len(line) == _LINE:
            found = "bytes of zero" if "\0" in line else f"one of over {_LINE >> 20} million characters"
            raise TemplateError(f"{file}: expected lines of text, found {found}: it is damaged or no text")
        yield line


def _after(first: str | None, rest: Iterator[str]) -> Iterator[str]:
    if first is not None:
        yield first
    yield from rest


def _batched(rows: Iterator[_Row], file: Path, batch_rows: int) -> Iterator[Rows]:
    kept: list[_Row] = []
    start = 0
    most = batch_rows
    for row in rows:
        kept.append(row)
        if row.values is not None:
            most = min(most, batch_of(batch_rows, len(row.values), 4))
        if len(kept) >= most:
            yield _batch(kept, start, file)
            start, kept = start + len(kept), []
    if kept:
        yield _batch(kept, start, file)


def _batch(rows: list[_Row], start: int, file: Path) -> Rows:
    vectors = [row.values for row in rows if row.values is not None]
    return Rows(
        np.concatenate(vectors) if vectors else np.empty(0, np.float32),
        np.array([0 if row.values is None else len(row.values) for row in rows], np.int64),
        {number: " ".join(row.problem.split()) for number, row in enumerate(rows) if row.values is None},
        [row.image or f"{file.name}:{start + number}" for number, row in enumerate(rows)],
        np.array([row.face for row in rows], np.int16),
        [row.identity for row in rows],
        np.array([row.norm for row in rows], np.float32),
    )


def _vector(values: list[float]) -> Float32s:
    with np.errstate(over="ignore", invalid="ignore"):  # too large becomes infinite: a counted row
        return np.array(values, dtype=np.float32)


# ---------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which column of a table holds what."""

    header: bool
    count: int
    numbers: tuple[int, ...]
    image: int | None
    identity: int | None
    face: int | None
    norm: int | None


def _plan(cells: list[str], asked: str | None, file: Path) -> _Plan:
    count = len(cells)
    if not _is_header(cells):
        text = [k for k, cell in enumerate(cells) if cell and _number(cell) is None]
        if text not in ([], [0]):
            raise TemplateError(
                f"{file}: its first line holds numbers and text: give it a header line (image, 0, 1, 2 ...)"
            )
        return _Plan(False, count, tuple(range(len(text), count)), 0 if text else None, None, None, None)
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise TemplateError(f"{file}: two columns are called '{twice[0]}': rename one")
    if found := [name for name in known_vectors(cells) if asked in (None, name)]:
        raise TemplateError(
            f"{file}: the column '{found[0]}' holds a template as text: write one column for each number "
            "(or .jsonl, with an object a line)"
        )
    image = first_of(cells, (*NAMES, *_ROW_NUMBERS))
    at = {name: cells.index(name) for name in cells}
    known = {one: at[name] if (name := first_of(cells, (one,))) else None for one in ("face", "norm")}
    identity = first_of(cells, IDENTITIES)
    return _Plan(
        True,
        count,
        _number_columns(cells, asked, file),
        None if image is None else at[image],
        None if identity is None else at[identity],
        known["face"],
        known["norm"],
    )


def _is_header(cells: list[str]) -> bool:
    """Whether the first line names columns: text beyond the first cell, or 0, 1, 2 ... as pandas writes them."""
    rest = cells[1:] if len(cells) > 1 else cells
    numbers = [_number(cell) for cell in rest]
    count = range(len(cells))
    if [str(k) for k in count] == cells or [str(k) for k in count[:-1]] == cells[1:] != []:
        return True
    text = sum(cell != "" and number is None for cell, number in zip(rest, numbers, strict=True))
    return 2 * text > len(rest)


def _number_columns(cells: list[str], asked: str | None, file: Path) -> tuple[int, ...]:
    run = numbered_run(cells, asked, file)
    if run is None and asked is not None:
        raise TemplateError(f"{file} has no columns '{asked}0', '{asked}1' ... (it has: {listed(cells)})")
    rest = run or tuple(place for place, cell in enumerate(cells) if cell.lower() not in _OTHER)
    if not rest:
        raise TemplateError(f"{file} has no columns of numbers (it has: {listed(cells)})")
    return rest


def _parsed(cells: list[str], plan: _Plan) -> _Row:
    def text(place: int | None) -> str:
        return cells[place].strip() if place is not None and place < len(cells) else ""

    image, identity = text(plan.image), text(plan.identity)
    face, norm = _number(text(plan.face)), _number(text(plan.norm))
    known = (image, int(face) if face is not None and 0 <= face < 32_768 else 0, identity)
    length = float("nan") if norm is None else norm
    if len(cells) != plan.count:
        return _Row(None, f"a row of {len(cells)} cells, not {plan.count}", *known, length)
    try:
        return _Row(_vector([float(cells[place]) for place in plan.numbers]), "", *known, length)
    except ValueError:
        values = [_number(cells[place]) for place in plan.numbers]
    if None in values:
        bad = cells[plan.numbers[values.index(None)]].strip()
        return _Row(
            None, f"'{bad[:40]}' where a number belongs" if bad else "a cell without a number", *known, length
        )
    return _Row(_vector([value for value in values if value is not None]), "", *known, length)


def _number(cell: str) -> float | None:
    """The number in a cell, also with a decimal comma."""
    try:
        return float(cell.replace(",", ".", 1))
    except ValueError:
        return None


# ---------------------------------------------------------------- JSON


def _from_json(line: str, asked: str | None) -> _Row:
    nothing = ("", 0, "", float("nan"))
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _Row(None, f"no JSON ({str(error)[:60]})", *nothing)
    if isinstance(found, list):
        found = {TEMPLATE: found}
    if not isinstance(found, dict):
        return _Row(None, "no JSON object", *nothing)
    names = tuple(found)
    image, identity, keys = _keys(names, asked)
    known = (
        _said(found, image),
        _whole(found.get("face")),
        _said(found, identity),
        _real(found.get("norm")),
    )
    if len(keys) != 1:
        told = f"several of them: {', '.join(keys)}" if keys else f"it has: {', '.join(names[:8])}"
        return _Row(None, f"no template ({told})", *known)
    values, problem = _json_vector(found[keys[0]])
    return _Row(values, problem, *known)


def _json_vector(value: Any) -> tuple[Float32s | None, str]:
    if isinstance(value, list) and value and all(isinstance(one, list) for one in value):
        if len(value) > 1:
            return None, f"a list of {len(value)} lists, not of numbers"
        value = value[0]  # [[...]]: one list in it is the template
    if value is None:
        return None, "missing (null)"
    if not isinstance(value, list):
        return None, f"a {type(value).__name__}, not a list of numbers"
    if not value:
        return None, "empty"
    kinds = set(map(type, value)) - {int, float}
    if kinds - {type(None)}:
        return None, f"a list that holds a {next(iter(kinds)).__name__}, not numbers"
    try:
        return _vector([float("nan") if one is None else float(one) for one in value]), ""
    except OverflowError:
        return None, "infinite or too large"


@lru_cache(1024)
def _keys(names: tuple[str, ...], asked: str | None) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Of an object: the key of its photo's name, of its person, and those that may hold the template."""
    keys = tuple(known_vectors(names)) if asked is None else (asked,) if asked in names else ()
    keys = (TEMPLATE,) if TEMPLATE in keys else keys
    return first_of(names, NAMES), first_of(names, IDENTITIES), keys


def _said(found: dict[str, Any], name: str | None) -> str:
    value = found.get(name) if name is not None else None
    if isinstance(value, dict):
        value = value.get("path")
    return "" if value is None or isinstance(value, list | dict) else str(value)


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 32_768 else 0


def _real(value: Any) -> float:
    return (
        float(value)
        if isinstance(value, float) or (isinstance(value, int) and abs(value) < 1e30)
        else float("nan")
    )
