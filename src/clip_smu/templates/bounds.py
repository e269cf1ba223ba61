"""What a file of templates may ask of time and memory, and the one place where readers' errors become ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from clip_smu.errors import ClipSmuError, TemplateError
from clip_smu.storage.textfiles import require_file

BATCH_ROWS = 65_536  # read at once, at most
MOST_NUMBERS = 65_536  # in one template
BATCH_BYTES = 1 << 28  # of templates that are decoded at once
FREE_BYTES = 1 << 28  # decoded, that any file may hold
MOST_EXPANSION = 32  # beyond that: templates are noise to a compressor, and shrink little
ROW_BYTES = 200  # that one row takes beside its template: its name, above all

_LFS = b"version https://git-lfs"


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever PyArrow, NumPy, zipfile, h5py raise on damaged or hostile bytes into one line.

    Raises:
        TemplateError: in place of every error that is not ours.
    """
    try:
        yield
    except ClipSmuError:
        raise
    except UnicodeDecodeError as error:
        raise TemplateError(
            f"{path} holds text that is not UTF-8 ({error.reason}): it is damaged, or save it as UTF-8"
        ) from None
    except MemoryError:
        raise TemplateError(
            f"{path} asks for more memory than there is: it is damaged, or split it"
        ) from None
    except Exception as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise TemplateError(
            f"{path} cannot be read as templates ({said}): it is damaged or of another kind; write it again"
        ) from None


def first_bytes(path: Path, count: int = 16) -> bytes:
    """The first bytes of a file of templates.

    Raises:
        TemplateError: no regular file, or a pointer of Git LFS in place of the file.
    """
    require_file(path, "templates", TemplateError)
    with reading(path), path.open("rb") as file:
        head = file.read(max(count, len(_LFS)))
    if head.startswith(_LFS):
        raise TemplateError(f"{path} is a Git LFS pointer, not the file itself: run git lfs pull")
    return head[:count]


def stored_bytes(path: Path) -> int:
    """Bytes that a file takes on the disk: of a sparse file, fewer than its size."""
    status = path.stat()
    blocks = getattr(status, "st_blocks", None)  # POSIX alone
    return status.st_size if blocks is None else min(status.st_size, 512 * blocks + 4096)


def refuse_bomb(path: Path, rows: int, numbers: int, item_bytes: int, stored: int | None = None) -> None:
    """Refuses a file that would fill time and memory with what no encoder gave.

    Args:
        rows: that it says it holds.
        numbers: in all of its templates together.
        item_bytes: of one number.
        stored: bytes that hold them; default, those of the file on the disk.

    Raises:
        TemplateError: over 256 MiB when decoded, and over 32 times what is stored.
    """
    decoded = rows * ROW_BYTES + numbers * item_bytes
    stored = stored_bytes(path) if stored is None else stored
    if decoded > FREE_BYTES and decoded > MOST_EXPANSION * stored:
        raise TemplateError(
            f"{path} says that it holds {_size(decoded)} of templates in {_size(stored)} on the disk: "
            "no encoder's templates shrink so far; it is damaged, sparse or made to fill memory"
        )


def batch_of(rows: int, dim: int, item_bytes: int) -> int:
    """Rows to decode at once: at most ``rows``, and at most 256 MiB of numbers."""
    return max(1, min(rows, BATCH_BYTES // max(1, dim * max(item_bytes, 4))))


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} TiB"
