"""Every rule of grammar that `captions` states, checked by code that shares nothing with it.

The checker reads finished text: small regular expressions say which attributes a text words (`SAYS`), and the
rules on contradictory labels are written here a second time (`kept`).
"""

from __future__ import annotations

import csv
import doctest
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clip_smu.errors import InputError, LabelError
from clip_smu.words import captions, contradictions, descriptions, english
from clip_smu.words.attribute_table import ATTRIBUTES, Attribute
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import caption, paper_caption
from clip_smu.words.descriptions import describe
from clip_smu.words.english import words
from clip_smu.words.prompts import prompt, prompts
from clip_smu.words.vocabulary import vocabulary
from places import GOLDEN

# ---------------------------------------------------------------- the checker

SAYS: dict[str, str] = {
    "Male": r"\b(man|gentleman|male)\b",
    "Young": r"\b(young|youthful)\b|early adulthood",
    "Middle_Aged": r"\bmiddle-aged\b|midlife|middle age|middle of life",
    "Senior": r"\b(elderly|old|senior)\b|(?<![-\w])aged\b|advanced age",
    "Asian": r"\bAsian\b",
    "White": r"\bwhite\b(?! hair)|\bCaucasian\b|\bEuropean\b",
    "Black": r"\bBlack\b|\bAfrican\b",
    "Rosy_Cheeks": r"\bcheeks\b|rosy complexion",
    "Shiny_Skin": r"\bskin\b(?! under)|glossy complexion",
    "Bald": r"\bbald\b|shaven-headed",
    "Wavy_Hair": r"\b(wavy|curly|curls|waves|waving)\b",
    "Receding_Hairline": r"hairline|receding|thinning|hair loss",
    "Bangs": r"\bbangs\b|\bfringe\b|across the forehead|over the brow",
    "Sideburns": r"sideburns|sideboards|side whiskers|mutton chops|front of the ears",
    "Black_Hair": r"\bblack (hair|locks)\b|\b(raven|ebony)\b",
    "Blond_Hair": r"\b(blonde?|fair|golden|yellow|flaxen) hair\b",
    "Brown_Hair": r"\b(brown|brunette|chestnut) (hair|locks)\b",
    "Gray_Hair": r"\b(gr[ae]y|gr[ae]ying|silvery?|white) hair\b",
    "No_Beard": r"\bno beard\b|\b(smooth|shaved) chin\b",
    "Mustache": r"\bmo?ustache\b|upper lip|above the mouth",
    "5_o_Clock_Shadow": r"o'clock shadow|stubbl|day's growth",
    "Goatee": r"goatee|\bchin beard|pointed beard|beard on the chin|beard only",
    "Oval_Face": r"\boval\b|egg|elliptical",
    "Square_Face": r"\bsquare\b|angular|boxy",
    "Round_Face": r"\b(round|rounded|circular)\b|moon",
    "Double_Chin": r"\b(double|second|fleshy|sagging) chin\b|under the chin",
    "High_Cheekbones": r"\bcheekbones\b",
    "Chubby": r"\b(chubby|heavyset|overweight|stout|pudgy)\b|\bplump\b(?! lips)",
    "Obstructed_Forehead": r"\b(covered|obstructed|hidden|concealed) forehead\b|forehead hidden",
    "Fully_Visible_Forehead": r"\b(visible|clear|exposed|bare|open|unobstructed) forehead\b",
    "Brown_Eyes": r"\b(brown|chestnut) (eyes|irises)\b",
    "Bags_Under_Eyes": r"\bbags\b|\b(puffy|baggy|tired)( brown)? eyes|puffiness|swelling|pouches",
    "Bushy_Eyebrows": r"\b(bushy|thick|dense|heavy|full|shaggy|hairy)( arched)? (eye)?brows\b",
    "Arched_Eyebrows": r"\barched\b|\b(curved|bow-shaped) eyebrows\b|\barch in\b",
    "Mouth_Closed": r"\b(closed|shut) mouth\b|\b(closed|sealed) lips|lips (pressed|held)|closed-(mouth|lip)",
    "Smiling": r"\b(smile|smiling|grin|grinning|happy|cheerful)\b",
    "Big_Lips": r"\b(big|full|thick|large|plump|fleshy|voluminous) lips\b",
    "Big_Nose": r"\b(big|large|prominent|broad|wide|huge|sizable)( \w+)? nose\b",
    "Pointy_Nose": r"\b(pointy|pointed|sharp|sharp-tipped) nose\b",
    "Heavy_Makeup": r"\bmake-?up\b|cosmetics|\bmade up\b",
    "Wearing_Hat": r"\b(hat|cap|beanie|headwear)\b",
    "Wearing_Earrings": r"\bearrings\b|\bear (studs|jewelry)\b",
    "Wearing_Necktie": r"\b(neck)?tie\b|neckwear",
    "Wearing_Lipstick": r"\blipstick\b|\blip (gloss|color)\b",
    "No_Eyewear": r"\bno eyewear\b",
    "Eyeglasses": r"glasses\b|\b(spectacles|specs|bespectacled)\b",
    "Attractive": r"\b(attractive|good-looking|beautiful|nice-looking|appealing|handsome|pretty)\b",
}
SAYS_THE_OPPOSITE: dict[str, str] = {
    "Male": r"\b(woman|lady|female)\b",
    "No_Beard": r"(?<!no )\b(a beard(?! only)|a bearded chin|whiskers on the chin|beard growth)\b",
    "Mouth_Closed": r"\bopen mouth\b|\bparted lips\b",
    "No_Eyewear": r"(?<!no )\beyewear\b",
}
DENIAL = re.compile(r"\b(has no|does not have|is not|shows no|does not show|does not read as)\b.*")

EXCLUSIVE = [
    ["Young", "Middle_Aged", "Senior"],
    ["Asian", "White", "Black"],
    ["Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"],
    ["Oval_Face", "Square_Face", "Round_Face"],
    ["Obstructed_Forehead", "Fully_Visible_Forehead"],
    ["No_Eyewear", "Eyeglasses"],
]
FACIAL_HAIR = {"Mustache", "Goatee", "5_o_Clock_Shadow"}
SCALP_HAIR = {"Wavy_Hair", "Bangs", *EXCLUSIVE[2]}

ACCURACY = {
    row["name"]: row["accuracy"]
    for row in json.loads((GOLDEN / "maad_attributes.json").read_text())["attributes"]
}


def kept(positive: set[str]) -> set[str]:
    """The positive labels that a text may word, and must."""
    for group in EXCLUSIVE:
        held = [name for name in group if name in positive]
        if held:
            positive = positive - set(held) | {max(held, key=lambda name: ACCURACY[name])}
    if positive & FACIAL_HAIR:
        positive = positive - {"No_Beard"}
    if "Bald" in positive:
        positive = positive - SCALP_HAIR
    if "Bangs" in positive:
        positive = positive - {"Fully_Visible_Forehead"}
    return positive


def idle(positive: set[str], negative: set[str]) -> set[str]:
    """The negative labels that go without saying beside what is said."""
    out = {name for group in EXCLUSIVE if positive & set(group) for name in group}
    if "No_Beard" in positive:
        out |= {"Goatee", "5_o_Clock_Shadow"}
    if positive & FACIAL_HAIR:
        out.add("No_Beard")
    if "Bald" in positive:
        out |= SCALP_HAIR | {"Receding_Hairline"}
    if positive & SCALP_HAIR:
        out.add("Bald")
    if "Bangs" in positive:
        out.add("Fully_Visible_Forehead")
    if "Fully_Visible_Forehead" in positive:
        out.add("Bangs")
    if "Obstructed_Forehead" in negative - out:
        out.add("Fully_Visible_Forehead")
    return out


def worded(text: str) -> tuple[set[str], set[str]]:
    """The attributes that a text affirms and those that it denies."""
    sentences = re.sub(r"\bno beard\b", "a shaved chin", text)  # "He has no beard" affirms No_Beard
    sentences = re.sub(r"\bno eyewear\b( at all)?", "NO-EYEWEAR", sentences)
    denials = " | ".join(m.group() for s in sentences.split(". ") for m in DENIAL.finditer(s))
    rest = ". ".join(DENIAL.sub("", s) for s in sentences.split(". "))
    yes = {name for name, sign in SAYS.items() if name != "No_Eyewear" and re.search(sign, rest)}
    no = {name for name, sign in SAYS.items() if re.search(sign, denials)}
    no |= {name for name, sign in SAYS_THE_OPPOSITE.items() if re.search(sign, rest)}
    return (yes | {"No_Eyewear"} if "NO-EYEWEAR" in rest else yes), no


WANTS_MORE = {
    "a",
    "an",
    "the",
    "and",
    "or",
    "with",
    "without",
    "wearing",
    "no",
    "not",
    "has",
    "is",
    "of",
    "as",
    "who",
}
WANTS_MORE |= {
    "also",
    "but",
    "under",
    "shows",
    "reads",
    "does",
    "have",
    "show",
    "very",
    "this",
    "along",
    "along with",
}


def check_grammar(text: str) -> None:
    """Rules 1 to 5 of the module's docstring, on finished text."""
    assert re.fullmatch(r"[A-Za-z0-9',. -]+", text), text
    assert re.search(r"[^.]\.$", text), f"no full stop: {text}"
    assert not re.search(r"  | [,.]|,[,.]|\.\.|,\S|\.(?! |$)|^ | $", text), f"spacing: {text}"
    for sentence in text[:-1].split(". "):
        assert re.match(r"[A-Z]", sentence), f"no capital: {sentence}"
        assert "," not in sentence[-1]
        tokens = re.findall(r"[\w'-]+", sentence.lower())
        assert tokens[-1] not in WANTS_MORE, f"dangling: {sentence}"
        for left, right in pairwise(tokens):
            assert left != right, f"doubled: {sentence}"
            assert not (left in {"with", "and", "or", "a", "an", "of"} and right in {"and", "or", "with"}), (
                sentence
            )
        for article, after in re.findall(r"\b([Aa]n?) ([\w'-]+)", sentence):
            vowel = after[0].lower() in "aeiou" and not re.match(r"(?i)eu|uni|use|one\b", after)
            assert (article.lower() == "an") == vowel, f"article: {sentence}"
        # No Oxford comma: a comma stands before "and" only where a new predicate begins.
        assert not re.search(r", (and|or) (?!is |does )", sentence), f"Oxford comma: {sentence}"
        # A list of three has its "and": commas that part nouns are followed by one in the same clause.
        clauses = re.split(r", (?:and is|and does|wearing|along with)\b|\bwho\b", sentence)
        for clause in clauses:
            if (
                len(
                    re.findall(
                        r", ", re.split(r"\b(?:with|has|have|shows|show|wearing|not|as)\b", clause)[-1]
                    )
                )
                > 1
            ):
                assert re.search(r" (and|or) ", clause), f"a list without and: {sentence}"


def check_order(text: str) -> None:
    """Rule 6: opinion, state, build, head, age, race, then the noun."""
    head = re.split(r"\b(?:man|gentleman|woman|lady|person|individual|face|shows?|does)\b", text)[0]
    order = [
        "Attractive",
        "Chubby",
        "Bald",
        "Young",
        "Middle_Aged",
        "Senior",
        "Asian",
        "White",
        "Black",
        "Male",
    ]
    places = [m.start() for name in order if (m := re.search(SAYS[name], head))]
    assert places == sorted(places), text


def check(
    text: str, positive: set[str], negative: set[str], *, most: int | None, exactly: bool = False
) -> None:
    """All rules on one text of these labels; at most ``most`` denials (besides a woman), or all."""
    check_grammar(text)
    check_order(text)
    yes, no = worded(text)
    assert yes == kept(positive), text
    may_deny = negative - idle(kept(positive), negative)
    gender = {"Male"} & negative
    if exactly:
        assert no == may_deny, text
    else:
        assert gender <= no <= may_deny | gender, text
        assert most is None or len(no - gender) <= most, text
        if most:
            assert len(no - gender) >= min(1, len(may_deny - gender)), text


# ---------------------------------------------------------------- captions of labels

any_labels = st.one_of(
    st.lists(st.sampled_from([-1, 0, 1]), min_size=47, max_size=47),
    st.lists(st.sampled_from([-1, 0, 0, 0, 0, 0, 0, 1]), min_size=47, max_size=47),
    st.lists(st.sampled_from([1, 1, 1, 1, 0, -1]), min_size=47, max_size=47),
)


def sides(labels: Sequence[int]) -> tuple[set[str], set[str]]:
    return (
        {name for name, label in zip(NAMES, labels, strict=True) if label == 1},
        {name for name, label in zip(NAMES, labels, strict=True) if label == -1},
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


# ---------------------------------------------------------------- prompts


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


# ---------------------------------------------------------------- words


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
