"""How a command ends: an error is one line and an exit code, a signal stops it cleanly, lost output is told.

Exit codes: 0 done; 1 an expected error, or output that could not be shown; 2 no such command line; 70 an error of ours;
130 Ctrl-C; 143 SIGTERM. ``CLIP_SMU_DEBUG=1`` shows the traceback of any of them.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from clip_smu.cli.pulse import beating
from clip_smu.cli.show import note
from clip_smu.cli.signals import Stopped, deaf, stop_code, stopped_by_signals
from clip_smu.cli.standard_output import occupy_closed_descriptors, readable_output
from clip_smu.errors import ClipSmuError, RenamedWarning
from clip_smu.storage.job_folders import was_cut_off

DEBUG = "CLIP_SMU_DEBUG"
FAILED, OURS = 1, 70  # EX_SOFTWARE of sysexits.h


def run(app: Callable[[], object]) -> int:
    """Runs the command line, says in one line what went wrong, and gives the exit code."""
    if sys.stdout is None:  # its descriptor was closed: the next file opened would take its place
        occupy_closed_descriptors()
        note("standard output is closed: give it a place, for instance > /dev/null")
        return FAILED
    occupy_closed_descriptors()
    atexit.register(deaf)
    with readable_output():
        try:
            with stopped_by_signals(), beating(), _notes_of_new_names():
                code = _code_of(app)
                sys.stdout.flush()
        except Stopped as stop:
            code = stop_code(stop.number, stop.words)
        except BaseException as error:
            code = _told(error)
    return code


@contextlib.contextmanager
def _notes_of_new_names() -> Iterator[None]:
    """A note for whoever asks for something by its old name; other warnings look as they always do."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, RenamedWarning):
            note(str(message))
        else:
            usual(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("once", RenamedWarning)
        warnings.showwarning = show
        yield


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
        return stop_code(signal.SIGINT)
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
