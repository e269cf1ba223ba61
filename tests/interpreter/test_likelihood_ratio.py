"""The likelihood ratio of an attribute against a world that is counted out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from clip_smu.interpreter.likelihood_ratio import log_likelihood_ratio


def test_the_ratio_by_enumeration() -> None:
    """A world of one attribute and templates with five looks, counted out: P(a, b | one) / P(a, b | two)."""
    rng = np.random.default_rng(0)
    for base, keep in itertools.product((0.1, 0.5, 0.83), (1.0, 0.7, 0.0)):
        looks = rng.dirichlet(np.ones(5), size=2)  # P(look | z), z = 0 and 1
        prior = np.array([1 - base, base])
        for a, b in itertools.product(range(5), repeat=2):
            one = two = 0.0
            for z, first, second in itertools.product((0, 1), repeat=3):
                # z is the person's; the first photo has it; the second keeps it, or is drawn anew
                if first != z:
                    continue
                second_given = keep * (second == z) + (1 - keep) * prior[second]
                one += prior[z] * second_given * looks[first, a] * looks[second, b]
            for first, second in itertools.product((0, 1), repeat=2):
                two += prior[first] * prior[second] * looks[first, a] * looks[second, b]
            p, q = (base * looks[1, k] / (base * looks[1, k] + (1 - base) * looks[0, k]) for k in (a, b))
            assert log_likelihood_ratio(p, q, base, keep) == pytest.approx(np.log10(one / two), abs=1e-12)


def test_the_ratio_at_its_ends() -> None:
    assert log_likelihood_ratio(0.3, 0.9, 0.3) == pytest.approx(0, abs=1e-12)  # the base rate says nothing
    assert log_likelihood_ratio(1, 0, 0.5, 0.9) == pytest.approx(-1)
    assert log_likelihood_ratio(1, 0, 0.5) == -np.inf
    assert np.isnan(log_likelihood_ratio([0.5, 0.5, 0.5], 0.5, [0, 1, np.nan])).all()
