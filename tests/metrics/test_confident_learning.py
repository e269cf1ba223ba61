"""Confident learning against a slow loop of the published algorithm, cleanlab, and labels that were flipped."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_smu.errors import InputError
from clip_smu.metrics.confident_learning import confident_learning


def flipped(n: int = 3000, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.int8]]:
    """(n, 3) probabilities, labels of which some are flipped or unknown, and the true ones; rare, even and common."""
    rng = np.random.default_rng(seed)
    true = np.where(rng.random((n, 3)) < [0.1, 0.5, 0.8], 1, -1).astype(np.int8)
    probabilities = 1 / (1 + np.exp(-(3.0 * true + rng.normal(size=(n, 3)) * 1.5)))
    labels = np.where(rng.random((n, 3)) < 0.1, -true, true).astype(np.int8)
    labels[rng.random((n, 3)) < 0.15] = 0
    return probabilities, labels, true


def slow(
    probabilities: NDArray[np.float64], labels: NDArray[np.int8]
) -> tuple[list[float], list[list[int]], list[int]]:
    """Thresholds, confident joint and rows off its diagonal, of one attribute: equations 1 and 2, photo by photo."""
    rows = [i for i, label in enumerate(labels) if label]
    given = {i: 0 if labels[i] > 0 else 1 for i in rows}
    of = {i: (float(probabilities[i]), 1 - float(probabilities[i])) for i in rows}
    thresholds = []
    for side in (0, 1):
        own = [of[i][side] for i in rows if given[i] == side]
        thresholds.append(sum(own) / len(own))
    joint, off = [[0, 0], [0, 0]], []
    for i in rows:
        reached = [side for side in (0, 1) if of[i][side] >= thresholds[side]]
        if reached:
            looks = max(reached, key=lambda side: of[i][side])
            joint[given[i]][looks] += 1
            if looks != given[i]:
                off.append(i)
    return thresholds, joint, off


def test_is_the_published_algorithm() -> None:
    probabilities, labels, _ = flipped()
    found = confident_learning(probabilities, labels)
    for k in range(3):
        thresholds, joint, off = slow(probabilities[:, k], labels[:, k])
        np.testing.assert_allclose(found.thresholds[k], thresholds, atol=1e-12)
        assert found.counts[k].tolist() == joint
        likelier = [i for i in off if (probabilities[i, k] > 0.5) != (labels[i, k] > 0)]
        assert np.flatnonzero(found.doubted[:, k]).tolist() == likelier
        shares = [joint[0][1] / sum(joint[0]), joint[1][0] / sum(joint[1])]
        np.testing.assert_allclose(found.looks_other[k], shares)


def test_is_what_cleanlab_finds() -> None:
    count, find = pytest.importorskip("cleanlab.count"), pytest.importorskip("cleanlab.filter")
    probabilities, labels, _ = flipped()
    found = confident_learning(probabilities, labels)
    for k in range(3):
        known = labels[:, k] != 0
        classes = (labels[known, k] < 0).astype(int)  # 0 yes, 1 no
        both = np.column_stack([probabilities[known, k], 1 - probabilities[known, k]])
        joint = count.compute_confident_joint(classes, both, calibrate=False)
        assert found.counts[k].tolist() == joint.tolist()
        calibrated = count.calibrate_confident_joint(joint, classes)
        expected = calibrated / calibrated.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(
            found.looks_other[k], [expected[0, 1], expected[1, 0]], atol=0.002
        )  # whole photos
        ranked = find.find_label_issues(
            classes,
            both,
            filter_by="confident_learning",
            return_indices_ranked_by="normalized_margin",
            n_jobs=1,
        )
        own = np.flatnonzero(found.doubted[:, k])
        own = own[np.argsort(found.margins[own, k], kind="stable")]
        assert own.tolist() == np.flatnonzero(known)[ranked].tolist()


def test_finds_most_flips_and_few_others() -> None:
    probabilities, labels, true = flipped()
    found = confident_learning(probabilities, labels)
    wrong = (labels != 0) & (labels != true)
    hits = (found.doubted & wrong).sum()
    assert hits / wrong.sum() > 0.8
    assert hits / found.doubted.sum() > 0.8


@pytest.mark.parametrize(
    ("share", "area", "looks_no"),
    [
        (0.5, 0.8, 0.208),
        (0.5, 0.9, 0.094),
        (0.5, 0.95, 0.047),
        (0.05, 0.8, 0.409),
        (0.05, 0.9, 0.256),
        (0.05, 0.95, 0.135),
    ],
)
def test_right_labels_that_are_hard_to_read_look_wrong_as_the_docs_say(share, area, looks_no) -> None:
    rng = np.random.default_rng(0)
    n, apart = 400_000, 2**0.5 * NormalDist().inv_cdf(area)
    true = rng.random(n) < share
    x = rng.normal(size=n) + apart * (true - 0.5)
    probability = 1 / (1 + np.exp(-(apart * x + np.log(share / (1 - share)))))
    found = confident_learning(probability[:, None], np.where(true, 1, -1).astype(np.int8)[:, None])
    assert found.looks_other[0, 0] == pytest.approx(looks_no, abs=0.008)


def test_unknown_labels_are_never_doubted_and_change_nothing() -> None:
    probabilities, labels, _ = flipped()
    found = confident_learning(probabilities, labels)
    assert not found.doubted[labels == 0].any()
    assert np.isnan(found.margins[labels == 0]).all()
    other = confident_learning(np.where(labels == 0, 1 - probabilities, probabilities), labels)
    assert (other.counts == found.counts).all()
    assert (other.doubted == found.doubted).all()


def test_one_class_alone_is_never_doubted() -> None:
    labels = np.ones((30, 2), np.int8)
    labels[:, 1] = 0
    found = confident_learning(np.full((30, 2), 0.01), labels)
    assert not found.doubted.any()
    assert np.isnan(found.thresholds[0, 1])
    assert np.isnan(found.thresholds[1]).all()
    assert np.isnan(found.looks_other[1]).all()


def test_refuses_scores() -> None:
    with pytest.raises(InputError, match="between 0 and 1, found -2 to 3: calibrate"):
        confident_learning([[-2.0], [3.0]], np.int8([[1], [-1]]))
