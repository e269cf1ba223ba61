"""Makes docs/cli.md from the commands themselves: what each says in --help.

python tools/make_cli_docs.py
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from clip_smu.cli import app

FILE = Path(__file__).parents[1] / "docs" / "cli.md"
SHARED = 3  # an option of so many commands is in the table
HEAD = """# The command line
Made by `python tools/make_cli_docs.py` from what the commands say of themselves: do not edit.
`clip-smu COMMAND --help` shows the same, as does `python -m clip_smu COMMAND --help`. [Exit codes](formats.md).
"""


def commands(group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, command and context of each, those of groups too."""
    for part, command in group.commands.items():
        inner = type(context)(command, parent=context, info_name=part)
        if hasattr(command, "commands"):
            yield from commands(command, inner)
        else:
            yield inner.command_path, command, inner


def section(name: str, command: Any, context: Any) -> str:
    """What it does, its usage, the example, and each argument and option with its help."""
    *told, example = command.help.split("\n\n")
    lines = [f"## {name}", *("\n" + " ".join(part.split()) + "\n" for part in told)]
    lines += ["```console", f"$ {' '.join(example.removeprefix('Example: ').split())}", "```", ""]
    lines += ["```text", " ".join([name, *command.collect_usage_pieces(context)]), "```", ""]
    for parameter in command.params:
        called, help_text = parameter.get_help_record(context)
        lines.append(f"- `{called}`: {help_text}".replace("  [", " ["))
    return "\n".join(lines)


def shared(found: list[tuple[str, Any, Any]]) -> str:
    """A table of the options that several commands have, and mean the same by."""
    having = defaultdict(list)
    for name, command, _ in found:
        for parameter in command.params:
            if parameter.param_type_name == "option":
                called = ", ".join(sorted(parameter.opts, key=len))
                having[called, parameter.metavar].append(name.removeprefix("clip-smu "))
    rows = sorted(
        ((called, names) for (called, _), names in having.items()), key=lambda row: (-len(row[1]), row[0])
    )
    lines = ["| option | of |", "|---|---|"]
    return "\n".join(lines + [f"| `{o}` | {', '.join(names)} |" for o, names in rows if len(names) >= SHARED])


def document() -> str:
    root = typer.main.get_command(app)
    with root.make_context("clip-smu", [], resilient_parsing=True) as context:
        found = list(commands(root, context))
        listed = [f"- [{n}](#{n.replace(' ', '-')}): {c.get_short_help_str(limit=100)}" for n, c, _ in found]
        parts = [HEAD, *listed, "\nThe same option means the same in every command:\n", shared(found), ""]
        return "\n".join(parts) + "\n" + "\n\n".join(section(*one) for one in found) + "\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
