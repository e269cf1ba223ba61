"""What every command shows with: lines, notes, tables and progress bars."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def show(what: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(what)


def write(line: str) -> None:
    sys.stdout.write(line + "\n")


def note(line: str) -> None:
    sys.stderr.write(f"clip-smu: {one_line(line)}\n")


def one_line(text: str) -> str:
    return " ".join(text.split())


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error with rate and time left; only where someone watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:,.1f} {what}/s" if task.speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def stage_bars(*, log: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Bars on standard error, one for each stage of a job; with ``log`` lines where no terminal shows bars."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
                if log and not console.is_terminal:
                    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {stage}\n")
                    sys.stderr.flush()
            bar.update(tasks[stage], completed=done)

        yield update
