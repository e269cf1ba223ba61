"""JPEG: files that lack their end mark, and files with more scans than any photo has (ITU-T T.81, annex B)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Pixels

_END = b"\xff\xd9"
_START_OF_SCAN, _END_OF_IMAGE, _RESTART_INTERVAL = 0xDA, 0xD9, 0xDD
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
_COEFFICIENTS = 64
_SCAN_PIXELS = 5_000_000_000  # scans x pixels: each scan passes over the whole photo
_JUNK = b"\x55" * 4096
_FILLINGS = (b"", _JUNK, b"\xaa" * 4096)
_RESTARTS = tuple(
    bytes([0xFF, 0xD0 + number]) + _JUNK for number in range(8)
)  # one of them is the one awaited
_MOST_PIXELS = 150_000_000  # decoded to find out whether any are missing


def check_scans(data: bytes, size: tuple[int, int]) -> None:
    """Raises a ValueError for a file made to take minutes: thousands of scans over a large photo."""
    scans = data.count(b"\xff\xda")
    if scans * size[0] * size[1] > _SCAN_PIXELS:
        raise ValueError(f"{scans} scans over {size[0]} x {size[1]} pixels")


def read_without_end(data: bytes, read: Callable[[bytes], Pixels]) -> Pixels | None:
    """The pixels of a JPEG whose end mark is missing or replaced by zeros; None if pixels are missing too.

    Whatever stands where missing pixels should be is drawn; so they are all there if several fillings before
    the end mark give the same picture.

    Args:
        read: decodes a whole JPEG.
    """
    bare = data.rstrip(b"\0")
    half = bare.endswith(b"\xff")  # half of the end mark, or data, which zero follows
    bodies = [bare[:-1] if half else bare]
    if len(data) - len(bare) == 1 or (half and len(data) > len(bare)):
        bodies.append(bare + b"\0")
    for body in bodies:
        scans = _scans(body)
        fillings = _FILLINGS + (_RESTARTS if scans.restarts else ())
        if not scans.whole or scans.pixels * len(fillings) > _MOST_PIXELS:
            continue
        first = read(body + fillings[0] + _END)
        if all(np.array_equal(first, read(body + filling + _END)) for filling in fillings[1:]):
            return first
    return None


@dataclass(frozen=True, slots=True)
class _Scans:
    whole: bool  # scans give every coefficient of every component to its last bit
    restarts: bool
    pixels: int


def _scans(data: bytes) -> _Scans:
    components = pixels = 0
    restarts = False
    exact: dict[int, set[int]] = {}
    for marker, segment in _segments(data):
        if marker in _FRAMES and len(segment) > 5:
            components = segment[5]
            pixels = int.from_bytes(segment[1:3], "big") * int.from_bytes(segment[3:5], "big")
        elif marker == _RESTART_INTERVAL:
            restarts = True
        elif marker == _START_OF_SCAN and segment and len(segment) >= 4 + 2 * segment[0]:
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            if bits & 15 == 0:  # no lower bits left to a later scan
                for row in range(count):
                    exact.setdefault(segment[1 + 2 * row], set()).update(range(first, last + 1))
    every = len(exact) == components and all(len(done) == _COEFFICIENTS for done in exact.values())
    return _Scans(bool(components) and every, restarts, pixels)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with the bytes of its segment."""
    position = 2
    while (position := data.find(b"\xff", position)) >= 0 and position + 1 < len(data):
        marker = data[position + 1]
        if marker in (0x00, 0xFF) or marker in _ALONE:  # stuffing, filling
            position += 1 if marker == 0xFF else 2
            continue
        if marker == _END_OF_IMAGE:
            return
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        yield marker, data[position + 4 : position + 2 + length]
        position += 2 + max(2, length)
