"""How a command ends: an error is one line and an exit code, a signal stops it cleanly, lost output is told.

Exit codes: 0 done; 1 an expected error, or output that could not be shown; 2 no such command line; 70 an error of ours;
130 Ctrl-C; 143 SIGTERM. ``CLIP_SMU_DEBUG=1`` shows the traceback of any of them.
"""

from __future__ import annotations

import atexit
import codecs
import contextlib
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType

from clip_smu.cli.show import note, pulse
from clip_smu.errors import ClipSmuError, StorageError
from clip_smu.storage.job_folders import was_cut_off

DEBUG = "CLIP_SMU_DEBUG"
FAILED, OURS = 1, 70  # EX_SOFTWARE of sysexits.h
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SOON_S = 0.5  # a signal that Python has not seen by then is sent once more, which ends a system call
_PATIENCE_S = 10.0  # native code may be deaf for this long to a signal; then the process ends where it is
_GO_ON = "stopped; run the same command again to go on"
_ESCAPE = "clip-smu"  # an error handler of codecs


class Stopped(BaseException):
    """A signal asked the command to stop; no ``except Exception`` on the way holds it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.words = _GO_ON


def run(app: Callable[[], object]) -> int:
    """Runs the command line, says in one line what went wrong, and gives the exit code."""
    if sys.stdout is None:  # its descriptor was closed: the next file opened would take its place
        _occupy_closed_descriptors()
        note("standard output is closed: give it a place, for instance > /dev/null")
        return FAILED
    _occupy_closed_descriptors()
    atexit.register(_deaf)
    with _readable_output(), _stopped_by_signals(), pulse():
        try:
            code = _code_of(app)
            sys.stdout.flush()
        except Stopped as stop:
            code = _stop(stop.number, stop.words)
        except BaseException as error:
            code = _told(error)
    return code


def _deaf() -> None:
    """At the end of the process: all is done and told, and a signal changes nothing any more."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _code_of(app: Callable[[], object]) -> int:
    """The command line ends in SystemExit whatever happens, except for errors that are not its own."""
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else FAILED
    return 0


def _told(error: BaseException) -> int:
    """One line; the traceback too where it was asked for."""
    if os.environ.get(DEBUG):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, ClipSmuError):
        note(str(error))
    elif isinstance(error, KeyboardInterrupt):  # where no handler of ours could be set
        return _stop(signal.SIGINT)
    elif isinstance(error, MemoryError):
        note(
            "not enough memory: give it more, or work on fewer files at a time (extract: fewer --processes). "
            "What was finished is kept"
        )
    elif isinstance(error, OSError):
        note(f"the system refused: {error}. Correct that, and run the same command again")
    else:
        why = str(error) or "no message"
        note(
            f"internal error: {type(error).__name__} in {_place(error.__traceback__)}: {why}. This is a mistake of "
            f"clip-smu: please report it with the command and with what {DEBUG}=1 shows"
        )
        return OURS
    return FAILED


def _place(trace: TracebackType | None) -> str:
    """File and line of ours that the error came through last."""
    place = "unknown"
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if f"{os.sep}clip_smu{os.sep}" in file and file != __file__:
            place = f"{file.rpartition(f'clip_smu{os.sep}')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _stop(number: int, words: str = _GO_ON) -> int:
    note(words)
    return 128 + number


@contextlib.contextmanager
def starts_anew(output: Path) -> Iterator[None]:
    """For a command that keeps no progress: says so when it is stopped, and when it finds what a killed run left."""
    if was_cut_off(output):
        note(f"an earlier run was ended in {output} before it was done: this one starts anew")
    try:
        yield
    except Stopped as stop:
        stop.words = "stopped; the same command starts anew"
        raise


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise :class:`Stopped` in the main thread, so that everything on the way is cleaned up.

    That may fail: a signal just before a long call of native code is seen by Python only when the call ends, and an
    exception raised in a destructor is swallowed there. So a thread hears the signal too, sends it once more, and in
    the end ends the process. Files are whole or not there at any moment, and workers end with it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    main = threading.get_ident()
    raised, over = threading.Event(), threading.Event()
    heard, bell = os.pipe()
    os.set_blocking(bell, False)

    def insist() -> None:
        number = os.read(heard, 1)[0]
        if number not in _SIGNALS:
            return
        for waiting, patience in ((raised, _SOON_S), (over, _PATIENCE_S / 2)):
            if over.is_set():
                return
            if not waiting.wait(patience):
                signal.pthread_kill(main, number)
        if not over.wait(_PATIENCE_S / 2):
            os._exit(_stop(number))

    def stop(number: int, _: FrameType | None) -> None:
        raised.set()
        raise Stopped(number)

    watch = threading.Thread(target=insist, daemon=True)
    watch.start()
    wakeup = signal.set_wakeup_fd(
        bell, warn_on_full_buffer=False
    )  # written to at once, whatever Python is busy with
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        over.set()
        raised.set()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.write(bell, b"\0")  # ends the watch
        watch.join()
        os.close(heard)
        os.close(bell)


# ---------------------------------------------------------------- standard output


class _Output(io.TextIOWrapper):
    """Standard output whose failures are errors of ours; what its encoding lacks is written as JSON escapes it."""

    def write(self, text: str, /) -> int:
        with _output_errors():
            return super().write(text)

    def flush(self) -> None:
        with _output_errors():
            super().flush()


@contextlib.contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        nowhere = os.open(
            os.devnull, os.O_WRONLY
        )  # or Python would fail once more when it flushes at its end
        os.dup2(nowhere, 1)
        os.close(nowhere)
        if error.errno == errno.EPIPE:
            raise StorageError(
                "whoever read standard output has gone (as head does): the rest is not shown"
            ) from None
        raise StorageError(f"standard output could not be written: {error.strerror}") from None


@contextlib.contextmanager
def _readable_output() -> Iterator[None]:
    """Text that a terminal's encoding cannot hold is escaped, in place of an error in the middle of a job."""
    codecs.register_error(_ESCAPE, _escaped)
    plain = sys.stdout
    if plain is not sys.__stdout__ or not isinstance(plain, io.TextIOWrapper):  # somebody else's already
        yield
        return
    told = _Output(plain.buffer, plain.encoding, _ESCAPE, line_buffering=plain.line_buffering)
    sys.stdout = told
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=_ESCAPE)
    try:
        yield
    finally:
        with contextlib.suppress(StorageError):
            told.flush()
        told.detach()
        sys.stdout = plain


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""``\u00e9`` for what an encoding lacks, in UTF-16's pairs: right in JSON too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4)), error.end


def _occupy_closed_descriptors() -> None:
    """Opens /dev/null for each of the three standard descriptors that is closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the process ends
