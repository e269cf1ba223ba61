"""Standard output: lost output is an error of ours, what its encoding lacks is escaped."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator

from clip_smu.errors import StorageError

_ESCAPE = "clip-smu"  # an error handler of codecs


class _Output(io.TextIOWrapper):
    """Standard output whose failures are errors of ours; what its encoding lacks is written as JSON escapes it."""

    def write(self, text: str, /) -> int:
        with _output_errors():
            return super().write(text)

    def flush(self) -> None:
        with _output_errors():
            super().flush()


@contextlib.contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        nowhere = os.open(
            os.devnull, os.O_WRONLY
        )  # or Python would fail once more when it flushes at its end
        os.dup2(nowhere, 1)
        os.close(nowhere)
        if error.errno == errno.EPIPE:
            raise StorageError(
                "whoever read standard output has gone (as head does): the rest is not shown"
            ) from None
        raise StorageError(f"standard output could not be written: {error.strerror}") from None


@contextlib.contextmanager
def readable_output() -> Iterator[None]:
    """Text that a terminal's encoding cannot hold is escaped, in place of an error in the middle of a job."""
    codecs.register_error(_ESCAPE, _escaped)
    plain = sys.stdout
    if plain is not sys.__stdout__ or not isinstance(plain, io.TextIOWrapper):  # somebody else's already
        yield
        return
    told = _Output(plain.buffer, plain.encoding, _ESCAPE, line_buffering=plain.line_buffering)
    sys.stdout = told
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=_ESCAPE)
    try:
        yield
    finally:
        with contextlib.suppress(StorageError):
            told.flush()
        told.detach()
        sys.stdout = plain


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""``\u00e9`` for what an encoding lacks, in UTF-16's pairs: right in JSON too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4)), error.end


def occupy_closed_descriptors() -> None:
    """Opens /dev/null for each of the three standard descriptors that is closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the process ends
