"""The MAAD form: read, refused, written, joined."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from clip_smu.errors import InputError, LabelError
from clip_smu.labels import reading as room
from clip_smu.labels.join import join
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list, write_list
from clip_smu.labels.reading import iter_labels, read_labels
from clip_smu.labels.writing import write_labels
from clip_smu.templates import Templates
from clip_smu.words.attributes import NAMES


def write(path: Path, rows: list[list[object]], header: list[str] | None = None) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header or ["Filename", "Identity", *NAMES], *rows])
    return path


def templates(images: list[str], faces: list[int] | None = None) -> Templates:
    n = len(images)
    return Templates(
        np.eye(max(n, 1), 4, dtype=np.float32)[:n] + 1,
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
        ([["a", "p", *[0] * 47], ["a", "p", *[0] * 46, 1]], None, "1 photos twice, the first is a"),
        ([["a", "p"]], None, "not a csv in the MAAD form"),
    ],
)
def test_refuses(tmp_path: Path, rows: list[list[object]], header: list[str] | None, words: str) -> None:
    with pytest.raises(LabelError, match=words):
        read_labels(write(tmp_path / "a.csv", rows, header))


def test_refuses_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"expected labels in the MAAD form at .*no\.csv, found none"):
        read_labels(tmp_path / "no.csv")
    with pytest.raises(LabelError, match=r"expected a list of photos at .*no\.txt, found none"):
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


def some(n: int, seed: int = 0) -> Labels:
    values = np.random.default_rng(seed).integers(-1, 2, (n, 47)).astype(np.int8)
    return Labels(
        [f"n{row // 4:06d}/{row:04d}_01.jpg" for row in range(n)],
        [f"n{row // 4:06d}" for row in range(n)],
        values,
    )


def same(one: Labels, other: Labels) -> None:
    assert (one.images, one.identities) == (other.images, other.identities)
    np.testing.assert_array_equal(one.values, other.values)
    assert one.values.dtype == np.int8


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    written = some(1000)
    write_labels(written, tmp_path / f"l.{ending}")
    same(read_labels(tmp_path / f"l.{ending}"), written)


def test_a_written_csv_is_plain_or_quoted_where_it_must_be(tmp_path: Path) -> None:
    write_labels(some(3), tmp_path / "plain.csv")
    assert '"' not in (tmp_path / "plain.csv").read_text()
    odd = Labels(['a, "b"/1.jpg', "c\nd/2.jpg"], ["a, b", ""], np.ones((2, 47), np.int8))
    write_labels(odd, tmp_path / "odd.csv")
    with (tmp_path / "odd.csv").open(newline="") as file:
        assert [row["Filename"] for row in csv.DictReader(file)] == odd.images
    with pytest.raises(InputError, match=r"written as \.csv or \.parquet, not 'l\.txt'"):
        write_labels(odd, tmp_path / "l.txt")


def test_batches_are_the_whole_and_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_BLOCK", 4096)
    monkeypatch.setattr(room, "BATCH_ROWS", 100)
    whole = some(1000)
    for name in ("l.csv", "l.parquet"):
        write_labels(whole, tmp_path / name)
        parts = list(iter_labels(tmp_path / name))
        assert len(parts) >= 10
        assert max(len(part.images) for part in parts) <= 100
        same(read_labels(tmp_path / name), whole)


def test_a_bad_row_far_into_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_BLOCK", 4096)
    whole = some(1000)
    rows = [
        [image, who, *map(str, values)]
        for image, who, values in zip(whole.images, whole.identities, whole.values, strict=True)
    ]
    for cell, found in (("yes", "found 'yes'"), ("", "found ''"), ("7", "found '7'"), ("300", "found '300'")):
        rows[876][5] = cell  # type: ignore[index]
        with pytest.raises(LabelError, match=f"row 878, column Senior: expected 1, 0 or -1, {found}"):
            read_labels(write(tmp_path / "a.csv", rows))  # type: ignore[arg-type]
    rows[876][5] = "0"
    rows[877] = rows[877][:-1]
    with pytest.raises(LabelError, match="not a csv in the MAAD form"):
        read_labels(write(tmp_path / "a.csv", rows))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.float64(), pa.string(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_parquet_of_other_writers(tmp_path: Path, kind: pa.DataType) -> None:
    """pandas writes int64, or float64 where it once had gaps; persons may be numbers."""
    whole = some(50)
    columns = {name: pa.array(whole.values[:, k].tolist()) for k, name in reversed(list(enumerate(NAMES)))}
    via = pa.string() if pa.types.is_dictionary(kind) else kind
    table = pa.table(
        {
            name: column.cast(via).dictionary_encode() if via != kind else column.cast(kind)
            for name, column in columns.items()
        }
        | {"Identity": pa.array(range(50)), "other": ["x"] * 50, "Filename": whole.images}
    )
    pq.write_table(table, tmp_path / "no-ending")
    same(read_labels(tmp_path / "no-ending"), Labels(whole.images, [str(k) for k in range(50)], whole.values))


def test_a_bad_value_in_parquet_is_named(tmp_path: Path) -> None:
    table = {"Filename": ["p/a.jpg", "p/b.jpg"]} | {name: [1, 0] for name in NAMES}
    for value, found in ((0.5, "0.5"), (None, ""), (-2, "-2")):
        pq.write_table(pa.table(table | {"Young": [1, value]}), tmp_path / "a.parquet")
        with pytest.raises(LabelError, match=f"row 2, column Young: expected 1, 0 or -1, found '{found}'"):
            read_labels(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    with pytest.raises(LabelError, match="not a whole Parquet file"):
        read_labels(tmp_path / "a.parquet")


def test_refuses_other_files(tmp_path: Path) -> None:
    header = ["Filename", "Identity", *NAMES]
    for name, header_, rows, words in (
        ("header", header, [], "but no row"),
        ("twice", [*header, "Male"], [["a", "p", *[0] * 48]], "column Male twice"),
        ("nameless", header, [["", "p", *[0] * 47]], "row 2, column Filename: expected a photo's name"),
        ("other", ["a", "b"], [["c", "d"]], "lacks the column Filename, Male, Young, .* and 43 more"),
    ):
        with pytest.raises(LabelError, match=words):
            read_labels(write(tmp_path / name, rows, header_))  # type: ignore[arg-type]
    (tmp_path / "photo.csv").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)))
    with pytest.raises(LabelError, match="in UTF-8, found byte 0xff on line 1"):
        read_labels(tmp_path / "photo.csv")


def test_a_row_word_for_word_twice_counts_once(tmp_path: Path) -> None:
    row: list[object] = ["p/a.jpg", "p", *[1] * 47]
    labels = read_labels(write(tmp_path / "a.csv", [row, ["p/b.jpg", "p", *[0] * 47], row, row]))
    assert (labels.images, labels.duplicates) == (["p/a.jpg", "p/b.jpg"], 2)
    assert labels.values.tolist() == [[1] * 47, [0] * 47]
    with pytest.raises(LabelError, match=r"1 photos twice, the first is p/a\.jpg"):
        read_labels(write(tmp_path / "a.csv", [row, ["p/a.jpg", "q", *[1] * 47]]))


def test_numbers_as_persons_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [["0012/a.jpg", "0012", *[0] * 47]])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_labels(path).identities == ["0012"]


def slow_join(faces: Templates, labels: Labels, only: list[str] | None) -> dict[str, int]:
    """Counts of a join, one photo after another."""
    seen: set[str] = set()
    counts = dict.fromkeys(("both", "no label", "off list", "template twice"), 0)
    joined = set()
    for image, face in zip(faces.images, faces.faces, strict=True):
        if face == 0 and image in seen:
            counts["template twice"] += 1
        elif face == 0:
            seen.add(image)
            if image not in labels.images:
                counts["no label"] += 1
            elif only is not None and image not in only:
                counts["off list"] += 1
            else:
                joined.add(image)
    counts["both"] = len(joined)
    wanted = set(labels.images) if only is None else set(labels.images) & set(only)
    counts["no template"] = len(wanted - joined)
    counts["list without label"] = len(set(only or ()) - set(labels.images))
    counts["label twice"] = len(labels.images) - len(set(labels.images))
    return counts


@pytest.mark.parametrize("seed", range(6))
def test_join_counts_as_a_slow_loop_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pool = np.array([f"p{k % 7}/{k}.jpg" for k in range(60)])

    def drawn(n: int) -> list[str]:
        chosen: NDArray[np.str_] = rng.choice(pool, n)
        return [str(name) for name in chosen]

    images = drawn(30)
    labels = Labels(drawn(40), [], rng.integers(-1, 2, (40, 47)).astype(np.int8))
    labels.identities.extend(name.partition("/")[0] for name in labels.images)
    faces = templates(images, rng.integers(0, 2, 30).tolist())
    only = drawn(30) if seed % 2 else None
    joined, want = join(faces, labels, only), slow_join(faces, labels, only)
    assert len(joined.labels) == len(joined.templates) == want["both"] > 0
    assert joined.unlabelled == want["no label"] + want["off list"]
    assert joined.not_listed == want["off list"]
    assert joined.without_template == want["no template"]
    assert joined.without_label == want["list without label"]
    assert joined.duplicate_templates == want["template twice"]
    assert joined.duplicate_labels == want["label twice"]
    for row, image in enumerate(joined.templates.images):
        first = labels.images.index(image)
        np.testing.assert_array_equal(joined.labels[row], labels.values[first])
        assert joined.templates.identities[row] == labels.identities[first]
        before = next(k for k, name in enumerate(images) if name == image and faces.faces[k] == 0)
        np.testing.assert_array_equal(joined.templates.vectors[row], faces.vectors[before])
    assert sum(joined.report().values()) == sum(want.values())


def test_lists_with_another_folder_in_front() -> None:
    labels = Labels(["p/a.jpg", "q/b.jpg"], ["p", "q"], np.ones((2, 47), np.int8))
    joined = join(templates(["train/p/a.jpg", "train/q/b.jpg"]), labels, ["train/q/b.jpg"])
    assert joined.templates.images == ["train/q/b.jpg"]
    assert (joined.not_listed, joined.without_label, joined.without_template) == (1, 0, 0)


def test_two_names_that_end_alike_are_refused_and_counted() -> None:
    labels = Labels(["p/a.jpg", "q/b.jpg"], ["p", "q"], np.ones((2, 47), np.int8))
    joined = join(templates(["train/p/a.jpg", "copy/p/a.jpg", "train/q/b.jpg"]), labels)
    assert joined.templates.images == ["train/q/b.jpg"]
    assert (joined.ambiguous, joined.duplicate_templates, joined.unlabelled) == (2, 0, 0)
    assert joined.report()["templates with an ambiguous name"] == 2
    assert joined.notes == (
        "2 templates have a name that may be of several photos; train/p/a.jpg: 1 known and 2 given "
        "names end in p/a.jpg",
    )
    with pytest.raises(
        LabelError, match=r"no photo has both .* \(ambiguous: train/p/a.jpg: .* end in p/a.jpg"
    ):
        join(templates(["train/p/a.jpg", "copy/p/a.jpg"]), labels)


def test_labels_without_folders_match_by_the_last_part_if_it_is_clear() -> None:
    labels = Labels(["000001.jpg", "000002.jpg"], ["7", "8"], np.ones((2, 47), np.int8))
    joined = join(templates(["img/000002.jpg"]), labels)
    assert joined.templates.identities == ["8"]
    with pytest.raises(LabelError, match="no photo has both"):
        join(templates(["p/000002.jpg", "q/000002.jpg"]), labels)


def test_a_written_list_is_read(tmp_path: Path) -> None:
    write_list(["p/a.jpg", "ü/b.jpg"], tmp_path / "l.txt")
    assert read_list(tmp_path / "l.txt") == ["p/a.jpg", "ü/b.jpg"]
