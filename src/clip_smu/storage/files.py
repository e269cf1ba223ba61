"""Files that are whole or not there: written under a temporary name, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from clip_smu.errors import StorageError
from clip_smu.storage.digests import bytes_digest
from clip_smu.storage.output_paths import require_output

_UMASK = os.umask(0o022)
os.umask(_UMASK)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_LONGEST_NAME = 200  # bytes; file systems take 255, and a temporary name is longer than its file's


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's word on what cannot be written into one clear line.

    Raises:
        StorageError: the disk is full, ``path`` may not be written, or its folder is gone.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"the disk is full: {path} was not written; what was finished before is kept. "
                "Free some space and run the same command again"
            ) from error
        if error.errno in _REFUSED:
            raise StorageError(f"no permission to write {path}: choose another output folder") from error
        if error.filename is not None and Path(os.fsdecode(error.filename)).parent != path.parent:
            raise  # something else that could not be read
        reason = "its folder is gone" if not path.parent.is_dir() else error.strerror or error
        raise StorageError(f"{path} could not be written ({reason}): run the same command again") from error


@contextlib.contextmanager
def atomic(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Gives a temporary path beside ``path``; on success it takes that name, else it is removed.

    A process killed at any moment leaves either the old file or the whole new one.

    Args:
        private: the file is its owner's alone (templates and readings of persons), as is its folder if made here.

    Raises:
        StorageError: the disk is full, or the folder may not be written.
    """
    name = path.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = bytes_digest(os.fsencode(name))
    temporary = path.with_name(f".{name}.{os.getpid()}.tmp")
    require_output(path, folder=False)
    with storage_errors(path):
        if private and not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o600 if private else 0o666 & ~_UMASK)  # whatever the writer made of it
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
