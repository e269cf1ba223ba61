"""The directions in which rows of numbers differ most, and those along which attributes do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Float32s, Float64s, Floats, Int8s

_FLAT = 1e-6  # share of the first axis's variance below which there is no axis
_SAME = 1e-12  # variance of rows that are all one
_RIDGE = 1e-2  # of the templates' total variance


@dataclass(frozen=True, eq=False)
class Axes:
    """Leading principal axes; made by :func:`leading_axes`.

    Attributes:
        centre: (d,) where they cross.
        directions: (d, r), the leading one first, each divided by the rows' spread along it.
    """

    centre: Float64s
    directions: Float64s

    def of(self, rows: Float64s) -> Float64s:
        """(N, r) places along the axes, of (N, d) rows; of variance 1 for those that the axes were drawn through."""
        return np.asarray((rows - self.centre) @ self.directions)


def leading_axes(rows: Float64s, most: int, *, scaled: bool = False) -> Axes:
    """At most ``most`` axes of (N, d) rows; none (r = 0) where the rows are all one.

    Args:
        rows: N at least 2; d may be 0.
        scaled: of the rows' correlations: numbers that never vary take no part, the others equally.
    """
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    if not len(centre):
        return Axes(centre, np.zeros((0, 0)))
    scale = (
        np.divide(1, spread, out=np.zeros_like(spread), where=spread > _SAME)
        if scaled
        else np.ones_like(spread)
    )
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov((rows * scale).T)))
    variances, directions = variances[::-1][:most], directions[:, ::-1][:, :most]
    some = variances > max(_FLAT * variances[0], _SAME)
    return Axes(centre, scale[:, None] * directions[:, some] / np.sqrt(variances[some]))


def attribute_axes(vectors: Floats, labels: Int8s) -> Float32s:
    """(d, K) directions along which the attributes differ: ridge regressions of the labels on unit templates.

    Sums along them stand for scores in the test of homes. A reader's own scores will not do: of faces that it was
    trained on they lie elsewhere than of new ones; the mean of a linear score hardly does.

    Args:
        vectors: (N, d) usable templates. labels: (N, K) int8, 1, -1 or 0 (unknown, in the middle).
    """
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    x = np.asarray(units - units.mean(axis=0), dtype=np.float64)
    gram = x.T @ x
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    return np.asarray(np.linalg.solve(gram + ridge, x.T @ labels.astype(np.float64)), dtype=np.float32)
