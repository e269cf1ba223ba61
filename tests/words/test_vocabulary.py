"""Words of a text, and the vocabulary that has all that is ever said."""

from __future__ import annotations

import re
from random import Random

from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import caption, paper_caption
from clip_smu.words.english import words
from clip_smu.words.prompts import prompts
from clip_smu.words.vocabulary import vocabulary


def test_words_of_a_text() -> None:
    assert words("A clean-shaven man's 5 o’clock shadow, (really)!") == (
        ["a", "clean", "shaven", "man", "5", "o'clock", "shadow", "really"]
    )
    assert words("") == []


def test_the_vocabulary_has_all_that_is_ever_said() -> None:
    known = vocabulary()
    assert all(re.fullmatch(r"[a-z0-9']+", word) for word in known)
    assert {"spectacles", "grey", "moustache", "beanie", "heavyset", "she", "gentleman", "wears"} <= known
    assert not {"tattoo", "scar", "freckles"} & known
    rng = Random(11)
    for _ in range(500):
        labels = [rng.choice((-1, 0, 0, 1)) for _ in NAMES]
        assert set(words(caption(labels, rng=rng, negatives=True))) <= known
        assert set(words(paper_caption(labels))) <= known
    for row in ATTRIBUTES:
        assert set(words(" ".join((*prompts(row), *prompts(row, False), row.label)))) <= known
