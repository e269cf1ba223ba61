"""Where the running command is, in a line a minute, where standard error is no terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from clip_smu.cli.show import one_line

FIRST_S, EVERY_S = 30.0, 60.0  # when a job without a terminal says where it is
LONG_S = 15.0  # what takes longer is told at the start
_MEASURED_S = 2.0  # of work, from which that is known
_COUNTED = ("photos", "templates")  # stages that are called what they count
_SETTLED_S = 2.0  # what is done before that was there already, and says nothing of the speed


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
class Pulse:
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


_pulse = Pulse()


def tell(stage: str, done: int, total: int | None, *, log: bool = False) -> None:
    """Says to the pulse how far a stage is; with ``log`` a stage's start is a line."""
    _pulse.tell(stage, done, total, log=log)


@contextmanager
def beating() -> Iterator[None]:
    """Says every minute where the command is, where standard error is no terminal."""
    global _pulse
    _pulse = Pulse()
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
