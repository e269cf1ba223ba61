"""Outputs: refused before any work, in one line; two runs on one folder; kills inside --overwrite."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clip_smu import cli
from clip_smu.errors import InputError, StorageError
from clip_smu.storage.files import atomic, storage_errors
from clip_smu.storage.job_folders import JOB, LOCK, claim_folder, holds_files, writes_folder
from clip_smu.storage.output_paths import require_output

# command line before the output, whether the output is a folder, the option that names it; all inputs are missing
WRITERS = {
    "extract": (["extract", "no.jpg", "-e", "dlib"], True),
    "fit": (["fit", "no.npy", "-l", "no.csv"], True),
    "probe": (["probe", "no.npy", "-l", "no.csv"], True),
    "evaluate": (["evaluate", "no-method", "-t", "no.npy", "-l", "no.csv"], True),
    "confounds": (["confounds", "no-evaluation"], True),
    "erase": (["erase", "Male", "no.npy", "-l", "no.csv", "--train", "a", "--test", "b"], True),
    "zero-shot": (["zero-shot", "--text-encoder", "no.onnx"], True),
    "figures": (["figures", "no-evaluation"], True),
    "encoders convert": (["encoders", "convert", "no.pt", "--architecture", "adaface-ir18"], True),
    "report": (["report", "no-evaluation"], False),
    "captions": (["captions", "no.npy"], False),
    "compare": (["compare", "no-a", "no-b"], False),
    "labels convert": (["labels", "convert", "no.csv", "--from", "maad"], False),
    "labels prepare": (["labels", "prepare", "no.npy", "-l", "no.csv"], False),
    "labels doubt": (["labels", "doubt", "no.npy", "-l", "no.csv"], False),
}
NEEDS_TORCH = {"fit", "probe", "encoders convert"}


def bad_places(folder: Path) -> dict[str, str]:
    """What → a path where nothing can be written."""
    (folder / "file.csv").write_text("mine")
    (folder / "nowhere.csv").symlink_to(folder / "gone" / "x")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    os.mkfifo(folder / "pipe.csv")
    return {
        "device": "/dev/null",
        "in /dev": "/dev/out.csv",
        "in /proc": "/proc/self/out.csv",
        "below a file": str(folder / "file.csv" / "x.csv"),
        "deep below a file": str(folder / "file.csv" / "x" / "y.csv"),
        "below a device": "/dev/null/x.csv",
        "dangling link": str(folder / "nowhere.csv"),
        "looping link": str(folder / "loop.csv"),
        "pipe": str(folder / "pipe.csv"),
        "too long a name": str(folder / f"{'x' * 300}.csv"),
        "too long a path": str(folder / "/".join(["x" * 200] * 30)) + ".csv",
    }


BAD = (
    "device", "in /dev", "in /proc", "below a file", "deep below a file", "below a device", "dangling link",
    "looping link", "pipe", "too long a name", "too long a path",
)  # fmt: skip


def same(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(file.relative_to(folder)), file.lstat().st_mode) for file in folder.rglob("*"))


@pytest.mark.parametrize("place", BAD)
@pytest.mark.parametrize("folder", [True, False])
def test_bad_places_are_refused_and_kept(place: str, folder: bool, tmp_path: Path) -> None:
    path = bad_places(tmp_path)[place]
    before, null = same(tmp_path), Path("/dev/null").stat()
    with pytest.raises(InputError, match="choose another name"):
        require_output(path, folder=folder)
    with pytest.raises(InputError, match="choose another name"), atomic(Path(path)) as temporary:
        temporary.write_text("x")
    assert same(tmp_path) == before
    assert (null.st_mode, null.st_rdev) == (
        Path("/dev/null").stat().st_mode,
        Path("/dev/null").stat().st_rdev,
    )
    assert stat.S_ISCHR(null.st_mode)


def test_what_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for good in ("there", "link", "new", "new/deeper/still"):
        require_output(tmp_path / good, folder=True)
    (tmp_path / "file").write_text("old")
    for good in ("file", "new.csv", "new/a.csv", "x" * 250):
        require_output(tmp_path / good, folder=False)
        with atomic(tmp_path / good) as temporary:
            temporary.write_text("new")
        assert (tmp_path / good).read_text() == "new"
    if Path("/dev/shm").is_dir():
        require_output("/dev/shm/new", folder=True)
    with pytest.raises(InputError, match="found a folder"):
        require_output(tmp_path / "there", folder=False)
    with pytest.raises(InputError, match="found a file"):
        require_output(tmp_path / "file", folder=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="no permission"):
        require_output(tmp_path / "a", folder=True)


@pytest.mark.parametrize("command", WRITERS)
def test_every_command_looks_at_its_output_first(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its inputs do not exist either, and that is said later."""
    if command in NEEDS_TORCH:
        pytest.importorskip("torch")
        pytest.importorskip("onnx")
    arguments, _ = WRITERS[command]
    monkeypatch.chdir(tmp_path)
    bad_places(tmp_path)
    before = same(tmp_path)
    for output in ("/dev/null", "file.csv/x.csv", "loop.csv", "nowhere.csv", "pipe.csv"):
        monkeypatch.setattr(sys, "argv", ["clip-smu", *arguments, "-o", output])
        if output == "/dev/null" and command in ("captions", "compare", "labels convert"):
            continue  # refused by its ending
        with pytest.raises(SystemExit) as stop:
            cli.main()
        told = capsys.readouterr()
        assert (stop.value.code, told.out) == (1, "")
        assert f"to write at {output}, found" in " ".join(told.err.split()), told.err
        assert len(told.err.splitlines()) == 1
    assert same(tmp_path) == before
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_folder_that_vanishes_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(StorageError, match="its folder is gone"), storage_errors(folder / "a"):
        folder.rmdir()
        (folder / "a").write_text("x")
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path / "a"):
        (tmp_path / "elsewhere" / "input").read_text()  # not the output: not to be told as such


# ---------------------------------------------------------------- two runs on one folder

HOLD = """
import sys, time
from pathlib import Path
from clip_smu.storage.job_folders import writes_folder
@writes_folder
def job(output):
    print("held", flush=True)
    time.sleep(60)
job(sys.argv[1])
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds tmp_path/out."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@writes_folder
def write_something(output: Path, *, fail: bool = False) -> str:
    claim_folder(output, {"command": "test"})
    if fail:
        raise InputError("no")
    (output / "part").write_text("done")
    return "done"


def test_the_second_run_is_told_who_holds_it(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=rf"another run \(process {holder.pid} on .*, since 20\d\d-.*\) is writing"
    ):
        write_something(tmp_path / "out")
    holder.kill()  # -9: the lock goes with the process, whatever it left
    holder.wait()
    assert (tmp_path / "out" / LOCK).exists()
    assert write_something(tmp_path / "out") == "done"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [JOB, "part"]


def test_a_job_that_fails_early_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no"):
        write_something(tmp_path / "new" / "out", fail=True)
    assert not list(tmp_path.iterdir())
    write_something(tmp_path / "out")
    with pytest.raises(InputError, match="no"):
        write_something(tmp_path / "out", fail=True)
    assert (tmp_path / "out" / "part").read_text() == "done"


def test_commands_hold_their_folder(
    holder: subprocess.Popen[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no.jpg").touch()
    for command in ("extract", "fit", "probe", "evaluate", "confounds", "erase", "zero-shot"):
        monkeypatch.setattr(sys, "argv", ["clip-smu", *WRITERS[command][0], "-o", "out"])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 1
        assert f"(process {holder.pid} on" in capsys.readouterr().err, command


# ---------------------------------------------------------------- kills inside --overwrite

CLEAR = """
import os, sys, time
from pathlib import Path
from clip_smu.storage import job_folders
plain = Path.unlink
def slow(self, *args, **kwargs):
    plain(self, *args, **kwargs)
    if self.name.startswith("part"):
        print("removed", flush=True)
        time.sleep(60)
Path.unlink = slow
job_folders.claim_folder(Path(sys.argv[1]), {"job": "new"}, overwrite=True)
"""


def test_killed_inside_overwrite_the_same_command_heals_it(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    claim_folder(folder, {"job": "old"})
    for number in range(5):
        (folder / f"part-{number}").write_text("old")
    process = subprocess.Popen([sys.executable, "-c", CLEAR, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "removed\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert len(list(folder.glob("part-*"))) == 4
    with pytest.raises(InputError, match="another job"):
        claim_folder(folder, {"job": "old"})
    claim_folder(folder, {"job": "new"})  # without --overwrite, as a stage of reproduce would
    assert [file.name for file in folder.iterdir()] == [JOB]
    assert json.loads((folder / JOB).read_text()) == {"job": "new"}


def test_what_a_killed_run_was_just_writing_is_no_stranger(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f".{JOB}.4711.tmp").write_text("{")
    (folder / LOCK).write_text("{}")
    assert not holds_files(folder)
    claim_folder(folder, {"job": "new"})
    assert sorted(file.name for file in folder.iterdir()) == [JOB, LOCK]
    (folder / JOB).write_text("{ cut off")
    with pytest.raises(InputError, match="another job"):
        claim_folder(folder, {"job": "new"})
    claim_folder(folder, {"job": "new"}, overwrite=True)


def test_a_probe_killed_between_its_two_files_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom clip_smu.interpreter import folder\n"
        "from clip_smu.training.probes import *\n"
        "from faces import toy_data\nplain = folder.write_sealed\n"
        "def slow(*args):\n    print('weights', flush=True)\n    time.sleep(60)\n"
        "folder.write_sealed = slow if sys.argv[2] == 'slow' else plain\n"
        "made = fit_probe(*toy_data(80), sys.argv[1], config=ProbeConfig(folds=2))\nprint(made.name, flush=True)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", code, str(tmp_path / "probe")]
    process = subprocess.Popen([*run, "slow"], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "weights\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert (tmp_path / "probe" / "weights.safetensors").exists()
    done = subprocess.run([*run, "plain"], capture_output=True, text=True, env=env)
    assert done.stdout == "probe\n", done.stderr
    assert sorted(file.name for file in (tmp_path / "probe").iterdir()) == [
        "probe.json",
        "weights.safetensors",
    ]
