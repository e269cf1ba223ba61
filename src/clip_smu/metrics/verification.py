"""Are two photos of one person? Figures of scored pairs, and paired tests between two ways to score them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Indices
from clip_smu.errors import InputError
from clip_smu.metrics import auc, delong_paired, tpr_at_fpr
from clip_smu.metrics.pairs import deal_folds

FARS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True)
class Verification:
    """How well scores tell same from different persons.

    Attributes:
        n_same, n_different: pairs.
        accuracy, accuracy_sd: mean and standard deviation over ten folds, each with the threshold that is
            best on the other nine.
        tar: share of same-person pairs accepted at false accept rates of 1e-2 and 1e-3 (``1e-02``, ``1e-03``).
        auc: of the ROC curve.
        d_prime: ``(mean same - mean different) / sqrt((var same + var different) / 2)``.
        mean_same, mean_different: mean scores.
    """

    n_same: int
    n_different: int
    accuracy: float
    accuracy_sd: float
    tar: Mapping[str, float]
    auc: float
    d_prime: float
    mean_same: float
    mean_different: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Paired:
    """Scores B less scores A on the same pairs, with two-sided p-values.

    Attributes:
        d_prime, d_prime_p: difference of the separations; delta method over pairs.
        mean_same, mean_same_p: difference of the mean same-person scores; paired test.
        auc, auc_p: difference of the AUCs; DeLong.
    """

    d_prime: float
    d_prime_p: float
    mean_same: float
    mean_same_p: float
    auc: float
    auc_p: float

    def to_dict(self) -> dict[str, float]:
        """As JSON values."""
        return asdict(self)


def cosine(a: Float32s, b: Float32s) -> Float64s:
    """(P,) cosine of rows (P, d)."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(wide_a, axis=1) * np.linalg.norm(wide_b, axis=1)
    return np.asarray((wide_a * wide_b).sum(axis=1) / np.maximum(norms, 1e-30))


def verification(scores: Float64s, same: Bools, folds: Indices | None = None) -> Verification:
    """Figures of pairs.

    Args:
        scores: (P,), higher: rather one person.
        same: (P,) bool.
        folds: (P,) fold of each; dealt to ten in turn within each kind if None, or if all are in one.

    Raises:
        InputError: fewer than two pairs of a kind, or scores that are not finite.

    Example:
        >>> verification(np.array([0.9, 0.8, 0.1, 0.2]), np.array([True, True, False, False])).accuracy
        1.0
    """
    _check(scores, same)
    labels = np.where(same, 1, -1)
    if folds is None or len(np.unique(folds)) < 2:  # a threshold is chosen on other folds
        folds = deal_folds(same)
    accuracies = [
        _accuracy(scores, same, folds == fold)
        for fold in np.unique(folds)
        if 0 < np.count_nonzero(folds == fold) < len(folds)
    ]
    tar = tpr_at_fpr(scores, labels, FARS).value[0]
    return Verification(
        n_same=int(same.sum()),
        n_different=int((~same).sum()),
        accuracy=float(np.mean(accuracies)),
        accuracy_sd=float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0,
        tar={f"{far:.0e}": float(value) for far, value in zip(FARS, tar, strict=True)},
        auc=float(auc(scores, labels).value[0]),
        d_prime=_separation(scores, same)[0],
        mean_same=float(scores[same].mean()),
        mean_different=float(scores[~same].mean()),
    )


def compare(scores_a: Float64s, scores_b: Float64s, same: Bools) -> Paired:
    """Scores B against scores A of the same pairs; pairs count as independent.

    Raises:
        InputError: as :func:`verification`.
    """
    _check(scores_a, same)
    _check(scores_b, same)
    (d_a, influence_a), (d_b, influence_b) = _separation(scores_a, same), _separation(scores_b, same)
    moved = influence_b - influence_a
    se = math.sqrt(sum(moved[kind].var(ddof=1) / kind.sum() for kind in (same, ~same)))
    shift = (scores_b - scores_a)[same]
    shift_se = float(shift.std(ddof=1)) / math.sqrt(len(shift))
    areas = delong_paired(scores_b, scores_a, np.where(same, 1, -1))
    return Paired(
        d_prime=d_b - d_a,
        d_prime_p=_p(d_b - d_a, se),
        mean_same=float(shift.mean()),
        mean_same_p=_p(float(shift.mean()), shift_se),
        auc=float(areas.difference[0]),
        auc_p=float(areas.p[0]),
    )


def _separation(scores: Float64s, same: Bools) -> tuple[float, Float64s]:
    """d' and its influence function at each pair: ``se(d')^2`` is the sum over both kinds of ``var(influence) / n``."""
    influence, gap, spread = np.empty(len(scores)), 0.0, 0.0
    for kind, sign in ((same, 1.0), (~same, -1.0)):
        gap += sign * float(scores[kind].mean())
        spread += float(scores[kind].var(ddof=1)) / 2
    sd = max(math.sqrt(spread), 1e-30)
    d = gap / sd
    for kind, sign in ((same, 1.0), (~same, -1.0)):
        off = scores[kind] - scores[kind].mean()
        # d' = gap / sqrt(spread): its derivative by the mean is 1/sd, by the variance -d / (4 spread)
        influence[kind] = sign * off / sd - d * (off**2 - off.var(ddof=1)) / (4 * sd**2)
    return d, influence


def _accuracy(scores: Float64s, same: Bools, tested: Bools) -> float:
    """Accuracy on the tested pairs, with the threshold that is best on the others."""
    order = np.argsort(scores[~tested])
    known, truth = scores[~tested][order], same[~tested][order]
    # cut k: the k lowest are rejected; right are the different pairs below and the same pairs above
    right = np.concatenate([[0], np.cumsum(~truth)]) + truth.sum() - np.concatenate([[0], np.cumsum(truth)])
    padded = np.concatenate([[-np.inf], known, [np.inf]])
    right = np.where(padded[1:] > padded[:-1], right, -1)  # no cut between equal scores
    best = np.flatnonzero(right == right.max())
    cut = int(best[len(best) // 2])
    threshold = (padded[cut] + padded[cut + 1]) / 2 if 0 < cut < len(known) else padded[cut or 1]
    return float(np.mean((scores[tested] >= threshold) == same[tested]))


def _p(difference: float, se: float) -> float:
    """Two-sided p of ``difference / se`` against the standard normal distribution."""
    if se == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / se / math.sqrt(2))


def _check(scores: Float64s, same: Bools) -> None:
    if scores.shape != same.shape or scores.ndim != 1 or not np.isfinite(scores).all():
        raise InputError(f"expected a finite score for each of {len(same)} pairs, found {scores.shape}")
    if min(same.sum(), (~same).sum()) < 2:
        raise InputError(
            f"expected at least two pairs of one person and two of different persons, found {same.sum()} "
            f"and {(~same).sum()}: give more photos or pairs"
        )
