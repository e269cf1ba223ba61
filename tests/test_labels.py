"""The MAAD form: read, refused, joined."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from clip_smu.attributes import NAMES
from clip_smu.errors import LabelError
from clip_smu.labels import Labels, join, read_labels, read_list
from clip_smu.templates import Templates


def write(path: Path, rows: list[list[object]], header: list[str] | None = None) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header or ["Filename", "Identity", *NAMES], *rows])
    return path


def templates(images: list[str], faces: list[int] | None = None) -> Templates:
    n = len(images)
    return Templates(
        np.eye(n, 4, dtype=np.float32),
        images,
        np.array(faces or [0] * n, np.int16),
        [""] * n,
        np.ones(n, np.float32),
        None,
    )


def test_reads_lfw_as_the_csv_module_does(shared: Path) -> None:
    path = shared / "data/lfw/lfw_maad47.csv"
    labels = read_labels(path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert labels.images == [row["Filename"] for row in rows]
    assert labels.identities == [row["Identity"] for row in rows]
    np.testing.assert_array_equal(labels.values, [[int(row[name]) for name in NAMES] for row in rows])


def test_columns_go_by_name(tmp_path: Path) -> None:
    header = ["Extra", *reversed(NAMES), "Filename"]
    values = [k % 3 - 1 for k in range(47)]
    labels = read_labels(write(tmp_path / "a.csv", [["x", *reversed(values), "p/a.jpg"]], header))
    assert labels.values.tolist() == [values]
    assert labels.identities == ["p"]


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([["a", "p", *[0] * 46]], ["Filename", "Identity", *NAMES[:-1]], "lacks the column Attractive"),
        ([["a", "p", *[0] * 46, 2]], None, "row 2, column Attractive: expected 1, 0 or -1, found '2'"),
        ([["a", "p", *[0] * 47], ["b", "p", "yes", *[0] * 46]], None, "row 3, column Male: .* found 'yes'"),
        ([["a", "p", *[0] * 47]] * 2, None, "1 photos twice, the first is a"),
        ([["a", "p"]], None, "not a csv in the MAAD form"),
    ],
)
def test_refuses(tmp_path: Path, rows: list[list[object]], header: list[str] | None, words: str) -> None:
    with pytest.raises(LabelError, match=words):
        read_labels(write(tmp_path / "a.csv", rows, header))


def test_refuses_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no such labels file"):
        read_labels(tmp_path / "no.csv")
    with pytest.raises(LabelError, match="no such list"):
        read_list(tmp_path / "no.txt")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(LabelError, match="empty"):
        read_list(tmp_path / "empty")
    with pytest.raises(LabelError, match="MAAD form"):
        read_labels(tmp_path / "empty")


def test_join_keeps_the_main_face_and_counts_the_rest() -> None:
    labels = Labels(["p/a.jpg", "q/b.jpg", "q/c.jpg"], ["p", "q", "q"], np.eye(3, 47, dtype=np.int8))
    joined = join(templates(["q/b.jpg", "q/b.jpg", "z/z.jpg", "p/a.jpg"], [0, 1, 0, 0]), labels)
    assert joined.templates.images == ["q/b.jpg", "p/a.jpg"]
    assert joined.templates.identities == ["q", "p"]
    assert joined.labels.argmax(axis=1).tolist() == [1, 0]
    assert (joined.unlabelled, joined.without_template) == (1, 1)
    only = join(templates(["q/b.jpg", "p/a.jpg"]), labels, ["p/a.jpg"])
    assert only.templates.images == ["p/a.jpg"]


def test_join_by_the_last_two_parts_where_nothing_else_matches() -> None:
    labels = Labels(["p/a.jpg"], ["p"], np.ones((1, 47), np.int8))
    assert join(templates(["train/p/a.jpg"]), labels).templates.images == ["train/p/a.jpg"]
    with pytest.raises(LabelError, match="no photo has both"):
        join(templates(["r/a.jpg"]), labels)
    with pytest.raises(LabelError, match="no photo of the list has a label"):
        join(templates(["p/a.jpg"]), labels, ["r/r.jpg"])
