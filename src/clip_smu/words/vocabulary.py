"""The vocabulary: every word that training can have seen."""

from __future__ import annotations

from functools import cache

from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.captions import LEADS, PRONOUNS
from clip_smu.words.clauses import MERGED, NOUNS
from clip_smu.words.english import words
from clip_smu.words.prompts import prompts


@cache
def vocabulary() -> frozenset[str]:
    """Every word of all prompts, paraphrases and captions; a question with other words is out of sample."""
    texts: list[str] = [
        *LEADS,
        *PRONOUNS.values(),
        "has also does not is wearing who or and with without have",
    ]
    for row in ATTRIBUTES:
        texts += [row.label, *row.positives, *row.negatives, *prompts(row), *prompts(row, False)]
    texts += [text for options in (*NOUNS.values(), *MERGED.values()) for text in options]
    return frozenset(word for text in texts for word in words(text))
