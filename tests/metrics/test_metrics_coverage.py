"""How often the 95 % intervals hold the true AUC, by simulation (slow).

Each column of a sample is a repetition of its own, so one call judges all of them. Run with ``-s`` for the figures.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_smu.evaluation.resampling import resample_auc
from clip_smu.metrics import AucInterval, delong

pytestmark = pytest.mark.slow


def covered(name: str, result: AucInterval, truth: float) -> float:
    return within(name, result.low, result.high, truth)


def within(name: str, low: NDArray[np.float64], high: NDArray[np.float64], truth: float) -> float:
    share, width = float(((low <= truth) & (truth <= high)).mean()), float((high - low).mean())
    print(f"\n{name}, AUC {truth}: covers {share:.3f} of {len(low)}, mean width {width:.4f}", end="")
    return share


def independent(
    truth: float, m: int, n: int, repetitions: int, form: str = "normal"
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """(m + n, repetitions) scores with that AUC, and labels."""
    rng = np.random.default_rng([m, n, round(1000 * truth)])
    if form == "exponential":
        positive = rng.exponential(size=(m, repetitions)) * truth / (1 - truth)
        negative = rng.exponential(size=(n, repetitions))
    else:
        spread = 2.0 if form == "wide positives" else 1.0
        shift = NormalDist().inv_cdf(truth) * math.hypot(1, spread)
        positive = shift + spread * rng.normal(size=(m, repetitions))
        negative = rng.normal(size=(n, repetitions))
    labels = np.repeat(np.array([1, -1], dtype=np.int8), [m, n])[:, None]
    return np.vstack([positive, negative]), np.repeat(labels, repetitions, axis=1)


def clustered(
    truth: float, identities: int, repetitions: int, likeness: float, labelled: str
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.int64]]:
    """Scores, labels and identities of 1 to 20 photos a person.

    ``likeness`` is the correlation of the noise of two photos of one person. Labels belong to the person, with
    one photo in ten labelled against the rest, or to the photo; 30 % are positive.
    """
    rng = np.random.default_rng([identities, round(1000 * truth), round(10 * likeness)])
    of = np.repeat(np.arange(identities), rng.integers(1, 21, identities))
    shape = len(of), repetitions
    if labelled == "person":
        yes = (rng.random((identities, repetitions)) < 0.3)[of] ^ (rng.random(shape) < 0.1)
    else:
        yes = rng.random(shape) < 0.3
    person, photo = rng.normal(size=(identities, repetitions))[of], rng.normal(size=shape)
    scores = yes * NormalDist().inv_cdf(truth) * math.sqrt(2)
    scores = scores + math.sqrt(likeness) * person + math.sqrt(1 - likeness) * photo
    return scores.astype(np.float32), np.where(yes, 1, -1).astype(np.int8), of


@pytest.mark.parametrize("truth", [0.5, 0.6, 0.75, 0.9, 0.95])
@pytest.mark.parametrize("form", ["normal", "wide positives", "exponential"])
def test_delong_covers_independent_photos(truth: float, form: str) -> None:
    scores, labels = independent(truth, 200, 400, 2000, form)
    assert 0.93 <= covered(f"delong, 200 / 400, {form}", delong(scores, labels), truth) <= 0.97


@pytest.mark.parametrize("truth", [0.7, 0.9, 0.97, 0.995])
@pytest.mark.parametrize(("m", "n"), [(10, 10), (10, 100), (10, 1000), (30, 300), (300, 30)])
@pytest.mark.parametrize("form", ["normal", "wide positives", "exponential"])
def test_delong_is_not_too_sure_of_small_samples_near_one(truth: float, m: int, n: int, form: str) -> None:
    scores, labels = independent(truth, m, n, 1000, form)
    assert covered(f"delong, {m} / {n}, {form}", delong(scores, labels), truth) >= 0.91


@pytest.mark.parametrize("truth", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("likeness", [0.3, 0.7])
@pytest.mark.parametrize("labelled", ["person", "photo"])
def test_identities_are_covered(truth: float, likeness: float, labelled: str) -> None:
    scores, labels, of = clustered(truth, 500, 1000, likeness, labelled)
    name = f"500 identities, likeness {likeness}, labels of the {labelled}"
    share = covered(f"obuchowski, {name}", delong(scores, labels, identity=of), truth)
    assert 0.93 <= share <= 0.97
    if labelled == "person":
        assert covered(f"delong without identities, {name}", delong(scores, labels), truth) < 0.85


def test_the_evaluations_bootstrap_covers_identities() -> None:
    """Over four designs together, so that the limits lie four standard errors (0.0044) from 0.95."""
    shares = []
    designs = (0.6, 0.7, "photo"), (0.75, 0.3, "person"), (0.9, 0.7, "person"), (0.9, 0.3, "photo")
    for truth, likeness, labelled in designs:
        scores, labels, of = clustered(truth, 400, 600, likeness, labelled)
        name = f"400 identities, likeness {likeness}, labels of the {labelled}"
        drawn = resample_auc(scores, labels, of.astype(str), 1000, 0)
        shares.append(within(f"bootstrap, {name}", *np.quantile(drawn, [0.025, 0.975], axis=0), truth))
    assert 0.93 <= np.mean(shares) <= 0.97


@pytest.mark.parametrize("truth", [0.7, 0.9, 0.98])
@pytest.mark.parametrize("identities", [40, 150])
@pytest.mark.parametrize("labelled", ["person", "photo"])
def test_few_identities_are_not_trusted_too_much(truth: float, identities: int, labelled: str) -> None:
    scores, labels, of = clustered(truth, identities, 1000, 0.7, labelled)
    name = f"{identities} identities, labels of the {labelled}"
    share = covered(f"obuchowski, {name}", delong(scores, labels, identity=of), truth)
    assert share >= 0.92
