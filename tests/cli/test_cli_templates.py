"""Commands on templates of others: the column that is asked for, and rows without a template counted by each."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_smu import cli
from clip_smu.words.attributes import NAMES

Run = Callable[..., tuple[int, str, str]]
COUNT = 12
WHY = {2: "missing (null)", 5: "empty", 7: "of length 3, not 128"}


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve faces near that of the example, three without a template, in a column that only its owner can name."""
    pytest.importorskip("dlib")
    pytest.importorskip("skimage")
    import clip_smu

    photo = clip_smu.decode(clip_smu.example_photo().read_bytes())
    face = clip_smu.load_encoder("dlib").encode([photo])[0][0].template
    noise = np.random.default_rng(0).normal(scale=0.005, size=(COUNT, len(face)))
    rows: list[object] = (face + noise).astype(np.float32).tolist()
    rows[2], rows[5], rows[7] = None, [], [1.0, 2.0, 3.0]
    folder = tmp_path_factory.mktemp("vendor")
    table = {
        "face_vec": pa.array(rows),
        "url": ["x"] * COUNT,
        "filename": [f"p{row // 2}/{row}.jpg" for row in range(COUNT)],
    }
    pq.write_table(pa.table(table), folder / "v.parquet")
    with (folder / "labels.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["Filename", "Identity", *NAMES])
        for row, name in enumerate(table["filename"]):
            writer.writerow([name, f"p{row // 2}", *(1 if (row + k) % 2 else -1 for k in range(len(NAMES)))])
    return folder / "v.parquet"


def test_a_column_must_be_named(command: Run, vendor: Path, tmp_path: Path) -> None:
    for asked in (
        ["interpret", vendor],
        ["interpret", vendor, "-o", tmp_path / "o"],
        ["ask", "smiling", vendor],
        ["captions", vendor, "-o", tmp_path / "c.csv"],
    ):
        code, _, err = command(*asked)
        assert code == 1
        assert "it has: face_vec, url, filename): name it with --column" in err


def test_interpret_and_ask_tell_each_row(command: Run, vendor: Path) -> None:
    code, out, err = command("interpret", vendor, "--column", "face_vec", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, len(rows)) == (1, COUNT)
    assert {row["image"]: row["message"] for row in rows if "rejected" in row} == {
        f"p{row // 2}/{row}.jpg": f"the template is {why}" for row, why in WHY.items()
    }
    assert "3 of 12 gave nothing" in err
    code, out, err = command("ask", "smiling", vendor, "--column", "face_vec", "--top", "20")
    assert (code, len(out.splitlines())) == (1, COUNT - 3)
    for why in WHY.values():
        assert f"the template is {why}" in err


def test_readings_and_captions_keep_each_row(command: Run, vendor: Path, tmp_path: Path) -> None:
    code, out, _ = command("interpret", vendor, "--column", "face_vec", "-o", tmp_path / "r")
    assert (code, f"{COUNT} templates read" in out) == (1, True)
    told = pq.read_table(tmp_path / "r/v.parquet")["rejected"].to_pylist()
    assert {row: why for row, why in enumerate(told) if why} == WHY
    command("captions", vendor, "--column", "face_vec", "-o", tmp_path / "c.csv")
    with (tmp_path / "c.csv").open() as file:
        told = [row["rejected"] for row in csv.DictReader(file)]
    assert {row: why for row, why in enumerate(told) if why} == WHY


def test_evaluate_counts_each_reason(command: Run, vendor: Path, tmp_path: Path) -> None:
    labels = vendor.with_name("labels.csv")
    where = ["-t", vendor, "--column", "face_vec", "-l", labels]
    code, _, err = command("evaluate", "dlib-faces", *where, "-o", tmp_path / "e", "--rounds", "0")
    assert code == 0, err
    manifest = json.loads((tmp_path / "e/evaluation.json").read_text())
    assert manifest["unusable"] == dict.fromkeys(WHY.values(), 1)
    assert "3 unusable templates" in err


def test_pair_and_labels_take_a_column(command: Run, vendor: Path) -> None:
    code, out, err = command(
        "pair", f"{vendor}::p0/0.jpg", f"{vendor}::p0/1.jpg", "--column", "face_vec", "--top", "0"
    )
    assert code == 0, err
    assert out
    code, _, err = command(
        "pair", f"{vendor}::p0/0.jpg", f"{vendor}::p1/2.jpg", "--column", "face_vec", "--top", "0"
    )
    assert (code, "p1/2.jpg is missing (null)" in err) == (1, True)
    code, out, _ = command(
        "labels", "show", vendor.with_name("labels.csv"), "--templates", vendor, "--column", "face_vec"
    )
    assert code == 0
    assert "3 unusable templates" in out


def test_every_command_that_reads_templates_has_the_option() -> None:
    import typer

    root = typer.main.get_command(cli.app)
    commands = {**root.commands, **root.commands["labels"].commands}  # type: ignore[attr-defined]
    reads = {
        name
        for name, command in commands.items()
        if any("templates" in (option.name, (option.help or "").lower()[:9]) for option in command.params)
        or any("TEMPLATES" in (option.metavar or "") for option in command.params)
    }
    assert reads >= {
        "interpret",
        "ask",
        "fit",
        "probe",
        "evaluate",
        "confounds",
        "erase",
        "captions",
        "zero-shot",
    }
    for name in sorted(reads | {"pair", "show", "prepare"}):
        assert "--column" in [opt for option in commands[name].params for opt in option.opts], name


def test_nothing_to_read_is_an_error(command: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.empty((0, 128), np.float32))
    for more in ((), ("-o", tmp_path / "r")):
        code, out, err = command("interpret", tmp_path / "t.npy", *more)
        assert (code, out) == (1, "")
        assert "holds no template" in err
    assert not (tmp_path / "r").exists()
