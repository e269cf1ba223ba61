"""Upper tails of the chi-square and the F distribution, near enough to decide by, without SciPy."""

from __future__ import annotations

import math


def f_tail(ratio: float, above: float, below: float = math.inf) -> float:
    """P(F >= ratio), with ``above`` and ``below`` degrees of freedom; without ``below``, of chi-square / ``above``.

    Paulson, *An approximate normalization of the analysis of variance distribution*, 1942; for chi-square it is
    Wilson and Hilferty's (1931): the cube root is nearly normal. From 10 and 30 degrees of freedom on, a tail of
    10⁻³ to 1 is right within a tenth of it; smaller ones come out too large.

    Example:
        >>> round(f_tail(31.41 / 20, 20), 3)
        0.05
    """
    if ratio <= 0:
        return 1.0
    low, high = 2 / (9 * above), 2 / (9 * below)
    root = ratio ** (1 / 3)
    z = ((1 - high) * root - (1 - low)) / math.sqrt(high * root**2 + low)
    return math.erfc(z / math.sqrt(2)) / 2
