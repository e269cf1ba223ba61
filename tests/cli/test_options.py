"""The same thing has the same name in every command; names of before are still read; ``python -m clip_smu`` works."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import clip_smu
from clip_smu.cli import app
from clip_smu.cli.commands import OLD_NAMES, commands
from clip_smu.cli.options import Alignment, Faces
from command_tree import every_command
from faces import dlib_like


def test_an_option_is_called_the_same_everywhere() -> None:
    """One short form for each long one, and one long one for each parameter."""
    short, long, shorts = defaultdict(set), defaultdict(set), defaultdict(set)
    for _, command in every_command():
        for one in command.params:
            if one.param_type_name == "option" and one.name != "help":
                full = next(name for name in one.opts if name.startswith("--"))
                brief = tuple(name for name in one.opts if not name.startswith("--"))
                short[full].add(brief)
                long[one.name].add(full)
                for name in brief:
                    shorts[name].add(full)
    for found in (short, long, shorts):
        assert not {name: values for name, values in found.items() if len(values) > 1}
    for name, letter in {
        "method": "m",
        "encoder": "e",
        "templates": "t",
        "labels": "l",
        "output": "o",
    }.items():
        assert short[f"--{name}"] == {(f"-{letter}",)}
    assert not {f"--{name}" for name in OLD_NAMES} & set(short)


def test_names_of_before_are_read_and_not_shown(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", dlib_like(np.random.default_rng(0).normal(size=(1, 128))))
    said = [
        CliRunner().invoke(app, ["interpret", str(tmp_path / "t.npy"), "--json", *name, "dlib-faces"]).stdout
        for name in (["--method"], ["-m"], ["--interpreter"], ["-i"])
    ]
    assert json.loads(said[0])["readings"]
    assert len(set(said)) == 1
    wrong = CliRunner().invoke(app, ["labels", "show", str(tmp_path / "no.csv"), "--list", "no.txt"])
    assert "no.csv" in str(wrong.exception)
    assert "--interpreter" not in CliRunner().invoke(app, ["interpret", "--help"]).stdout


@dataclass(frozen=True)
class Drink:
    what: Annotated[str, typer.Argument()]
    cups: Annotated[int, typer.Option("--cups", "-c")] = 1


def test_a_bundle_is_flat_on_the_command_line() -> None:
    got: list[object] = []

    def serve(*, drink: Drink, hot: bool = False) -> None:
        """Serve a drink."""
        got.append((drink, hot))

    def wait() -> None:
        """Serve nothing."""

    serving = commands("A bar.", {"serve": serve, "wait": wait})
    for line in (["serve", "tea"], ["serve", "tea", "-c", "2", "--hot"]):
        assert CliRunner().invoke(serving, line).exit_code == 0
    assert got == [(Drink("tea"), False), (Drink("tea", 2), True)]
    shown = CliRunner().invoke(serving, ["serve", "--help"]).stdout
    assert "Serve a drink." in shown
    assert "-c, --cups INTEGER" in shown


@pytest.mark.parametrize("main_face", [False, True])
def test_options_of_faces_are_the_encoders(main_face: bool) -> None:
    from clip_smu.encoders.encoder import EncoderOptions

    path = Path("card.toml")
    assert Alignment(path, "hog", "none", "x.csv").encoder_options(main_face=main_face) == EncoderOptions(
        "hog", main_face=main_face, align="none", landmarks="x.csv"
    )
    assert Faces(path, "hog", "none", "x.csv", 2, 3).encoder_options(main_face=main_face) == EncoderOptions(
        "hog", upsample=2, jitter=3, main_face=main_face, align="none", landmarks="x.csv"
    )
    assert Alignment().encoder_options() == Faces().encoder_options() == EncoderOptions()


def test_python_dash_m() -> None:
    source = str(Path(clip_smu.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "clip_smu", "words"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": source},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "eyeglasses" in done.stdout.split()


def test_ctrl_c_while_the_command_line_is_loaded_is_silent() -> None:
    """From our first line on; before it, Python itself is starting."""
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from clip_smu.__main__ import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # the background of a shell ignores it
    )
    assert done.returncode == -signal.SIGINT
    assert not done.stderr


def test_a_signal_that_a_destructor_swallows_leaves_no_traceback() -> None:
    """It is sent once more; what Python prints of the first is no news."""
    code = (
        "import os, signal, time\n"
        "from clip_smu.cli import signals\n"
        "from clip_smu.cli.signals import Stopped, stopped_by_signals\n"
        "signals.PATIENCE_S = 1.0\n"
        "class Deaf:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(0.01)\n"
        "try:\n"
        "    with stopped_by_signals():\n"
        "        Deaf()\n"
        "        time.sleep(20)\n"
        "except Stopped as stopped:\n"
        "    print(stopped.number)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{signal.SIGINT.value}\n", "")
