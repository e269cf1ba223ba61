"""Compressed streams (gzip, bzip2, xz), unpacked piece by piece and with a limit to how much they may grow."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Protocol

COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
"""First bytes of gzip, bzip2 and xz."""

_PIECE = 1 << 16
_XZ_MEMORY = 256 << 20
# Photos hardly shrink, and texts beside them some tenfold; a stream of zeros shrinks a thousandfold and more.
_FREE_BYTES, _GROWTH = 256 << 20, 100


class BombError(Exception):
    """A stream grows more than photos ever do."""


class _Unpacker(Protocol):
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class Unpacked:
    """What a compressed stream holds, as a stream; several streams one after another are one.

    Args:
        packed: gzip, bzip2 or xz.
        head: its first bytes, six at least; they are still in ``packed``.
    """

    def __init__(self, packed: IO[bytes], head: bytes) -> None:
        self._packed, self._kind = packed, _kind(head)
        self._unpacker = self._kind()
        self._read = self._given = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end.

        Raises:
            BombError: far more came out than went in.
            EOFError: the stream is cut off.
            OSError, zlib.error, lzma.LZMAError: it is damaged.
        """
        while True:
            given = self._unpacker.unused_data if self._unpacker.eof else b""
            new = given or (self._more() if self._unpacker.eof or self._unpacker.needs_input else b"")
            if self._unpacker.eof:
                new = new.lstrip(b"\0")  # padding is allowed
                if not new:
                    return b""
                self._unpacker = self._kind()
            hungry = self._unpacker.needs_input and not new
            data = self._unpacker.decompress(new, size)
            if data:
                self._given += len(data)
                if self._given > _FREE_BYTES + _GROWTH * self._read:
                    raise BombError(f"{self._given >> 20} MiB came out of {self._read >> 10} KiB")
                return data
            if hungry and not self._unpacker.eof:
                raise EOFError("the compressed stream is cut off")

    def _more(self) -> bytes:
        data = self._packed.read(_PIECE)
        self._read += len(data)
        return data


class _Gzip:
    """zlib's unpacker in the form of the other two."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max(0, max_length))

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


def _kind(head: bytes) -> Callable[[], _Unpacker]:
    kinds: tuple[Callable[[], _Unpacker], ...] = (_Gzip, bz2.BZ2Decompressor, _xz)
    return next(kind for magic, kind in zip(COMPRESSED, kinds, strict=True) if head.startswith(magic))
