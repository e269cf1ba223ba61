"""A reader of captions that shares nothing with their writer: what a text words, and whether it keeps every rule.

Small regular expressions say which attributes a text words (`SAYS`), and the rules on contradictory labels are written
here a second time (`kept`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise

from clip_smu.words.attributes import NAMES
from places import GOLDEN

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
    "certainly",
    "probably",
    "perhaps",
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
        clauses = re.split(r", (?:and is|and does|wearing|along with|probably|perhaps)\b|\bwho\b", sentence)
        for clause in clauses:
            last = re.split(r"\b(?:with|has|have|shows|show|wearing|not|as|of)\b", clause)[-1]
            if last.count(", ") > 1 and not re.search(
                r"\b(man|woman|person|face)$", last
            ):  # adjectives have commas
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


def sides(labels: Sequence[int]) -> tuple[set[str], set[str]]:
    return (
        {name for name, label in zip(NAMES, labels, strict=True) if label == 1},
        {name for name, label in zip(NAMES, labels, strict=True) if label == -1},
    )
