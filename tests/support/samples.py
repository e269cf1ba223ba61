"""Scores with many ties, labels with unknowns, and DeLong's and Obuchowski's variances by slow loops."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

DTYPES = [np.float32, np.float64]


def sample(
    seed: int = 0, n: int = 400, k: int = 5, decimals: int = 1, dtype: type = np.float64
) -> tuple[NDArray[np.floating], NDArray[np.int8]]:
    """(n, k) scores with many ties, and labels with unknowns."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array([1, -1, 0], dtype=np.int8), size=(n, k), p=[0.25, 0.6, 0.15])
    scores = np.round(rng.normal(size=(n, k)) + 0.7 * labels, decimals).astype(dtype)
    return scores, labels


def known(scores: NDArray, labels: NDArray, k: int) -> tuple[NDArray, NDArray]:
    keep = labels[:, k] != 0
    return scores[keep, k], labels[keep, k]


def wins(positive: NDArray, negative: NDArray) -> NDArray[np.float64]:
    """(m, n) 1 where the positive scores higher, 0.5 where equal."""
    return np.array([[1.0 * (p > q) + 0.5 * (p == q) for q in negative] for p in positive])


def obuchowski(pairs: NDArray, of_positives: NDArray, of_negatives: NDArray) -> float:
    """Variance by the formulas of Obuchowski 1997, one person after the other; ``pairs`` (m, n) of wins."""
    (m, n), area = pairs.shape, pairs.mean()
    v10, v01 = pairs.mean(axis=1), pairs.mean(axis=0)
    persons = sorted(set(of_positives) | set(of_negatives))
    s10 = s01 = s11 = 0.0
    for person in persons:
        x = sum(v10[j] - area for j in range(m) if of_positives[j] == person)
        y = sum(v01[j] - area for j in range(n) if of_negatives[j] == person)
        s10, s01, s11 = s10 + x * x, s01 + y * y, s11 + x * y
    i10, i01, i = len(set(of_positives)), len(set(of_negatives)), len(persons)
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * n), s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


scored = hnp.arrays(np.int64, 40, elements=st.integers(-8, 8))
labelled = hnp.arrays(np.int8, 40, elements=st.sampled_from([1, -1, 0]))
