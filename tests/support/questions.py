"""The development questions: what people type, with what they mean, in two halves that share no word.

``tests/questions/development.tsv`` was written before the lexicon was. One half is to tune on, the other to report; a
question's half went by its words, so that nothing learnt of a word on one half can help on the other.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from clip_smu.words.english import words
from clip_smu.words.vocabulary import vocabulary

FILE = Path(__file__).parents[1] / "questions" / "development.tsv"
FRESH = FILE.with_name("fresh.tsv")
"""Written by somebody who had seen neither the lexicon nor the others; measured on, never tuned on."""

KINDS = (
    *("synonym", "hyponym", "person", "inflection", "negation", "conjunction", "disjunction", "degree"),
    *("nonsense", "not-on-a-face", "no-label"),
)
REFUSED = KINDS[-3:]
"""The kinds that no label answers."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question.

    Attributes:
        means: parts with ``&`` or ``|`` between them, each in the lexicon's notation ("Male-;Senior+ & Wearing_Hat+");
            "" for what is to be refused.
        half: "tune", "report" or "fresh".
    """

    question: str
    kind: str
    means: str
    half: str

    @property
    def unseen(self) -> bool:
        """Whether a content word of it occurs in no prompt."""
        return any(word not in vocabulary() for word in re.findall(r"[\w']+", self.question.lower()))


def development(half: str) -> list[Question]:
    """The questions of one half, or the fresh ones, in their order."""
    return read_questions(FRESH) if half == "fresh" else [one for one in everything() if one.half == half]


def everything() -> list[Question]:
    """All questions, of both halves: for the test of the split alone."""
    return read_questions(FILE)


def read_questions(path: Path) -> list[Question]:
    with path.open(encoding="utf-8", newline="") as file:
        return [Question(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def content(question: str) -> frozenset[str]:
    """Stems of the words that bear the question's meaning: neither grammar nor a carrier ("man", "hair", "face")."""
    return frozenset(
        stem(word) for word in re.findall(r"[a-z0-9']+", question.lower()) if word not in _CARRIERS
    )


def stem(word: str) -> str:
    """A rough stem: "bowlers", "bowler" → "bowl"; "shinier", "shiny" → "shin"; "moustaches" → "mustach"."""
    word = _SAME.get(word, word).removesuffix("'s").replace("'", "")
    for ending in ("less", "iest", "ier", "ies", "ing", "ers", "est", "ed", "es", "er", "s", "y", "ie", "e"):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and (ending == "less" or not word.endswith("ss"))
        ):
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl" else word


_SAME = {
    "moustache": "mustache",
    "moustaches": "mustaches",
    "blonde": "blond",
    "grey": "gray",
    "greyer": "grayer",
    "fattest": "fats",
    "fatty": "fats",
    "thinner": "thin",
    "men": "man",
    "women": "woman",
    "oldest": "old",
    "elderly": "elder",
    "necktie": "tie",
    "tieless": "tie",
    "specs": "spectacles",
    "bespectacled": "spectacles",
    "beardless": "beard",
    "bearded": "beard",
    "whiskerless": "whisker",
    "fezzes": "fez",
}
_CARRIERS = frozenset(
    words(
        "a an the and or nor no not non without with yet but plus both either in on of at to is are isn't aren't was "
        "be been has have had having do does doesn't don't he she they his her their him who that this it its any all "
        "some somebody someone nobody anybody people person individual man men woman women guy gentleman gentlemen "
        "lady ladies face faces head hair eye eyes eyebrow eyebrows brow brows nose noses lip lips mouth chin cheek "
        "cheeks skin ear ears forehead beard look looks looking looked like wear wears wearing worn old young age aged "
        "years very quite rather slightly extremely somewhat really a bit little too much most more than average least "
        "anything something nothing could call never anymore from as by for what up down out off himself herself "
        "glasses hat hats smile smiling bald white black asian middle color colored complexion if used pretty"
    )
)
"""Grammar, and the plain words that the questions of both halves need: persons, parts of the face, commonest labels."""
