"""The parts of a sentence on a person: adjectives, what the person has and wears, what is absent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import INDEX, columns
from clip_smu.words.english import listed, with_article, without_article
from clip_smu.words.prompts import split_phrase


class Body(NamedTuple):
    """The parts of a description of a person, as text; attributes by their columns, 0 to 46."""

    free: list[str]  # adjectives that commas part
    bound: list[str]  # age and race
    having: list[str]
    wearing: list[str]


def body_of(yes: set[int], told: list[int], rng: Random | None) -> Body:
    """The worded parts; of the negative attributes only those with an opposite to show ("an open mouth")."""
    joint: dict[int, str] = {}
    for first, second, options in _MERGED:
        if first in yes and second in yes:
            joint[first] = pick(options, rng)
            yes = yes - {second}
    having: list[str] = []
    wearing: list[str] = []
    shown = yes.union(told)
    for i in ORDER:
        if i not in shown:
            continue
        if i in yes:
            (wearing if i in WORN else having).append(joint.get(i) or pick(POSITIVE[i], rng))
        elif i in OPPOSITE:
            (wearing if i in _OPPOSITE_WORN else having).append(pick(OPPOSITE[i], rng))
    free = [pick(POSITIVE[i], rng) for i in FREE if i in yes and i in PLAIN]
    bound = [pick(POSITIVE[i], rng) for i in BOUND if i in yes and i != MALE]
    return Body(free, bound, having, wearing)


def denial_of(told: list[int], rng: Random | None, *, reading: bool = False) -> str:
    """The predicate of what is absent: "has no mustache and is not bald"; if reading, "shows no mustache"."""
    have, have_not, be_not = (
        ("shows", "does not show", "does not read as") if reading else ("has", "does not have", "is not")
    )
    lacking = [i for i in told if i in _LACKED and (reading or i not in WORN)]
    nouns = [pick(_LACKED[i], rng) for i in lacking]
    nots = [pick(_NOT[i], rng) for i in told if i in _NOT and i not in lacking]
    worn = [text for text in nots if text.startswith("wearing ")]
    parts = []
    if nouns and _THINGS.issuperset(lacking):
        parts.append(f"{have} {listed(['no ' + without_article(noun) for noun in nouns])}")
    elif nouns:
        parts.append(f"{have_not} {listed(nouns, 'or')}")
    plain = [text for text in nots if text not in worn]
    groups = [plain + worn]
    if len(worn) > 1:  # "is not wearing a hat or a tie", rather than "wearing a hat or wearing a tie"
        groups = [plain, [worn[0], *(text.removeprefix("wearing ") for text in worn[1:])]]
    parts += [f"{be_not} {listed(group, 'or')}" for group in groups if group]
    return (", and " if len(nouns) > 1 else " and ").join(parts)


def phrase_of(column: int, positive: bool) -> str:
    """The words by which a description of a reading says an attribute ("a mustache", "bald"), or that it is not there.

    Of an absence these are the words after "no" or "not" ("mustache", "bald"), or those of the opposite ("a beard").
    """
    if column == MALE:
        return NOUNS[1 if positive else -1][0]
    if positive:
        return POSITIVE[column][0]
    if column in OPPOSITE:
        return OPPOSITE[column][0]
    return without_article(_LACKED[column][0]) if column in _LACKED else _NOT[column][0]


def person(free: list[str], bound: list[str], noun: str) -> str:
    """Adjectives and noun with their article: "an attractive, chubby young Asian man"."""
    return with_article(" ".join([", ".join(free), *bound, noun] if free else [*bound, noun]))


class Style(NamedTuple):
    """How the parts become sentences: short ones one, long ones several."""

    most: int  # nouns and things worn that one sentence holds; with more the nouns are spread over several
    first: int  # nouns of the first of these
    more: tuple[str, ...]  # the next ones; the last form for all that follow
    along: str  # what is worn, at the end of the last of them
    alone: str  # what is worn, where there is none


def sentences_of(opening: str, body: Body, style: Style) -> list[str]:
    """The opening ("A photo of a young man") with all that the person has and wears; without full stops."""
    having, wearing = body.having, body.wearing
    sentences = [opening]
    long = len(having) + len(wearing) > style.most
    cut = style.first if len(having) != style.first + 1 else style.first - 1  # no second sentence of one noun
    if having:
        sentences[0] += f" with {listed(having[:cut] if long else having)}"
    if long:
        rest = [having[k : k + _NOUNS_MORE] for k in range(cut, len(having), _NOUNS_MORE)]
        forms = [style.more[min(k, len(style.more) - 1)] for k in range(len(rest))]
        sentences += [form.format(listed(part)) for form, part in zip(forms, rest, strict=True)]
        if wearing and rest:
            sentences[-1] += style.along.format(listed(wearing))
        elif wearing:
            sentences.append(style.alone.format(listed(wearing)))
    elif wearing:
        sentences[0] += f"{',' if having else ''} wearing {listed(wearing)}"
    return sentences


_NOUNS_MORE = 7  # nouns of each further sentence


def pick(options: Sequence[str], rng: Random | None) -> str:
    """One of the options, drawn; without an rng the first."""
    return options[0] if rng is None else options[int(rng.random() * len(options))]


MERGED: dict[tuple[str, str], tuple[str, ...]] = {
    ("Black_Hair", "Wavy_Hair"): ("wavy black hair", "curly black hair", "wavy jet-black hair"),
    ("Blond_Hair", "Wavy_Hair"): ("wavy blond hair", "curly blond hair", "wavy golden hair"),
    ("Brown_Hair", "Wavy_Hair"): ("wavy brown hair", "curly brown hair", "wavy chestnut hair"),
    ("Gray_Hair", "Wavy_Hair"): ("wavy gray hair", "curly gray hair", "wavy grey hair", "wavy silver hair"),
    ("Brown_Eyes", "Bags_Under_Eyes"): (
        "brown eyes with bags under them",
        "puffy brown eyes",
        "baggy brown eyes",
        "brown eyes with puffiness under them",
    ),
    ("Bushy_Eyebrows", "Arched_Eyebrows"): (
        "bushy arched eyebrows",
        "thick arched eyebrows",
        "bushy arched brows",
    ),
    ("Big_Nose", "Pointy_Nose"): ("a big pointy nose", "a large pointed nose", "a big sharp nose"),
    ("Smiling", "Mouth_Closed"): (
        "a closed-mouth smile",
        "a smile with closed lips",
        "a closed-lipped smile",
    ),
}
"""Two positive labels of one thing → the wordings of both together."""

NOUNS = {1: ("man", "gentleman"), -1: ("woman", "lady"), 0: ("person", "individual")}
MALE = INDEX["Male"]
FREE = columns("Attractive", "Smiling", "Chubby", "Bald", "Oval_Face", "Square_Face", "Round_Face")
BOUND = columns("Young", "Middle_Aged", "Senior", "Asian", "White", "Black", "Male")
# fmt: off
ORDER = columns(
    "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Wavy_Hair", "Bangs", "Receding_Hairline",
    "Fully_Visible_Forehead", "Obstructed_Forehead", "Oval_Face", "Square_Face", "Round_Face", "Shiny_Skin",
    "Rosy_Cheeks", "High_Cheekbones", "Double_Chin", "Brown_Eyes", "Bags_Under_Eyes", "Bushy_Eyebrows",
    "Arched_Eyebrows", "Big_Nose", "Pointy_Nose", "Sideburns", "Mustache", "Goatee", "5_o_Clock_Shadow",
    "Big_Lips", "Smiling", "Mouth_Closed", "No_Beard", "No_Eyewear", "Heavy_Makeup", "Wearing_Lipstick",
    "Eyeglasses", "Wearing_Earrings", "Wearing_Hat", "Wearing_Necktie",
)
_THINGS = frozenset(columns(
    "Bangs", "Receding_Hairline", "Sideburns", "Mustache", "5_o_Clock_Shadow", "Goatee",
    "Double_Chin", "Bags_Under_Eyes", "Heavy_Makeup", "Wearing_Hat", "Wearing_Earrings", "Wearing_Necktie",
    "Wearing_Lipstick", "Eyeglasses",
))  # what can be there or not: "has no mustache"; but of a shape or color: "does not have a big nose"
# fmt: on
PLAIN = frozenset(i for i, row in enumerate(ATTRIBUTES) if not row.after)
WORN = frozenset(i for i, row in enumerate(ATTRIBUTES) if row.after.startswith("wearing "))
_MERGED = tuple((INDEX[first], INDEX[second], options) for (first, second), options in MERGED.items())
_UNLISTED = re.compile(r"^(the|their|nothing|something|hair|lips)\b|\b(that|or|and|head)\b")
"""Noun phrases that do not sit well in a list; only a row's first phrase may be one."""


def _pool(phrases: Sequence[str], joint: str, first: str, *, faces: bool = False) -> tuple[str, ...]:
    """The first phrase, then all others of that joint that a list can hold, without the joint."""
    rest = [text for kind, text in map(split_phrase, phrases) if kind == joint and not _UNLISTED.search(text)]
    return tuple(
        dict.fromkeys((first, *(text for text in rest if faces or not re.search(r"\bface\b", text))))
    )


POSITIVE = tuple(
    _pool(row.positives, *split_phrase(row.positives[0]), faces=row.group == "face shape")
    for row in ATTRIBUTES
)
PAPER_NOUNS: tuple[tuple[int, str], ...] = tuple(
    (i, POSITIVE[i][0]) for i in ORDER if not ATTRIBUTES[i].before
)
"""(column, noun) of all that `paper_caption` lists after "with", in its order."""

OPPOSITE = {
    i: _pool(row.negatives, *split_phrase(row.negative))
    for i, row in enumerate(ATTRIBUTES)
    if row.negative.startswith(("with ", "wearing "))
}
_OPPOSITE_WORN = frozenset(i for i in OPPOSITE if ATTRIBUTES[i].negative.startswith("wearing "))
_LACKED = {
    i: _pool(row.negatives, *split_phrase(row.negative), faces=row.group == "face shape")
    for i, row in enumerate(ATTRIBUTES)
    if row.negative.startswith("without ")
}
_NOT = {
    i: _pool(row.negatives, "not", row.after if i in WORN else split_phrase(row.negative)[1])
    for i, row in enumerate(ATTRIBUTES)
    if row.negative.startswith("not ") or (i in WORN and i in _LACKED)
}
