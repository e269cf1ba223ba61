"""What a Parquet file's footer says of its columns, read without PyArrow.

PyArrow's own way to it (``metadata.row_group(g).column(c)``) ends the whole process on some damaged footers: their size
statistics raise a C++ exception that nothing catches. Thrift's compact protocol is small enough to be read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INT64, _DOUBLE = 2, 5  # Parquet's physical types of 8 bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """One column in one group of rows.

    Attributes:
        column: its path, with dots.
        rows: of the group; ``values`` in all of them together, nulls and missing lists among them.
        stored: bytes before compression.
        wide: whether a value takes 8 bytes.
    """

    column: str
    rows: int
    values: int
    stored: int
    wide: bool


def chunks_of(file: Path) -> list[Chunk]:
    """Of all columns and groups of rows; raises whatever damage does (read it under ``bounds.reading``)."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(size - 8)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(max(0, size - 8 - length))
        footer = _Thrift(stream.read(length)).struct()
    found = []
    for group in footer.get(4, ()):
        for column in group.get(1, ()):
            meta = column[3]
            path = ".".join(part.decode("utf-8") for part in meta[3])
            found.append(Chunk(path, group[3], meta[5], meta[6], meta[1] in (_INT64, _DOUBLE)))
    return found


class _Thrift:
    """A reader of Thrift's compact protocol: structs as field number → value."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind)
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):  # bools in lists, bytes
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._unsigned())
        if kind in (9, 10):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._unsigned()
            return [self._value(head & 15) for _ in range(count)]
        if kind == 11:
            count = self._unsigned()
            kinds = self._byte() if count else 0
            return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(count)]
        if kind == 12:
            return self.struct()
        raise ValueError(f"no Thrift type {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise ValueError("the footer is cut off")
        return self._data[self._at - count : self._at]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("a number of over 64 bits")
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)
