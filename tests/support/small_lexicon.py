"""A few words of a lexicon, for tests of grammar that must not hang on the table that ships."""

from __future__ import annotations

from clip_smu.words.expression import And, Expression, Not, Or, Part, in_words
from clip_smu.words.lexicon import Entry
from clip_smu.words.phrases import Phrases, phrases_of

WORDS = {
    "Wearing_Hat+": "hat; hats; fedora; bonnet",
    "Wearing_Hat-": "bareheaded",
    "Eyeglasses+": "glasses; eyeglasses; spectacles; bespectacled",
    "Wearing_Necktie+": "tie; necktie; shirt and tie",
    "Wearing_Earrings+": "earrings",
    "Wearing_Lipstick+": "lipstick",
    "Heavy_Makeup+": "makeup; heavy makeup",
    "No_Beard-": "beard; beards; bearded",
    "No_Beard+": "clean shaven",
    "Goatee+": "goatee",
    "Mustache+": "mustache; moustache",
    "Bald+": "bald; hairless",
    "Bald-": "hair",
    "Black_Hair+": "black hair; black haired",
    "Brown_Hair+": "brown hair; brown haired; brunette",
    "Blond_Hair+": "blond; blond hair",
    "Gray_Hair+": "gray; gray hair; pepper and salt",
    "Wavy_Hair+": "curly hair; ringlets; curly",
    "Brown_Eyes+": "brown eyes",
    "Bags_Under_Eyes+": "bags under the eyes",
    "Black+": "black",
    "White+": "white",
    "Asian+": "asian",
    "Male+": "man; men; male; he",
    "Male-": "woman; women; female; she",
    "Male-;Senior+": "granny",
    "Senior+": "old; elderly",
    "Young+": "young",
    "Chubby+": "chubby",
    "Smiling+": "smiling; smile",
    "Attractive+": "pretty",
    "Shiny_Skin+": "oily skin",
}
REFUSED = {
    "guilty": "not-on-a-face",
    "rich": "not-on-a-face",
    "green eyes": "no-label",
    "red hair": "no-label",
}


def small_phrases() -> Phrases:
    """Their phrases."""
    entries = {}
    for means, phrases in WORDS.items():
        sides = tuple((one[:-1], one[-1] == "+") for one in means.split(";"))
        for phrase in phrases.split("; "):
            kind = "person" if phrase == "granny" else "synonym"
            entries[phrase] = Entry(phrase, sides, 0.9 if phrase == "bonnet" else 1.0, kind, "")
    return phrases_of(entries, REFUSED)


def holds(expression: Expression, face: dict[str, bool]) -> bool:
    """Whether an expression is true of a face, by its definition."""
    if isinstance(expression, Not):
        return not holds(expression.of, face)
    if isinstance(expression, And):
        return all(holds(one, face) for one in expression.of)
    if isinstance(expression, Or):
        return any(holds(one, face) for one in expression.of)
    assert isinstance(expression, Part), in_words(expression)
    return all(face[name] == side for name, side in expression.means)
