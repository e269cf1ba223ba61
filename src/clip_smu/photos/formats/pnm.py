"""PBM, PGM and PPM, plain and raw, of any depth (netpbm's formats P1 to P6) → 8-bit pixels.

Pillow reads some of them one number at a time in Python, which takes minutes for a large photo.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Pixels

_BLANKS = rb"(?:[ \t\n\v\f\r]|#[^\r\n]*[\r\n])"
_HEADER = re.compile(rb"P([1-6])%(b)s+(\d{1,9})%(b)s+(\d{1,9})" % {b"b": _BLANKS})
_MAXIMUM = re.compile(rb"%(b)s+(\d{1,5})" % {b"b": _BLANKS})
PLAIN_BYTES = 256 << 20  # largest plain text: 13 bytes of memory a number while it is read
_COMMENT = re.compile(rb"#[^\r\n]*")


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height.

    Raises:
        ValueError: no whole header.
    """
    header = _header(data)
    return int(header[2]), int(header[3])


def read(data: bytes) -> Pixels:
    """(H, W, 3) uint8; a level v of at most m becomes v / m * 255, rounded; in a PBM 1 is black.

    Raises:
        ValueError: a header or number that makes no sense, or too few of them.
    """
    header = _header(data)
    kind, (width, height), most, start = int(header[1]), size_of(data), 1, header.end()
    if kind not in (1, 4):
        maximum = _MAXIMUM.match(data, start)
        if maximum is None or not 0 < int(maximum[1]) < 65536:
            raise ValueError("expected a greatest level of 1 to 65535")
        most, start = int(maximum[1]), maximum.end()
    bands = 3 if kind in (3, 6) else 1
    count = width * height * bands
    if kind <= 3:
        values = _plain(data, start, count, bits=kind == 1)
    elif kind == 4:  # each row begins with a new byte
        packed = _raw(data, start, height * -(-width // 8), np.dtype(np.uint8))
        values = np.unpackbits(packed.reshape(height, -1), axis=1)[:, :width].reshape(-1)
    else:
        values = _raw(data, start, count, np.dtype(">u2") if most > 255 else np.dtype(np.uint8))
    levels = np.rint(np.arange(most + 1) * (255.0 / most)).astype(np.uint8)
    if kind in (1, 4):
        levels = levels[::-1]
    pixels = levels[np.minimum(values, most)].reshape(height, width, bands)
    return pixels if bands == 3 else np.repeat(pixels, 3, axis=2)


def _plain(data: bytes, start: int, count: int, *, bits: bool) -> NDArray[Any]:
    """Numbers written as text; the digits of a PBM need no blanks between them."""
    if len(data) > PLAIN_BYTES:
        raise MemoryError(f"a plain text of {len(data) >> 20} MiB: save it raw (P4 to P6)")
    text = data[start:]
    if b"#" in text:
        text = _COMMENT.sub(b"", text)
    if bits:
        digits = np.frombuffer(text, np.uint8)
        values = digits[(digits == ord("0")) | (digits == ord("1"))][:count] - ord("0")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy only warns of what is no number
            values = np.fromstring(text, np.uint16, sep=" ")[:count]
    return _enough(values, count)


def _raw(data: bytes, start: int, count: int, kind: np.dtype[Any]) -> NDArray[Any]:
    start += 1  # one blank after the header
    found = max(0, len(data) - start) // kind.itemsize
    return _enough(np.frombuffer(data, kind, min(count, found), start) if found else np.empty(0, kind), count)


def _enough(values: NDArray[Any], count: int) -> NDArray[Any]:
    if len(values) < count:
        raise ValueError(f"truncated: expected {count} levels, found {len(values)}")
    return values


def _header(data: bytes) -> re.Match[bytes]:
    header = _HEADER.match(data)
    if header is None or not int(header[2]) or not int(header[3]):
        raise ValueError("truncated or no header: expected a width and a height of at least 1")
    return header
