"""Which of two methods or encoders tells more of each attribute: a paired test over persons on the same photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Int8s, Int64s
from clip_smu.errors import InputError, LabelError
from clip_smu.evaluation import Evaluation, read_evaluation, resample_auc, table_of
from clip_smu.evaluation.comparison import (
    A_MORE,
    B_MORE,
    COMPARISON_SCHEMA,
    NO_DIFFERENCE,
    NOT_TESTED,
    Comparison,
    MeanDifference,
)
from clip_smu.metrics import auc, benjamini_hochberg, delong_paired
from clip_smu.metrics.intervals import of_persons
from clip_smu.metrics.persons import composed
from clip_smu.metrics.ranking import check_level, weakness
from clip_smu.photos.names import match
from clip_smu.photos.spelling import distinct
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.hiding import Hide, hidden_names

ROUNDS = 1000
_LEAST_ROUNDS = 40
_ACCURACY = {row.name: row.label_accuracy for row in ATTRIBUTES}


def compare(
    a: Evaluation | str | Path,
    b: Evaluation | str | Path,
    *,
    method_a: str | None = None,
    method_b: str | None = None,
    hide: Hide = (),
    level: float = 0.95,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> Comparison:
    """Compares a method of one evaluation with a method of another, or of the same.

    Args:
        a, b: evaluations, or their folders; of one encoder or two.
        method_a, method_b: which of their methods; not needed where there is one.
        hide: attributes, groups or categories to leave out, by name: they are not tested, counted or averaged.
        level: of the intervals, inside (0, 1).
        rounds: resamples of persons for the interval of the mean difference, at least 40.
        seed: of the resamples.

    Raises:
        InputError: no evaluation there, no such method, or nothing in common.
        LabelError: the evaluations have no photo in common, or differ in what they take for true.

    Example:
        >>> import numpy as np
        >>> from clip_smu.evaluation import Scored
        >>> labels = np.repeat(np.int8([[1], [-1]]), 20, axis=0)
        >>> noise = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
        >>> def read(scores): return Scored(scores, np.full_like(scores, 0.5), np.zeros_like(labels))
        >>> faces = [f"{row}.jpg" for row in range(40)]
        >>> methods = {"sure": read(labels + 0.1 * noise), "unsure": read(labels + 9 * noise)}
        >>> made = Evaluation("toy", ("Bald",), faces, [""] * 40, noise[:, 0], labels, methods, {}, table_of([]))
        >>> compare(made, made, method_a="sure", method_b="unsure").table["verdict"].to_pylist()
        ['A encodes more']
    """
    _check_rounds(level, rounds)
    first, second = (one if isinstance(one, Evaluation) else read_evaluation(one) for one in (a, b))
    name_a, name_b = _method(first, method_a, "A"), _method(second, method_b, "B")
    if name_a == name_b and (first is second or _one_folder(a, b)):
        raise InputError(f"the method {name_a} cannot be compared with itself: name two methods (-m A -m B)")
    hidden = hidden_names(hide)
    shared = [name for name in first.attributes if name in set(second.attributes) - hidden]
    if not shared:
        raise InputError(
            "the two evaluations have no attribute in common that is shown: "
            "evaluate both with the same --hide, or hide less"
        )
    rows_a, rows_b, notes = _join(first, second)
    columns_a, columns_b = ([one.attributes.index(name) for name in shared] for one in (first, second))
    labels = first.labels[rows_a][:, columns_a]
    _agree(first, second, rows_a, rows_b, labels, second.labels[rows_b][:, columns_b], shared)
    scores_a = first.methods[name_a].scores[rows_a][:, columns_a]
    scores_b = second.methods[name_b].scores[rows_b][:, columns_b]
    persons = first.persons()[rows_a]
    sides = {
        "method_a": name_a, "encoder_a": first.encoder, "method_b": name_b, "encoder_b": second.encoder,
    }  # fmt: skip
    rows = _rows(shared, scores_a, scores_b, labels, persons, level)
    enough = np.array([row.get("auc_a") is not None for row in rows])
    mean = None
    if enough.any():
        mean = _mean(
            scores_a[:, enough], scores_b[:, enough], labels[:, enough], persons, level, rounds, seed
        )
    return Comparison(
        **sides,
        table=table_of([row | sides for row in rows], COMPARISON_SCHEMA),
        mean=mean,
        photos=len(rows_a),
        persons=len(set(persons.tolist())),
        only_a=len(first) - len(rows_a),
        only_b=len(second) - len(rows_b),
        attributes_only_a=tuple(name for name in first.attributes if name not in {*shared, *hidden}),
        attributes_only_b=tuple(name for name in second.attributes if name not in {*shared, *hidden}),
        level=level,
        notes=notes,
    )


def _one_folder(a: Evaluation | str | Path, b: Evaluation | str | Path) -> bool:
    return isinstance(a, str | Path) and isinstance(b, str | Path) and Path(a) == Path(b)


def _check_rounds(level: float, rounds: int) -> None:
    check_level(level)
    least = max(_LEAST_ROUNDS, round(2 / (1 - level)))
    if rounds < least:
        raise InputError(
            f"expected at least {least} rounds for a level of {level}, found {rounds}: 1000 is usual"
        )


def _rows(
    attributes: Sequence[str],
    scores_a: Float32s,
    scores_b: Float32s,
    labels: Int8s,
    persons: NDArray[np.str_],
    level: float,
) -> list[dict[str, Any]]:
    """One row an attribute: DeLong's paired test over persons, Benjamini-Hochberg over the attributes."""
    paired = delong_paired(scores_a, scores_b, labels, level=level, identity=persons)
    area_a, area_b = auc(scores_a, labels).value, auc(scores_b, labels).value
    few = [weakness(int(m), int(n)) for m, n in zip(paired.n_positive, paired.n_negative, strict=True)]
    p = np.where([not one for one in few], paired.p, np.nan)
    adjusted = benjamini_hochberg(p)
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(attributes):
        row: dict[str, Any] = {
            "attribute": name,
            "n_positive": int(paired.n_positive[k]),
            "n_negative": int(paired.n_negative[k]),
            "label_accuracy": _ACCURACY.get(name),
            "verdict": _verdict(float(paired.difference[k]), float(adjusted[k]), 1 - level),
            "reason": few[k] or paired.reason[k],
        }
        if not few[k]:
            row |= {
                "auc_a": float(area_a[k]),
                "auc_b": float(area_b[k]),
                "difference": float(paired.difference[k]),
                "low": float(paired.low[k]),
                "high": float(paired.high[k]),
                "p": float(p[k]),
                "p_adjusted": float(adjusted[k]),
            }
        rows.append(row)
    return rows


def _mean(
    scores_a: Float32s,
    scores_b: Float32s,
    labels: Int8s,
    persons: NDArray[np.str_],
    level: float,
    rounds: int,
    seed: int,
) -> MeanDifference:
    """The mean over attributes that all have enough labels of both kinds, with percentiles of resampled persons.

    An attribute that lacks a class in a resample keeps its own difference there.
    """
    area_a, area_b = auc(scores_a, labels).value, auc(scores_b, labels).value
    difference = area_a - area_b
    resampled = resample_auc(scores_a, labels, persons, rounds, seed)
    resampled -= resample_auc(scores_b, labels, persons, rounds, seed)
    means = np.where(np.isnan(resampled), difference, resampled).mean(axis=1)
    ends = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    low, high = (None, None) if ends[0] == ends[1] else (float(ends[0]), float(ends[1]))
    why = of_persons(len(set(persons.tolist())), "photos")
    if not why and low is None:
        why = "no resample differs"
    return MeanDifference(
        float(area_a.mean()), float(area_b.mean()), float(difference.mean()), low, high, labels.shape[1], why
    )


def _method(evaluation: Evaluation, name: str | None, side: str) -> str:
    known = list(evaluation.methods)
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        raise InputError(f"{side} holds {len(known)} methods ({', '.join(known)}): say which (-m A -m B)")
    if name not in evaluation.methods:
        raise InputError(f"{side} holds no method {name}: choose from {', '.join(known)}")
    return name


def _join(a: Evaluation, b: Evaluation) -> tuple[Int64s, Int64s, tuple[str, ...]]:
    """Rows of the photos that both have, in A's order, and what was refused; see :mod:`clip_smu.photos.names`."""
    for side, images in (("A", a.images), ("B", b.images)):
        again = len(images) - len(distinct(images)[1])
        if again:
            raise LabelError(f"{side} has {again} photos twice: evaluate each photo once")
    found = match(a.images, b.images, b.identities)
    rows_a = np.flatnonzero(found.at >= 0)
    if not len(rows_a):
        raise LabelError(
            "the two evaluations have no photo in common: "
            f"A says {a.images[0] if a.images else 'nothing'}, B says {b.images[0] if b.images else 'nothing'}; "
            f"evaluate both on the same labels{f' (ambiguous: {found.first})' if found.first else ''}"
        )
    refused = (f"{found.ambiguous} photos of A may be several of B; {found.first}",) if found.first else ()
    return rows_a, found.at[rows_a], refused


def _agree(
    a: Evaluation,
    b: Evaluation,
    rows_a: Int64s,
    rows_b: Int64s,
    labels_a: Int8s,
    labels_b: Int8s,
    attributes: list[str],
) -> None:
    """Refuses evaluations that take different things for true."""
    differing = np.argwhere(labels_a != labels_b)
    if len(differing):
        row, k = differing[0]
        raise LabelError(
            f"the two evaluations have other labels ({len(differing)} differ): {a.images[rows_a[row]]} has "
            f"{attributes[k]} {labels_a[row, k]} in A and {labels_b[row, k]} in B: evaluate both on the same labels"
        )
    for row_a, row_b in zip(rows_a, rows_b, strict=True):
        if composed(a.identities[row_a]) != composed(b.identities[row_b]):
            raise LabelError(
                f"the two evaluations have other persons: {a.images[row_a]} shows {a.identities[row_a] or 'nobody'} in "
                f"A and {b.identities[row_b] or 'nobody'} in B: evaluate both on the same labels"
            )


def _verdict(difference: float, p_adjusted: float, bound: float) -> str:
    if np.isnan(p_adjusted):
        return NOT_TESTED
    if p_adjusted >= bound:
        return NO_DIFFERENCE
    return A_MORE if difference > 0 else B_MORE
