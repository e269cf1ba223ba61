"""Prompts: in full, all wordings, and that none serves two attributes."""

from __future__ import annotations

import re

import pytest

from clip_smu.errors import InputError
from clip_smu.words.attribute_table import ATTRIBUTES, Attribute
from clip_smu.words.prompts import prompt, prompts
from grammar import check_grammar


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("Bald", "A photo of a bald face.", "A photo of a face that is not bald."),
        ("Gray_Hair", "A photo of a face with gray hair.", "A photo of a face without gray hair."),
        ("Mustache", "A photo of a face with a mustache.", "A photo of a face without a mustache."),
        ("Male", "A photo of a male face.", "A photo of a female face."),
        ("Oval_Face", "A photo of an oval face.", "A photo of a face that is not oval."),
        ("Mouth_Closed", "A photo of a face with a closed mouth.", "A photo of a face with an open mouth."),
        ("No_Beard", "A photo of a face with no beard.", "A photo of a face with a beard."),
        ("No_Eyewear", "A photo of a face with no eyewear.", "A photo of a face with eyewear."),
        ("Wearing_Hat", "A photo of a face with a hat.", "A photo of a face without a hat."),
        ("Smiling", "A photo of a smiling face.", "A photo of a face that is not smiling."),
        ("Attractive", "A photo of an attractive face.", "A photo of a face that is not attractive."),
    ],
)
def test_prompts_in_full(name: str, yes: str, no: str) -> None:
    assert (prompt(name), prompt(name, False)) == (yes, no)


def test_prompt_of_a_phrase() -> None:
    assert prompt("Gray_Hair", phrase="with grey hair") == "A photo of a face with grey hair."
    assert prompt("Wearing_Hat", phrase="in an old cap") == "A photo of a person in an old cap."
    assert prompt("Senior", phrase="old-looking") == "A photo of an old-looking person."
    assert prompt("White", phrase="European-looking") == "A photo of a European-looking person."
    assert prompt("Young", phrase="uniformed") == "A photo of a uniformed person."
    assert prompt("5_o_Clock_Shadow", phrase="unshaven") == "A photo of an unshaven person."
    assert prompt("Round_Face", phrase="with a round face") == "A photo of a person with a round face."
    with pytest.raises(InputError, match="write at least one word"):
        prompt("Bald", phrase="  ")


@pytest.mark.parametrize("row", ATTRIBUTES, ids=lambda row: row.name)
@pytest.mark.parametrize("positive", [True, False])
def test_all_wordings_of_an_attribute(row: Attribute, positive: bool) -> None:
    texts = prompts(row, positive)
    assert 12 <= len(texts) <= 40
    assert len(set(texts)) == len(texts)
    assert texts[0] == prompt(row, positive)
    assert texts == prompts(row.name, positive)
    sentences = [text for text in texts if text.endswith(".")]
    bare = [text for text in texts if not text.endswith(".")]
    assert len(bare) >= len(sentences) / 3
    for text in sentences:
        check_grammar(text)
        for noun in ("face", "person", "someone", "photo"):
            assert len(re.findall(rf"\b{noun}\b", text)) <= (
                2 if text == texts[0] and noun == "face" else 1
            ), text
        assert re.search(r"\b(A|An|Someone|This|The)\b", text), text
    for text in bare:
        check_grammar(f"X {text}.")
        assert (
            text[0].islower()
            or text[0].isdigit()
            or text.split()[0].split("-")[0] in {"Asian", "Black", "Caucasian", "African"}
        )
    everything = " ".join(texts).lower()
    for phrase in row.positives if positive else row.negatives:
        assert all(word in everything for word in phrase.lower().split()[1:]), phrase


def test_no_wording_serves_two_attributes_or_both_sides() -> None:
    seen: dict[str, tuple[str, bool]] = {}
    for row in ATTRIBUTES:
        for positive in (True, False):
            for text in prompts(row, positive):
                assert text.lower() not in seen, f"{text}: {row.name}, {seen[text.lower()]}"
                seen[text.lower()] = (row.name, positive)
    assert len(seen) > 2000


def test_questions_that_people_type_are_among_the_wordings() -> None:
    assert "wears specs" in prompts("Eyeglasses")
    assert "is bald-headed" in prompts("Bald")
    assert "no stubble" in prompts("5_o_Clock_Shadow", False)
