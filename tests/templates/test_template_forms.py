"""Templates in the forms that people have, each against NumPy's, pandas' or h5py's own reading of the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_smu.errors import TemplateError
from clip_smu.templates import Store, is_templates, iter_templates, read_templates
from places import DAMAGED

ROWS = np.random.default_rng(5).normal(size=(6, 16)).astype(np.float32)
NAMES = [f"p{k // 2}/{k}.jpg" for k in range(6)]


def parquet(path: Path, template: object, name: str = "template", **columns: object) -> Path:
    pq.write_table(pa.table({name: template, **columns}), path)
    return path


# ---------------------------------------------------------------- NumPy


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8", "i1", "u1", "<i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_number_and_order(tmp_path: Path, dtype: str, order: str) -> None:
    given = np.asarray(np.abs(ROWS * 40), dtype=dtype, order=order)
    np.save(tmp_path / "t.npy", given)
    read = read_templates(tmp_path / "t.npy")
    np.testing.assert_array_equal(read.vectors, np.load(tmp_path / "t.npy").astype(np.float32))
    assert (read.vectors.dtype, read.images[5]) == (np.float32, "t.npy:5")
    assert [len(part) for part in iter_templates(tmp_path / "t.npy", 4)] == [4, 2]


@pytest.mark.parametrize(
    ("given", "rows"), [(ROWS[0], ROWS[:1]), (ROWS[:, None], ROWS), (ROWS[:, :, None, None], ROWS)]
)
def test_npy_of_one_vector_and_of_network_outputs(
    tmp_path: Path, given: np.ndarray, rows: np.ndarray
) -> None:
    np.save(tmp_path / "t.npy", given)
    np.testing.assert_array_equal(read_templates(tmp_path / "t.npy").vectors, rows)


def test_npz(tmp_path: Path) -> None:
    file = tmp_path / "t.npz"
    np.savez(file, ROWS)
    np.testing.assert_array_equal(read_templates(file).vectors, ROWS)
    np.savez_compressed(file, embeddings=np.asfortranarray(ROWS), names=np.array(NAMES), labels=np.arange(6))
    read = read_templates(file)
    np.testing.assert_array_equal(read.vectors, ROWS)
    assert read.images == NAMES
    np.savez(file, left=ROWS, right=-ROWS)
    with pytest.raises(TemplateError, match=r"it has: left, right\): name it with --column"):
        read_templates(file)
    np.testing.assert_array_equal(read_templates(Store(file, "right")).vectors, -ROWS)
    np.savez(file, template=ROWS, names=np.array(NAMES, dtype=object))
    with pytest.raises(TemplateError, match="never loaded"):
        read_templates(file)


def test_large_npz_is_read_in_batches(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", template=ROWS)
    parts = list(iter_templates(tmp_path / "t.npz", 4))
    assert [part.images for part in parts] == [[f"t.npz:{k}" for k in range(4)], ["t.npz:4", "t.npz:5"]]
    np.testing.assert_array_equal(np.concatenate([part.vectors for part in parts]), ROWS)


# ---------------------------------------------------------------- text

WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "index": lambda frame, file: frame.to_csv(file),
    "no index": lambda frame, file: frame.to_csv(file, index=False),
    "bare": lambda frame, file: frame.to_csv(file, index=False, header=False),
    "excel": lambda frame, file: frame.to_csv(file, index=False, sep=";", decimal=",", encoding="utf-16"),
    "tabs": lambda frame, file: frame.to_csv(file, index=False, sep="\t", encoding="utf-8-sig"),
}


@pytest.mark.parametrize("way", WRITERS)
@pytest.mark.parametrize("named", [False, True])
def test_csv_as_pandas_and_excel_write_it(tmp_path: Path, way: str, named: bool) -> None:
    frame = pd.DataFrame(ROWS)
    if named:
        frame = frame.add_prefix("emb_")
        frame.insert(0, "filename", NAMES)
    WRITERS[way](frame, tmp_path / "t.csv")
    read = read_templates(tmp_path / "t.csv")
    np.testing.assert_array_equal(read.vectors, ROWS)
    if named:
        assert read.images == NAMES
    elif way == "index":
        assert read.images == [str(row) for row in range(6)]
    else:
        assert read.images == [f"t.csv:{row}" for row in range(6)]


def test_csv_of_several_things(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS).add_prefix("f")
    frame["age"], frame["identity"], frame["face"] = 7, list("aabbcc"), [0, 0, 1, 0, 0, 0]
    frame.to_csv(tmp_path / "t.csv", index=False)
    read = read_templates(tmp_path / "t.csv")
    np.testing.assert_array_equal(read.vectors, ROWS)  # age is none of the numbered columns
    assert (read.identities, read.faces.tolist()) == (list("aabbcc"), [0, 0, 1, 0, 0, 0])
    for k in range(16):
        frame[f"box{k}"] = k
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(TemplateError, match=r"several runs of numbered columns \(f0 \.\.\., box0"):
        read_templates(tmp_path / "t.csv")
    np.testing.assert_array_equal(read_templates(Store(tmp_path / "t.csv", "f")).vectors, ROWS)


def test_csv_rows_without_a_template_are_told(tmp_path: Path) -> None:
    text = 'image,0,1,2\na,1,2,3\nb,1,2\nc,"x\ny",2,3\nd,,2,3\ne,nan,2,3\nf,0,0,0\ng,4,5,6\n'
    (tmp_path / "t.csv").write_text(text)
    read = read_templates(tmp_path / "t.csv")
    assert read.images == list("abcdefg")
    assert read.unusable() == {
        1: "a row of 3 cells, not 4",
        2: "'x y' where a number belongs",
        3: "a cell without a number",
        4: "not a number (NaN)",
        5: "zero",
    }
    np.testing.assert_array_equal(read.vectors[[0, 6]], [[1, 2, 3], [4, 5, 6]])


def test_names_with_line_breaks_are_told_on_one_line(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet", ["x"], "a\nb", long=["y"], **{"\u2028c\r\n" * 200: ["z"]})
    with pytest.raises(TemplateError, match=r"it has: a b, long, c c c") as refused:
        read_templates(tmp_path / "t.parquet")
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 800


def test_a_parquet_row_of_several_lists_is_told(tmp_path: Path) -> None:
    given = [[row] for row in ROWS.tolist()]
    given[1] = []
    given[2] = given[0] + given[3]  # two faces in one row
    given[3] = [[]]
    given[4] = [given[4][0][:7]]
    read = read_templates(parquet(tmp_path / "t.parquet", pa.array([*given, None, [None]])))
    assert read.unusable() == {
        1: "empty",
        2: "a list of 2 lists, not of numbers",
        3: "empty",
        4: "of length 7, not 16",
        6: "missing (null)",
        7: "empty",
    }
    np.testing.assert_array_equal(read.vectors[[0, 5]], ROWS[[0, 5]])


def test_csv_refusals(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    for text, words in (
        ('image,embedding\na,"[1, 2]"\n', "column 'embedding' holds a template as text"),
        ("a,Ann,1,2,3,4\nb,Bob,1,2,3,4\n", "give it a header line"),
        ("0,0,1\n1,2,3\n", "two columns are called '0'"),
        ("image,0,1\n", "holds no template"),
        ("", "holds no template"),
        ("image\na\n", "no columns of numbers"),
    ):
        file.write_text(text)
        with pytest.raises(TemplateError, match=words):
            read_templates(file)
    file.write_bytes("imagé,0,1\n".encode("latin-1"))
    with pytest.raises(TemplateError, match="not UTF-8"):
        read_templates(file)
    file.write_bytes(bytes(5000))
    with pytest.raises(TemplateError, match="bytes of zero"):
        read_templates(file)


def test_json_lines(tmp_path: Path) -> None:
    lines: list[object] = [
        {"image": "a.jpg", "embedding": ROWS[0].tolist(), "face": 1, "norm": 2.5, "identity": "ann"},
        {"id": 7, "template": ROWS[1].tolist(), "vector": [1]},  # template is ours: the one
        {"name": "c", "vector": [ROWS[2].tolist()]},  # a list in a list
        {"image": {"path": "d.jpg", "bytes": None}, "vector": None},
        {"name": "e", "vector": []},
        {"name": "f", "vector": [ROWS[0].tolist(), ROWS[1].tolist()]},
        {"name": "g", "vector": [1, 2]},
        {"name": "h", "vector": ["1", "2"]},
        {"x": 1},
        ROWS[3].tolist(),
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "t.jsonl").write_text(text + "\n{cut off\n" + "[" * 100_000)
    read = read_templates(tmp_path / "t.jsonl")
    np.testing.assert_array_equal(read.vectors[[0, 1, 2, 9]], ROWS[:4])
    assert read.images[:5] == ["a.jpg", "7", "c", "d.jpg", "e"]
    assert (read.images[9], read.faces[0], read.norms[0], read.identities[0]) == ("t.jsonl:9", 1, 2.5, "ann")
    why = read.unusable()
    assert list(why) == [3, 4, 5, 6, 7, 8, 10, 11]
    assert [why[k] for k in (3, 4, 5, 6)] == [
        "missing (null)",
        "empty",
        "a list of 2 lists, not of numbers",
        "of length 2, not 16",
    ]
    assert (why[7], why[8]) == ("a list that holds a str, not numbers", "no template (it has: x)")
    assert why[10].startswith("no JSON")
    np.testing.assert_array_equal(
        read_templates(Store(tmp_path / "t.jsonl", "embedding")).vectors[0], ROWS[0]
    )


# ---------------------------------------------------------------- HDF5


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    file = tmp_path / "t.h5"
    with h5py.File(file, "w") as out:
        out["faces/embeddings"] = ROWS.astype(np.float64)
        out["faces/names"] = NAMES
        out["labels"] = np.arange(6)
    read = read_templates(file)
    with h5py.File(file) as back:
        np.testing.assert_array_equal(read.vectors, back["faces/embeddings"][:].astype(np.float32))
    assert read.images == NAMES
    with h5py.File(file, "w") as out:
        out["a"], out["b"] = ROWS, -ROWS
    with pytest.raises(TemplateError, match=r"several datasets of templates \(a, b\)"):
        read_templates(file)
    np.testing.assert_array_equal(read_templates(Store(file, "b")).vectors, -ROWS)


def test_hdf5_reads_no_other_file_and_no_emptiness(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "secret").write_bytes(bytes(range(64)))
    with h5py.File(tmp_path / "other.h5", "w") as out:
        out["t"] = ROWS
    with h5py.File(tmp_path / "t.h5", "w") as out:
        secret = [(str(tmp_path / "secret"), 0, 64)]
        out.create_dataset("template", shape=(4, 16), dtype="u1", external=secret)
        out["link"] = h5py.ExternalLink("other.h5", "t")
    with pytest.raises(TemplateError, match="it has: none"):
        read_templates(tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5", "w") as out:
        out.create_dataset("template", shape=(10**9, 128), chunks=(1024, 128), dtype="f4")
    with pytest.raises(TemplateError, match="no encoder's templates shrink so far"):
        read_templates(tmp_path / "t.h5")


def test_hdf5_that_hangs_or_crashes_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 10 kB, found by flipping bits, on which HDF5 1.14 never returns; and a reader that dies."""
    pytest.importorskip("h5py")
    from clip_smu.templates import hdf5

    monkeypatch.setattr(hdf5, "PATIENCE", 3.0)
    with pytest.raises(TemplateError, match=r"HDF5 read for 3 s without a result|cannot be read"):
        read_templates(DAMAGED / "endless.h5")
    monkeypatch.setattr(hdf5.sys, "executable", "/bin/false")
    with pytest.raises(TemplateError, match=r"HDF5 failed on it \(exit code 1\)"):
        read_templates(DAMAGED / "endless.h5")


def test_hdf5_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from clip_smu.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "t.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(MissingExtraError, match=r"extra \[hdf5\]"):
        read_templates(tmp_path / "t.h5")


# ---------------------------------------------------------------- Parquet

LISTS: dict[str, Callable[[], pa.Array]] = {
    "list of double": lambda: pa.array(ROWS.tolist()),
    "list of half": lambda: pa.array(ROWS.astype(np.float16).tolist(), pa.list_(pa.float16())),
    "large list": lambda: pa.array(ROWS.tolist(), pa.large_list(pa.float32())),
    "fixed list": lambda: pa.array(ROWS.tolist(), pa.list_(pa.float32(), 16)),
    "tensor": lambda: pa.FixedShapeTensorArray.from_numpy_ndarray(ROWS),
    "list in a list": lambda: pa.array([[row] for row in ROWS.tolist()]),
    "element": lambda: pa.array([[{"element": x} for x in row] for row in ROWS.tolist()]),  # DuckDB's arrays
    "bytes": lambda: pa.array([row.tobytes() for row in ROWS]),
    "fixed bytes": lambda: pa.array([row.tobytes() for row in ROWS], pa.binary(64)),
    "few bytes": lambda: pa.array([row.tobytes() for row in ROWS]).dictionary_encode(),
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["template", "embedding", "Features"])
def test_parquet_kinds(tmp_path: Path, kind: str, name: str) -> None:
    file = parquet(tmp_path / "t.parquet", LISTS[kind](), name, other=list(range(6)))
    expected = ROWS.astype(np.float16) if kind == "list of half" else ROWS
    np.testing.assert_array_equal(read_templates(file).vectors, expected.astype(np.float32))
    np.testing.assert_array_equal(np.concatenate([p.vectors for p in iter_templates(file, 4)]), expected)


def test_parquet_whole_numbers(tmp_path: Path) -> None:
    for kind in (pa.int8(), pa.uint8(), pa.int64()):
        file = parquet(tmp_path / "t.parquet", pa.array([[1, 2], [3, None]], pa.list_(kind)))
        read = read_templates(file)
        np.testing.assert_array_equal(read.vectors, [[1, 2], [3, np.nan]])
        assert read.unusable() == {1: "not a number (NaN)"}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (pa.array(["[0.1, 0.2]"] * 2), "found text: parse it"),
        (pa.array([{"v": [0.1]}] * 2), "found struct<v"),
        (pa.array([[True], [False]]), "found list<.*bool"),
        (pa.array([[("a", 1.0)]] * 2, pa.map_(pa.string(), pa.float64())), "found map<"),
        (pa.nulls(2), "found null"),
        (pa.array([1.5, 2.5]), "found double"),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((2, 3, 4), np.float32)), r"shape \[3, 4\]"),
    ],
)
def test_parquet_says_what_a_column_holds(tmp_path: Path, given: pa.Array, found: str) -> None:
    with pytest.raises(TemplateError, match=found):
        read_templates(parquet(tmp_path / "t.parquet", given))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (pa.array([10, 11, None, 13, 14, 15]), ["10", "11", "t.parquet:2", "13", "14", "15"]),
        (pa.array([1.0, None, 3.0, 4.5, 5.0, 6.0]), ["1", "t.parquet:1", "3", "4.5", "5", "6"]),
        (pa.array(["a", None, "b", "a", "", "c"]), ["a", "t.parquet:1", "b", "a", "t.parquet:4", "c"]),
        (pa.array(list("ababab")).dictionary_encode(), list("ababab")),
        (pa.array([b"a.jpg"] * 5 + [b"\xff.jpg"]), ["a.jpg"] * 5 + ["\\xff.jpg"]),  # Spark's text
        (pa.array([{"bytes": b"x", "path": f"{k}.jpg"} for k in range(6)]), [f"{k}.jpg" for k in range(6)]),
        (pa.array([{"bytes": b"x", "path": None}] * 6), [f"t.parquet:{k}" for k in range(6)]),
        (pa.nulls(6), [f"t.parquet:{k}" for k in range(6)]),
    ],
)
def test_parquet_names(tmp_path: Path, images: pa.Array, expected: list[str]) -> None:
    assert read_templates(parquet(tmp_path / "t.parquet", ROWS.tolist(), image=images)).images == expected


def test_parquet_names_of_no_kind(tmp_path: Path) -> None:
    given = pa.array([[("a", 1)]] * 6, pa.map_(pa.string(), pa.int64()))
    with pytest.raises(TemplateError, match="expected names in the column 'image'"):
        read_templates(parquet(tmp_path / "t.parquet", ROWS.tolist(), image=given))
    photos = pa.array([b"\xff\xd8" + bytes(2000)] * 6)
    read = read_templates(parquet(tmp_path / "t.parquet", ROWS.tolist(), image=photos, file_name=NAMES))
    assert read.images == NAMES
    twice = pa.Table.from_arrays([pa.array(ROWS.tolist())] * 2, names=["template", "template"])
    pq.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(TemplateError, match="2 columns called 'template'"):
        read_templates(tmp_path / "t.parquet")


def test_parquet_faces_and_norms(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    read = read_templates(parquet(file, ROWS[:3].tolist(), face=[0.0, None, 1.0], norm=[1.0, None, 3.0]))
    assert read.faces.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(read.norms, np.array([1, np.nan, 3], np.float32))
    with pytest.raises(TemplateError, match="'face' must hold whole numbers"):
        read_templates(parquet(file, ROWS[:2].tolist(), face=[0.5, 1e9]))


def test_parquet_column_is_chosen_or_asked_for(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", ROWS.tolist(), "vector", embedding=(-ROWS).tolist())
    with pytest.raises(TemplateError, match=r"several columns of templates \(vector, embedding\)"):
        read_templates(file)
    np.testing.assert_array_equal(read_templates(Store(file, "embedding")).vectors, -ROWS)
    with pytest.raises(TemplateError, match="no column 'x'"):
        read_templates(Store(file, "x"))
    file = parquet(file, ROWS.tolist(), "my.face", image=NAMES)
    with pytest.raises(TemplateError, match=r"it has: my\.face, image\): name it with --column"):
        read_templates(file)
    np.testing.assert_array_equal(read_templates(Store(file, "my.face")).vectors, ROWS)


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (None, "missing (null)"),
        ([], "empty"),
        ([1.0, 2.0], "of length 2, not 16"),
        ([None] * 16, "not a number (NaN)"),
    ],
)
@pytest.mark.parametrize("place", [0, 3])
def test_parquet_rows_without_a_template(tmp_path: Path, odd: object, why: str, place: int) -> None:
    rows: list[object] = ROWS.tolist()
    rows[place] = odd
    read = read_templates(parquet(tmp_path / "t.parquet", pa.array(rows), image=NAMES))
    assert (read.unusable(), read.images) == ({place: why}, NAMES)
    good = [k for k in range(6) if k != place]
    np.testing.assert_array_equal(read.vectors[good], ROWS[good])
    assert np.isnan(read.vectors[place]).all()
    taken = read.take(np.array([5, place]))
    assert taken.unusable() == {1: why}
    parts = list(
        iter_templates(tmp_path / "t.parquet", 2)
    )  # rows before the first template wait for its length
    assert [image for part in parts for image in part.images] == NAMES
    assert sum(len(part.unusable()) for part in parts) == 1


def test_parquet_null_rows_of_fixed_lists(tmp_path: Path) -> None:
    rows: list[object] = [None, *ROWS[1:].tolist()]
    for kind in (pa.list_(pa.float32(), 16), pa.list_(pa.float32())):
        read = read_templates(parquet(tmp_path / "t.parquet", pa.array(rows, kind)))
        np.testing.assert_array_equal(read.vectors[1:], ROWS[1:])
        assert read.unusable() == {0: "missing (null)"}


def test_parquet_of_one_column_a_number(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS).add_prefix("emb_")
    frame["filename"], frame["age"] = NAMES, 7
    frame.loc[2, "emb_3"] = None
    frame.to_parquet(tmp_path / "t.parquet")
    read = read_templates(tmp_path / "t.parquet")
    expected = frame[[f"emb_{k}" for k in range(16)]].to_numpy(np.float32)
    np.testing.assert_array_equal(read.vectors, expected)
    assert (read.images, read.unusable()) == (NAMES, {2: "not a number (NaN)"})
    for k in range(3):
        frame[f"box{k}"] = k
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TemplateError, match=r"several runs of numbered columns"):
        read_templates(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_templates(Store(tmp_path / "t.parquet", "emb")).vectors, expected)
    frame["box1"] = "x"
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TemplateError, match=r"expected numbers in the column 'box1'"):
        read_templates(Store(tmp_path / "t.parquet", "box"))


def test_parquet_all_rows_without_a_template(tmp_path: Path) -> None:
    file = parquet(tmp_path / "t.parquet", pa.array([None, []], pa.list_(pa.float32())))
    with pytest.raises(
        TemplateError, match=r"none of its first 2 rows holds a template \(the first: missing"
    ):
        read_templates(file)
    file = parquet(file, pa.array([[1.0], [1.0, 2.0]]))
    with pytest.raises(TemplateError, match="one length, found 1 of 1, 1 of 2"):
        read_templates(file)


# ---------------------------------------------------------------- which files


def test_no_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.empty((0, 128), np.float32))
    parquet(tmp_path / "t.parquet", pa.array([], pa.list_(pa.float32())))
    np.savez(tmp_path / "t.npz", np.empty((0, 128), np.float32))
    (tmp_path / "t.jsonl").write_text("\n")
    for name in ("t.npy", "t.parquet", "t.npz", "t.jsonl"):
        with pytest.raises(TemplateError, match="holds no template"):
            read_templates(tmp_path / name)


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    parquet(tmp_path / "part.parquet", ROWS.tolist())
    (tmp_path / "._part.parquet").write_bytes(b"\0\5\26\7 AppleDouble")
    (tmp_path / "_metadata.parquet").write_bytes(b"Spark's")
    assert len(read_templates(tmp_path)) == 6
    assert is_templates(tmp_path)
    (tmp_path / "part.parquet").unlink()
    assert not is_templates(tmp_path)


def test_metadata_beside_photos_is_no_templates(tmp_path: Path) -> None:
    folder = tmp_path / "img2dataset"
    folder.mkdir()
    pq.write_table(pa.table({"url": ["a"], "caption": ["b"]}), folder / "00000.parquet")
    assert is_templates(folder)  # nothing else there: what is wrong with the columns is told
    (folder / "00000_stats.json").write_text("{}")
    assert is_templates(folder)
    (folder / "00000").mkdir()
    assert not is_templates(folder)
    parquet(folder / "00000.parquet", ROWS.tolist())
    assert is_templates(folder)


def test_content_tells_the_form(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", ROWS)
    parquet(tmp_path / "t.parquet", ROWS.tolist())
    np.save(tmp_path / "t.npy", ROWS)
    for given, name in (
        ("t.npz", "x.npy"),
        ("t.parquet", "x.npz"),
        ("t.npy", "x.bin"),
        ("t.parquet", "plain"),
    ):
        (tmp_path / name).write_bytes((tmp_path / given).read_bytes())
        assert is_templates(tmp_path / name)
        np.testing.assert_array_equal(read_templates(tmp_path / name).vectors, ROWS)
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff")
    assert not is_templates(tmp_path / "photo")


def test_team_cases(shared: Path) -> None:
    cases = shared / "cases"
    names = {file.stem: read_templates(file) for file in (cases / "parquet_names").iterdir()}
    assert names["intimage"].images == ["10", "11", "12", "13"]
    assert names["nullimage"].images == ["a", "nullimage.parquet:1", "c", "d"]
    assert names["hfimage"].images == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert names["floatface"].faces.tolist() == [0, 0, 1, 0]
    for stem, why in (("emptylist", "empty"), ("nulltemplate", "missing (null)")):
        assert read_templates(cases / f"parquet_ragged/{stem}.parquet").unusable() == {1: why}
    assert (
        read_templates(cases / "parquet_ragged/nested.parquet").unusable() == {}
    )  # each row is one list in a list
    assert len(read_templates(cases / "appledouble/t")) == 3
    for stem in ("binaryfloat", "fixedtensor"):
        assert read_templates(cases / f"parquet_tensor/{stem}.parquet").vectors.shape == (4, 128)
    for file in [*(cases / "empty_templates").iterdir(), *(cases / "parquet_tensor").glob("[sz]*")]:
        with pytest.raises(TemplateError):
            read_templates(file)
    assert not any(map(is_templates, (cases / "img2dataset_output").iterdir()))


def test_team_fuzz_cases(shared: Path, tmp_path: Path) -> None:
    found = sorted((shared / "cases/fuzz/templates").iterdir())
    assert len(found) == 11
    for file in found:
        data = file.read_bytes()
        copy = tmp_path / ("t.npy" if data[:1] == b"N" else "t.parquet")
        copy.write_bytes(data[1:])
        with pytest.raises(TemplateError):
            read_templates(copy)
