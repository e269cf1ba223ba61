"""Captions: labels → a sentence or a few, the paper's or ours, to train on.

Rules that every caption and description keeps (tests/support/grammar.py checks them with code of its own):

1.  A sentence starts with a capital and ends with exactly one full stop. A text has one sentence, or a few.
2.  No double space; no space or comma before a comma or full stop; no brackets or quotation marks.
3.  "a" or "an" goes by sound: "an oval face", "an attractive man", "a 5 o'clock shadow".
4.  No word stands twice in a row; none that wants another after it ("with", "and", "a") ends a sentence.
5.  Lists take "and" (after "not": "or") before the last item and no Oxford comma: "bangs, a smile and a hat".
    A comma before "and" opens a new predicate: "He has a goatee and a big nose, and is wearing a hat."
6.  Adjectives stand in the order opinion, state, build, head, shape, age, race, gender. Commas part the first
    five, none the rest: "an attractive, chubby young Asian man".
7.  After the noun come hair, face, facial hair, mouth and what is absent ("no beard", "no eyewear"), then, of
    what is worn, make-up and accessories.
8.  Of an exclusive group at most one attribute is worded: the one whose labels are the most accurate.
9.  Other contradictions between labels are settled by `OVERRULES`, and a "no" that a "yes" makes idle ("gray
    hair ... not bald") is left out by `IDLE`.
10. A label of 0 is never worded; a label of -1 only on request, but a -1 of Male makes a woman.

Two attributes of one thing are worded as one (`MERGED`): "wavy brown hair", "a closed-mouth smile".
"""

from __future__ import annotations

from random import Random

from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES, columns
from clip_smu.words.clauses import (
    BOUND,
    FREE,
    MALE,
    NOUNS,
    PAPER_NOUNS,
    Style,
    body_of,
    denial_of,
    person,
    pick,
    sentences_of,
)
from clip_smu.words.contradictions import Labels, consistent, label_sides, worth_saying
from clip_smu.words.english import capital, listed


def paper_caption(labels: Labels) -> str:
    """The caption of the paper: "A photo of a [A] face with [B]." from the positive labels alone.

    Example:
        >>> paper_caption({"Young": 1, "Male": 1, "Gray_Hair": 1, "Smiling": 1})
        'A photo of a smiling young male face with gray hair.'

    Raises:
        LabelError: there are not 47 labels, or one is none of 1, 0, -1.
        InputError: a mapping names no attribute of the table.
    """
    yes = consistent(label_sides(labels)[0])
    free = [ATTRIBUTES[i].before for i in FREE if i in yes]
    bound = [ATTRIBUTES[i].before for i in BOUND if i in yes]
    nouns = [noun for i, noun in PAPER_NOUNS if i in yes]
    return f"A photo of {person(free, bound, 'face')}{' with ' if nouns else ''}{listed(nouns)}."


def caption(labels: Labels, *, rng: Random | None = None, negatives: bool = False) -> str:
    """A grammatical caption for any of the 3^47 combinations of labels (the rules: this module's docstring).

    Args:
        labels: 47 labels in {1, 0, -1}, or name → label.
        rng: draws the frame and the paraphrases; without it the wording is always the same.
        negatives: also words up to three of the labels of -1: the most telling, or with an rng a random few.

    Example:
        >>> caption({"Male": 1, "Young": 1, "Wavy_Hair": 1, "Brown_Hair": 1, "Wearing_Hat": 1})
        'A photo of a young man with wavy brown hair, wearing a hat.'

    Raises:
        LabelError: there are not 47 labels, or one is none of 1, 0, -1.
        InputError: a mapping names no attribute of the table.
    """
    yes, no = label_sides(labels)
    yes = consistent(yes)
    told = _chosen(worth_saying(yes, no), rng) if negatives else []
    body = body_of(yes, told, rng)
    gender = 1 if MALE in yes else -1 if MALE in no else 0
    subject, denial = PRONOUNS[gender], denial_of(told, rng)
    whom = person(body.free, body.bound, pick(NOUNS[gender], rng))
    style = Style(
        most=8,
        first=6,
        more=(f"{subject} has {{}}", f"{subject} also has {{}}"),
        along=", and is wearing {}",
        alone=f"{subject} is wearing {{}}",
    )
    sentences = sentences_of(pick(LEADS, rng).format(whom), body, style)
    if denial and (body.having or body.wearing):
        sentences.append(f"{subject} {denial}")
    elif denial:
        sentences[0] += f" who {denial}"
    return capital(". ".join(sentences)) + "."


def _chosen(no: set[int], rng: Random | None) -> list[int]:
    """Up to three negative attributes to word."""
    told = [i for i in _TELLING if i in no and i != MALE]
    if rng is None:
        return told[:_MOST_NEGATIVES]
    count = min(len(told), 1 + int(rng.random() * _MOST_NEGATIVES))
    return [told.pop(int(rng.random() * len(told))) for _ in range(count)]


LEADS = (
    "A photo of {}",
    "A portrait of {}",
    "A picture of {}",
    "A close-up of {}",
    "A headshot of {}",
    "An image of {}",
    "This is {}",
    "{}",
)
PRONOUNS = {1: "He", -1: "She", 0: "The person"}
_MOST_NEGATIVES = 3
# fmt: off
_TELLING = tuple(dict.fromkeys(columns(
    "No_Beard", "Mouth_Closed", "No_Eyewear", "Bald", "Smiling", "Eyeglasses", "Wearing_Hat", "Young",
    "Bangs", "Wearing_Necktie", "Wavy_Hair", "Mustache", "Receding_Hairline", "Gray_Hair", "Chubby", *NAMES,
)))
# fmt: on
