"""A question as a row of lexemes: phrases of the lexicon, refused ones, small words, and words that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from string import ascii_lowercase

from clip_smu.words.expression import Means
from clip_smu.words.grammar import BODY, ELSEWHERE, IS, PLACE, SMALL
from clip_smu.words.lexicon import Entry, lexicon, refusals

CONTENT = ("part", "refused", "word")
"""Kinds of lexemes that say something."""
DENIES = ("not", "no", "without", "neither", "gone")
"""Kinds of lexemes that deny what follows."""
LEAST_LETTERS = 5  # of a word that may lack a letter, have one too many, or two changed about
LEAST_SWAPPED = 8  # of a word that may have a wrong one
MOST_LETTERS = 25  # of a word that is looked at


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One phrase of a question.

    Attributes:
        kind: ``part``, ``refused``, ``word`` (not known), or a kind of :data:`~clip_smu.words.grammar.SMALL`; of those
            that bind tighter than the words around them ``or!``, ``and!``.
        text: as asked. means, weight: of a part. reason: of what is refused.
        person: whether it is a noun for a person ("granny", "person").
    """

    kind: str
    text: str
    means: Means = ()
    weight: float = 1.0
    reason: str = ""
    person: bool = False


@dataclass(frozen=True)
class Phrases:
    """What a question is understood by: by words → lexeme.

    Attributes:
        known: words without articles → the phrase. small: words → the small word, as :data:`SMALL` has it.
    """

    known: Mapping[tuple[str, ...], Lexeme]
    small: Mapping[tuple[str, ...], str]
    longest: int = field(init=False)
    vocabulary: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "longest", max(len(one) for one in (*self.known, *self.small)))
        object.__setattr__(
            self,
            "vocabulary",
            frozenset(word for one in (*self.known, *self.small) for word in one) | ELSEWHERE,
        )

    def lexemes(self, text: str) -> tuple[list[Lexeme], list[str]]:
        """The lexemes of a text, and notes on words that were read as others."""
        tokens, notes = self._spelt([word.removesuffix("'s") for word in _TOKEN.findall(_plain(text))])
        found: list[Lexeme] = []
        at = 0
        while at < len(tokens):
            made, used = self._shared(tokens, at) or self._said(tokens, at) or self._next(tokens, at, found)
            found += made
            at += used
        return found, notes

    def _next(self, tokens: list[str], at: int, before: list[Lexeme]) -> tuple[list[Lexeme], int]:
        """The longest phrase that starts here."""
        if tokens[at] in _MARKS:
            return [Lexeme(_MARKS[tokens[at]], tokens[at])], 1
        if (
            tokens[at] in PLACE
            and before
            and before[-1].kind in ("part", "refused")
            and before[-1].text not in BODY
        ):
            end = at + 1 + (at + 1 < len(tokens) and (tokens[at + 1],) in SMALL["article"])
            if end < len(tokens) and tokens[end] in BODY:
                return [], end + 1 - at
        for length in range(min(self.longest + 2, len(tokens) - at), 0, -1):
            span = tuple(tokens[at : at + length])
            if (one := self.known.get(_bare(span))) and _bare(span[:1]) == span[:1] and _bare(span[-1:]):
                return [_as_asked(one, " ".join(span))], length
            if kind := self.small.get(span):
                return [Lexeme(kind, " ".join(span), person=kind == "person")], length
        word = tokens[at]
        if word.endswith("less") and (one := self.known.get((word[:-4],))):
            return [Lexeme("without", word), _as_asked(one, word[:-4])], 1
        for prefix in ("non", "un"):
            if word.startswith(prefix) and (one := self.known.get((word[len(prefix) :],))):
                return [Lexeme("not", word), _as_asked(one, word[len(prefix) :])], 1
        return [Lexeme("word", word)], 1

    def _shared(self, tokens: list[str], at: int) -> tuple[list[Lexeme], int] | None:
        """Adjectives that share a noun: "black or brown hair" is "black hair or brown hair"."""
        made: list[Lexeme] = []
        end, joined = at, ""
        for noun in range(at + 1, min(at + 12, len(tokens))):
            if tokens[noun] in BODY:
                break
        else:
            return None
        while end < noun:
            word = tokens[end]
            if joined == "" and made and word in ("or", "and", "nor", ",", "but"):
                joined = {"or": "or!", "and": "and!", "nor": "nor", ",": ",", "but": "and!"}[word]
                end += 1
                continue
            if made and ((word,) in SMALL["article"] or (word,) in SMALL["grade"]):
                end += 1
                continue
            for length in (2, 1):
                adjective = tuple(tokens[end : end + length])
                one = self.known.get((*adjective, tokens[noun]))
                if end + length <= noun and one and not self._small(adjective[0]):
                    made += [Lexeme(joined, joined)] if joined else []
                    made.append(_as_asked(one, " ".join((*adjective, tokens[noun]))))
                    end, joined = end + length, ""
                    break
            else:
                return None
        if sum(one.kind in ("part", "refused") for one in made) < 2 or joined:
            return None
        tight = next((one.kind for one in made if one.kind in ("or!", "nor")), "")
        return [Lexeme(tight or "and!", ",") if one.kind == "," else one for one in made], noun + 1 - at

    def _said(self, tokens: list[str], at: int) -> tuple[list[Lexeme], int] | None:
        """A part of the body, and what is said of it: "hair that isn't black" is "not black hair"."""
        if tokens[at] not in BODY:
            return None
        noun, end, denied = tokens[at], at + 1, False
        while end < len(tokens) and (tokens[end] in IS or (tokens[end],) in SMALL["grade"]):
            denied |= tokens[end] == "not" or tokens[end].endswith("n't")
            end += 1
        for length in (2, 1):
            adjective = tuple(tokens[end : end + length])
            some = len(adjective) == length and not self._small(adjective[0])
            one = self.known.get((*adjective, noun)) if some else None
            if one:
                said = _as_asked(one, " ".join((*adjective, noun)))
                made, end = [Lexeme("not", "not")] * denied + [said], end + length
                while tokens[end : end + 1] in (["or"], ["and"], ["nor"]):
                    other = self.known.get((*tokens[end + 1 : end + 2], noun))
                    if other is None or end + 1 == len(tokens):
                        break
                    kind = "nor" if denied and tokens[end] != "and" else f"{tokens[end]}!"
                    made += [Lexeme(kind, tokens[end]), _as_asked(other, f"{tokens[end + 1]} {noun}")]
                    end += 2
                return made, end + _likened(tokens[end : end + 3]) - at
        return None

    def _small(self, word: str) -> bool:
        """Whether it denies or joins: "no black hair" is not "no hair" that is black."""
        return self.small.get((word,)) in (*DENIES, "go", "and", "or", "nor")

    def _spelt(self, tokens: list[str]) -> tuple[list[str], list[str]]:
        """The words with slips of one letter mended, each told."""
        mended, notes = [], []
        for word in tokens:
            close = self._close(word)
            mended.append(close or word)
            if close:
                notes.append(f"{word!r} is read as {close!r}")
        return mended, notes

    def _close(self, word: str) -> str:
        """The one word of the vocabulary that is a letter away and begins alike, or "" (short words have too many)."""
        if word in self.vocabulary or not LEAST_LETTERS <= len(word) <= MOST_LETTERS or not word.isalpha():
            return ""
        halves = [(word[:k], word[k:]) for k in range(1, len(word) + 1)]
        near = {a + b[1:] for a, b in halves if b} | {
            a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1
        }
        swaps = (0, 1) if len(word) >= LEAST_SWAPPED else (0,)  # "giggle" is no "goggle"
        near |= {a + letter + b[rest:] for a, b in halves for letter in ascii_lowercase for rest in swaps}
        forms = {f"{word}{ending}" for ending in "ydrn"}  # "velvet" is no slip for "velvety"
        found = [one for one in (near & self.vocabulary) - forms if len(one) >= LEAST_LETTERS]
        longest = [
            one for one in found if len(one) == max(map(len, found))
        ]  # a letter is sooner lost than added
        return longest[0] if len(longest) == 1 else ""


def phrases_of(entries: Mapping[str, Entry], reasons: Mapping[str, str]) -> Phrases:
    """The phrases of a lexicon and a table of refusals, each key → entry or reason."""
    known = {_bare(key.split()): Lexeme("refused", key, reason=reason) for key, reason in reasons.items()}
    known |= {
        _bare(key.split()): Lexeme(
            "part",
            key,
            entry.means,
            entry.weight,
            person=entry.kind == "person" or "Male" in dict(entry.means),
        )
        for key, entry in entries.items()
    }
    known.pop((), None)
    small = {span: kind for kind, spans in SMALL.items() for span in spans}
    led = [span for span in known if span[1:] in known and small.get(span[:1]) in (*DENIES, "go")]
    idle = {span for span in led if small[span[:1]] != "go" or known[span].means == known[span[1:]].means}
    kept = {
        span: one for span, one in known.items() if span not in idle
    }  # "no whiskers" may go on: "or sideburns"
    return Phrases(kept, small)


@cache
def shipped_phrases() -> Phrases:
    """The phrases of the tables that ship."""
    return phrases_of(lexicon(), refusals())


def _likened(tokens: list[str]) -> int:
    """How many words liken what was said before to something: "(black) as (a) crow"."""
    if tokens[:1] not in (["as"], ["like"]) or len(tokens) < 2:
        return 0
    return min(len(tokens), 2 + ((tokens[1],) in SMALL["article"]))


def _as_asked(one: Lexeme, text: str) -> Lexeme:
    return Lexeme(one.kind, text, one.means, one.weight, one.reason, one.person)


def _bare(span: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """The words without articles, which nobody minds: "bags under (her) eyes"."""
    return tuple(word for word in span if (word,) not in SMALL["article"])


def _plain(text: str) -> str:
    text = text.lower().replace("’", "'").replace("_", " ")
    for short, meant in _SHORT.items():
        text = text.replace(short, meant)
    return text


_SHORT = {"w/o ": "without ", "w/ ": "with ", "and/or": "or"}
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[,;.?!/&+]")
_MARKS = {"/": "or", "&": "and", "+": "and"} | dict.fromkeys(",;.?!", ",")
