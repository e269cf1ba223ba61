"""Normal distributions of several variables, near enough and without SciPy: how likely several events are together.

Events of probability p are thresholds of standard normal variables, and how they go together is the variables'
correlation (a Gaussian copula): "both" is the area where two variables lie below their thresholds.
"""

from __future__ import annotations

import numpy as np

from clip_smu.arrays import Float64s, Floats

LEAST = 1e-7  # probabilities nearer to 0 or 1 count as this one
MOST_CORRELATED = 0.95
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)


def density(t: Float64s) -> Float64s:
    """Of the standard normal distribution."""
    return np.asarray(np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi))


def below(t: Float64s) -> Float64s:
    """P(Z < t) within 1e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.2.17."""
    k = 1 / (1 + 0.2316419 * np.abs(t))
    tail = density(t) * k * np.polynomial.polynomial.polyval(k, _TAIL)
    return np.asarray(np.where(t > 0, 1 - tail, tail))


def threshold(p: Floats) -> Float64s:
    """t with P(Z < t) = p, within 1e-6: Wichura, Algorithm AS 241 (PPND7), 1988.

    ``p`` is held between `LEAST` and 1 less that.
    """
    p = np.clip(np.asarray(p, dtype=np.float64), LEAST, 1 - LEAST)
    q = p - 0.5
    polynomial = np.polynomial.polynomial.polyval
    r = 0.180625 - q * q
    central = q * polynomial(r, _A) / polynomial(r, _B)
    far = np.abs(q) > 0.425
    if far.any():
        s = np.sqrt(-np.log(np.minimum(p[far], 1 - p[far]))) - 1.6
        central[far] = np.sign(q[far]) * polynomial(s, _C) / polynomial(s, _D)
    return np.asarray(central)


def both(p: Floats, q: Floats, correlation: float) -> Float64s:
    """(N,) probability of two events together.

    ``p q`` and the integral of the density at both thresholds over the correlation from 0 (Plackett 1954), by
    Gauss-Legendre over its arc sine (Drezner & Wesolowsky 1990).

    Args:
        p, q: (N,) their probabilities, 0 to 1. correlation: of the variables behind them, -.95 to .95.
    """
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if correlation == 0:
        return np.asarray(p * q)
    t, u = threshold(p), threshold(q)
    squares, product = 0.5 * (t * t + u * u), t * u
    half = 0.5 * np.arcsin(correlation)
    more = np.zeros(np.shape(t))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        sine = np.sin(half * (1 + node))
        more += weight * np.exp((product * sine - squares) / (1 - sine * sine))
    return np.asarray(p * q + half / (2 * np.pi) * more)


def all_of(probabilities: Floats, correlations: Floats) -> Float64s:
    """(N,) probability of M events together, never beyond what their probabilities allow (Fréchet's bounds).

    One and two are exact; of more, one event after the other is taken to be so, and what is left is again taken to be
    normal (Mendell & Elston 1974; within .01 for correlations as attributes have them).

    Args:
        probabilities: (N, M), 0 to 1. correlations: (M, M) of the variables behind them, -.95 to .95 off the
            diagonal.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    count = p.shape[1]
    if count == 0:
        return np.ones(len(p))
    lowest, highest = np.maximum(p.sum(axis=1) - (count - 1), 0), p.min(axis=1)
    if count == 1:
        return np.asarray(highest)
    if not np.any(correlations - np.diag(np.diag(correlations))):
        return np.asarray(p.prod(axis=1))
    if count == 2:
        return np.clip(both(p[:, 0], p[:, 1], float(correlations[0, 1])), lowest, highest)
    return np.clip(_one_by_one(p, np.asarray(correlations, dtype=np.float64)), lowest, highest)


def _one_by_one(p: Float64s, correlations: Float64s) -> Float64s:
    count = p.shape[1]
    t = [threshold(p[:, k]) for k in range(count)]
    covariance = [[np.full(len(p), correlations[j, k]) for k in range(count)] for j in range(count)]
    for k in range(count):
        covariance[k][k] = np.ones(len(p))
    result = np.ones(len(p))
    for i in range(count):
        spread = np.sqrt(np.maximum(covariance[i][i], 1e-9))
        at = t[i] / spread
        chance = np.maximum(below(at), 1e-12)
        result *= chance
        ratio = density(at) / chance  # how far the mean of what lies below goes down
        narrowed = ratio * (ratio + at)
        slopes = [covariance[i][j] / spread for j in range(count)]
        for j in range(i + 1, count):
            t[j] = t[j] + slopes[j] * ratio
            for k in range(j, count):
                covariance[j][k] = covariance[j][k] - slopes[j] * slopes[k] * narrowed
                covariance[k][j] = covariance[j][k]
    return result


_TAIL = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)
_A = (3.3871327179, 50.434271938, 159.29113202, 59.109374720)
_B = (1.0, 17.895169469, 78.757757664, 67.187563600)
_C = (1.4234372777, 2.7568153900, 1.3067284816, 0.17023821103)
_D = (1.0, 0.73700164250, 0.12021132975)
