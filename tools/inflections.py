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
    ("chiseled", "chiselled"),
    ("five", "5"),
    ("mom", "mum"),
    ("moms", "mums"),
    ("mommy", "mummy"),
    ("pajama", "pyjama"),
    ("woolen", "woollen"),
    ("eyeshadow", "eye shadow"),
    ("toupee", "toupée"),
)
"""Words that are spelled in two ways, here American before British where it is that."""


def plural(noun: str, wordnet: WordNet) -> str:
    """ "bowler hat" → "bowler hats"; a word that ends in s already, but not in ss, is left as it is."""
    *before, last = re.split(r"([ -])", noun)
    irregular = wordnet.irregular("n").get(last)
    if irregular and not last.endswith("s"):
        last = irregular[0]
    elif last.endswith("man") and last not in ("human", "german", "roman"):
        last = f"{last[:-2]}en"
    elif last.endswith(("ss", "x", "ch", "sh")):
        last += "es"
    elif last.endswith(("s", "wear", "hair", "men")):
        pass
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = f"{last[:-1]}ies"
    else:
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
    """ "grin" → "grins", "grinning", "grinned"; of several words the first: "shows teeth"."""
    first, _, rest = verb.partition(" ")
    irregular = [form for form in wordnet.irregular("v").get(first, []) if not form.endswith(("ing", "s"))]
    if first.endswith("y") and first[-2] not in "aeiou":
        forms = [f"{first[:-1]}ies", f"{first}ing", f"{first[:-1]}ied"]
    else:
        third = f"{first}es" if first.endswith(("s", "x", "ch", "sh")) else f"{first}s"
        doubled = next((form[: -len("ed")] for form in irregular if form.endswith("ed")), None)
        stem = doubled or (first if first.endswith("ee") else first.removesuffix("e"))
        forms = [third, f"{stem}ing", *(irregular or [f"{stem}ed"])]
    yield from (f"{form} {rest}".strip() for form in forms)


def spellings(phrase: str) -> Iterator[str]:
    """The phrase with each word that has another spelling in that: "gray mustache" → "grey mustache", ..."""
    for pair in SPELLINGS:
        for one, other in (pair, pair[::-1]):
            changed = re.sub(rf"(?<![\w]){re.escape(one)}(?![\w])", other, phrase)
            if changed != phrase:
                yield changed
