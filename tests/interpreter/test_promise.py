"""The promise at home and away: against simulations with known truth, and what must never be asserted."""

from __future__ import annotations

import numpy as np
import pytest

from clip_smu.interpreter.calibration import NEVER, SURE, Calibration, decide, probability_of
from clip_smu.interpreter.coherence import cohere
from clip_smu.interpreter.promise import CAUTION, SIDE, Abroad, calibrate_away, calibrate_home
from clip_smu.words.attributes import INDEX, NAMES

K = len(NAMES)


def made_up(n: int, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores, labels, persons of two photos each; some one in four have an attribute; ``shift`` in log odds."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, K)).astype(np.float32)
    odds = 3 * scores - 2 + shift
    labels = np.where(rng.random((n, K)) < 1 / (1 + np.exp(-odds)), 1, -1).astype(np.int8)
    return scores, labels, [f"p{row // 2}" for row in range(n)]


def wrong_of(calibration: Calibration, scores: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Share of wrong verdicts: all, of *encoded*; and coverage."""
    p = cohere(probability_of(calibration.slope, calibration.intercept, scores), NAMES)
    verdicts = decide(calibration, p)
    said = verdicts != 0
    encoded = verdicts > 0
    of_encoded = float((labels[encoded] < 0).mean()) if encoded.any() else 0.0
    return float((verdicts != labels)[said].mean()), of_encoded, float(said.mean())


def independent(labels: np.ndarray) -> np.ndarray:
    """Labels of attributes that no rule of coherence joins; the others unknown."""
    free = [INDEX[n] for n in ("Smiling", "Chubby", "Double_Chin", "Big_Nose", "Narrow_Eyes") if n in INDEX]
    kept = np.zeros_like(labels)
    kept[:, free] = labels[:, free]
    return kept


@pytest.mark.parametrize("rate", [0.05, 0.10, 0.20])
def test_the_promise_holds_for_new_persons_of_the_same_place(rate: float) -> None:
    scores, labels, people = made_up(3000)
    calibration = calibrate_home(scores, independent(labels), people, rate)
    new_scores, new_labels, _ = made_up(20_000, seed=1)
    kept = independent(new_labels)
    p = probability_of(calibration.slope, calibration.intercept, new_scores)
    verdicts = decide(calibration, p)
    said = (verdicts != 0) & (kept != 0)
    assert said.sum() > 1000
    assert (verdicts != kept)[said].mean() <= rate * 1.02


def test_each_side_keeps_its_own_rate() -> None:
    """Rare, and hard to say yes to: all verdicts together keep the rate though a third of *encoded* would be wrong."""
    rng = np.random.default_rng(7)

    def rare(n: int) -> tuple[np.ndarray, np.ndarray]:
        scores = rng.normal(size=(n, K)).astype(np.float32)
        yes = rng.random((n, K)) < 1 / (1 + np.exp(3.5 - 2.5 * scores))
        return scores, independent(np.where(yes, 1, -1).astype(np.int8))

    scores, labels = rare(4000)
    calibration = calibrate_home(scores, labels, [f"p{row // 2}" for row in range(4000)], 0.1)
    new_scores, new_labels = rare(20_000)
    p, known = probability_of(calibration.slope, calibration.intercept, new_scores), new_labels != 0
    encoded = (decide(calibration, p) > 0) & known
    assert encoded.sum() > 200
    assert (new_labels[encoded] < 0).mean() <= SIDE * 0.1
    loose = (
        p >= SURE
    ) & known  # what would be asserted without it, at a rate that holds for all verdicts together
    wrong = (loose & (new_labels < 0)).sum() + ((p <= 1 - SURE) & (new_labels > 0)).sum()
    assert wrong / (loose | ((p <= 1 - SURE) & known)).sum() < 0.1
    assert (new_labels[loose] < 0).mean() > 0.2


def test_words_that_people_do_not_agree_on_are_never_asserted() -> None:
    scores, labels, people = made_up(2000)
    home = calibrate_home(scores, labels, people, 0.2)
    away = calibrate_away(scores, labels, np.zeros(2000, int), [home], [], 0.2)
    for name in ("Attractive", "Oval_Face", "Pointy_Nose", "High_Cheekbones"):
        for calibration in (home, away):
            assert calibration.encoded_at[INDEX[name]] >= 1.5
            assert calibration.not_encoded_at[INDEX[name]] <= -0.5


def test_one_source_alone_is_cautious_away_and_a_moved_base_rate_keeps_the_promise() -> None:
    scores, labels, people = made_up(4000)
    home = calibrate_home(scores, labels, people, 0.1)
    away = calibrate_away(scores, labels, np.zeros(4000, int), [home], [], 0.1)
    assert away.encoded_at.min() >= 1 - CAUTION[0] * 0.1 - 1e-12
    assert away.not_encoded_at.max() <= CAUTION[1] * 0.1 + 1e-12
    moved_scores, moved_labels, _ = made_up(8000, shift=-2.0, seed=2)
    assert wrong_of(home, moved_scores, moved_labels)[1] > 0.15  # as if at home, *encoded* fails
    assert wrong_of(away, moved_scores, moved_labels)[1] <= 0.15


@pytest.mark.parametrize(("wrong", "asserted"), [(4, False), (0, True)])
def test_a_side_that_failed_abroad_is_never_asserted(wrong: int, asserted: bool) -> None:
    """Though all verdicts together would keep their rate: those of another attribute are right, and many."""
    scores, labels, people = made_up(3000)
    source = np.repeat([0, 1], 1500)
    smiling, chubby = INDEX["Smiling"], INDEX["Chubby"]
    p = np.full((1500, K), 0.5, np.float32)
    p[:, [smiling, chubby]] = 0.995  # sure
    taken = np.zeros((1500, K), np.int8)
    taken[:, chubby] = 1
    taken[::20, smiling] = np.where(np.arange(75) % 10 < wrong, -1, 1)
    abroad = [Abroad(name, p, taken, people[:1500]) for name in ("a", "b")]
    homes = [calibrate_home(scores[:1500], labels[:1500], people[:1500], 0.1)] * 2
    away = calibrate_away(scores, labels, source, homes, abroad, 0.1)
    assert away.encoded_at[chubby] < 1
    assert (away.encoded_at[smiling] < 1) == asserted


def test_away_all_verdicts_together_keep_their_rate_in_each_source() -> None:
    """Each attribute alone wrong in one of ten: too many for a share of the rate, and with few persons not surely."""
    scores, labels, people = made_up(3000)
    p = np.full((60, K), 0.5, np.float32)
    p[:, INDEX["Chubby"]] = 0.995
    taken = np.zeros((60, K), np.int8)
    taken[:, INDEX["Chubby"]] = np.where(np.arange(60) % 15 == 0, -1, 1)  # 4 of 60: no bound of 10 % at 95 %
    abroad = [Abroad(name, p, taken, [f"p{n}" for n in range(60)]) for name in ("a", "b")]
    homes = [calibrate_home(scores[:1500], labels[:1500], people[:1500], 0.1)] * 2
    away = calibrate_away(scores, labels, np.repeat([0, 1], 1500), homes, abroad, 0.1)
    assert (away.encoded_at == NEVER).all()


def test_sources_weigh_the_same_away() -> None:
    scores, labels, people = made_up(3000)
    source = np.repeat([0, 1], [2700, 300])
    labels[source == 1] = 1  # the small source says yes throughout
    home = calibrate_home(scores, labels, people, 0.1)
    nobody = [
        Abroad(n, np.full((2, K), 0.5, np.float32), np.zeros((2, K), np.int8), ["x", "y"]) for n in "ab"
    ]
    away = calibrate_away(scores, labels, source, [home, home], nobody, 0.1)
    smiling = INDEX["Smiling"]
    centre = probability_of(away.slope, away.intercept, np.zeros((1, K), np.float32))[0, smiling]
    alone = probability_of(home.slope, home.intercept, np.zeros((1, K), np.float32))[0, smiling]
    assert centre > alone + 0.1
