"""docs/cli.md is what the commands say of themselves; their examples are command lines that exist."""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path

from command_tree import every_command

ROOT = Path(__file__).parents[2]
EXAMPLE = "Example: clip-smu "


def test_the_reference_is_made_from_the_commands() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_cli_docs.py"))
    kept = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert kept == tool["document"](), "run python tools/make_cli_docs.py"


def test_each_command_ends_its_help_with_an_example_that_can_be_parsed() -> None:
    for name, command in every_command():
        *told, example = command.help.split("\n\n")
        assert told, name
        assert example.startswith(f"{EXAMPLE}{name}"), name
        words = shlex.split(example.removeprefix(EXAMPLE))[len(name.split()) :]
        command.make_context(name, words)


def test_each_option_and_argument_says_what_it_is() -> None:
    for name, command in every_command():
        silent = [one.name for one in command.params if one.name != "help" and not one.help]
        assert not silent, name
