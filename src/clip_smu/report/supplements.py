"""What a run has besides evaluations, as the report's values: comparisons, confounds, erasure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from clip_smu.evaluation.comparison import A_MORE, B_MORE, NOT_TESTED
from clip_smu.evaluation.confounds import Confounds
from clip_smu.evaluation.confounds.conditional import Conditional
from clip_smu.report.findings import listed
from clip_smu.report.sources import Source
from clip_smu.report.types import Comparison

_STRONGEST = 12  # pairs of the read-from map, and attributes of a stratum, that are told in words

Values = dict[str, Any]


def supplements_of(source: Source, home: str, method: str, hidden: Collection[str]) -> Values:
    """All of them, and ``conditional``: what the confounds say of each attribute of the method that leads.

    Args:
        home: name of the part of the run that the report speaks of.
    """
    return {
        "comparisons": _comparisons(source.comparisons, hidden),
        "confounds": [_confounds(one, hidden) for one in source.confounds.values()],
        "erasure": _erasures(source.erasures, hidden),
        "conditional": _conditional(source.confounds.get(home), method, hidden),
    }


def _comparisons(found: Mapping[str, Values], hidden: Collection[str]) -> list[Values]:
    """One entry a comparison; counts and means are of the attributes that are shown."""
    made = []
    for name, values in found.items():
        rows = [row for row in values.get("rows", []) if row["attribute"] not in hidden]
        whole = len(rows) == len(values.get("rows", []))
        tested = [row for row in rows if row["difference"] is not None]
        if not tested:
            continue
        counts = {
            verdict: sum(row["verdict"] == verdict for row in rows)
            for verdict in (A_MORE, B_MORE, NOT_TESTED)
        }
        mean = values.get("mean") or {}
        a, b = _sides(values)
        made.append(
            {
                "name": name,
                "a": a,
                "b": b,
                **{
                    key: values[key]
                    for key in ("encoder_a", "method_a", "encoder_b", "method_b", "photos", "persons")
                },
                "a_more": counts[A_MORE],
                "b_more": counts[B_MORE],
                "not_tested": counts[NOT_TESTED],
                "attributes": len(rows),
                "difference": float(np.mean([row["difference"] for row in tested])),
                "low": mean.get("low") if whole else None,
                "high": mean.get("high") if whole else None,
                "rows": [
                    {
                        key: row[key]
                        for key in (
                            "attribute",
                            "auc_a",
                            "auc_b",
                            "difference",
                            "low",
                            "high",
                            "p_adjusted",
                            "verdict",
                        )
                    }
                    for row in rows
                ],
            }
        )
    return made


def _conditional(found: Confounds | None, method: str, hidden: Collection[str]) -> dict[str, list[Values]]:
    """Attribute → its AUC over all and within strata, if the confounds are of that method."""
    made: dict[str, list[Values]] = {}
    if found is None or found.method != method:
        return made
    for one in found.conditional:
        if one.by in hidden:
            continue
        for k, name in enumerate(found.attributes):
            if name != one.by and name not in hidden and not math.isnan(one.drop[k]):
                made.setdefault(name, []).append(_within(one, k))
    return made


def _erasures(found: Mapping[str, Values], hidden: Collection[str]) -> list[Values] | None:
    """One entry an encoder: what was erased, what can still be read, who is still recognised; ``None``: nothing is."""
    made = []
    for encoder, values in found.items():
        erased = [name for name in values.get("attributes", []) if name not in hidden]
        if not erased:
            continue
        rows = [
            {
                "reader": reading["reader"],
                "fitted_on": reading["fitted_on"],
                "attribute": row["attribute"],
                "before": row["before"],
                "after": row["after"],
            }
            for reading in values.get("readings", [])
            for row in reading["attributes"]
            if row["attribute"] in erased
        ]
        known = values.get("verification")
        made.append(
            {
                "encoder": encoder,
                "erased": erased,
                "sentence": values.get("sentence", "") if len(erased) == len(values["attributes"]) else "",
                "readings": rows,
                "verification": None
                if known is None
                else {
                    side: {key: known[side][key] for key in ("accuracy", "auc")}
                    for side in ("before", "after")
                },
                "no_verification": values.get("no_verification", ""),
            }
        )
    return made or None


def _sides(values: Values) -> tuple[str, str]:
    """What tells the two sides apart: encoders, methods, or both."""
    encoders = values["encoder_a"], values["encoder_b"]
    methods = values["method_a"], values["method_b"]
    if encoders[0] == encoders[1]:
        return methods
    if methods[0] == methods[1]:
        return encoders
    return f"{encoders[0]}, {methods[0]}", f"{encoders[1]}, {methods[1]}"


def _confounds(one: Confounds, hidden: Collection[str]) -> Values:
    keep = [k for k, name in enumerate(one.attributes) if name not in hidden]
    names = [one.attributes[k] for k in keep]
    matrix = one.read_from.auc[np.ix_(keep, keep)]
    return {
        "encoder": one.encoder,
        "method": one.method,
        "within": [_stratum(one, by, hidden) for by in one.conditional if by.by not in hidden],
        "read_from": {
            "attributes": names,
            "auc": [
                [None if math.isnan(value) else round(float(value), 4) for value in row] for row in matrix
            ],
            "strongest": _strongest(names, matrix),
        },
        "controls": _residual(one, hidden),
        "norm": _norm(one, hidden),
        "control_task": _control(one, keep),
    }


def _stratum(one: Confounds, by: Conditional, hidden: Collection[str]) -> Values:
    affected = [k for k in by.most_affected() if one.attributes[k] not in hidden and by.drop_low[k] > 0]
    return {
        "by": by.by,
        "unknown": by.unknown,
        "affected": len(affected),
        "rows": [{"attribute": one.attributes[k], **_within(by, k)} for k in affected[:_STRONGEST]],
    }


def _within(by: Conditional, k: int) -> Values:
    return {
        "by": by.by,
        "overall": _number(by.overall.auc[k]),
        "within": _number(by.stratified.auc[k]),
        "drop": _number(by.drop[k]),
        "low": _number(by.drop_low[k]),
        "high": _number(by.drop_high[k]),
        "sentence": by.sentence(k),
    }


def _strongest(names: list[str], matrix: Any) -> list[Values]:
    """The readings that tell another attribute's label best, farthest from .5 first."""
    far = np.abs(np.nan_to_num(matrix, nan=0.5) - 0.5)
    np.fill_diagonal(far, 0)
    order = np.argsort(-far, axis=None, kind="stable")[:_STRONGEST]
    places = [divmod(int(place), len(names)) for place in order] if names else []
    return [
        {"reading": names[x], "label": names[y], "auc": round(float(matrix[x, y]), 4)}
        for x, y in places
        if far[x, y] > 0
    ]


def _residual(one: Confounds, hidden: Collection[str]) -> Values | None:
    if one.residual is None or set(one.residual.controls) & set(hidden):
        return None
    before, after = one.residual.before, one.residual.after
    lost = before.auc - after.auc
    order = [
        int(k)
        for k in np.argsort(-np.nan_to_num(lost, nan=-1))
        if not math.isnan(lost[k]) and one.attributes[k] not in hidden
    ]
    rows = [
        {"attribute": one.attributes[k], "whole": _number(before.auc[k]), "residual": _number(after.auc[k])}
        for k in order
    ]
    return {"on": list(one.residual.controls), "rows": rows[:_STRONGEST]}


def _norm(one: Confounds, hidden: Collection[str]) -> Values:
    alone = one.norm.alone
    if alone is None:
        return {"reason": one.norm.reason, "rows": []}
    told = [
        k
        for k in np.argsort(-np.abs(np.nan_to_num(alone.auc, nan=0.5) - 0.5))
        if not math.isnan(alone.auc[k]) and one.attributes[k] not in hidden
    ]
    rows = [
        {
            "attribute": one.attributes[k],
            "auc": _number(alone.auc[k]),
            "low": _number(alone.low[k]),
            "high": _number(alone.high[k]),
        }
        for k in told[:5]
    ]
    return {"reason": "", "rows": rows}


def _control(one: Confounds, keep: list[int]) -> Values | None:
    """Mean AUC on real labels and on a coin a person."""
    if one.control is None:
        return None
    made: Values = {}
    for side in ("unseen", "shared"):
        part = getattr(one.control, side)
        known = (
            []
            if part is None
            else [k for k in keep if not math.isnan(part.control[k]) and not math.isnan(part.real.auc[k])]
        )
        made[side] = (
            {
                "real": float(part.real.auc[known].mean()),
                "control": float(part.control[known].mean()),
                "attributes": len(known),
            }
            if known
            else None
        )
    return made


def sentence_of(row: Comparison) -> str:
    """A comparison in one sentence, from the attributes that are shown.

    Example:
        >>> row = Comparison(name="", a="dlib", b="mbf", encoder_a="dlib", method_a="", encoder_b="mbf", method_b="",
        ...     photos=1, persons=1, a_more=30, b_more=1, not_tested=0, attributes=47, difference=0.03, low=None,
        ...     high=None, rows=[])
        >>> sentence_of(row).partition(";")[0]
        'dlib gives away 30 of 47 attributes more than mbf, mbf 1'
    """
    more, than = ("gives away", "more than") if row.encoder_a != row.encoder_b else ("reads", "better than")
    of = "" if row.encoder_a != row.encoder_b else f"On {row.encoder_a}, "
    same = row.attributes - row.a_more - row.b_more - row.not_tested
    rest = [f"{same} show no difference"] + (
        [f"{row.not_tested} could not be tested"] if row.not_tested else []
    )
    interval = "" if row.low is None else f" (95 % interval {row.low:+.4f} to {row.high:+.4f})"
    return (
        f"{of}{row.a} {more} {row.a_more} of {row.attributes} attributes {than} {row.b}, {row.b} "
        f"{row.b_more}; {listed(rest)}. Mean AUC differs by {row.difference:+.4f}{interval}."
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
