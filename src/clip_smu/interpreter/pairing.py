"""Two faces: the cosine of their templates, whether they match, and which attributes speak for one person.

Attribute z is read with the calibrated probabilities p_a and p_b; π is its base rate. If templates depend on each
other only through z, and z is the same in both photos of one person, then

    P(a, b | one person) / P(a, b | two persons) = Σ_z P(z) (p_a(z) / P(z)) (p_b(z) / P(z))
                                                 = p_a p_b / π + (1 - p_a) (1 - p_b) / (1 - π)

by Bayes' rule, P(a | z) = P(a) p_a(z) / P(z). Glasses come off and beards grow: with the probability ρ the second
photo keeps z, else z is drawn anew from the base rate, and the ratio becomes

    1 - ρ + ρ (p_a p_b / π + (1 - p_a) (1 - p_b) / (1 - π)).

Its logarithm to base 10 is positive where the attribute speaks for one person; +1 is ten times as likely. ρ is the
correlation of the attribute's label between two photos of one person. Attributes depend on each other (a beard says
male): their ratios must not be added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clip_smu.arrays import Float32s, Float64s, Floats, Indices
from clip_smu.errors import InputError, TemplateError
from clip_smu.interpreter.calibration import ENCODED, NOT_ENCODED
from clip_smu.interpreter.readable import readable
from clip_smu.interpreter.reader import TemplateReader, stranger
from clip_smu.interpreter.readings import VERDICTS
from clip_smu.labels.labels import Labels
from clip_smu.metrics.persons import person_numbers
from clip_smu.metrics.verification import Pairs, cosine
from clip_smu.photos.names import match
from clip_smu.storage.documents import finite
from clip_smu.templates import Templates, usable, why_unusable
from clip_smu.words.attributes import INDEX, NAMES, by_name
from clip_smu.words.captions import describe
from clip_smu.words.hiding import Hide, shown_columns

AGREE, DISAGREE, OPEN = "agree", "disagree", "cannot tell"
NAMED = 6  # disagreements that the sentence names


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which cosine on two templates count as one person's.

    Attributes:
        cosine: -1 to 1; a pair at or above it matches.
        far: share of pairs of two persons that match wrongly; NaN where nobody measured it.
        tar: share of pairs of one person that match; NaN likewise.
        source: what it was measured on.
    """

    cosine: float
    far: float
    tar: float
    source: str


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
        stability: ρ, 0 to 1.
    """

    attribute: str
    label: str
    outcome: str
    verdicts: tuple[str, str]
    probabilities: tuple[float, float]
    llr: float
    base_rate: float
    stability: float


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
        threshold: for the match; default, that of :data:`THRESHOLDS` for the encoder, if there is one.
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
    limit = _threshold(method.encoder, threshold)
    likeness = float(np.clip(cosine(vectors[:1], vectors[1:])[0], -1, 1))
    _, probabilities, verdicts = method.read(vectors)
    base = base_rates(method)
    rho = np.array([STABILITY[name] for name in method.attributes])
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


def log_likelihood_ratio(
    a: ArrayLike, b: ArrayLike, base_rate: ArrayLike, stability: ArrayLike = 1.0
) -> Float64s:
    """log10 of the ratio that this module's head derives, element by element.

    Args:
        a, b: calibrated probabilities, 0 to 1.
        base_rate: π; NaN, 0 and 1 give NaN.
        stability: ρ, 0 to 1.

    Example:
        >>> log_likelihood_ratio(1.0, 1.0, 0.1).round(2).tolist()  # both have what one in ten has
        1.0
    """
    p, q, base, rho = (np.asarray(one, dtype=np.float64) for one in (a, b, base_rate, stability))
    base = np.where((base > 0) & (base < 1), base, np.nan)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log10(1 - rho + rho * (p * q / base + (1 - p) * (1 - q) / (1 - base))))


def stability(labels: Labels) -> Float64s:
    """(47,) ρ: correlation of each label between two photos of one person, 0 to 1; NaN where nothing varies.

    Persons with two known labels or more count once each; labels of 0 are left out.
    """
    person = person_numbers(labels.identities)
    count = int(person.max()) + 1
    result = np.full(len(NAMES), np.nan)
    for k, column in enumerate(labels.values.T):
        known = np.bincount(person[column != 0], minlength=count).astype(np.float64)
        yes = np.bincount(person[column > 0], minlength=count)[known > 1].astype(np.float64)
        known = known[known > 1]
        if not len(known):
            continue
        rate, both = (yes / known).mean(), (yes * (yes - 1) / (known * (known - 1))).mean()
        if 0 < rate < 1:
            result[k] = np.clip((both - rate**2) / (rate * (1 - rate)), 0, 1)
    return result


def base_rates(method: TemplateReader) -> Float64s:
    """(K,) share of yes among the known labels of the method's evidence; NaN where it has none."""
    yes, no = (
        np.array([getattr(one, key) for one in method.evidence], dtype=np.float64)
        for key in ("n_positive", "n_negative")
    )
    with np.errstate(invalid="ignore"):
        return np.asarray(yes / (yes + no))


def find_threshold(templates: Templates, pairs: Pairs, far: float, source: str = "") -> Threshold:
    """The threshold with which at most ``far`` of the pairs of two persons match, midway to the next such pair below.

    Args:
        templates: of all photos of the pairs; pairs with a photo that has none are left out.
        pairs: of one person and of two.
        far: 0 to 1.
        source: words for what these pairs are.

    Raises:
        InputError: too few pairs for that rate.
    """
    first, second, used = rows_of(pairs, templates)
    scores = cosine(templates.vectors[first], templates.vectors[second])
    different, same = np.sort(scores[~used.same])[::-1], scores[used.same]
    if not 0 < far < 1 or len(different) * far < 1 or not len(same):
        raise InputError(
            f"expected at least {1 / far if far > 0 else 0:.0f} pairs of two persons for a false accept rate of "
            f"{far:g} (inside 0 to 1), and some of one person; found {len(different)} and {len(same)} with templates"
        )
    allowed = int(len(different) * far * (1 + 1e-12))  # at least 1, below their number
    last, first_wrong = float(different[allowed - 1]), float(different[allowed])
    cut = max(
        (last + first_wrong) / 2, float(np.nextafter(first_wrong, 2.0))
    )  # the latter where the two are equal
    return Threshold(cut, float((different >= cut).mean()), float((same >= cut).mean()), source)


def rows_of(pairs: Pairs, templates: Templates) -> tuple[Indices, Indices, Pairs]:
    """Rows of both photos of each pair (main faces, usable templates), and the pairs for which there are two.

    Names match as :mod:`clip_smu.photos.names` says.
    """
    main = np.flatnonzero(templates.faces == 0)
    found = match([*pairs.first, *pairs.second], [templates.images[row] for row in main]).at
    rows = np.where(found >= 0, main[np.maximum(found, 0)], -1) if len(main) else found
    good = (rows >= 0) & usable(templates.vectors)[rows] if len(main) else rows >= 0
    there = np.flatnonzero(good[: len(pairs)] & good[len(pairs) :])
    return rows[there], rows[len(pairs) + there], pairs.take(there)


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


def _threshold(encoder: str, given: Threshold | float | None) -> Threshold | None:
    if given is None:
        return THRESHOLDS.get(encoder)
    if isinstance(given, Threshold):
        return given
    if not -1 <= given <= 1:
        raise InputError(f"expected a threshold between -1 and 1, a cosine, found {given}")
    return Threshold(float(given), float("nan"), float("nan"), "given")


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
    """What both are read as, and where they differ; of an exclusive group the likeliest only."""
    agreed = [one for one in rows if one.outcome == AGREE]
    both = [one for one in agreed if one.verdicts[0] == VERDICTS[ENCODED]]
    best: dict[str, str] = {}
    for one in sorted(both, key=lambda one: -min(one.probabilities)):
        group = by_name(one.attribute).group
        if group is not None:
            best.setdefault(group, one.attribute)
    kept = [
        one.attribute
        for one in both
        if best.get(by_name(one.attribute).group or "", one.attribute) == one.attribute
    ]
    woman = any(one.attribute == "Male" and one.verdicts[0] == VERDICTS[NOT_ENCODED] for one in agreed)
    if woman:  # true, but nobody says it
        kept = [name for name in kept if name != "No_Beard"]
    kept.sort(key=INDEX.__getitem__)
    if kept or woman:
        text = describe(kept, ["Male"] if woman else [])
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


# fmt: off
_LFW_STABILITY = (
    0.99, 0.74, 0.59, 0.77, 0.91, 0.93, 0.96, 0.29, 0.19, 0.78,
    0.76, 0.81, 0.65, 0.61, 0.65, 0.70, 0.74, 0.70, 0.74, 0.81,
    0.78, 0.75, 0.49, 0.11, 0.38, 0.68, 0.36, 0.70, 0.52, 0.50,
    0.31, 0.49, 0.76, 0.70, 0.32, 0.34, 0.71, 0.67, 0.65, 0.85,
    0.51, 0.77, 0.89, 0.90, 0.76, 0.80, 0.78,
)
# fmt: on
STABILITY: dict[str, float] = dict(zip(NAMES, _LFW_STABILITY, strict=True))
"""ρ of each attribute: what `stability` gives for the machine-made labels of 11,187 LFW photos, at most .99."""

THRESHOLDS: dict[str, Threshold] = {
    "dlib": Threshold(0.9227, 0.00067, 0.9537, "LFW's pairs.txt: 2,984 pairs of two persons, 2,979 of one"),
}
"""Encoder → threshold of at most one false match in 1,000, from `find_threshold`."""
