"""What else a reading tells: other attributes' labels, what is left without the controls, and template norms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float64s, Floats, Int64s, SignedInts
from clip_smu.errors import InputError
from clip_smu.evaluation.confounds.areas import areas, checked, without
from clip_smu.metrics import MIN_CLASS, AucInterval
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import person_numbers
from clip_smu.metrics.ranking import check, column, count_classes, each_attribute, weakness
from clip_smu.words.attributes import NAMES, resolve

CONTROLS = ("Male", "age", "race")
_FOLDS = 5
_NOTHING_LEFT = 1e-10  # share of a reading's variance below which its residual is rounding
_SAME_NORM = 1e-3  # norms that differ by less, relatively, are those of templates scaled to one length


@dataclass(frozen=True, eq=False)
class ReadFrom:
    """How well each reading tells each attribute.

    Attributes:
        auc: (K, K) float64; row = whose reading, column = whose labels; above .5 the reading is higher where the
            label is yes, below .5 where it is no. NaN in the columns that have a reason, except "constant score".
        n_positive, n_negative: (K,) int64 photos of each column.
        reason: K strings for the columns, empty where nothing is wrong.
    """

    auc: Float64s
    n_positive: Int64s
    n_negative: Int64s
    reason: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Residual:
    """What is left of each reading when the readings of the controls are regressed out.

    Attributes:
        controls: names of the attributes regressed out.
        before, after: AUC of the reading and of its residual; NaN in ``after`` for a control.
        explained: (K,) share of the reading's variance that the controls foretell for persons they were not fitted on;
            NaN where the reading does not vary, below 0 where they foretell worse than the mean.
    """

    controls: tuple[str, ...]
    before: AucInterval
    after: AucInterval
    explained: Float64s


@dataclass(frozen=True, eq=False)
class ByNorm:
    """AUCs by template norm, the quality that many encoders give away.

    Attributes:
        edges: (B + 1,) norms between the bins, ascending; empty where there is a ``reason``.
        bins: B results, from the shortest templates to the longest.
        alone: AUC of the norm itself for each label; ``None`` where there is a ``reason``.
        without_norm: photos left out, as their norm is unknown.
        reason: why there is nothing to bin, or empty.
    """

    edges: Float64s
    bins: tuple[AucInterval, ...]
    alone: AucInterval | None
    without_norm: int
    reason: str


def read_from(scores: Floats, labels: SignedInts) -> ReadFrom:
    """(K, K) AUCs of reading X for label Y, exact with ties.

    Each reading is sorted once, into whole ranks. For a label, counts of its negatives by rank, cumulated, say of each
    positive how many lie below it: O(N) for a cell.

    Args:
        scores: (N, K) float, without NaN.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown (left out, column by column).

    Raises:
        InputError: malformed input.
    """
    scores, labels = check(scores, labels)
    k_all = range(labels.shape[1])
    yes = [np.flatnonzero(labels[:, k] > 0) for k in k_all]
    no = [np.flatnonzero(labels[:, k] < 0) for k in k_all]
    n_positive, n_negative = count_classes(labels)
    enough = np.minimum(n_positive, n_negative) >= MIN_CLASS

    def one(x: int) -> Float64s:
        values, rank = np.unique(column(scores, labels, x)[0], return_inverse=True)
        row = np.full(len(k_all), np.nan)
        for y in np.flatnonzero(enough):
            at = np.bincount(rank[no[y]], minlength=len(values))
            doubled = 2 * np.cumsum(at) - at  # twice the negatives below each rank, and half of those on it
            row[y] = int(doubled[rank[yes[y]]].sum()) / (2 * len(yes[y]) * len(no[y]))
        return row

    auc = np.array(each_attribute(one, scores.shape))
    reasons = tuple(weakness(int(m), int(n)) for m, n in zip(n_positive, n_negative, strict=True))
    return ReadFrom(auc, n_positive, n_negative, reasons)


def residual(
    scores: Floats,
    labels: SignedInts,
    identities: Sequence[str],
    on: Sequence[str] = CONTROLS,
    attributes: Sequence[str] = NAMES,
    seed: int = 0,
) -> Residual:
    """AUC of what is left of each reading after a linear regression on the readings of the controls.

    Persons are dealt into 5 folds; each fold's readings are foretold by least squares fitted on the other four, and the
    residual is what was not foretold. The *readings* of the controls are used, not their labels: every photo has them,
    while labels of age and race are unknown for many; and what the labels can say is said by
    :func:`conditional_auc`. The price: a control's reading is not the control. What it holds of X itself is taken away
    too, and what it misses of the control stays; a relation that is not a straight line stays as well.

    Args:
        scores: (N, K) float, without NaN.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown (left out).
        identities: N persons; "" is a person of its own.
        on: attributes, groups or categories, as :func:`clip_smu.words.attributes.resolve` takes them; those
            that are not among ``attributes`` are passed over.
        attributes: K names; default, all 47.
        seed: of the folds.

    Raises:
        InputError: malformed input, no control, or fewer than two persons.
    """
    scores, labels = checked(scores, labels, len(identities), attributes)
    wanted = {NAMES[k] for k in resolve(on)}
    columns = [k for k, name in enumerate(attributes) if name in wanted]
    persons = person_numbers(identities)
    people = int(persons.max(initial=-1)) + 1
    if not columns:
        raise InputError(
            "expected at least one attribute to regress out, found none: name some, for instance Male"
        )
    if people < 2:
        raise InputError(
            f"expected photos of at least two persons, found {people}: a regression needs others"
        )
    readings = scores.astype(np.float64)
    left = np.empty_like(readings)
    fold_of = identity_folds(identities, min(_FOLDS, people), seed)
    for fold in range(int(fold_of.max()) + 1):
        held, rest = fold_of == fold, fold_of != fold
        middle = readings[rest].mean(axis=0)
        design = readings[rest][:, columns] - middle[columns]
        slope = np.linalg.lstsq(design, readings[rest] - middle, rcond=None)[0]  # (controls, K)
        left[held] = readings[held] - middle - (readings[held][:, columns] - middle[columns]) @ slope
    total = np.square(readings - readings.mean(axis=0)).sum(axis=0)
    remains = np.square(left).sum(axis=0)
    gone = remains <= _NOTHING_LEFT * total
    left[:, gone] = 0
    after = areas(left, labels, persons)
    is_control = np.isin(np.arange(len(attributes)), columns)
    reasons = [
        "it is a control" if control else "nothing of the reading is left" if nothing and not why else why
        for control, nothing, why in zip(
            is_control, gone, [_unless_constant(why) for why in after.reason], strict=True
        )
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(total > 0, 1 - remains / total, np.nan)
    names = tuple(attributes[k] for k in columns)
    return Residual(names, areas(scores, labels, persons), without(after, is_control, reasons), explained)


def by_norm(
    scores: Floats, labels: SignedInts, identities: Sequence[str], norms: ArrayLike, bins: int = 4
) -> ByNorm:
    """AUC of each reading among short and long templates, and AUC of the norm alone.

    Many encoders give a longer vector for a clearer photo. If a reading is good only at long norms, poor photos hide
    it; if the norm alone tells an attribute, a comparison of norms leaks it.

    Args:
        scores: (N, K) float, without NaN.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown (left out).
        identities: N persons; "" is a person of its own.
        norms: (N,) L2 norms of the encoder's output; NaN where unknown (left out).
        bins: at least 1, of as many photos each as ties allow.

    Raises:
        InputError: malformed input.
    """
    scores, labels = check(scores, labels)
    lengths = np.asarray(norms, dtype=np.float64)
    if lengths.shape != (len(scores),):
        raise InputError(f"expected one norm for each of {len(scores)} photos, found shape {lengths.shape}")
    if bins < 1:
        raise InputError(f"expected at least 1 bin of norms, found {bins}: 4 is usual")
    known = np.flatnonzero(np.isfinite(lengths))
    missing = len(lengths) - len(known)
    nothing = np.empty(0)
    if not len(known):
        return ByNorm(nothing, (), None, missing, "the encoder gives no norms")
    lengths, scores, labels = lengths[known], scores[known], labels[known]
    persons = person_numbers(identities)[known]
    if np.ptp(lengths) <= _SAME_NORM * np.abs(lengths).max():
        return ByNorm(nothing, (), None, missing, f"all norms are {lengths[0]:.3g}: the templates are scaled")
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, bins + 1)))
    place = np.searchsorted(edges[1:-1], lengths, side="right")
    parts = [np.flatnonzero(place == one) for one in range(len(edges) - 1)]
    alone = np.repeat(lengths[:, None], labels.shape[1], axis=1)
    return ByNorm(
        edges,
        tuple(areas(scores[rows], labels[rows], persons[rows]) for rows in parts),
        areas(alone, labels, persons),
        missing,
        "",
    )


def _unless_constant(reason: str) -> str:
    return "" if reason == "constant score" else reason
