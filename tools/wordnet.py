"""WordNet 3.0's files, read: senses by name, their words, what is a kind of them, what is like them.

The format is that of wndb(5WN). A sense is named as in the literature, "hat.n.1": the first noun sense of "hat".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}


class Sense(NamedTuple):
    """One synset: its part of speech, offset, words, pointers (symbol, part of speech, offset) and gloss."""

    part: str
    offset: int
    words: tuple[str, ...]
    pointers: tuple[tuple[str, str, int], ...]
    gloss: str


class WordNet:
    """The folder of WordNet 3.0's ``index.*``, ``data.*`` and ``*.exc``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = {part: (folder / f"data.{name}").read_bytes() for part, name in FILES.items()}

    def sense(self, name: str) -> Sense:
        """ "hat.n.1" → its sense; KeyError: there is none."""
        word, part, number = name.rsplit(".", 2)
        return self._at(part, self._index(part)[word.replace(" ", "_")][int(number) - 1])

    def kinds(self, sense: Sense) -> Iterator[Sense]:
        """All senses that are a kind of this one, each once, those nearest first."""
        waiting, seen = [sense], {sense.offset}
        for one in waiting:
            for symbol, part, offset in one.pointers:
                if symbol == "~" and offset not in seen:
                    seen.add(offset)
                    waiting.append(self._at(part, offset))
        yield from waiting[1:]

    def like(self, sense: Sense) -> Iterator[Sense]:
        """The senses that are similar to an adjective's; none of one that is itself but similar to another."""
        if sense.part == "a":
            yield from (self._at(part, offset) for symbol, part, offset in sense.pointers if symbol == "&")

    def means_first(self, word: str, sense: Sense) -> bool:
        """Whether this is the first of the word's senses, which WordNet has by how common they are."""
        return (
            self._index("a" if sense.part == "s" else sense.part)[word.lower().replace(" ", "_")][0]
            == sense.offset
        )

    @cache  # noqa: B019 - one WordNet a run
    def irregular(self, part: str) -> dict[str, list[str]]:
        """Word → its irregular forms: plurals of nouns, pasts of verbs, comparatives of adjectives."""
        forms: dict[str, list[str]] = {}
        for line in (self._folder / f"{FILES[part]}.exc").read_text().splitlines():
            form, *words = line.replace("_", " ").split(" ")
            for word in words:
                forms.setdefault(word, []).append(form)
        return forms

    @cache  # noqa: B019 - one WordNet a run
    def _index(self, part: str) -> dict[str, list[int]]:
        found = {}
        for line in (self._folder / f"index.{FILES[part]}").read_text().splitlines():
            if not line.startswith(" "):
                fields = line.split()
                found[fields[0]] = [int(offset) for offset in fields[-int(fields[2]) :]]
        return found

    def _at(self, part: str, offset: int) -> Sense:
        data = self._data["a" if part == "s" else part]
        line, gloss = data[offset : data.index(b"\n", offset)].decode().split("|", 1)
        fields = line.split()
        count = int(fields[3], 16)
        words = tuple(fields[4 + 2 * k].split("(")[0].replace("_", " ") for k in range(count))
        at = 5 + 2 * count
        pointers = tuple(
            (fields[at + 4 * k], fields[at + 4 * k + 2], int(fields[at + 4 * k + 1]))
            for k in range(int(fields[at - 1]))
        )
        return Sense(fields[2], offset, words, pointers, gloss.strip())
