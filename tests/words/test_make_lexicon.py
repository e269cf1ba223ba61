"""tools/make_lexicon.py: of a made-up WordNet of seven senses, rows in full; what ships is what it makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.lexicon import key, lexicon, refusals
from make_lexicon import Row, tables
from wordnet import WordNet

ROOT = Path(__file__).parents[2]
WORDNET = Path(os.environ.get("WORDNET", "/usr/share/wordnet"))
SENSES = [  # words, places of what is a kind of it, gloss
    (("hat", "lid"), (1, 2), "covers the head"),
    (("fedora",), (3,), "a soft hat"),
    (("smear_hat",), (), "an offensive name for a hat"),
    (("trilby",), (), "a fedora of narrow brim"),
    (("lid", "cover"), (), "of a pot"),
]
SEEDS = """
[[meaning]]
means = "Wearing_Hat+"
weight = 0.9
kinds = "hat.n.1"
first = true
without = "hats"
nouns = "gray hat; bearskin of a guard"
phrases = "with a lid on"

[[meaning]]
means = "Chubby+"
kind = "opposite"
note = "chosen"
senses = "stout.a.1"
adjectives = "fat"
verbs = "fatten; slim"
cheeks = "full"

[[refusal]]
reason = "no-label"
kinds = "lid.n.1"
phrases = "red scarf"
"""


def test_the_rows_in_full(tmp_path: Path) -> None:
    meanings, refused = tables(_wordnet(tmp_path / "wordnet"), _seeds(tmp_path, SEEDS))
    prompted = {row.phrase for row in meanings if row.kind == "prompt"}
    assert {"hatless", "gray hair", "neither young nor old", "hair or a hat over the forehead"} <= prompted
    assert (
        "without a hat" not in prompted
    )  # the table has "hat", and the reader of a question knows "without"
    made = [
        row for row in meanings if row.means in ("Wearing_Hat+", "Chubby+") and row.phrase not in _prompted()
    ]
    hat, fat = ("Wearing_Hat+", 0.9), ("Chubby+", 1.0)
    assert made == [
        Row("fat", *fat, "opposite", "chosen"),
        Row("fatten", *fat, "opposite", "chosen"),
        Row("fattened", *fat, "inflection", "chosen"),
        Row("fattening", *fat, "inflection", "chosen"),
        Row("fattens", *fat, "inflection", "chosen"),
        Row("fatter", *fat, "inflection", "chosen"),
        Row("fattest", *fat, "inflection", "chosen"),
        Row("full cheeks", *fat, "opposite", "chosen"),
        Row("full-cheeked", *fat, "opposite", "chosen"),
        Row("portly", *fat, "synonym", "chosen"),
        Row("slim", *fat, "opposite", "chosen"),
        Row("slimmed", *fat, "inflection", "chosen"),
        Row("slimming", *fat, "inflection", "chosen"),
        Row("slims", *fat, "inflection", "chosen"),
        Row("bearskin of a guard", *hat, "synonym", ""),
        Row("bearskins of a guard", *hat, "inflection", ""),
        Row("fedora", *hat, "hyponym", ""),
        Row("fedoras", *hat, "inflection", ""),
        Row("gray hat", *hat, "synonym", ""),
        Row("gray hats", *hat, "inflection", ""),
        Row("grey hat", *hat, "spelling", ""),
        Row("grey hats", *hat, "spelling", ""),
        Row("trilbies", *hat, "inflection", ""),
        Row("trilby", *hat, "hyponym", ""),
        Row("with a lid on", *hat, "synonym", ""),
    ]
    assert [(row.phrase, row.means) for row in refused] == [
        (phrase, "no-label") for phrase in ("cover", "covers", "lid", "lids", "red scarf")
    ]


def test_two_meanings_of_a_phrase_are_told(tmp_path: Path) -> None:
    twice = '[[meaning]]\nmeans = "Bald+"\nphrases = "shiny-skinned"\n'
    with pytest.raises(
        SystemExit, match=r"1 phrases with two meanings: shiny-skinned \(Shiny_Skin\+ prompt, Bald\+"
    ):
        tables(_wordnet(tmp_path / "wordnet"), _seeds(tmp_path, twice))
    both = '[[refusal]]\nreason = "no-label"\nphrases = "hatless"\n'
    with pytest.raises(SystemExit, match="refused, yet they have a meaning: hatless"):
        tables(_wordnet(tmp_path / "wordnet"), _seeds(tmp_path, both))


@pytest.mark.skipif(not WORDNET.exists(), reason="needs WordNet 3.0 (Debian's wordnet-base, or $WORDNET)")
def test_what_ships_is_what_the_tool_makes() -> None:
    meanings, refused = tables(WordNet(WORDNET), ROOT / "tools" / "lexicon")
    shipped = [
        (
            one.phrase,
            ";".join(f"{name}{'+' if side else '-'}" for name, side in one.means),
            one.weight,
            one.kind,
            one.note,
        )
        for one in lexicon().values()
    ]
    assert shipped == [tuple(row) for row in meanings]
    assert dict(refusals()) == {key(row.phrase): row.means for row in refused}


def _prompted() -> frozenset[str]:
    return frozenset(
        " ".join(phrase.split()[cut:])
        for row in ATTRIBUTES
        for phrase in (*row.positives, *row.negatives)
        for cut in range(4)
    )


def _seeds(folder: Path, text: str) -> Path:
    (folder / "seeds").mkdir(exist_ok=True)
    (folder / "seeds" / "seeds.toml").write_text(text)
    return folder / "seeds"


def _wordnet(folder: Path) -> WordNet:
    """A folder in WordNet's form: `SENSES` as nouns, and the adjective "stout", which "portly" is like."""
    folder.mkdir(exist_ok=True)
    places = [0]
    for _ in range(2):  # once for the lengths, once for the offsets that these give
        lines = []
        for k, (words, kinds, gloss) in enumerate(SENSES):
            at = [places[kind] if len(places) > kind else 0 for kind in kinds]
            lines.append(
                _line(places[k] if len(places) > k else 0, "n", words, [("~", one, "n") for one in at], gloss)
            )
        places = [sum(len(line) for line in lines[:k]) for k in range(len(lines))]
    (folder / "data.noun").write_text("".join(lines))
    index: dict[str, list[int]] = {}
    for (words, _, _), at in zip(SENSES, places, strict=True):
        for word in words:
            index.setdefault(word, []).append(at)
    index["lid"].reverse()  # that of a pot is the commoner one
    stout = _line(
        0, "a", ("stout",), [("&", len(_line(0, "a", ("stout",), [("&", 0, "a")], "fat")), "a")], "fat"
    )
    (folder / "data.adj").write_text(stout + _line(len(stout), "s", ("portly",), [("&", 0, "a")], "fat"))
    for name, entries in {
        "noun": index,
        "adj": {"stout": [0], "portly": [len(stout)]},
        "verb": {},
        "adv": {},
    }.items():
        part = name[0]
        text = "".join(
            f"{word} {part} {len(at)} 0 {len(at)} 0 {' '.join(f'{one:08}' for one in at)}\n"
            for word, at in sorted(entries.items())
        )
        (folder / f"index.{name}").write_text("  1 a line of its licence\n" + text)
        (folder / f"data.{name}").touch()
        (folder / f"{name}.exc").touch()
    (folder / "adj.exc").write_text("fatter fat\nfattest fat\n")
    (folder / "verb.exc").write_text("slimmed slim\nslimming slim\n")
    return WordNet(folder)


def _line(
    at: int, part: str, words: tuple[str, ...], pointers: list[tuple[str, int, str]], gloss: str
) -> str:
    said = " ".join(f"{word} 0" for word in words)
    points = "".join(f" {symbol} {offset:08} {kind} 0000" for symbol, offset, kind in pointers)
    return f"{at:08} 06 {part} {len(words):02x} {said} {len(pointers):03}{points} | {gloss}  \n"
