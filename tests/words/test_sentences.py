"""Sentences in four styles over random verdicts: grammar, hedges, and that nothing is said without a span."""

from __future__ import annotations

import doctest
import re
from itertools import pairwise
from random import Random
from types import ModuleType

import pytest

from clip_smu.errors import InputError
from clip_smu.words import sentences, spans
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import paper_caption
from clip_smu.words.sentences import STYLES, compose
from clip_smu.words.short_sentence import TELLING
from clip_smu.words.spans import Sentence, Told, traced
from grammar import EXCLUSIVE, FACIAL_HAIR, SAYS, SAYS_THE_OPPOSITE, SCALP_HAIR, check, check_grammar

Verdicts = dict[str, float]
UNSAID = {"Oval_Face", "Pointy_Nose", "High_Cheekbones", "Attractive"}
WHO = {"Male", *EXCLUSIVE[0], *EXCLUSIVE[1]}
# fmt: off
GLUE = {
    "this", "template", "it", "reads", "read", "as", "a", "an", "person", "with", "and", "or", "wearing", "shows",
    "show", "also", "further", "along", "no", "not", "does", "almost", "certainly", "probably", "perhaps", "photo",
    "of", "face",
}
# fmt: on
"""The words that a sentence may hold outside its spans: they say nothing of anybody."""
HEDGE = re.compile("almost certainly|probably|perhaps")
ABSENT = {"No_Beard": "no beard", "No_Eyewear": r"no (glasses|eyewear)"}


def drawn(rng: Random) -> tuple[Verdicts, Verdicts]:
    """Some attributes encoded and some not encoded, contradictions and all, with any probability."""
    names = rng.sample(NAMES, rng.choice((0, 1, 2, 3, 5, 8, 14, 25, 47)))
    cut = rng.choice((0, len(names) // 4, len(names) // 2, len(names)))
    low, power = rng.choice((0.3, 0.55, 0.9)), rng.choice((0.3, 1.0))
    chances = {name: low + (1 - low) * rng.random() ** power for name in names}
    return {name: chances[name] for name in names[:cut]}, {name: chances[name] for name in names[cut:]}


def check_spans(made: Sentence, encoded: Verdicts, denied: Verdicts) -> None:
    """Spans lie in order, each speaks of its attributes, and outside them nothing is said."""
    outside, at = "", 0
    for span in made.spans:
        assert at <= span.start < span.end <= len(made.text), made
        outside, at = f"{outside}{made.text[at : span.start]} ", span.end
        phrase = made.text[span.start : span.end]
        for name in span.attributes:
            signs = [
                ABSENT.get(name, SAYS[name]) if name in encoded else SAYS_THE_OPPOSITE.get(name, SAYS[name])
            ]
            assert any(re.search(sign, phrase) for sign in signs), (phrase, name)
        assert span.probability == min({**encoded, **denied}[name] for name in span.attributes)
    told = [name for span in made.spans for name in span.attributes]
    assert len(told) == len(set(told)), f"said twice: {made.text}"
    assert not UNSAID & set(told), made.text
    words = set(re.findall(r"[\w'-]+", (outside + made.text[at:]).lower()))
    assert words <= GLUE or made.text.endswith("gives away none of the attributes that can be told."), made


def check_agrees(said: set[str], encoded: Verdicts, *, woman: bool) -> None:
    """No two things of which at most one can be; of an exclusive group, if one is said, the likeliest."""
    for group in EXCLUSIVE:
        held = [name for name in group if name in encoded and name not in UNSAID]
        assert said & set(group) <= {max(held, key=encoded.__getitem__, default=None)}, said
    assert not ("No_Beard" in said and said & FACIAL_HAIR), said
    assert not ("Bald" in said and said & SCALP_HAIR), said
    assert not said >= {"Bangs", "Fully_Visible_Forehead"}, said
    assert not (woman and said & {*FACIAL_HAIR, "Sideburns"}), said


def check_short(made: Sentence, encoded: Verdicts, denied: Verdicts) -> None:
    """The promises of the short style, besides those of all."""
    text = made.text
    assert text.count(".") == 1
    assert len(text.split()) <= 25, text
    told = {name for span in made.spans for name in span.attributes}
    assert len(made.spans) <= 6
    assert (WHO & encoded.keys() - UNSAID) <= told or any(set(group) & WHO & told for group in EXCLUSIVE), (
        text
    )
    for span in made.spans:  # each stands under the hedge that it deserves
        hedge = HEDGE.findall(text[: span.start])[-1]
        sure = span.probability
        assert hedge == ("almost certainly" if sure >= 0.95 else "probably" if sure >= 0.7 else "perhaps"), (
            made
        )
    hedges = HEDGE.findall(text)
    order = ["almost certainly", "probably", "perhaps"]
    assert hedges == [one for one in order if one in hedges], f"not the surest first: {text}"
    gender = [span for span in made.spans if span.attributes == ("Male",)]
    assert bool(gender) == ("Male" in encoded or "Male" in denied), text
    assert "no beard" not in text or "Male" in encoded, text


def check_all_styles(rng: Random, count: int) -> None:
    for _ in range(count):
        encoded, denied = drawn(rng)
        made = {style: compose(encoded, denied, style=style) for style in STYLES}
        for style in ("short", "full", "paper"):
            check_grammar(made[style].text)
            said = {name for span in made[style].spans for name in span.attributes if name in encoded}
            check_agrees(said, encoded, woman="Male" in denied)
            check_spans(made[style], encoded, denied)
        check_short(made["short"], encoded, denied)
        names = {name for span in made["full"].spans for name in span.attributes}
        check(made["full"].text, names & encoded.keys(), names & denied.keys(), most=None, exactly=True)
        captioned = {name: 1 for span in made["paper"].spans for name in span.attributes}
        assert captioned.keys() <= encoded.keys()
        assert made["paper"].text == paper_caption(captioned)
        verdicts = made["technical"].text.partition("not: ")
        for text, side in ((verdicts[0], encoded), (verdicts[2], denied)):
            told = re.findall(r"(\w+) (>?\.\d\d)", text)
            assert {name for name, _ in told} == side.keys() - UNSAID
            for (name, shown), (after, _) in pairwise([*told, told[-1]] if told else []):
                assert side[name] >= side[after]
                assert abs(float(shown.lstrip(">")) - side[name]) <= (0.01 if ">" in shown else 0.00501)


def test_random_verdicts_in_all_styles() -> None:
    check_all_styles(Random(12), 500)


@pytest.mark.slow
def test_twenty_thousand_random_verdicts_in_all_styles() -> None:
    check_all_styles(Random(2026), 20_000)


@pytest.mark.parametrize(
    ("encoded", "denied", "text"),
    [
        ({}, {}, "This template gives away none of the attributes that can be told."),
        (
            {"Male": 0.99, "White": 0.97, "Middle_Aged": 0.8, "Gray_Hair": 0.96, "Eyeglasses": 0.95},
            {"Bald": 0.99},
            "This template reads almost certainly as a white man with gray hair and glasses, probably middle-aged.",
        ),
        (
            {"Young": 0.96, "Blond_Hair": 0.97, "Wavy_Hair": 0.98, "Smiling": 0.8, "No_Beard": 0.99},
            {"Male": 0.98},
            "This template reads almost certainly as a young woman with wavy blond hair, probably with a smile.",
        ),
        (
            {"Bald": 0.8, "Male": 0.8, "Goatee": 0.9, "Wearing_Hat": 0.75, "Eyeglasses": 0.74},
            {},
            "This template reads probably as a bald man with a goatee, wearing glasses and a hat.",
        ),
        (
            {"Male": 0.96, "Young": 0.9, "No_Beard": 0.9, "Big_Nose": 0.8, "Wearing_Necktie": 0.9, "Chubby": 0.6},
            {},
            "This template reads almost certainly as a man, probably young with a big nose and no beard, wearing a "
            "tie.",
        ),
        ({"No_Beard": 0.99, "Young": 0.99}, {}, "This template reads almost certainly as a young person."),
        (
            {"Male": 0.6, "Black": 0.99, "No_Eyewear": 0.99},  # "no glasses" only where little else is said
            {"No_Beard": 0.6},
            "This template reads almost certainly as a Black person, perhaps a man with a beard.",
        ),
        (
            {"Black": 0.99, "No_Eyewear": 0.99},
            {},
            "This template reads almost certainly as a Black person with no glasses.",
        ),
        (
            {"Young": 0.9, "Wearing_Hat": 0.9, "Asian": 0.99, "Black_Hair": 0.6, "Fully_Visible_Forehead": 0.99},
            {"Male": 0.8, "Mouth_Closed": 0.99},  # what is not sure, or seldom mentioned: where little else is said
            "This template reads almost certainly as an Asian person, probably a young woman wearing a hat.",
        ),
        ({"Chubby": 0.8, "Wearing_Hat": 0.75, "Bald": 0.99}, {}, "This template reads almost certainly as a bald "
            "person, probably chubby and wearing a hat."),
        ({"Brown_Hair": 0.9, "Wavy_Hair": 0.6}, {}, "This template reads probably as a person with brown hair."),
        (
            {"Black_Hair": 0.7, "Brown_Hair": 0.71, "Bald": 0.99},
            {},
            "This template reads almost certainly as a bald person.",
        ),
        (
            {},
            {"Wearing_Hat": 0.96, "Smiling": 0.97, "Young": 0.99, "Bangs": 0.99, "Mustache": 0.6},
            "This template almost certainly shows no hat and no bangs, and does not read as smiling.",
        ),
        (
            {"Goatee": 0.99, "Black": 0.99},
            {"Male": 0.96, "No_Beard": 0.99},
            "This template reads almost certainly as a Black woman.",
        ),
        (
            {"Attractive": 0.99, "Oval_Face": 0.99, "Senior": 0.7},
            {},
            "This template reads probably as an elderly person.",
        ),
    ],
)  # fmt: skip
def test_short_sentences_in_full(encoded: Verdicts, denied: Verdicts, text: str) -> None:
    assert compose(encoded, denied).text == text


def test_the_other_styles_in_full() -> None:
    encoded = {"Male": 0.99, "Eyeglasses": 0.97, "Gray_Hair": 0.999, "Attractive": 0.9}
    denied = {"Bald": 0.99, "Wearing_Hat": 0.8}
    text = {style: compose(encoded, denied, style=style).text for style in STYLES}
    assert text["full"] == "This template reads as a man with gray hair, wearing eyeglasses. It shows no hat."
    assert text["technical"] == "Gray_Hair >.99, Male .99, Eyeglasses .97; not: Bald .99, Wearing_Hat .80"
    assert text["paper"] == "A photo of a male face with gray hair and eyeglasses."
    assert compose({}, {"Bald": 0.99}, style="technical").text == "not: Bald .99"
    assert compose({}, {}, style="technical") == Sentence("nothing asserted")


def test_what_is_not_said_unasked_is_said_when_asked_for_by_name() -> None:
    encoded = {"Attractive": 0.96, "Oval_Face": 0.97, "Male": 0.99}
    assert compose(encoded, {}).text == "This template reads almost certainly as a man."
    asked = compose(encoded, {}, named=["attractive", "oval face"])
    assert asked.text == "This template reads almost certainly as an attractive man with an oval face."
    assert [span.attributes for span in asked.spans] == [("Attractive",), ("Male",), ("Oval_Face",)]


def test_a_phrase_of_two_attributes_has_one_span_with_the_lower_probability() -> None:
    made = compose({"Wavy_Hair": 0.98, "Black_Hair": 0.96}, {}, subject="black hair's template")
    assert made.text == "This black hair's template reads almost certainly as a person with wavy black hair."
    (span,) = made.spans
    assert made.text[span.start : span.end] == "wavy black hair"
    assert span.to_dict() == {
        "start": span.start,
        "end": span.end,
        "attributes": ("Black_Hair", "Wavy_Hair"),
        "probability": 0.96,
    }


def test_spans_are_of_whole_words() -> None:
    made = traced("A woman and a man", [Told("man", (0,), 0.5)])
    assert made.spans[0].start == len("A woman and a ")


def test_every_attribute_has_its_place_among_the_telling() -> None:
    assert sorted(TELLING) == list(range(47))


def test_what_cannot_be_composed_is_refused() -> None:
    with pytest.raises(
        InputError, match="expected a style, found 'long'; use one of short, full, technical, paper"
    ):
        compose({}, {}, style="long")
    with pytest.raises(InputError, match="found both for Bald; leave one out"):
        compose({"Bald": 0.9}, {"bald": 0.9})
    with pytest.raises(InputError, match="expected a plain noun after 'This'"):
        compose({}, {}, subject="template.")
    with pytest.raises(InputError, match="found 'Gray_Hare'"):
        compose({"Gray_Hare": 0.9}, {})


@pytest.mark.parametrize("module", [sentences, spans])
def test_examples_in_the_docstrings_run(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
