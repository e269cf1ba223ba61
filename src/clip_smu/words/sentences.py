"""Sentences of a reading in four styles, each part of them traced to its attribute.

>>> compose({"Male": 0.99, "White": 0.97, "Gray_Hair": 0.96, "Middle_Aged": 0.8}, {}).text
'This template reads almost certainly as a white man with gray hair, probably middle-aged.'
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from clip_smu.errors import InputError
from clip_smu.words.agreement import asserted_by_default
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import GROUPS, INDEX, NAMES, by_name
from clip_smu.words.captions import paper_caption
from clip_smu.words.clauses import MALE, MERGED, PAPER_NOUNS, phrase_of
from clip_smu.words.coherence import EXCLUDES
from clip_smu.words.contradictions import consistent, worth_saying
from clip_smu.words.descriptions import checked_subject, describe
from clip_smu.words.short_sentence import short
from clip_smu.words.spans import Sentence, Told, traced

Sure = Mapping[int, float]
"""Column, 0 to 46 → probability of being right, 0 to 1."""


def compose(
    encoded: Mapping[str, float],
    not_encoded: Mapping[str, float],
    *,
    style: str = "short",
    subject: str = "template",
    named: Collection[str] = (),
) -> Sentence:
    """What a template reads as: never a fact about a person.

    Words on which people do not agree are left out: :func:`~clip_smu.words.agreement.asserted_by_default`. In prose
    contradictions are settled, see :func:`settled`. Where gender is not told, it is a person.

    Args:
        encoded, not_encoded: names of the attributes asserted → probability, 0 to 1, that the verdict is right.
        style: one of `STYLES`: ``short``, the few things that are sure first, hedged, at most 25 words; ``full``, all
            that is asserted, in several sentences without hedges; ``technical``, the verdicts with their probabilities;
            ``paper``, the paper's caption.
        subject: the noun after "This": "template", "average template"; of ``short`` and ``full``.
        named: names of attributes that somebody asked for, which are said even where they are not by default.

    Example:
        >>> compose({"Bald": 0.97}, {"Male": 0.9, "Smiling": 0.6}, style="technical").text
        'Bald .97; not: Male .90, Smiling .60'

    Raises:
        InputError: no such style or attribute, an attribute on both sides, or the subject is not a plain noun.
    """
    words = _STYLES[known_style(style)]
    asked = {by_name(name).name for name in named}
    yes, no = (
        {INDEX[by_name(name).name]: probability for name, probability in side.items()}
        for side in (encoded, not_encoded)
    )
    if both := [NAMES[i] for i in yes if i in no]:
        raise InputError(f"expected encoded or not encoded, found both for {', '.join(both)}; leave one out")
    unsaid = {
        i for i in yes.keys() | no.keys() if NAMES[i] not in asked and not asserted_by_default(NAMES[i])
    }
    yes, no = ({i: side[i] for i in sorted(side) if i not in unsaid} for side in (yes, no))
    return words(yes, no, checked_subject(subject))


def known_style(style: str) -> str:
    """The style.

    Raises:
        InputError: there is no such style.
    """
    if style not in STYLES:
        raise InputError(f"expected a style, found {style!r}; use one of {', '.join(STYLES)}")
    return style


def settled(yes: Sure, no: Sure) -> tuple[dict[int, float], dict[int, float]]:
    """The verdicts that can be said in one breath.

    Of an exclusive group the likeliest only; of other contradictions, and of a "no" that goes without saying, what
    :mod:`clip_smu.words.coherence` and :mod:`clip_smu.words.contradictions` leave; of a woman not that she has no
    beard, which is true but never said.
    """
    said, denied = set(yes), set(no)
    for members in GROUPS.values():
        held = [INDEX[name] for name in members if INDEX[name] in said]
        said.difference_update(sorted(held, key=lambda i: -yes[i])[1:])
    sides = {1: said, -1: denied}
    for (first, side), (second, other) in EXCLUDES:
        if INDEX[first] in sides[side]:
            sides[other].discard(INDEX[second])
    said = consistent(said - {INDEX["No_Beard"]} if MALE in denied else said)
    denied = worth_saying(said, denied)
    return {i: yes[i] for i in yes if i in said}, {i: no[i] for i in no if i in denied}


def _short(yes: Sure, no: Sure, subject: str) -> Sentence:
    text, told = short(*settled(yes, no), subject)
    return traced(text, told, len(f"This {subject} "))


def _full(yes: Sure, no: Sure, subject: str) -> Sentence:
    yes, no = settled(yes, no)
    denied = sorted(no, key=lambda i: -no[i])
    text = describe([NAMES[i] for i in yes], [NAMES[i] for i in denied], subject=subject)
    told, merged = [], set[int]()
    for (first, second), options in MERGED.items():
        a, b = INDEX[first], INDEX[second]
        if a in yes and b in yes:
            merged |= {a, b}
            told.append(Told(options[0], (a, b), min(yes[a], yes[b])))
    told += [Told(phrase_of(i, True), (i,), yes[i]) for i in yes if i not in merged]
    told += [Told(phrase_of(i, False), (i,), no[i]) for i in denied]
    return traced(text, told, len(f"This {subject} "))


def _technical(yes: Sure, no: Sure, _: str) -> Sentence:
    sides = [
        [
            Told(f"{NAMES[i]} {_decimals(side[i])}", (i,), side[i])
            for i in sorted(side, key=lambda i: -side[i])
        ]
        for side in (yes, no)
    ]
    said, denied = (", ".join(one.phrase for one in side) for side in sides)
    text = "; ".join(part for part in (said, f"not: {denied}" if denied else "") if part)
    return traced(text or "nothing asserted", [*sides[0], *sides[1]])


def _paper(yes: Sure, no: Sure, _: str) -> Sentence:
    yes, _no = settled(yes, no)
    nouns = dict(PAPER_NOUNS)
    told = [Told(ATTRIBUTES[i].before or nouns[i], (i,), yes[i]) for i in yes]
    return traced(paper_caption({NAMES[i]: 1 for i in yes}), told)


def _decimals(probability: float) -> str:
    """ ".97"; what would round to 1 is ">.99"."""
    return f"{probability:.2f}".removeprefix("0") if probability < 0.995 else ">.99"


_STYLES: dict[str, Callable[[Sure, Sure, str], Sentence]] = {
    "short": _short,
    "full": _full,
    "technical": _technical,
    "paper": _paper,
}
STYLES = tuple(_STYLES)
"""The styles: ``short``, ``full``, ``technical``, ``paper``."""
