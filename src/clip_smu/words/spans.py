"""Sentences that can be traced: which attribute each part of a text speaks of, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from clip_smu.words.attributes import NAMES


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a sentence, ``text[start:end]``, that speaks of attributes.

    Attributes:
        start, end: in characters.
        attributes: names; two where one phrase words both ("wavy brown hair").
        probability: that what is said of them is right, 0 to 1; of two attributes the lower.
    """

    start: int
    end: int
    attributes: tuple[str, ...]
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """The span as JSON values."""
        return asdict(self) | {"probability": round(self.probability, 6)}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text, one sentence or a few, and its spans in their order; they do not overlap."""

    text: str
    spans: tuple[Span, ...] = ()


class Told(NamedTuple):
    """A phrase that a text says, the columns (0 to 46) that it words, and the probability of these."""

    phrase: str
    columns: tuple[int, ...]
    probability: float


def traced(text: str, told: Sequence[Told], start: int = 0) -> Sentence:
    """The text with the places of what it tells: of each phrase the first, as whole words, at or after ``start``."""
    spans = []
    for one in told:
        found = re.compile(rf"(?<!\w){re.escape(one.phrase)}(?!\w)").search(text, start)
        assert found, f"{one.phrase!r} is not in {text!r}"
        names = tuple(NAMES[i] for i in one.columns)
        spans.append(Span(found.start(), found.end(), names, one.probability))
    return Sentence(text, tuple(sorted(spans, key=lambda span: span.start)))
