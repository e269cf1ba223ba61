"""A little English: articles by sound, lists in words, the words of a text."""

from __future__ import annotations

import re
from collections.abc import Sequence


def with_article(text: str) -> str:
    """The text with its indefinite article, by sound."""
    vowel = text[0] in "aeiouAEIOU" and not text.lower().startswith(_NOT_A_VOWEL)
    return f"an {text}" if vowel else f"a {text}"


def without_article(text: str) -> str:
    """The text without "a", "an", "the" or "their" before it."""
    return _ARTICLE.sub("", text)


def capital(text: str) -> str:
    """The text with a capital in front."""
    return text[0].upper() + text[1:]


def listed(items: Sequence[str], last: str = "and") -> str:
    """One text of several: "a", "a and b", "a, b and c"."""
    return f" {last} ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def words(text: str) -> list[str]:
    """The lower-case words of a text: split at spaces, hyphens and punctuation, without a possessive 's.

    Example:
        >>> words("A clean-shaven man's 5 o'clock shadow.")
        ['a', 'clean', 'shaven', 'man', '5', "o'clock", 'shadow']
    """
    return [w.removesuffix("'s") for w in _WORD.findall(text.lower().replace("’", "'"))]


_NOT_A_VOWEL = ("eu", "unic", "unif", "uniq", "unis", "unit", "univ", "use", "usu", "one", "once")
"""Beginnings that are written with a vowel and spoken with y or w: "a European"."""

_ARTICLE = re.compile(r"^(an?|the|their) ")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
