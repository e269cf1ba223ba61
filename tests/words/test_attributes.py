"""The table of attributes against MAAD-Face's own list, and the ways to name its rows."""

from __future__ import annotations

import dataclasses
import doctest
import json
import re
from pathlib import Path

import pytest

from clip_smu.errors import InputError
from clip_smu.words import attributes
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import CATEGORIES, GROUPS, INDEX, NAMES, SENSITIVE, by_name, resolve

# Negative phrases without a word of negation: true opposites, written down one by one.
OPPOSITES = {
    "Male": {
        "female",
        "a woman",
        "a female person",
        "feminine",
        "a lady",
        "a female individual",
        "a woman or girl",
    }
    | {"with a female face", "with feminine features", "of the female sex", "who looks like a woman"},
    "Young": {"older", "with an older face"},
    "Shiny_Skin": {"with matte skin"},
    "Bald": {"with hair on the head", "who has hair"},
    "Receding_Hairline": {"with a full hairline"},
    "No_Beard": {
        "with a beard",
        "bearded",
        "with a bearded chin",
        "with whiskers on the chin",
        "with beard growth",
    }
    | {"who has a beard"},
    "Mustache": {"whose upper lip is bare"},
    "Obstructed_Forehead": {"with nothing over the forehead", "with an uncovered forehead"},
    "Arched_Eyebrows": {"with straight eyebrows"},
    "Mouth_Closed": {
        "with an open mouth",
        "with their mouth open",
        "with a slightly open mouth",
        "with parted lips",
    }
    | {"open-mouthed", "whose mouth is open", "whose lips are apart"},
    "Smiling": {"unsmiling", "with a neutral or serious expression", "with a serious expression"}
    | {"with a neutral expression"},
    "Wearing_Hat": {"hatless", "bareheaded"},
    "Wearing_Earrings": {"with bare earlobes"},
    "Wearing_Necktie": {"tieless"},
    "Wearing_Lipstick": {"with bare lips", "with unpainted lips"},
    "No_Eyewear": {"wearing eyewear", "with eyewear", "with eyewear on", "wearing glasses or sunglasses"}
    | {"who wears eyewear", "with something over the eyes", "with lenses in front of the eyes"}
    | {"whose eyes are behind lenses"},
}
NEGATION = re.compile(r"\b(not|no|non|without|cannot)\b")


def test_the_table_is_maad_faces_own_in_the_order_of_its_csv(golden: Path) -> None:
    maad = json.loads((golden / "maad_attributes.json").read_text())
    assert list(NAMES) == maad["columns"][2:]
    assert len(NAMES) == 47
    for row, official in zip(ATTRIBUTES, maad["attributes"], strict=True):
        assert (row.name, row.category) == (official["name"], official["category"])
        quality = (row.label_accuracy, row.label_precision, row.label_recall)
        assert quality == (official["accuracy"], official["precision"], official["recall"])
    assert [INDEX[name] for name in NAMES] == list(range(47))


def test_groups_categories_and_sensitive_kinds() -> None:
    assert GROUPS == {
        "gender": ("Male",),
        "age": ("Young", "Middle_Aged", "Senior"),
        "race": ("Asian", "White", "Black"),
        "hair color": ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"),
        "face shape": ("Oval_Face", "Square_Face", "Round_Face"),
        "forehead": ("Obstructed_Forehead", "Fully_Visible_Forehead"),
        "eyewear": ("No_Eyewear", "Eyeglasses"),
    }
    assert SENSITIVE == {
        "gender": ("Male",),
        "age": ("Young", "Middle_Aged", "Senior"),
        "race": ("Asian", "White", "Black"),
        "attractiveness": ("Attractive",),
    }
    assert sum(len(names) for names in CATEGORIES.values()) == 47


def test_rows_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ATTRIBUTES[0].label = "man"  # type: ignore[misc]
    assert not hasattr(ATTRIBUTES[0], "__dict__")


def test_every_row_has_many_phrases_and_no_phrase_stands_twice() -> None:
    seen: dict[str, str] = {}
    for row in ATTRIBUTES:
        assert len(row.positives) >= 8, row.name
        assert len(row.negatives) >= 5, row.name
        for phrase in (*row.positives, *row.negatives):
            assert phrase.casefold() not in seen, f"{phrase!r} in {row.name} and {seen[phrase.casefold()]}"
            seen[phrase.casefold()] = row.name
            assert re.fullmatch(r"[a-zA-Z0-9'-]+( [a-zA-Z0-9'-]+)*", phrase), phrase
            assert not re.search(r"\b(\w+) \1\b", phrase), phrase


def test_what_is_said_bare_is_said_of_one_attribute() -> None:
    """ "gray hair" must not be both "with gray hair" here and "who has gray hair" there, of another row."""
    seen: dict[str, str] = {}
    for row in ATTRIBUTES:
        for phrase in row.positives:
            core = re.sub(r"^(with|wearing|who has|who wears|in|an?) ", "", phrase.casefold())
            assert seen.setdefault(core, row.name) == row.name, phrase


def test_positive_and_negative_phrases_tell_apart() -> None:
    for row in ATTRIBUTES:
        bare = {phrase for phrase in row.negatives if not NEGATION.search(phrase)}
        assert bare == OPPOSITES.get(row.name, set()), row.name
        if row.name not in ("No_Beard", "No_Eyewear"):
            denying = {phrase for phrase in row.positives if re.search(r"\b(not|without|never)\b", phrase)}
            assert not denying, row.name


def test_wording_of_a_row() -> None:
    gray, bald, hat, oval = (by_name(n) for n in ("Gray_Hair", "Bald", "Wearing_Hat", "Oval_Face"))
    assert (gray.before, gray.after, gray.negative) == ("", "with gray hair", "without gray hair")
    assert (bald.before, bald.after, bald.negative) == ("bald", "", "not bald")
    assert (hat.before, hat.after, hat.negative) == ("", "wearing a hat", "without a hat")
    assert (oval.before, oval.after, oval.negative) == ("oval", "with an oval face", "without an oval face")
    for row in ATTRIBUTES:
        assert row.before or row.after
        assert row.positives[0] in (row.before, row.after)
    for name, word in {
        "Eyeglasses": "spectacles",
        "Mustache": "moustache",
        "Gray_Hair": "grey",
        "Blond_Hair": "blonde",
        "Wearing_Hat": "beanie",
        "Wearing_Lipstick": "lip gloss",
        "Chubby": "heavyset",
        "5_o_Clock_Shadow": "stubble",
        "Senior": "elderly",
        "Wearing_Necktie": "wearing a tie",
    }.items():
        assert word in "; ".join(by_name(name).positives)


def test_labels_are_short_and_unlike() -> None:
    labels = [row.label for row in ATTRIBUTES]
    assert len(set(labels)) == 47
    assert max(map(len, labels)) <= 24
    assert (by_name("5_o_Clock_Shadow").label, by_name("No_Eyewear").label) == (
        "5 o'clock shadow",
        "no eyewear",
    )


@pytest.mark.parametrize(
    "name",
    [
        "5_o_Clock_Shadow",
        "5 o clock shadow",
        "5 o'clock shadow",
        "5 o’clock shadow",
        "5-O-CLOCK-SHADOW",
        " 5_o_clock_shadow ",
    ],
)
def test_by_name_forgives_spelling(name: str) -> None:
    assert by_name(name).name == "5_o_Clock_Shadow"


def test_by_name_knows_every_name_and_label() -> None:
    for row in ATTRIBUTES:
        assert by_name(row.name) is row
        assert by_name(row.name.lower().replace("_", "-")) is row
        assert by_name(row.label) is row


def test_an_unknown_name_gives_the_closest_ones() -> None:
    with pytest.raises(InputError, match=r"found 'Eyeglases'; did you mean Eyeglasses\?"):
        by_name("Eyeglases")
    with pytest.raises(InputError, match=r"found 'grey hair'; did you mean Gray_Hair"):
        by_name("grey hair")
    with pytest.raises(InputError, match=r"found '§'; use one of Male, Young, .*, Attractive$"):
        by_name("§")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["race", "gender"], ["Male", "Asian", "White", "Black"]),
        (["race,gender"], ["Male", "Asian", "White", "Black"]),
        ("race, gender", ["Male", "Asian", "White", "Black"]),
        (["Eyeglasses"], ["Eyeglasses"]),
        (["eyewear"], ["No_Eyewear", "Eyeglasses"]),
        (["Hair colour"], ["Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"]),
        (["face-shape"], ["Oval_Face", "Square_Face", "Round_Face"]),
        (["forehead"], ["Obstructed_Forehead", "Fully_Visible_Forehead"]),
        (["beard"], ["No_Beard", "Mustache", "5_o_Clock_Shadow", "Goatee"]),
        (["MOUTH", "smiling", "Smiling"], ["Mouth_Closed", "Smiling", "Big_Lips"]),
        (["attractiveness"], ["Attractive"]),
        (["black"], ["Black"]),
        (["black hair"], ["Black_Hair"]),
        (
            ["sensitive"],
            ["Male", "Young", "Middle_Aged", "Senior", "Asian", "White", "Black", "Attractive"],
        ),
        ([], []),
        (["", "age,"], ["Young", "Middle_Aged", "Senior"]),
    ],
)
def test_resolve(asked: list[str] | str, names: list[str]) -> None:
    assert [NAMES[i] for i in resolve(asked)] == names


def test_resolve_of_hair_is_the_category() -> None:
    assert len(resolve(["hair"])) == 9
    assert set(resolve(["hair color"])) < set(resolve(["hair"]))


def test_resolve_names_the_closest_group_of_an_unknown_one() -> None:
    with pytest.raises(
        InputError, match=r"expected attributes, groups or categories, found 'raze'; did you mean race"
    ):
        resolve(["age", "raze"])


def test_examples_in_the_docstrings_run() -> None:
    result = doctest.testmod(attributes)
    assert result.attempted >= 2
    assert result.failed == 0
