"""The strategies from readings to captions: what each says of a template, and the sentence for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Bools, Floats, Int8s
from clip_smu.errors import InputError, InterpreterError
from clip_smu.evaluation.generation.greedy import greedy
from clip_smu.interpreter.calibration import ENCODED, NOT_ENCODED
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.interpreter.readable import readable
from clip_smu.interpreter.reader import TemplateReader, stranger
from clip_smu.templates import usable, why_unusable
from clip_smu.words.attributes import GROUPS, INDEX, NAMES
from clip_smu.words.captions import caption, paper_caption
from clip_smu.words.hiding import Hide, hidden_names

STRATEGIES = {
    "calibrated": "verdicts of encoded",
    "likely": "probability of .5 or more",
    "threshold": "score above one threshold",
    "greedy": "greedy by the caption's likelihood",
}
"""The strategies to a caption, with what they go by."""

LIKELY = 0.5

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class CaptionConfig:
    """Settings of the strategies for a caption.

    Attributes:
        threshold: of ``threshold``: a score above it says yes. 0 is "nearer to the positive prompt than to the
            negative one"; a zero-shot interpreter has no negative prompts and wants a threshold of its own. A
            probe's scores are log-odds.
        margin: of ``greedy``: the likelihood that an attribute must add. 0.2 in the authors' code; with 0 it
            goes on for as long as any attribute adds something.
        scale: of ``greedy``: cosines are multiplied by it before the softmax. CLIP's is 100.
        most: of ``greedy``: attributes in a caption at most.

    Example:
        >>> CaptionConfig(margin=0.0).most
        12
    """

    threshold: float = 0.0
    margin: float = 0.2
    scale: float = 100.0
    most: int = 12

    def check(self) -> None:
        """Raises InputError where a setting cannot be used."""
        for name, low, high in (
            ("threshold", -1e3, 1e3),
            ("margin", 0, 1),
            ("scale", 1e-3, 1e4),
            ("most", 1, len(NAMES)),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value}")


@dataclass(frozen=True, eq=False)
class Captions:
    """Captions of N templates.

    Attributes:
        asserted: (N, 47) bool, the attributes that a caption says, in the order of ``attributes.NAMES``.
        texts: N captions; "" where the template cannot be read.
        rejected: N reasons why it cannot; "" where it can.
    """

    asserted: Bools
    texts: list[str]
    rejected: list[str]


def generate(
    method: TemplateReader,
    vectors: Floats,
    strategy: str = "calibrated",
    *,
    config: CaptionConfig | None = None,
    hide: Hide = (),
    progress: Progress | None = None,
) -> Captions:
    """Captions of templates.

    Args:
        method: an interpreter, or a probe; ``greedy`` wants an interpreter with a text encoder.
        vectors: (N, d) float, as the encoder gave them; a row that cannot be read gets "" and a reason.
        strategy: one of :data:`STRATEGIES`.
        config: settings.
        hide: attributes, groups or categories, by name, that no caption says: without gender nobody is a woman.
        progress: called with the number of templates done.

    Raises:
        InputError: no such strategy, or a setting that cannot be used.
        TemplateError: templates of another length.
        InterpreterError: ``greedy`` without a text encoder.

    Example:
        >>> import numpy as np
        >>> from clip_smu.interpreter.interpreter import load_interpreter
        >>> interpreter = load_interpreter()
        >>> made = generate(interpreter, np.stack([interpreter.centre] * 2), "greedy")
        >>> made.asserted.shape, made.texts[0][:12]
        ((2, 47), 'A photo of a')
    """
    config = config or CaptionConfig()
    config.check()
    if strategy not in STRATEGIES:
        raise InputError(f"expected one of the strategies {', '.join(STRATEGIES)}, found {strategy!r}")
    table = np.ascontiguousarray(np.atleast_2d(np.asarray(vectors, dtype=np.float32)))
    method.check_templates(None, table.shape[-1])
    fine = readable(method, table)
    good = np.flatnonzero(fine)
    asserted = np.zeros((len(table), len(NAMES)), dtype=np.bool_)
    texts, rejected = [""] * len(table), [""] * len(table)
    for row in np.flatnonzero(~fine):
        zero = not usable(table[row : row + 1])[0]
        rejected[row] = why_unusable(table[row]) if zero else stranger(method.encoder)
    scores, probabilities, verdicts = method.read(table[good])
    hidden = np.isin(NAMES, [*hidden_names(hide)])
    scores[:, hidden], probabilities[:, hidden], verdicts[:, hidden] = -np.inf, 0, 0
    if strategy == "greedy":
        if not isinstance(method, Interpreter):
            raise InterpreterError(
                f"greedy captions need a text encoder, and the probe {method.name} has none: give an interpreter"
            )
        asserted[good] = greedy(
            method, table[good], hidden=hidden,
            margin=config.margin, scale=config.scale, most=config.most, progress=progress,
        )  # fmt: skip
    elif strategy == "threshold":
        asserted[good] = above(scores, config.threshold)
    else:
        asserted[good] = calibrated(probabilities, verdicts if strategy == "calibrated" else None)
    for place, row in enumerate(good):
        not_male = strategy == "calibrated" and verdicts[place, INDEX["Male"]] == NOT_ENCODED
        texts[row] = _worded(asserted[row], strategy, woman=bool(not_male))
    if progress and strategy != "greedy":
        progress(len(table))
    return Captions(asserted, texts, rejected)


def calibrated(probabilities: Floats, verdicts: Int8s | None = None) -> Bools:
    """(N, 47) what calibrated readings assert; of an exclusive group only the likeliest.

    Args:
        probabilities: (N, 47) calibrated.
        verdicts: (N, 47): says yes where *encoded*; without them, where the probability is 0.5 or more.
    """
    said = probabilities >= LIKELY if verdicts is None else verdicts == ENCODED
    said = np.array(said, dtype=np.bool_)
    for members in GROUPS.values():
        columns = [INDEX[name] for name in members]
        if len(columns) > 1:
            chance = np.where(said[:, columns], probabilities[:, columns], -1)
            likeliest = chance.argmax(axis=1)[:, None] == np.arange(len(columns))
            said[:, columns] &= likeliest
    return said


def above(scores: Floats, threshold: float | Floats) -> Bools:
    """(N, 47) whether a score is above the threshold, one for all or (47,); contradictions are left standing."""
    return np.asarray(scores > threshold, dtype=np.bool_)


def choose_threshold(scores: Floats, labels: Int8s) -> float:
    """The threshold of highest F1 for "yes above it", halfway between two scores; infinite without a positive.

    Args:
        scores: (N,) or (N, K), taken as one, without NaN.
        labels: the same shape, 1, -1 or 0 (unknown, left out).

    Example:
        >>> choose_threshold(np.array([0.9, 0.7, 0.5, 0.1]), np.array([1, 1, -1, -1], dtype=np.int8))
        0.6
    """
    flat, truth = np.ravel(scores), np.ravel(labels)
    known = truth != 0
    order = np.argsort(-flat[known], kind="stable")
    ranked, yes = flat[known][order].astype(np.float64), truth[known][order] > 0
    if not yes.any():
        return float("inf")
    value = 2 * np.cumsum(yes) / (np.arange(1, len(yes) + 1) + yes.sum())
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    best = int(np.argmax(np.where(last_of_tie, value, -1.0)))
    return float((ranked[best] + ranked[best + 1]) / 2) if best + 1 < len(ranked) else float(ranked[best] - 1)


def _worded(asserted: Bools, strategy: str, *, woman: bool) -> str:
    """The paper's sentence, or for calibrated readings ours, where a red Male makes a woman."""
    labels = {name: 1 for name, said in zip(NAMES, asserted.tolist(), strict=True) if said}
    if strategy in ("threshold", "greedy"):
        return paper_caption(labels)
    if woman:  # true, but nobody says it
        labels = {name: 1 for name in labels if name != "No_Beard"} | {"Male": -1}
    return caption(labels)
