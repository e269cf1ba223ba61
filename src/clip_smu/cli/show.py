"""What every command shows with: lines, notes, tables, and where a job is."""

from __future__ import annotations

import csv
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from clip_smu.storage.escaping import cell, visible

FIRST_S, EVERY_S = 30.0, 60.0  # when a job without a terminal says where it is
LONG_S = 15.0  # what takes longer is told at the start
_MEASURED_S = 2.0  # of work, from which that is known
_COUNTED = ("photos", "templates")  # stages that are called what they count
_SETTLED_S = 2.0  # what is done before that was there already, and says nothing of the speed


def show(what: Any) -> None:
    """Text or a table in colours; whatever in it would have an effect on the terminal is written out."""
    from rich.console import Console
    from rich.segment import Segment

    class Harmless:
        def __rich_console__(self, console: Any, options: Any) -> Iterator[Segment]:
            for piece in console.render(what, options):
                yield piece if piece.control else Segment(visible(piece.text, "\n"), piece.style)

    Console(highlight=False).print(Harmless())


def write(line: str) -> None:
    """A line, or several, on standard output; in JSON the escapes are JSON's own."""
    sys.stdout.write(visible(line, "\n\t") + "\n")


def csv_rows() -> Callable[[Iterable[Any]], None]:
    """Writes rows of csv to standard output: no cell is run by a spreadsheet, nothing obeyed by a terminal."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    watched = sys.stdout.isatty()

    def add(values: Iterable[Any]) -> None:
        cells = [cell(value) for value in values]
        writer.writerow([visible(one) if watched and isinstance(one, str) else one for one in cells])

    return add


def write_csv(table: Any) -> None:
    """An Arrow table on standard output, as :func:`csv_rows`."""
    add = csv_rows()
    add(table.column_names)
    for row in table.to_pylist():
        add(row.values())


def note(line: str) -> None:
    """One line on standard error; where that is closed or full, nothing more can be said."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"clip-smu: {one_line(line)}\n")
        sys.stderr.flush()


def note_left_out(left_out: Mapping[str, int]) -> None:
    """Says how many files of what was given are no photos, if any."""
    from clip_smu.photos import left_out_line  # with all that photos need

    if line := left_out_line(left_out):
        note(line)


def one_line(text: str) -> str:
    return visible(" ".join(text.split()))


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left where someone watches; else lines, as :func:`stage_bars`."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:,.1f} {what}/s" if task.speed else "")

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(),
    )  # fmt: skip
    done = 0
    with _watched(columns, transient=True) as tell:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            tell(what, done, total)

        tell(what, 0, total)
        yield advance


@contextmanager
def stage_bars(*, log: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage of a job where someone watches.

    Where standard error is no terminal, a line a minute says where the job is and about how long is left; with ``log``
    also one at the start of each stage.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _watched(columns, log=log) as tell:
        yield tell


@contextmanager
def byte_bar() -> Iterator[Callable[[int, int | None], None]]:
    """As :func:`progress_bar`, for bytes that are fetched."""
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _watched(columns, transient=True) as tell:
        yield lambda done, total: tell("bytes", done, total)


@contextmanager
def _watched(
    columns: tuple[Any, ...], *, transient: bool = False, log: bool = False
) -> Iterator[Callable[[str, int, int | None], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda stage, done, total: _pulse.tell(stage, done, total, log=log)
        return
    with Progress(*columns, console=console, transient=transient) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield update


# ---------------------------------------------------------------- where nobody watches


@dataclass
class _Stage:
    """How far one stage is; several may run at once, such as a fold and all trainings together."""

    started: float
    base: tuple[float, int]  # time and count from which the speed is measured
    done: int = 0
    total: int | None = None
    first: tuple[float, int] | None = (
        None  # time and count of the first work: whatever had to be loaded was there
    )
    judged: bool = False  # whether it is known if it takes long

    def left(self, now: float, since: tuple[float, int]) -> float | None:
        """Seconds left at the speed since a time and count; ``None``: not known."""
        started, before = since
        if not self.total or self.done <= before or now <= started:
            return None
        return (self.total - self.done) * (now - started) / (self.done - before)


@dataclass
class _Pulse:
    """Where the running command is; a thread says so every minute, whatever the command is busy with."""

    stage: str = ""
    stages: dict[str, _Stage] = field(default_factory=dict)
    foretold: bool = False

    def tell(self, stage: str, done: int, total: int | None, *, log: bool = False) -> None:
        now = time.monotonic()
        if log and stage not in self.stages:
            _line(stage)
        if stage not in self.stages or done < self.stages[stage].done:
            self.stages[stage] = _Stage(now, (now, done))
        at, self.stage = self.stages[stage], stage
        if now - at.started < _SETTLED_S:
            at.base = (now, done)
        at.done, at.total = done, total
        if not (self.foretold or at.judged):
            self._foretell(stage, at, now)

    def _foretell(self, stage: str, at: _Stage, now: float) -> None:
        """Says once, after the first seconds of work, about how long it takes, where that is long."""
        if at.first is None:
            if at.done > at.base[1]:
                at.first = (now, at.done)
            return
        left = at.left(now, at.first)
        if left is None or at.total is None or now - at.first[0] < _MEASURED_S:
            return
        at.judged, self.foretold = True, left > LONG_S
        if self.foretold:
            span = _span(left + now - at.started)
            counted = f"{at.total - at.base[1]:,} {stage}"
            _line(f"about {span} for {counted if stage in _COUNTED else stage}")

    def line(self, now: float) -> str:
        """``photos: 1,200 of 13,233 (9 %), about 12 min left``."""
        if not self.stage:
            return "at work"
        at = self.stages[self.stage]
        if not at.total or at.total == 1:
            amount = f" {at.done:,}," if at.done and not at.total else ""
            return f"{self.stage}:{amount} at it for {_span(now - at.started)}"
        words = f"{self.stage}: {at.done:,} of {at.total:,} ({at.done / at.total:.0%})"
        left = at.left(now, at.base)
        if left is not None:
            words += f", about {_span(left)} left" + ("" if at.done < at.total else " of it")
        return words


_pulse = _Pulse()


@contextmanager
def pulse() -> Iterator[None]:
    """Says every minute where the command is, where standard error is no terminal."""
    global _pulse
    _pulse = _Pulse()
    over = threading.Event()

    def beat() -> None:
        wait = FIRST_S
        while not over.wait(wait):
            _line(_pulse.line(time.monotonic()))
            wait = EVERY_S

    thread = threading.Thread(target=beat, daemon=True)
    if not sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.ident is not None:
            thread.join(1.0)  # a line that is on its way still comes before the end


def _line(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {one_line(text)}\n")
        sys.stderr.flush()


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
