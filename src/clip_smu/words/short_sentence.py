"""The short sentence: the few things that are sure first, as a person would write them, at most 25 words.

    This template reads almost certainly as a white man with gray hair and glasses, probably middle-aged.

One part for each degree of certainty, the surest first, so that each word stands under its own hedge; in each part who,
then hair, face, beard and mouth, then what is worn. What to say is chosen in the order of `TELLING`, the surer first;
who the person looks like (gender, age, race) is always said where it is asserted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clip_smu.words.attributes import INDEX, columns
from clip_smu.words.clauses import (
    BOUND,
    FREE,
    MALE,
    MERGED,
    NOUNS,
    OPPOSITE,
    ORDER,
    PLAIN,
    WORN,
    denial_of,
    person,
    phrase_of,
)
from clip_smu.words.english import listed
from clip_smu.words.spans import Told

MOST_WORDS = 25
MOST_THINGS = 6
HEDGES: tuple[tuple[float, str], ...] = ((0.95, "almost certainly"), (0.7, "probably"), (0.0, "perhaps"))
"""The least probability of being right, 0 to 1, and the words for it."""


class _Thing(NamedTuple):
    """What may be said: the columns it words, its words, and the probability that it is right."""

    columns: tuple[int, ...]
    text: str
    probability: float

    @property
    def level(self) -> int:
        """The place of its hedge in `HEDGES`."""
        return next((k for k, (least, _) in enumerate(HEDGES) if self.probability >= least), len(HEDGES) - 1)


def short(yes: Mapping[int, float], no: Mapping[int, float], subject: str) -> tuple[str, list[Told]]:
    """The sentence, and what it tells.

    Args:
        yes, no: columns (0 to 46) read as encoded and not encoded → probability of being right, without contradictions.
        subject: the noun after "This".
    """
    chosen: list[_Thing] = []
    for thing in sorted(_things(yes, no), key=_rank):
        said = [*chosen, thing]
        if len(chosen) < _room(thing) and len(_written(said, subject).split()) <= MOST_WORDS:
            chosen = said
    if chosen:
        return _written(chosen, subject), [Told(one.text, one.columns, one.probability) for one in chosen]
    return _denied(no, subject)


def _things(yes: Mapping[int, float], no: Mapping[int, float]) -> list[_Thing]:
    """All that could be said; of absences only that a man has no beard, and no glasses."""
    unsaid = {i for i, beside in _UNSAID.items() if beside & yes.keys()} | (
        {_NO_BEARD} if MALE not in yes else set()
    )
    said = [_Thing((i,), _PLAINLY.get(i, phrase_of(i, True)), yes[i]) for i in yes if i not in unsaid]
    opposites = [_Thing((i,), phrase_of(i, False), no[i]) for i in no if i == MALE or i in OPPOSITE]
    return _merged(said) + opposites


def _merged(things: list[_Thing]) -> list[_Thing]:
    """Two words for one thing become one where they are equally sure ("wavy brown hair"); else the first is said."""
    by_column = {one.columns[0]: one for one in things}
    for (first, second), options in MERGED.items():
        a, b = by_column.get(INDEX[first]), by_column.get(INDEX[second])
        if a is not None and b is not None:
            del by_column[b.columns[0]]
            if a.level == b.level:
                both = (*a.columns, *b.columns)
                by_column[a.columns[0]] = _Thing(both, options[0], min(a.probability, b.probability))
    return list(by_column.values())


def _rank(thing: _Thing) -> tuple[bool, bool, int, int]:
    """First who, then the surer, then the more telling; what people seldom mention last."""
    first = thing.columns[0]
    return first in _SELDOM, first not in _WHO, thing.level, TELLING.index(first)


def _room(thing: _Thing) -> int:
    """How many things may have been said before: few before what is not sure, or is seldom mentioned."""
    if thing.columns[0] in _WHO:
        return MOST_THINGS
    if thing.columns[0] in _SELDOM:
        return 3
    return 4 if thing.level == len(HEDGES) - 1 else MOST_THINGS


def _written(things: Sequence[_Thing], subject: str) -> str:
    levels = sorted({one.level for one in things})
    parts = [_part([one for one in things if one.level == level], level == levels[0]) for level in levels]
    text = f"This {subject} reads {HEDGES[levels[0]][1]} as {parts[0]}"
    return "".join(
        [text, *(f", {HEDGES[k][1]} {part}" for k, part in zip(levels[1:], parts[1:], strict=True)), "."]
    )


def _part(things: Sequence[_Thing], leading: bool) -> str:
    """What stands under one hedge: "a bald man with a beard, wearing a hat"; after the first "bald with a beard"."""
    text = {one.columns[0]: one.text for one in things}
    free, bound = (
        [text[i] for i in kind if i in text and i in PLAIN and i != MALE] for kind in (FREE, BOUND)
    )
    worn = [i for i in ORDER if i in text and (i in WORN or text[i] == "eyewear")]
    having = [i for i in ORDER if i in text and i not in worn and i not in PLAIN]
    if worn == [_EYEGLASSES]:
        having, worn = [*having, *worn], []
    if leading or MALE in text:
        parts = [person(free, bound, text.get(MALE, NOUNS[0][0]))]
    else:
        parts = [listed([*free, *bound])] if free or bound else []
    if having:
        parts.append(f"with {listed([text[i] for i in having])}")
    if worn and parts:
        parts[-1] += "," if having else "" if leading or MALE in text else " and"
    if worn:
        parts.append(f"wearing {listed([text[i] for i in worn])}")
    return " ".join(parts)


def _denied(no: Mapping[int, float], subject: str) -> tuple[str, list[Told]]:
    """Where nothing is there to be told: up to three things that are not, all of them equally sure."""
    things = [_Thing((i,), phrase_of(i, False), no[i]) for i in no]
    things.sort(key=lambda one: (one.level, one.columns[0] in _WHO, TELLING.index(one.columns[0])))
    told = [one for one in things if one.level == things[0].level][:3]
    if not told:
        return f"This {subject} gives away none of the attributes that can be told.", []
    denial = denial_of([one.columns[0] for one in told], None, reading=True)
    text = f"This {subject} {HEDGES[told[0].level][1]} {denial}."
    return text, [Told(one.text, one.columns, one.probability) for one in told]


_NO_BEARD, _EYEGLASSES = columns("No_Beard", "Eyeglasses")
_WHO = frozenset(BOUND)
_SELDOM = frozenset(
    columns("Mouth_Closed", "Shiny_Skin", "Fully_Visible_Forehead", "Obstructed_Forehead", "No_Eyewear")
)
"""What people mention only where they have little else to say."""

_PLAINLY = {
    INDEX["Eyeglasses"]: "glasses",
    INDEX["No_Eyewear"]: "no glasses",
    INDEX["Wearing_Necktie"]: "a tie",
    INDEX["5_o_Clock_Shadow"]: "stubble",
}
"""Column → the word that people use, where it is not the table's first."""

_UNSAID = {
    INDEX["Receding_Hairline"]: frozenset(columns("Bald")),
    INDEX["Obstructed_Forehead"]: frozenset(columns("Bangs", "Wearing_Hat")),
    INDEX["Double_Chin"]: frozenset(columns("Chubby")),
}
"""Column → what says as much, or more, beside which nobody says it."""

# fmt: off
TELLING: tuple[int, ...] = columns(
    "Male", "Young", "Middle_Aged", "Senior", "Asian", "White", "Black",
    "Bald", "Blond_Hair", "Gray_Hair", "Black_Hair", "Brown_Hair", "Eyeglasses", "Mustache", "Goatee", "Wearing_Hat",
    "5_o_Clock_Shadow", "No_Beard", "Smiling", "Receding_Hairline", "Bangs", "Heavy_Makeup", "Wearing_Lipstick",
    "Chubby", "Bushy_Eyebrows", "Big_Nose", "Wavy_Hair", "Wearing_Necktie", "Wearing_Earrings", "Sideburns",
    "Double_Chin", "Bags_Under_Eyes", "Arched_Eyebrows", "Round_Face", "Square_Face", "Oval_Face", "Big_Lips",
    "Brown_Eyes", "High_Cheekbones", "Pointy_Nose", "Rosy_Cheeks", "Mouth_Closed", "Shiny_Skin", "Attractive",
    "Fully_Visible_Forehead", "Obstructed_Forehead", "No_Eyewear",
)
# fmt: on
"""All 47 columns, the more telling of a person first."""
