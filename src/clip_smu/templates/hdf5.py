"""Templates in HDF5 files: one dataset (N, d), with names beside it; needs the extra [hdf5].

HDF5's library may hang or crash on damaged files, and nothing inside a process can end that. So a process of its own
reads the file (``python -m clip_smu.templates.hdf5 FILE ROWS COLUMN``) and sends batches; it is given 20 s for each.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from clip_smu.errors import ClipSmuError, MissingExtraError, TemplateError
from clip_smu.templates.bounds import batch_of, first_bytes, reading, refuse_bomb
from clip_smu.templates.columns import IDENTITIES, NAMES, TEMPLATE, VECTORS, first_of, vector_column
from clip_smu.templates.table import Rows, Templates, even

PATIENCE = 20.0  # seconds for the next batch
_MEMORY = 2 << 30  # bytes that the reading process may take for its data


def read(file: Path, batch_rows: int, asked: str | None = None) -> Iterator[Templates]:
    """The templates of the dataset asked for, the one called ``template`` or the like, or the only one (N, d).

    Raises:
        MissingExtraError: h5py is not installed.
        TemplateError: there is no such dataset, it is no (N, d) of numbers, or HDF5 cannot read the file.
    """
    first_bytes(file)
    if sys.modules.get("h5py", "") is None or find_spec("h5py") is None:
        raise MissingExtraError("reading HDF5", "hdf5")
    yield from even(_received(file, batch_rows, asked), file)


# ---------------------------------------------------------------- this process


def _received(file: Path, batch_rows: int, asked: str | None) -> Iterator[Rows]:
    """Batches as the reading process sends them."""
    command = [sys.executable, "-m", __name__, str(file), str(batch_rows), asked or ""]
    paths = os.pathsep.join(path for path in sys.path if path)
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert child.stdout is not None
    inbox: queue.Queue[tuple[dict[str, Any], bytes] | None] = queue.Queue(2)
    stopped = threading.Event()
    threading.Thread(target=_pump, args=(child.stdout, inbox, stopped), daemon=True).start()
    start = 0
    try:
        while True:
            try:
                message = inbox.get(timeout=PATIENCE)
            except queue.Empty:
                raise TemplateError(
                    f"{file}: HDF5 read for {PATIENCE:.0f} s without a result: it is damaged; write it again"
                ) from None
            if message is None:
                code = child.wait()
                raise TemplateError(
                    f"{file}: HDF5 failed on it (exit code {code}): it is damaged, or asks for too much memory"
                )
            said, data = message
            if "error" in said:
                raise TemplateError(said["error"])
            if "end" in said:
                return
            batch = _rows(said, data, file, start)
            start += len(batch.images)
            yield batch
    finally:
        stopped.set()
        child.kill()
        child.wait()
        child.stdout.close()


def _pump(
    stream: IO[bytes], inbox: queue.Queue[tuple[dict[str, Any], bytes] | None], stopped: threading.Event
) -> None:
    """Messages from the reading process, each as soon as it is there; ``None`` after the last."""
    message: tuple[dict[str, Any], bytes] | None
    while not stopped.is_set():
        try:
            said = json.loads(stream.readline())
            data = stream.read(said["bytes"])
            message = (said, data) if len(data) == said["bytes"] else None
        except (ValueError, KeyError, OSError):
            message = None
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                inbox.put(message, timeout=0.1)
                break
        if message is None or "end" in message[0]:
            return


def _rows(said: dict[str, Any], data: bytes, file: Path, start: int) -> Rows:
    vectors = np.frombuffer(data, np.float32)
    count = len(vectors) // said["dim"]
    images = said["images"] or [""] * count
    return Rows(
        vectors,
        np.full(count, said["dim"], np.int64),
        {},
        [name or f"{file.name}:{start + row}" for row, name in enumerate(images)],
        np.zeros(count, np.int16),
        said["identities"] or [""] * count,
        np.full(count, np.nan, np.float32),
    )


# ---------------------------------------------------------------- the reading process


def _main(file: Path, batch_rows: int, asked: str | None) -> None:
    import h5py

    _limit_memory()
    out = sys.stdout.buffer

    def send(data: bytes = b"", **said: object) -> None:
        out.write(json.dumps({**said, "bytes": len(data)}).encode() + b"\n" + data)
        out.flush()

    try:
        with reading(file), h5py.File(file, "r") as opened:
            for dim, vectors, images, identities in _batches(opened, h5py, file, batch_rows, asked):
                send(vectors, dim=dim, images=images, identities=identities)
        send(end=True)
    except ClipSmuError as error:
        send(error=str(error))


def _batches(
    opened: Any, h5py: Any, file: Path, batch_rows: int, asked: str | None
) -> Iterator[tuple[int, bytes, list[str] | None, list[str] | None]]:
    sets = dict(_datasets(opened, h5py))
    name = _chosen(sets, asked, file)
    data = sets[name]
    shape = data.shape if len(data.shape) != 1 else (1, *data.shape)
    if len(shape) != 2 or data.dtype.kind not in "fiu":
        raise TemplateError(
            f"{file}: the dataset '{name}' must hold (N, d) numbers, found {data.dtype} {data.shape}: "
            "store one row a face"
        )
    rows, dim = shape
    refuse_bomb(file, rows, rows * dim, data.dtype.itemsize, data.id.get_storage_size())
    if not dim:
        return
    folder = name.rpartition("/")[0]
    beside = {
        one.rpartition("/")[2]: found
        for one, found in sets.items()
        if one.rpartition("/")[0] == folder and found.shape == (rows,)
    }
    image, identity = (first_of(list(beside), known) for known in (NAMES, IDENTITIES))
    step = batch_of(batch_rows, dim, data.dtype.itemsize)
    for start in range(0, rows, step):
        here = slice(start, min(rows, start + step))
        with np.errstate(over="ignore", invalid="ignore"):  # too large becomes infinite: a counted row
            piece = np.asarray(data[...] if len(data.shape) == 1 else data[here], dtype=np.float32)
        yield (
            int(dim),
            np.ascontiguousarray(piece).tobytes(),
            _texts(beside[image][here]) if image else None,
            _texts(beside[identity][here]) if identity else None,
        )


def _datasets(group: Any, h5py: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The datasets that lie in the file itself; links to other files are not followed, nor such storage."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        found = group[name]
        if isinstance(found, h5py.Group) and depth < 16:
            yield from _datasets(found, h5py, f"{prefix}{name}/", depth + 1)
        elif isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual:
            yield f"{prefix}{name}", found


def _chosen(sets: dict[str, Any], asked: str | None, file: Path) -> str:
    names = list(sets)
    if asked is not None:
        return vector_column(names, asked.strip("/"), file, "dataset")
    known = [name for name in names if name.rpartition("/")[2].lower() in VECTORS]
    ours = [name for name in known if name.rpartition("/")[2].lower() == TEMPLATE]
    matrices = [name for name in names if len(sets[name].shape) == 2 and sets[name].dtype.kind in "fiu"]
    for some in (ours, known, matrices):
        if len(some) == 1:
            return some[0]
        if some:
            there = ", ".join(some[:20])
            raise TemplateError(f"{file} has several datasets of templates ({there}): choose with --column")
    return vector_column(names, None, file, "dataset")


def _texts(values: Any) -> list[str]:
    return [
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
        for value in values.tolist()
    ]


def _limit_memory() -> None:
    """What is loaded until now, and 2 GiB more; where the system can (POSIX)."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None)
