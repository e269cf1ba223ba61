"""L2-regularised logistic regression of all attributes at once, solved to the optimum; NumPy.

Attribute k minimises what scikit-learn's ``LogisticRegression`` minimises,

    f(w, b) = C sum_i log(1 + exp(-y_i (w . x_i + b))) + |w|^2 / 2,    C the inverse regularisation,

over the rows whose label y_i, 1 or -1, is known. All attributes share the rows x, so that each step of all
of them is two matrix products. They also share, up to a factor, the curvature: with p (1 - p) replaced by its mean the
Hessian is ``C mean(p (1 - p)) X'X + I``, and one eigendecomposition of X'X inverts it for every attribute and every C.
Along the leading axes, where the rows an attribute is unsure of differ most from all rows, a block of each attribute's
own Hessian takes its place. L-BFGS (:mod:`clip_smu.metrics.lbfgs`) starts each step from this inverse and needs some
ten steps instead of a hundred, about as many as conjugate gradients at the optimum would. An attribute that has met
the criterion leaves the products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s, Floats, Int8s
from clip_smu.errors import InputError
from clip_smu.metrics import auc
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.lbfgs import Design, Lbfgs

C_GRID: tuple[float, ...] = tuple(float(c) for c in np.logspace(-4, 2, 13))
"""The values of C that are tried where none is given: 1e-4 to 100, two a decade."""

TOLERANCE = 1e-5
_MAX_STEPS_32, _MAX_STEPS_64 = 300, 5000  # of L-BFGS, in float32, then in float64


def fit_logistic(
    x: Floats,
    labels: Int8s,
    c: ArrayLike = 1.0,
    *,
    start: tuple[Float64s, Float64s] | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[Float64s, Float64s]:
    """Weights (K, d) and intercepts (K,) of K logistic regressions on the same rows, float64.

    Scores are ``x @ weights.T + bias``. The result is the only optimum, whatever the start. Columns of x should be
    of like size (standardise first), for the penalty treats them alike; they need not be centred.

    Args:
        x: (N, d) finite floats. The matrix products are in float32, or in float64 if x is float64.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown (left out). An attribute with known labels of one class, or
            none, gets weights of 0 and the smoothed log odds of the two counts as intercept.
        c: C, positive, scalar or (K,): the inverse regularisation, the weight of the data against the penalty.
        start: weights and intercepts to start from, to save time; zeros and the log odds where ``None``.
        tolerance: an attribute ends where no partial derivative of f / (C n) is over this, n its known labels;
            scikit-learn's ``tol``.

    Raises:
        InputError: shapes that do not fit, a value that is not finite, a C that is not positive, or no optimum
            found (a C so large that there is none).

    Example:
        >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> weights, bias = fit_logistic(x, np.array([[-1], [1], [-1], [1]], np.int8))
        >>> weights.shape, bool(weights[0, 0] > 0), bool(abs(bias[0]) < 1e-5)
        ((1, 1), True, True)
    """
    x, labels = _checked(x, labels)
    path = np.broadcast_to(np.asarray(c, dtype=np.float64), (1, labels.shape[1]))
    weights, bias = _solve(Design(x), labels, path, start, tolerance)
    return weights[0], bias[0]


def choose_c(
    x: Floats,
    labels: Int8s,
    identities: Sequence[str],
    grid: Sequence[float] = C_GRID,
    folds: int = 3,
    seed: int = 0,
    *,
    tolerance: float = TOLERANCE,
) -> Float64s:
    """(K,) for each attribute the C with the best AUC on persons that were left out.

    Identities are dealt into ``folds``; each fold is scored by a regression on the others, with every C, from the
    smallest on, each starting where the one before ended. The AUC is the mean of the folds' AUCs: scores of different
    regressions are never ranked against each other, for their offsets differ, and the more the larger C is. A fold with
    one class alone is left out for that attribute. An attribute whose AUC is undefined in all folds gets the smallest
    C; so does one where several are best.

    Args:
        x, labels: as for :func:`fit_logistic`.
        identities: N persons; "" stands for a person of its own.
        grid: the values of C to try.

    Raises:
        InputError: as for :func:`fit_logistic`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(60, 5))
        >>> y = np.where(x[:, :1] + rng.normal(size=(60, 2)) > 0, 1, -1).astype(np.int8)
        >>> choose_c(x, y, [f"p{n // 2}" for n in range(60)], [0.01, 1]).shape
        (2,)
    """
    x, labels = _checked(x, labels)
    x = x.astype(np.float32, copy=False)  # enough to choose by
    tried = sorted(float(c) for c in grid)
    path = np.repeat(np.array(tried)[:, None], labels.shape[1], axis=1)  # (S, K)
    fold_of = identity_folds(identities, folds, seed)
    total, counted = np.zeros(path.shape), np.zeros(path.shape)  # (S, K)
    for fold in range(folds):
        inside, outside = fold_of != fold, fold_of == fold
        weights, bias = _solve(Design(x[inside]), labels[inside], path, None, tolerance)
        scores = x[outside] @ weights.astype(x.dtype).transpose(0, 2, 1) + bias[:, None]  # (S, n, K)
        areas = np.stack([auc(one, labels[outside]).value for one in scores])  # (S, K)
        total += np.nan_to_num(areas)
        counted += ~np.isnan(areas)
    means = np.divide(total, counted, out=np.full(path.shape, -1.0), where=counted > 0)
    return np.asarray(np.take(tried, np.argmax(means, axis=0)), dtype=np.float64)


def _solve(
    design: Design,
    labels: Int8s,
    path: Float64s,
    start: tuple[Float64s, Float64s] | None,
    tolerance: float,
) -> tuple[Float64s, Float64s]:
    """Weights (S, K, d) and intercepts (S, K): of attribute k at each C of ``path[:, k]``, a warm start for the next.

    First in float32, which takes half the time; then in float64 what float32 cannot resolve, and, if x is
    float64, a last polish.
    """
    if not (np.isfinite(path) & (path > 0)).all():
        raise InputError(
            "C, the inverse regularisation, must be positive and finite: give values such as 0.01 or 1"
        )
    n_yes, n_no = (labels > 0).sum(axis=0), (labels < 0).sum(axis=0)
    points = np.zeros((*path.shape, design.x.shape[1] + 1))  # weights, then the intercept
    points[..., -1] = np.log((n_yes + 1) / (n_no + 1))
    left = np.flatnonzero((n_yes > 0) & (n_no > 0))
    begin = points[0, left] if start is None else np.column_stack(start)[left]
    for dtype, most in ((np.float32, _MAX_STEPS_32), (np.float64, _MAX_STEPS_64)):
        rough = dtype == np.float32 and design.x.dtype == np.float64
        x = design.single if dtype == np.float32 else design.x.astype(np.float64, copy=False)
        y: Floats = labels[:, left].T.astype(x.dtype, order="C")
        descent = Lbfgs(design, x, y, path[:, left], begin)
        found = descent.run(max(tolerance, TOLERANCE) if rough else tolerance, most * len(path))
        ended = ~np.isnan(found[-1, :, -1])
        if rough:
            begin[ended] = found[0, ended]
            continue
        points[:, left[ended]] = found[:, ended]
        left, begin = left[~ended], begin[~ended]
        if not len(left):
            return points[..., :-1], points[..., -1]
    raise InputError(
        f"logistic regression found no optimum for {len(left)} attributes with C up to {path[:, left].max():g}: "
        "give a smaller C"
    )


def _checked(x: Floats, labels: Int8s) -> tuple[Floats, Int8s]:
    """(N, d) x, contiguous, in float64 if it is, else in float32; (N, K) labels."""
    x, labels = np.asarray(x), np.asarray(labels)
    if x.ndim != 2 or labels.ndim != 2 or len(x) != len(labels) or not len(x):
        raise InputError(
            f"expected x (N, d) and labels (N, K) with the same N above 0, found {x.shape} and {labels.shape}"
        )
    if labels.size and (labels.min() < -1 or labels.max() > 1):
        raise InputError(
            f"expected labels 1, -1 and 0 (unknown), found values from {labels.min()} to {labels.max()}: recode them"
        )
    x = np.ascontiguousarray(x, dtype=np.float64 if x.dtype == np.float64 else np.float32)
    if not np.isfinite(x).all():
        raise InputError("expected finite x, found NaN or infinite values: leave such rows out")
    return x, labels
