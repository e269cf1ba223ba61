"""L-BFGS for many L2-regularised logistic regressions on the same rows, preconditioned by what they share.

Of each attribute, with labels y_i of 1 and -1, rows x_i and the inverse regularisation C,

    f(w, b) = C sum_i log(1 + exp(-y_i z_i)) + |w|^2 / 2,    z_i = w . x_i + b,
    gradient by w = w - C sum_i r_i x_i,    by b = -C sum_i r_i,    r_i = y_i (1 - p(y_i)),
    Hessian by w  = C X' diag(p (1 - p)) X + I.

r is the residual: observed less fitted, if the labels are written as 1 and 0. The preconditioner is the inverse of that
Hessian with p (1 - p) replaced by its mean, which in the eigenbasis of X'X is diagonal; along the leading axes and for
the intercept it is the attribute's own Hessian, a small block. L-BFGS: Nocedal 1980; the two-loop recursion is
Algorithm 7.4 of Nocedal & Wright, Numerical Optimization (2006).
"""

from __future__ import annotations

import numpy as np

from clip_smu.arrays import Bools, Float64s, Floats
from clip_smu.metrics.products import inner, product, scores_of

LEADING_AXES = 8  # principal axes along which each attribute has a Hessian of its own
_MEMORY = 20  # pairs (s, y) that L-BFGS remembers
_FIRST_STEPS, _HESSIAN_EVERY = (
    4,
    8,
)  # the block is computed before each of the first steps, then before every 8th
_RIDGE = 1e-6  # on the intercept's second derivative, in shares of the rows: it is 0 where all p are 0 or 1
_ROUNDING = 1e-4  # relative, on the block's diagonal: rounding in float32 is less
_WOLFE = 0.5  # c2 of the strong Wolfe condition |f'(t)| <= c2 |f'(0)|, where a line search ends
_MAX_TRIALS = 12  # of one line search
_LONGEST = 10  # times the length before, at most, in one trial
_CURVED = 1e-12  # least cosine of s and y of a pair that counts

Pair = tuple[Float64s, Float64s, Float64s]
"""s, a step, and y, the change of the gradient over it, (A, d + 1) each; rho = 1 / (s . y), (A,)."""


class Design:
    """The rows of x, (N, d) float32 or float64, with what all attributes and all C share.

    Attributes:
        mean: (d,) of the rows, which are taken as centred below. single: (N, d) x in float32.
        eigenvalues, eigenvectors: (d,) and (d, d) of X'X, ascending: the leading axes are the last columns.
        pair: two (P,), each two of a row's coordinates along the leading axes and 1.
        products: (N, P) their products: sums of them weighted by p (1 - p) are entries of the Hessian's block.
    """

    def __init__(self, x: Floats) -> None:
        self.x = x
        self.mean = x.mean(axis=0, dtype=np.float64)
        self.single = x.astype(np.float32, copy=False)
        gram = (self.single.T @ self.single).astype(np.float64) - len(x) * np.outer(self.mean, self.mean)
        values, self.eigenvectors = np.linalg.eigh(gram)
        self.eigenvalues = np.maximum(values, 0)  # (d,)
        axes = self.eigenvectors[:, -LEADING_AXES:]
        leading = np.ones((len(x), axes.shape[1] + 1), dtype=np.float32)
        leading[:, :-1] = self.single @ axes.astype(np.float32) - self.mean @ axes
        self.pair = np.triu_indices(leading.shape[1])
        self.products = leading[:, self.pair[0]] * leading[:, self.pair[1]]


class Lbfgs:
    """L-BFGS for A attributes, each at a C of its own, and when it is solved at the next one of its path.

    The rows are taken as centred, and directions as vectors in the eigenbasis; the intercept is the last coordinate.

    Attributes:
        column: (A,) which column of ``path`` (S, columns) each is; ``at`` (A,) where on the path it stands.
        y: (A, N) labels as floats. z: (A, N) scores.
        residual: (A, N) y (1 - p(y)), minus the derivative of each row's loss by its score; 0 for an unknown label.
        weights: (A, d). point: (A, d + 1) the same in the eigenbasis, then the intercept.
        hessian: (A, m, m) block of the loss's Hessian by the last m coordinates of ``point``, at some step before.
        memory: the last :data:`Pair`, oldest first.
    """

    def __init__(self, design: Design, x: Floats, y: Floats, path: Float64s, begin: Float64s) -> None:
        self.design, self.x, self.path, self.y = design, x, path, y
        self.mean, self.eigenvectors = design.mean, design.eigenvectors.astype(x.dtype)
        self.column, self.at = np.arange(len(y)), np.zeros(len(y), dtype=np.intp)
        self.c, self.n_known = path[0].copy(), np.abs(y).sum(axis=1, dtype=np.float64)
        self.weights = begin[:, :-1].copy()
        self.point = np.column_stack(
            [self.weights @ design.eigenvectors, begin[:, -1] + self.weights @ self.mean]
        )
        self.z = np.repeat(begin[:, -1:].astype(x.dtype), len(x), axis=1)
        if self.weights.any():
            self.z += scores_of(self.weights.astype(x.dtype), x)
        self.residual = _residual(y, self.z)
        self.hessian = self._leading_hessian()
        self.memory: list[Pair] = []

    def run(self, tolerance: float, max_steps: int) -> Float64s:
        """(S, columns, d + 1) weights and intercepts; NaN where ``max_steps`` did not suffice."""
        found = np.full((*self.path.shape, self.x.shape[1] + 1), np.nan)
        last: tuple[Float64s, Float64s] | None = None  # step, and the gradient before it
        for taken in range(max_steps):
            of_data, gradient = self._gradient()
            if last is not None:
                self._remember(last[0], gradient - last[1])
            while (ended := self._max_abs_gradient(of_data, gradient) <= tolerance).any():
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
                gradient = self._next_c(gradient)
            if 0 < taken < _FIRST_STEPS or taken % _HESSIAN_EVERY == _HESSIAN_EVERY - 1:
                self.hessian = self._leading_hessian()
            direction = -self._two_loop_recursion(gradient, self.memory)
            uphill = inner(direction, gradient) >= 0
            if uphill.any():
                direction[uphill] = -self._two_loop_recursion(gradient, [])[uphill]
            last = self._line_search(gradient, direction), gradient
        return found

    def _gradient(self) -> tuple[Float64s, Float64s]:
        """(A, d) derivatives of the losses by the weights; (A, d + 1) gradient of f in the eigenbasis."""
        of_data = product(self.residual, self.x)
        of_bias = self.residual.sum(axis=1, dtype=np.float64)
        centred = (of_data - of_bias[:, None] * self.mean).astype(self.x.dtype) @ self.eigenvectors
        gradient = np.column_stack([centred, of_bias]) * -self.c[:, None]
        gradient[:, :-1] += self.point[:, :-1]
        return -of_data.astype(np.float64), gradient

    def _max_abs_gradient(self, of_data: Float64s, gradient: Float64s) -> Float64s:
        """(A,) the largest absolute partial derivative of f / (C n), n the known labels: scikit-learn's criterion."""
        of_weights = np.abs(of_data + self.weights / self.c[:, None]).max(axis=1)
        return np.asarray(np.maximum(of_weights, np.abs(gradient[:, -1]) / self.c) / self.n_known)

    def _remember(self, step: Float64s, change: Float64s) -> None:
        self.memory = [*self.memory[1 - _MEMORY :], (step, change, _reciprocal(step, change))]

    def _drop(self, keep: Bools) -> None:
        """Leaves out the attributes whose path is at its end."""
        if not keep.all():
            for name in ("column", "at", "c", "n_known", "y", "z", "residual", "weights", "point", "hessian"):
                setattr(self, name, getattr(self, name)[keep])
            self.memory = [(step[keep], change[keep], rho[keep]) for step, change, rho in self.memory]

    def _next_c(self, gradient: Float64s) -> Float64s:
        """The gradient at the next C of the path; it and the y remembered move along, for f is linear in C."""
        c = self.path[self.at, self.column]
        new = np.flatnonzero(c != self.c)
        if not len(new):
            return gradient
        ratio = (c[new] / self.c[new])[:, None]
        self.c = c
        for of_all, change, rho in (*self.memory, (self.point, gradient, None)):
            of_penalty = of_all[new]
            of_penalty[:, -1] = 0
            change[new] = of_penalty + ratio * (change[new] - of_penalty)
            if rho is not None:
                rho[new] = _reciprocal(of_all[new], change[new])
        return gradient

    def _leading_hessian(self) -> Float64s:
        """(A, m, m) ``hessian`` at the present scores: X' diag(p (1 - p)) X along the leading axes and 1."""
        weight = np.abs(self.residual)  # 1 - p(y), so that p (1 - p) is
        weight -= weight * weight
        i, j = self.design.pair
        hessian = np.empty((len(weight), i[-1] + 1, i[-1] + 1))
        hessian[:, i, j] = hessian[:, j, i] = product(
            weight.astype(np.float32, copy=False), self.design.products
        )
        hessian[:, -1, -1] += _RIDGE * self.n_known
        return hessian

    def _two_loop_recursion(self, gradient: Float64s, memory: list[Pair]) -> Float64s:
        """(A, d + 1) H gradient, H the inverse Hessian as L-BFGS has it (Nocedal & Wright, Algorithm 7.4)."""
        q = gradient.copy()
        alphas = []
        for step, change, rho in reversed(memory):
            alphas.append(rho * inner(step, q))
            q -= alphas[-1][:, None] * change
        own = self.hessian.shape[1]  # H0, the preconditioner: diagonal on the other axes, a block on these
        hessian = self.c[:, None, None] * self.hessian
        q[:, :-own] /= hessian[:, -1, -1:] / len(self.x) * self.design.eigenvalues[: 1 - own] + 1
        diagonal = np.einsum("kii->ki", hessian)  # a view
        diagonal *= 1 + _ROUNDING
        diagonal[:, :-1] += 1
        q[:, -own:] = np.linalg.solve(hessian, q[:, -own:, None])[:, :, 0]
        for (step, change, rho), alpha in zip(memory, reversed(alphas), strict=True):
            beta = rho * inner(change, q)
            q += (alpha - beta)[:, None] * step
        return q

    def _line_search(self, gradient: Float64s, direction: Float64s) -> Float64s:
        """Moves along ``direction`` until the strong Wolfe condition holds; gives the steps (A, d + 1).

        f is convex, so its slope rises along the line: the slope's zero is bracketed, and sought by Newton's method,
        or by bisection where Newton leaves the bracket.
        """
        dtype = self.x.dtype
        turned = direction[:, :-1].astype(dtype) @ self.eigenvectors.T
        dz = scores_of(turned, self.x)  # (A, N)
        dz += (direction[:, -1] - turned @ self.mean).astype(dtype)[:, None]
        first = inner(gradient, direction)  # below 0
        along = inner(self.point[:, :-1], direction[:, :-1])
        square = inner(direction[:, :-1], direction[:, :-1])
        length, low, high = np.ones(len(dz)), np.zeros(len(dz)), np.full(len(dz), np.inf)
        begin, moving = self.z, np.arange(len(dz))
        for tried in range(1, _MAX_TRIALS + 1):
            z, step, y = (part if len(moving) == len(dz) else part[moving] for part in (begin, dz, self.y))
            t = length[moving]
            moved = z + (step if tried == 1 else step * t[:, None].astype(dtype))
            residual = _residual(y, moved)
            slope = -self.c[moving] * inner(residual, step) + along[moving] + t * square[moving]
            flat = np.abs(slope) <= _WOLFE * np.abs(first[moving])
            if tried == _MAX_TRIALS:
                flat[:] = True
            if tried == 1:
                self.z, self.residual = moved, residual
            else:
                self.z[moving], self.residual[moving] = moved, residual
            moving = moving[~flat]
            if not len(moving):
                break
            t, slope, error, step = t[~flat], slope[~flat], np.abs(residual[~flat]), step[~flat]
            curvature = self.c[moving] * inner(error - error * error, step * step) + square[moving]
            low[moving] = np.where(slope < 0, t, low[moving])
            high[moving] = np.where(slope > 0, t, high[moving])
            newton = np.minimum(t - slope / curvature, _LONGEST * t)
            middle = np.where(np.isfinite(high[moving]), (low[moving] + high[moving]) / 2, 2 * t)
            length[moving] = np.where((newton > low[moving]) & (newton < high[moving]), newton, middle)
        steps = length[:, None] * direction
        self.point += steps
        self.weights += length[:, None] * turned
        return steps


def _residual(y: Floats, z: Floats) -> Floats:
    """y (1 - p(y)) = y / (1 + exp(y z)): 0 for an unknown label, y for a row that is wholly wrong."""
    out = y * z
    with np.errstate(over="ignore"):
        np.exp(out, out=out)
    out += 1
    np.divide(y, out, out=out)
    return out


def _reciprocal(step: Float64s, change: Float64s) -> Float64s:
    """(A,) rho = 1 / (s . y); 0, which leaves the pair without effect, where rounding has the last word."""
    dot = inner(step, change)
    usable = dot > _CURVED * np.sqrt(inner(step, step) * inner(change, change))
    return np.divide(1, dot, out=np.zeros_like(dot), where=usable)
