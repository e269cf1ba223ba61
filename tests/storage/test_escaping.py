"""Names from files reach terminals and spreadsheets without effect, and our own csv still names the same photos."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_smu.cli import show
from clip_smu.encoders.locate import card
from clip_smu.evaluation import write_table
from clip_smu.labels.join import join
from clip_smu.labels.labels import Labels
from clip_smu.photos.names import match
from clip_smu.photos.spelling import clean
from clip_smu.storage.escaping import cell, uncelled, visible
from clip_smu.templates import read_templates
from clip_smu.templates.shards import save_templates
from faces import dlib_like

NAMES = (
    "ann/\x1b[2J\x1b]0;owned\x07.jpg",
    "ann/two\nlines\r.jpg",
    "ann/\u202egpj.exe",
    "ann/\x9b31mred\x7f.jpg",
    "=cmd|'/c calc'!A1.jpg",
    "+1+1.jpg",
    "-2+3.jpg",
    "@SUM(A1).jpg",
    "\t=1+1.jpg",
    "'quoted'.jpg",
    "plain/1.jpg",
)
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vectors = dlib_like(np.random.default_rng(0).normal(size=(len(NAMES), 128)))
    file = tmp_path_factory.mktemp("store") / "t.parquet"
    save_templates(file, vectors, list(NAMES), card("dlib"))
    return file


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "COLUMNS": "300",
        "PYTHONIOENCODING": "utf-8",
    }
    code = "from clip_smu.cli import main; main()"
    line = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, env=env)


@pytest.mark.parametrize("arguments", [("interpret", "--top", "1"), ("ask", "a hat", "--top", "20")])
def test_text_holds_nothing_that_a_terminal_obeys(arguments: tuple[str, ...], store: Path) -> None:
    done = run(*arguments, store)
    assert done.returncode == 0, done.stderr
    assert not OBEYED.search(done.stdout)
    for name in NAMES:
        assert (
            json.dumps(name)
            .strip('"')
            .replace("\\n", "\\u000a")
            .replace("\\r", "\\u000d")
            .replace("\\t", "\\u0009")
            .replace("\\u007f", "\x7f")
            .replace("\x7f", "\\u007f")
            in done.stdout
        )
    heads = [line for line in done.stdout.splitlines() if "two" in line]
    assert len(heads) == 1
    assert "lines" in heads[0]  # one name, one line


def test_json_gives_the_very_names(store: Path) -> None:
    done = run("interpret", "--json", "--top", "0", store)
    assert [json.loads(line)["image"] for line in done.stdout.splitlines()] == list(NAMES)


def test_errors_of_such_names_are_one_harmless_line(tmp_path: Path) -> None:
    done = run("interpret", tmp_path / "\x1b[2Jx\n\u202ey.jpg")
    assert done.returncode == 1
    assert not OBEYED.search(done.stderr)
    assert r"\u001b[2Jx \u202ey.jpg" in done.stderr


def test_csv_runs_nothing_and_names_the_same_photos(store: Path, tmp_path: Path) -> None:
    code, env = (
        "from clip_smu.cli import main; main()",
        {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    line = [sys.executable, "-c", code, "interpret", "--csv", "--attributes", "Male", str(store)]
    done = subprocess.run(line, stdout=subprocess.PIPE, env=env | {"PYTHONIOENCODING": "utf-8"})
    made = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert done.returncode == 0
    assert run("captions", store, "-o", tmp_path / "c.csv").returncode == 0
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as stream:
        captions = list(csv.DictReader(stream))
    for rows in (made, captions):
        written = [row["image"] for row in rows]
        assert [uncelled(one) for one in written] == list(NAMES)
        assert not [one for one in written if one[0] in "=+-@\t\r\n"]
        matches = match(written, read_templates(store).images)
        assert matches.at.tolist() == list(range(len(NAMES)))
    assert all(float(row["score"]) == float(row["score"]) for row in made)
    assert any(float(row["score"]) < 0 for row in made)  # a number stays a number


def test_labels_by_the_names_of_our_csv(store: Path) -> None:
    written = [str(cell(name)) for name in NAMES]
    labels = Labels(written, ["p"] * len(NAMES), np.ones((len(NAMES), 47), np.int8))
    assert len(join(read_templates(store), labels).labels) == len(NAMES)


def test_tables_for_spreadsheets(tmp_path: Path) -> None:
    table = pa.table({"method": ["=1+1", "a,b", None], "value": [-0.5, 1.0, None]})
    write_table(table, tmp_path / "t.csv")
    assert list(csv.reader((tmp_path / "t.csv").read_text().splitlines())) == [
        ["method", "value"], ["'=1+1", "-0.5"], ["a,b", "1"], ["", ""],
    ]  # fmt: skip
    write_table(table, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text())[0]["method"] == "=1+1"


def test_csv_on_a_terminal_is_harmless_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        show.csv_rows()(["a\x1b[2J", "=1", -1])
        terminal.flush()
        monkeypatch.undo()
        told = os.read(ours, 1000).decode()
    os.close(ours)
    assert told.strip() == r"a\u001b[2J,'=1,-1"


@given(st.text())
def test_visible_is_harmless_and_keeps_the_rest(text: str) -> None:
    shown = visible(text)
    assert not OBEYED.search(shown)
    assert "\n" not in shown
    assert visible(shown) == shown
    if text.isprintable() and text.isascii():
        assert shown == text
    assert json.loads(f'"{visible(json.dumps(text, ensure_ascii=False)[1:-1])}"') == text


@given(st.text())
def test_a_cell_comes_back(text: str) -> None:
    if text[:1] != "'":
        assert uncelled(str(cell(text))) == text
    assert str(cell(text))[:1] not in "=@\t\r" or not text
    assert clean(str(cell(text))) == clean(text) or text.strip() != text
