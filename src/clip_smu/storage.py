"""Files that are whole or not there: written under a temporary name, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_smu.errors import InputError, StorageError

JOB = "_job.json"
_UMASK = os.umask(0o022)
os.umask(_UMASK)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's word on a full or read-only disk into one clear line.

    Raises:
        StorageError: the disk is full, or ``path`` may not be written.
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
        raise


@contextlib.contextmanager
def atomic(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Gives a temporary path beside ``path``; on success it takes that name, else it is removed.

    A process killed at any moment leaves either the old file or the whole new one.

    Args:
        private: the file is its owner's alone (templates and readings of persons), as is its folder if made here.

    Raises:
        StorageError: the disk is full, or the folder may not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as indented UTF-8 JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def claim_folder(
    folder: Path, job: dict[str, Any], *, overwrite: bool = False, private: bool = False
) -> None:
    """Makes ``folder`` the place of ``job``, so that the same job resumes there and no other does.

    Args:
        job: everything that decides the result (JSON values); kept as ``_job.json``, which readers of
            Parquet folders pass over.
        overwrite: remove another job's files first.
        private: only its owner may enter the folder, which holds templates or readings of persons.

    Raises:
        InputError: the folder holds another job, or files that no job of ours wrote.
        StorageError: the folder cannot be written.
    """
    note = folder / JOB
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; the output must be a folder: choose another name")
    if note.is_file() and not overwrite:
        try:
            other = json.loads(note.read_text(encoding="utf-8"))
        except ValueError:
            other = {}
        differing = sorted(key for key in {*job, *other} if job.get(key) != other.get(key))
        if differing:
            raise InputError(
                f"{folder} holds another job (it differs in: {', '.join(differing)}): "
                "choose another output folder, or pass --overwrite"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        if not note.is_file():
            raise InputError(
                f"{folder} is not empty and was not made by this command: choose another output folder"
            )
        import shutil

        with storage_errors(folder):
            shutil.rmtree(folder)
    for stale in folder.rglob(".*.tmp"):
        stale.unlink(missing_ok=True)
    write_json(note, job)
    if private:
        with storage_errors(folder):
            folder.chmod(0o700)
