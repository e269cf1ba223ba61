"""The table of an evaluation: each method's figures of each attribute, their means, and all verdicts together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Float64s, Int8s
from clip_smu.errors import InputError
from clip_smu.evaluation.folder import Scored, table_of
from clip_smu.evaluation.resampling import FPRS, RANKINGS, RATES, rates, resample, totals
from clip_smu.metrics import MIN_CLASS, average_precision, delong, ece, eer, tpr_at_fpr
from clip_smu.metrics.intervals import of_persons
from clip_smu.metrics.ranking import count_classes, weakness
from clip_smu.words.attribute_table import ATTRIBUTES

METRICS = (*RANKINGS, *RATES, "ece")
MEAN, POOLED = "mean", "all"
ROUNDS, ROUNDS_LARGE, LARGE = 500, 100, 200_000
"""Resamples, and how many there are above ``LARGE`` photos."""
_LEAST_ROUNDS = 40
_OF_VERDICTS = {"verdict_error": (5, 6, 7, 8), "encoded_error": (5, 6), "not_encoded_error": (7, 8)}
_BOTH = ("positives", "negatives")
_COUNTED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*RANKINGS, "balanced_accuracy", "f1"), _BOTH),
    **dict.fromkeys(("brier", "coverage", "encoded_share", "not_encoded_share", "ece"), ("photos",)),
    "verdict_error": ("verdicts",),
    "encoded_error": ("encoded verdicts",),
    "not_encoded_error": ("not encoded verdicts",),
}
"""Metric → whose persons its interval counts."""
_POOLED = tuple(name for name in RATES if name not in ("balanced_accuracy", "f1"))
_MISSING = 0.05  # share of resamples without a figure, above which there is no interval
_ACCURACY = {row.name: row.label_accuracy for row in ATTRIBUTES}


def metric_table(
    encoder: str,
    attributes: Sequence[str],
    labels: Int8s,
    persons: NDArray[np.str_],
    methods: Mapping[str, Scored],
    *,
    level: float = 0.95,
    rounds: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> pa.Table:
    """Figures of each method: one row an attribute and metric, then the means, then the verdicts all together.

    Args:
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown (left out).
        persons: (N,) names, none empty.
        level: of the intervals, inside (0, 1).
        rounds: resamples of persons for the intervals of all but AUC and ECE; 0 gives none. Default, 500, and
            100 above 200,000 photos.
        progress: called with 1 after each method.

    Raises:
        InputError: too few rounds, or a level outside (0, 1).

    Example:
        >>> labels = np.repeat(np.int8([[1], [-1]]), 20, axis=0)
        >>> read = Scored(labels * np.float32(0.5), (labels + np.float32(1)) / 2, labels)
        >>> rows = metric_table("toy", ["Bald"], labels, np.arange(40).astype(str), {"perfect": read}).to_pylist()
        >>> rows[0]["metric"], rows[0]["value"], round(rows[0]["low"], 2), rows[0]["n_positive"]
        ('auc', 1.0, 0.9, 20)
    """
    if rounds is None:
        rounds = ROUNDS if len(labels) <= LARGE else ROUNDS_LARGE
    if 0 < rounds < max(_LEAST_ROUNDS, round(2 / (1 - level))):
        raise InputError(
            f"expected at least {max(_LEAST_ROUNDS, round(2 / (1 - level)))} rounds, or 0, found {rounds}: "
            f"{ROUNDS} is usual"
        )
    rows: list[dict[str, Any]] = []
    for name, scored in methods.items():
        rows += _of_method(
            {"method": name, "encoder": encoder}, attributes, labels, persons, scored, level, rounds, seed
        )
        if progress:
            progress(1)
    return table_of(rows)


def _of_method(
    head: dict[str, str],
    attributes: Sequence[str],
    labels: Int8s,
    persons: NDArray[np.str_],
    scored: Scored,
    level: float,
    rounds: int,
    seed: int,
) -> list[dict[str, Any]]:
    yes, no = count_classes(labels)
    few = [weakness(int(m), int(n)) for m, n in zip(yes, no, strict=True)]
    sums = totals(scored, labels)
    curve = delong(scored.scores, labels, level=level, identity=persons)
    value = _values(scored, labels, curve.auc, sums)  # (K, M)
    draws = np.empty((0, *value.shape))
    pooled_draws = np.empty((0, len(RATES)))
    if rounds:
        made = resample(scored, labels, persons, rounds, seed)
        unknown = np.full((rounds, len(attributes), 1), np.nan)  # of ECE, which resampling biases upwards
        draws = np.concatenate([made.rankings, rates(made.sums), unknown], axis=-1)  # (R, K, M)
        pooled_draws = rates(made.sums.sum(axis=1))  # (R, 9)
    low, high = _ends(draws, level)
    low[:, 0], high[:, 0] = curve.low, curve.high
    persons_of = _persons_of(scored, labels, persons)

    rows = []
    usable = np.zeros(value.shape, bool)
    for k, name in enumerate(attributes):
        row = {"attribute": name, "n_positive": int(yes[k]), "n_negative": int(no[k]), "n_attributes": 1}
        row["label_accuracy"] = _ACCURACY.get(name)
        for metric_index, metric in enumerate(METRICS):
            missing = few[k] or _too_few_verdicts(metric, sums[k])
            bare = bool(missing or np.isnan(value[k, metric_index]))
            usable[k, metric_index] = not bare
            weak = (curve.reason[k] if metric == "auc" else "") or _few_persons(metric, persons_of[k])
            figures = _figures(value[k, metric_index], low[k, metric_index], high[k, metric_index], bare)
            drawn = draws[:, k, metric_index] if metric not in ("auc", "ece") else np.empty(0)
            reason = missing or weak or _no_interval(figures, drawn)
            rows.append({**head, **row, "metric": metric, **figures, "reason": reason})
    rows += [
        {**head, **row, "n_positive": int(yes[kept].sum()), "n_negative": int(no[kept].sum())}
        for row, kept in _means(value, draws, usable, level, len(np.unique(persons)))
    ]
    all_low, all_high = _ends(pooled_draws, level)
    everyone = _persons_of(scored, labels, persons, pooled=True)[0]
    together = rates(sums.sum(axis=0))
    counts = {"n_positive": int(yes.sum()), "n_negative": int(no.sum()), "n_attributes": len(attributes)}
    for metric in (*_POOLED, "ece"):
        if metric == "ece":
            known = bool(counts["n_positive"] + counts["n_negative"])
            said = ece(scored.probabilities, labels, pooled=True).value[0] if known else np.nan
            figures, few_verdicts = _figures(said, np.nan, np.nan, not known), ""
        else:
            place = RATES.index(metric)
            few_verdicts = _too_few_verdicts(metric, sums.sum(axis=0))
            figures = _figures(together[place], all_low[place], all_high[place], bool(few_verdicts))
        reason = few_verdicts or ("" if figures["value"] is not None else "no labels")
        drawn = pooled_draws[:, RATES.index(metric)] if metric != "ece" else np.empty(0)
        reason = reason or _few_persons(metric, everyone) or _no_interval(figures, drawn)
        rows.append({**head, **counts, "attribute": POOLED, "metric": metric, **figures, "reason": reason})
    return rows


def _values(scored: Scored, labels: Int8s, auc: Float64s, sums: Float64s) -> Float64s:
    """(K, M) in the order of ``METRICS``."""
    of_scores = [average_precision(scored.scores, labels).value]
    of_scores += list(tpr_at_fpr(scored.scores, labels, FPRS).value.T)
    of_scores.append(eer(scored.scores, labels).value)
    calibration = ece(scored.probabilities, labels).value
    return np.column_stack([auc, *of_scores, rates(sums), calibration])


def _ends(draws: Float64s, level: float) -> tuple[Float64s, Float64s]:
    """Ends of the percentile interval over the first axis; NaN where over 5 % have no figure, or none differs."""
    if not len(draws):
        return np.full(draws.shape[1:], np.nan), np.full(draws.shape[1:], np.nan)
    missing = np.isnan(draws).mean(axis=0) > _MISSING
    filled = np.where(missing, 0.0, draws)
    low, high = np.nanquantile(filled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    unsure = missing | (low == high)
    return np.where(unsure, np.nan, low), np.where(unsure, np.nan, high)


def _figures(value: float, low: float, high: float, bare: bool) -> dict[str, float | None]:
    if bare:
        return {"value": None, "low": None, "high": None}
    return {"value": float(value), "low": float(low), "high": float(high)}


def _means(
    value: Float64s, draws: Float64s, usable: Bools, level: float, persons: int
) -> list[tuple[dict[str, Any], Bools]]:
    """A row a metric: the mean over the attributes that have it, and which they are.

    A resample that lacks a class of an attribute keeps that attribute at its value.
    """
    rows = []
    for place, metric in enumerate(METRICS):
        kept = usable[:, place]
        row: dict[str, Any] = {
            "attribute": MEAN,
            "metric": metric,
            "n_attributes": int(kept.sum()),
            "reason": "",
        }
        if kept.any():
            known = value[kept, place]
            resampled = draws[:, kept, place]
            missing = np.isnan(resampled)
            filled = np.where(missing, known, resampled).mean(axis=1) if not missing.all() else np.empty(0)
            low, high = _ends(filled[:, None], level)
            row |= _figures(float(known.mean()), float(low[0]), float(high[0]), False)
            row["reason"] = of_persons(persons, "photos") or _no_interval(row, filled)
        else:
            row |= _figures(np.nan, np.nan, np.nan, True) | {"reason": "no attribute has this figure"}
        rows.append((row, kept))
    return rows


def _persons_of(
    scored: Scored, labels: Int8s, persons: NDArray[np.str_], *, pooled: bool = False
) -> list[dict[str, int]]:
    """For each attribute (or all as one) how many persons have a positive, a negative, a label, and each verdict."""
    codes = np.unique(persons, return_inverse=True)[1].reshape(-1)
    known, verdicts = labels != 0, scored.verdicts
    groups = {
        "positives": labels > 0,
        "negatives": labels < 0,
        "photos": known,
        "verdicts": known & (verdicts != 0),
        "encoded verdicts": known & (verdicts > 0),
        "not encoded verdicts": known & (verdicts < 0),
    }

    def count(chosen: Bools) -> int:
        return int(np.count_nonzero(np.bincount(codes[chosen])))

    if pooled:
        return [{of: count(chosen.any(axis=1)) for of, chosen in groups.items()}]
    return [{of: count(chosen[:, k]) for of, chosen in groups.items()} for k in range(labels.shape[1])]


def _few_persons(metric: str, persons: Mapping[str, int]) -> str:
    """Why a figure is weak for want of persons, whose number decides its interval; empty if there are enough."""
    return next((why for of in _COUNTED[metric] if (why := of_persons(persons[of], of))), "")


def _no_interval(figures: Mapping[str, Any], drawn: Float64s) -> str:
    """Why a figure has no interval from these (R,) resamples; empty where it has one, or none were made."""
    if not len(drawn) or figures["value"] is None or not np.isnan(figures["low"]):
        return ""
    return "missing in resamples" if np.isnan(drawn).mean() > _MISSING else "no resample differs"


def _too_few_verdicts(metric: str, sums: Float64s) -> str:
    """Why an error of verdicts cannot be given; empty if it can, or where ``metric`` is another figure."""
    columns = _OF_VERDICTS.get(metric)
    if columns is None:
        return ""
    asserted = int(sums[list(columns)].sum())
    return "" if asserted >= MIN_CLASS else "no verdicts" if asserted == 0 else "too few verdicts"
