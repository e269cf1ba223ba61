"""Two faces: the cosine of their templates, whether they match, and which attributes speak for one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Floats
from clip_smu.errors import TemplateError
from clip_smu.interpreter.calibration import ENCODED, NOT_ENCODED
from clip_smu.interpreter.intra_class import ICC
from clip_smu.interpreter.likelihood_ratio import base_rates, log_likelihood_ratio
from clip_smu.interpreter.readable import readable
from clip_smu.interpreter.reader import TemplateReader, stranger
from clip_smu.interpreter.readings import VERDICTS
from clip_smu.interpreter.thresholds import Threshold, threshold_of
from clip_smu.metrics.verification import cosine
from clip_smu.storage.documents import finite
from clip_smu.templates import usable, why_unusable
from clip_smu.words.agreement import asserted_by_default
from clip_smu.words.attributes import INDEX, NAMES, by_name
from clip_smu.words.clauses import MALE
from clip_smu.words.descriptions import describe
from clip_smu.words.hiding import Hide, shown_columns
from clip_smu.words.sentences import settled

AGREE, DISAGREE, OPEN = "agree", "disagree", "cannot tell"
NAMED = 6  # disagreements that the sentence names


@dataclass(frozen=True, slots=True)
class PairedAttribute:
    """What two templates say of one attribute.

    Attributes:
        attribute, label: MAAD-Face's name, and plain words.
        outcome: ``agree`` or ``disagree`` where both templates have a verdict, else ``cannot tell``.
        verdicts: of a and b: ``encoded``, ``not encoded``, ``cannot tell``.
        probabilities: of a and b, 0 to 1.
        llr: log10 likelihood ratio, one person over two; NaN where the base rate is unknown.
        base_rate: share of faces with the attribute among those of the evidence.
        icc: ρ, the intra-class correlation of the label, 0 to 1.
    """

    attribute: str
    label: str
    outcome: str
    verdicts: tuple[str, str]
    probabilities: tuple[float, float]
    llr: float
    base_rate: float
    icc: float


@dataclass(frozen=True, slots=True)
class PairReading:
    """What two templates say of each other.

    Attributes:
        cosine: -1 to 1.
        threshold: ``None`` where none is known for the encoder.
        match: ``None`` likewise.
        attributes: by falling weight, the size of the llr.
        sentence: all this in plain words.
    """

    cosine: float
    threshold: Threshold | None
    match: bool | None
    attributes: tuple[PairedAttribute, ...]
    sentence: str

    def of(self, outcome: str) -> tuple[PairedAttribute, ...]:
        """The attributes that ``agree``, ``disagree``, or ``cannot tell``."""
        return tuple(one for one in self.attributes if one.outcome == outcome)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; NaN becomes ``None``."""
        return {
            "cosine": round(self.cosine, 6),
            "threshold": None if self.threshold is None else finite(asdict(self.threshold)),
            "match": self.match,
            "sentence": self.sentence,
            "attributes": [finite(asdict(one)) for one in self.attributes],
        }


def pair(
    method: TemplateReader,
    a: Floats,
    b: Floats,
    threshold: Threshold | float | None = None,
    *,
    hide: Hide = (),
) -> PairReading:
    """Compares two templates and what an interpreter or a probe reads in them.

    Args:
        method: of the templates' encoder.
        a, b: (d,) float templates, of any norm.
        threshold: for the match; default, the encoder's own where there is one, of
            :data:`~clip_smu.interpreter.thresholds.THRESHOLDS`.
        hide: attributes, groups or categories to leave out, by name.

    Raises:
        TemplateError: a template of another length, or zero, NaN or infinite, or unlike those of the encoder.
        InputError: the threshold is no cosine, or ``hide`` names nothing or everything.

    Example:
        >>> from clip_smu.interpreter.interpreter import load_interpreter
        >>> interpreter = load_interpreter()
        >>> same = pair(interpreter, interpreter.centre, 2 * interpreter.centre)
        >>> round(same.cosine, 6), same.match, same.of("disagree")
        (1.0, True, ())
    """
    vectors = np.stack([_checked(method, one, name) for one, name in ((a, "first"), (b, "second"))])
    shown = shown_columns(method.attributes, hide)
    limit = threshold_of(method.encoder, threshold)
    likeness = float(np.clip(cosine(vectors[:1], vectors[1:])[0], -1, 1))
    _, probabilities, verdicts = method.read(vectors)
    base = base_rates(method)
    rho = np.array([ICC[name] for name in method.attributes])
    llr = log_likelihood_ratio(probabilities[0], probabilities[1], base, rho)
    rows = [
        PairedAttribute(
            name,
            by_name(name).label,
            _outcome(int(verdicts[0, k]), int(verdicts[1, k])),
            (VERDICTS[int(verdicts[0, k])], VERDICTS[int(verdicts[1, k])]),
            (float(probabilities[0, k]), float(probabilities[1, k])),
            float(llr[k]),
            float(base[k]),
            float(rho[k]),
        )
        for k in shown
        for name in [method.attributes[k]]
    ]
    rows.sort(key=lambda one: -abs(np.nan_to_num(one.llr)))
    match = None if limit is None else likeness >= limit.cosine
    sentence = f"{_of_match(likeness, limit, match, method.encoder)} {_of_attributes(rows)}"
    return PairReading(likeness, limit, match, tuple(rows), sentence)


def _checked(method: TemplateReader, template: Floats, name: str) -> Float32s:
    vector = np.asarray(template, dtype=np.float32)
    if vector.ndim != 1:
        raise TemplateError(f"expected the {name} template as ({method.dim},), found shape {vector.shape}")
    method.check_templates(None, len(vector))
    if not usable(vector[None])[0]:
        raise TemplateError(f"the {name} template is {why_unusable(vector)}: give another")
    if not readable(method, vector[None])[0]:
        raise TemplateError(
            f"the {name} template {stranger(method.encoder)}: give another, or another reader"
        )
    return vector


def _outcome(a: int, b: int) -> str:
    told = {ENCODED, NOT_ENCODED}
    if a not in told or b not in told:
        return OPEN
    return AGREE if a == b else DISAGREE


def _of_match(likeness: float, limit: Threshold | None, match: bool | None, encoder: str) -> str:
    if limit is None:
        return (
            f"The cosine of these two templates is {likeness:.3f}; "
            f"without a threshold for {encoder} nobody can say whether they match."
        )
    rate = "" if np.isnan(limit.far) else f" for a false accept rate of {limit.far:.2g}"
    return (
        f"These two templates {'match' if match else 'do not match'} "
        f"(cosine {likeness:.3f}, threshold {limit.cosine:.3f}{rate})."
    )


def _of_attributes(rows: Sequence[PairedAttribute]) -> str:
    """What both are read as, and where they differ, in the words that are said unasked."""
    rows = [one for one in rows if asserted_by_default(one.attribute)]
    agreed = [one for one in rows if one.outcome == AGREE]
    both = [one for one in agreed if one.verdicts[0] == VERDICTS[ENCODED]]
    woman = any(one.attribute == "Male" and one.verdicts[0] == VERDICTS[NOT_ENCODED] for one in agreed)
    kept, _ = settled(
        {INDEX[one.attribute]: min(one.probabilities) for one in both}, {MALE: 1.0} if woman else {}
    )
    if kept or woman:
        text = describe([NAMES[i] for i in kept], ["Male"] if woman else [])
        for singular, plural in _PLURALS:
            text = text.replace(singular, plural)
        text = text.removesuffix(".")
    else:
        text = "They show no attribute in common that can be told"
    disagreed = [one.label for one in rows if one.outcome == DISAGREE]
    if not disagreed:
        return f"{text}; they disagree on nothing that can be told."
    more = len(disagreed) - NAMED
    named = [*disagreed[:NAMED], *([f"{more} more"] if more > 0 else [])]
    listed = f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]
    return f"{text}; they disagree on {listed}."


_PLURALS = (
    ("This template reads as", "Both read as"),
    ("It also shows", "Both also show"),
    ("It further shows", "Both further show"),
)
