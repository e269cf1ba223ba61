"""Names come from files, and files from anybody: how they reach terminals and spreadsheets without effect.

A terminal obeys escape sequences, a mark of direction turns a name around, a newline makes one line two: they are shown
as JSON writes them (``\\u001b``). A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@``: such a text
gets an apostrophe in front, which :func:`uncelled` takes off again where names are matched.
"""

from __future__ import annotations

import re
from typing import TypeVar

Value = TypeVar("Value")

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = "\u00ad\u180e\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # but joiners stay
_EFFECT = re.compile(f"[\x00-\x1f\x7f-\x9f{_DIRECTION}{_UNSEEN}\ud800-\udfff]")
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_EXECUTED = "=+-@\t\r\n＝＋－＠"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def visible(text: str, keep: str = "") -> str:
    r"""Text in which whatever would have an effect on a terminal is written out.

    Args:
        keep: characters that may stay, such as a newline where the text is ours.

    Example:
        >>> visible("a\x1b[2Jb\u202egpj.exe")
        'a\\u001b[2Jb\\u202egpj.exe'
    """

    def written(found: re.Match[str]) -> str:
        if found[0] in keep:
            return found[0]
        units = found[0].encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))

    return _TAGS.sub(written, _EFFECT.sub(written, text))


def cell(value: Value) -> Value | str:
    """A value for a csv that people open in a spreadsheet: text that would be run is text; numbers stay.

    Example:
        >>> cell("=1+1"), cell("-0.5"), cell(-0.5), cell("ann/1.jpg"), cell(None)
        ("'=1+1", '-0.5', -0.5, 'ann/1.jpg', None)
    """
    if isinstance(value, str) and value[:1] in _EXECUTED and value and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def uncelled(text: str) -> str:
    """What :func:`cell` was given.

    Example:
        >>> uncelled("'=1+1"), uncelled("'quoted'.jpg")
        ('=1+1', "'quoted'.jpg")
    """
    return text[1:] if text[:1] == "'" and text[1:2] and text[1] in _EXECUTED else text
