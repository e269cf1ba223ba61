"""Stages that are done once: each is known by the hash of everything that decides its result."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clip_smu.encoders.files import sha256
from clip_smu.storage import write_json

Progress = Callable[[str, int, int], None]


class Stages:
    """Runs what is not done yet; notes are kept in RUN/stages/."""

    def __init__(self, output: Path, tell: Progress) -> None:
        self.folder, self.tell = output / "stages", tell
        self.notes: dict[str, dict[str, Any]] = {}
        self.done = self.kept = 0

    def run(self, name: str, inputs: Mapping[str, Any], result: Path, work: Callable[[bool], None]) -> str:
        """Does ``work(overwrite)`` unless ``result`` is there from the same ``inputs``; gives the stage's key."""
        key = digest({"stage": name, "version": version("clip-smu"), **inputs})
        file = self.folder / f"{name.replace('/', '-')}.json"
        before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        if before.get("key") == key and before.get("finished") and result.exists():
            self.notes[name], self.kept = before, self.kept + 1
            return key
        self.tell(name, 0, 1)
        note = {"key": key, "inputs": jsonable(inputs), "finished": False, "seconds": 0.0}
        write_json(file, note)
        started = time.time()
        work(bool(before) and before.get("key") != key)
        note |= {"finished": True, "seconds": round(time.time() - started, 1)}
        write_json(file, note)
        self.tell(name, 1, 1)
        self.notes[name], self.done = note, self.done + 1
        return key


def content_hash(path: Path) -> str:
    """Hash of a file's bytes; of a folder's names, sizes and times (its bytes may be terabytes)."""
    if path.is_file():
        return sha256(path)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            stat = file.stat()
            digest.update(f"{file.relative_to(path)}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def jsonable(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
