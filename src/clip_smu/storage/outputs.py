"""Where results go: refused before any work if nothing can be written there, and held while a job works there."""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
import json
import os
import platform
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from clip_smu.errors import InputError, StorageError

try:
    import fcntl
except ImportError:  # Windows: there a second run is not noticed
    fcntl = None  # type: ignore[assignment]

P = ParamSpec("P")
R = TypeVar("R")

JOB, LOCK = "_job.json", "_lock"  # readers of Parquet folders pass over names that begin with _
_SYSTEM = ("/proc", "/sys", "/dev")  # what looks like files there is none
_MEMORY = "/dev/shm"  # but this is a disk in memory
_TEMPORARY = re.compile(r"\..*\.\d+\.tmp")  # of storage.atomic
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EBADF}
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def require_output(path: str | Path, *, folder: bool) -> None:
    """Refuses a place where no file (or no ``folder``) can be written; nothing is written by asking.

    Raises:
        InputError: a device, pipe or socket; a file where a folder is wanted, or a folder where a file is; a place
            below a file or in the system's own /proc, /sys or /dev; a link to nothing or to itself; no possible name.
        StorageError: it may not be written.

    Example:
        >>> require_output("/dev/null", folder=False)
        Traceback (most recent call last):
        ...
        clip_smu.errors.InputError: expected a file to write at /dev/null, found a device: choose another name
    """
    wanted = "a folder" if folder else "a file"
    path = Path(path)

    def refuse(found: str) -> InputError:
        return InputError(f"expected {wanted} to write at {path}, found {found}: choose another name")

    try:
        found = _kind(path)
        if found not in (None, wanted):
            raise refuse(str(found))
        if found is None and path.is_symlink():
            raise refuse("a link to nothing")
        real = os.path.realpath(path)
        place = Path(real)
        while _kind(place) is None:
            place = place.parent
    except NotADirectoryError:
        raise refuse("a place below a file") from None
    except (OSError, ValueError) as problem:
        raise refuse(str(getattr(problem, "strerror", None) or problem).lower()) from None
    if any(_within(real, root) for root in _SYSTEM) and not _within(real, _MEMORY):
        raise refuse("a place of the system")
    if found is None and _kind(place) != "a folder":
        raise refuse("a place below a file")
    writable = place if found is None or folder else place.parent
    if not os.access(writable, os.W_OK | os.X_OK):
        raise StorageError(f"no permission to write in {writable}: choose another output than {path}")


def _kind(path: Path) -> str | None:
    """What is there, links followed; ``None``: nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    return next((name for test, name in _KINDS if test(mode)), "a device")


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


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
