"""Makes src/clip_smu/data/lexicon.tsv and refusals.tsv of WordNet 3.0 and of what was written by hand.

    apt-get install wordnet-base      # or unpack the .deb: dpkg-deb -x wordnet-base_*.deb build/wordnet
    PYTHONPATH=src python tools/make_lexicon.py /usr/share/wordnet

WordNet is read here only: the package ships the two tables, and WordNet's notice beside them (LEXICON-LICENCE.txt).
What is taken from it, and what of that is left out after review, stands in ``tools/lexicon/*.toml``:

    [[meaning]]
    means = "Wearing_Hat+"       what holds together; [[refusal]] has a reason instead
    weight = 1.0                 how surely the words mean that
    kind = "synonym"             of the words written here: synonym, person, opposite
    note = ""                    the choice made where the words have two readings
    kinds = "cap.n.1"            these senses of WordNet and all that is a kind of them
    senses = "fat.a.1"           these senses, and what is similar to an adjective's
    first = true                 of these senses only words that mean it before anything else
    without = "lid"              words of these senses that mean something else as well, or are not understood
    nouns, adjectives, verbs     words that are written here, to be inflected; phrases: as they are
    hair, eyes, brows ...        adjectives for the shapes of `SHAPES`: "raven hair", "raven-haired"

Lists are written with semicolons. A phrase with two meanings is an error, so that one must be chosen.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import INDEX
from clip_smu.words.english import words
from inflections import compared, conjugated, plural, spellings
from wordnet import WordNet

TOOLS = Path(__file__).parent
DATA = TOOLS.parent / "src" / "clip_smu" / "data"

SHAPES: dict[str, tuple[str, ...]] = {
    "hair": ("{} hair", "{}-haired"),
    "cut": ("{} hair",),
    "tint": ("{}-colored hair",),
    "eyes": ("{} eyes", "{}-eyed"),
    "brows": ("{} eyebrows", "{} brows", "{}-browed"),
    "nose": ("{} nose", "{}-nosed"),
    "lips": ("{} lips", "{}-lipped"),
    "mouth": ("{} mouth", "mouth {}"),
    "face": ("{} face", "{}-faced"),
    "features": ("{} face", "{} features"),
    "cheeks": ("{} cheeks", "{}-cheeked"),
    "cheekbones": ("{} cheekbones",),
    "chin": ("{} chin", "{}-chinned"),
    "jaw": ("{} jaw", "{} jawline", "{}-jawed"),
    "skin": ("{} skin", "{} complexion"),
    "forehead": ("{} forehead", "forehead {}"),
    "hat": ("{} hat", "{} hats", "{} cap", "{} caps", "{} helmet"),
    "glasses": ("{} glasses", "{} spectacles", "{} eyeglasses"),
    "sunglasses": ("{} sunglasses",),
    "tie": ("{} tie", "{} ties", "{} necktie", "{} bow tie"),
    "earrings": ("{} earring", "{} earrings"),
    "lipstick": ("{} lipstick",),
    "beard": ("{} beard", "{} beards"),
    "mustache": ("{} mustache", "{} mustaches"),
    "goatee": ("{} goatee",),
    "sideburns": ("{} sideburns",),
    "stubble": ("{} stubble",),
    "bangs": ("{} bangs", "{} fringe"),
    "looks": ("{}", "{}-looking"),
    "looking": ("{}-looking",),
    "years": ("{} years old", "{}-year-old", "aged {}"),
}
"""What adjectives are put into."""


class Row(NamedTuple):
    """A phrase, what it means (or why it is refused), and the rest of a row of the table."""

    phrase: str
    means: str
    weight: float
    kind: str
    note: str


def main() -> None:
    wordnet = WordNet(Path(sys.argv[1]))
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else DATA
    meanings, refused = tables(wordnet, TOOLS / "lexicon")
    header = "phrase\tmeans\tweight\tkind\tnote"
    lines = [f"{row.phrase}\t{row.means}\t{row.weight:g}\t{row.kind}\t{row.note}" for row in meanings]
    (output / "lexicon.tsv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    lines = [f"{row.phrase}\t{row.means}\t{row.note}" for row in refused]
    (output / "refusals.tsv").write_text("\n".join(["phrase\treason\tnote", *lines, ""]), encoding="utf-8")


def tables(wordnet: WordNet, folder: Path) -> tuple[list[Row], list[Row]]:
    """The rows of the lexicon and of the refusals, of a folder of TOML files."""
    files = [tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.toml"))]
    prompted = list(prompt_rows())
    stated = [row for one in files for block in one.get("meaning", []) for row in block_rows(block, wordnet)]
    meanings = settled([*prompted, *stated])
    held = {key(row.phrase): row for row in meanings}
    for row in negated_prompt_rows(held):
        held.setdefault(key(row.phrase), row)
    refused = settled(
        row for one in files for block in one.get("refusal", []) for row in block_rows(block, wordnet)
    )
    both = [row for row in refused if key(row.phrase) in held]
    if by_hand := [row.phrase for row in both if row.kind not in ("hyponym", "inflection", "spelling")]:
        raise SystemExit(f"refused, yet they have a meaning: {'; '.join(by_hand)}; choose one")
    return (
        sorted(held.values(), key=lambda row: (INDEX[row.means.split(";")[0][:-1]], row.means, row.phrase)),
        sorted(
            (row for row in refused if key(row.phrase) not in held), key=lambda row: (row.means, row.phrase)
        ),
    )


def settled(rows: Iterator[Row] | list[Row]) -> list[Row]:
    """Each phrase once, the first row of it with a later one's note; SystemExit: phrases with two meanings."""
    held: dict[str, Row] = {}
    twice = []
    for row in rows:
        first = held.setdefault(key(row.phrase), row)
        if first.means != row.means:
            twice.append(f"{row.phrase} ({first.means} {first.kind}, {row.means} {row.kind})")
        elif row.note and not first.note:
            held[key(row.phrase)] = first._replace(note=row.note, weight=row.weight)
    if twice:
        raise SystemExit(f"{len(twice)} phrases with two meanings: {'; '.join(twice)}; choose one of each")
    return list(held.values())


def block_rows(block: dict[str, Any], wordnet: WordNet) -> Iterator[Row]:
    """The rows of one block, with the inflections and spellings of its words."""
    means, note, weight = (
        block.get("means") or block["reason"],
        block.get("note", ""),
        block.get("weight", 1.0),
    )
    for phrase, kind in with_forms(block, wordnet):
        yield Row(phrase, means, weight, kind, note)
        yield from (Row(other, means, weight, "spelling", note) for other in spellings(phrase))


def with_forms(block: dict[str, Any], wordnet: WordNet) -> Iterator[tuple[str, str]]:
    """Phrase and kind: of WordNet, of the hand, of the shapes, and the inflections of all these."""
    kind = block.get("kind", "synonym")
    left_out = set(listed(block, "without"))
    for phrase, origin, part in of_wordnet(block, wordnet):
        if phrase not in left_out:
            yield phrase, kind if kind == "person" else origin
            if part == "n" and plural(phrase) not in left_out:
                yield plural(phrase), "inflection"
    yield from ((phrase, kind) for phrase in listed(block, "phrases"))
    for noun in listed(block, "nouns"):
        yield noun, kind
        yield plural(noun), "inflection"
    for adjective in listed(block, "adjectives"):
        yield adjective, kind
        yield from ((form, "inflection") for form in compared(adjective, wordnet))
    for verb in listed(block, "verbs"):
        yield verb, kind
        yield from ((form, "inflection") for form in conjugated(verb, wordnet))
    for shape, frames in SHAPES.items():
        for adjective in listed(block, shape):
            plain = " " not in adjective and not adjective.endswith("-looking")
            yield from ((frame.format(adjective), kind) for frame in frames if plain or "}-" not in frame)


def of_wordnet(block: dict[str, Any], wordnet: WordNet) -> Iterator[tuple[str, str, str]]:
    """(word, kind, part of speech) of the senses that a block takes from WordNet, none that its gloss calls a slur."""
    senses = [(wordnet.sense(name), "synonym") for name in listed(block, "kinds") + listed(block, "senses")]
    senses += [
        (one, "hyponym") for name in listed(block, "kinds") for one in wordnet.kinds(wordnet.sense(name))
    ]
    senses += [
        (one, "synonym") for name in listed(block, "senses") for one in wordnet.like(wordnet.sense(name))
    ]
    for sense, kind in senses:
        if not SLUR.search(sense.gloss.split('"')[0]):
            for word in sense.words:
                if not block.get("first") or wordnet.means_first(word, sense):
                    yield word.lower(), kind, sense.part


def prompt_rows() -> Iterator[Row]:
    """Our own prompts' phrases that no negation begins: "with gray hair" → "gray hair"."""
    for attribute in ATTRIBUTES:
        for side, phrases in (("+", attribute.positives), ("-", attribute.negatives)):
            for phrase in phrases:
                if not NEGATION.match(phrase):
                    bare = LEAD.sub("", phrase).lower()
                    for text in (bare, *spellings(bare)):
                        kind = "prompt" if text == bare else "spelling"
                        yield Row(text, f"{attribute.name}{side}", 1.0, kind, "")


def negated_prompt_rows(held: dict[str, Row]) -> Iterator[Row]:
    """Those that a negation begins, and whose rest no row has with the other side: "with no hair on the head"."""
    for attribute in ATTRIBUTES:
        for side, other, phrases in (("+", "-", attribute.positives), ("-", "+", attribute.negatives)):
            for phrase in phrases:
                if negation := NEGATION.match(phrase):
                    rest = held.get(key(LEAD.sub("", phrase[negation.end() :])))
                    if rest is None or rest.means != f"{attribute.name}{other}":
                        yield Row(WHO.sub("", phrase).lower(), f"{attribute.name}{side}", 1.0, "prompt", "")


def listed(block: dict[str, Any], field: str) -> list[str]:
    """The entries of a field, which semicolons part."""
    return [" ".join(entry.split()) for entry in block.get(field, "").split(";") if entry.strip()]


def key(phrase: str) -> str:
    """The one spelling that a phrase is found by: see `clip_smu.words.lexicon.key`, which reads what is made here."""
    return " ".join(words(phrase))


SLUR = re.compile(r"\b(offensive|derogatory|disparag\w+|slurs?|vulgar|obscene|pejorative)\b")
NEGATION = re.compile(
    r"(not|non-|without|(with|wearing) no|who (has|does|is) (not|no)|not wearing|with little or no)\b *"
    r"(wearing|have|look|been|wear)?\b *"
)
LEAD = re.compile(
    r"^(with|wearing|wears|whose|who has|who wears|who looks|who is|who|of|in)? ?\b(an?|the|their)?\b ?"
)
WHO = re.compile(r"^(whose|who is|who|with(?= no | little)|wearing(?= no )) ")

if __name__ == "__main__":
    main()
