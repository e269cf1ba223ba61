"""Who thresholds answer for: faces without a label, groups of people, and attributes that a home has no labels of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clip_smu import load_interpreter
from clip_smu.interpreter import promise, worst_group
from clip_smu.interpreter.calibration import NEVER, Calibration, decide, probability_of
from clip_smu.interpreter.coherence import coherent
from clip_smu.interpreter.evidence import group_errors
from clip_smu.interpreter.promise import HARDER, calibrate_home, completed
from clip_smu.words.attributes import INDEX, NAMES
from faces import dlib_like

K = len(NAMES)
FREE = [
    INDEX[name] for name in ("Smiling", "Chubby", "Double_Chin", "Big_Nose", "Big_Lips")
]  # no rule joins them


def made_up(n: int = 4000, blur: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores, labels of `FREE` and of Male (alternating, read with certainty), persons of two photos each."""
    rng = np.random.default_rng(5)
    scores = rng.normal(size=(n, K)).astype(np.float32)
    odds = 3 * scores + rng.normal(size=scores.shape) * np.reshape(blur, (-1, 1))
    labels = np.zeros((n, K), np.int8)
    drawn = np.where(rng.random((n, K)) < 1 / (1 + np.exp(-odds)), 1, -1)
    labels[:, FREE] = drawn[:, FREE]
    man = np.arange(n) // 2 % 2 == 0
    labels[:, INDEX["Male"]] = np.where(man, 1, -1)
    scores[:, INDEX["Male"]] = np.where(man, 3, -3) + rng.normal(size=n)
    return scores, labels, [f"p{row // 2}" for row in range(n)]


def test_faces_without_a_label_count_as_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels, people = made_up()
    labels[:, FREE] *= np.random.default_rng(6).random((len(labels), len(FREE))) < 0.5

    def expected_error(calibration: Calibration) -> float:
        """Over all faces, one verdict at a time."""
        p = probability_of(calibration.slope, calibration.intercept, scores)
        verdicts, wrong, count = decide(calibration, p), 0.0, 0
        for row, k in zip(*np.nonzero(verdicts), strict=True):
            sure, label = p[row, k] if verdicts[row, k] > 0 else 1 - p[row, k], labels[row, k]
            wrong += min(1, 1.6 * (1 - sure)) if label == 0 else float(label != verdicts[row, k])
            count += 1
        return wrong / count

    assert HARDER == 1.6
    assert 0.07 < expected_error(calibrate_home(scores, labels, people, 0.1)) <= 0.1
    monkeypatch.setattr(promise, "HARDER", 0.0)
    assert expected_error(calibrate_home(scores, labels, people, 0.1)) > 0.1


def test_an_attribute_without_any_label_is_no_hard_face() -> None:
    scores, labels, people = made_up()
    without = calibrate_home(scores, labels, people, 0.1)
    shifted = scores.copy()
    shifted[:, INDEX["Bald"]] = 0  # of which nothing is labelled
    again = calibrate_home(shifted, labels, people, 0.1)
    np.testing.assert_array_equal(without.encoded_at, again.encoded_at)


def test_no_group_is_much_worse_off(monkeypatch: pytest.MonkeyPatch) -> None:
    blur = np.where(np.arange(4000) // 2 % 2 == 0, 0.0, 6.0)  # women are read worse
    scores, labels, people = made_up(blur=blur)

    def worst() -> float:
        errors = group_errors(calibrate_home(scores, labels, people, 0.1), scores, labels, people)
        assert errors["men"]["persons"] == errors["women"]["persons"] == 1000
        return float(errors["women"]["error"])

    assert worst() <= 0.125
    monkeypatch.setattr(worst_group, "ALLOWED", 9.0)
    assert worst() > 0.14


def calibration(**slopes: float) -> Calibration:
    slope = np.array([slopes.get(name, 0.0) for name in NAMES])
    return Calibration(slope, np.full(K, 0.0), np.full(K, 0.8), np.full(K, 0.2))


def test_what_nothing_is_known_of_moves_no_other() -> None:
    scores = np.zeros((1, K), np.float32)
    scores[0, INDEX["Young"]] = np.log(4)  # .8
    read = coherent(calibration(Young=1.0), scores, NAMES)
    assert read[0, INDEX["Young"]] == pytest.approx(0.8)
    both = coherent(calibration(Young=1.0, Middle_Aged=1.0), scores, NAMES)
    assert both[0, INDEX["Young"]] == pytest.approx(0.8 / 1.3)


def test_a_home_reads_as_away_what_it_has_no_labels_of_unless_that_competes() -> None:
    away = Calibration(np.full(K, 2.0), np.full(K, 0.5), np.full(K, 0.9), np.full(K, 0.1))
    home = replace(calibration(Young=1.0, Smiling=1.0), encoded_at=np.full(K, NEVER))
    whole = completed(home, away)
    for name, slope, at in (
        ("Young", 1.0, NEVER), ("Smiling", 1.0, NEVER),  # its own
        ("Asian", 2.0, 0.9), ("Bald", 2.0, 0.9),  # as away
        ("Middle_Aged", 0.0, NEVER), ("Senior", 0.0, NEVER),  # other ages
    ):  # fmt: skip
        assert (whole.slope[INDEX[name]], whole.encoded_at[INDEX[name]]) == (slope, at), name


def test_what_nothing_is_known_of_is_no_reading() -> None:
    shipped = load_interpreter()
    slope = shipped.calibration.slope.copy()
    slope[INDEX["Senior"]] = 0.0
    mute = replace(shipped, calibration=replace(shipped.calibration, slope=slope), at="")
    read = mute.interpret(dlib_like(np.random.default_rng(0).normal(size=(2, 128))))
    assert "Senior" not in read.attributes
    assert len(read.attributes) == len(read[0].readings) == 46
