"""The command line as a user meets it: real runs, and one clear line with exit code 1 for what goes wrong."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clip_smu.encoders.locate import card
from clip_smu.errors import RenamedWarning
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import NAMES
from faces import dlib_like, toy_card, toy_data, write_photo
from places import LFW_READER


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 made-up templates of dlib's length."""
    vectors = dlib_like(np.random.default_rng(0).normal(size=(300, 128)))
    file = tmp_path_factory.mktemp("store") / "part-00000.parquet"
    save_templates(file, vectors, [f"p{row // 3}/{row}.jpg" for row in range(300)], card("dlib"))
    return file.parent


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("clip-smu: ")
    return lines[0]


def test_the_main_job(command) -> None:
    """True of the photo: a woman; and nothing that is plainly false."""
    pytest.importorskip("dlib")
    code, out, err = command("interpret", "--example")
    assert (code, err) == (0, "")
    sentence = " ".join(line.strip() for line in out.split("verdict ")[0].splitlines()[1:])
    assert "woman" in sentence
    for unsaid in ("attractive", "oval face", "pointy nose", "high cheekbones"):
        assert unsaid not in sentence
    for false in (" man ", "beard", "mustache", "bald", "Black ", "gray hair", "a hat", "necktie", "goatee"):
        assert false not in sentence
    assert "not a fact about a person" in " ".join(out.split())
    assert sum(out.count(verdict) for verdict in ("encoded", "cannot tell")) >= 47


def test_evidence_as_text(command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clip_smu.interpreter.interpreter import load_interpreter

    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = command("interpret", store, "--evidence", "--attributes", "Fully_Visible_Forehead,Bald")
    known = load_interpreter().evidence[NAMES.index("Bald")]
    assert code == 0
    assert f"{known.auc:.3f}  {known.low:.3f}-{known.high:.3f}" in out
    assert f"{known.n_positive}/{known.n_negative}" in out
    assert "agree with humans" in " ".join(out.split())


def test_json_csv_top_hide_and_attributes(command, store: Path) -> None:
    code, out, _ = command("interpret", store, "--json", "--evidence", "--hide", "race,gender,Bald")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, len(rows)) == (0, 300)
    assert rows[5]["image"] == "p1/5.jpg"
    shown = {reading["attribute"] for reading in rows[0]["readings"]}
    assert shown == set(NAMES) - {"Asian", "White", "Black", "Male", "Bald"}
    assert {" man ", " woman "}.isdisjoint(rows[0]["sentence"].split("template")[1].split(","))
    assert rows[0]["readings"][0]["evidence"]["auc"] > 0.5
    for row in rows:
        right = {
            reading["attribute"]: abs(reading["probability"] - (reading["verdict"] == "not encoded"))
            for reading in row["readings"]
            if reading["verdict"] != "cannot tell"
        }
        for span in row["spans"]:
            assert row["sentence"][span["start"] : span["end"]].strip()
            assert span["probability"] == pytest.approx(
                min(right[name] for name in span["attributes"]), abs=2e-6
            )
    assert any(row["spans"] for row in rows)

    code, out, _ = command("interpret", store, "--csv", "--attributes", "Eyeglasses,hair colour")
    table = list(csv.DictReader(io.StringIO(out)))
    assert (code, len(table)) == (0, 300 * 5)
    assert {row["verdict"] for row in table} <= {"encoded", "not encoded", "cannot tell"}

    code, out, _ = command("interpret", store / "part-00000.parquet", "--json", "--top", "2")
    assert [len(json.loads(line)["readings"]) for line in out.splitlines()] == [2] * 300


def test_styles_of_the_sentence(command, store: Path) -> None:
    said = {}
    for style in ("short", "full", "technical", "paper"):
        code, out, _ = command("interpret", store, "--json", "--style", style)
        assert code == 0
        said[style] = [json.loads(line)["sentence"] for line in out.splitlines()]
    code, out, _ = command("interpret", store, "--json")
    assert [json.loads(line)["sentence"] for line in out.splitlines()] == said["short"]
    assert max(len(text.split()) for text in said["short"]) <= 25
    assert all(text.startswith("A photo of a") for text in said["paper"])
    assert any("; not: " in text for text in said["technical"])
    assert sum(len(text) for text in said["full"]) > sum(len(text) for text in said["short"])
    code, _, err = command("interpret", store, "--style", "long")
    assert (code, "use one of short, full, technical, paper" in one_line(err)) == (1, True)


def test_attractive_is_in_a_sentence_only_if_asked_for_by_name(command, store: Path) -> None:
    def sentences(*options: str) -> str:
        code, out, _ = command("interpret", store, "--json", "--style", "full", *options)
        assert code == 0
        return " ".join(json.loads(line)["sentence"] for line in out.splitlines())

    assert "attractive" not in sentences()
    assert "attractive" not in sentences("--attributes", "sensitive")
    assert "attractive" in sentences("--attributes", "Attractive,Young")


def test_parquet_to_parquet_equals_one_by_one(command, store: Path, tmp_path: Path) -> None:
    from clip_smu.interpreter.interpreter import load_interpreter

    code, out, _ = command("interpret", store, "-o", tmp_path / "readings", "--hide", "age")
    assert code == 0
    assert "300 templates" in out
    table = pq.read_table(tmp_path / "readings")
    names = json.loads(table.schema.metadata[b"clip_smu.attributes"])
    vectors = np.stack(pq.read_table(store)["template"].to_numpy())
    expected = load_interpreter().interpret(vectors)
    columns = [NAMES.index(name) for name in names]
    for name in ("scores", "probabilities", "verdicts"):
        values = getattr(expected, name)
        np.testing.assert_allclose(np.stack(table[name].to_numpy()), values[:, columns], atol=2e-6)
    assert table["rejected"].null_count == 300
    assert (
        command("interpret", store, "-o", tmp_path / "readings", "--hide", "age")[0] == 0
    )  # done before: nothing to do
    code, _, err = command("interpret", store, "-o", tmp_path / "readings")
    assert (code, "another job" in one_line(err)) == (1, True)


def test_bad_templates_are_rows_and_lose_nothing(command, tmp_path: Path) -> None:
    vectors = dlib_like(np.random.default_rng(0).normal(size=(5, 128)))
    vectors[1, 7], vectors[3] = np.nan, 0
    save_templates(tmp_path / "store" / "part-00000.parquet", vectors, list("abcde"), card("dlib"))
    np.save(tmp_path / "bare.npy", vectors)
    for given, second in ((tmp_path / "store", "b"), (tmp_path / "bare.npy", "bare.npy:1")):
        code, out, err = command("interpret", given, "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        assert code == 1
        assert sum("readings" in row for row in rows) == 3
        refused = {row["image"]: (row["rejected"], row["message"]) for row in rows if "rejected" in row}
        assert refused[second] == ("unusable-template", "the template is not a number (NaN)")
        assert "2 of 5 gave nothing" in err
    code, out, err = command("interpret", tmp_path / "store", "-o", tmp_path / "readings")
    assert code == 1
    assert "2 of 5 gave nothing (1 not a number (NaN), 1 zero)" in one_line(err)
    table = pq.read_table(tmp_path / "readings")
    assert table["rejected"].to_pylist() == [None, "not a number (NaN)", None, "zero", None]


def test_ask(command, store: Path) -> None:
    from clip_smu.interpreter.interpreter import load_interpreter

    code, out, err = command("ask", "wears spectacles", store, "--top", "7", "--json")
    parse, *rows = [json.loads(line) for line in out.splitlines()]
    assert (code, len(rows)) == (0, 7)
    assert "300 faces look like none of lfw, celeba" in one_line(err)
    assert parse["expression"] == {"phrase": "spectacles", "means": {"Eyeglasses": "yes"}, "weight": 1.0}
    assert parse["refused"] is None
    vectors = np.stack(pq.read_table(store)["template"].to_numpy())
    answer = load_interpreter().ask("wears spectacles", vectors)
    best = np.argsort(-answer.scores)[:7]
    assert [row["image"] for row in rows] == [f"p{row // 3}/{row}.jpg" for row in best]
    for name, values in (("probability", answer.probabilities), ("low", answer.low), ("high", answer.high)):
        assert [row[name] for row in rows] == pytest.approx(values[best].tolist(), abs=1e-5)
    _, out, err = command("ask", "very bald, no glasses", store, "--top", "1")
    assert re.fullmatch(r"   1  0\.\d{3} \(0\.\d{3}-0\.\d{3}\)  p\d+/\d+\.jpg\n", out)
    assert "understood as bald AND NOT glasses: Bald yes, Eyeglasses no" in err
    assert "a degree shifts nothing: very" in err
    code, _, err = command("ask", "plays the violoncello", store)
    assert (code, "'plays the violoncello' is not answered (out-of-vocabulary)" in one_line(err)) == (1, True)
    _, _, err = command("ask", "plays the violoncello", store, "-m", LFW_READER)
    assert "was not trained on: plays, violoncello" in one_line(err)
    assert "spectacles" in command("words")[1].split()


def test_ask_selects_and_counts(command, store: Path) -> None:
    from clip_smu.interpreter.interpreter import load_interpreter

    vectors = np.stack(pq.read_table(store)["template"].to_numpy())
    answer = load_interpreter().ask("a man", vectors)
    p = answer.probabilities.astype(float)
    cut = float(np.median(p))
    _, out, _ = command("ask", "a man", store, "--threshold", cut, "--json")
    assert len(out.splitlines()) - 1 == (p >= cut).sum()
    for words, chosen in (([], p >= 0), (["--threshold", str(cut)], p >= cut)):
        _, out, _ = command("ask", "a man", store, "--count", "--json", *words)
        counted = json.loads(out.splitlines()[-1])
        assert (counted["faces"], counted["selected"]) == (len(p), chosen.sum())
        assert counted["expected"] == pytest.approx(p[chosen].sum(), abs=0.01)
        chance = 1.96 * np.sqrt((p * (1 - p))[chosen].sum())
        assert counted["low"] == pytest.approx(max(answer.low[chosen].sum() - chance, 0), abs=0.02)
        assert counted["high"] == pytest.approx(
            min(answer.high[chosen].sum() + chance, chosen.sum()), abs=0.02
        )
    _, out, _ = command("ask", "a man", store, "--count")
    assert re.fullmatch(rf"about \d+ of {len(p)} faces \(\d+ to \d+\)\n", out)
    code, out, err = command("ask", "plays the violoncello", store, "--count", "-m", LFW_READER)
    assert (code, out) == (1, "")
    assert "need a probability" in one_line(err)


@pytest.mark.parametrize(
    ("question", "reason"),
    [("is he guilty?", "not-on-a-face"), ("green eyes", "no-label"), ("a man with freckles", "no-label")],
)
def test_ask_refuses_with_its_reason(command, store: Path, question: str, reason: str) -> None:
    code, out, err = command("ask", question, store)
    assert (code, out) == (1, "")
    assert f"is not answered ({reason})" in one_line(err)
    code, out, err = command("ask", question, store, "--json")
    assert json.loads(out)["refused"] in err
    assert code == 1


def test_extract_then_interpret(command, astronaut: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    write_photo(tmp_path / "photos/none.png")
    (tmp_path / "photos/a.png").write_bytes(astronaut.read_bytes())
    code, out, err = command("extract", tmp_path / "photos", "-o", tmp_path / "templates", "--processes", "1")
    assert code == 0
    assert "2 photos: 1 templates" in out
    assert "1 photos gave nothing (1 no-face)" in out
    from_templates = json.loads(command("interpret", tmp_path / "templates", "--json")[1])
    code, out, err = command("interpret", tmp_path / "photos", "--json")
    from_photo, rejected = [json.loads(line) for line in out.splitlines()]
    assert from_photo == from_templates
    assert (code, rejected["rejected"]) == (1, "no-face")
    assert "1 of 2 gave nothing" in err


CHUNK = b"IHDR" + struct.pack(">2I5B", 100_000, 100_000, 8, 2, 0, 0, 0)
HEADER = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + CHUNK + struct.pack(">I", zlib.crc32(CHUNK))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("no.jpg", None, "no.jpg"),
        ("text.jpg", b"hello, this is no image at all", "text.jpg"),
        ("zero.jpg", b"", "found 0 bytes"),
        ("huge.png", HEADER, "found 100000 x 100000"),
    ],
)
def test_bad_photos(command, tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    pytest.importorskip("dlib")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = command("interpret", tmp_path / name)
    assert (code, out) == (1, "")
    assert re.search(words, one_line(err))


def test_photo_without_a_face_and_truncated(command, astronaut: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    code, _, err = command("interpret", write_photo(tmp_path / "plain.png"))
    assert (code, "no face was found" in one_line(err)) == (1, True)
    (tmp_path / "cut.png").write_bytes(astronaut.read_bytes()[:5000])
    code, _, err = command("interpret", tmp_path / "cut.png")
    assert (code, "cut.png" in one_line(err)) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["interpret"], "nothing to read"),
        (["interpret", "--example", "-m", "nowhere"], "no interpreter at nowhere"),
        (["interpret", "--example", "-e", "resnet"], "no encoder is called 'resnet'"),
        (["interpret", "--example", "--hide", "beauty"], "beauty"),
        (["interpret", "--example", "--json", "--csv"], "exclude each other"),
        (["interpret", "--example", "--attributes", "Male", "--hide", "gender"], "no attribute is left"),
        (["interpret", "--example", "-o", "x"], "one store of templates"),
        (["ask", "", "--example"], "empty"),
        (["extract", "nothing-here", "-o", "x"], "nothing-here"),
        (["fit", "nothing-here.parquet", "-l", "x.csv", "-o", "y"], "no such templates"),
    ],
)
def test_bad_requests(
    command, arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*arguments)
    assert (code, out) == (1, "")
    assert words in one_line(err)
    assert not list(tmp_path.iterdir())


def test_templates_that_do_not_fit(command, tmp_path: Path) -> None:
    table, _ = toy_data(8)
    save_templates(tmp_path / "toy.parquet", table.vectors, table.images, toy_card())
    np.save(tmp_path / "toy.npy", table.vectors)
    assert "reads templates of dlib, these are of toy" in one_line(
        command("interpret", tmp_path / "toy.parquet")[2]
    )
    assert "length 128 (dlib), found length 16" in one_line(command("interpret", tmp_path / "toy.npy")[2])


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """As on a machine without dlib, torch or scikit-image."""
    code = (
        "import sys\n"
        "for name in ('dlib', 'torch', 'skimage'): sys.modules[name] = None\n"
        "from clip_smu.cli import main\nmain()"
    )
    photo, (table, _) = write_photo(tmp_path / "a.png"), toy_data(8)
    save_templates(tmp_path / "t.parquet", table.vectors, table.images, toy_card())
    for arguments, extra in (
        (["interpret", photo], "dlib"),
        (["interpret", "--example"], "example"),
        (["fit", tmp_path / "t.parquet", "-l", "x", "-o", "y"], "train"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 1
        assert f"pip install 'clip-smu[{extra}]'" in one_line(done.stderr)


def test_runtime_commands_never_import_torch(store: Path, tmp_path: Path, astronaut: Path) -> None:
    code = (
        "import sys\nsys.modules['torch'] = sys.modules['transformers'] = None\n"  # importing them now raises
        "from clip_smu import cli\n"
        "for line in sys.argv[1].split('|'):\n"
        "    sys.argv = ['clip-smu', *line.split(';')]\n"
        "    try: cli.main()\n"
        "    except SystemExit as stop: assert not stop.code, line\n"
    )
    commands = [
        f"extract;{astronaut};-o;{tmp_path / 't'};--processes;1",
        f"interpret;{store};--json",
        f"interpret;{store};-o;{tmp_path / 'r'}",
        f"ask;a hat;{store}",
        "words",
        "--help",
    ]
    if not _has_dlib():
        commands.pop(0)
    done = subprocess.run([sys.executable, "-c", code, "|".join(commands)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_photos_do_not_pay_for_pyarrow(astronaut: Path) -> None:
    """A quick start: reading one photo loads neither PyArrow, ONNX Runtime nor OpenCV."""
    pytest.importorskip("dlib")
    code = (
        "import sys\nfrom clip_smu import cli\n"
        f"sys.argv = ['clip-smu', 'interpret', {str(astronaut)!r}]\n"
        "try: cli.main()\nexcept SystemExit as stop: assert not stop.code\n"
        "heavy = {'pyarrow', 'onnxruntime', 'cv2', 'torch', 'scipy', 'skimage'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _has_dlib() -> bool:
    from importlib.util import find_spec

    return find_spec("dlib") is not None


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's RLIMIT_FSIZE")
def test_a_full_disk_is_one_line_and_keeps_what_was_done(store: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: writing fails in the middle."""
    code = (
        "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "from clip_smu.cli import main\nmain()"
    )
    arguments = ["interpret", str(store), "-o", str(tmp_path / "r")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    assert "disk is full" in one_line(done.stderr)
    assert not (tmp_path / "r").exists()  # nothing was finished, so nothing is left


def test_captions_ask_a_store_for_its_home(command, shared: Path, tmp_path: Path) -> None:
    templates = shared / "data/celeba/templates-dlib"
    if not templates.is_dir():
        pytest.skip(f"needs {templates}")
    code, _, err = command("captions", templates, "-o", tmp_path / "c.csv")
    assert code == 0
    assert "faces look like celeba: read as calibrated there" in err


def test_the_name_of_before_is_an_alias_with_a_note(command, store: Path) -> None:
    now = command("interpret", store, "--csv", "-m", "dlib-faces")[1]
    code, out, err = command("interpret", store, "--csv", "-m", "dlib-lfw")
    assert (code, out) == (0, now)
    assert "clip-smu: dlib-lfw is now an alias of dlib-faces" in err
    with pytest.warns(RenamedWarning, match="alias of dlib-faces"):
        assert load_interpreter("dlib-lfw").name == "dlib-faces"
