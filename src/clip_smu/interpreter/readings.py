"""What is read in templates: per attribute, per template with a sentence, and of many templates as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Int8s
from clip_smu.interpreter.calibration import CANNOT_TELL, ENCODED, NOT_ENCODED
from clip_smu.interpreter.drift import Drift
from clip_smu.interpreter.evidence import Evidence
from clip_smu.storage.documents import finite
from clip_smu.words.attributes import by_name
from clip_smu.words.sentences import compose
from clip_smu.words.spans import Sentence, Span

VERDICTS = {ENCODED: "encoded", NOT_ENCODED: "not encoded", CANNOT_TELL: "cannot tell"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of one attribute in one template.

    Attributes:
        attribute: MAAD-Face's name.
        label: the same in plain words.
        score: difference of cosines to the positive and to the negative prompt, -2 to 2; where the interpreter has
            no negative prompts, the cosine to the positive one.
        probability: calibrated, 0 to 1.
        verdict: ``encoded``, ``not encoded`` or ``cannot tell``.
        evidence: figures on held-out faces.
    """

    attribute: str
    label: str
    score: float
    probability: float
    verdict: str
    evidence: Evidence

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """The reading as JSON values; NaN becomes ``None``."""
        values: dict[str, Any] = {
            "attribute": self.attribute,
            "label": self.label,
            "score": round(self.score, 6),
            "probability": round(self.probability, 6),
            "verdict": self.verdict,
        }
        values = finite(values)
        if evidence:
            values["evidence"] = self.evidence.to_dict()
        return values


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What is read of one template.

    Attributes:
        sentence: the readings in words.
        readings: from *encoded* down to *not encoded*.
        reason: why nothing was read, or ""; the readings are then *cannot tell*, with NaN.
        spans: which attributes each part of the sentence speaks of, and how likely that is right.
    """

    sentence: str
    readings: tuple[Reading, ...]
    reason: str = ""
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, eq=False)
class Interpretations(Sequence[Interpretation]):
    """Readings of N templates and K attributes, as arrays; item i is the :class:`Interpretation` of template i.

    Attributes:
        attributes: K names.
        scores, probabilities: (N, K) float32.
        verdicts: (N, K) int8: 1 encoded, -1 not encoded, 0 cannot tell.
        reasons: N texts: why a template was not read, or "".
        style: of the sentences, one of :data:`~clip_smu.words.sentences.STYLES`.
        named: attributes that somebody asked for by name, which sentences may hold even if they do not by default.
        drift: which home the batch looks like, whose calibration was used; ``None``: the interpreter has none.
    """

    attributes: tuple[str, ...]
    scores: Float32s
    probabilities: Float32s
    verdicts: Int8s
    evidence: tuple[Evidence, ...]
    reasons: tuple[str, ...] = ()
    style: str = "short"
    named: frozenset[str] = frozenset()
    drift: Drift | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        verdicts, probabilities = self.verdicts[row], self.probabilities[row]
        order = np.lexsort((-probabilities, -verdicts))
        readings = tuple(
            Reading(
                self.attributes[k],
                by_name(self.attributes[k]).label,
                float(self.scores[row, k]),
                float(probabilities[k]),
                VERDICTS[int(verdicts[k])],
                self.evidence[k],
            )
            for k in order
        )
        reason = self.reasons[row] if self.reasons else ""
        said = Sentence(f"This {reason}.") if reason else self._sentence(readings)
        return Interpretation(said.text, readings, reason, said.spans)

    def __iter__(self) -> Iterator[Interpretation]:
        return (self[row] for row in range(len(self)))

    def _sentence(self, readings: Sequence[Reading]) -> Sentence:
        said, denied = VERDICTS[ENCODED], VERDICTS[NOT_ENCODED]
        return compose(
            {one.attribute: one.probability for one in readings if one.verdict == said},
            {one.attribute: 1 - one.probability for one in readings if one.verdict == denied},
            style=self.style,
            named=self.named,
        )
