"""The command line as a tree of commands, for tests that look at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from clip_smu.cli import app


def every_command(command: Any = None, name: str = "") -> Iterator[tuple[str, Any]]:
    """Name and command, of all groups."""
    command = command or typer.main.get_command(app)
    for part, one in getattr(command, "commands", {}).items():
        yield from every_command(one, f"{name} {part}".strip())
    if not hasattr(command, "commands"):
        yield name, command
