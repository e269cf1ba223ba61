"""Why a question, or a phrase of it, is not answered: each reason with its words."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "out-of-vocabulary": "no word that is known here means this: ask in other words, or see clip-smu words",
    "not-on-a-face": "a face does not tell this, and nothing that was read from one would be evidence of it",
    "no-label": "a face may show this, but no label covers it, so that nobody can say how well it would be read",
    "not-readable": "templates of this encoder do not tell it better than chance",
}
"""Reason → what it says, after the phrase in quotation marks and a colon."""


def refusal(phrase: str, reason: str, detail: str = "") -> str:
    """One line that says what is refused, and why.

    Example:
        >>> refusal("guilty", "not-on-a-face")
        "'guilty' is not answered (not-on-a-face): a face does not tell this, and nothing that was read from one would \
be evidence of it"
    """
    return f"{phrase!r} is not answered ({reason}): {detail or REASONS[reason]}"
