"""How commands end: signals, closed and full outputs, other encodings, errors of ours; and lines on the way."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clip_smu import cli
from clip_smu.cli import ends, signals
from clip_smu.encoders.locate import card
from clip_smu.errors import InputError
from clip_smu.templates.shards import save_templates
from faces import dlib_like
from places import LFW_READER
from waiting import wait_for

RUN = [sys.executable, "-c", "from clip_smu.cli import main\nif __name__ == '__main__': main()"]
STOPPED = "clip-smu: stopped; run the same command again to go on"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}


def shell(line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash in which $RUN is clip-smu."""
    quoted = f"{sys.executable} -c 'from clip_smu.cli import main; main()'"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line.replace('$RUN', quoted)}"],
        capture_output=True,
        env=environment(**more),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3000 made-up templates of dlib's length: more text than any buffer holds."""
    vectors = np.tile(dlib_like(np.random.default_rng(0).normal(size=(300, 128))), (10, 1))
    file = tmp_path_factory.mktemp("store") / "part-00000.parquet"
    save_templates(file, vectors, [f"p{row // 3}/{row}.jpg" for row in range(3000)], card("dlib"))
    return file


def told_of(errors: str) -> list[str]:
    """Lines of standard error, without those that say where a job on a slow machine is."""
    return [line for line in errors.splitlines() if not re.match(r"\d\d:\d\d:\d\d ", line)]


# ---------------------------------------------------------------- signals

DEAF = """
import sys, time
from clip_smu import cli
from clip_smu.cli import ends, signals
class Swallows:
    def __del__(self):
        print("ready", flush=True)
        end = time.monotonic() + 60
        while time.monotonic() < end: time.sleep(.01)
def quiet():
    print("ready", flush=True)
    time.sleep(60)
def destructor():
    Swallows()
    time.sleep(60)
def many_calls():
    import ctypes
    print("ready", flush=True)
    while True: ctypes.CDLL(None).usleep(1000)
def deaf_call():  # one call of native code, as a long product of matrices
    import hashlib
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1_000_000_000)
signals.PATIENCE_S = 2.0
sys.unraisablehook = lambda _: None
sys.exit(ends.run(globals()[sys.argv[1]]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("busy", ["quiet", "destructor", "many_calls", "deaf_call"])
def test_a_signal_is_never_ignored(busy: str, number: signal.Signals) -> None:
    """Also where the exception that it raises is swallowed, as in a destructor."""
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF, busy],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert told_of(told) == [STOPPED]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_extraction_says_so_leaves_nobody_and_goes_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    from clip_smu.encoders.card_files import write_card
    from toy_network import RIGHT, make_network, make_people

    (tmp_path / "people").mkdir()
    make_people(tmp_path / "people")
    make_network(tmp_path / "toy.onnx")
    write_card(tmp_path / "card.toml", RIGHT)
    (tmp_path / "slow").mkdir()  # every process that starts with it on its path crawls, workers too
    (tmp_path / "slow" / "sitecustomize.py").write_text(
        "import time\nfrom clip_smu.encoders import encoding\n"
        "plain = encoding.encode_photos\n"
        "def crawl(*a):\n    time.sleep(60)\n    return plain(*a)\n"
        "encoding.encode_photos = crawl\n"
    )
    arguments = ["extract", str(tmp_path / "people"), "-e", f"onnx:{tmp_path / 'toy.onnx'}", "--card"]
    arguments += [
        str(tmp_path / "card.toml"),
        "--align",
        "none",
        "-o",
        str(tmp_path / "t"),
        "--processes",
        "2",
    ]
    process = subprocess.Popen(
        [*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=environment(PYTHONPATH=os.pathsep.join([str(tmp_path / "slow"), *sys.path])),
    )  # fmt: skip
    wait_for(lambda: (tmp_path / "t" / "_job.json").exists())
    time.sleep(0.5)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(
        number
    )  # as a terminal does
    out, told = process.communicate(timeout=30)
    assert (process.returncode, out) == (128 + number, "")
    assert told_of(told) == [STOPPED]  # and nothing of the workers
    wait_for(lambda: not group(process.pid))
    done = subprocess.run([*RUN, *arguments], capture_output=True, text=True, env=environment())
    assert "120 photos: 120 templates" in done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_probe_that_was_ended_says_that_it_starts_anew(number: signal.Signals, tmp_path: Path) -> None:
    """As do evaluate and confounds, which keep no progress either."""
    pytest.importorskip("torch")
    from clip_smu.labels.writing import write_labels
    from faces import toy_card, toy_data

    table, labels = toy_data(80)
    save_templates(tmp_path / "t.parquet", table.vectors, table.images, toy_card())
    write_labels(labels, tmp_path / "l.csv")
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "slow.py").write_text(
        "import time\nfrom clip_smu.training import probes\nfrom clip_smu.cli import main\n"
        "def crawl(*_, **__):\n    print('training', flush=True)\n    time.sleep(60)\n"
        "probes._fit = crawl\nmain()\n"
    )
    arguments = ["probe", str(tmp_path / "t.parquet"), "-l", str(tmp_path / "l.csv"), "--folds", "2"]
    arguments += ["-o", str(tmp_path / "p")]
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "slow" / "slow.py"), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "training\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert told_of(told) == ["clip-smu: stopped; the same command starts anew"] * (number == signal.SIGINT)
    done = subprocess.run([*RUN, *arguments], capture_output=True, text=True, env=environment())
    again = f"clip-smu: an earlier run was ended in {tmp_path / 'p'} before it was done: this one starts anew"
    assert done.returncode == 0
    assert told_of(done.stderr) == [again] * (number == signal.SIGKILL)


@pytest.mark.parametrize("module", ["probe", "evaluate", "confounds"])
def test_commands_without_progress_of_their_own_say_so(module: str) -> None:
    import importlib

    assert importlib.import_module(f"clip_smu.cli.{module}").starts_anew is ends.starts_anew


def group(leader: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


def test_a_signal_before_the_command_begins_is_told_like_any_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise signals.Stopped(signal.SIGINT)

    monkeypatch.setattr(ends, "beating", interrupted)
    assert ends.run(lambda: None) == 130
    assert capsys.readouterr().err == f"{STOPPED}\n"


# ---------------------------------------------------------------- standard output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments",
    ["words", "interpret STORE -m READER --json", "interpret STORE -m READER --csv", "encoders list"],
)
def test_a_full_output_is_one_line(arguments: str, store: Path) -> None:
    done = shell(
        f"$RUN {arguments.replace('STORE', str(store)).replace('READER', str(LFW_READER))} > /dev/full"
    )
    assert done.returncode == 1
    full = "clip-smu: standard output could not be written: No space left on device"
    assert told_of(done.stderr.decode()) == [full]


@pytest.mark.parametrize("form", ["--json", "--csv", ""])
def test_a_reader_that_goes_is_one_line(form: str, store: Path) -> None:
    done = shell(f"$RUN interpret {store} -m {LFW_READER} {form} | head -1; echo ${{PIPESTATUS[0]}} >&2")
    told = told_of(done.stderr.decode())
    assert told == [
        "clip-smu: whoever read standard output has gone (as head does): the rest is not shown",
        "1",
    ]
    assert len(done.stdout.splitlines()) == 1


def test_closed_standard_descriptors(store: Path, tmp_path: Path) -> None:
    done = shell("$RUN words >&-")
    assert (done.returncode, done.stderr.decode().strip()) == (
        1, "clip-smu: standard output is closed: give it a place, for instance > /dev/null",
    )  # fmt: skip
    for closed in ("2>&-", "<&-", "2>/dev/full"):
        done = shell(f"$RUN words {closed}")
        assert (done.returncode, b"spectacles" in done.stdout) == (0, True), closed
        assert shell(f"$RUN interpret nothing-here {closed}").returncode == 1
    done = shell(f"$RUN interpret {store} -o {tmp_path / 'r'} >&- 2>&- <&-; echo $?")
    assert done.stdout == b"1\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_names_that_a_terminal_cannot_print_are_escaped(encoding: str, tmp_path: Path) -> None:
    name = "Zoë_жена_😀.jpg"
    vectors = dlib_like(np.random.default_rng(0).normal(size=(1, 128)))
    save_templates(tmp_path / "t.parquet", vectors, [name], card("dlib"))
    missing = f"{tmp_path}/{name}"
    for form in ("", "--json", "--csv"):
        done = shell(
            f"$RUN interpret {tmp_path / 't.parquet'} {form}", PYTHONIOENCODING=encoding, COLUMNS="200"
        )
        assert (done.returncode, told_of(done.stderr.decode(encoding))) == (0, []), done.stderr
        out = done.stdout.decode(encoding)
        if form == "--json":
            assert json.loads(out)["image"] == name
        elif encoding == "utf-8":
            assert name in out
        else:
            assert r"_\u0436\u0435\u043d\u0430_\ud83d\ude00.jpg" in out
    done = shell(f"$RUN interpret '{missing}'", PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    assert len(told_of(done.stderr.decode(encoding))) == 1


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("expected this,\nfound that"), 1, "expected this, found that"),
        (TypeError("unsupported"), 70, "internal error: TypeError in unknown: unsupported"),
        (RecursionError(), 70, "no message"),
        (MemoryError(), 1, "not enough memory"),
        (
            PermissionError(errno.EACCES, "Permission denied", "photo.jpg"),
            1,
            "Permission denied: 'photo.jpg'",
        ),
        (KeyboardInterrupt(), 130, "stopped"),
        (SystemExit(3), 3, ""),
        (SystemExit(None), 0, ""),
    ],
)
def test_every_error_is_one_line(
    error: BaseException,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ends.DEBUG, raising=False)

    def fails() -> None:
        raise error

    assert ends.run(fails) == code
    told = capsys.readouterr().err
    assert words in told
    assert len(told.splitlines()) == (1 if words else 0)
    assert "Traceback" not in told
    monkeypatch.setenv(ends.DEBUG, "1")
    assert ends.run(fails) == code
    assert ("Traceback" in capsys.readouterr().err) == (not isinstance(error, SystemExit))


def test_an_error_of_ours_names_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from clip_smu.interpreter import interpreter

    def broken(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(interpreter, "Path", broken)
    monkeypatch.setattr(sys, "argv", ["clip-smu", "words"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 70
    assert re.search(
        r"ValueError in interpreter/interpreter.py:\d+: odd. .*please report", capsys.readouterr().err
    )


def test_command_lines_that_cannot_be_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["nothing"], ["words", "--nothing"], []):
        monkeypatch.setattr(sys, "argv", ["clip-smu", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 2
