"""Selective risk control: the lowest confidence at which verdicts on new persons keep a promised error rate.

What is promised, and how surely: docs/promise.md. How it was chosen, and what it costs: benchmarks/risk_simulation.py.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from clip_smu.arrays import Bools, Float64s, Floats, Indices
from clip_smu.errors import InputError
from clip_smu.metrics.ranking import check_level

NEVER = 2.0  # a threshold that no confidence reaches
_STRICTEST, _STEP = 8.0, 0.05  # the grid, in log odds: from a confidence of .9997 down
_STEPS = 40  # of Newton's method, which takes some eight, or halvings of an interval


def selective_threshold(
    confidence: Float64s,
    wrong: Bools | Floats,
    persons: Indices,
    error_rate: float,
    *,
    level: float = 0.95,
    least: float = 0.55,
) -> float:
    """Lowest confidence at which, so surely, at most a share ``error_rate`` of new persons' verdicts is wrong.

    Learn then Test (Angelopoulos, Bates, Candès, Jordan & Lei 2021, arXiv 2110.01052) by fixed-sequence testing: from a
    strict threshold down, :func:`p_value` of "above it too many are wrong" is held against ``1 - level``, and the
    threshold before the first that is not rejected is returned. The grid is fixed: steps of .05 in log odds, and
    ``least`` the last.

    Where the sequence starts is told by how many persons have verdicts there, and never by which are wrong:
    hypotheses that no outcome could reject are left out (Tarone 1990). Of the thresholds at which, had nobody been
    wrong, p would be at most ``max(d / 100, sqrt(d p0))``, it is the strictest; d is ``1 - level``, and p0 that p at
    ``least``. (At the strictest that could be rejected at all, one wrong person would end the sequence.)

    Args:
        confidence: (n,) of each possible verdict of being right, 0 to 1, without NaN. Equal ones stay together.
        wrong: (n,) whether it would not be; or, where that is not known, how likely it is, 0 to 1.
        persons: (n,) number of the person, 0 or more. One person's verdicts may depend on each other.
        error_rate: promised, 0 to 1 (both excluded).
        level: probability with which a draw of persons leads to a threshold that keeps the promise, inside (0, 1).
        least: the lowest threshold that is wanted, inside (0, 1).

    Returns:
        A threshold t, ``least <= t < 1``, for ``confidence >= t``; 2.0 where none can be promised.

    Raises:
        InputError: arrays that do not fit, or a number outside its range.
    """
    confidence, wrong, persons = _check(confidence, wrong, persons)
    _check_share(error_rate, "an error rate")
    _check_share(least, "a least confidence")
    allowed = 1 - check_level(level)
    ascending = np.argsort(confidence, kind="stable")
    grid = threshold_grid(least)
    ends = np.searchsorted(
        confidence[ascending], grid, side="left"
    )  # (G,): from there up, confidence >= threshold
    rows_of, wrong_of = persons[ascending], wrong[ascending]
    count = int(persons.max(initial=-1)) + 1
    nobody = np.zeros(count)
    most = np.bincount(rows_of[ends[-1] :], minlength=count).astype(np.float64)
    unerring = p_value(nobody, most, error_rate)
    if unerring > allowed:
        return NEVER
    enough = max(allowed / 100, math.sqrt(allowed * unerring))
    found, started = NEVER, False
    asserted, mistaken = (
        np.zeros(count),
        np.zeros(count),
    )  # verdicts of each person at the threshold, and wrong ones
    for threshold, (end, start) in zip(grid, pairwise([len(confidence), *ends]), strict=True):
        asserted += np.bincount(rows_of[start:end], minlength=count)
        mistaken += np.bincount(rows_of[start:end], wrong_of[start:end], minlength=count)
        started = started or p_value(nobody, asserted, error_rate) <= enough
        if started:
            if p_value(mistaken, asserted, error_rate) > allowed:
                break
            found = float(threshold)
    return found


def threshold_grid(least: float) -> Float64s:
    """(G,) thresholds that :func:`selective_threshold` tries, descending, the last of them ``least``; of no data."""
    grid = 1 / (1 + np.exp(-np.arange(_STRICTEST, 0.0, -_STEP)))
    return np.append(grid[grid > least], least)


def ratio_bound(wrong: Floats, asserted: Floats, *, level: float = 0.95) -> float:
    """Upper confidence bound of ``E[wrong] / E[asserted]`` over persons: the lowest rate that :func:`p_value` rejects.

    Args:
        wrong, asserted: (P,) verdicts of each person that are wrong, and all, ``0 <= wrong <= asserted``.
        level: of confidence, one-sided, inside (0, 1).

    Returns:
        0 to 1; 1 where nobody has a verdict.

    Raises:
        InputError: arrays that do not fit, or a level outside (0, 1).

    Example:
        >>> import numpy as np
        >>> round(ratio_bound(np.zeros(59), np.full(59, 40)), 2)  # nobody of 59 wrong: as 1 - 0.05 ** (1 / 59)
        0.05
    """
    allowed = 1 - check_level(level)
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if p_value(wrong, asserted, middle) > allowed:
            low = middle
        else:
            high = middle
    return high


def p_value(wrong: Floats, asserted: Floats, error_rate: float) -> float:
    """p of the hypothesis ``E[wrong - error_rate * asserted] >= 0`` over persons, 0 to 1; small: fewer are wrong.

    Gaffke's test of a bounded mean (Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable, Mathematical Methods of Statistics 14, 2005; Learned-Miller & Thomas 2020, arXiv
    1905.06208) on each person's excess ``D_i = wrong_i - error_rate * asserted_i``: ``P(sum_i D_i E_i >= 0)``, E
    exponential, which is the Bayesian bootstrap over persons with unseen ones added. For persons of equal weight
    Gaffke adds one, all wrong, and where a person is right or wrong as a whole the test is the exact binomial one; it
    is proven in such special cases, and no counterexample is known. A person's photos have no bound, so two are
    added: one all wrong, of the root mean square of the persons' verdicts, and the worst person seen (largest excess
    above 0) once more. These weights are this project's own choice, made by simulation. The probability is
    Lugannani & Rice's (1980) saddlepoint approximation, within about 1 % of itself.

    Args:
        wrong, asserted: (P,) verdicts of each person that are wrong, and all, ``0 <= wrong <= asserted``. Persons
            without a verdict change nothing.
        error_rate: 0 to 1.

    Returns:
        1 wherever the rate among these persons and the added ones is ``error_rate`` or more.

    Raises:
        InputError: arrays that do not fit.
    """
    wrong, asserted = np.asarray(wrong, dtype=np.float64), np.asarray(asserted, dtype=np.float64)
    if wrong.ndim != 1 or wrong.shape != asserted.shape or not np.all((wrong >= 0) & (wrong <= asserted)):
        raise InputError(
            f"expected (P,) wrong of (P,) asserted verdicts, found {wrong.shape} and {asserted.shape}, or more wrong "
            "than asserted: give each person's sums"
        )
    seen = asserted > 0
    if not seen.any():
        return 1.0
    excess = wrong[seen] - error_rate * asserted[seen]
    usual = math.sqrt(np.square(asserted[seen]).mean())
    return _weighted_exponentials(np.append(excess, [(1 - error_rate) * usual, max(excess.max(), 0)]))


def _weighted_exponentials(weights: Float64s) -> float:
    """``P(sum of weights * E >= 0)`` of (m,) weights, E exponential of mean 1; 1 if the weights' sum is 0 or more.

    Lugannani & Rice: cumulants ``K(s) = -sum log(1 - s w)``, ``K'(s) = 0`` at the saddlepoint, between 0 and the pole
    ``1 / max(w)``; ``r = sqrt(-2 K)``, ``u = s sqrt(K'')``, ``P = 1 - Phi(r) + phi(r) (1 / u - 1 / r)``.
    """
    largest = float(weights.max())
    if weights.sum() >= 0:
        return 1.0
    if largest <= 0:
        return 0.0
    shares = weights / largest
    low, s, high = (
        0.0,
        0.5,
        1.0,
    )  # the saddlepoint, as a share of the pole, by Newton's method inside what is left
    for _ in range(_STEPS):
        terms = shares / (1 - s * shares)
        slope = float(terms.sum())
        low, high = (s, high) if slope < 0 else (low, s)
        before, s = s, s - slope / float(terms @ terms)
        s = s if low < s < high else (low + high) / 2
        if abs(s - before) <= 1e-7 * (1 - s):
            break
    factors = 1 - s * shares
    r = math.sqrt(2 * max(float(np.log(factors).sum()), 0.0))
    u = s * math.sqrt(float(np.square(shares / factors).sum()))
    if r < 1e-3:  # next to the mean, where 1 / u - 1 / r is a difference of rounded numbers
        return 0.5
    density = math.exp(-r * r / 2) / math.sqrt(2 * math.pi)
    return min(max(0.5 * math.erfc(r / math.sqrt(2)) + density * (1 / u - 1 / r), 0.0), 1.0)


def _check(
    confidence: Float64s, wrong: Bools | Floats, persons: Indices
) -> tuple[Float64s, Float64s, Indices]:
    confidence, wrong, persons = (
        np.asarray(confidence),
        np.asarray(wrong, dtype=np.float64),
        np.asarray(persons),
    )
    if confidence.ndim != 1 or not confidence.shape == wrong.shape == persons.shape:
        raise InputError(
            f"expected confidence, wrong and persons of n verdicts, found {confidence.shape}, {wrong.shape} and "
            f"{persons.shape}: flatten them alike"
        )
    if not np.all((confidence >= 0) & (confidence <= 1)):
        raise InputError(
            "expected confidences between 0 and 1, found others or NaN: calibrate the scores first"
        )
    if not np.all((wrong >= 0) & (wrong <= 1)):
        raise InputError(
            "expected for each verdict whether it is wrong, or how likely, found numbers outside 0 to 1"
        )
    if persons.size and persons.min() < 0:
        raise InputError(f"expected persons numbered from 0, found {persons.min()}: number them anew")
    return confidence.astype(np.float64), wrong, persons.astype(np.intp)


def _check_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise InputError(f"expected {name} between 0 and 1, found {value}: 0.1 is one in ten")
