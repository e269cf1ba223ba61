"""Prevalence without labels, against Saerens' EM as a slow loop, quapy's, and label shift that was made."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from clip_smu.errors import InputError
from clip_smu.metrics.quantification import prevalence, prior_shift_only, score_shape, shift_prior

PRIOR = np.array([0.5, 0.1, 0.8])
APART = np.array([2.0, 1.5, 3.0])  # of the scores of those with and without, in their spreads


def faces(n: int, share: NDArray, seed: int, moved: float = 0) -> tuple[NDArray, NDArray]:
    """Probabilities that are calibrated where PRIOR has the attribute, and who has it; ``moved`` moves the scores."""
    rng = np.random.default_rng(seed)
    has = rng.random((n, 3)) < share
    score = rng.normal(size=(n, 3)) + np.where(has, APART / 2, -APART / 2) + moved
    odds = np.exp(APART * score) * PRIOR / (1 - PRIOR)
    return odds / (1 + odds), has


def saerens(p: NDArray, prior: float) -> float:
    """The EM of the paper, face by face, to the end."""
    share = prior
    for _ in range(20_000):
        yes, no = p * share / prior, (1 - p) * (1 - share) / (1 - prior)
        now = float(np.mean(yes / (yes + no)))
        if abs(now - share) < 1e-12:
            break
        share = now
    return share


def test_the_made_up_probabilities_are_calibrated() -> None:
    said, has = faces(200_000, PRIOR, 0)
    for k in range(3):
        for low in (0.1, 0.4, 0.7):
            some = (said[:, k] > low) & (said[:, k] < low + 0.1)
            assert has[some, k].mean() == pytest.approx(said[some, k].mean(), abs=0.02)


@pytest.mark.parametrize("share", [[0.5, 0.1, 0.8], [0.1, 0.4, 0.3], [0.95, 0.01, 0.99]])
def test_it_is_where_saerens_em_ends(share: list[float]) -> None:
    said, _ = faces(3_000, np.array(share), 1)
    found = prevalence(said, PRIOR)
    np.testing.assert_allclose(found.share, [saerens(said[:, k], PRIOR[k]) for k in range(3)], atol=2e-4)
    again = prevalence(said.astype(np.float32), PRIOR)
    np.testing.assert_allclose(again.share, found.share, atol=1e-4)


def test_it_is_quapys() -> None:
    emq = pytest.importorskip("quapy.method.aggregative").EMQ
    said, _ = faces(3_000, np.array([0.1, 0.4, 0.3]), 1)
    for k, share in enumerate(prevalence(said, PRIOR).share):
        posterior = np.column_stack([1 - said[:, k], said[:, k]])
        theirs, _ = emq.EM(np.array([1 - PRIOR[k], PRIOR[k]]), posterior, epsilon=1e-9)
        assert share == pytest.approx(theirs[1], abs=2e-4)


@pytest.mark.parametrize("share", [[0.2, 0.3, 0.5], [0.02, 0.03, 0.97]])
def test_its_interval_covers(share: list[float]) -> None:
    """In 95 % of 150 batches, within what chance allows (four standard errors)."""
    hits = np.zeros(3)
    for seed in range(150):
        said, _ = faces(300, np.array(share), seed)
        found = prevalence(said, PRIOR)
        assert (found.low <= found.share).all() and (found.share <= found.high).all()
        hits += (found.low <= share) & (share <= found.high)
    assert (np.abs(hits / 150 - 0.95) < 4 * (0.95 * 0.05 / 150) ** 0.5).all()


def test_its_bounds_are_where_the_likelihood_has_fallen_as_far_as_chi_square_says() -> None:
    said, _ = faces(400, np.array([0.2, 0.3, 0.5]), 2)
    found = prevalence(said, PRIOR, confidence=0.9)

    def log_likelihood(share: NDArray) -> NDArray:
        return np.log(share * said / PRIOR + (1 - share) * (1 - said) / (1 - PRIOR)).sum(axis=0)

    for bound in (found.low, found.high):
        fallen = 2 * (log_likelihood(found.share) - log_likelihood(bound))
        np.testing.assert_allclose(fallen, stats.chi2.ppf(0.9, 1), rtol=0.01)


def test_photos_of_one_person_widen_it() -> None:
    """Each face four times: with a design effect of 4 the interval is that of the faces."""
    said, _ = faces(500, np.array([0.2, 0.3, 0.5]), 3)
    once, more = prevalence(said, PRIOR), prevalence(np.repeat(said, 4, axis=0), PRIOR, design_effect=4)
    np.testing.assert_allclose(more.low, once.low, atol=1e-9)
    np.testing.assert_allclose(more.high, once.high, atol=1e-9)
    assert (prevalence(said, PRIOR, confidence=0.8).high < once.high).all()


def test_nobody_and_everybody() -> None:
    said, _ = faces(2_000, np.array([0, 1, 0]), 4)
    found = prevalence(said, PRIOR)
    np.testing.assert_allclose(found.share, [0, 1, 0], atol=0.03)
    assert found.low[0] == pytest.approx(0, abs=1e-6) and found.high[1] == pytest.approx(1, abs=1e-6)
    assert found.high[0] > found.share[0] and found.low[1] < found.share[1]


def test_where_nothing_is_known() -> None:
    said, _ = faces(100, PRIOR, 5)
    said[:, 0], said[:, 1] = 0.5, np.nan
    found = prevalence(said, PRIOR)
    for part in (found.share, found.low, found.high):
        assert np.isnan(part[:2]).all() and np.isfinite(part[2])
    assert found.share[2] == pytest.approx(prevalence(said[:, 2:], PRIOR[2:]).share[0])


def test_missing_probabilities_are_left_out() -> None:
    said, _ = faces(1_000, PRIOR, 6)
    holes = np.vstack([said, np.full((50, 3), np.nan)])
    assert (prevalence(holes, PRIOR).share == prevalence(said, PRIOR).share).all()
    home = score_shape(said)
    assert (prior_shift_only(holes, home) == prior_shift_only(said, home)).all()


def test_shifted_probabilities_are_calibrated_there() -> None:
    new = np.array([0.1, 0.4, 0.3])
    said, has = faces(300_000, new, 7)
    now = shift_prior(said, PRIOR, new)
    assert np.abs(said.mean(axis=0) - has.mean(axis=0)).min() > 0.05
    np.testing.assert_allclose(now.mean(axis=0), has.mean(axis=0), atol=0.003)
    for k in range(3):
        for low in (0.1, 0.4, 0.7):
            some = (now[:, k] > low) & (now[:, k] < low + 0.1)
            assert has[some, k].mean() == pytest.approx(now[some, k].mean(), abs=0.02)
    np.testing.assert_allclose(shift_prior(now, new, PRIOR), said, atol=1e-9)
    np.testing.assert_allclose(shift_prior(said, PRIOR, PRIOR), said, atol=1e-12)


def test_score_shape_is_that_of_the_classes() -> None:
    said, has = faces(100_000, PRIOR, 8)
    home = score_shape(said)
    np.testing.assert_allclose(home.prior, PRIOR, atol=0.01)
    for k in range(3):
        place = np.searchsorted(home.edges[k], said[:, k], side="right")
        for shape, whose in ((home.having, has[:, k]), (home.lacking, ~has[:, k])):
            seen = np.bincount(place[whose], minlength=20) / whose.sum()
            np.testing.assert_allclose(shape[k], seen, atol=0.01)


def test_moved_prevalence_alone_passes_and_moved_scores_do_not() -> None:
    home = score_shape(faces(5_000, PRIOR, 9)[0])
    new = np.array([0.1, 0.4, 0.3])
    tails = np.array([prior_shift_only(faces(500, new, 100 + seed)[0], home) for seed in range(200)])
    assert (np.mean(tails < 0.05, axis=0) < 0.08).all() and (tails.mean(axis=0) > 0.45).all()
    exact = np.array([prior_shift_only(faces(500, new, 100 + s)[0], home, margin=np.inf) for s in range(200)])
    assert (np.mean(exact < 0.05, axis=0) < 0.12).all() and (np.mean(exact < 0.05, axis=0) > 0.01).all()
    moved = np.array([prior_shift_only(faces(2_000, new, 300 + s, moved=0.7)[0], home) for s in range(20)])
    assert (moved[:, [0, 2]] < 0.001).all()  # the scores of 1 are too weak to tell the two apart


def test_a_small_home_is_not_taken_for_the_truth() -> None:
    tails = [
        prior_shift_only(
            faces(2_000, PRIOR, 100 + seed)[0], score_shape(faces(400, PRIOR, seed)[0]), margin=np.inf
        )
        for seed in range(100)
    ]
    assert (np.mean(np.array(tails) < 0.05, axis=0) < 0.2).all()


def test_a_million_faces_may_differ_a_little() -> None:
    home = score_shape(faces(100_000, PRIOR, 10)[0])
    many, _ = faces(300_000, PRIOR, 11, moved=0.05)
    assert (prior_shift_only(many, home) > 0.05).all()
    assert (prior_shift_only(many, home, margin=np.inf) < 0.001).any()


def test_no_faces() -> None:
    home = score_shape(faces(500, PRIOR, 9)[0])
    assert np.isnan(prior_shift_only(np.full((4, 3), np.nan), home)).all()
    assert np.isnan(prevalence(np.zeros((0, 3)), PRIOR).share).all()


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        prevalence(np.array([[1.5]]), np.array([0.5]))
    with pytest.raises(InputError, match=r"found \(2, 3\) and \(2,\)"):
        prevalence(np.zeros((2, 3)), np.array([0.5, 0.5]))
