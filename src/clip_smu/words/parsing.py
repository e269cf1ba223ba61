"""The grammar of questions: lexemes → an expression.

    question   clause, or clause           "an old man or a young woman": "or" between two whole persons
    clause     choice, choice, ...         all of them: "old", "with", "," and "but" put one beside another
    choice     list or list or ...         "a hat or glasses"
    list       term and term and ...       "bald and bearded"; "and with ..." begins a new choice
    term       a phrase, or "no" with what it denies

What is denied: after "no", "without", "lacks" all words up to the next joint ("no gray beard"), after "not" the next
word ("not bald"), or all up to the joint if an article or a verb stands between ("not an old man", "isn't wearing
..."). "or" and "nor" carry on ("no hat or glasses": neither); "and" ends it ("no beard and glasses"), save after
"without" and before a thing ("without a hat and a tie": neither). "and" between persons who cannot be one ("men and
women") is "or".
"""

from __future__ import annotations

from clip_smu.words.attributes import CATEGORIES
from clip_smu.words.expression import (
    And,
    Expression,
    Or,
    Part,
    Refused,
    Unknown,
    asked_for,
    negated,
    together,
)
from clip_smu.words.grammar import BODY, OF_BODY
from clip_smu.words.phrases import CONTENT, DENIES, Lexeme

CATEGORY = {name: category for category, names in CATEGORIES.items() for name in names}


def parsed(row: list[Lexeme]) -> Expression | None:
    """The expression of lexemes as :func:`~clip_smu.words.joints.arranged` left them; ``None``: they name nothing."""
    return _Reading(row).question()


class _Reading:
    """Recursive descent over lexemes, one method for a rule of the module's grammar; ``None``: nothing was there."""

    def __init__(self, row: list[Lexeme]) -> None:
        self.row = row
        self.at = 0

    @property
    def kind(self) -> str:
        """Of the next lexeme; "" at the end."""
        return self.kind_at(self.at)

    def kind_at(self, at: int) -> str:
        return self.row[at].kind if at < len(self.row) else ""

    def skip(self, *kinds: str) -> bool:
        """Passes over lexemes of these kinds; whether there were any."""
        start = self.at
        while self.kind in kinds:
            self.at += 1
        return self.at > start

    def question(self) -> Expression | None:
        clauses = [self.clause()]
        while self.skip("clause-or"):
            clauses.append(self.clause())
        return _joined(clauses, Or)

    def clause(self) -> Expression | None:
        choices: list[Expression | None] = []
        while self.kind not in ("", "clause-or"):
            if not self.skip(*_LOOSE, *_OR, "and!", "gone"):
                choices.append(self.choice())
        return _joined(_telling([one for one in choices if one]))

    def choice(self) -> Expression | None:
        lists = [self.listed()]
        while self.kind in ("or", "nor"):
            self.skip(*_OR, "go", "article", "person")
            lists.append(self.listed() if self.kind not in ("", "clause-or") else None)
        return _joined(lists, Or)

    def listed(self) -> Expression | None:
        terms = [self.term()]
        while self.kind == "and" and self._goes_on():
            self.skip("and", "article", "person")
            terms.append(self.term())
        return _joined(terms)

    def _goes_on(self) -> bool:
        """Whether a list goes on after "and": not with a verb or preposition, which begin something new."""
        at = self.at + 1
        while self.kind_at(at) == "article":
            at += 1
        return self.kind_at(at) in CONTENT or self.kind_at(at) in DENIES

    def term(self) -> Expression | None:
        self.skip("article", "person")
        if self.kind in DENIES:
            return self.denied()
        found = self.bound()
        ahead = self.at
        self.skip("go")
        if found and self.skip("gone"):
            return negated(found)
        self.at = ahead
        return found

    def bound(self) -> Expression | None:
        """One phrase, or several that share a noun or stand between "either" and "or"."""
        found = [self.item()]
        kind = self.kind
        while self.kind == kind and kind in ("or!", "and!"):
            self.skip(kind, "article", "go", "person")
            found.append(self.denied() if self.kind in DENIES else self.item())
        return _joined(found, Or if kind == "or!" else And)

    def item(self) -> Expression | None:
        """One phrase; words that nobody knows take the thing along that they are said of."""
        said: list[str] = []
        while self.kind == "word" or (
            said and self.kind == "article" and self.kind_at(self.at + 1) == "word"
        ):
            said.append(self.row[self.at].text)
            self.at += 1
        one = self.row[self.at] if self.kind in ("part", "refused") else None
        if one is None or (said and one.person):
            return Unknown(" ".join(said)) if said else None
        self.at += 1
        said.append(one.text)
        if one.text in BODY:  # "hair of straw" is no hair
            said += self._words_ahead()
        elif self.kind == "word" and self.row[self.at].text in BODY and not one.person:
            noun = self.row[self.at].text
            self.at += 1
            if not {CATEGORY[name] for name, _ in one.means}.intersection(OF_BODY.get(noun, ())):
                said.append(noun)  # "black eyes" are no black person
        phrase, known = " ".join(said), len(said) == 1
        if one.kind == "refused":
            return Refused(phrase, one.reason)
        return Part(phrase, one.means, one.weight) if known else Unknown(phrase)

    def _words_ahead(self) -> list[str]:
        """The words that nobody knows after a verb or preposition."""
        at, found = self.at, []
        while self.kind_at(at) in ("go", "article", "word"):
            found += [self.row[at].text] if self.kind_at(at) == "word" else []
            at += 1
        self.at = at if found else self.at
        return found

    def denied(self) -> Expression | None:
        """A word of denial with what it denies."""
        start = self.kind
        self.at += 1
        if start == "neither":
            self.skip("go", "article")
        listing = start == "without"
        whole = start in ("no", "without", "gone")
        while self.kind in ("go", "article", "person"):
            listing |= self.kind == "go" and start == "not" and self.row[self.at].text in _WORN
            whole = True
            self.at += 1
        if self.kind in DENIES:
            return negated(inner) if (inner := self.denied()) else None
        found = [self.noun_phrase() if whole else self.bound()]
        while self.kind in ("or", "nor") or (listing and self.kind in ("and", ",") and self._thing_next()):
            ahead = self.at
            self.skip(*_OR, "and", ",", "article", "go")
            if self.kind in DENIES or self.kind in ("", "clause-or"):
                self.at = ahead
                break
            found.append(self.noun_phrase() if whole else self.bound())
        return _joined([part for one in found if one for part in _each_denied(one)])

    def noun_phrase(self) -> Expression | None:
        """All phrases up to the next joint."""
        found = [self.bound()]
        while self.kind in CONTENT:
            found.append(self.bound())
        return _joined(found)

    def _thing_next(self) -> bool:
        """Whether a thing follows, rather than what a person is or does: "and a tie", not "and smiling"."""
        at = self.at + 1
        while self.kind_at(at) in ("and", ","):
            at += 1
        if self.kind_at(at) == "article":
            return self.kind_at(at + 1) in CONTENT and not self.row[at + 1].person
        return self.kind_at(at) == "part" and {name for name, _ in self.row[at].means} <= _THINGS


def _telling(choices: list[Expression]) -> list[Expression | None]:
    """Without a part of the body of which something is said elsewhere: "hair in ringlets", "hirsute chin"."""
    of = [{CATEGORY[name] for name in asked_for(one)} for one in choices]
    return [
        one
        for k, one in enumerate(choices)
        if not isinstance(one, Part | Unknown)
        or not any(
            of[other].intersection(OF_BODY.get(one.phrase, ())) for other in range(len(of)) if other != k
        )
    ]


def _each_denied(one: Expression) -> list[Expression]:
    """Opposites of a choice are all denied: "no black or brown hair" is neither."""
    return [negated(part) for part in (one.of if isinstance(one, Or) else (one,))]


def _joined(parts: list[Expression | None], kind: type[And] | type[Or] = And) -> Expression | None:
    there = [one for one in parts if one is not None]
    return together(there, kind) if there else None


_LOOSE = ("and", "but", ",", "go", "article", "person", "either")
_OR = ("or", "or!", "nor")
_WORN = frozenset(("wearing", "wear", "wears", "have", "having", "has", "with", "got", "sporting", "sport"))
_THINGS = frozenset((*CATEGORIES["Accessories"], *CATEGORIES["Beard"], "Sideburns", "Bangs", "Double_Chin"))
"""What a person has or wears, so that it is joined to other things: "without a hat and glasses"."""
