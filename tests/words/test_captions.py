"""Every rule of grammar that `captions` states, of captions and of descriptions, read by the grammar of the support."""

from __future__ import annotations

import csv
import doctest
import re
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clip_smu.errors import InputError, LabelError
from clip_smu.words import captions, contradictions, descriptions, english
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import caption, paper_caption
from clip_smu.words.descriptions import describe
from clip_smu.words.prompts import prompt
from grammar import check, sides, worded

# ---------------------------------------------------------------- captions of labels

any_labels = st.one_of(
    st.lists(st.sampled_from([-1, 0, 1]), min_size=47, max_size=47),
    st.lists(st.sampled_from([-1, 0, 0, 0, 0, 0, 0, 1]), min_size=47, max_size=47),
    st.lists(st.sampled_from([1, 1, 1, 1, 0, -1]), min_size=47, max_size=47),
)


@settings(max_examples=200, deadline=None)
@given(any_labels, st.integers(0, 2**32))
@example([0] * 47, 0)
@example([1] * 47, 1)
@example([-1] * 47, 2)
def test_every_caption_keeps_every_rule(labels: list[int], seed: int) -> None:
    positive, negative = sides(labels)
    rng = Random(seed)
    check(caption(labels), positive, negative & {"Male"}, most=0)
    check(caption(labels, rng=rng), positive, negative & {"Male"}, most=0)
    check(caption(labels, negatives=True), positive, negative, most=3)
    check(caption(labels, rng=rng, negatives=True), positive, negative, most=3)


@settings(max_examples=120, deadline=None)
@given(any_labels)
@example([0] * 47)
@example([1] * 47)
@example([-1] * 47)
def test_every_caption_of_the_paper_keeps_every_rule(labels: list[int]) -> None:
    text = paper_caption(labels)
    check(text, sides(labels)[0], set(), most=0)
    assert text.startswith("A photo of a")
    assert text.count(".") == 1


@settings(max_examples=120, deadline=None)
@given(any_labels, st.randoms(use_true_random=False), st.integers(0, 47))
def test_every_description_keeps_every_rule(labels: list[int], rng: Random, told: int) -> None:
    positive, negative = sides(labels)
    denied = sorted(negative)[:told]
    names = sorted(positive)
    rng.shuffle(names)
    text = describe(names, denied)
    check(text, positive, set(denied), most=None, exactly=True)
    assert text.startswith("This template ")
    assert all(sentence.startswith("It ") for sentence in text[:-1].split(". ")[1:])


def test_each_attribute_alone_and_each_pair_of_attributes() -> None:
    rng = Random(7)
    for i, first in enumerate(NAMES):
        for second in NAMES[i:]:
            labels = {first: 1, second: 1}
            for text in (
                caption(labels),
                caption(labels, rng=rng),
                paper_caption(labels),
                describe([first, second]),
            ):
                check(text, set(labels), set(), most=0)
        if first != "Male":
            check(caption({first: -1}, negatives=True), set(), {first}, most=1, exactly=True)
            check(describe([], [first]), set(), {first}, most=1, exactly=True)


def test_every_paraphrase_of_a_caption_is_read_as_its_attribute() -> None:
    """The checker would miss a paraphrase that its signs do not know; this shows that it knows them all."""
    rng = Random(3)
    for name in NAMES:
        texts = {caption({name: 1}, rng=rng) for _ in range(300)}
        assert len(texts) > 8, name
        assert all(worded(text) == ({name}, set()) for text in texts), texts


def test_real_labels(shared: Path) -> None:
    with (shared / "data/lfw/lfw_maad47.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    rng = Random(1)
    for row in rows[::50]:
        labels = [int(value) for value in row[2:]]
        positive, negative = sides(labels)
        check(paper_caption(labels), positive, set(), most=0)
        check(caption(labels, rng=rng, negatives=True), positive, negative, most=3)
        check(describe(sorted(positive), sorted(negative)), positive, negative, most=None, exactly=True)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({}, "A photo of a person."),
        ({"Male": 1}, "A photo of a man."),
        ({"Male": -1}, "A photo of a woman."),
        ({"Male": 0, "Oval_Face": 1}, "A photo of a person with an oval face."),
        (
            {"Male": 1, "Attractive": 1, "Chubby": 1, "Bald": 1, "Young": 1, "Asian": 1},
            "A photo of an attractive, chubby, bald young Asian man.",
        ),
        (
            {
                "Male": -1,
                "Senior": 1,
                "Black": 1,
                "Gray_Hair": 1,
                "Smiling": 1,
                "Wearing_Hat": 1,
                "Eyeglasses": 1,
            },
            "A photo of an elderly Black woman with gray hair and a smile, wearing eyeglasses and a hat.",
        ),
        ({"Wearing_Necktie": 1}, "A photo of a person wearing a necktie."),
        ({"Wavy_Hair": 1, "Blond_Hair": 1}, "A photo of a person with wavy blond hair."),
        ({"Smiling": 1, "Mouth_Closed": 1}, "A photo of a person with a closed-mouth smile."),
        ({"Big_Nose": 1, "Pointy_Nose": 1}, "A photo of a person with a big pointy nose."),
        # Rules for labels that contradict each other.
        ({"Young": 1, "Senior": 1}, "A photo of a young person."),
        ({"Black_Hair": 1, "Brown_Hair": 1}, "A photo of a person with black hair."),
        ({"Eyeglasses": 1, "No_Eyewear": 1}, "A photo of a person with no eyewear."),
        ({"No_Beard": 1, "Goatee": 1}, "A photo of a person with a goatee."),
        ({"Bald": 1, "Gray_Hair": 1, "Wavy_Hair": 1, "Bangs": 1}, "A photo of a bald person."),
        ({"Bangs": 1, "Fully_Visible_Forehead": 1}, "A photo of a person with bangs."),
        (
            {"Bald": 1, "Bangs": 1, "Fully_Visible_Forehead": 1},
            "A photo of a bald person with a fully visible forehead.",
        ),
    ],
)
def test_captions_in_full(labels: dict[str, int], text: str) -> None:
    assert caption(labels) == text


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({"Bald": -1}, "A photo of a person who is not bald."),
        ({"Mustache": -1, "Male": 1}, "A photo of a man who has no mustache."),
        ({"Big_Nose": -1, "Wavy_Hair": -1}, "A photo of a person who does not have wavy hair or a big nose."),
        ({"Mouth_Closed": -1, "No_Beard": -1}, "A photo of a person with an open mouth and a beard."),
        (
            {"No_Eyewear": -1, "Eyeglasses": -1},
            "A photo of a person wearing eyewear. The person is not wearing eyeglasses.",
        ),
        (
            {"Male": 1, "Brown_Hair": 1, "Bald": -1, "Gray_Hair": -1, "Wearing_Hat": -1, "Smiling": -1},
            "A photo of a man with brown hair. He is not smiling or wearing a hat.",
        ),
        (
            {"Young": -1, "Eyeglasses": -1, "Wearing_Hat": -1, "Male": 1, "Goatee": 1},
            "A photo of a man with a goatee. He is not young and is not wearing eyeglasses or a hat.",
        ),
        ({"Mustache": 1, "No_Beard": -1}, "A photo of a person with a mustache."),
        (
            {"Obstructed_Forehead": -1, "Fully_Visible_Forehead": -1},
            "A photo of a person who does not have a covered forehead.",
        ),
    ],
)
def test_negative_labels_are_worded_on_request_only(labels: dict[str, int], text: str) -> None:
    assert caption(labels, negatives=True) == text
    assert " not " not in caption(labels)
    assert " no " not in caption(labels)


def test_the_papers_captions_in_full() -> None:
    assert paper_caption({}) == "A photo of a face."
    assert paper_caption({"Male": -1, "Gray_Hair": 1, "Wearing_Hat": 1, "Wearing_Necktie": 1}) == (
        "A photo of a face with gray hair, a hat and a necktie."
    )
    assert paper_caption(
        {"Attractive": 1, "Oval_Face": 1, "Young": 1, "White": 1, "Male": 1, "Smiling": 1}
    ) == ("A photo of an attractive, smiling, oval young white male face.")
    for row in ATTRIBUTES:
        assert paper_caption({row.name: 1}) == prompt(row)


def test_a_long_caption_goes_on_in_further_sentences() -> None:
    names = ["Gray_Hair", "Receding_Hairline", "Oval_Face", "Double_Chin", "Brown_Eyes", "Big_Nose", "Goatee"]
    names += ["Big_Lips", "Eyeglasses", "Wearing_Necktie"]
    assert caption({"Male": 1, **dict.fromkeys(names, 1)}) == (
        "A photo of a man with gray hair, a receding hairline, an oval face, a double chin, brown eyes and a "
        "big nose. He has a goatee and big lips, and is wearing eyeglasses and a necktie."
    )


# fmt: off
NOUNS = [
    "Black_Hair", "Bangs", "Shiny_Skin", "Rosy_Cheeks", "High_Cheekbones", "Double_Chin", "Brown_Eyes",
    "Bushy_Eyebrows", "Big_Nose", "Sideburns", "Mustache", "Big_Lips", "Mouth_Closed", "No_Eyewear",
]
# fmt: on


@pytest.mark.parametrize(
    ("count", "listed", "read"),
    [(7, [7], [7]), (8, [8], [5, 3]), (9, [6, 3], [5, 4]), (14, [6, 7, 1], [5, 7, 2])],
)
def test_how_many_nouns_a_sentence_holds(count: int, listed: list[int], read: list[int]) -> None:
    chosen = NOUNS[:count]
    for text, nouns in ((caption(dict.fromkeys(chosen, 1)), listed), (describe(chosen), read)):
        sentences = text.removesuffix(".").split(". ")
        assert [len(re.split(", | and ", one.partition(" with ")[2] or one)) for one in sentences] == nouns
    listed_on = caption(dict.fromkeys(NOUNS, 1)).split(". ")[1:]
    assert listed_on[0].startswith("The person has brown") and listed_on[1].startswith(
        "The person also has no"
    )
    read_on = describe(NOUNS).split(". ")[1:]
    assert read_on[0].startswith("It also shows") and read_on[1].startswith("It further shows")


def test_the_same_seed_gives_the_same_caption_and_other_seeds_others() -> None:
    labels = {"Male": 1, "Young": 1, "Gray_Hair": 1, "Big_Nose": 1, "Wearing_Hat": 1}
    assert caption(labels, rng=Random(5)) == caption(labels, rng=Random(5))
    assert len({caption(labels, rng=Random(seed)) for seed in range(100)}) > 80
    assert caption(labels) == caption(labels)


def test_labels_as_a_list_and_as_a_mapping_are_one() -> None:
    row = [0] * 47
    row[NAMES.index("Bald")] = row[NAMES.index("Male")] = 1
    assert caption(row) == caption(tuple(row)) == caption({"bald": 1, "male": 1, "No Beard": 0})


@pytest.mark.parametrize("worder", [caption, paper_caption])
def test_bad_labels_are_refused(worder: type(caption)) -> None:  # type: ignore[valid-type]
    with pytest.raises(LabelError, match="expected 47 labels, found 46"):
        worder([0] * 46)
    with pytest.raises(LabelError, match="expected labels of 1, 0 or -1, found 2 for Young"):
        worder([0, 2] + [0] * 45)
    with pytest.raises(LabelError, match="found '1' for Male"):
        worder(["1"] * 47)
    with pytest.raises(InputError, match="found 'Gray_Hare'; did you mean Gray_Hair"):
        worder({"Gray_Hare": 1})


# ---------------------------------------------------------------- descriptions of readings


@pytest.mark.parametrize(
    ("positive", "negative", "text"),
    [
        ([], [], "This template gives away none of the attributes that can be told."),
        ([], ["Male"], "This template reads as a woman."),
        ([], ["Eyeglasses", "Mustache"], "This template shows no eyeglasses and no mustache."),
        (
            ["Young", "White", "Brown_Hair", "Smiling", "No_Eyewear"],
            ["Male"],
            "This template reads as a young white woman with brown hair, a smile and no eyewear.",
        ),
        (
            ["wearing necktie", "Bald", "MALE", "mustache", "hat"],
            ["Eyeglasses", "Smiling"],
            "This template reads as a bald man with a mustache, wearing a hat and a necktie. "
            "It shows no eyeglasses and does not read as smiling.",
        ),
        (
            ["Male"],
            ["Big_Nose", "Wavy_Hair", "Bald"],
            "This template reads as a man. It does not show a big nose or wavy hair, "
            "and does not read as bald.",
        ),
        (["Gray_Hair"], ["Black_Hair", "Bald"], "This template reads as a person with gray hair."),
        (["Male"], ["No_Beard"], "This template reads as a man with a beard."),
    ],
)
def test_descriptions_in_full(positive: list[str], negative: list[str], text: str) -> None:
    assert describe(positive, negative) == text


def test_a_long_description_goes_on() -> None:
    names = ["Male", "Gray_Hair", "Receding_Hairline", "Oval_Face", "Double_Chin", "Brown_Eyes", "Big_Nose"]
    names += ["Goatee", "Eyeglasses", "Wearing_Necktie"]
    assert describe(names) == (
        "This template reads as a man with gray hair, a receding hairline, an oval face, a double chin and "
        "brown eyes. It also shows a big nose and a goatee, along with eyeglasses and a necktie."
    )


def test_the_subject_of_a_description() -> None:
    assert describe(["Bald"], subject="photo's template") == "This photo's template reads as a bald person."
    for subject in ("", "template.", " template", "two  words", "a\nb"):
        with pytest.raises(InputError, match="expected a plain noun after 'This'"):
            describe(["Bald"], subject=subject)


def test_an_attribute_cannot_be_on_both_sides_of_a_description() -> None:
    with pytest.raises(InputError, match="expected positive or negative, found both for Bald; leave one out"):
        describe(["Bald", "Male"], ["bald"])
    with pytest.raises(InputError, match="found 'bold'"):
        describe(["bold"])


@pytest.mark.parametrize("module", [captions, contradictions, descriptions, english])
def test_examples_in_the_docstrings_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted >= 1
    assert result.failed == 0


@pytest.mark.slow
def test_thirty_thousand_random_captions_keep_every_rule() -> None:
    rng = Random(2024)
    for _ in range(30_000):
        weights = rng.choice(((1, 1, 1), (1, 8, 1), (1, 1, 6), (6, 1, 1)))
        labels = rng.choices((-1, 0, 1), weights, k=47)
        check(caption(labels, rng=rng, negatives=True), *sides(labels), most=3)
