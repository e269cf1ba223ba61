"""Inputs that once ended in an error that was not ours: each ends in an answer, or in one line of ours, and soon.

The doors and the files' form are those of :mod:`fuzz.doors`; ``make slow`` looks for more.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.doors import DOORS, KINDS, knock
from fuzz.mutate import mutated
from fuzz.seeds import seeds

CORPUS = Path(__file__).parent / "fuzz/corpus"
KEPT = sorted(file.relative_to(CORPUS).as_posix() for file in CORPUS.rglob("*") if file.is_file())


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """Thirty seconds, ample on any machine for what takes milliseconds."""

    def late(*_: object) -> None:
        raise TimeoutError("over 30 seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_every_door_has_a_corpus() -> None:
    assert {one.partition("/")[0] for one in KEPT} <= set(DOORS)
    assert len(KEPT) >= 24


def test_a_door_that_there_is_not_is_refused() -> None:
    command = [sys.executable, str(CORPUS.parent), "images", "nowhere", "--seconds", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "no door is called nowhere: choose from " in ended.stderr.splitlines()[-1]
    assert ended.stdout == ""


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.filterwarnings("ignore")
def test_what_was_found_once(kept: str, tmp_path: Path) -> None:
    door = kept.partition("/")[0]
    knock(door, (CORPUS / kept).read_bytes(), tmp_path)


@pytest.mark.parametrize("door", sorted(DOORS))
def test_seeds_pass_the_door(door: str, tmp_path: Path) -> None:
    """Else the fuzzer would only knock at a wall: of each kind of file one is taken whole."""
    taken = set()
    for data in seeds(door):
        DOORS[door](data, tmp_path)
        taken.add(data[:1])
        for file in tmp_path.iterdir():
            file.unlink()
    assert taken >= set(KINDS[door]) - {b"H", b"K"}


@pytest.mark.parametrize("door", sorted(DOORS))
@pytest.mark.filterwarnings("ignore")
def test_a_hundred_changes_of_each_seed(door: str, tmp_path: Path) -> None:
    """A glance of what ``make slow`` does for minutes."""
    for data in seeds(door):
        for number in range(100):
            knock(door, mutated(door, data, number), tmp_path)
