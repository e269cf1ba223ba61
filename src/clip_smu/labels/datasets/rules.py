"""Other data sets' attributes → MAAD-Face's 47, by tables of rules that hold whatever the photo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Int8s
from clip_smu.words.attributes import INDEX, NAMES


@dataclass(frozen=True, slots=True)
class Rule:
    """What labels of another data set say of one of MAAD-Face's attributes.

    Attributes:
        when: other attribute → the label (1 or -1) that it must have; all of them together.
        target: the MAAD-Face name.
        label: what it then is, 1 or -1.
        why: for whoever asks; "" where the two attributes are one.
    """

    when: tuple[tuple[str, int], ...]
    target: str
    label: int
    why: str = ""


def same(*names: str) -> tuple[Rule, ...]:
    """Rules for attributes that both data sets have under one name: yes is yes, no is no."""
    return tuple(Rule(((name, label),), name, label) for name in names for label in (1, -1))


def translate(columns: Mapping[str, Int8s], rules: Iterable[Rule], rows: int) -> Int8s:
    """(N, 47) int8 labels in the MAAD form: what the rules say in their order; what none says is 0, unknown.

    Args:
        columns: other attribute → (N,) labels of 1, -1, 0. Rules about a column that is not there are passed
            over. A later rule does not overwrite what an earlier one has said.
        rows: N.
    """
    values = np.zeros((rows, len(NAMES)), dtype=np.int8)
    for rule in rules:
        if all(name in columns for name, _ in rule.when):
            holds = np.all([columns[name] == label for name, label in rule.when], axis=0)
            target = values[:, INDEX[rule.target]]
            target[holds & (target == 0)] = rule.label
    return values
