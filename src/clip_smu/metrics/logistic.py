"""L2-regularised logistic regression of all attributes at once, solved to the optimum; NumPy.

Attribute k minimises what scikit-learn's ``LogisticRegression`` minimises,

    f(w, b) = C sum_i log(1 + exp(-y_i (w . x_i + b))) + |w|^2 / 2,

over the rows whose label y_i is known. All attributes share the rows x, so that each step of all of them is two
matrix products. They also share, up to a factor, the curvature: with p(1 - p) replaced by its mean the second
derivative is ``C mean(p (1 - p)) X'X + I``, and one eigendecomposition of X'X inverts it for every attribute and
every C. Along the first principal axes, where the rows an attribute is unsure of differ most from all rows, each
attribute's own second derivative takes its place. L-BFGS (Nocedal 1980) starts each step from this inverse and needs
some ten steps instead of a hundred, about as many as conjugate gradients at the optimum would. An attribute that has
met the criterion leaves the products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Bools, Float64s, Floats, Int8s
from clip_smu.errors import InputError
from clip_smu.metrics import auc
from clip_smu.metrics.folds import identity_folds

STRENGTHS: tuple[float, ...] = tuple(float(c) for c in np.logspace(-4, 2, 13))
"""What is tried where no strength is given: 1e-4 to 100, two a decade."""

TOLERANCE = 1e-5
_HISTORY = 20  # pairs that L-BFGS remembers
_LEADING = 8  # principal axes along which each attribute has a second derivative of its own
_ANEW, _EVERY = 4, 8  # it is computed before each of the first steps, then before every 8th
_STEPS_SINGLE, _STEPS_DOUBLE = 300, 5000  # most steps in float32, then in float64
_FLATTER = 0.5  # a line search ends where the slope is at most this share of the first one
_TRIES = 12  # of one line search


def fit_logistic(
    x: Floats,
    labels: Int8s,
    strength: ArrayLike = 1.0,
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
        strength: C, positive, scalar or (K,): the weight of the data against the penalty.
        start: weights and intercepts to start from, to save time; zeros and the log odds where ``None``.
        tolerance: an attribute ends where no partial derivative of f / (C n) is over this, n its known labels;
            scikit-learn's ``tol``.

    Raises:
        InputError: shapes that do not fit, a value that is not finite, a strength that is not positive, or no
            optimum found (a strength so large that there is none).

    Example:
        >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> weights, bias = fit_logistic(x, np.array([[-1], [1], [-1], [1]], np.int8))
        >>> weights.shape, bool(weights[0, 0] > 0), bool(abs(bias[0]) < 1e-5)
        ((1, 1), True, True)
    """
    x, labels = _checked(x, labels)
    path = np.broadcast_to(np.asarray(strength, dtype=np.float64), (1, labels.shape[1]))
    weights, bias = _Rows(x).solve(labels, path, start, tolerance)
    return weights[0], bias[0]


def sweep_strength(
    x: Floats,
    labels: Int8s,
    identities: Sequence[str],
    strengths: Sequence[float] = STRENGTHS,
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
        strengths: the values of C to try.

    Raises:
        InputError: as for :func:`fit_logistic`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(60, 5))
        >>> y = np.where(x[:, :1] + rng.normal(size=(60, 2)) > 0, 1, -1).astype(np.int8)
        >>> sweep_strength(x, y, [f"p{n // 2}" for n in range(60)], [0.01, 1]).shape
        (2,)
    """
    x, labels = _checked(x, labels)
    x = x.astype(np.float32, copy=False)  # enough to choose by
    tried = sorted(float(c) for c in strengths)
    path = np.repeat(np.array(tried)[:, None], labels.shape[1], axis=1)  # (S, K)
    fold_of = identity_folds(identities, folds, seed)
    total, counted = np.zeros(path.shape), np.zeros(path.shape)  # (S, K)
    for fold in range(folds):
        inside, outside = fold_of != fold, fold_of == fold
        weights, bias = _Rows(x[inside]).solve(labels[inside], path, None, tolerance)
        scores = x[outside] @ weights.astype(x.dtype).transpose(0, 2, 1) + bias[:, None]  # (S, n, K)
        areas = np.stack([auc(one, labels[outside]).value for one in scores])  # (S, K)
        total += np.nan_to_num(areas)
        counted += ~np.isnan(areas)
    means = np.divide(total, counted, out=np.full(path.shape, -1.0), where=counted > 0)
    return np.asarray(np.take(tried, np.argmax(means, axis=0)), dtype=np.float64)


def logistic_probe(
    x: Floats, labels: Int8s, identities: Sequence[str], seed: int = 0
) -> tuple[Float64s, Float64s]:
    """Weights (K, d) and intercepts (K,) at each attribute's own best C; see :func:`sweep_strength`."""
    return fit_logistic(x, labels, sweep_strength(x, labels, identities, seed=seed))


class _Rows:
    """The rows of x with what all attributes and all C share.

    Attributes:
        mean: (d,) of the rows, which are taken as centred below. single: (N, d) x in float32.
        values, basis: of X'X; the principal axes are the last columns.
        products: (N, P) of each two of a row's coordinates along the leading axes and 1, which are the columns
            ``pair``: weighted sums of them are second derivatives by those weights and the intercept.
    """

    def __init__(self, x: Floats) -> None:
        self.x = x
        self.mean = x.mean(axis=0, dtype=np.float64)
        self.single = x.astype(np.float32, copy=False)
        gram = (self.single.T @ self.single).astype(np.float64) - len(x) * np.outer(self.mean, self.mean)
        values, self.basis = np.linalg.eigh(gram)
        self.values = np.maximum(values, 0)  # (d,)
        axes = self.basis[:, -_LEADING:]
        leading = np.ones((len(x), axes.shape[1] + 1), dtype=np.float32)
        leading[:, :-1] = self.single @ axes.astype(np.float32) - self.mean @ axes
        self.pair = np.triu_indices(leading.shape[1])
        self.products = leading[:, self.pair[0]] * leading[:, self.pair[1]]

    def solve(
        self,
        labels: Int8s,
        path: Float64s,
        start: tuple[Float64s, Float64s] | None,
        tolerance: float,
    ) -> tuple[Float64s, Float64s]:
        """Weights (S, K, d) and intercepts (S, K): of attribute k at each C of ``path[:, k]``, one after the other.

        First in float32, which takes half the time; then in float64 what float32 cannot resolve, and, if x is
        float64, a last polish.
        """
        if not (np.isfinite(path) & (path > 0)).all():
            raise InputError("the strength C must be positive and finite: give values such as 0.01 or 1")
        n_yes, n_no = (labels > 0).sum(axis=0), (labels < 0).sum(axis=0)
        points = np.zeros((*path.shape, self.x.shape[1] + 1))  # weights, then the intercept
        points[..., -1] = np.log((n_yes + 1) / (n_no + 1))
        left = np.flatnonzero((n_yes > 0) & (n_no > 0))
        begin = points[0, left] if start is None else np.column_stack(start)[left]
        for dtype, most in ((np.float32, _STEPS_SINGLE), (np.float64, _STEPS_DOUBLE)):
            rough = dtype == np.float32 and self.x.dtype == np.float64
            x = self.single if dtype == np.float32 else self.x.astype(np.float64, copy=False)
            y: Floats = labels[:, left].T.astype(x.dtype, order="C")
            descent = _Descent(self, x, y, path[:, left], begin)
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


class _Descent:
    """L-BFGS for A attributes, each at a C of its own, and when it is solved at the next one of its path.

    The rows are taken as centred, and directions as vectors in the eigenbasis; the intercept is the last coordinate.

    Attributes:
        column: (A,) which column of ``path`` (S, columns) each is; ``at`` (A,) where on the path it stands.
        y: (A, N) labels as floats. z: (A, N) scores.
        pull: (A, N) y (1 - p(y)): minus the derivative of each row's loss by its score.
        weights: (A, d). point: (A, d + 1) the same in the eigenbasis, then the intercept.
        bend: (A, m, m) second derivatives of the loss by the last m coordinates of ``point``, at some step before.
        memory: for each of the last steps (step, change of gradient) (A, d + 1), and 1 / their product (A,).
    """

    def __init__(self, rows: _Rows, x: Floats, y: Floats, path: Float64s, begin: Float64s) -> None:
        self.rows, self.x, self.path, self.y = rows, x, path, y
        self.mean, self.basis = rows.mean, rows.basis.astype(x.dtype)
        self.column, self.at = np.arange(len(y)), np.zeros(len(y), dtype=np.intp)
        self.c, self.known = path[0].copy(), np.abs(y).sum(axis=1, dtype=np.float64)
        self.weights = begin[:, :-1].copy()
        self.point = np.column_stack([self.weights @ rows.basis, begin[:, -1] + self.weights @ self.mean])
        self.z = np.repeat(begin[:, -1:].astype(x.dtype), len(x), axis=1)
        if self.weights.any():
            self.z += _scores(self.weights.astype(x.dtype), x)
        self.pull = _pull(y, self.z)
        self.bend = self._bend()
        self.memory: list[tuple[Float64s, Float64s, Float64s]] = []

    def run(self, tolerance: float, most: int) -> Float64s:
        """(S, columns, d + 1) weights and intercepts; NaN where ``most`` steps did not suffice."""
        found = np.full((*self.path.shape, self.x.shape[1] + 1), np.nan)
        last: tuple[Float64s, Float64s] | None = None  # step, and the gradient before it
        for taken in range(most):
            of_data, gradient = self._gradient()
            if last is not None:
                self._remember(last[0], gradient - last[1])
            while (ended := self._worst(of_data, gradient) <= tolerance).any():
                found[self.at[ended], self.column[ended], :-1] = self.weights[ended]
                found[self.at[ended], self.column[ended], -1] = (
                    self.point[ended, -1] - self.weights[ended] @ self.mean
                )
                self.at[ended] += 1
                keep = self.at < len(self.path)
                if not keep.any():
                    return found
                of_data, gradient = of_data[keep], gradient[keep]
                self._drop(keep)
                gradient = self._next_strength(gradient)
            if 0 < taken < _ANEW or taken % _EVERY == _EVERY - 1:
                self.bend = self._bend()
            direction = -self._precondition(gradient, self.memory)
            uphill = _dots(direction, gradient) >= 0
            if uphill.any():
                direction[uphill] = -self._precondition(gradient, [])[uphill]
            last = self._search(gradient, direction), gradient
        return found

    def _gradient(self) -> tuple[Float64s, Float64s]:
        """(A, d) derivatives of the losses by the weights; (A, d + 1) gradient of f in the eigenbasis."""
        of_data = _product(self.pull, self.x)
        of_bias = self.pull.sum(axis=1, dtype=np.float64)
        centred = (of_data - of_bias[:, None] * self.mean).astype(self.x.dtype) @ self.basis
        gradient = np.column_stack([centred, of_bias]) * -self.c[:, None]
        gradient[:, :-1] += self.point[:, :-1]
        return -of_data.astype(np.float64), gradient

    def _worst(self, of_data: Float64s, gradient: Float64s) -> Float64s:
        """(A,) the largest partial derivative of f / (C n)."""
        of_weights = np.abs(of_data + self.weights / self.c[:, None]).max(axis=1)
        return np.asarray(np.maximum(of_weights, np.abs(gradient[:, -1]) / self.c) / self.known)

    def _remember(self, step: Float64s, change: Float64s) -> None:
        self.memory = [*self.memory[1 - _HISTORY :], (step, change, _inverse(step, change))]

    def _drop(self, keep: Bools) -> None:
        """Leaves out the attributes whose path is at its end."""
        if not keep.all():
            for name in ("column", "at", "c", "known", "y", "z", "pull", "weights", "point", "bend"):
                setattr(self, name, getattr(self, name)[keep])
            self.memory = [(step[keep], change[keep], inverse[keep]) for step, change, inverse in self.memory]

    def _next_strength(self, gradient: Float64s) -> Float64s:
        """The gradient at the C of ``at``; it and the changes remembered move along, for f is linear in C."""
        c = self.path[self.at, self.column]
        new = np.flatnonzero(c != self.c)
        if not len(new):
            return gradient
        ratio = (c[new] / self.c[new])[:, None]
        self.c = c
        for of_all, change, inverse in (*self.memory, (self.point, gradient, None)):
            of_penalty = of_all[new]
            of_penalty[:, -1] = 0
            change[new] = of_penalty + ratio * (change[new] - of_penalty)
            if inverse is not None:
                inverse[new] = _inverse(of_all[new], change[new])
        return gradient

    def _bend(self) -> Float64s:
        """``bend`` at the present scores: sums over the rows of p (1 - p) times the products of two coordinates."""
        size = np.abs(self.pull)
        size -= size * size
        i, j = self.rows.pair
        bend = np.empty((len(size), i[-1] + 1, i[-1] + 1))
        bend[:, i, j] = bend[:, j, i] = _product(size.astype(np.float32, copy=False), self.rows.products)
        bend[:, -1, -1] += 1e-6 * self.known  # 0 where all rows are told with certainty
        return bend

    def _precondition(
        self, gradient: Float64s, memory: list[tuple[Float64s, Float64s, Float64s]]
    ) -> Float64s:
        """The two loops of L-BFGS, around the inverse of the second derivative as far as it is known."""
        q = gradient.copy()
        shares = []
        for step, change, inverse in reversed(memory):
            shares.append(inverse * _dots(step, q))
            q -= shares[-1][:, None] * change
        own = self.bend.shape[1]
        bend = self.c[:, None, None] * self.bend
        q[:, :-own] /= bend[:, -1, -1:] / len(self.x) * self.rows.values[: 1 - own] + 1
        diagonal = np.einsum("kii->ki", bend)  # a view
        diagonal *= 1 + 1e-4  # rounding in float32 is less
        diagonal[:, :-1] += 1
        q[:, -own:] = np.linalg.solve(bend, q[:, -own:, None])[:, :, 0]
        for (step, change, inverse), share in zip(memory, reversed(shares), strict=True):
            q += (share - inverse * _dots(change, q))[:, None] * step
        return q

    def _search(self, gradient: Float64s, direction: Float64s) -> Float64s:
        """Moves along ``direction`` to where f is flatter; gives the steps (A, d + 1).

        f is convex, so its slope rises along the line and the slope's zero is bracketed: Newton's method.
        """
        dtype = self.x.dtype
        turned = direction[:, :-1].astype(dtype) @ self.basis.T
        dz = _scores(turned, self.x)  # (A, N)
        dz += (direction[:, -1] - turned @ self.mean).astype(dtype)[:, None]
        first = _dots(gradient, direction)  # below 0
        along = _dots(self.point[:, :-1], direction[:, :-1])
        square = _dots(direction[:, :-1], direction[:, :-1])
        length, low, high = np.ones(len(dz)), np.zeros(len(dz)), np.full(len(dz), np.inf)
        begin, moving = self.z, np.arange(len(dz))
        for tried in range(1, _TRIES + 1):
            z, step, y = (part if len(moving) == len(dz) else part[moving] for part in (begin, dz, self.y))
            t = length[moving]
            moved = z + (step if tried == 1 else step * t[:, None].astype(dtype))
            pull = _pull(y, moved)
            slope = -self.c[moving] * _dots(pull, step) + along[moving] + t * square[moving]
            flat = np.abs(slope) <= _FLATTER * np.abs(first[moving])
            if tried == _TRIES:
                flat[:] = True
            if tried == 1:
                self.z, self.pull = moved, pull
            else:
                self.z[moving], self.pull[moving] = moved, pull
            moving = moving[~flat]
            if not len(moving):
                break
            t, slope, size, step = t[~flat], slope[~flat], np.abs(pull[~flat]), step[~flat]
            bend = self.c[moving] * _dots(size - size * size, step * step) + square[moving]
            low[moving] = np.where(slope < 0, t, low[moving])
            high[moving] = np.where(slope > 0, t, high[moving])
            newton = np.minimum(t - slope / bend, 10 * t)
            middle = np.where(np.isfinite(high[moving]), (low[moving] + high[moving]) / 2, 2 * t)
            length[moving] = np.where((newton > low[moving]) & (newton < high[moving]), newton, middle)
        steps = length[:, None] * direction
        self.point += steps
        self.weights += length[:, None] * turned
        return steps


def _pull(y: Floats, z: Floats) -> Floats:
    """y / (1 + exp(y z)): 0 for an unknown label, y for a row that is wholly wrong."""
    out = y * z
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1
    np.divide(y, out, out=out)
    return out


def _product(a: Floats, b: Floats) -> Floats:
    """a @ b."""
    return np.asarray((_padded(a) @ b)[: len(a)])


def _scores(weights: Floats, x: Floats) -> Floats:
    """weights @ x.T, contiguous; the other way round BLAS is faster, by more than the copy takes."""
    return np.ascontiguousarray((x @ _padded(weights).T).T[: len(weights)])


def _padded(a: Floats) -> Floats:
    """With rows of zeros up to a multiple of 4, which BLAS takes at once: products are up to a quarter faster."""
    if len(a) < 4 or len(a) % 4 == 0:
        return a
    padded = np.zeros((-(-len(a) // 4) * 4, a.shape[1]), dtype=a.dtype)
    padded[: len(a)] = a
    return padded


def _dots(a: Floats, b: Floats) -> Float64s:
    """(A,) inner products of rows."""
    return np.asarray((a[:, None] @ b[:, :, None])[:, 0, 0], dtype=np.float64)


def _inverse(step: Float64s, change: Float64s) -> Float64s:
    """(A,) 1 / (step . change); 0, which leaves the pair without effect, where rounding has the last word."""
    product = _dots(step, change)
    usable = product > 1e-12 * np.sqrt(_dots(step, step) * _dots(change, change))
    return np.divide(1, product, out=np.zeros_like(product), where=usable)


def _checked(x: Floats, labels: Int8s) -> tuple[Floats, Int8s]:
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
