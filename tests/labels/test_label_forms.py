"""Labels and lists as spreadsheets, editors and other libraries write them: read alike, or refused in one line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_smu.errors import LabelError
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.words.attributes import NAMES

HEADER = ["Filename", "Identity", *NAMES]


@pytest.fixture
def whole() -> Labels:
    values = np.random.default_rng(0).integers(-1, 2, (30, 47)).astype(np.int8)
    return Labels(
        [f"Žofie_{row // 3}/{row}.jpg" for row in range(30)],
        [f"Žofie_{row // 3}" for row in range(30)],
        values,
    )


def text_of(labels: Labels, separator: str = ",", header: list[str] | None = None) -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, lineterminator="\r\n")
    writer.writerow(header or HEADER)
    for image, person, row in zip(labels.images, labels.identities, labels.values.tolist(), strict=True):
        writer.writerow([image, person, *row])
    return file.getvalue()


def same(one: Labels, other: Labels) -> None:
    assert (one.images, one.identities) == (other.images, other.identities)
    np.testing.assert_array_equal(one.values, other.values)
    assert one.values.dtype == np.int8


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_and_encodings_read_alike(
    tmp_path: Path, whole: Labels, separator: str, encoding: str
) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(text_of(whole, separator).encode(encoding))
    same(read_labels(file), whole)


def test_big_endian_and_blank_lines_before_the_header(tmp_path: Path, whole: Labels) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(b"\xfe\xff" + ("\r\n" + text_of(whole)).encode("utf-16-be"))
    same(read_labels(file), whole)


def test_batches_of_utf16_end_inside_a_letter(
    tmp_path: Path, whole: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clip_smu.labels.reading._BLOCK", 4096)
    many = Labels(
        [f"Ž{row}/é.jpg" for row in range(900)],
        [f"Ž{row}" for row in range(900)],
        np.tile(whole.values, (30, 1)),
    )
    file = tmp_path / "labels.csv"
    file.write_bytes(text_of(many).encode("utf-16"))
    same(read_labels(file), many)


def test_blanks_and_quotes_in_the_header(tmp_path: Path, whole: Labels) -> None:
    lines = text_of(whole).splitlines()
    lines[0] = ", ".join(f'"{name}"' for name in HEADER)
    lines[1:] = [line.replace(",", ", ") for line in lines[1:]]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    same(read_labels(file), whole)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("+1", 1), ("1.0", 1), ('"1,0"', 1), ("-1.00", -1), (" -1 ", -1), ('"0"', 0), ("-0.0", 0), ("+0", 0), ("-1", -1)],
)  # fmt: skip
def test_numbers_as_spreadsheets_write_them(tmp_path: Path, cell: str, value: int) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(",".join(HEADER) + "\na.jpg,ann," + ",".join(["1"] * 46) + f",{cell}\n")
    assert read_labels(file).values[0, -1] == value


@pytest.mark.parametrize(
    "cell", ["True", "False", "-128", "127", "128", "1.5", "--1", "1-", "yes", "NaN", "", "1e0", "٣"]
)
def test_another_cell_is_refused_by_row_and_column(tmp_path: Path, cell: str) -> None:
    """-128 is the one int8 whose absolute value is not above 1."""
    file = tmp_path / "labels.csv"
    good = "a.jpg,ann," + ",".join(["1"] * 47)
    file.write_text(",".join(HEADER) + f"\n{good}\nb.jpg,ann," + ",".join(["1"] * 46) + f",{cell}\n", "utf-8")
    with pytest.raises(LabelError, match=r"row 3, column Attractive: expected 1, 0 or -1, found ") as refused:
        read_labels(file)
    assert repr(cell) in str(refused.value) and "\n" not in str(refused.value)


def test_int8_of_parquet_is_looked_at_to_its_edge(tmp_path: Path) -> None:
    for value in (-128, -2, 2, 127):
        columns = {"Filename": ["a/1.jpg", "a/2.jpg"]} | {name: pa.array([1, 0], pa.int8()) for name in NAMES}
        columns["Bald"] = pa.array([1, value], pa.int8())
        pq.write_table(pa.table(columns), tmp_path / "l.parquet")
        with pytest.raises(LabelError, match=f"row 2, column Bald: expected 1, 0 or -1, found '{value}'"):
            read_labels(tmp_path / "l.parquet")


def test_a_table_as_france_writes_it(tmp_path: Path) -> None:
    """duckdb 10247: semicolons, cells padded with blanks, a comma for the point; its Latin-1 is one line."""
    row = f"Autres céréales/1.jpg ;Autres céréales    ;{';'.join(['1,00 '] * 46)};0,00"
    text = ";".join(HEADER) + "\n" + row + "\n"
    file = tmp_path / "labels.csv"
    file.write_text(text, "utf-8")
    labels = read_labels(file)
    assert (labels.images, labels.identities) == (["Autres céréales/1.jpg"], ["Autres céréales"])
    assert labels.values[0].tolist() == [1] * 46 + [0]
    file.write_text(text, "latin-1")
    with pytest.raises(LabelError, match="found byte 0xe9 on line 2"):
        read_labels(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "latin-1",
            r"in UTF-8, found byte 0xe9 on line 3 that is none: save it as UTF-8 \(from Latin-1: iconv",
        ),
        ("utf-16-le", "lacks the column|found bytes of zero|in UTF-8"),
        ("utf-16 cut", "labels.csv"),
        ("pipes", r"lacks the column Filename.*parted by commas, semicolons or tabs"),
        ("zeros", "labels.csv"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    text = text_of(Labels(["a/1.jpg", "é/1.jpg"], ["a", "é"], np.ones((2, 47), np.int8)))
    data = {
        "latin-1": text.encode("latin-1"),
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16 cut": text.encode("utf-16")[:-1],
        "pipes": text.replace(",", "|").encode(),
        "zeros": bytes(100),
    }[content]
    (tmp_path / "labels.csv").write_bytes(data)
    with pytest.raises(LabelError, match=words) as refused:
        read_labels(tmp_path / "labels.csv")
    assert "\n" not in str(refused.value)


def test_pipes_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    for read in (read_labels, read_list):
        for path in (tmp_path, Path("/dev/zero"), tmp_path / "none"):
            with pytest.raises(LabelError, match=r"expected .* at "):
                read(path)


def struct(texts: list[str]) -> pa.Array:
    return pa.array([{"path": text, "bytes": None} for text in texts])


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("Filename", struct(["a", "b"]), "column Filename: expected text, found struct"),
        ("Filename", pa.array([[("k", "v")]] * 2, pa.map_(pa.string(), pa.string())), "column Filename: expected text"),
        ("Filename", pa.array([b"\xff\xfe", b"a"]), "column Filename: expected text, found binary"),
        ("Filename", pa.array(["a", None]), "row 2, column Filename: expected a photo's name"),
        ("Filename", pa.nulls(2), "row 1, column Filename: expected a photo's name"),
        ("Identity", pa.array([[1], [2]]), "column Identity: expected text, found list"),
        ("Young", pa.nulls(2), "row 1, column Young: expected 1, 0 or -1, found ''"),
        ("Young", pa.array([[1], [0]]), "column Young: expected 1, 0 or -1, found list"),
        ("Young", pa.array([{"a": 1}] * 2), "column Young: expected 1, 0 or -1, found struct"),
        ("Young", pa.array([True, False]), "row 1, column Young: expected 1, 0 or -1, found 'true'"),
        ("Young", pa.array([1.0, float("inf")]), "row 2, column Young: .* found 'inf'"),
        ("Young", pa.array([b"\xff", b"1"]), "column Young: expected 1, 0 or -1, found binary"),
    ],
)  # fmt: skip
def test_odd_columns_of_parquet_are_one_line(
    tmp_path: Path, column: str, values: pa.Array, words: str
) -> None:
    columns: dict[str, object] = {"Filename": ["a/1.jpg", "a/2.jpg"], "Identity": ["a", "a"]}
    columns |= {name: [1, 0] for name in NAMES}
    pq.write_table(pa.table(columns | {column: values}), tmp_path / "l.parquet")
    with pytest.raises(LabelError, match=words) as refused:
        read_labels(tmp_path / "l.parquet")
    assert "\n" not in str(refused.value)


def test_names_of_any_type_that_is_text(tmp_path: Path) -> None:
    for names, expected in (
        (pa.array([b"a/1.jpg", b"b/2.jpg"]), ["a/1.jpg", "b/2.jpg"]),
        (pa.array(["a/1.jpg", " b/2.jpg "], pa.large_string()), ["a/1.jpg", "b/2.jpg"]),
        (pa.array([7, 12]), ["7", "12"]),
        (pa.array(["a/1.jpg", "b/2.jpg"]).dictionary_encode(), ["a/1.jpg", "b/2.jpg"]),
    ):
        pq.write_table(
            pa.table({"Filename": names} | {name: [1, 0] for name in NAMES}), tmp_path / "l.parquet"
        )
        assert read_labels(tmp_path / "l.parquet").images == expected


def test_a_column_twice_in_parquet(tmp_path: Path) -> None:
    columns = [pa.array(["a/1.jpg"]), *[pa.array([1])] * 47, pa.array([0])]
    pq.write_table(pa.Table.from_arrays(columns, ["Filename", *NAMES, "Male"]), tmp_path / "l.parquet")
    with pytest.raises(LabelError, match="has the column Male twice"):
        read_labels(tmp_path / "l.parquet")


def test_every_byte_flipped_in_a_parquet_is_ours(tmp_path: Path) -> None:
    """What a damaged file makes PyArrow raise, whatever it is, comes out as a LabelError."""
    columns = {"Filename": [f"a/{k}.jpg" for k in range(8)]} | {name: [1, 0] * 4 for name in NAMES}
    pq.write_table(pa.table(columns), tmp_path / "l.parquet", compression="none")
    data = (tmp_path / "l.parquet").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for at in [*range(12, 200, 3), *rng.integers(200, len(data), 250).tolist()]:
        (tmp_path / "x.parquet").write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            read_labels(tmp_path / "x.parquet")
        except LabelError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 50


def test_two_spellings_of_one_photo_are_one(tmp_path: Path) -> None:
    ones, file = ",".join(["1"] * 47), tmp_path / "labels.csv"
    file.write_text(f"{','.join(HEADER)}\nE\u0301/1.jpg,e,{ones}\n./\u00c9\\1.jpg,e,{ones}\n", "utf-8")
    labels = read_labels(file)
    assert (len(labels.images), labels.duplicates) == (1, 1)
    file.write_text(file.read_text("utf-8").replace(f"\\1.jpg,e,{ones}", f"\\1.jpg,e,{ones[:-1]}0"), "utf-8")
    with pytest.raises(LabelError, match="1 photos twice"):
        read_labels(file)


def test_the_folder_is_the_person_whatever_the_separator(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    rows = [f"{name},{','.join(['1'] * 47)}" for name in ("ann/1.jpg", "D:\\lfw\\bob\\2.jpg", "3.jpg")]
    file.write_text("\n".join([",".join(["Filename", *NAMES]), *rows]))
    assert read_labels(file).identities == ["ann", "bob", ""]


def test_cases_of_users(shared: Path, tmp_path: Path) -> None:
    """The team's cases: what Excel and pandas wrote (first 20,000 bytes of a file), and what fuzzing found."""

    def case(name: str) -> Path:
        data, end = (
            (shared / "cases/labels_excel" / name).read_bytes(),
            b"\n\x00" if "utf16" in name else b"\n",
        )
        (tmp_path / name).write_bytes(data[: data.rindex(end) + len(end)])
        return tmp_path / name

    read = [read_labels(case(f"{name}.csv")) for name in ("semicolon", "spacehdr", "utf16", "plusone")]
    least = min(len(one.images) for one in read)
    assert least > 50
    for one in read:
        assert one.images[:least] == read[0].images[:least]
        np.testing.assert_array_equal(one.values[:least], read[0].values[:least])
    with pytest.raises(LabelError, match=r"found byte 0x.. on line"):
        read_labels(case("latin1.csv"))
    with pytest.raises(LabelError, match="row 2, column Male: expected 1, 0 or -1, found 'True'"):
        read_labels(case("bool.csv"))
    for file in sorted((shared / "cases/fuzz/labels").iterdir()):
        for reader in (read_labels, read_list):
            try:
                reader(file)
            except LabelError as error:
                assert "\n" not in str(error)


def test_lists_of_users(shared: Path) -> None:
    folder = shared / "cases/lists_encoding"
    assert read_list(folder / "list_bom.txt") == read_list(folder / "list_utf16.txt")
    assert (
        read_list(folder / "testA.txt")
        == read_list(folder / "testA_bom.txt")
        == read_list(folder / "testA_utf16.txt")
    )
    assert read_list(folder / "tr.txt") == read_list(folder / "tr_bom.txt")
    with pytest.raises(LabelError, match=r"a list of photos at .* in UTF-8, found byte"):
        read_list(folder / "list_latin1.txt")
