"""Folds keep persons apart and are of equal size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clip_smu.sampling import identity_folds


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


def test_folds_are_even() -> None:
    identities = [f"p{i % 100}" for i in range(1000)] + [""] * 100
    assert np.ptp(np.bincount(identity_folds(identities, 5, 0))) <= 10
