"""Prompts: one attribute in words, "A photo of a face with gray hair.", or its absence."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from clip_smu.errors import InputError
from clip_smu.words.attribute_table import Attribute
from clip_smu.words.attributes import by_name
from clip_smu.words.english import with_article, without_article


def prompt(attribute: Attribute | str, positive: bool = True, phrase: str | None = None) -> str:
    """The caption of one attribute, "A photo of a face with gray hair.", or of its absence.

    Args:
        attribute: a row of the table, or its name.
        positive: False for the negative prompt, "A photo of a face without a mustache."
        phrase: another phrase in the form of the table ("with grey hair") to put into a sentence instead.

    Raises:
        InputError: there is no such attribute, or the phrase has no words.
    """
    row = by_name(attribute) if isinstance(attribute, str) else attribute
    if phrase is not None:
        return _sentences(phrase)[0]
    joint, rest = split_phrase((row.before or row.after) if positive else row.negative)
    if joint == "without" and row.before:
        joint, rest = "not", row.before  # "a face that is not oval", for "a face without an oval face"
    return _CANONICAL[joint].format(x=rest, a=with_article(rest))


@cache
def prompts(attribute: Attribute | str, positive: bool = True) -> tuple[str, ...]:
    """All wordings of one side of one attribute: 12 to 40 sentences and bare phrases, each once.

    The first is `prompt(attribute, positive)`. Then each phrase of the table comes bare ("wears spectacles",
    as people type a question) and in two sentences, for which the frames take turns. The order never changes.

    Raises:
        InputError: there is no such attribute.
    """
    row = by_name(attribute) if isinstance(attribute, str) else attribute
    texts = [prompt(row, positive)]
    for i, phrase in enumerate(row.positives if positive else row.negatives):
        joint, rest = split_phrase(phrase)
        bare, framed = _JOINTS[joint].bare, _sentences(phrase)
        texts.append(bare[i % len(bare)].format(x=rest, a=with_article(rest), b=without_article(rest)))
        texts += [framed[(2 * i + k) % len(framed)] for k in range(2)]
    return tuple(dict.fromkeys(texts))


def split_phrase(phrase: str) -> tuple[str, str]:
    """("with", "gray hair") of "with gray hair"; ("a", "woman") of a noun; ("", "bald") of an adjective."""
    words_ = phrase.split()
    if not words_:
        raise InputError(
            f"expected a phrase such as 'with gray hair', found {phrase!r}; write at least one word"
        )
    first = "a" if words_[0] == "an" else words_[0]
    if first in _JOINTS and len(words_) > 1:
        return first, " ".join(words_[1:])
    return "", " ".join(words_)


class _Joint(NamedTuple):
    """How phrases of one first word enter a sentence; {x} is the phrase without it, {a} that with a or an."""

    noun: str  # "A photo of {noun}."
    clause: str  # "Someone {clause}."
    predicate: str  # "This person {predicate}."
    bare: tuple[str, ...]  # as people type a question; {b}: without any article


_JOINTS: dict[str, _Joint] = {
    "": _Joint("{a} person", "who is {x}", "is {x}", ("{x}", "is {x}")),
    "a": _Joint("{a}", "", "", ("{a}", "{x}")),
    "with": _Joint("", "with {x}", "has {x}", ("{b}", "has {x}", "with {x}")),
    "without": _Joint("", "without {x}", "", ("without {x}", "no {b}")),
    "wearing": _Joint("", "wearing {x}", "wears {x}", ("wears {x}", "wearing {x}", "{b}")),
    "not": _Joint("", "who is not {x}", "is not {x}", ("not {x}", "is not {x}")),
    "who": _Joint("", "who {x}", "{x}", ("{x}",)),
    "whose": _Joint("", "whose {x}", "", ("{x}",)),
    "of": _Joint("", "of {x}", "is of {x}", ("of {x}",)),
    "in": _Joint("", "in {x}", "", ("in {x}",)),
}
_NOUN_FRAMES = (
    "A photo of {}.",
    "A portrait of {}.",
    "This is {}.",
    "The photo shows {}.",
    "A close-up of {}.",
)
_FACE_FRAMES = ("A photo of a face {}.", "A face {}.")
_CLAUSE_FRAMES = (
    "A photo of a person {}.",
    "Someone {}.",
    "A portrait of someone {}.",
    "A person {}.",
    "The photo shows a person {}.",
)
_PREDICATE_FRAMES = ("This person {}.", "The person in the photo {}.")
_CANONICAL: dict[str, str] = {
    "": "A photo of {a} face.",
    "with": "A photo of a face with {x}.",
    "wearing": "A photo of a face with {x}.",
    "without": "A photo of a face without {x}.",
    "not": "A photo of a face that is not {x}.",
}
_OF_A_PERSON = re.compile(
    r"\b(face|head|scalp|features|looks?|expression|outline|neck|hat|cap|tie|necktie|their)\b"
)
"""Words of phrases that are told of a person, not of a face."""


def _sentences(phrase: str) -> list[str]:
    """The phrase in every frame that it fits: no "a face with a round face"."""
    joint, rest = split_phrase(phrase)
    noun, clause, predicate, _ = _JOINTS[joint]
    frames = [(frame, noun) for frame in _NOUN_FRAMES if noun]
    if joint in ("with", "without") and not _OF_A_PERSON.search(rest):
        frames += [(frame, clause) for frame in _FACE_FRAMES]
    frames += [(frame, clause) for frame in _CLAUSE_FRAMES if clause]
    frames += [(frame, predicate) for frame in _PREDICATE_FRAMES if predicate]
    return [frame.format(part.format(x=rest, a=with_article(rest))) for frame, part in frames]
