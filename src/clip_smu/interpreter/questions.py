"""Free-text questions about templates: how each is understood, and its answer or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s
from clip_smu.interpreter.answering import answer
from clip_smu.interpreter.calibration import NEVER, Calibration, probability_of
from clip_smu.interpreter.certainty import ends
from clip_smu.interpreter.coherence import coherent
from clip_smu.interpreter.dependence import dependence_among
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.words.agreement import AGREEMENT, asserted_by_default
from clip_smu.words.coherence import EXCLUDES, RIVALS
from clip_smu.words.expression import Expression, Means, Part, Refused, Unknown, asked_for, replaced
from clip_smu.words.hiding import Hide, refuse_meaning, refuse_question
from clip_smu.words.question import Question, understand
from clip_smu.words.refusal import refusal

PhraseReader = Callable[[str], tuple[Means, float] | None]
"""A phrase that the lexicon lacks → what it means and how surely, 0 to 1; ``None``: it means nothing known."""
_LEAST = 1e-7  # probabilities nearer to 0 or 1 have the log odds of this one


@dataclass(frozen=True, eq=False)
class Answer:
    """What N templates answer to a question.

    Attributes:
        question: as asked. understood: how it was understood; ``understood.notes`` tells choices that were made.
        probabilities: (N,) float32 that it is so, calibrated, 0 to 1; NaN where a template does not look like one of
            the encoder, where the question was refused, and where it was read by the text encoder alone.
        low, high: (N,) float32 ends of the 95 % interval of each probability, which is that of the calibration.
        scores: (N,) float32 to rank by: log odds of the probability; read by the text encoder alone, the difference
            of cosines to the question and to its opposite, -2 to 2.
        refused: why there is no answer, in one line, or "".
        unseen: words of a question read by the text encoder alone that it was not trained on: the order may mean
            little.
    """

    question: str
    understood: Question
    probabilities: Float32s
    low: Float32s
    high: Float32s
    scores: Float32s
    refused: str = ""
    unseen: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """How it was understood, and why it was refused if it was, as JSON values; without the templates' figures."""
        return {**self.understood.to_dict(), "refused": self.refused or None}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a question will be answered: by probabilities, unless ``refused`` says why not, or by ``direction``."""

    understood: Question
    refused: str = ""
    direction: bool = False


def planned(
    reader: TemplateReader, question: str, hide: Hide = (), read_phrase: PhraseReader | None = None
) -> Plan:
    """How a reader answers a question.

    Args:
        hide: attributes, groups or categories that may not be asked about.
        read_phrase: reads phrases that the lexicon lacks; ``None``: such questions go to the text encoder as a whole.

    Raises:
        InputError: the question is empty or too long, or about something hidden.
    """
    refuse_question(question, hide)
    asked = understand(question)
    if read_phrase is not None:
        asked = _read_by(asked, read_phrase)
    refuse_meaning(((one.phrase, one.means) for one in asked.all_of(Part)), hide)
    for one in asked.all_of(Refused):
        return Plan(asked, refusal(one.phrase, one.reason))
    if not any(_told(evidence) for evidence in reader.evidence):  # nobody calibrated it
        return Plan(asked, direction=True)
    for one in asked.all_of(Unknown):
        if read_phrase is None:
            return Plan(asked, direction=True)
        return Plan(asked, refusal(one.phrase, "out-of-vocabulary"))
    for one in asked.all_of(Part):
        for name, _ in one.means:
            if why := unreadable(reader, name):
                return Plan(asked, refusal(one.phrase, "not-readable", why))
    doubts = [_DOUBTS[bool(name in AGREEMENT)].format(name) for name in asked_for(asked.expression)
              if not asserted_by_default(name)]  # fmt: skip
    return Plan(replace(asked, notes=(*asked.notes, *doubts)))


def unreadable(reader: TemplateReader, name: str) -> str:
    """Why nothing can be said of an attribute in a reader's templates, or ""."""
    if name not in reader.attributes:
        return f"{reader.name} does not read {name}"
    k = reader.attributes.index(name)
    evidence = reader.evidence[k]
    if reader.silent[k]:
        return f"{reader.at or 'what its calibration away from home rests on'} has no labels of {name} to calibrate by"
    if not _told(evidence):
        return f"{name} was measured on too few faces ({evidence.reason or 'no labelled faces'})"
    figures = f"AUC {evidence.auc:.3f} ({evidence.low:.3f}-{evidence.high:.3f})"
    if not evidence.low > 0.5:
        return f"templates of {reader.encoder} do not tell {name} better than chance, {figures}"
    everywhere = (reader.calibration, *(reader.places.calibrations if reader.places else ()))
    if asserted_by_default(name) and not any(_ever(one, k) for one in everywhere):
        return f"{name} is read too poorly in templates of {reader.encoder} to be asserted of any face, {figures}"
    return ""


def answered(
    reader: TemplateReader,
    plan: Plan,
    vectors: Float32s,
    score: Callable[[Float32s, list[int]], Float32s],
    dependence: Float32s | None = None,
    *,
    intervals: bool = True,
) -> Answer:
    """Probabilities of N templates, (N, d) float32 rows, for a plan that is neither refused nor by direction.

    Args:
        score: the reader's scores of templates, (N, M) of M columns.
        dependence: (K, K) of the reader's attributes; ``None``: that which ships.
        intervals: whether to give them; else ``low`` and ``high`` are the probability, in half the time.
    """
    expression = plan.understood.expression
    asked = list(asked_for(expression))
    names = _needed(reader.attributes, asked) if reader.places is not None else asked
    at = [reader.attributes.index(name) for name in names]
    scores = score(vectors, at)
    calibration = reader.calibration
    some = Calibration(*(bounds[at] for bounds in astuple(calibration)))
    with np.errstate(invalid="ignore", over="ignore"):
        if reader.places is None:
            read = probability_of(some.slope, some.intercept, scores)
        else:
            read = coherent(some, scores, names)
    if reader.likeness is not None:
        read[~reader.likeness.holds(vectors)] = np.nan
    others = reader.places.calibrations if reader.places is not None and not reader.at else ()
    low, high = {}, {}
    for name in asked if intervals else ():
        column, k = names.index(name), reader.attributes.index(name)
        low[name], high[name] = ends(
            reader.evidence[k],
            read[:, column],
            scores=scores[:, column],
            attribute=k,
            read_by=calibration,
            others=others,
        )
    correlations = dependence_among(reader.attributes, dependence)[np.ix_(at, at)]
    likely = answer(expression, read, names, correlations, low=low, high=high, intervals=intervals)
    p = np.clip(likely.probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    return Answer(
        plan.understood.text,
        plan.understood,
        likely.probabilities,
        likely.low,
        likely.high,
        np.log(p / (1 - p)).astype(np.float32),
    )


def unanswered(plan: Plan, count: int) -> Answer:
    """The answer of N templates to a refused question."""
    nothing = np.full(count, np.nan, dtype=np.float32)
    return Answer(plan.understood.text, plan.understood, nothing, nothing, nothing, nothing, plan.refused)


def opposite(asked: Float32s, positive: Float32s, negative: Float32s) -> Float32s:
    """(d,) the opposite of the prompt, of either side, that is nearest to a question.

    Training compares the two prompts of an attribute, so it is their difference that tells; what a sentence shares
    with its opposite ("without glasses") is left to chance. A question is therefore held against this.

    Args:
        asked: (d,) float32, the question's vector, of norm 1.
        positive, negative: (K, d) float32 prompts; negative zeros: there are none, and neither is an opposite.
    """
    if not negative.any():
        return np.zeros_like(asked)
    sides = np.stack([positive, negative])
    side, k = np.unravel_index(np.argmax(sides @ asked), sides.shape[:2])
    nearest: Float32s = sides[1 - side, k]
    return nearest


def _read_by(asked: Question, read_phrase: PhraseReader) -> Question:
    """The question with the phrases that the lexicon lacks as the reader of phrases reads them, each told."""
    notes = list(asked.notes)

    def known(phrase: str) -> Expression:
        found = read_phrase(phrase)
        if found is None:
            return Unknown(phrase)
        means, weight = found
        notes.append(f"{phrase!r} is in no table; the text encoder takes it for this, with {weight:.2f}")
        return Part(phrase, means, weight)

    return Question(asked.text, replaced(asked.expression, known), tuple(dict.fromkeys(notes)))


def _needed(attributes: Sequence[str], asked: Sequence[str]) -> list[str]:
    """The attributes that coherence holds together with those asked for, in the reader's order."""
    wanted = set(asked)
    while True:
        more = {rival for name in wanted for rival in RIVALS[name]}
        more |= {name for (a, _), (b, _) in EXCLUDES if {a, b} & wanted for name in (a, b)}
        if more <= wanted:
            return [name for name in attributes if name in wanted]
        wanted |= more


def _told(evidence: Evidence) -> bool:
    return bool(np.isfinite(evidence.auc) and np.isfinite(evidence.low))


def _ever(calibration: Calibration, k: int) -> bool:
    """Whether a verdict is ever asserted."""
    return bool(calibration.encoded_at[k] < NEVER or calibration.not_encoded_at[k] > 1 - NEVER)


_DOUBTS = {
    True: "{} is a word on which two people agree no better than two coins",
    False: "{} is an opinion: the answer repeats that of whoever labelled the faces",
}
