"""The command line: each command parses, calls one public function, and shows the result."""

from __future__ import annotations

import sys

from clip_smu.cli import (
    ask,
    calibrate,
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
from clip_smu.cli.commands import commands
from clip_smu.cli.ends import run

app = commands(
    "Reads face recognition templates and says in plain language which facial attributes they give away.",
    {
        "interpret": interpret.interpret,
        "ask": ask.ask,
        "words": words.words,
        "extract": extract.extract,
        "fit": fit.fit,
        "calibrate": calibrate.calibrate,
        "probe": probe.probe,
        "evaluate": evaluate.evaluate,
        "compare": compare.compare,
        "erase": erase.erase,
        "pair": pair.pair,
        "zero-shot": zero_shot.zero_shot,
        "captions": captions.captions,
        "confounds": confounds.confounds,
        "reproduce": reproduce.reproduce,
        "report": report.report,
        "figures": figures.figures,
    },
)
app.add_typer(encoders.app, name="encoders")
app.add_typer(labels.app, name="labels")


def main() -> None:
    """Runs the command line; what goes wrong is one line and an exit code, see :mod:`clip_smu.cli.ends`."""
    sys.exit(run(app))
