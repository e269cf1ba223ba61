"""Changes that keep a file's form: what byte flips alone would not reach behind a checksum, a header or a parser."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuzz.doors import kind_of

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 0.5, 1e308, -0.0, float("nan"), float("inf"), "", " ",
    "nan", "\0", "\ud800", "﻿", "a" * 300, "../x", "/etc/passwd", "-128", "=1+1", "\x1b[2J", [], {}, [[]], [None],
    {"": None}, [1, "a"], [0] * 47,
]  # fmt: skip
ODD_TOML = [
    "", "1", "-1", "1e999", "nan", "inf", "true", '""', "[]", "{}", "[[]]", '["a", 1]', "1979-05-27", "{a = 1}",
    '"../x"', "[" * 200, "0x7fffffffffffffffffff", '"""', "[1.0, 2.0, 3.0]", '"RGB"',
]  # fmt: skip
ODD_CELLS = [
    "", "2", "-128", "127", "128", "999999999999999999999", "nan", "1.0", "+1", "True", '"', '"a\nb"', "a,b", "\0",
    "é", "﻿1", "-0", "1e3", " 1 ", "'", "[1.0, 2.0]", "\x1b]0;x\x07",
]  # fmt: skip
ODD_HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999999,), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (2, -4), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (2, 4), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<c8', 'fortran_order': False, 'shape': (1, 4), }",
    "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1, 4), }",
    "{'descr': '<f8', 'fortran_order': 1, 'shape': (2, 2, 2), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }",
    "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 0), }",
]
NAMES = [
    "template",
    "embedding",
    "vector",
    "image",
    "face",
    "identity",
    "norm",
    "Filename",
    "Identity",
    "Male",
    "x",
]


def mutated(door: str, data: bytes, seed: int) -> bytes:
    """The same input with one or a few changes in its own form."""
    rng = Random(seed)
    name, rest = kind_of(door, data)
    first = data[:1]
    for suffix, change in _CHANGES:
        if name.endswith(suffix):
            try:
                return first + change(rest, rng)
            except Exception:  # no longer of its form: bytes are changed instead
                break
    return first + _bytes(rest, rng)


def _bytes(data: bytes, rng: Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(out) + 1)
        what = rng.randrange(5)
        if what == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif what == 1 and out:
            del out[at : at + rng.choice((1, 2, 8, 64))]
        elif what == 2:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 2, 4))))
        elif what == 3 and out:
            start = rng.randrange(len(out))
            out[at:at] = out[start : start + rng.choice((1, 8, 64))]
        elif out:
            out[at : at + 4] = rng.choice(
                (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80")
            )
    return bytes(out)


def _json(data: bytes, rng: Random) -> bytes:
    value = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        value = _inside(value, rng)
    return json.dumps(value).encode()


def _inside(value: Any, rng: Random) -> Any:
    """The value with something changed at a random depth."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        what = rng.random()
        if what < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.15:
            return {(k + "x" if k == key else k): v for k, v in value.items()}
        return {**value, key: _inside(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        what = rng.random()
        if what < 0.1:
            return value[:at] + value[at + 1 :]
        if what < 0.2:
            return [*value[:at], value[at], *value[at:]]
        return [*value[:at], _inside(value[at], rng), *value[at + 1 :]]
    return rng.choice(ODD)


def _toml(data: bytes, rng: Random) -> bytes:
    lines = data.decode().split("\n")
    at = rng.randrange(len(lines))
    what = rng.random()
    if what < 0.15:
        del lines[at]
    elif what < 0.3:
        lines.insert(at, rng.choice(lines))
    else:
        key = lines[at].partition("=")[0]
        lines[at] = (
            f"{key}= {rng.choice(ODD_TOML)}"
            if "=" in lines[at]
            else rng.choice(("[data]", "[[encoders]]", "x"))
        )
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _cells(data: bytes, rng: Random) -> bytes:
    if data[:4] == b"PAR1":
        return _parquet(data, rng)
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    mark = rng.choice((",", ",", ";", "\t"))
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        cells = lines[at].split(",")
        cells[rng.randrange(len(cells))] = rng.choice(ODD_CELLS)
        lines[at] = (mark if rng.random() < 0.1 else ",").join(cells)
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    text = "\n".join(lines)
    code = rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig", "latin-1"))
    return text.encode(code, "surrogateescape" if code.startswith("utf-8") else "replace")


def _npy(data: bytes, rng: Random) -> bytes:
    if rng.random() < 0.5:
        return _bytes(data, rng)
    head = rng.choice(ODD_HEADERS)
    if rng.random() < 0.5:
        shown = re.search(rb"\{.*?\}", data, re.S)
        if shown is None:  # a mutation before has eaten the header
            return _bytes(data, rng)
        pieces = re.split(r"([0-9]+|True|False|'[^']*')", shown.group().decode())
        pieces[rng.randrange(len(pieces))] = rng.choice(
            ("0", "-1", "9" * 18, "True", "'<f2'", "'O'", "(", ")", ",", "")
        )
        head = "".join(pieces)
    body = data[10 + struct.unpack("<H", data[8:10])[0] :]
    text = head.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def _npz(data: bytes, rng: Random) -> bytes:
    if rng.random() < 0.5:
        return _bytes(data, rng)
    made = io.BytesIO()
    arrays = {
        rng.choice(("template", "embeddings", "image", "names", "a")): rng.choice(
            (
                np.ones((2, 4), "f4"),
                np.ones((2, 4), "f2"),
                np.array(["a", "b"]),
                np.ones(3),
                np.zeros((0, 4)),
                np.int8([[1]]),
            )
        )
        for _ in range(rng.choice((0, 1, 2, 3)))
    }
    np.savez(made, **arrays)
    return made.getvalue()


def _parquet(data: bytes, rng: Random) -> bytes:
    """A table of odd columns, or the bytes of a file changed."""
    if rng.random() < 0.6:
        return _bytes(data, rng)
    rows = rng.choice((0, 1, 2, 3))
    names, columns = [], []
    if rng.random() < 0.5:
        kept = pq.read_table(io.BytesIO(data))
        rows = kept.num_rows
        names, columns = list(kept.column_names), [column.combine_chunks() for column in kept.columns]
        drop = rng.randrange(len(names))
        del names[drop], columns[drop]
    for _ in range(rng.choice((1, 2, 3))):
        names.append(rng.choice(NAMES))
        columns.append(_column(rows, rng))
    made = io.BytesIO()
    meta = rng.choice(
        (None, None, {b"clip_smu.encoder": b"{}"}, {b"clip_smu.format": b"9", b"clip_smu.encoder": b"x"})
    )
    fields = [pa.field(name, column.type) for name, column in zip(names, columns, strict=True)]
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=meta)), made)
    return made.getvalue()


def _column(rows: int, rng: Random) -> pa.Array:
    makers: list[Callable[[], pa.Array]] = [
        lambda: pa.array([[1.0] * rng.choice((0, 1, 4)) for _ in range(rows)], pa.list_(pa.float32())),
        lambda: pa.array([[1.0] * 4 for _ in range(rows)], pa.list_(pa.float32(), 4)),
        lambda: pa.array(
            [rng.choice((None, [1.0, None], [float("nan")] * 2)) for _ in range(rows)], pa.list_(pa.float64())
        ),
        lambda: pa.array([[[1.0, 2.0]]] * rows, pa.list_(pa.list_(pa.float32()))),
        lambda: pa.array([{"a": 1}] * rows, pa.struct([("a", pa.int64())])),
        lambda: pa.array([[("k", 1.0)]] * rows, pa.map_(pa.string(), pa.float32())),
        lambda: pa.array([b"\0\0\x80?" * 4] * rows, pa.binary()),
        lambda: pa.array([b"\xff\xfe"] * rows, pa.binary(2)),
        lambda: pa.array([rng.choice(("", "a/b.jpg", None, "[1, 2]"))] * rows, pa.string()),
        lambda: pa.array([rng.choice((0, 1, None, 300, 2**40))] * rows, pa.int64()),
        lambda: pa.array([True] * rows, pa.bool_()),
        lambda: pa.nulls(rows),
        lambda: pa.array([[1, 2, 3, 4]] * rows, pa.list_(pa.int8())),
        lambda: pa.array([["a"]] * rows, pa.list_(pa.string())),
        lambda: pa.array([0] * rows, pa.timestamp("ns")),
        lambda: pa.array(["a"] * rows).dictionary_encode(),
        lambda: pa.array([[1.0, 2.0]] * rows, pa.large_list(pa.float16() if rng.random() < 0.3 else pa.float64())),
    ]  # fmt: skip
    return rng.choice(makers)()


def _manifest(data: bytes, rng: Random) -> bytes:
    """The JSON or the tensors of an interpreter or a probe."""
    size = struct.unpack("<I", data[:4])[0]
    text, tensors = data[4 : 4 + size], data[4 + size :]
    if rng.random() < 0.7:
        text = _json(text, rng)
    elif rng.random() < 0.5:
        tensors = _bytes(tensors, rng)
    else:
        (length,) = struct.unpack("<Q", tensors[:8])
        head = _json(tensors[8 : 8 + length], rng)
        tensors = struct.pack("<Q", len(head)) + head + tensors[8 + length :]
    return struct.pack("<I", len(text)) + text + tensors


_CHANGES: list[tuple[str, Callable[[bytes, Random], bytes]]] = [
    ("interpreter.json", _manifest),
    ("probe.json", _manifest),
    (".json", _json),
    (".jsonl", lambda data, rng: b"\n".join(_json(line, rng) for line in data.splitlines() if line)),
    (".toml", _toml),
    (".npy", _npy),
    (".npz", _npz),
    (".parquet", _parquet),
    ("labels", _cells),
    (".csv", _cells),
    (".txt", _cells),
]
