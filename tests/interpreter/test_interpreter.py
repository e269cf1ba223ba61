"""Reading templates: the arithmetic against its definition, ranking, refusals, saving and loading."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu.encoders.locate import card
from clip_smu.errors import EncoderError, InputError, InterpreterError, TemplateError
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.prompts import prompt
from faces import DIM, dlib_like, slow_scores
from places import LFW_READER


@pytest.fixture
def toy() -> Interpreter:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=(2, 47, DIM)).astype(np.float32)
    positive /= np.linalg.norm(positive, axis=1, keepdims=True)
    negative /= np.linalg.norm(negative, axis=1, keepdims=True)
    calibration = Calibration(np.full(47, 4.0), rng.normal(size=47), np.full(47, 0.8), np.full(47, 0.3))
    known = Evidence(0.9, 0.8, 0.95, 50, 60, 0.1, float("nan"), 0.7, 0.9, "")
    return Interpreter(
        name="toy",
        encoder="toy",
        attributes=NAMES,
        positive=positive,
        negative=negative,
        centre=rng.normal(size=DIM).astype(np.float32) / 9,
        calibration=calibration,
        evidence=(known,) * 47,
        error_rate=0.1,
        known_words=frozenset({"a", "hat"}),
        provenance={"job": "x"},
    )


def test_scores_are_differences_of_cosines(toy: Interpreter) -> None:
    templates = np.random.default_rng(1).normal(size=(7, DIM)) * 3
    read = toy.interpret(templates)
    np.testing.assert_allclose(read.scores, [slow_scores(toy, row) for row in templates], atol=2e-6)
    z = toy.calibration.slope * read.scores + toy.calibration.intercept
    np.testing.assert_allclose(read.probabilities, 1 / (1 + np.exp(-z)), atol=1e-6)
    np.testing.assert_array_equal(
        read.verdicts, (read.probabilities >= 0.8) * 1 - (read.probabilities <= 0.3) * 1
    )
    np.testing.assert_allclose(
        toy.interpret(templates * 50).scores, read.scores, atol=2e-6
    )  # scale does not matter


def test_ranked_from_encoded_to_not_encoded(toy: Interpreter) -> None:
    read = toy.interpret(np.random.default_rng(2).normal(size=(3, DIM)))
    rank = {"encoded": 0, "cannot tell": 1, "not encoded": 2}
    for one, probabilities in zip(read, read.probabilities, strict=True):
        keys = [(rank[reading.verdict], -reading.probability) for reading in one.readings]
        assert keys == sorted(keys)
        assert {reading.attribute: pytest.approx(reading.probability) for reading in one.readings} == dict(
            zip(NAMES, probabilities.tolist(), strict=True)
        )
        assert one.sentence.startswith("This template ")
    assert len(read[0:2]) == 2
    hidden = toy.interpret(np.ones(DIM), hide=["Male", "White"])
    assert hidden.attributes == tuple(name for k, name in enumerate(NAMES) if k not in (0, 5))


def test_json_has_no_nan(toy: Interpreter) -> None:
    reading = toy.interpret(np.ones(DIM))[0].readings[0]
    text = json.dumps(reading.to_dict(evidence=True), allow_nan=False)
    assert json.loads(text)["evidence"]["red_error"] is None


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        (np.ones((2, DIM + 1)), "length 16 .* found length 17"),
        (np.full((1, DIM), np.nan), r"template 0 is not a number \(NaN\) \(1 of 1"),
        (np.concatenate([np.ones((3, DIM)), np.zeros((1, DIM))]), "template 3 is zero"),
        (np.full((1, DIM), np.inf), "template 0 is infinite"),
        (np.ones((1, 2, DIM)), r"expected templates as an \(N, 16\) array"),
    ],
)
def test_refuses_templates(toy: Interpreter, templates: np.ndarray, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        toy.interpret(templates)


def test_refuses_another_encoder(toy: Interpreter) -> None:
    with pytest.raises(EncoderError, match="reads templates of toy, these are of dlib"):
        toy.check_templates(card("dlib"), 128)


def test_refuses_templates_of_the_same_encoder_fed_otherwise(toy: Interpreter, tmp_path: Path) -> None:
    """The name alone is not enough: the whole card is kept, and what differs is said."""
    own = replace(card("adaface-ir50"), dim=DIM)
    replace(toy, encoder=own.name, card=own).save(tmp_path / "it")
    reader = load_interpreter(tmp_path / "it")
    assert reader.card == own
    reader.check_templates(own, DIM)
    with pytest.raises(
        EncoderError, match=r"another adaface-ir50 \(channels BGR, not RGB; mean .*\): use an"
    ):
        reader.check_templates(replace(own, channels="RGB", mean=(0.0, 0.0, 0.0)), DIM)
    with pytest.raises(EncoderError, match=r"\(sha256 9c0ae385d736\.\.\., not 0{12}\.\.\.\)"):
        reader.check_templates(replace(own, sha256="0" * 64), DIM)


def test_refuses_a_folder_whose_card_is_of_another_encoder(toy: Interpreter, tmp_path: Path) -> None:
    replace(toy, card=card("dlib")).save(tmp_path / "it")
    with pytest.raises(
        InterpreterError, match="reads templates of toy of length 16, its encoder's card is of dlib"
    ):
        load_interpreter(tmp_path / "it")


def test_save_and_load(toy: Interpreter, tmp_path: Path) -> None:
    toy.save(tmp_path / "it")
    read = load_interpreter(tmp_path / "it")
    templates = np.random.default_rng(3).normal(size=(5, DIM))
    np.testing.assert_array_equal(
        read.interpret(templates).probabilities, toy.interpret(templates).probabilities
    )
    assert read.known_words == toy.known_words
    assert read.evidence[0].auc == 0.9
    assert np.isnan(read.evidence[0].not_encoded_error)
    with pytest.raises(InterpreterError, match=r"text_encoder\.onnx is missing"):
        read.ask("a gizmo", templates)
    with pytest.raises(InterpreterError, match="not loaded from a folder"):
        replace(toy, folder=None).ask("a gizmo", templates)


def test_refuses_broken_folders(toy: Interpreter, tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match="no interpreter at nowhere"):
        load_interpreter("nowhere")
    with pytest.raises(InterpreterError, match=r"interpreter\.json is missing"):
        load_interpreter(tmp_path)
    toy.save(tmp_path / "it")
    file = tmp_path / "it/interpreter.json"
    text = file.read_text()
    for broken, words in (
        (text[:100], "damaged"),
        (text.replace('"slope"', '"slop"'), "damaged"),
        (text.replace('"format": 1', '"format": 9'), "format 9, this version reads 1"),
    ):
        file.write_text(broken)
        with pytest.raises(InterpreterError, match=words):
            load_interpreter(tmp_path / "it")
    file.write_text(text)
    (tmp_path / "it/prompts.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(InterpreterError, match="damaged"):
        load_interpreter(tmp_path / "it")


def test_a_document_that_was_changed_is_told(toy: Interpreter, tmp_path: Path) -> None:
    """A number that is another is; another layout is not, nor is a document of before, without a checksum."""
    shipped = load_interpreter()
    assert shipped.folder is not None
    assert "checksum" in json.loads((shipped.folder / "interpreter.json").read_text())
    toy.save(tmp_path / "it")
    file = tmp_path / "it/interpreter.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps(dict(reversed(values.items()))))
    assert load_interpreter(tmp_path / "it").error_rate == values["error_rate"]
    values["attributes"][3]["green"] += 1e-9
    file.write_text(json.dumps(values))
    with pytest.raises(
        InterpreterError, match=r"interpreter\.json was changed after it was written"
    ) as refused:
        load_interpreter(tmp_path / "it")
    assert "\n" not in str(refused.value)
    del values["checksum"]
    file.write_text(json.dumps(values))
    assert load_interpreter(tmp_path / "it").name == "toy"


class _Sayings:
    """A text encoder that knows a few sentences."""

    def __init__(self, **vectors: np.ndarray) -> None:
        self.vectors = vectors

    def encode(self, sentences: list[str]) -> np.ndarray:
        return np.stack([self.vectors[text] for text in sentences]).astype(np.float32)


def test_a_question_is_held_against_the_opposite_of_the_nearest_prompt(toy: Interpreter) -> None:
    rng = np.random.default_rng(5)
    near = toy.negative[7] + 0.1 * rng.normal(size=DIM)
    near /= np.linalg.norm(near)
    sayings = _Sayings(yep=toy.positive[3], nope=toy.negative[3], gizmo=near)
    object.__setattr__(toy, "text_encoder", sayings)
    templates = rng.normal(size=(6, DIM))
    read = toy.interpret(templates).scores
    np.testing.assert_allclose(toy.ask("yep", templates).scores, read[:, 3], atol=2e-6)
    np.testing.assert_allclose(toy.ask("nope", templates).scores, -read[:, 3], atol=2e-6)
    x = templates / np.linalg.norm(templates, axis=1, keepdims=True) - toy.centre
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    expected = [sum(row * near) - sum(row * toy.positive[7]) for row in x]
    np.testing.assert_allclose(toy.ask("gizmo", templates).scores, expected, atol=2e-6)
    alone = replace(toy, negative=np.zeros_like(toy.negative))
    object.__setattr__(alone, "text_encoder", sayings)
    np.testing.assert_allclose(alone.ask("gizmo", templates).scores, x @ near, atol=2e-6)


def test_asked_a_prompt_the_shipped_interpreter_answers_as_it_reads() -> None:
    """Each attribute's own sentences, of both sides, have its probability; so have others of the same words."""
    shipped = load_interpreter()
    rng = np.random.default_rng(0)
    templates = dlib_like(rng.normal(size=(40, 128)))
    read = shipped.interpret(templates).probabilities
    same = [
        (
            shipped.ask(prompt(row, side), templates, intervals=False).probabilities,
            read[:, k] if side else 1 - read[:, k],
        )
        for side in (True, False)
        for k, row in enumerate(ATTRIBUTES)
    ]
    assert np.mean([np.allclose(asked, told, atol=1e-5) for asked, told in same]) > 0.97
    for question, name, side in (
        ("a photo of somebody who wears spectacles", "Eyeglasses", True),
        ("this person has no beard", "No_Beard", True),
        ("somebody with a beard", "No_Beard", False),
        ("is not smiling", "Smiling", False),
    ):
        asked, told = shipped.ask(question, templates), read[:, NAMES.index(name)]
        np.testing.assert_allclose(asked.probabilities, told if side else 1 - told, atol=1e-6)
        assert (asked.low < asked.probabilities).all() and (asked.probabilities < asked.high).all()


def test_a_question_by_the_text_encoder_alone_is_answered_as_it_reads() -> None:
    """The vectors of an attribute's own sentences, of both sides, rank as its readings do."""
    shipped = load_interpreter(LFW_READER)
    templates = dlib_like(np.random.default_rng(0).normal(size=(400, 128)))
    read = shipped.interpret(templates).scores
    object.__setattr__(shipped, "text_encoder", _Sayings(gizmo=shipped.positive[3], zork=shipped.negative[3]))
    for word, sign in (("gizmo", 1), ("zork", -1)):
        asked = shipped.ask(word, templates)
        assert np.isnan(asked.probabilities).all() and asked.unseen == (word,)
        assert np.corrcoef(sign * asked.scores, read[:, 3])[0, 1] > 0.97


def test_the_shipped_interpreter(tmp_path: Path) -> None:
    shipped = load_interpreter()
    assert (shipped.name, shipped.encoder, shipped.dim, len(shipped.attributes)) == (
        "dlib-faces",
        "dlib",
        128,
        47,
    )
    assert shipped.folder is not None
    size = sum(file.stat().st_size for file in shipped.folder.iterdir())
    assert size <= 22 * 2**20
    assert (shipped.folder / "text_encoder.onnx").stat().st_size <= 20_000_000
    assert "machine-made" in (shipped.folder / "README.md").read_text()
    answers = shipped.ask("wears spectacles", dlib_like(np.random.default_rng(0).normal(size=(4, 128))))
    assert answers.unseen == ()
    assert answers.refused == ""
    assert answers.understood.understood == "spectacles: Eyeglasses yes"
    assert ((answers.probabilities > answers.low) & (answers.probabilities < answers.high)).all()
    log_odds = np.log(answers.probabilities / (1 - answers.probabilities))
    np.testing.assert_allclose(answers.scores, log_odds, rtol=1e-3)
    assert "(out-of-vocabulary)" in shipped.ask("plays the violoncello", np.ones(128)).refused
    before = load_interpreter(LFW_READER)  # without a reader of phrases
    assert before.ask("plays the violoncello", np.ones(128)).unseen == ("plays", "violoncello")
    with pytest.raises(InputError, match="empty"):
        shipped.ask(" ", np.ones(128))
    with pytest.raises(InputError, match="shorten it"):
        before.ask("gizmo " * 40, np.ones(128))
    shutil.copytree(shipped.folder, tmp_path / "it")
    (tmp_path / "it/text_encoder.onnx").write_bytes(b"junk")
    with pytest.raises(
        InterpreterError, match=r"text_encoder\.onnx is not the file that was written with it"
    ):
        load_interpreter(tmp_path / "it").ask("a gizmo", np.ones(128))
    file = tmp_path / "it/interpreter.json"
    values = json.loads(file.read_text())
    del values["checksum"], values["files"]["text_encoder.onnx"]
    file.write_text(json.dumps(values))
    with pytest.raises(InterpreterError, match="cannot be read"):
        load_interpreter(tmp_path / "it").ask("gizmo", np.ones(128))


def test_shipped_prompts_are_what_the_text_encoder_says() -> None:
    """Each stored direction is the mean vector of that prompt's paraphrases, but for weights of eight bits."""
    from clip_smu.text.encoder import TextEncoder
    from clip_smu.words.prompts import prompts

    shipped = load_interpreter()
    assert shipped.folder is not None
    encoder = TextEncoder(shipped.folder / "text_encoder.onnx", shipped.folder / "tokenizer.json")
    for name in ("Eyeglasses", "Bald"):
        k = NAMES.index(name)
        for side, stored in ((True, shipped.positive[k]), (False, shipped.negative[k])):
            mean = encoder.encode(prompts(name, side)).mean(axis=0)
            np.testing.assert_allclose(mean / np.linalg.norm(mean), stored, atol=5e-3)
            assert mean / np.linalg.norm(mean) @ stored > 0.999


def test_the_keys_on_disk_are_those_of_before(toy: Interpreter, tmp_path: Path) -> None:
    """Folders of before name the thresholds and errors by their colours; so do ours, and they are read."""
    toy.save(tmp_path / "it")
    row = json.loads((tmp_path / "it/interpreter.json").read_text())["attributes"][0]
    assert (row["green"], row["red"]) == (0.8, 0.3)
    assert (row["evidence"]["green_error"], row["evidence"]["red_error"]) == (0.1, None)
    read = load_interpreter(tmp_path / "it")
    assert (read.calibration.encoded_at[0], read.calibration.not_encoded_at[0]) == (0.8, 0.3)
    assert read.evidence[0].encoded_error == 0.1
