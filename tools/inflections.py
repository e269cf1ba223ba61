"""Forms of English words: plurals, comparatives, verbs, and the other ways to spell a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wordnet import WordNet

SPELLINGS: tuple[tuple[str, str], ...] = (
    ("gray", "grey"),
    ("graying", "greying"),
    ("grayer", "greyer"),
    ("grayest", "greyest"),
    ("grayish", "greyish"),
    ("graybeard", "greybeard"),
    ("graybeards", "greybeards"),
    ("mustache", "moustache"),
    ("mustaches", "moustaches"),
    ("mustached", "moustached"),
    ("color", "colour"),
    ("colored", "coloured"),
    ("coloring", "colouring"),
    ("jewelry", "jewellery"),
    ("blond", "blonde"),
    ("blonds", "blondes"),
    ("makeup", "make-up"),
    ("jeweled", "jewelled"),
    ("center", "centre"),
    ("chiseled", "chiselled"),
    ("five o'clock", "5 o'clock"),
    ("mom", "mum"),
    ("moms", "mums"),
    ("mommy", "mummy"),
    ("pajama", "pyjama"),
    ("woolen", "woollen"),
    ("eyeshadow", "eye shadow"),
    ("toupee", "toupée"),
)
"""Words that are spelled in two ways, here American before British where it is that."""


IRREGULAR = {
    "fez": "fezzes",
    "foot": "feet",
    "tooth": "teeth",
    "person": "people",
    "chapeau": "chapeaux",
    "czech": "czechs",
}
NO_MEN = frozenset(("human", "german", "roman", "ottoman", "alabaman", "oklahoman", "turkoman", "turcoman"))
IRREGULAR_ENDINGS = (("child", "children"), ("wife", "wives"), ("man", "men"))
"""Of nouns; WordNet's own list has what nobody writes of persons ("brethren", "dive" of "diva")."""

UNCOUNTED = (
    *(
        "ness",
        "hood",
        "kind",
        "wear",
        "hair",
        "men",
        "people",
        "folk",
        "makeup",
        "fuzz",
        "stubble",
        "sweat",
        "jewelry",
    ),
    *(
        "joy",
        "glee",
        "mirth",
        "ment",
        "laughter",
        "ty",
        "lence",
        "gear",
        "mascara",
        "kohl",
        "offspring",
        "fat",
        "growth",
    ),
    *(
        "foundation",
        "weight",
        "next door",
        "fungus",
        "ism",
        "ence",
        "ance",
        "cy",
        "valour",
        "humour",
        "rancour",
        "tude",
        "judgment",
    ),
)
"""Endings of nouns that have no plural of their own."""

PREPOSITION = re.compile(
    r"-(in)-(?=law$|hand$|waiting$)"
    r"| (of|in|on|to|under|beneath|below|around|upon|at|like|over|that|from|with|only) "
)


def plural(noun: str) -> str:
    """ "bowler hat" → "bowler hats", "bag under the eyes" → "bags under the eyes"; of what has none, itself."""
    if joint := PREPOSITION.search(noun):
        return plural(noun[: joint.start()]) + noun[joint.start() :]
    *before, last = re.split(r"([ -])", noun)
    if last in IRREGULAR:
        last = IRREGULAR[last]
    elif " and " in noun or (noun.endswith(UNCOUNTED) and last not in ("beauty", "cutie")):
        return noun
    elif ending := next((one for one in IRREGULAR_ENDINGS if last.endswith(one[0])), None):
        last = f"{last}s" if last.lower() in NO_MEN else last.removesuffix(ending[0]) + ending[1]
    elif last.endswith(("ss", "x", "zz", "sh")) or (last.endswith("ch") and not last.endswith("arch")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = f"{last[:-1]}ies"
    elif not last.endswith("s"):
        last += "s"
    return "".join([*before, last])


def compared(adjective: str, wordnet: WordNet) -> Iterator[str]:
    """ "fat" → "fatter", "fattest"."""
    forms = wordnet.irregular("a").get(adjective)
    if forms:
        yield from forms
    elif adjective.endswith("y"):
        yield from (f"{adjective[:-1]}ier", f"{adjective[:-1]}iest")
    else:
        stem = adjective.removesuffix("e")
        yield from (f"{stem}er", f"{stem}est")


def conjugated(verb: str, wordnet: WordNet) -> Iterator[str]:
    """ "grin" → "grins", "grinning", "grinned"; of several words the first: "shows teeth". No irregular past."""
    first, _, rest = verb.partition(" ")
    irregular = wordnet.irregular("v").get(first, [])
    if first.endswith("y") and first[-2] not in "aeiou":
        forms = [f"{first[:-1]}ies", f"{first}ing", f"{first[:-1]}ied"]
    else:
        doubled = next((form.removesuffix("ing") for form in irregular if form.endswith("ing")), None)
        stem = doubled or (first if first.endswith("ee") else first.removesuffix("e"))
        past = [] if any(not form.endswith(("ing", "ed", "s")) for form in irregular) else [f"{stem}ed"]
        forms = [f"{first}es" if first.endswith(("s", "x", "ch", "sh")) else f"{first}s", f"{stem}ing", *past]
    yield from (f"{form} {rest}".strip() for form in forms)


def spellings(phrase: str) -> Iterator[str]:
    """The phrase with each word that has another spelling in that: "gray mustache" → "grey mustache", ..."""
    for pair in SPELLINGS:
        for one, other in (pair, pair[::-1]):
            changed = re.sub(rf"(?<![\w]){re.escape(one)}(?![\w])", other, phrase)
            if changed != phrase:
                yield changed
