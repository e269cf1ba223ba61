"""What each "or", "and" and "," joins: whole persons, words of a list, or persons who cannot be one."""

from __future__ import annotations

from dataclasses import replace

from clip_smu.words.attributes import SENSITIVE
from clip_smu.words.expression import excluded
from clip_smu.words.phrases import CONTENT, DENIES, Lexeme

_WHO = frozenset((*SENSITIVE["gender"], *SENSITIVE["age"], *SENSITIVE["race"]))


def arranged(row: list[Lexeme]) -> tuple[list[Lexeme], list[str]]:
    """The lexemes, each joint with the kind that says how it binds, and notes on what was decided.

    ``clause-or``: between whole persons ("an old man or a young woman"). ``or!``: tighter than "and" ("old men or
    women", "either ... or"). "," before the last "or" of a list is "or".
    """
    row, notes = list(row), []
    for at, one in enumerate(row):
        if one.kind == "and" and (told := _never_both(row, at)):
            row[at] = replace(one, kind="or")
            notes.append(f"'and' is read as 'or': nobody is {told}")
    _listed(row)
    for at, one in enumerate(row):
        if one.kind == "or":
            row[at] = replace(one, kind=_binding(row, at))
    return row, notes


def _listed(row: list[Lexeme]) -> None:
    """Commas of a list that ends with "or" or "nor" become the same: "no beard, hat or glasses"."""
    for at, one in enumerate(row):
        if one.kind not in ("or", "nor"):
            continue
        back = at - 1
        if back >= 0 and row[back].kind == ",":
            row[back] = replace(one, text=",")
            back -= 1
        while back > 0 and row[back].kind in (*CONTENT, "article", ","):
            if row[back].kind == ",":
                if row[back - 1].kind not in CONTENT or (row[back - 1].person and not _person_after(row, at)):
                    break
                row[back] = replace(one, text=",")
            back -= 1


def _binding(row: list[Lexeme], at: int) -> str:
    """How an "or" binds: whole persons on both sides, two nouns for persons alone, or as usual."""
    left = _clause_before(row, at)
    right = _phrase_after(row, at)
    person = next((k for k, one in enumerate(right) if one.person), -1)
    if any(one.kind == "either" for one in left[-8:]) and not any(
        one.kind in ("and", "but") for one in left[-3:]
    ):
        tight = "or!"
    else:
        tight = "or"
    if person < 0 or not any(one.person for one in left):
        return tight
    bare_left = left[-1].person
    more_right = any(one.kind in CONTENT for one in right[:person])
    article = any(one.kind == "article" for one in right[:person])
    more_left = any(one.kind in CONTENT for one in left[:-1])
    return "clause-or" if more_right or not bare_left or (article and more_left) else "or!"


def _never_both(row: list[Lexeme], at: int) -> str:
    """What nobody is of the persons on both sides of an "and" ("men and women"), or ""."""
    right = _phrase_after(row, at)
    before = row[at - 1] if at else None
    if before is None or not right or any(one.kind in DENIES for one in row[max(0, at - 3) : at]):
        return ""
    whole = any(one.person and one.kind == "part" for one in right)
    sides = [one for one in _clause_before(row, at) if one.person] if whole else []
    for one in [before, *sides]:
        for other in right:
            for first in one.means:
                for second in other.means:
                    if first[0] in _WHO and second[0] in _WHO and excluded(first, second):
                        return f"{one.text} and {other.text}"
    return ""


def _clause_before(row: list[Lexeme], at: int) -> list[Lexeme]:
    """The lexemes back to the last joint between persons."""
    start = next((k + 1 for k in range(at - 1, -1, -1) if row[k].kind == "clause-or"), 0)
    return row[start:at]


def _phrase_after(row: list[Lexeme], at: int) -> list[Lexeme]:
    """The lexemes up to the next joint, verb or denial."""
    found = []
    for one in row[at + 1 :]:
        if one.kind not in (*CONTENT, "article", "person"):
            break
        found.append(one)
    return found


def _person_after(row: list[Lexeme], at: int) -> bool:
    return any(one.person for one in _phrase_after(row, at))
