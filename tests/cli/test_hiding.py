"""What is hidden is hidden by name: in every command's words and files, in sentences, captions and questions."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clip_smu import cli
from clip_smu.encoders.locate import card
from clip_smu.errors import InputError
from clip_smu.evaluation import EvaluationConfig, evaluate
from clip_smu.evaluation.generation import compare_strategies, generate
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.interpreter.pairing import pair
from clip_smu.labels.labels import Labels
from clip_smu.templates import Templates
from clip_smu.templates.shards import save_templates
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES, SENSITIVE, by_name
from clip_smu.words.hiding import hidden_names, refuse_question, shown_columns
from clip_smu.words.prompts import prompts
from faces import dlib_like
from places import LFW_READER

HIDDEN = "race,gender"
NAMES_HIDDEN = ("Male", "Asian", "White", "Black")
TELLING = re.compile(
    r"(?<!_)\b(male|asian|white|black|man|woman|men|women|he|she)\b(?!_| hair)", re.IGNORECASE
)
"""Words that tell race or gender; "black hair" is about hair."""


@pytest.fixture(scope="module")
def data() -> tuple[Templates, Labels]:
    """300 made-up templates of dlib's length, around its faces' mean, with labels for all attributes."""
    rng = np.random.default_rng(0)
    vectors = dlib_like(rng.normal(size=(300, 128)))
    people = [f"p{row // 3}" for row in range(300)]
    images = [f"{one}/{row}.jpg" for row, one in enumerate(people)]
    norms = np.linalg.norm(vectors, axis=1).astype(np.float32)
    faces = Templates(vectors, images, np.zeros(300, np.int16), people, norms, card("dlib"))
    return faces, Labels(images, people, rng.choice(np.int8([-1, 1]), (300, 47)))


@pytest.fixture(scope="module")
def files(data: tuple[Templates, Labels], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """store/, labels.csv, train.txt, test.txt, and two evaluations with all attributes."""
    folder = tmp_path_factory.mktemp("files")
    faces, labels = data
    (folder / "store").mkdir()
    (folder / "few").mkdir()
    save_templates(folder / "few/part-00000.parquet", faces.vectors[:6], faces.images[:6], card("dlib"))
    save_templates(folder / "store/part-00000.parquet", faces.vectors, faces.images, card("dlib"))
    rows = [
        ",".join([image, person, *map(str, values)])
        for image, person, values in zip(faces.images, faces.identities, labels.values, strict=True)
    ]
    (folder / "labels.csv").write_text("\n".join([",".join(["Filename", "Identity", *NAMES]), *rows]) + "\n")
    for name, part in (("train", slice(0, 150)), ("test", slice(150, 300)), ("some", slice(0, 300, 50))):
        (folder / f"{name}.txt").write_text("\n".join(faces.images[part]) + "\n")
    first = load_interpreter()
    other = replace(first, name="other", positive=np.roll(first.positive, 1, axis=0))
    for name, method in (("a", first), ("b", other)):
        evaluate(
            [method], faces, labels, folder / name, config=EvaluationConfig(only=faces.images[150:], rounds=0)
        )
    return folder


_EVALUATE = ("evaluate", "dlib-faces", "-t", "store", "-l", "labels.csv", "-o", "OUT", "--rounds", "0")
_ERASE = ("erase", "Eyeglasses", "store", "-l", "labels.csv", "--train", "train.txt", "--test", "test.txt")
_JUDGED = ("-l", "labels.csv", "--only", "some.txt")
COMMANDS = {
    "interpret": ("interpret", "few", "--evidence"),
    "interpret --json": ("interpret", "few", "--json"),
    "interpret --csv": ("interpret", "few", "--csv"),
    "interpret -o": ("interpret", "store", "-o", "OUT"),
    "captions": ("captions", "store", "-o", "OUT.csv", *_JUDGED, "--table", "OUT-table.csv"),
    "captions --strategy greedy": ("captions", "few", "-o", "OUT.jsonl", "--strategy", "greedy"),
    "pair": ("pair", "store::p0/0.jpg", "store::p0/1.jpg"),
    "pair --json": ("pair", "store::p0/0.jpg", "store::p9/27.jpg", "--json"),
    "evaluate": _EVALUATE,
    "evaluate --json": (*_EVALUATE, "--json"),
    "compare": ("compare", "a", "b", "--rounds", "40", "-o", "OUT.csv"),
    "compare --json": ("compare", "a", "b", "--rounds", "40", "--json"),
    "confounds": ("confounds", "a", "-o", "OUT"),
    "erase": (*_ERASE, "-o", "OUT"),
}
"""Every command that shows attributes; of report and figures see test_report and test_figures."""


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_tells_what_is_hidden(
    command: str,
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither on the terminal nor in any file that it writes; and without --hide it does tell."""
    monkeypatch.chdir(files)
    monkeypatch.setenv("COLUMNS", "200")

    def told(*more: str, out: Path) -> set[str]:
        given = [one.replace("OUT", str(out / "out")) for one in COMMANDS[command]]
        monkeypatch.setattr(sys, "argv", ["clip-smu", *given, *more])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            sys.exit(0)
        captured = capsys.readouterr()
        assert not stop.value.code, captured.err
        text = captured.out
        for file in sorted(out.rglob("*")):
            if file.suffix in (".csv", ".json", ".jsonl"):
                text += file.read_text()
            elif file.suffix == ".parquet" and file.parent.name == "out":
                text += str(pq.read_schema(file))
        return {one.lower() for one in TELLING.findall(text)}

    (tmp_path / "all").mkdir()
    (tmp_path / "less").mkdir()
    if command != "confounds":
        assert told(out=tmp_path / "all")
    assert told("--hide", HIDDEN, out=tmp_path / "less") == set()


def test_a_reader_of_fewer_attributes_hides_by_name(data: tuple[Templates, Labels], tmp_path: Path) -> None:
    """Where column 4 is no longer Asian, positions would hide others."""
    whole = load_interpreter(LFW_READER)
    order = [k for k in range(47) if NAMES[k] != "Young"]
    calibration = replace(
        whole.calibration,
        **{
            key: getattr(whole.calibration, key)[order]
            for key in ("slope", "intercept", "encoded_at", "not_encoded_at")
        },
    )
    fewer: Interpreter = replace(
        whole,
        attributes=tuple(NAMES[k] for k in order),
        positive=whole.positive[order],
        negative=whole.negative[order],
        calibration=calibration,
        evidence=tuple(whole.evidence[k] for k in order),
    )
    faces, labels = data
    read = fewer.interpret(faces.vectors[:3], hide="race")
    made = evaluate([fewer], faces, labels, tmp_path / "e", config=EvaluationConfig(hide="race", rounds=0))
    expected = tuple(name for name in NAMES if name not in ("Young", "Asian", "White", "Black"))
    assert read.attributes == made.attributes == expected
    full = whole.interpret(faces.vectors[:3])
    columns = [NAMES.index(name) for name in expected]
    np.testing.assert_allclose(read.scores, full.scores[:, columns], atol=1e-6)
    np.testing.assert_allclose(made.methods["dlib-lfw"].scores[:3], full.scores[:, columns], atol=1e-6)
    np.testing.assert_array_equal(made.labels, labels.values[:, columns])


@pytest.mark.parametrize("strategy", ["calibrated", "likely", "threshold", "greedy"])
def test_captions_make_nobody_a_man_or_woman(strategy: str, data: tuple[Templates, Labels]) -> None:
    reader, (faces, _) = load_interpreter(LFW_READER), data
    said = NAMES.index("Male")
    man = dlib_like((reader.positive - reader.negative)[said].astype(np.float64))
    faces_of = np.concatenate([man[None], faces.vectors[: 2 if strategy == "greedy" else 60]])
    whole, less = (generate(reader, faces_of, strategy, hide=hide) for hide in ((), "gender"))
    assert any(re.search(r"\b(man|woman|male)\b", text) for text in whole.texts)
    assert not any(re.search(r"\b(man|woman|male|he|she)\b", text, re.IGNORECASE) for text in less.texts)
    assert not less.asserted[:, said].any()
    if strategy != "greedy":  # the others are chosen one by one
        np.testing.assert_array_equal(
            np.delete(less.asserted, said, axis=1), np.delete(whole.asserted, said, axis=1)
        )


def test_hidden_attributes_count_in_no_caption_figure(data: tuple[Templates, Labels]) -> None:
    """The figures are those of labels that never knew the hidden attributes."""
    faces, labels = data
    blind = replace(labels, values=np.where(np.isin(NAMES, NAMES_HIDDEN), np.int8(0), labels.values))
    strategies = ("calibrated", "likely")
    hidden = compare_strategies(load_interpreter(), faces, labels, strategies=strategies, hide=HIDDEN)
    blinded = compare_strategies(load_interpreter(), faces, blind, strategies=strategies)
    assert hidden["calibrated"].micro == blinded["calibrated"].micro
    assert hidden["calibrated"].said < blinded["calibrated"].said


@pytest.mark.parametrize("group", [*SENSITIVE, "sensitive", "eyewear", "hair color", "Smiling"])
def test_questions_about_hidden_groups(group: str) -> None:
    """Every prompt and paraphrase of what is hidden is refused, none of what is shown."""
    hidden = hidden_names(group)
    for row in ATTRIBUTES:
        for text in prompts(row, True) + (prompts(row, False) if row.name in hidden else ()):
            if row.name in hidden:
                with pytest.raises(InputError, match="which is hidden"):
                    refuse_question(text, group)
            else:
                refuse_question(text, group)


@pytest.mark.parametrize(
    ("question", "hide", "about"),
    [
        ("men with beards", "gender", "gender"),
        ("is she smiling?", "gender", "gender"),
        ("a Black person", "race", "race"),
        ("black", "Black", "race"),
        ("Chinese", "race", "race"),
        ("people in their forties", "age", "age"),
        ("older than sixty years", "sensitive", "age"),
        ("GORGEOUS", "attractiveness", "attractiveness"),
        ("wears glasses", "Eyeglasses", "eyewear"),
        ("black hair", "race", ""),
        ("a person with a beard", "gender", ""),
        ("wears a hat", "sensitive", ""),
        ("an attractive man", "", ""),
    ],
)
def test_everyday_questions(question: str, hide: str, about: str) -> None:
    if about:
        with pytest.raises(InputError, match=f"about {about}, which is hidden"):
            refuse_question(question, hide)
        with pytest.raises(InputError, match=f"about {about}, which is hidden"):
            load_interpreter().ask(question, np.ones((1, 128)), hide=hide)
    else:
        refuse_question(question, hide)
        assert len(load_interpreter().ask(question, np.ones((1, 128)), hide=hide).scores) == 1


@pytest.mark.parametrize(
    ("question", "hide", "about"),
    [
        ("a widow in a bonnet", "gender", "gender"),
        ("a fedora", "Wearing_Hat", "hat"),
        ("not a pensioner", "age", "age"),
        ("bareheaded", "gender", ""),
    ],
)
def test_questions_whose_words_mean_what_is_hidden(question: str, hide: str, about: str) -> None:
    """Words that no prompt holds, too."""
    refuse_question(question, hide)
    if about:
        with pytest.raises(InputError, match=f"about {about}, which is hidden"):
            load_interpreter().ask(question, np.ones((1, 128)), hide=hide)
    else:
        assert load_interpreter().ask(question, np.ones((1, 128)), hide=hide).refused == ""


def test_ask_refuses_in_one_line(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    for question, code in (("a woman", 1), ("wears a hat", 0)):
        monkeypatch.setattr(sys, "argv", ["clip-smu", "ask", question, "store", "--hide", "gender"])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            sys.exit(0)
        captured = capsys.readouterr()
        assert (stop.value.code or 0) == code
        said = (
            "the question is about gender, which is hidden ('woman'): ask about something else, or hide less"
        )
        if code:
            assert captured.err == f"clip-smu: {said}\n"
        else:
            assert captured.err.startswith("clip-smu: understood as hat: Wearing_Hat yes\n")
        assert bool(captured.out) is not bool(code)


def test_positions_are_refused_and_so_is_hiding_everything() -> None:
    reader = load_interpreter()
    with pytest.raises(InputError, match=r"found 3: give names such as Male or race, not positions"):
        reader.interpret(np.ones(128), hide=[3])  # type: ignore[list-item]
    with pytest.raises(InputError, match="did you mean race"):
        reader.interpret(np.ones(128), hide="rase")
    for hide in (NAMES, ",".join(NAMES)):
        with pytest.raises(InputError, match="all 47 are hidden; hide fewer"):
            reader.interpret(np.ones(128), hide=hide)
        with pytest.raises(InputError, match="hide fewer"):
            pair(reader, reader.centre, reader.centre, hide=hide)
    assert shown_columns((), "race") == []
    assert by_name("Male").sensitive == "gender"
