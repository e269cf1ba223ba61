"""Where results go: refused before any work if nothing can be written there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from clip_smu.errors import InputError, StorageError

_SYSTEM = ("/proc", "/sys", "/dev")  # what looks like files there is none
_MEMORY = "/dev/shm"  # but this is a disk in memory
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
