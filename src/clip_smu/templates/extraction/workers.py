"""Processes that each hold one encoder: photos go in, outcomes come back in order, and no photo can end the job.

A worker is a fresh interpreter that is told what to load through its standard input. Unlike a process of
``multiprocessing`` it never runs the caller's script again, so a script needs no main guard; and where one dies, it is
known which photos it held: they are read again one by one, and the one that killed it is a counted row.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import IO, Any

from clip_smu.encoders.encoder import Encoder
from clip_smu.encoders.encoding import Outcome, content_of, encode_photos
from clip_smu.errors import ClipSmuError, EncoderError, ImageError
from clip_smu.photos import Photo

Load = Callable[[], Encoder]
"""Makes an encoder; can be pickled."""

_CHUNKS_AHEAD = 4  # a worker, in memory at a time
_BYTES_AHEAD = 256 << 20  # of photos that were streamed; at least one chunk
_DEATHS = 5  # in a row: then it is not the photo
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from clip_smu.templates.extraction.workers import serve; serve()"
)


class Workers:
    """Encoders at work.

    Args:
        load: makes the encoder of each worker.
        processes: how many; with 1 the work is done in this process; ``None``: a process a core.

    Raises:
        ClipSmuError: what ``load`` raises in the workers.
    """

    def __init__(self, load: Load, processes: int | None) -> None:
        self._load = load
        self._encoder: Encoder | None = None
        self._workers: set[_Worker] = set()
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._deaths = 0
        self._closed = False
        if processes == 1:
            self._encoder = load()
            return
        self._count = processes or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._count)
        try:
            self._workers = {_Worker(load) for _ in range(self._count)}  # all start at once
            for worker in self._workers:
                worker.wait_until_ready()  # what is missing is said here
                self._idle.put(worker)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers at once, whatever they are doing."""
        if self._encoder is not None:
            return
        self._closed = True
        for worker in list(self._workers):
            worker.end()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def run(self, chunks: Iterable[tuple[int, list[Photo]]]) -> Iterator[tuple[int, list[Outcome]]]:
        """Outcomes of each numbered chunk, in order; only a few chunks are in memory at a time.

        Raises:
            EncoderError: workers die one after another.
        """
        if self._encoder is not None:
            for number, chunk in chunks:
                yield number, encode_photos(self._encoder, chunk)
            return
        pending: deque[tuple[int, int, Future[list[Outcome]]]] = deque()
        ahead = 0
        for number, chunk in chunks:
            size = sum(len(photo.data) for photo in chunk if photo.data is not None)
            while pending and ahead + size > _BYTES_AHEAD:
                done, weight, future = pending.popleft()
                ahead -= weight
                yield done, future.result()
            pending.append((number, size, self._threads.submit(self._encode, chunk)))
            ahead += size
            if len(pending) >= _CHUNKS_AHEAD * self._count:
                done, weight, future = pending.popleft()
                ahead -= weight
                yield done, future.result()
        while pending:
            done, _, future = pending.popleft()
            yield done, future.result()

    def _encode(self, photos: list[Photo]) -> list[Outcome]:
        """In a thread: the outcomes of a chunk by an idle worker, and by new ones where it dies."""
        worker = self._idle.get()
        try:
            outcomes = worker.encode(photos)
            self._deaths = 0
            return outcomes
        except _Died:
            worker = self._another(worker)
            outcomes = []
            for photo in photos:
                try:
                    outcomes += worker.encode([photo])
                    self._deaths = 0
                except _Died as death:
                    outcomes.append(_died(photo, death))
                    self._deaths += 1
                    worker = self._another(worker)
            return outcomes
        finally:
            self._idle.put(worker)

    def _another(self, dead: _Worker) -> _Worker:
        self._workers.discard(dead)
        if self._closed or self._deaths >= _DEATHS:
            raise EncoderError(
                f"expected workers that stay alive, found {self._deaths} to die one after another (killed, or out of "
                "memory); finished shards are kept: run the same command again with fewer --processes"
            )
        new = _Worker(self._load)
        self._workers.add(new)
        if self._closed:
            new.end()
        new.wait_until_ready()
        return new


class _Died(Exception):  # noqa: N818 (what happened, and no error of ours)
    pass


class _Worker:
    """One process, seen from the caller's side."""

    def __init__(self, load: Load) -> None:
        with _deaf_to_ctrl_c():
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._replies: IO[bytes] = self._process.stdout
        self._send(json.dumps([place for place in sys.path if isinstance(place, str)]).encode() + b"\n")
        self._send(pickle.dumps(load))

    def wait_until_ready(self) -> None:
        try:
            refusal = self._reply()
        except _Died as death:
            raise EncoderError(f"expected a worker process to start, found that it {death}") from None
        if refusal is not None:
            raise refusal

    def encode(self, photos: list[Photo]) -> list[Outcome]:
        self._send(pickle.dumps(photos))
        outcomes: list[Outcome] = self._reply()
        return outcomes

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with contextlib.suppress(OSError):  # what was still to be sent cannot be
                pipe.close()

    def _send(self, data: bytes) -> None:
        try:
            self._requests.write(data)
            self._requests.flush()
        except (OSError, ValueError):
            raise self._death() from None

    def _reply(self) -> Any:
        try:
            return pickle.load(self._replies)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise self._death() from None

    def _death(self) -> _Died:
        self.end()
        code = self._process.returncode
        return _Died(f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}")


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A process started here never hears Ctrl-C, which a terminal sends to all: the caller hears it, and ends us."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT}
    )  # a child inherits it, from its first moment
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _died(photo: Photo, death: _Died) -> Outcome:
    message = (
        f"expected a photo that can be read, found that the process which read it {death}; "
        "perhaps it needs more memory than there is: make it smaller"
    )
    return Outcome(photo.without_bytes(), [], ImageError("worker-died", message), content_of(photo))


# ---------------------------------------------------------------- the worker's own side


def serve() -> None:
    """The life of a worker process: loads an encoder, then answers each list of photos with its outcomes."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the replies
    load: Load = pickle.load(requests)
    try:
        encoder = load()
    except ClipSmuError as refusal:
        _send(replies, refusal)
        return
    _send(replies, None)
    inbox: queue.SimpleQueue[list[Photo]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, inbox), daemon=True).start()
    while True:
        _send(replies, encode_photos(encoder, inbox.get()))


def _listen(requests: IO[bytes], inbox: queue.SimpleQueue[list[Photo]]) -> None:
    try:
        while True:
            inbox.put(pickle.load(requests))
    except Exception:  # the caller is gone, however it went: no worker stays behind
        os._exit(0)


def _send(replies: IO[bytes], what: Any) -> None:
    try:
        pickle.dump(what, replies)
        replies.flush()
    except OSError:
        os._exit(0)
