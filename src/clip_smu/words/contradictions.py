"""Which labels can be worded together: contradictions are settled, and what goes without saying is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clip_smu.errors import LabelError
from clip_smu.words.attributes import GROUPS, INDEX, NAMES, by_name, columns
from clip_smu.words.coherence import AT_MOST_ONE, RIVALS

Labels = Sequence[int] | Mapping[str, int]
"""47 labels (1, 0, -1) in the order of `NAMES`, or name → label, where a name left out is 0."""

_BY_FIRST = [names for names in AT_MOST_ONE if names not in GROUPS.values()]

OVERRULES: dict[str, tuple[str, ...]] = {
    first: tuple(name for names in _BY_FIRST if names[0] == first for name in names[1:])
    for first, *_ in _BY_FIRST
}
"""Positive label → the positive labels that it contradicts and drops. Exclusive groups are settled before."""

IDLE: dict[str, frozenset[str]] = {
    **RIVALS,
    "Bald": RIVALS["Bald"] | {"Receding_Hairline"},
    "No_Beard": RIVALS["No_Beard"] - {"Mustache"},  # "no beard or mustache" is worth saying
}
"""Positive label → the negative labels that it makes idle."""


def settled(labels: Labels) -> list[int]:
    """The 47 labels without what no caption words: contradictions, and a "no" that goes without saying.

    Example:
        >>> kept = settled({"Bald": 1, "Gray_Hair": 1, "Bangs": -1, "Smiling": -1})
        >>> [name for name, value in zip(NAMES, kept) if value]
        ['Bald', 'Smiling']

    Raises:
        LabelError: there are not 47 labels, or one is none of 1, 0, -1.
        InputError: a mapping names no attribute of the table.
    """
    yes, no = label_sides(labels)
    yes = consistent(yes)
    no = worth_saying(yes, no)
    return [1 if i in yes else -1 if i in no else 0 for i in range(len(NAMES))]


def label_sides(labels: Labels) -> tuple[set[int], set[int]]:
    """The columns labelled 1 and those labelled -1."""
    if isinstance(labels, Mapping):
        values = [0] * len(NAMES)
        for name, value in labels.items():
            values[INDEX[by_name(name).name]] = value
        labels = values
    if len(labels) != len(NAMES):
        raise LabelError(
            f"expected {len(NAMES)} labels, found {len(labels)}; give one for each name of NAMES"
        )
    if not _VALUES.issuperset(labels):
        i, value = next((i, v) for i, v in enumerate(labels) if v not in _VALUES)
        raise LabelError(f"expected labels of 1, 0 or -1, found {value!r} for {NAMES[i]}; correct the label")
    return {i for i, v in enumerate(labels) if v == 1}, {i for i, v in enumerate(labels) if v == -1}


def consistent(yes: set[int]) -> set[int]:
    """The positive columns without contradictions."""
    for members, by_accuracy in _EXCLUSIVE:
        if len(both := yes & members) > 1:
            yes = yes - both | {next(i for i in by_accuracy if i in both)}
    for winner, losers in _OVERRULES:
        if winner in yes:
            yes = yes - losers
    return yes


def worth_saying(yes: set[int], no: set[int]) -> set[int]:
    """The negative columns, without those that go without saying."""
    for i in yes & _IDLE.keys():
        no = no - _IDLE[i]
    return no - {_FULLY_VISIBLE} if _OBSTRUCTED in no else no  # a forehead half hidden: one "no" is enough


_VALUES = frozenset((-1, 0, 1))
_OBSTRUCTED, _FULLY_VISIBLE = columns("Obstructed_Forehead", "Fully_Visible_Forehead")
_EXCLUSIVE = tuple(
    (frozenset(columns(*names)), columns(*sorted(names, key=lambda n: -by_name(n).label_accuracy)))
    for names in GROUPS.values()
    if len(names) > 1
)
_OVERRULES = tuple((INDEX[winner], frozenset(columns(*losers))) for winner, losers in OVERRULES.items())
_IDLE = {INDEX[name]: frozenset(columns(*idle)) for name, idle in IDLE.items() if idle}
