"""Is an attribute read, or another one that comes with it? AUC among faces that are alike in the other one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from clip_smu.arrays import Bools, Float64s, Floats, Indices, SignedInts
from clip_smu.evaluation.confounds.areas import areas, checked, masked, place, without
from clip_smu.metrics import AucInterval
from clip_smu.metrics.intervals import (
    Persons,
    auc_bounds,
    auc_components,
    auc_variance,
    reason_with,
    units_of,
)
from clip_smu.metrics.persons import person_numbers
from clip_smu.metrics.ranking import Sides, column, each_attribute, rows_by_score, weakness
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import INDEX, NAMES

MOST, PART = (
    0.5,
    0.85,
)  # shares of AUC - .5 kept within strata, below which "most" or "part" of it is confounded
_GROUPS = {"Male": ("women", "men"), "Young": ("those not young", "the young")}  # (no, yes) of the stratum
_LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Conditional:
    """AUCs of K attributes over all faces, and among faces that are alike in the attribute ``by``.

    Only photos whose ``by`` is known are counted, in ``overall`` too, so that nothing but the strata differs.

    Attributes:
        attributes: K names.
        by: name of the attribute that makes the strata.
        overall: all these photos together.
        yes, no: the photos that have ``by``; those that do not.
        stratified: a positive is compared only with negatives of its own stratum.
        drop: (K,) ``overall - stratified``; NaN where either is.
        drop_low, drop_high: (K,) its 95 % interval.
        unknown: photos left out, as their ``by`` is unknown.
    """

    attributes: tuple[str, ...]
    by: str
    overall: AucInterval
    yes: AucInterval
    no: AucInterval
    stratified: AucInterval
    drop: Float64s
    drop_low: Float64s
    drop_high: Float64s
    unknown: int

    def most_affected(self, top: int | None = None) -> list[int]:
        """Columns with a drop, the largest first."""
        known = np.flatnonzero(~np.isnan(self.drop))
        return [int(k) for k in known[np.argsort(-self.drop[known], kind="stable")][:top]]

    def sentence(self, k: int) -> str:
        """What the figures of column ``k`` mean, in one plain sentence.

        It says *most* where less than half of ``overall - .5`` is left within strata, *part* below 85 %, and *no sign*
        where the interval of the drop holds 0.
        """
        name = self.attributes[k]
        if np.isnan(self.drop[k]):
            reason = self.stratified.reason[k] or self.overall.reason[k]
            return f"{name}: cannot be compared within {self.by} ({reason})."
        no, yes = groups(self.by)
        parts = [f"{figure(self.overall.auc[k])} over all"]
        parts += [f"{_within(area, k)} among {who}" for area, who in ((self.no, no), (self.yes, yes))]
        return f"{name}: AUC {', '.join(parts)}: {self._judgement(k)}."

    def _judgement(self, k: int) -> str:
        over, kept = self.overall.auc[k] - 0.5, self.stratified.auc[k] - 0.5
        if over <= 0:
            return "it is not read at all"
        if np.isnan(self.drop_low[k]):
            return f"too few persons to say whether it is read from {self.by}"
        if self.drop_low[k] <= 0:
            return f"no sign that it is read from {self.by}"
        amount = "most" if kept < MOST * over else "part" if kept < PART * over else "little"
        return f"{amount} of it is read from {self.by}"


def conditional_auc(
    scores: Floats, labels: SignedInts, identities: Sequence[str], by: str, attributes: Sequence[str] = NAMES
) -> Conditional:
    """AUC of each attribute over all, within each stratum of ``by``, and over pairs within strata.

    With m_s positives, n_s negatives and AUC A_s in stratum s the stratified AUC is the Mann-Whitney statistic over
    the pairs that share a stratum, ``sum_s m_s n_s A_s / sum_s m_s n_s``: a reading that tells only the stratum gets
    .5. Its variance is that of a ratio of two sums over pairs, each person's part in them taken together (Obuchowski
    1997), so the strata's sizes count as drawn with the persons. The interval's form is
    :func:`clip_smu.metrics.delong`'s, and the drop's that of :func:`clip_smu.metrics.delong_paired`.

    Args:
        scores: (N, K) float, without NaN.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown (left out, also as a stratum).
        identities: N persons; "" is a person of its own.
        by: the name or label of one of the attributes.
        attributes: K names; default, all 47.

    Raises:
        InputError: malformed input, or no attribute of that name.
    """
    at = place(by, attributes)
    scores, labels = checked(scores, labels, len(identities), attributes)
    everyone = person_numbers(identities)
    known = np.flatnonzero(labels[:, at])
    unknown = len(labels) - len(known)
    scores, labels, persons = scores[known], labels[known], everyone[known]
    stratum = labels[:, at] > 0
    own = np.arange(labels.shape[1]) == at
    stratified, drop = _stratified(scores, labels, stratum, persons)
    yes, no = (areas(scores[rows], labels[rows], persons[rows]) for rows in (stratum, ~stratum))

    def others(area: AucInterval) -> AucInterval:
        reasons = ["it makes the strata" if k == at else why for k, why in enumerate(area.reason)]
        return without(area, own, reasons)

    overall, stratified = areas(scores, labels, persons), others(masked(stratified))
    drop[:, np.isnan(overall.auc) | np.isnan(stratified.auc)] = np.nan
    return Conditional(
        tuple(attributes), attributes[at], overall, others(yes), others(no), stratified,
        drop[0], drop[1], drop[2], unknown,
    )  # fmt: skip


def groups(by: str) -> tuple[str, str]:
    """What to call the faces that do not have the attribute, and those that do."""
    label = ATTRIBUTES[INDEX[by]].label
    return _GROUPS.get(by, (f"faces labelled not {label}", f"faces labelled {label}"))


def figure(value: float) -> str:
    """An AUC or share as papers write it: .93, 1.00."""
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0") else text


def _stratified(
    scores: Floats, labels: SignedInts, stratum: Bools, persons: Indices
) -> tuple[AucInterval, Float64s]:
    """The stratified AUC, and (3, K) overall less stratified with its interval's ends."""
    people = int(persons.max(initial=-1)) + 1
    critical = NormalDist().inv_cdf((1 + _LEVEL) / 2)

    def one(k: int) -> tuple[tuple[float, ...], tuple[int, int], tuple[int, int], str]:
        score, label = column(scores, labels, k)
        used = np.zeros(len(score), dtype=bool)
        share = np.zeros(len(score))  # of each photo's pairs, those in the right order
        rivals = np.zeros(len(score))  # the number of its pairs: photos of the other class in its stratum
        for inside in (stratum, ~stratum):
            rows = np.flatnonzero(inside & (label != 0))
            m, n = int((label[rows] > 0).sum()), int((label[rows] < 0).sum())
            if m and n:
                used[rows] = True
                share[rows] = _components(score[rows], label[rows])
                rivals[rows] = np.where(label[rows] > 0, n, m)
        yes, no = np.flatnonzero(used & (label > 0)), np.flatnonzero(used & (label < 0))
        photos = len(yes), len(no)
        if not photos[0]:
            whole = weakness(int((label > 0).sum()), int((label < 0).sum()))
            reason = whole if whole in _NOTHING else "no stratum has both positives and negatives"
            return (np.nan,) * 5, photos, photos, reason
        pairs = float(rivals[yes].sum())
        area = float((rivals * share)[yes].sum()) / pairs
        part = rivals * (share - area) / pairs  # each photo's influence, sums to 0 over both classes together
        whose = Persons(persons[yes], persons[no], people)
        variance = auc_variance(len(yes) * part[yes], len(no) * part[no], whose)
        wrong = rivals * ((1 - share) if area >= 0.5 else share)
        errors = min(_effective(wrong[rows], persons[rows], people) for rows in (yes, no))

        all_yes, all_no = np.flatnonzero(label > 0), np.flatnonzero(label < 0)
        overall = _components(score, label)
        whole_area = float(overall[all_yes].mean())
        size = np.where(label > 0, len(all_yes), len(all_no))
        between = np.where(label != 0, overall - whole_area, 0) - size * part
        drop_variance = auc_variance(
            between[all_yes], between[all_no], Persons(persons[all_yes], persons[all_no], people)
        )
        figures = area, variance, errors, whole_area - area, drop_variance
        return figures, photos, units_of(whose), reason_with(whose, weakness(*photos))

    rows = each_attribute(one, scores.shape)
    area, variance, errors, drop, drop_variance = np.array([row[0] for row in rows], dtype=np.float64).T
    photos, units = (np.array([row[i] for row in rows], dtype=np.int64).reshape(-1, 2) for i in (1, 2))
    known = ~np.isnan(area)
    low, high = np.full_like(area, np.nan), np.full_like(area, np.nan)
    low[known], high[known] = auc_bounds(area[known], variance[known], errors[known], units[known], _LEVEL)
    half = critical * np.sqrt(np.maximum(drop_variance, 0))
    reasons = tuple(row[3] for row in rows)
    interval = AucInterval(
        area, low, high, np.sqrt(np.maximum(variance, 0)), photos[:, 0], photos[:, 1], reasons
    )
    return interval, np.array([drop, np.maximum(drop - half, -1), np.minimum(drop + half, 1)])


_NOTHING = ("no labels", "no positives", "no negatives")


def _components(scores: Floats, labels: SignedInts) -> Float64s:
    """(N,) DeLong's components in the order of the rows: of the other class, the share on its right side."""
    yes, no = rows_by_score(scores, labels > 0), rows_by_score(scores, labels < 0)
    parts = np.zeros(len(scores))
    if len(yes) and len(no):
        _, parts[yes], parts[no] = auc_components(Sides(scores[yes], scores[no]))
    return parts


def _effective(parts: Float64s, persons: Indices, people: int) -> float:
    """Kish's number of persons that these parts come from."""
    sums = np.bincount(persons, parts, people)
    return float(sums.sum() ** 2 / np.square(sums).sum()) if sums.any() else 0.0


def _within(area: AucInterval, k: int) -> str:
    return f"no figure ({area.reason[k]})" if np.isnan(area.auc[k]) else figure(area.auc[k])
