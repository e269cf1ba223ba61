"""What was found, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clip_smu.evaluation.erasure.eraser import Eraser
from clip_smu.evaluation.erasure.recognition import Recognition
from clip_smu.evaluation.erasure.rereading import OTHERS, TRAINING, Reread


def sentence_of(
    names: Sequence[str], readings: Sequence[Reread], known: Recognition | None, eraser: Eraser
) -> str:
    faces = eraser.provenance["faces"]
    few = f"Fitted to {faces} faces for {eraser.dim} numbers: too few to erase much from templates of other persons."
    return " ".join(
        [
            *(_of_attribute(name, readings) for name in names),
            *([few] if faces < eraser.dim else []),
            *([] if known is None else [_of_recognition(known)]),
        ]
    )


def _of_attribute(name: str, readings: Sequence[Reread]) -> str:
    linear, curved, others = (
        next(r for r in readings if (r.reader, r.fitted_on) == key)
        for key in (
            ("linear probe", TRAINING),
            ("non-linear probe", TRAINING),
            ("linear probe", OTHERS),
        )
    )
    (before, after), (_, still) = linear.of(name), curved.of(name)
    text = f"{name} erased: a fresh linear probe reads it with AUC {_short(after)} (before {_short(before)})"
    was, rest = others.of(name)
    if np.isfinite(rest):
        text += f", one fitted to other persons than the eraser with {_short(rest)} (before {_short(was)})"
    if _above_chance(curved, name):
        return f"{text}, a non-linear one still with {_short(still)}: the templates hold it non-linearly."
    chance = (
        ": none is surely better than chance"
        if not _above_chance(linear, name) and not _above_chance(others, name)
        else ""
    )
    return f"{text}, a non-linear one with {_short(still)}{chance}."


def _above_chance(reading: Reread, name: str) -> bool:
    """Whether the interval after erasing lies above chance."""
    return bool(reading.after.low[reading.attributes.index(name)] > 0.5)


def _of_recognition(known: Recognition) -> str:
    before, after = known.before, known.after
    lost = before.tar["1e-03"] - after.tar["1e-03"]
    use = "hardly uses" if lost < 0.01 else "uses" if lost > 0.05 else "uses a little of"
    return (
        f"Verification: TAR at FAR 1e-3 {_short(before.tar['1e-03'], 3)} -> {_short(after.tar['1e-03'], 3)}, "
        f"accuracy {_short(before.accuracy, 4)} -> {_short(after.accuracy, 4)}: recognition {use} what was erased."
    )


def _short(value: float, digits: int = 2) -> str:
    """.87 for 0.87, as figures are written in the documents."""
    return "unknown" if np.isnan(value) else f"{value:.{digits}f}".removeprefix("0")
