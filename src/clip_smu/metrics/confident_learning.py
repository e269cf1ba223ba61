"""Confident learning: which labels look wrong, and how many of each kind, from probabilities that never saw them.

Northcutt, Jiang & Chuang, Confident learning: estimating uncertainty in dataset labels (JAIR 2021, arXiv 1911.00068),
for K attributes of two classes each; labels of 0 are unknown and take no part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Bools, Float64s, Int64s
from clip_smu.errors import InputError
from clip_smu.metrics.ranking import check

YES, NO = 0, 1  # places of the two classes in `ConfidentLearning.counts` and `.thresholds`


@dataclass(frozen=True, eq=False)
class ConfidentLearning:
    """What confident learning says of the labels of K attributes.

    Attributes:
        thresholds: (K, 2) float64, mean probability of "yes" where the label says yes, of "no" where it says no (the
            paper's equation 2); NaN without such a label.
        counts: (K, 2, 2) int64, the confident joint (equation 1): photos by label (yes, no) and by the class that they
            look like, counted where that class's probability reaches its threshold.
        margins: (N, K) float64, -1 to 1: probability of the label less that of the other class (the paper's
            normalised margin); NaN where the label is unknown.
        doubted: (N, K) bool, whether a label looks wrong: the photo is counted under the other class, which also is the
            likelier. Never an unknown one.
    """

    thresholds: Float64s
    counts: Int64s
    margins: Float64s
    doubted: Bools

    @property
    def looks_other(self) -> Float64s:
        """(K, 2) float64: share of the labels "yes" that look like "no", and of "no" that look like "yes".

        Rows of the calibrated joint (equation 3), each divided by its sum; NaN where no photo of a row was counted.
        """
        counted = self.counts.sum(axis=2)
        other = np.stack([self.counts[:, YES, NO], self.counts[:, NO, YES]], axis=1)
        return np.asarray(other / np.where(counted > 0, counted, np.nan), dtype=np.float64)


def confident_learning(probabilities: ArrayLike, labels: ArrayLike) -> ConfidentLearning:
    """Finds the labels that look wrong.

    What it cannot tell apart: a face that is hard to read looks like a wrong label, so that
    :attr:`ConfidentLearning.looks_other` is too high where probabilities rank the faces poorly; an error that is
    always made looks right.

    Args:
        probabilities: (N, K) float, 0 to 1, of "yes", calibrated, each from a model that did not see its label.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown.

    Raises:
        InputError: malformed input, or a probability outside 0 to 1.

    Example:
        >>> found = confident_learning([[0.9], [0.8], [0.9], [0.2], [0.1]], np.int8([[1], [1], [-1], [-1], [-1]]))
        >>> found.doubted[:, 0].tolist(), found.looks_other[0].round(2).tolist()
        ([False, False, True, False, False], [0.0, 0.33])
    """
    said, known = check(probabilities, labels)
    if said.size and not (said.min() >= 0 and said.max() <= 1):
        raise InputError(
            f"expected probabilities between 0 and 1, found {said.min():.4g} to {said.max():.4g}: calibrate the scores"
        )
    of_classes = np.stack([said, 1.0 - said]).astype(np.float64)  # (2, N, K): yes, no
    labelled = np.stack([known > 0, known < 0])
    total = labelled.sum(axis=1)  # (2, K)
    sums = np.where(labelled, of_classes, 0).sum(axis=1)
    thresholds = np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)
    reached = of_classes >= thresholds[:, None] - _ROUNDING  # no probability reaches a NaN
    likelier = of_classes[YES] >= of_classes[NO]
    looks = np.stack([reached[YES] & (likelier | ~reached[NO]), reached[NO] & ~(likelier & reached[YES])])
    counts = (labelled[:, None] & looks[None]).sum(axis=2)  # (2, 2, K): label, class
    margins = np.where(known == 0, np.nan, np.sign(known) * (2 * of_classes[YES] - 1))
    counted_as_other = (labelled[YES] & looks[NO]) | (labelled[NO] & looks[YES])
    with np.errstate(invalid="ignore"):
        doubted = counted_as_other & (margins < 0)
    return ConfidentLearning(thresholds.T, counts.transpose(2, 0, 1).astype(np.int64), margins, doubted)


_ROUNDING = 1e-12  # a mean of equal numbers is theirs but for this
