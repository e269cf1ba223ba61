"""``--data`` of fit and probe: several data sets on the command line, or in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clip_smu.interpreter.probe import load_probe
from clip_smu.labels.lists import write_list
from clip_smu.labels.writing import write_labels
from clip_smu.templates.shards import save_templates
from faces import toy_data

pytest.importorskip("torch")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with the data sets ``a`` and ``b, c``, which have photos and persons of the same names."""
    for seed, name in enumerate(("a", "b, c")):
        faces, labels = toy_data(60, seed)
        values = labels.values.copy()
        values[:, :seed] = 0
        (tmp_path / name).mkdir()
        assert faces.card is not None
        save_templates(tmp_path / name / "t.parquet", faces.vectors, faces.images, faces.card)
        write_labels(replace(labels, values=values), tmp_path / name / "l.csv")
        write_list(faces.images[:48], tmp_path / name / "train.txt")
        write_list(faces.images[48:], tmp_path / name / "test.txt")
    return tmp_path


def test_two_data_sets_and_what_was_read_of_each(two: Path, command: Command) -> None:
    first = f"a={two}/a/t.parquet,{two}/a/l.csv,{two}/a/train.txt,{two}/a/test.txt"
    second = f'b="{two}/b, c/t.parquet","{two}/b, c/l.csv"'
    code, out, err = command("probe", "--data", first, "--data", second, "--folds", "2", "-o", two / "it")
    assert (code, err) == (0, "")
    counts = [
        int((toy_data(60, seed)[1].values[:rows, seed:] != 0).sum()) for seed, rows in ((0, 48), (1, 60))
    ]
    rows = [line.split() for line in out.splitlines()[:3]]
    assert rows == [
        ["source", "photos", "persons", "labels", "known", "attributes", "test", "photos", "test", "persons"],
        ["a", "48", "12", f"{counts[0]:,}", "47", "12", "3"],
        ["b", "60", "15", f"{counts[1]:,}", "46", "-", "-"],
    ]
    assert "from 12 faces of the test list of a, whose persons do not occur in training" in out

    (two / "sources.toml").write_text(
        '[a]\ntemplates = "a/t.parquet"\nlabels = "a/l.csv"\ntrain = "a/train.txt"\ntest = "a/test.txt"\n'
        '[b]\ntemplates = "b, c/t.parquet"\nlabels = "b, c/l.csv"\n'
    )
    made = load_probe(two / "it").provenance["job"]
    code, _, err = command("probe", "--data", two / "sources.toml", "--folds", "2", "-o", two / "again")
    assert (code, err) == (0, "")
    assert load_probe(two / "again").provenance["job"] == made


@pytest.mark.parametrize("name", ["fit", "probe"])
def test_one_way_or_the_other(two: Path, command: Command, name: str) -> None:
    data = ["--data", f"a={two}/a/t.parquet,{two}/a/l.csv"]
    for given, told in (
        ([], "found no templates and no labels: give one or the other"),
        ([two / "a/t.parquet"], "found no labels: give one or the other"),
        ([two / "a/t.parquet", *data], "found both: give all as --data"),
        ([*data, "--test", two / "a/test.txt"], "found both: give all as --data"),
        ([*data, *data], "found a twice: rename one"),
        (["--data", "a"], "expected a source as NAME=TEMPLATES,LABELS[,TRAIN[,TEST]], found 'a'"),
    ):
        code, out, err = command(name, *given, "-o", two / "it")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert told in err
        assert not (two / "it").exists()


def test_the_column_is_that_of_all(two: Path, command: Command) -> None:
    data = [f"{name[0]}={two}/{name}/t.parquet,{two}/{name}/l.csv" for name in ("a",)]
    code, _, err = command("probe", "--data", *data, "--column", "nothing", "-o", two / "it")
    assert code == 1
    assert err.startswith("clip-smu: source a: ")
    assert "nothing" in err
