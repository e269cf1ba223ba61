"""A question in free words → how it is understood: an expression over parts that can be read, by words alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clip_smu.errors import InputError
from clip_smu.words.expression import (
    Expression,
    Unknown,
    contradiction,
    in_words,
    leaves,
    to_dict,
)
from clip_smu.words.grammar import PRONOUNS
from clip_smu.words.joints import arranged
from clip_smu.words.parsing import parsed
from clip_smu.words.phrases import CONTENT, Lexeme, Phrases, shipped_phrases

MOST_LETTERS = 500


@dataclass(frozen=True, slots=True)
class Question:
    """How a question was understood.

    Attributes:
        text: as asked. expression: what it asks.
        notes: what a reader may want to know: a word read as another, a degree that shifts nothing, a contradiction.
    """

    text: str
    expression: Expression
    notes: tuple[str, ...] = ()

    @property
    def understood(self) -> str:
        """In words; see :func:`~clip_smu.words.expression.in_words`."""
        return in_words(self.expression)

    def all_of(self, kind: type[Any]) -> list[Any]:
        """Its parts, or unknown phrases, or refused ones, each once."""
        return list(dict.fromkeys(leaf for leaf, _ in leaves(self.expression) if isinstance(leaf, kind)))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "question": self.text,
            "understood": self.understood,
            "expression": to_dict(self.expression),
            "notes": list(self.notes),
        }


def understand(text: str, phrases: Phrases | None = None) -> Question:
    """Reads a question.

    Args:
        text: words, a noun phrase, a sentence or a question, in English.
        phrases: what it is understood by; ``None``: the tables that ship.

    Raises:
        InputError: it is empty, or has over `MOST_LETTERS` letters.

    Example:
        >>> understand("a bald man with glasses and no tie").understood
        'bald AND man AND glasses AND NOT tie: Bald yes, Male yes, Eyeglasses yes, Wearing_Necktie no'
        >>> understand("wearing a paper crane").understood
        '[paper crane: not known]'
    """
    if not text.strip():
        raise InputError("expected a question in words, found an empty one: ask for example 'wears glasses'")
    if len(text) > MOST_LETTERS:
        raise InputError(
            f"expected a question of at most {MOST_LETTERS} letters, found {len(text)}: shorten it"
        )
    lexemes, notes = (phrases or shipped_phrases()).lexemes(text)
    lexemes = _of_whom(lexemes)
    lexemes = [_graded(lexemes, at) for at in range(len(lexemes))]
    graded = [one.text for one in lexemes if one.kind == "grade"]
    if graded:
        notes.append(f"a degree shifts nothing: {', '.join(dict.fromkeys(graded))}")
    row, told = arranged([one for one in lexemes if one.kind not in ("grade", "frame")])
    expression = parsed(row) or Unknown(text.strip())
    if clash := contradiction(expression):
        notes.append(f"this contradicts itself: {clash}")
    return Question(text.strip(), expression, (*notes, *told))


def _of_whom(lexemes: list[Lexeme]) -> list[Lexeme]:
    """The lexemes without pronouns, if anything else is asked."""
    rest = [one for one in lexemes if one.kind != "part" or not PRONOUNS.issuperset(one.text.split())]
    return rest if any(one.kind in CONTENT for one in rest) else lexemes


def _graded(row: list[Lexeme], at: int) -> Lexeme:
    """The lexeme; "pretty" before an adjective is a degree ("pretty bald"), but not of "a pretty young woman"."""
    rest = row[at + 1 :]
    if (
        row[at].text != "pretty"
        or not rest
        or rest[0].kind not in ("part", "word")
        or any(one.person for one in rest)
    ):
        return row[at]
    return replace(row[at], kind="grade")
