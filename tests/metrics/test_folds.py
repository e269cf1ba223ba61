"""Folds keep persons apart, are of equal size, and are drawn by the seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_smu.metrics.folds import identity_folds


@given(
    st.lists(st.sampled_from(["", *"abcdefghij"]), min_size=1, max_size=60),
    st.integers(2, 5),
    st.integers(0, 9),
)
def test_no_person_in_two_folds(identities: list[str], folds: int, seed: int) -> None:
    fold_of = identity_folds(identities, folds, seed)
    assert fold_of.min() >= 0
    assert fold_of.max() < folds
    for person in set(identities) - {""}:
        assert len({fold for fold, one in zip(fold_of, identities, strict=True) if one == person}) == 1
    np.testing.assert_array_equal(fold_of, identity_folds(identities, folds, seed))


def dealt(identities: list[str], folds: int, seed: int) -> list[int]:
    """By a loop: persons in seeded order, those of most photos first, each to the fold of fewest photos so far."""
    people = [one or f"\0{row}" for row, one in enumerate(identities)]
    photos = Counter(people)
    shuffled = [sorted(photos)[k] for k in np.random.default_rng(seed).permutation(len(photos))]
    sizes, place = [0] * folds, {}
    for person in sorted(shuffled, key=lambda one: -photos[one]):  # sorted keeps the shuffled order of equals
        place[person] = sizes.index(min(sizes))
        sizes[place[person]] += photos[person]
    return [place[one] for one in people]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_as_a_slow_loop_deals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    identities = [
        f"p{number:02}" for number, photos in enumerate(rng.integers(1, 9, 40)) for _ in range(photos)
    ]
    identities = [*rng.permutation(identities).tolist(), "", "", ""]
    assert identity_folds(identities, 5, seed).tolist() == dealt(identities, 5, seed)


def test_folds_are_even() -> None:
    identities = [f"p{i % 100}" for i in range(1000)] + [""] * 100
    assert np.ptp(np.bincount(identity_folds(identities, 5, 0))) <= 10


def test_folds_are_even_though_persons_are_not() -> None:
    """One person of 60 photos fills a fold; 30 persons of 4 fill the other two."""
    identities = ["many"] * 60 + [f"p{i // 4}" for i in range(120)]
    assert np.bincount(identity_folds(identities, 3, 0)).tolist() == [60, 60, 60]


def test_another_seed_deals_otherwise() -> None:
    identities = [f"p{i // 2}" for i in range(80)]
    assert (identity_folds(identities, 4, 0) != identity_folds(identities, 4, 1)).any()
