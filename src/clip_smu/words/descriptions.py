"""Descriptions: the sentences printed for a reading; they keep the rules of :mod:`clip_smu.words.captions`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clip_smu.errors import InputError
from clip_smu.words.attributes import INDEX, NAMES, by_name
from clip_smu.words.clauses import MALE, NOUNS, Style, body_of, denial_of, person, sentences_of
from clip_smu.words.contradictions import consistent, worth_saying


def describe(positive: Sequence[str], negative: Sequence[str] = (), *, subject: str = "template") -> str:
    """The sentences printed for a reading: what a template gives away, not a fact about a person.

    Args:
        positive: names of the attributes that the template reads as having, in any order.
        negative: names of those that it reads as not having, the most telling first. All are worded, save
            those that `positive` makes idle; Male here makes a woman.
        subject: the noun after "This": "template", "photo's template", "average template".

    Example:
        >>> describe(["Young", "Brown_Hair", "Smiling", "No_Eyewear"], ["Male", "Bangs"])
        'This template reads as a young woman with brown hair, a smile and no eyewear. It shows no bangs.'

    Raises:
        InputError: a name is no attribute or is on both sides, or the subject is not a plain noun.
    """
    checked_subject(subject)
    asked = [INDEX[by_name(name).name] for name in positive]
    denied = list(dict.fromkeys(INDEX[by_name(name).name] for name in negative))
    both = [NAMES[i] for i in denied if i in asked]
    if both:
        raise InputError(f"expected positive or negative, found both for {', '.join(both)}; leave one out")

    yes = consistent(set(asked))
    no = worth_saying(yes, set(denied))
    told = [i for i in denied if i in no and i != MALE]
    body = body_of(yes, told, None)
    denial = denial_of(told, None, reading=True)
    gender = 1 if MALE in yes else -1 if MALE in no else 0
    if not (gender or any(body)):
        return f"This {subject} {denial or 'gives away none of the attributes that can be told'}."

    opening = f"This {subject} reads as {person(body.free, body.bound, NOUNS[gender][0])}"
    sentences = sentences_of(opening, body, _STYLE)
    if denial:
        sentences.append(f"It {denial}")
    return ". ".join(sentences) + "."


def checked_subject(subject: str) -> str:
    """The subject.

    Raises:
        InputError: it is not a plain noun.
    """
    if not re.fullmatch(r"[^\W_](?:[^\W_]|[ '’-](?=[^\W_]))*", subject):
        raise InputError(
            f"expected a plain noun after 'This', such as 'template', found {subject!r}; use letters only"
        )
    return subject


_STYLE = Style(
    most=7,
    first=5,
    more=("It also shows {}", "It further shows {}", "It also shows {}"),
    along=", along with {}",
    alone="It also shows {}",
)
