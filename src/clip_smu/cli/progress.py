"""Bars of a job where someone watches; where nobody does, :mod:`clip_smu.cli.pulse` tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clip_smu.cli import pulse


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
        yield lambda stage, done, total: pulse.tell(stage, done, total, log=log)
        return
    with Progress(*columns, console=console, transient=transient) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield update
