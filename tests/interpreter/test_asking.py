"""Answers and refusals: the examples of docs/questions.md, what is unreadable, what a reader of phrases adds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu.errors import InputError
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.interpreter.questions import answered, planned
from clip_smu.words.attributes import NAMES
from clip_smu.words.expression import Means, Part, Unknown
from clip_smu.words.question import understand
from faces import dlib_like

DOC = Path(__file__).parents[2] / "docs/questions.md"


def table(second: str) -> list[tuple[str, str]]:
    """The rows of the document's table with that second column."""
    text = DOC.read_text(encoding="utf-8").split(f"| question | {second} |\n|---|---|\n")[1]
    rows = re.match(r"(\|.*\|\n)+", text)
    assert rows
    return [tuple(row.strip("| ").split(" | ")) for row in rows[0].splitlines()]  # type: ignore[misc]


@pytest.fixture(scope="module")
def shipped() -> Interpreter:
    return load_interpreter("dlib-faces")


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return dlib_like(np.random.default_rng(3).normal(size=(80, 128)))


@pytest.mark.parametrize(("question", "understood"), table("understood"))
def test_examples_of_parses(question: str, understood: str) -> None:
    assert understand(question).understood == understood


@pytest.mark.parametrize(("question", "note"), table("note"))
def test_examples_of_notes(question: str, note: str) -> None:
    assert note in understand(question).notes


@pytest.mark.parametrize(("question", "refused"), table("refused"))
def test_examples_of_refusals(shipped: Interpreter, vectors: np.ndarray, question: str, refused: str) -> None:
    answer = shipped.ask(question, vectors)
    assert answer.refused == refused
    assert answer.to_dict()["refused"] == refused
    assert np.isnan([answer.probabilities, answer.low, answer.high, answer.scores]).all()


def test_one_attribute_is_its_reading(shipped: Interpreter, vectors: np.ndarray) -> None:
    read = shipped.interpret(vectors)
    for name, question in (
        ("Eyeglasses", "spectacles"),
        ("Smiling", "grinning"),
        ("Asian", "an Asian person"),
    ):
        told = read.probabilities[:, NAMES.index(name)]
        yes = shipped.ask(question, vectors)
        np.testing.assert_allclose(yes.probabilities, told, atol=1e-6)
        no = shipped.ask(f"not {question}", vectors)
        np.testing.assert_allclose(no.probabilities, 1 - told, atol=1e-6)
        assert (yes.low < told).all() and (told < yes.high).all()
        quick = shipped.ask(question, vectors, intervals=False)
        np.testing.assert_array_equal(quick.probabilities, yes.probabilities)


def test_away_from_home_the_interval_reaches_to_every_home(shipped: Interpreter, vectors: np.ndarray) -> None:
    assert shipped.places is not None
    away, home = replace(shipped, at=""), replace(shipped, at="lfw")
    widths = [
        one.ask("a big nose", vectors).high - one.ask("a big nose", vectors).low for one in (away, home)
    ]
    assert (widths[0] >= widths[1]).all()
    assert widths[0].mean() > 1.2 * widths[1].mean()


def test_a_stranger_has_no_answer(shipped: Interpreter, vectors: np.ndarray) -> None:
    mixed = np.concatenate([vectors[:2], np.random.default_rng(0).normal(size=(1, 128)).astype(np.float32)])
    answer = shipped.ask("old with glasses", mixed)
    assert np.isfinite(answer.probabilities[:2]).all()
    assert np.isnan([answer.probabilities[2], answer.low[2], answer.high[2], answer.scores[2]]).all()


def test_what_the_evidence_says_cannot_be_read(shipped: Interpreter) -> None:
    k = NAMES.index("Big_Nose")
    evidence = list(shipped.evidence)
    evidence[k] = replace(evidence[k], auc=0.52, low=0.48, high=0.56)
    blind = replace(shipped, evidence=tuple(evidence))
    plan = planned(blind, "old with a big nose")
    assert "'big nose' is not answered (not-readable)" in plan.refused
    assert "do not tell Big_Nose better than chance, AUC 0.520 (0.480-0.560)" in plan.refused
    assert not planned(blind, "old with glasses").refused
    fewer = replace(shipped, attributes=tuple(name for name in NAMES if name != "Big_Nose"))
    assert "dlib-faces does not read Big_Nose" in planned(fewer, "a big nose").refused


def test_an_attribute_that_is_never_asserted(shipped: Interpreter) -> None:
    k = NAMES.index("Chubby")
    assert shipped.places is not None

    def never(calibration):  # type: ignore[no-untyped-def]
        at, below = calibration.encoded_at.copy(), calibration.not_encoded_at.copy()
        at[k], below[k] = 2.0, -1.0
        return replace(calibration, encoded_at=at, not_encoded_at=below)

    places = replace(shipped.places, calibrations=tuple(never(one) for one in shipped.places.calibrations))
    mute = replace(shipped, calibration=never(shipped.calibration), places=places)
    assert (
        "Chubby is read too poorly in templates of dlib to be asserted of any face, AUC 0."
        in planned(mute, "portly").refused
    )
    assert not planned(
        replace(shipped, calibration=never(shipped.calibration)), "portly"
    ).refused  # a home asserts it


def test_what_a_home_has_no_labels_of_is_refused_there(shipped: Interpreter, vectors: np.ndarray) -> None:
    assert shipped.places is not None
    names = [home.name for home in shipped.places.homes]
    there = replace(shipped, at="celeba", calibration=shipped.places.calibrations[names.index("celeba")])
    assert there.silent[NAMES.index("Senior")]
    assert "celeba has no labels of Senior to calibrate by" in there.ask("a granny", vectors).refused
    answer = there.ask("young with glasses", vectors)
    assert np.isfinite(answer.probabilities).all()
    read = there.interpret(vectors)
    young = read.probabilities[:, read.attributes.index("Young")]
    np.testing.assert_allclose(there.ask("young", vectors).probabilities, young, atol=1e-6)


def test_opinions_are_answered_with_a_note(shipped: Interpreter) -> None:
    assert planned(shipped, "gorgeous").understood.notes == (
        "Attractive is an opinion: the answer repeats that of whoever labelled the faces",
    )
    assert "two people agree no better than two coins" in planned(shipped, "an oval face").understood.notes[0]


def test_a_reader_of_phrases_reads_what_the_lexicon_lacks(shipped: Interpreter, vectors: np.ndarray) -> None:
    def read(phrase: str) -> tuple[Means, float] | None:
        return ((("Wearing_Hat", True),), 0.8) if phrase == "velvet gizmo" else None

    plan = planned(shipped, "an old man without a velvet gizmo", (), read)
    assert plan.understood.all_of(Part)[-1] == Part("velvet gizmo", (("Wearing_Hat", True),), 0.8)
    assert plan.understood.notes == (
        "'velvet gizmo' is in no table; the text encoder takes it for this, with 0.80",
    )
    answer = answered(shipped, plan, vectors, shipped._score_columns, shipped.dependence)
    sure = shipped.ask("an old man without a hat", vectors)
    np.testing.assert_allclose(answer.probabilities, sure.probabilities, atol=1e-6)
    assert (answer.high - answer.low >= sure.high - sure.low - 1e-6).all()
    refused = planned(shipped, "a zork", (), read)
    assert refused.understood.all_of(Unknown) == [Unknown("zork")]
    assert "'zork' is not answered (out-of-vocabulary)" in refused.refused
    with pytest.raises(InputError, match=r"about Wearing_Hat|about hat, which is hidden \('velvet gizmo'\)"):
        planned(shipped, "a velvet gizmo", "Wearing_Hat", read)


def test_own_dependence_is_kept_with_the_interpreter(
    shipped: Interpreter, vectors: np.ndarray, tmp_path: Path
) -> None:
    own = np.eye(47, dtype=np.float32)
    apart = replace(shipped, dependence=own)
    apart.save(tmp_path / "it")
    read = load_interpreter(tmp_path / "it")
    assert read.dependence is not None
    np.testing.assert_array_equal(read.dependence, own)
    question = "smiling with an open mouth"
    p, q, both = (one.ask(text, vectors).probabilities for one, text in (
        (shipped, "smiling"), (shipped, "an open mouth"), (read, question)))  # fmt: skip
    np.testing.assert_allclose(both, p * q, atol=1e-5)
    assert (shipped.ask(question, vectors).probabilities > both).mean() > 0.9  # smiles open mouths
    assert shipped.dependence is not None
