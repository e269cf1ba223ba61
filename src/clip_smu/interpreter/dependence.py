"""How attributes go together beyond what their probabilities say: learnt from labels, for questions about several.

A template's probabilities say a good deal already: of a man a beard is likelier. What is left is that,
of faces with the same probabilities, those with the one thing have the other more often than chance has it, or less.
This is told by the correlation of normal variables behind the labels (:mod:`clip_smu.metrics.orthants`), one for
each two attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from clip_smu.arrays import Float32s, Float64s, Floats, Int8s
from clip_smu.metrics.orthants import MOST_CORRELATED, density, threshold
from clip_smu.words.attributes import INDEX, NAMES

SHIPPED = "dependence.csv"
"""In ``clip_smu/data``: of LFW's and CelebA's training persons, for interpreters that do not have their own."""
_TERMS = 24  # of the series
_BISECTIONS = 30
_EXPECTED = (
    0.2  # how far correlations of attributes lie from 0; the less is known, the nearer to 0 they are put
)


def dependence(labels: Int8s, probabilities: Floats) -> Float32s:
    """(K, K) float32 correlations, -.95 to .95, 1 on the diagonal, with which labels go together given probabilities.

    Each is the one with which as many faces are expected to have both as have: the sum over faces of
    ``(y - p)(z - q)`` equals that of the integral of the normal density from 0 to r, in its tetrachoric series
    (Pearson 1900), whose terms are products of matrices. What rests on few faces is drawn towards 0, by
    ``1 / (1 + (error / .2)²)``; then the matrix is made positive definite.

    Args:
        labels: (N, K) int8, 1, -1 or 0 (unknown, left out).
        probabilities: (N, K) calibrated, of faces that training did not see; NaN is left out.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    known = ((labels != 0) & np.isfinite(p)).astype(np.float64)
    p = np.where(known > 0, p, 0.5)
    left = known * ((labels > 0) - p)
    together = left.T @ left
    spread = known * p * (1 - p)
    error = np.sqrt(np.maximum(spread.T @ spread, 1e-12))
    t = threshold(p)
    at = known * density(t)
    terms, hermite, before = [], np.ones_like(t), np.zeros_like(t)
    for n in range(_TERMS):
        part = at * hermite
        terms.append(part.T @ part / (n + 1))
        hermite, before = (t * hermite - np.sqrt(n) * before) / np.sqrt(n + 1), hermite
    found = _solved(together, terms)
    error /= np.maximum(terms[0], 1e-12)
    found /= 1 + (error / _EXPECTED) ** 2
    np.fill_diagonal(found, 1)
    return _definite(found).astype(np.float32)


def dependence_among(attributes: Sequence[str], own: Float32s | None = None) -> Float32s:
    """(K, K) float32 of a reader's attributes: its own, or those that ship."""
    if own is not None:
        return own
    at = [INDEX[name] for name in attributes]
    return shipped_dependence()[np.ix_(at, at)]


@cache
def shipped_dependence() -> Float32s:
    """(47, 47) float32, from the table that ``tools/make_dependence.py`` makes."""
    lines = (Path(__file__).parents[1] / "data" / SHIPPED).read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    if tuple(rows[0][1:]) != NAMES:
        raise AssertionError(f"{SHIPPED} does not name the 47 attributes in their order")
    return np.array([row[1:] for row in rows[1:]], dtype=np.float32)


def _solved(together: Float64s, terms: list[Float64s]) -> Float64s:
    """The correlations at which the series has these sums; it rises with them."""
    low, high = np.full(together.shape, -MOST_CORRELATED), np.full(together.shape, MOST_CORRELATED)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        power, value = middle.copy(), np.zeros_like(middle)
        for term in terms:
            value += power * term
            power *= middle
        more = value < together
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    found: Float64s = np.where(terms[0] > 0, (low + high) / 2, 0.0)
    return found


def _definite(correlations: Float64s) -> Float64s:
    """The matrix without directions of no variance, with 1 on its diagonal again."""
    values, directions = np.linalg.eigh((correlations + correlations.T) / 2)
    fixed = (directions * np.maximum(values, 1e-3)) @ directions.T
    scale = np.sqrt(np.diag(fixed))
    fixed /= scale[:, None] * scale
    fixed = np.clip(fixed, -MOST_CORRELATED, MOST_CORRELATED)
    np.fill_diagonal(fixed, 1)
    return np.asarray(fixed)
