"""LEACE in closed form, and the shrinkage of a covariance (OAS); arrays in, arrays out.

LEACE: Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", arXiv 2306.03819.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clip_smu.arrays import Float64s, Floats, Int8s


class Leace(NamedTuple):
    """LEACE as published: ``r(x) = x - left (right' (x - mean))``, with ``left right' = W⁺ P W``.

    Attributes:
        mean: (d,) of the vectors.
        left, right: (d, m) float64, ``right' left = I``; m is the rank of the cross-covariance.
    """

    mean: Float64s
    left: Float64s
    right: Float64s


def leace(vectors: Float64s, labels: Int8s, shrinkage: float = 0.0) -> Leace:
    """LEACE's factors in closed form (Belrose et al. 2023, theorem 4.3).

    ``W = Σ_xx^(-1/2)`` over all rows (pseudo-inverse), ``P`` the orthogonal projection onto the columns of
    ``W Σ_xz``. Column k of ``Σ_xz`` is over the rows whose label k is known. Whatever W, no covariance is left.

    Args:
        vectors: (N, d) float64.
        labels: (N, K) int8; 1, -1, or 0 for unknown.
        shrinkage: 0 to 1, share of the mean variance in Σ_xx: ``(1 - s) Σ_xx + s mean(diag Σ_xx) I``.
    """
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / len(vectors))
    variances = (1 - shrinkage) * variances + shrinkage * variances.mean()
    kept = variances > variances[-1] * 1e-10
    axes, spread = axes[:, kept], np.sqrt(variances[kept])
    whitened = axes @ ((axes.T @ covariances(vectors, labels)) / spread[:, None])  # (d, K)
    lengths = np.linalg.norm(whitened, axis=0)
    basis, sizes, _ = np.linalg.svd(whitened / np.where(lengths > 0, lengths, 1), full_matrices=False)
    basis = basis[:, sizes > 1e-9]  # exclusive attributes may depend on each other
    return Leace(
        mean, axes @ (spread[:, None] * (axes.T @ basis)), axes @ ((axes.T @ basis) / spread[:, None])
    )


def oas(vectors: Float64s) -> float:
    """The share, 0 to 1, of the mean variance that makes the covariance of (N, d) rows the best on average.

    Oracle approximating shrinkage, in closed form (Chen, Wiesel, Eldar & Hero 2010), as scikit-learn has it.
    """
    n, d = vectors.shape
    centred = vectors - vectors.mean(axis=0)
    covariance = centred.T @ centred / n
    size, mean = float((covariance**2).mean()), float(np.trace(covariance)) / d
    apart = (n + 1) * (size - mean**2 / d)
    return min((size + mean**2) / apart, 1.0) if apart > 0 else 1.0


def covariances(vectors: Float64s, labels: Int8s) -> Float64s:
    """(d, K) covariance of each number with each label (1 or 0), over the rows where that label is known."""
    known = labels != 0
    counts = np.maximum(known.sum(axis=0), 1)
    truth = (labels > 0).astype(np.float64)
    off = np.where(known, truth - truth.sum(axis=0) / counts, 0)  # (N, K), each column sums to 0
    return np.asarray(vectors.T @ off / counts)


def unit(vectors: Floats) -> Float64s:
    wide = np.asarray(vectors, dtype=np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))
