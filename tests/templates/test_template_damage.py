"""Damaged and hostile files of templates end in one line; a flipped bit never gives other templates; owner's alone."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_smu.errors import ClipSmuError, TemplateError
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.interpreter.store_readings import interpret_store
from clip_smu.templates import bounds, read_templates
from clip_smu.templates.footer import Chunk, chunks_of
from clip_smu.templates.seal import content_key
from clip_smu.templates.shards import read_note, save_templates, shard_note, template_schema, write_shard
from clip_smu.words.attributes import NAMES
from faces import DIM, slow_scores, toy_card, toy_data
from places import DAMAGED

BOMB = "no encoder's templates shrink so far"


@pytest.fixture
def toy_interpreter() -> Interpreter:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=(2, 47, DIM)).astype(np.float32)
    positive /= np.linalg.norm(positive, axis=1, keepdims=True)
    negative /= np.linalg.norm(negative, axis=1, keepdims=True)
    calibration = Calibration(np.full(47, 4.0), np.zeros(47), np.full(47, 0.8), np.full(47, 0.3))
    known = Evidence(0.9, 0.8, 0.95, 50, 60, 0.1, float("nan"), 0.7, 0.9, "")
    return Interpreter(
        name="toy",
        encoder="toy",
        attributes=NAMES,
        positive=positive,
        negative=negative,
        centre=np.zeros(DIM, np.float32),
        calibration=calibration,
        evidence=(known,) * 47,
        error_rate=0.1,
        known_words=frozenset(),
        provenance={"job": "x"},
    )


def same(file: Path, expected: tuple[object, ...]) -> bool:
    """Whether a file is read as ``expected``; ``False`` where it is refused in one line."""
    try:
        found = read_templates(file)
    except ClipSmuError as error:
        assert "\n" not in str(error)
        return False
    vectors, images, faces, card = expected
    np.testing.assert_array_equal(found.vectors, vectors)
    assert (found.images, found.faces.tolist(), found.card) == (images, faces, card)
    return True


@pytest.mark.parametrize("compressed", [False, True])
def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path, compressed: bool) -> None:
    table, _ = toy_data(40)
    file = tmp_path / "part.parquet"
    if compressed:
        rows = [
            {"image": image, "face": 0, "identity": "p", "template": vector}
            for image, vector in zip(table.images, table.vectors, strict=True)
        ]
        write_shard(file, rows, template_schema(toy_card()))
    else:
        save_templates(file, table.vectors, table.images, toy_card())
    whole = file.read_bytes()
    expected = (table.vectors, table.images, [0] * 40, toy_card())
    assert same(file, expected)
    rng = np.random.default_rng(0)
    refused = 0
    places = rng.choice(len(whole) * 8, 300, replace=False).tolist()
    for place in places:
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        refused += not same(file, expected)
    assert refused > 290  # all but those in the seal's own record
    for end in (len(whole) - 1, len(whole) // 2, 12, 3, 0):
        file.write_bytes(whole[:end])
        assert not same(file, expected)


def test_sealed_shards_are_plain_parquet(tmp_path: Path) -> None:
    """Other readers see the table that was written; what they write again is read too."""
    table, _ = toy_data(12)
    file = tmp_path / "part.parquet"
    save_templates(file, table.vectors, table.images, toy_card())
    other = pq.read_table(file, page_checksum_verification=True)
    np.testing.assert_array_equal(np.stack(other["template"].to_numpy()), table.vectors)
    pq.write_table(other.slice(2, 3), tmp_path / "copy.parquet")
    np.testing.assert_array_equal(read_templates(tmp_path / "copy.parquet").vectors, table.vectors[2:5])
    assert content_key(file) != content_key(tmp_path / "copy.parquet")
    key = content_key(file)
    save_templates(tmp_path / "again.parquet", table.vectors, table.images, toy_card())
    assert content_key(tmp_path / "again.parquet") == key
    save_templates(tmp_path / "again.parquet", np.nextafter(table.vectors, 9), table.images, toy_card())
    assert content_key(tmp_path / "again.parquet") != key


def test_notes_of_damaged_shards(tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    schema = template_schema(toy_card())
    write_shard(file, [], schema.with_metadata({**schema.metadata, **shard_note({"photos": 3})}))
    assert read_note(file) == ({"photos": 3}, 0)
    data = file.read_bytes()
    file.write_bytes(data.replace(b'"photos": 3', b'"photos": 2'))
    with pytest.raises(TemplateError, match="is damaged: it is not as it was written"):
        read_note(file)
    file.write_bytes(data[:-9])
    with pytest.raises(TemplateError):
        read_note(file)


# ---------------------------------------------------------------- readings go with content


def test_replaced_templates_are_read_again(tmp_path: Path, toy_interpreter: Interpreter) -> None:
    table, _ = toy_data(40)
    store, output = tmp_path / "t", tmp_path / "r"
    for part, start in (("part-0", 0), ("part-1", 20)):
        rows = slice(start, start + 20)
        save_templates(store / f"{part}.parquet", table.vectors[rows], table.images[rows], toy_card())
    interpret_store(toy_interpreter, store, output)
    before = {file.name: file.stat().st_mtime_ns for file in output.glob("*.parquet")}
    replaced = table.vectors[20:][::-1]  # of the same size, under the same name
    save_templates(store / "part-1.parquet", replaced, table.images[20:], toy_card())
    done = interpret_store(toy_interpreter, store, output)
    after = {file.name: file.stat().st_mtime_ns for file in output.glob("*.parquet")}
    assert (done.rows, before["part-0.parquet"]) == (40, after["part-0.parquet"])
    assert before["part-1.parquet"] != after["part-1.parquet"]
    scores = pq.read_table(output / "part-1.parquet")["scores"].to_pylist()
    for row in (0, 7, 19):
        np.testing.assert_allclose(
            scores[row], slow_scores(toy_interpreter, replaced[row].tolist()), atol=1e-5
        )
    data = bytearray((output / "part-0.parquet").read_bytes())
    data[-40] ^= 1  # a damaged part of readings is made anew
    (output / "part-0.parquet").write_bytes(data)
    assert interpret_store(toy_interpreter, store, output).rows == 40
    read = pq.read_table(output)["scores"].to_pylist()
    np.testing.assert_allclose(read[3], slow_scores(toy_interpreter, table.vectors[3].tolist()), atol=1e-5)


def test_readings_of_any_form_with_rejected_rows(tmp_path: Path, toy_interpreter: Interpreter) -> None:
    table, _ = toy_data(6)
    rows: list[object] = table.vectors.tolist()
    rows[2], rows[4] = None, [1.0]
    pq.write_table(pa.table({"embedding": pa.array(rows), "id": list(range(6))}), tmp_path / "v.parquet")
    done = interpret_store(toy_interpreter, tmp_path / "v.parquet", tmp_path / "r")
    assert (done.rows, done.rejected) == (6, {"missing (null)": 1, "of length 1, not 16": 1})
    made = pq.read_table(tmp_path / "r/v.parquet").to_pylist()
    assert [row["image"] for row in made] == list("012345")
    assert [row["rejected"] for row in made] == [
        None,
        None,
        "missing (null)",
        None,
        "of length 1, not 16",
        None,
    ]
    np.testing.assert_allclose(made[5]["scores"], slow_scores(toy_interpreter, rows[5]), atol=1e-5)
    assert np.isnan(made[2]["scores"]).all() and set(made[2]["verdicts"]) == {0}
    np.save(tmp_path / "v.npy", table.vectors)
    assert interpret_store(toy_interpreter, tmp_path / "v.npy", tmp_path / "n").rows == 6


# ---------------------------------------------------------------- rights


@pytest.mark.skipif(os.name == "nt", reason="POSIX rights")
def test_templates_and_readings_are_their_owners_alone(tmp_path: Path, toy_interpreter: Interpreter) -> None:
    table, _ = toy_data(8)
    save_templates(tmp_path / "t/part-0.parquet", table.vectors, table.images, toy_card())
    interpret_store(toy_interpreter, tmp_path / "t", tmp_path / "r")
    for folder in (tmp_path / "t", tmp_path / "r"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in folder.glob("*.parquet"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


# ---------------------------------------------------------------- hostile files


def header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr':'{dtype}','fortran_order':False,'shape':{shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("(1000000000000, 128)", "found 64: it is cut off"),
        ("(999999999999999999999,)", "found 64: it is cut off"),
        ("(-2, 8)", "must hold an"),
        ("(2, -8)", "must hold an"),
        ("()", "must hold an"),
        ("(2, 2, 4)", "must hold an"),
        ("(1, 8)", "several arrays were saved into it"),
        ("(2, 8", "not a NumPy array"),
        ("(" * 200, "not a NumPy array"),
        ("(2, 8.0)", "not a NumPy array"),
    ],
)
def test_npy_headers(tmp_path: Path, shape: str, words: str) -> None:
    (tmp_path / "t.npy").write_bytes(header(shape) + bytes(64))
    with pytest.raises(TemplateError, match=words):
        read_templates(tmp_path / "t.npy")


def test_npy_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.save(tmp_path / "t.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "t.npz", template=np.array([Trap()], dtype=object))
    for name in ("t.npy", "t.npz"):
        with pytest.raises(TemplateError, match="never loaded"):
            read_templates(tmp_path / name)
    (tmp_path / "t.pkl").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(TemplateError, match=r"found \.pkl \(files that run code"):
        read_templates(tmp_path / "t.pkl")
    assert not (tmp_path / "sprung").exists()


def test_sparse_npy(tmp_path: Path) -> None:
    with (tmp_path / "t.npy").open("wb") as file:
        begin = header("(200000000, 128)")
        file.write(begin)
        file.truncate(len(begin) + 200_000_000 * 128 * 4)  # 100 GB that are not there
    with pytest.raises(TemplateError, match=BOMB):
        read_templates(tmp_path / "t.npy")


def test_zip_bombs(tmp_path: Path) -> None:
    def member(name: str, begin: bytes, zeros: int) -> None:
        with (
            zipfile.ZipFile(tmp_path / "t.npz", "w", zipfile.ZIP_DEFLATED) as out,
            out.open(name, "w") as file,
        ):
            file.write(begin)
            for _ in range(zeros >> 20):
                file.write(bytes(1 << 20))

    member("template.npy", header("(400000, 128)"), 1 << 20)  # refused by what its header says
    with pytest.raises(TemplateError, match=BOMB):
        read_templates(tmp_path / "t.npz")
    begin = b"\x93NUMPY\x02\x00" + (1 << 26).to_bytes(4, "little")  # a header of 64 MiB
    member("template.npy", begin, 1 << 26)
    with pytest.raises(TemplateError):
        read_templates(tmp_path / "t.npz")
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as out:
        out.writestr("notes.txt", "no arrays")
    with pytest.raises(TemplateError, match=r"expected a zip of \.npy arrays, found 0"):
        read_templates(tmp_path / "t.npz")
    buffer = io.BytesIO()
    np.savez(buffer, template=np.ones((4, 8), np.float32))
    data = buffer.getvalue()
    for end in (10, 100, len(data) - 30):
        (tmp_path / "t.npy").write_bytes(data[:end])
        with pytest.raises(TemplateError):
            read_templates(tmp_path / "t.npy")


def zeros(count: int) -> pa.Array:
    return pa.array(np.zeros(count, np.float32))


BOMBS: dict[str, Callable[[], pa.Array]] = {
    "rows": lambda: pa.FixedSizeListArray.from_arrays(zeros(2_000 * 4096), 4096),
    "one row": lambda: pa.ListArray.from_arrays([0, 2_000_000], zeros(2_000_000)),
    "long": lambda: pa.ListArray.from_arrays([0, 70_000, 140_000], zeros(140_000)),
    "nulls": lambda: pa.nulls(300_000, pa.list_(pa.float32())),
    "bytes": lambda: pa.DictionaryArray.from_arrays(np.zeros(10_000, np.int32), pa.array([bytes(4096)])),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_parquet_bombs(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files of much more (here: of 16 MiB): refused by what the footer says, before numbers are decoded."""
    monkeypatch.setattr(bounds, "FREE_BYTES", 1 << 24)
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"template": BOMBS[kind]()}), file, compression="zstd")
    assert file.stat().st_size < 1 << 20
    with pytest.raises(TemplateError, match=f"{BOMB}|at most 65536 numbers"):
        read_templates(file)


def test_parquet_names_that_would_fill_memory(tmp_path: Path) -> None:
    names = pa.DictionaryArray.from_arrays(np.zeros(50_000, np.int32), pa.array(["x" * 100_000]))
    rows = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(100_000, np.float32)), 2)
    pq.write_table(pa.table({"template": rows, "image": names}), tmp_path / "t.parquet")
    with pytest.raises(TemplateError, match="holds a name of 100000 characters"):
        read_templates(tmp_path / "t.parquet")


def test_templates_that_shrink_well_are_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quantised numbers, and failed photos as zeros: above the free size, and far below a bomb."""
    monkeypatch.setattr(bounds, "FREE_BYTES", 1 << 20)
    rng = np.random.default_rng(0)
    vectors = np.tile(rng.integers(-127, 128, (2_000, 512), dtype=np.int8), (3, 1)).astype(np.float32)
    vectors[::2] = 0
    table = pa.table({"template": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 512)})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    assert 5 < vectors.nbytes / (tmp_path / "t.parquet").stat().st_size < bounds.MOST_EXPANSION / 2
    assert len(read_templates(tmp_path / "t.parquet").unusable()) == int((~vectors.any(axis=1)).sum())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_pipes_devices_and_pointers(tmp_path: Path) -> None:
    for name in ("t.npy", "t.parquet", "t.csv", "t.jsonl", "t.npz", "t.h5"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(TemplateError, match="a pipe or device"):
            read_templates(tmp_path / name)
    with pytest.raises(TemplateError, match="a pipe or device"):
        read_templates("/dev/zero")
    pointer = tmp_path / "lfs" / "part.parquet"
    pointer.parent.mkdir()
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    for path in (pointer, pointer.parent):
        with pytest.raises(TemplateError, match="Git LFS pointer, not the file itself: run git lfs pull"):
            read_templates(path)


@pytest.mark.parametrize("form", ["parquet", "zstd", "npy", "npz", "csv", "jsonl", "h5"])
def test_damage_of_every_form_is_one_line(tmp_path: Path, form: str) -> None:
    """Bits flipped, cut and repeated: templates or one line, never another error, never a warning."""
    table, _ = toy_data(12)
    file = tmp_path / f"t.{'parquet' if form == 'zstd' else form}"
    rows = table.vectors.tolist()
    if form in ("parquet", "zstd"):
        compression = "none" if form == "parquet" else "zstd"
        pq.write_table(pa.table({"template": rows, "image": table.images}), file, compression=compression)
    elif form == "npy":
        np.save(file, table.vectors)
    elif form == "npz":
        np.savez_compressed(file, template=table.vectors, names=np.array(table.images))
    elif form == "csv":
        file.write_text(
            "".join(
                ",".join([name, *map(str, row)]) + "\n"
                for name, row in zip("abcdefghijkl", rows, strict=True)
            )
        )
    elif form == "jsonl":
        file.write_text("".join(f'{{"id": {k}, "vector": {row}}}\n' for k, row in enumerate(rows)))
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(file, "w") as out:
            out["template"] = table.vectors
    whole = file.read_bytes()
    rng = np.random.default_rng(1)
    for trial in range(6 if form == "h5" else 150):  # HDF5 is read by a process of its own, for each
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 1 + trial % 3).tolist():
            data[place] ^= 1 << int(rng.integers(8))
        if trial % 5 == 0:
            del data[int(rng.integers(len(data))) :]
        if trial % 7 == 0:
            data += data[: int(rng.integers(len(data) + 1))]
        file.write_bytes(data)
        try:
            read_templates(file)
        except ClipSmuError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_footers_as_pyarrow_reads_them(tmp_path: Path, compression: str) -> None:
    """Our own reading of footers against PyArrow's, on a whole file of several groups and kinds of columns."""
    table, _ = toy_data(20)
    rows: list[object] = table.vectors.tolist()
    rows[3] = None
    columns = {"template": pa.array(rows), "image": table.images, "id": range(20), "flag": [True, None] * 10}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", compression=compression, row_group_size=7)
    metadata = pq.ParquetFile(tmp_path / "t.parquet").metadata
    expected = []
    for group in range(metadata.num_row_groups):
        part = metadata.row_group(group)
        for leaf in range(part.num_columns):
            one = part.column(leaf)
            wide = one.physical_type in ("INT64", "DOUBLE")
            expected.append(
                Chunk(one.path_in_schema, part.num_rows, one.num_values, one.total_uncompressed_size, wide)
            )
    assert len(expected) == 12
    assert chunks_of(tmp_path / "t.parquet") == expected


def test_a_footer_that_ends_pyarrow_is_read() -> None:
    """Found by flipping bits: asked for this footer's columns, PyArrow 26 ends the process (an uncaught exception)."""
    assert len(read_templates(DAMAGED / "aborts.parquet").vectors) == 9
