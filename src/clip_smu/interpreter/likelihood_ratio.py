"""The evidence of one attribute, read in two templates, for one person over two: a log likelihood ratio.

Attribute z is read with the calibrated probabilities p_a and p_b; π is its base rate. If templates depend on each
other only through z, and z is the same in both photos of one person, then

    P(a, b | one person) / P(a, b | two persons) = Σ_z P(z) (p_a(z) / P(z)) (p_b(z) / P(z))
                                                 = p_a p_b / π + (1 - p_a) (1 - p_b) / (1 - π)

by Bayes' rule, P(a | z) = P(a) p_a(z) / P(z). Glasses come off and beards grow: with the probability ρ the second
photo keeps z, else z is drawn anew from the base rate, and the ratio becomes

    1 - ρ + ρ (p_a p_b / π + (1 - p_a) (1 - p_b) / (1 - π)).

Its logarithm to base 10 is positive where the attribute speaks for one person; +1 is ten times as likely. ρ is the
attribute's intra-class correlation (:mod:`clip_smu.interpreter.intra_class`). Attributes depend on each other (a
beard says male): their ratios must not be added up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s
from clip_smu.interpreter.reader import TemplateReader


def log_likelihood_ratio(a: ArrayLike, b: ArrayLike, base_rate: ArrayLike, icc: ArrayLike = 1.0) -> Float64s:
    """log10 of the ratio that this module's head derives, element by element.

    Args:
        a, b: calibrated probabilities, 0 to 1.
        base_rate: π; NaN, 0 and 1 give NaN.
        icc: ρ, the intra-class correlation of the label, 0 to 1.

    Example:
        >>> log_likelihood_ratio(1.0, 1.0, 0.1).round(2).tolist()  # both have what one in ten has
        1.0
    """
    p, q, base, rho = (np.asarray(one, dtype=np.float64) for one in (a, b, base_rate, icc))
    base = np.where((base > 0) & (base < 1), base, np.nan)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10(1 - rho + rho * (p * q / base + (1 - p) * (1 - q) / (1 - base))))


def base_rates(reader: TemplateReader) -> Float64s:
    """(K,) share of yes among the known labels of the reader's evidence; NaN where it has none."""
    yes, no = (
        np.array([getattr(one, key) for one in reader.evidence], dtype=np.float64)
        for key in ("n_positive", "n_negative")
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(yes / (yes + no))
