"""Photos → templates on disk: all cores, atomic shards, resumable, nothing lost."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from clip_smu.encoders import Encoder, EncoderOptions, Face, card, load_encoder
from clip_smu.encoding import Outcome, encode_photos
from clip_smu.errors import ClipSmuError, EncoderError, InputError
from clip_smu.outputs import writes_folder
from clip_smu.photos import Photo, iter_photos
from clip_smu.storage import claim_folder
from clip_smu.templates import REJECTED, REJECTED_SCHEMA, read_note, shard_note, template_schema, write_shard

SHARD_PHOTOS = 1000  # photos a shard: the most that a killed job repeats
CHUNK_PHOTOS = 32  # photos a worker takes at once; MTCNN is fastest with 16 and more of one size

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction gave.

    Attributes:
        photos: photos seen, in this run and before.
        templates: faces with a template.
        rejected: number of photos that gave nothing, by reason.
        resumed: photos that an earlier run had already done.
        seconds: wall time of this run.
    """

    photos: int
    templates: int
    rejected: dict[str, int]
    resumed: int
    seconds: float


@writes_folder
def extract(
    photos: Sequence[str | Path],
    output: str | Path,
    encoder: str = "dlib",
    options: EncoderOptions | None = None,
    *,
    processes: int | None = None,
    shard_photos: int = SHARD_PHOTOS,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Extraction:
    """Extracts templates from photos into a folder of Parquet shards.

    Killed at any moment and run again, the folder ends up byte for byte as after one run. A photo
    that gives nothing (unreadable, no face) is a row with its reason under ``_rejected/``.

    Args:
        photos: files, folders, globs, list files, tar shards, or ``-``; see :mod:`clip_smu.photos`.
        output: folder for ``part-NNNNN.parquet`` and ``_rejected/part-NNNNN.parquet``.
        encoder: a name from :data:`clip_smu.encoders.CARDS`, or ``onnx:PATH?card=CARD.toml``.
        options: detection and alignment.
        processes: worker processes; default, one a core.
        shard_photos: photos a shard.
        overwrite: replace what another job left in ``output``.
        progress: called with the number of photos done since the last call.

    Raises:
        InputError: a path does not exist, or ``output`` holds another job.
        EncoderError, MissingExtraError: the encoder cannot be loaded.
        StorageError: the disk is full; finished shards are kept.

    Example:
        >>> import tempfile
        >>> from clip_smu.example import example_photo
        >>> done = extract([example_photo()], tempfile.mkdtemp() + "/templates", processes=1)
        >>> done.templates, done.rejected
        (1, {})
    """
    started = time.perf_counter()
    if shard_photos < 1 or (processes is not None and processes < 1):
        raise InputError("the number of processes and of photos a shard must be at least 1")
    options = options or EncoderOptions()
    output = Path(output)
    row = card(encoder)
    job = {
        "command": "extract",
        "encoder": row.to_dict(),
        "options": asdict(options),
        "shard_photos": shard_photos,
    }
    with Workers(encoder, options, processes or os.cpu_count() or 1) as workers:
        stream = iter_photos(photos)
        first = next(stream)  # a wrong path is said before anything is written
        claim_folder(output, job, overwrite=overwrite, private=True)
        shards = _Shards(output, shard_photos, progress)
        schema = template_schema(row)
        for number, outcomes in itertools.groupby(
            workers.run(shards.unfinished(itertools.chain([first], stream))), key=lambda pair: pair[0]
        ):
            seen = [outcome for _, chunk in outcomes for outcome in chunk]
            rejects = [_rejected_row(outcome) for outcome in seen if outcome.error]
            reasons = Counter(reject["reason"] for reject in rejects)
            note = {
                "photos": len(seen),
                "names": shards.names.pop(number),
                "rejected": dict(sorted(reasons.items())),
            }
            if rejects:
                write_shard(output / REJECTED / _part(number), rejects, REJECTED_SCHEMA)
            rows = [
                _template_row(outcome.photo, index, face)
                for outcome in seen
                for index, face in enumerate(outcome.faces)
            ]
            write_shard(
                output / _part(number), rows, schema.with_metadata({**schema.metadata, **shard_note(note)})
            )
            shards.add(note, len(rows))
    shards.refuse_leftovers()
    return Extraction(
        shards.photos,
        shards.templates,
        dict(sorted(shards.rejected.items())),
        shards.resumed,
        time.perf_counter() - started,
    )


class Workers:
    """Processes that each hold one encoder; with one, the work is done in this process."""

    def __init__(self, encoder: str, options: EncoderOptions, processes: int) -> None:
        self._window = 4 * processes
        self._encoder: Encoder | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._children: set[BaseProcess] = set()
        if processes == 1:
            self._encoder = load_encoder(encoder, options)
        else:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(processes, context, _start_worker, (encoder, options))
            before = set(multiprocessing.active_children())
            try:
                with _deaf_to_ctrl_c():
                    ready = [self._pool.submit(_ready) for _ in range(processes)]  # all start at once
                for one in ready:
                    one.result()  # what is missing is said here
            except BaseException:
                self._children = set(multiprocessing.active_children()) - before
                self._end()
                raise
            self._children = set(multiprocessing.active_children()) - before

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None and error is None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        elif self._pool is not None:
            self._end()

    def _end(self) -> None:
        """Ends the workers at once, in the middle of what they do."""
        assert self._pool is not None
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.terminate()
        for child in self._children:
            child.join()

    def run(self, chunks: Iterable[tuple[int, list[Photo]]]) -> Iterator[tuple[int, list[Outcome]]]:
        """Outcomes of each numbered chunk, in order; only a few chunks are in memory at a time."""
        if self._encoder is not None:
            for number, chunk in chunks:
                yield number, encode_photos(self._encoder, chunk)
            return
        assert self._pool is not None
        pending: deque[tuple[int, Future[list[Outcome]]]] = deque()
        try:
            for number, chunk in chunks:
                pending.append((number, self._pool.submit(_run_worker, chunk)))
                if len(pending) >= self._window:
                    number, future = pending.popleft()
                    yield number, future.result()
            while pending:
                number, future = pending.popleft()
                yield number, future.result()
        except BrokenProcessPool:
            raise EncoderError(
                "a worker process died (killed, or out of memory); finished shards are kept: "
                "run the same command again with fewer --processes"
            ) from None


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started here never hear Ctrl-C, which a terminal sends to all: this one hears it, and ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: list[Encoder] = []  # the one encoder of a worker process
_refusal: list[ClipSmuError] = []  # or the reason why it has none


def _start_worker(encoder: str, options: EncoderOptions) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:  # a killed parent must not leave its workers behind
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    try:
        _worker.append(load_encoder(encoder, options))
    except ClipSmuError as error:
        _refusal.append(error)


def _ready() -> None:
    if _refusal:
        raise _refusal[0]


def _die_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _run_worker(chunk: list[Photo]) -> list[Outcome]:
    return encode_photos(_worker[0], chunk)


class _Shards:
    """Cuts the stream of photos into numbered shards, skips those that are done, and counts."""

    def __init__(self, output: Path, shard_photos: int, progress: Callable[[int], None] | None) -> None:
        self.output, self.shard_photos, self.progress = output, shard_photos, progress
        self.names: dict[int, str] = {}
        self.photos = self.templates = self.resumed = self.count = 0
        self.rejected: Counter[str] = Counter()

    def unfinished(self, stream: Iterator[Photo]) -> Iterator[tuple[int, list[Photo]]]:
        while shard := list(itertools.islice(stream, self.shard_photos)):
            number, self.count = self.count, self.count + 1
            names = hashlib.sha256("\n".join(photo.name for photo in shard).encode()).hexdigest()
            if self._finished(number, names):
                continue
            self.names[number] = names
            for start in range(0, len(shard), CHUNK_PHOTOS):
                yield number, shard[start : start + CHUNK_PHOTOS]

    def add(self, note: dict[str, Any], templates: int) -> None:
        self.photos += note["photos"]
        self.templates += templates
        self.rejected.update(note["rejected"])
        if self.progress:
            self.progress(note["photos"])

    def refuse_leftovers(self) -> None:
        if (self.output / _part(self.count)).exists():
            raise InputError(
                f"{self.output} holds shards of photos that are no longer given: pass --overwrite"
            )

    def _finished(self, number: int, names: str) -> bool:
        path = self.output / _part(number)
        if not path.exists():
            return False
        note, rows = read_note(path)
        if note["names"] != names:
            raise InputError(
                f"{path} was made from other photos than those given now: "
                "choose another output folder, or pass --overwrite"
            )
        self.resumed += note["photos"]
        self.add(note, rows)
        return True


def _part(number: int) -> str:
    return f"part-{number:05d}.parquet"


def _template_row(photo: Photo, index: int, face: Face) -> Row:
    return {
        "image": photo.name,
        "face": index,
        "identity": photo.identity,
        "box": list(face.box),
        "landmarks": face.landmarks.reshape(-1),
        "score": face.score,
        "norm": face.norm,
        "template": face.template,
    }


def _rejected_row(outcome: Outcome) -> Row:
    assert outcome.error is not None
    return {
        "image": outcome.photo.name,
        "identity": outcome.photo.identity,
        "reason": outcome.error.reason,
        "message": str(outcome.error),
    }
