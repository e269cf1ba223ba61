"""Expressions' probabilities: against exact joint distributions, and against labels of CelebA's training persons."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from clip_smu.interpreter.answering import answer
from clip_smu.interpreter.calibration import Calibration, fit_platt, sigmoid
from clip_smu.interpreter.certainty import ends, open_log_odds
from clip_smu.interpreter.coherence import cohere
from clip_smu.interpreter.dependence import dependence, dependence_among, shipped_dependence
from clip_smu.interpreter.evidence import Evidence
from clip_smu.words.attributes import INDEX, NAMES
from clip_smu.words.expression import And, Expression, Not, Or, Part

NAMED = ("Eyeglasses", "Wearing_Hat", "Smiling", "Goatee", "Big_Nose")
GLASSES, HAT, SMILE, GOATEE, NOSE = (Part(name, ((name, True),)) for name in NAMED)
AT = [INDEX[name] for name in NAMED]


def joint(seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """A made-up distribution: (5, 5) correlations, (1, 47) probabilities, and (1e6, 5) draws."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(5, 7))
    matrix = drawn @ drawn.T
    matrix = 0.7 * matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix))) + 0.3 * np.eye(5)
    t = rng.normal(size=5) * 0.8
    probabilities = np.full((1, 47), 0.5)
    probabilities[0, AT] = norm.cdf(t)
    return matrix, probabilities, rng.multivariate_normal(np.zeros(5), matrix, size=1_000_000) < t


def true_of(expression: Expression, draws: NDArray) -> NDArray:
    if isinstance(expression, Not):
        return ~true_of(expression.of, draws)
    if isinstance(expression, And | Or):
        every = [true_of(one, draws) for one in expression.of]
        return np.logical_and.reduce(every) if isinstance(expression, And) else np.logical_or.reduce(every)
    assert isinstance(expression, Part)
    return np.logical_and.reduce([draws[:, NAMED.index(name)] == side for name, side in expression.means])


@pytest.mark.parametrize(
    "expression",
    [
        GLASSES,
        Not(GLASSES),
        And((GLASSES, HAT)),
        Or((GLASSES, HAT)),
        And((GLASSES, Not(HAT))),
        Not(And((GLASSES, HAT, SMILE))),
        And((Or((GLASSES, HAT)), Or((SMILE, NOSE)))),
        Or((And((GLASSES, HAT)), And((SMILE, Not(GOATEE))))),
        And((Part("both", (("Eyeglasses", True), ("Big_Nose", False))), Not(SMILE))),
    ],
    ids=str,
)
def test_against_a_known_joint_distribution(expression: Expression) -> None:
    for seed in range(3):
        matrix, probabilities, draws = joint(seed)
        correlations = np.eye(47)
        correlations[np.ix_(AT, AT)] = matrix
        likely = answer(expression, probabilities, NAMES, correlations)
        assert likely.probabilities[0] == pytest.approx(true_of(expression, draws).mean(), abs=0.005)
        assert likely.low[0] <= likely.probabilities[0] <= likely.high[0]


def test_a_single_attribute_is_its_own_probability() -> None:
    p = np.random.default_rng(0).random((5, 47)).astype(np.float32)
    p[3, AT[0]] = np.nan
    low, high = {"Eyeglasses": p[:, AT[0]] * 0.5}, {"Eyeglasses": 1 - (1 - p[:, AT[0]]) * 0.5}
    yes = answer(GLASSES, p, NAMES, np.eye(47), low=low, high=high)
    no = answer(Not(GLASSES), p, NAMES, np.eye(47), low=low, high=high)
    np.testing.assert_array_equal(yes.probabilities, p[:, AT[0]])
    np.testing.assert_allclose(yes.low, p[:, AT[0]] / 2, rtol=1e-6)
    for a, b in ((yes.probabilities, no.probabilities), (yes.low, no.high), (yes.high, no.low)):
        np.testing.assert_allclose(a, 1 - b, atol=1e-6)
    half_sure = answer(Part("specs", (("Eyeglasses", True),), 0.5), p, NAMES, np.eye(47))
    np.testing.assert_allclose(half_sure.low, p[:, AT[0]] / 2, rtol=1e-6)
    np.testing.assert_allclose(half_sure.high, (1 + p[:, AT[0]]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(half_sure.probabilities, yes.probabilities)
    quick = answer(GLASSES, p, NAMES, np.eye(47), low=low, high=high, intervals=False)
    np.testing.assert_array_equal(quick.low, quick.probabilities)


def test_exclusive_attributes_add_up() -> None:
    p = np.full((1, 47), 0.1)
    p[0, INDEX["Asian"]], p[0, INDEX["White"]] = 0.3, 0.6
    asian, white = Part("Asian", (("Asian", True),)), Part("white", (("White", True),))
    for correlations in (np.eye(47), shipped_dependence()):
        told = [answer(one, p, NAMES, correlations).probabilities[0]
                for one in (Or((asian, white)), And((Not(asian), Not(white))), And((asian, white)))]  # fmt: skip
        assert told == pytest.approx([0.9, 0.1, 0.0], abs=1e-6)


def test_dependence_is_found_again() -> None:
    rng = np.random.default_rng(0)
    matrix = np.array([[1, 0.6, -0.4, 0.8], [0.6, 1, 0, 0.5], [-0.4, 0, 1, -0.2], [0.8, 0.5, -0.2, 1]])
    mean = rng.normal(size=(20000, 4)) * 1.2 + [-1, 0, 0.5, -1.5]
    labels = np.where(rng.multivariate_normal(np.zeros(4), matrix, size=20000) < mean, 1, -1).astype(np.int8)
    labels[rng.random(labels.shape) < 0.2] = 0
    found = dependence(labels, norm.cdf(mean))
    np.testing.assert_allclose(found, matrix, atol=0.05)
    assert found.dtype == np.float32
    assert np.linalg.eigvalsh(found.astype(float)).min() > 0
    few = dependence(labels[:20], norm.cdf(mean[:20]))
    assert np.abs(few - np.eye(4)).max() < 0.6  # drawn towards 0
    np.testing.assert_array_equal(dependence(np.zeros((9, 2), np.int8), np.full((9, 2), 0.5)), np.eye(2))


def test_the_dependence_that_ships() -> None:
    shipped = shipped_dependence()
    assert shipped.shape == (47, 47)
    np.testing.assert_allclose(shipped, shipped.T)
    assert shipped[INDEX["Heavy_Makeup"], INDEX["Wearing_Lipstick"]] > 0.4
    assert shipped[INDEX["Mouth_Closed"], INDEX["Smiling"]] < -0.4
    some = dependence_among(("Smiling", "Bald"))
    assert some[0, 1] == shipped[INDEX["Smiling"], INDEX["Bald"]]
    own = np.eye(2, dtype=np.float32)
    assert dependence_among(("Smiling", "Bald"), own) is own


def binormal(seed: int, yes: int, no: int, apart: float) -> tuple[NDArray, NDArray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.ones(yes), -np.ones(no)]).astype(np.int8)[:, None]
    return rng.normal(size=(yes + no, 1)) + apart / 2 * labels, labels


def evidence(
    area: float, yes: int, no: int, low: float = float("nan"), high: float = float("nan")
) -> Evidence:
    return Evidence(area, low, high, yes, no, 0.1, 0.1, 0.9, 1.0, "")


def test_intervals_hold_what_calibrations_vary_by() -> None:
    """Of many calibrations on as many faces, 95 % have the true probability in their interval."""
    yes, no, apart = 60, 200, 1.5
    known = evidence(float(norm.cdf(apart / np.sqrt(2))), yes, no)
    at = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    truth = sigmoid(apart * at + np.log(yes / no))
    held = []
    for seed in range(400):
        slope, intercept = fit_platt(*binormal(seed, yes, no, apart))
        read = sigmoid(slope * at + intercept).astype(np.float32)
        low, high = ends(known, read)
        held.append((low <= truth) & (truth <= high))
    assert (np.mean(held, axis=0) > 0.9).all()
    assert np.mean(held) < 0.99


def test_photos_of_few_persons_and_other_homes_widen_intervals() -> None:
    p = np.array([0.2, 0.7, np.nan], dtype=np.float32)
    alone, alike = evidence(0.9, 100, 300), evidence(0.9, 100, 300, 0.80, 0.96)
    assert (open_log_odds(alike, p)[:2] > 1.5 * open_log_odds(alone, p)[:2]).all()
    assert np.isnan(open_log_odds(alone, p)[2])
    assert (open_log_odds(evidence(0.9, 10, 30), p)[:2] > 3 * open_log_odds(alone, p)[:2]).all()


def test_away_each_homes_calibration_widens_the_interval() -> None:
    known, scores = evidence(0.9, 100, 300), np.array([-1.0, 0.5], dtype=np.float32)

    def calibration(slope: float, intercept: float) -> Calibration:
        return Calibration(*(np.array([value]) for value in (slope, intercept, 0.5, 0.5)))

    away, bold, timid = calibration(1.0, 0.0), calibration(2.0, 0.5), calibration(1.0, -1.0)
    silent = calibration(0.0, -9.0)
    p = sigmoid(scores.astype(np.float64)).astype(np.float32)
    error = 1.959964 * open_log_odds(known, p)
    homes = (bold, timid, silent)  # a home without labels of it says nothing
    low, high = ends(known, p, scores=scores, attribute=0, read_by=away, others=homes)
    at = [[one.slope[0] * x + one.intercept[0] for one in (away, bold, timid)] for x in scores.astype(float)]
    np.testing.assert_allclose(low, sigmoid(np.min(at, axis=1) - error), rtol=1e-4)
    np.testing.assert_allclose(high, sigmoid(np.max(at, axis=1) + error), rtol=1e-4)


def test_conjunctions_of_celeba_are_better_calibrated_than_by_independence(shared: Path) -> None:
    """Dependence learnt of half the training persons, conjunctions of the other half; where labels depend at all."""
    celeba = shared / "data/celeba"
    if not celeba.is_dir():
        pytest.skip(f"needs {celeba}")
    assert compared(*halves(celeba / "templates-dlib", celeba), least=0.2) > 0.65


def halves(templates: Path, labels: Path) -> tuple[NDArray, NDArray, NDArray]:
    """Probabilities of training persons, their labels, and which faces are of the first half of the persons."""
    from clip_smu.evaluation.doubt import cross_fitted
    from clip_smu.labels.join import join
    from clip_smu.labels.lists import read_list
    from clip_smu.labels.reading import read_labels
    from clip_smu.metrics.folds import identity_folds
    from clip_smu.templates import read_templates

    rows = next(labels.glob("*_maad47.csv"))
    faces = join(read_templates(templates), read_labels(rows), read_list(labels / "train_list.txt"))
    persons = faces.templates.identities
    scores = cross_fitted(faces.templates.vectors, faces.labels, persons, 3, 0)
    slope, intercept = fit_platt(scores, faces.labels)
    read = cohere(sigmoid(slope * scores + intercept).astype(np.float32), NAMES)
    return read, faces.labels, identity_folds(persons, 2, 1) == 0


def compared(read: NDArray, labels: NDArray, first: NDArray, least: float) -> float:
    """Share of pairs, both sides of each, whose conjunction has the lower cross-entropy by dependence."""
    correlations = dependence(labels[first], read[first])
    won = []
    for (j, one), (k, other) in itertools.combinations(enumerate(NAMES), 2):
        if abs(correlations[j, k]) < least:
            continue
        rows = ~first & (labels[:, j] != 0) & (labels[:, k] != 0)
        for side, beside in itertools.product((1, -1), repeat=2):
            true = (labels[rows, j] == side) & (labels[rows, k] == beside)
            if min(true.sum(), (~true).sum()) < 30:
                continue
            asked = And((Part(one, ((one, side > 0),)), Part(other, ((other, beside > 0),))))
            both, apart = (
                cross_entropy(answer(asked, read[rows], NAMES, matrix, intervals=False).probabilities, true)
                for matrix in (correlations, np.eye(47))
            )
            won.append(both < apart)
    assert len(won) > 50
    return float(np.mean(won))


def cross_entropy(p: NDArray, true: NDArray) -> float:
    p = np.clip(p.astype(np.float64), 1e-6, 1 - 1e-6)
    return float(-np.log(np.where(true, p, 1 - p)).mean())
