"""Files that are whole or not there: written under a temporary name, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clip_smu.errors import InputError, StorageError
from clip_smu.storage.documents import checksum_of, read_json
from clip_smu.storage.outputs import JOB, LOCK, holds_files, require_output

_CLEARING = "_clearing"  # in a note: the folder's old files are being removed
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
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
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


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as indented UTF-8 JSON, atomically; JSON knows no NaN and no infinity: they become null."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_sealed(path: Path, values: dict[str, Any]) -> None:
    """Writes JSON as :func:`write_json`, with the ``checksum`` of the rest as its last field."""
    plain = json.loads(json.dumps(finite(values)))  # as it will be read
    write_json(path, {**plain, "checksum": checksum_of(plain)})


def finite(value: Any) -> Any:
    """JSON values with ``None`` in place of NaN and infinite numbers, at any depth.

    Example:
        >>> finite({"auc": float("nan"), "rows": [1.0, float("inf")]})
        {'auc': None, 'rows': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
    require_output(folder, folder=True)
    note = folder / JOB
    other: dict[str, Any] | None = None
    if note.is_file():
        try:
            other = read_json(note, "a job's note")
        except InputError:
            other = {}  # it was cut off, or is no note of ours
        other = other if isinstance(other, dict) else {}
    elif holds_files(folder):
        raise InputError(
            f"{folder} is not empty and was not made by this command: choose another output folder"
        )
    half_cleared = bool(other and other.pop(_CLEARING, False))
    if other is not None and not overwrite:
        differing = sorted(key for key in {*job, *other} if job.get(key) != other.get(key))
        if differing:
            raise InputError(
                f"{folder} holds another job (it differs in: {', '.join(differing)}): "
                "choose another output folder, or pass --overwrite"
            )
    if half_cleared or (overwrite and other is not None):
        write_json(note, {**job, _CLEARING: True})  # killed in the middle, the same command goes on clearing
        _clear(folder)
    for stale in folder.rglob(".*.tmp"):
        stale.unlink(missing_ok=True)
    write_json(note, job)
    if private:
        with storage_errors(folder):
            folder.chmod(0o700)


def _clear(folder: Path) -> None:
    """Removes all but the job's note and the lock of the run that clears."""
    import shutil  # milliseconds that no other command needs

    with storage_errors(folder / JOB):
        for file in folder.iterdir():
            if file.name in (JOB, LOCK):
                continue
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink()
