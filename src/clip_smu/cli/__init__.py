"""The command line: each command parses, calls one public function, and shows the result."""

from __future__ import annotations

import sys

import typer

from clip_smu.cli import (
    ask,
    captions,
    compare,
    confounds,
    encoders,
    erase,
    evaluate,
    extract,
    figures,
    fit,
    interpret,
    labels,
    pair,
    probe,
    report,
    reproduce,
    words,
    zero_shot,
)
from clip_smu.cli.ends import run

COMMANDS = (
    interpret.interpret,
    ask.ask,
    words.words,
    extract.extract,
    fit.fit,
    probe.probe,
    evaluate.evaluate,
    compare.compare,
    erase.erase,
    pair.pair,
    zero_shot.zero_shot,
    captions.captions,
    confounds.confounds,
    reproduce.reproduce,
    report.report,
    figures.figures,
)

app = typer.Typer(
    help="Reads face recognition templates and says in plain language which facial attributes they give away.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(encoders.app, name="encoders")
app.add_typer(labels.app, name="labels")


def main() -> None:
    """Runs the command line; what goes wrong is one line and an exit code, see :mod:`clip_smu.cli.ends`."""
    sys.exit(run(app))


if __name__ == "__main__":
    main()
