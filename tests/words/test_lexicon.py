"""The lexicon: known names, one meaning a phrase, all of our own prompts' phrases with the right side."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from clip_smu.words.attribute_table import ATTRIBUTES, Attribute
from clip_smu.words.attributes import NAMES
from clip_smu.words.english import words
from clip_smu.words.lexicon import KINDS, LONGEST, REASONS, key, lexicon, refusals
from clip_smu.words.prompts import prompts

LED = re.compile(
    r"^(an?|the|their|is|has|have|with|wears|wearing|wear|of|in|looks|look|does|who|been|little|much|heavily) "
)
DENIED = re.compile(r"(not|no|non|without) ")


def test_names_kinds_and_weights_are_known() -> None:
    for entry in lexicon().values():
        assert entry.means, entry
        assert all(name in NAMES for name, _ in entry.means), entry
        assert len({name for name, _ in entry.means}) == len(entry.means), entry
        assert 0 < entry.weight <= 1, entry
        assert entry.kind in KINDS, entry
    assert set(refusals().values()) == set(REASONS)


def test_a_phrase_is_found_by_its_key() -> None:
    assert lexicon()[key("Grey-Haired")].means == (("Gray_Hair", True),)
    assert lexicon()[key("5 o’clock shadow")].means == (("5_o_Clock_Shadow", True),)
    assert refusals()[key("Trustworthy")] == "not-on-a-face"
    assert all(found == key(entry.phrase) for found, entry in lexicon().items())
    assert max(len(found.split()) for found in (*lexicon(), *refusals())) == LONGEST


def test_no_phrase_is_both_read_and_refused() -> None:
    assert not lexicon().keys() & refusals().keys()


@pytest.mark.parametrize("row", ATTRIBUTES, ids=lambda row: row.name)
@pytest.mark.parametrize("side", [True, False])
def test_what_our_own_prompts_say_is_in_it_with_the_right_side(row: Attribute, side: bool) -> None:
    bare = [text for text in prompts(row, side) if not text.endswith(".")]
    assert len(bare) >= 3
    for text in bare:
        assert _side(text, row.name) == side, text


def _side(text: str, name: str) -> bool | None:
    """The side of an attribute that a bare prompt says: by the table, or by its negation of what the table has."""
    rest = " ".join(words(text))
    while True:
        entry = lexicon().get(rest)
        if entry:
            return dict(entry.means)[name] if [name] == [one for one, _ in entry.means] else None
        if denied := DENIED.match(rest):
            inner = _side(rest[denied.end() :], name)
            return None if inner is None else not inner
        shorter = LED.sub("", rest)
        if shorter == rest:
            return None
        rest = shorter


def test_every_attribute_has_many_phrases_on_either_side_where_english_has_them() -> None:
    sides = Counter(entry.means[0] for entry in lexicon().values() if len(entry.means) == 1)
    for name in NAMES:
        assert sides[name, True] >= 15, name
    spoken = {
        "Male",
        "No_Beard",
        "Mouth_Closed",
        "No_Eyewear",
        "Wavy_Hair",
        "Smiling",
        "Chubby",
        "Attractive",
        "Bald",
    }
    for name in spoken | {
        "Wearing_Hat",
        "Wearing_Necktie",
        "Wearing_Earrings",
        "Heavy_Makeup",
        "Young",
        "Bushy_Eyebrows",
    }:
        assert sides[name, False] >= 10, name


def test_words_of_two_readings_say_which_is_taken() -> None:
    for phrase in (
        "fair",
        "light",
        "dark",
        "thirties",
        "toddler",
        "auburn",
        "wrinkled",
        "hooked nose",
        "bow tie",
    ):
        entry = lexicon()[phrase]
        assert entry.note, phrase
        assert entry.weight < 1, phrase


@pytest.mark.parametrize(
    ("phrase", "means"),
    [
        ("homburgs", "Wearing_Hat+"),
        ("hatless", "Wearing_Hat-"),
        ("wire-rimmed", "Eyeglasses+"),
        ("wayfarers", "No_Eyewear-"),
        ("clean-shaven", "No_Beard+"),
        ("grey-bearded", "No_Beard-"),
        ("full head of hair", "Bald-"),
        ("wide-open mouth", "Mouth_Closed-"),
        ("grandmothers", "Male-;Senior+"),
        ("schoolboy", "Male+;Young+"),
        ("middle-aged women", "Male-;Middle_Aged+"),
        ("snub-nosed", "Big_Nose-"),
        ("scrawnier", "Chubby-"),
        ("salt-and-pepper hair", "Gray_Hair+"),
    ],
)
def test_phrases_in_full(phrase: str, means: str) -> None:
    entry = lexicon()[key(phrase)]
    assert ";".join(f"{name}{'+' if side else '-'}" for name, side in entry.means) == means


def test_the_documents_counts_are_those_of_the_tables() -> None:
    text = (Path(__file__).parents[2] / "docs" / "lexicon.md").read_text()
    kinds, reasons = Counter(entry.kind for entry in lexicon().values()), Counter(refusals().values())
    for kind in KINDS:
        assert f"| `{kind}` | {kinds[kind]:,} |" in text, kinds
    assert f"Refused are {reasons['not-on-a-face']:,} phrases" in text, reasons
    assert f"and {reasons['no-label']:,} that a face or photo may show" in text, reasons
