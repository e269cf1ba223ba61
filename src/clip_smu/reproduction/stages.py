"""Stages that are done once: each is known by the hash of everything that decides its result."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clip_smu.errors import InputError
from clip_smu.storage.digests import bytes_digest, file_digest, json_digest
from clip_smu.storage.documents import read_json, write_json

MOST_BYTES = 64 << 20  # of a file that is compared whole
_END = 1 << 20

Progress = Callable[[str, int, int], None]


class Stages:
    """Runs what is not done yet; notes are kept in RUN/stages/."""

    def __init__(self, output: Path, tell: Progress) -> None:
        self.folder, self.tell = output / "stages", tell
        self.notes: dict[str, dict[str, Any]] = {}
        self.done = self.kept = 0

    def run(
        self, name: str, inputs: Mapping[str, Any], place: Path, work: Callable[[], object], result: str = ""
    ) -> str:
        """Does ``work()`` unless the stage's ``place`` is whole, from the same ``inputs``; gives the stage's key.

        Args:
            place: the folder or file that this stage alone writes. Another result in it is removed first; a kill in the
                middle of that, or of the work, is gone on from by the next run.
            result: the file in a folder that is there when the work is done.
        """
        key = json_digest({"stage": name, "version": version("clip-smu"), **inputs})
        file = self.folder / f"{name.replace('/', '-')}.json"
        before = _note(file)
        same = before.get("key") == key
        finished = same and before.get("finished") and (place / result).exists()
        if (
            finished
            and before.get("files") in (None, files_of(place))
            and (
                before.get("contents") in (None, contents_of(place))  # runs of before kept none
            )
        ):
            self.notes[name], self.kept = before, self.kept + 1
            return key
        self.tell(name, 0, 1)
        note = {"key": key, "inputs": jsonable(inputs), "finished": False, "seconds": 0.0}
        if before and (not same or finished or before.get("clearing")):
            write_json(file, note | {"clearing": True})
            _remove(place)
        write_json(file, note)
        started = time.time()
        work()
        note |= {"finished": True, "seconds": round(time.time() - started, 1), "files": files_of(place)}
        note["contents"] = contents_of(place)
        write_json(file, note)
        self.tell(name, 1, 1)
        self.notes[name], self.done = note, self.done + 1
        return key


def files_of(place: Path) -> str:
    """Hash of the names and sizes of a stage's files: what was cut off or removed since is told by it."""
    return json_digest([(str(file.relative_to(place)), file.stat().st_size) for file in _files(place)])


def contents_of(place: Path) -> str:
    """Hash of what a stage's files hold: all bytes of each, or the two ends of one that is larger than 64 MiB."""
    return json_digest([(str(file.relative_to(place)), _content(file)) for file in _files(place)])


def _files(place: Path) -> list[Path]:
    return sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]


def _content(file: Path) -> str:
    size = file.stat().st_size
    if size <= MOST_BYTES:
        return file_digest(file)
    with file.open("rb") as stream:
        first = stream.read(_END)
        stream.seek(max(size - _END, 0))
        return bytes_digest(first, stream.read())


def _note(file: Path) -> dict[str, Any]:
    """What an earlier run noted of a stage; a damaged note tells nothing of the result, so that is removed."""
    if not file.is_file():
        return {}
    try:
        note = read_json(file, "a stage's note")
    except InputError:
        note = None
    return note if isinstance(note, dict) else {"clearing": True}


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def content_hash(path: Path) -> str:
    """Hash of a file's bytes; of a folder's names, sizes and times (its bytes may be terabytes)."""
    if path.is_file():
        return file_digest(path)
    files = [(file.relative_to(path), file.stat()) for file in sorted(path.rglob("*")) if file.is_file()]
    return bytes_digest(*(f"{name}|{stat.st_size}|{stat.st_mtime_ns}\n".encode() for name, stat in files))


def jsonable(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
