"""The lexicon: words and phrases of common speech, each with the attributes that it tells of, or why none does.

Two tables of ``clip_smu/data`` that ``tools/make_lexicon.py`` makes of WordNet and of what was written by hand:

- ``lexicon.tsv``: phrase → what it means. "fedora": Wearing_Hat+. "granny": Male- and Senior+, both.
- ``refusals.tsv``: phrase → why no label answers it: ``not-on-a-face`` ("guilty", "Catholic"), or ``no-label``
  ("green eyes", "scarf"), which a face may show and no attribute covers.

Phrases are found by their `key`; negation is not in the tables ("no fedora") save where one word holds it ("hatless").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from clip_smu.words.english import words

KINDS = ("prompt", "synonym", "hyponym", "person", "inflection", "spelling", "opposite")
REASONS = ("not-on-a-face", "no-label")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a phrase means.

    Attributes:
        phrase: as it is written, lower case ("five o'clock shadow", "grey-haired").
        means: attributes' names, each with whether it holds; all of them together.
        weight: how surely the phrase means that, above 0 to 1.
        kind: one of `KINDS`: where it came from.
        note: the choice made where the phrase has two readings, else "".
    """

    phrase: str
    means: tuple[tuple[str, bool], ...]
    weight: float
    kind: str
    note: str


@cache
def lexicon() -> Mapping[str, Entry]:
    """Key of a phrase → its entry; read once.

    Example:
        >>> lexicon()[key("Grey-haired")].means
        (('Gray_Hair', True),)
    """
    return MappingProxyType(
        {
            key(phrase): Entry(phrase, _meaning(means), float(weight), kind, note)
            for phrase, means, weight, kind, note in _rows("lexicon.tsv")
        }
    )


@cache
def refusals() -> Mapping[str, str]:
    """Key of a phrase that no label answers → why, one of `REASONS`; read once.

    Example:
        >>> refusals()[key("trustworthy")], refusals()[key("green eyes")]
        ('not-on-a-face', 'no-label')
    """
    return MappingProxyType({key(phrase): reason for phrase, reason, _ in _rows("refusals.tsv")})


def key(phrase: str) -> str:
    """The one spelling that a phrase is found by: its lower-case words, without hyphens and possessives.

    Example:
        >>> key("Clean-shaven"), key("5 o’clock shadow")
        ('clean shaven', "5 o'clock shadow")
    """
    return " ".join(words(phrase))


def _rows(file: str) -> list[list[str]]:
    """The rows of a table, without its header."""
    lines = (Path(__file__).parents[1] / "data" / file).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


@cache
def _meaning(text: str) -> tuple[tuple[str, bool], ...]:
    """ "Male-;Senior+" → (("Male", False), ("Senior", True))."""
    return tuple((one[:-1], one[-1] == "+") for one in text.split(";"))


LONGEST = 1 + max(phrase.count(" ") for phrase in (*lexicon(), *refusals()))
"""Words of the longest phrase of both tables."""
