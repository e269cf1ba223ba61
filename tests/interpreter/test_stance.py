"""Strict and optimistic readings beside the usual ones of the same faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clip_smu import load_interpreter, read_templates
from clip_smu.errors import InputError
from clip_smu.interpreter.stance import asked_for, optimistic, strict
from clip_smu.words.attributes import NAMES
from faces import dlib_like
from places import LFW_READER


def few() -> np.ndarray:
    return dlib_like(np.random.default_rng(3).normal(size=(40, 128)))


def test_strict_gives_no_verdict_to_a_few_faces_and_keeps_probabilities() -> None:
    reader, faces = load_interpreter(), few()
    usual, withheld = reader.interpret(faces), strict(reader).interpret(faces)
    assert (usual.verdicts != 0).any()
    assert not withheld.verdicts.any()
    np.testing.assert_array_equal(usual.probabilities, withheld.probabilities)


def test_strict_reads_a_home_as_ever(shared: Path) -> None:
    folder = shared / "data/celeba/templates-dlib"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    faces = read_templates(folder).vectors[:400]
    reader = load_interpreter()
    usual, at_home = reader.interpret(faces), strict(reader).interpret(faces)
    assert usual.drift is not None
    assert usual.drift.home == "celeba"
    assert at_home.verdicts.any()
    np.testing.assert_array_equal(usual.verdicts, at_home.verdicts)


def test_optimistic_asserts_more_and_words_that_people_do_not_agree_on() -> None:
    reader, faces = load_interpreter(), few()
    usual, bold = reader.interpret(faces).verdicts, optimistic(reader).interpret(faces).verdicts
    assert (bold != 0).sum() > 1.2 * (usual != 0).sum()
    assert (bold[usual != 0] != 0).mean() > 0.97  # a few give way to what they clash with
    disputed = [NAMES.index(name) for name in ("Attractive", "Oval_Face", "Pointy_Nose", "High_Cheekbones")]
    assert not usual[:, disputed].any()
    assert bold[:, disputed].any()


@pytest.mark.parametrize("stance", [strict, optimistic])
def test_who_has_no_home_is_refused(stance) -> None:
    with pytest.raises(InputError, match="keeps no homes"):
        stance(load_interpreter(LFW_READER))


def test_the_command_line_has_both(command, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", few()[:3])
    plain, withheld, bold = (
        command("interpret", tmp_path / "t.npy", "--csv", *more)[1]
        for more in ([], ["--strict"], ["--optimistic"])
    )
    assert plain.count(",cannot tell\n") < withheld.count(",cannot tell\n") == 3 * 47
    assert bold.count(",cannot tell\n") < plain.count(",cannot tell\n")
    code, _, err = command("interpret", tmp_path / "t.npy", "--strict", "--optimistic")
    assert (code, "opposites" in err) == (1, True)


def test_a_word_asked_for_by_name_is_asserted_where_it_is_likely() -> None:
    reader, faces = load_interpreter(), few()
    usual, asked = reader.interpret(faces), asked_for(reader, {"Attractive", "Smiling"}).interpret(faces)
    k = NAMES.index("Attractive")
    likely = np.abs(asked.probabilities[:, k] - 0.5) >= 0.5 - reader.error_rate
    np.testing.assert_array_equal(asked.verdicts[:, k] != 0, likely)
    others = np.arange(47) != k
    np.testing.assert_array_equal(usual.verdicts[:, others], asked.verdicts[:, others])
