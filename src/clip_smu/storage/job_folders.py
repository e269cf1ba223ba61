"""A job's folder: whose it is, so that the same job goes on there and no other, and held while the job works."""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from clip_smu.errors import InputError, StorageError
from clip_smu.storage.documents import read_json, write_json
from clip_smu.storage.files import storage_errors
from clip_smu.storage.output_paths import require_output

try:
    import fcntl
except ImportError:  # Windows: there a second run is not noticed
    fcntl = None  # type: ignore[assignment]

P = ParamSpec("P")
R = TypeVar("R")

JOB, LOCK = "_job.json", "_lock"  # readers of Parquet folders pass over names that begin with _
_CLEARING = "_clearing"  # in a note: the folder's old files are being removed
_TEMPORARY = re.compile(r"\..*\.\d+\.tmp")  # of storage.atomic
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EBADF}


def holds_files(folder: Path) -> bool:
    """Whether a folder holds anything but a lock and what a killed run was just writing."""
    return folder.is_dir() and any(
        file.name != LOCK and not _TEMPORARY.fullmatch(file.name) for file in folder.iterdir()
    )


def was_cut_off(folder: Path) -> bool:
    """Whether the last run in a folder was killed: its lock is still there, and nobody holds it."""
    file = folder / LOCK
    if fcntl is None or not file.is_file():
        return False
    with file.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


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


def writes_folder(job: Callable[P, R]) -> Callable[P, R]:
    """Decorates a job: its argument ``output`` is checked before any work, and held until the job ends.

    A job that fails before it wrote anything leaves nothing behind.

    Raises:
        InputError: as :func:`require_output`; or another process works in the folder.
        StorageError: it may not be written.
    """

    @functools.wraps(job)
    def held_job(*args: P.args, **kwargs: P.kwargs) -> R:
        given = inspect.signature(job).bind(*args, **kwargs).arguments
        output = Path(given["output"])
        require_output(output, folder=True)
        with _held(output):
            return job(*args, **kwargs)

    return held_job


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    if fcntl is None or os.environ.get("RANK", "0") != "0":  # of several processes of one job, the first
        yield
        return
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder / LOCK)
    except OSError as problem:
        raise StorageError(f"cannot write in {folder} ({problem.strerror}): choose another output") from None
    try:
        yield
    except BaseException:
        if folder in made and _names(folder) <= {LOCK, JOB}:
            (folder / JOB).unlink(missing_ok=True)
        raise
    finally:
        if lock is not None:
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink()
            os.close(lock)
        with contextlib.suppress(OSError):  # those that are still empty, innermost first
            for one in made:
                one.rmdir()


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} if folder.is_dir() else set()


def _lock(file: Path) -> int | None:
    """A descriptor that holds the lock as long as it is open; a killed process lets go. ``None``: no locks here."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == file.stat().st_ino:  # not one that its holder was just removing
                break
        except FileNotFoundError:
            pass
        except BlockingIOError:
            told = _holder(descriptor)
            os.close(descriptor)
            raise InputError(
                f"another run {told}is writing in {file.parent}: wait until it ends, or choose another output"
            ) from None
        except OSError as problem:
            os.close(descriptor)
            if problem.errno in _NO_LOCKS:  # some network disks
                return None
            raise
        os.close(descriptor)
    note = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(note).encode())
    return descriptor


def _holder(descriptor: int) -> str:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        return f"(process {note['pid']} on {note['host']}, since {note['since']}) "
    except (ValueError, KeyError, TypeError):
        return ""
