"""The input guard: what looks like a template of the encoder is read, what does not is told, in every command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from clip_smu.cli import app
from clip_smu.encoders.locate import card
from clip_smu.errors import EncoderError, InterpreterError, TemplateError
from clip_smu.evaluation import EvaluationConfig, evaluate
from clip_smu.evaluation.generation import generate
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.interpreter.load import load_reader
from clip_smu.interpreter.pairing import pair
from clip_smu.interpreter.probe import Probe
from clip_smu.interpreter.readable import refuse_strangers
from clip_smu.interpreter.store_readings import interpret_store
from clip_smu.labels.labels import Labels
from clip_smu.templates import Templates, read_templates
from clip_smu.templates.likeness import Likeness, measure_likeness
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import NAMES
from faces import dlib_like

REASON = "does not look like a template of dlib"


@pytest.fixture(scope="module")
def shipped() -> Interpreter:
    return load_interpreter()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return dlib_like(rng(1).normal(size=(2000, 128)))


FAKES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "white": lambda x: rng(2).normal(size=x.shape),
    "white, as large": lambda x: rng(2).normal(size=x.shape) * np.linalg.norm(x, axis=1, keepdims=True) / 11,
    "white, with each number's mean and spread": lambda x: rng(2).normal(size=x.shape) * x.std(0) + x.mean(0),
    "permuted alike": lambda x: x[:, rng(3).permutation(128)],
    "permuted row by row": lambda x: rng(3).permuted(x, axis=1),
    "signs flipped alike": lambda x: x * rng(4).choice([-1, 1], 128),
    "signs flipped row by row": lambda x: x * rng(4).choice([-1, 1], x.shape),
    "mirrored": lambda x: -x,
    "constant": lambda x: np.ones((5, 128)),
    "one-hot": lambda x: np.eye(128),
    "uniform": lambda x: rng(5).random(x.shape),
}


@pytest.mark.parametrize("kind", FAKES)
def test_what_is_no_template_gets_no_verdict(shipped: Interpreter, faces: np.ndarray, kind: str) -> None:
    fake = FAKES[kind](faces).astype(np.float32)
    scores, probabilities, verdicts = shipped.read(fake)
    assert not verdicts.any()
    assert np.isnan(scores).all()
    assert np.isnan(probabilities).all()
    read = shipped.interpret(fake[:3])
    assert read.reasons == (REASON,) * 3
    assert read[0].reason == REASON
    assert read[0].sentence == f"This {REASON}."
    assert json.loads(json.dumps(read[0].readings[0].to_dict(), allow_nan=False))["probability"] is None
    assert np.isnan(shipped.ask("wears a hat", fake[:3]).scores).all()


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x,
        lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
        lambda x: 1000 * x,
        lambda x: x.astype(np.float16).astype(np.float32),
        lambda x: np.round(127 * x / np.abs(x).max(axis=1, keepdims=True)),  # int8, with a scale of its own
        lambda x: np.round(127 * x / np.abs(x).max()),
    ],
)
def test_a_template_in_any_number_format_is_read(shipped: Interpreter, faces: np.ndarray, form) -> None:
    assert shipped.likeness is not None
    assert shipped.likeness.holds(form(faces).astype(np.float32)).all()


def slow(known: Likeness, template: np.ndarray) -> tuple[float, float]:
    """The definition, one number at a time."""
    t = template.astype(np.float64)
    u = t / np.sqrt((t * t).sum())
    along = [float((u - known.centre) @ column) for column in known.quiet.T.astype(np.float64)]
    return sum(one * one for one in along) / len(along), float(u @ known.toward)


def test_measures_are_the_definition(shipped: Interpreter) -> None:
    known = shipped.likeness
    assert known is not None
    rows = np.concatenate([rng(0).normal(size=(4, 128)), shipped.centre[None] * 3]).astype(np.float32)
    distance, side = known.measures(rows)
    expected = np.array([slow(known, row) for row in rows])
    np.testing.assert_allclose(distance, expected[:, 0], rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(side, expected[:, 1], rtol=2e-3, atol=2e-4)
    assert not known.holds(np.float32([[0] * 128, [np.nan] * 128, [np.inf] * 128])).any()


def made_up_encoder(n: int, dim: int, seed: int, rank: int | None = None) -> np.ndarray:
    """Templates of a made-up encoder: a common part, and a spread that falls from direction to direction."""
    turn = np.linalg.qr(rng(seed).normal(size=(dim, dim)))[0]
    spread = np.linspace(1, 0.05, dim) ** 2
    if rank is not None:
        spread[rank:] = 0
    return (rng(seed + 1).normal(size=(n, dim)) * spread) @ turn + turn[0] * 2


@pytest.mark.parametrize("rank", [None, 40])
def test_an_encoder_is_known_from_its_training_persons(rank: int | None) -> None:
    own, other = (made_up_encoder(3000, 96, seed, rank) for seed in (0, 7))
    known = measure_likeness(own[:2000], [str(row // 4) for row in range(2000)])
    assert known is not None
    assert known.measured_on == {"faces": 2000, "persons": 500}
    assert known.holds(own[2000:].astype(np.float32)).mean() > 0.995
    for strange in (other, rng(9).normal(size=own.shape), own[:, ::-1]):
        assert known.holds(np.ascontiguousarray(strange, np.float32)).mean() < 0.001


def test_limits_hold_for_persons_that_were_not_measured() -> None:
    """With few faces of many numbers, directions that these few leave empty are no sign: held-out persons decide."""
    own = made_up_encoder(1200, 96, 3)
    people = [str(row // 3) for row in range(1200)]
    for count in (60, 150, 600):
        known = measure_likeness(own[:count], people[:count])
        assert known is not None
        assert known.holds(own[600:].astype(np.float32)).mean() > 0.99


def test_white_templates_are_all_alike() -> None:
    """Where an encoder's templates fill their space evenly nothing can be told, and nothing is refused."""
    own = rng(0).normal(size=(800, 16))
    known = measure_likeness(own[:400], [str(row // 4) for row in range(400)])
    assert known is not None
    assert known.holds(own.astype(np.float32)).mean() > 0.999


def test_too_few_to_measure() -> None:
    own = rng(0).normal(size=(30, 8))
    assert measure_likeness(own[:10], [str(row) for row in range(10)]) is None
    assert measure_likeness(own, ["one"] * 30) is None
    assert measure_likeness(own, [""] * 30) is not None  # strangers are persons of their own


def test_saved_and_loaded_with_either_method(shipped: Interpreter, tmp_path: Path) -> None:
    probe = Probe(
        name="mine",
        encoder="dlib",
        kind="binary",
        attributes=NAMES,
        centre=np.zeros(128, "f4"),
        scale=np.ones(128, "f4"),
        layers=((np.ones((128, 47), "f4"), np.zeros(47, "f4")),),
        calibration=shipped.calibration,
        evidence=shipped.evidence,
        error_rate=0.1,
        provenance={},
        likeness=shipped.likeness,
    )
    rows = np.stack([shipped.centre, np.ones(128, np.float32)])
    for method, name in ((shipped, "it"), (probe, "probe")):
        method.save(tmp_path / name)
        back = load_reader(tmp_path / name)
        assert back.likeness is not None
        assert shipped.likeness is not None
        assert back.likeness.to_dict() == shipped.likeness.to_dict()
        for one, other in zip(
            back.likeness.arrays().values(), shipped.likeness.arrays().values(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        assert np.isnan(back.read(rows)[0]).any(axis=1).tolist() == [False, True]
    file = tmp_path / "probe/probe.json"
    values = {**json.loads(file.read_text()), "checksum": None}
    for broken in (
        {**values["likeness"], "directions": 31},
        {**values["likeness"], "most": -1},
        {"most": 1},
    ):
        file.write_text(json.dumps({**values, "likeness": broken}))
        with pytest.raises(InterpreterError, match="damaged"):
            load_reader(tmp_path / "probe")
    file.write_text(json.dumps({**values, "likeness": None}))  # a folder of before: every row is read
    assert not np.isnan(load_reader(tmp_path / "probe").read(rows)[0]).any()


def test_fits_measure_it(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from clip_smu.training.probe_config import ProbeConfig
    from clip_smu.training.probes import fit_probe

    vectors = made_up_encoder(200, 24, 1).astype(np.float32)
    people = [f"p{row // 4}" for row in range(200)]
    images = [f"{one}/{row}.jpg" for row, one in enumerate(people)]
    own = replace(card("dlib"), name="toy", dim=24)
    table = Templates(vectors, images, np.zeros(200, np.int16), people, np.ones(200, np.float32), own)
    labels = Labels(images, people, rng(3).choice(np.int8([-1, 1]), (200, 47)))
    config = ProbeConfig("multi-label", epochs=1, folds=2)
    made = fit_probe(table, labels, tmp_path / "probe", train=images[:120], config=config)
    assert made.card == own
    assert made.likeness is not None
    assert made.likeness.measured_on == {"faces": 120, "persons": 30}  # of the training list alone
    again = measure_likeness(vectors[:120], people[:120])
    assert again is not None
    assert (again.most, again.least) == (made.likeness.most, made.likeness.least)


# ---------------------------------------------------------------- files


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, f"{result.output}{result.exception or ''}"


@pytest.mark.parametrize("command", [["interpret"], ["ask", "wears a hat"], ["interpret", "-o", "OUT"]])
def test_a_file_of_strangers_is_refused(tmp_path: Path, command: list[str]) -> None:
    np.save(tmp_path / "noise.npy", rng().normal(size=(300, 128)).astype(np.float32))
    words = [word if word != "OUT" else str(tmp_path / "out") for word in command]
    code, text = run(*words, tmp_path / "noise.npy")
    assert code == 1
    assert "300 of 300 templates (" in text
    assert "do not look like templates of dlib, which dlib-faces reads" in text
    assert not (tmp_path / "out").exists()


def store_with_strangers(folder: Path, faces: np.ndarray) -> Path:
    vectors = faces[:10].copy()
    vectors[[3, 7]] = rng(8).normal(size=(2, 128))
    vectors[5] = np.nan
    save_templates(folder / "part-00000.parquet", vectors, [f"{row}.jpg" for row in range(10)], card("dlib"))
    return folder


def test_a_row_of_a_store_is_counted_with_its_reason(tmp_path: Path, faces: np.ndarray) -> None:
    store = store_with_strangers(tmp_path / "store", faces)
    done = interpret_store(load_interpreter(), store, tmp_path / "readings")
    assert done.rejected == {REASON: 2, "not a number (NaN)": 1}
    table = pq.read_table(tmp_path / "readings")
    assert [row for row, why in enumerate(table["rejected"].to_pylist()) if why == REASON] == [3, 7]
    assert not any(table["verdicts"].to_pylist()[3])
    code, text = run("interpret", store, "--json")
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    refused = {row["image"]: row["message"] for row in rows if "rejected" in row}
    assert refused == {
        "3.jpg": f"the template {REASON}",
        "7.jpg": f"the template {REASON}",
        "5.jpg": "the template is not a number (NaN)",
    }
    assert code == 1
    assert len(rows) == 10


def test_a_reader_that_does_not_know_says_so(shipped: Interpreter, tmp_path: Path, faces: np.ndarray) -> None:
    """Folders of before, and text encoders as they are without faces."""
    replace(shipped, name="old", likeness=None).save(tmp_path / "old")
    np.save(tmp_path / "faces.npy", faces[:2])
    code, text = run("interpret", "-m", tmp_path / "old", tmp_path / "faces.npy", "--json")
    assert code == 0
    assert "old does not know what templates of dlib look like" in text
    assert "does not know" not in run("interpret", tmp_path / "faces.npy", "--json")[1]


def test_evaluations_are_of_one_encoder_not_of_one_name(
    shipped: Interpreter, tmp_path: Path, faces: np.ndarray
) -> None:
    assert shipped.card is not None
    other = replace(shipped, name="other", card=replace(shipped.card, channels="BGR"))
    people = [f"p{row}" for row in range(10)]
    table = Templates(faces[:10], people, np.zeros(10, np.int16), people, np.ones(10, np.float32), None)
    labels = Labels(people, people, rng(1).choice(np.int8([-1, 1]), (10, 47)))
    with pytest.raises(EncoderError, match=r"another dlib than other \(channels RGB, not BGR\)"):
        evaluate([shipped, other], table, labels, tmp_path / "evaluation", config=EvaluationConfig(rounds=0))


def test_captions_pairs_and_evaluations_tell_it_too(
    shipped: Interpreter, tmp_path: Path, faces: np.ndarray
) -> None:
    store = store_with_strangers(tmp_path / "store", faces)
    made = generate(shipped, read_templates(store).vectors)
    assert [row for row, why in enumerate(made.rejected) if why == REASON] == [3, 7]
    assert made.texts[3] == ""
    with pytest.raises(TemplateError, match=f"the second template {REASON}"):
        pair(shipped, faces[0], rng(8).normal(size=128))
    people = [f"p{row}" for row in range(10)]
    labels = Labels([f"{row}.jpg" for row in range(10)], people, rng(1).choice(np.int8([-1, 1]), (10, 47)))
    found = evaluate([shipped], store, labels, tmp_path / "evaluation", config=EvaluationConfig(rounds=0))
    assert len(found) == 7
    assert found.manifest["unusable"] == {REASON: 2, "not a number (NaN)": 1}
    noise = rng().normal(size=(10, 128)).astype(np.float32)
    table = Templates(noise, labels.images, np.zeros(10, np.int16), people, np.ones(10, np.float32), None)
    with pytest.raises(TemplateError, match=r"10 of 10 templates .in memory. do not look like"):
        evaluate([shipped], table, labels, tmp_path / "other", config=EvaluationConfig(rounds=0))


def test_says_which_reader_at_hand_knows_them(shipped: Interpreter, tmp_path: Path) -> None:
    """Those beside the reader's folder, and the shipped one."""
    people = [str(row // 4) for row in range(1000)]
    own = {
        name: made_up_encoder(1500, 128, seed).astype(np.float32) for name, seed in (("one", 0), ("two", 5))
    }
    for name, vectors in own.items():
        known = measure_likeness(vectors[:1000], people)
        replace(shipped, name=f"{name}-reader", encoder=name, card=None, likeness=known).save(tmp_path / name)
    reader = load_interpreter(tmp_path / "one")
    refuse_strangers(reader, own["one"][1000:], "a.npy")
    words = "look like templates of two, which two-reader reads"
    with pytest.raises(
        TemplateError, match=rf"500 of 500 templates .a.npy. do not look .* of one, .*; they {words}"
    ):
        refuse_strangers(reader, own["two"][1000:], "a.npy")
    with pytest.raises(TemplateError, match="look like templates of dlib, which dlib-faces reads"):
        refuse_strangers(reader, dlib_like(rng().normal(size=(50, 128))), "a.npy")
    shutil.rmtree(tmp_path / "two")
    with pytest.raises(TemplateError) as error:
        refuse_strangers(reader, own["two"][1000:], "a.npy")
    assert "they look like" not in str(error.value)


# ---------------------------------------------------------------- real templates


def test_the_shipped_guard_on_celeba(shared: Path, shipped: Interpreter) -> None:
    """Of another data set's faces at most 0.5 % are refused, of what is no template at most 0.1 % gets a verdict."""
    vectors = read_templates(shared / "data/celeba/templates-dlib").vectors
    assert shipped.likeness is not None
    assert shipped.likeness.holds(vectors).mean() >= 0.995
    for fake in (make(vectors) for make in FAKES.values()):
        assert shipped.read(fake.astype(np.float32))[2].any(axis=1).mean() <= 0.001


def test_two_encoders_of_one_length_are_told_apart(shared: Path) -> None:
    """mbf's templates read as mfn's and back, each known from CelebA's training persons."""
    folder, known, test = shared / "data/celeba", {}, {}
    listed = set((folder / "train_list.txt").read_text().split())
    people = {
        line.split(",")[0]: line.split(",")[1]
        for line in (folder / "celeba_maad47.csv").read_text().splitlines()[1:]
    }
    for name in ("mbf", "mfn"):
        table = read_templates(folder / f"templates-{name}")
        inside = np.array([image in listed for image in table.images])
        persons = [people.get(image, image) for image, here in zip(table.images, inside, strict=True) if here]
        known[name], test[name] = measure_likeness(table.vectors[inside], persons), table.vectors[~inside]
    for name, other in (("mbf", "mfn"), ("mfn", "mbf")):
        reader = known[name]
        assert reader is not None
        assert reader.holds(test[name]).mean() >= 0.995
        assert reader.holds(test[other]).mean() <= 0.001


def test_mirrored_templates_are_told_where_only_quiet_directions_have_a_mean() -> None:
    """As in a small network with near-null directions: elsewhere the mean is lost among the faces' own spread."""
    rng = np.random.default_rng(3)
    spread = np.concatenate([np.full(8, 1e-3), np.ones(56)])
    mean = np.concatenate([np.full(8, 4e-3), np.full(56, 0.02)])
    faces = mean + spread * rng.normal(size=(4_000, 64))
    found = measure_likeness(faces[:3_000], [str(row) for row in range(3_000)])
    assert found is not None
    others = faces[3_000:].astype(np.float32)
    assert found.holds(others).mean() >= 0.995
    assert found.holds(-others).mean() <= 0.001
