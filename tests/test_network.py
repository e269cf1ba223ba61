"""Nothing leaves: no command but `encoders pull` opens an internet socket, and no library leaves notes at home."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import clip_smu
from clip_smu.cli import app
from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.errors import EncoderError
from clip_smu.storage.onnx_sessions import onnx_session
from no_internet import why_not
from toy_network import RIGHT, SIDE, make_network

SOURCE = Path(clip_smu.__file__).parent
HERE = Path(__file__).parent
FETCHES = {
    "encoders pull"
}  # the one command that is there to fetch; it is told where, and sends nothing but that
FLUSH_S = 15  # ONNX Runtime's telemetry goes out some ten seconds after the first session

needs_filter = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def python(code: str, *arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a new process whose home is empty, as a user's machine would."""
    quiet = {"ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"}
    env = {key: value for key, value in os.environ.items() if key not in quiet}
    env |= {
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(SOURCE.parent), str(HERE / "support")]),
        **more,
    }
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=env)


@needs_filter
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_filter_sees_a_socket(family: str, tmp_path: Path) -> None:
    code = (
        "import socket, subprocess, sys\nfrom no_internet import forbid_internet\nforbid_internet()\n"
        "socket.socketpair()\nprint('between processes', flush=True)\n"
        f"sys.exit(subprocess.run([sys.executable, '-c', 'import socket; socket.socket(socket.{family})']).returncode)"
    )
    done = python(code, home=tmp_path)
    assert done.stdout == "between processes\n"
    assert done.returncode == 256 - signal.SIGSYS


@needs_filter
def test_no_command_opens_an_internet_socket(tmp_path: Path) -> None:
    """Every command on small inputs, extract's workers too, under a filter that ends the process at the first one."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    pytest.importorskip("matplotlib")
    home, folder = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    folder.mkdir()
    code = "import every_command, sys, pathlib\nif __name__ == '__main__':\n"
    code += "    every_command.main(pathlib.Path(sys.argv[1]), internet=False)"
    done = python(code, str(folder), home=home)
    assert done.returncode == 0, done.stderr[-4000:]
    codes = json.loads((folder / "codes.json").read_text())
    assert codes["ask"] in (
        [0],
        [1],
    )  # refused where a quick fit on made-up faces reads no better than chance
    assert {name: ends for name, ends in codes.items() if any(ends) and name != "ask"} == {
        "encoders heads": [1]
    }, done.stderr
    assert set(codes) == _names() - FETCHES
    kept = {file.relative_to(home).parts[:2] for file in home.rglob("*") if file.is_file()}
    assert kept <= {(".cache", "matplotlib"), (".config", "matplotlib")}  # its list of fonts


@pytest.mark.slow
@needs_filter
def test_no_session_tells_its_maker(tmp_path: Path) -> None:
    """A session that lives as long as the telemetry of ONNX Runtime needs to be sent."""
    pytest.importorskip("onnx")
    model = make_network(tmp_path / "toy.onnx")
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys, time\nfrom no_internet import forbid_internet\nforbid_internet()\n"
        "import clip_smu.storage.onnx_sessions as rooms\nfrom pathlib import Path\n"
        "session = rooms.onnx_session(Path(sys.argv[1]))\ntime.sleep(float(sys.argv[2]))"
    )
    started = time.monotonic()
    done = python(code, str(model), str(FLUSH_S), home=home)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started >= FLUSH_S
    assert not [file for file in home.rglob("*") if file.is_file()]


def _names() -> set[str]:
    """Of all commands."""
    found = {info.callback.__name__.replace("_", "-") for info in app.registered_commands if info.callback}
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found |= {
            f"{group.name} {info.name or info.callback.__name__}"
            for info in group.typer_instance.registered_commands
            if info.callback
        }
    return found


def test_one_room_imports_onnx_runtime() -> None:
    rooms = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "onnxruntime" for name in named):
                rooms.add(file.name)
    assert rooms == {"onnx_sessions.py"}


def test_the_switches_are_set_before_anything_is_imported(tmp_path: Path) -> None:
    code = (
        "import os, sys, clip_smu\n"
        "assert not {'onnxruntime', 'huggingface_hub', 'transformers'} & set(sys.modules)\n"
        "names = ('ORT_DISABLE_TELEMETRY', 'HF_HUB_DISABLE_TELEMETRY', 'DISABLE_SAFETENSORS_CONVERSION')\n"
        "print([os.environ[name] for name in names])"
    )
    done = python(code, home=tmp_path, ORT_DISABLE_TELEMETRY="0")
    assert done.stdout.strip() == "['1', '1', '1']", done.stderr


@pytest.mark.parametrize("place", ["absolute", "above", "link"])
def test_weights_outside_a_networks_folder_are_refused(place: str, tmp_path: Path) -> None:
    """A network whose weights are said to lie in a file of the system (1.19 of ONNX Runtime read it)."""
    onnx = pytest.importorskip("onnx")
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones((3 * SIDE * SIDE, 64), np.float32).tobytes())
    home = tmp_path / "model"
    home.mkdir()
    (home / "link.bin").symlink_to(secret)
    (home / "inside.bin").write_bytes(secret.read_bytes())
    where = {"absolute": str(secret), "above": "../secret", "link": "link.bin"}[place]

    def network(location: str) -> Path:
        model = onnx.load(make_network(tmp_path / "toy.onnx"))
        (tensor,) = model.graph.initializer
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", str(secret.stat().st_size))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        (home / "toy.onnx").write_bytes(model.SerializeToString())
        return home / "toy.onnx"

    pixels = np.ones((1, 3, SIDE, SIDE), np.float32)
    assert np.allclose(onnx_session(network("inside.bin")).run(None, {"image": pixels})[0], 1)  # tanh(768)
    with pytest.raises(EncoderError, match="cannot load it"):
        OnnxEncoder(RIGHT, network(where), EncoderOptions(align="none"))


def test_the_oldest_onnx_runtime_refuses_them_too() -> None:
    """1.23.2 reads all three of the cases above, 1.24.1 none of them (each tried by hand)."""
    assert '"onnxruntime>=1.24.1"' in (HERE.parent / "pyproject.toml").read_text()
