"""The paper's captions by likelihood: grown attribute by attribute, many faces at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Floats
from clip_smu.errors import InputError
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.words.attributes import INDEX, NAMES, columns
from clip_smu.words.captions import paper_caption
from clip_smu.words.coherence import RIVALS

Progress = Callable[[int], None]


def greedy(
    interpreter: Interpreter,
    vectors: Float32s,
    *,
    hidden: Bools | None = None,
    margin: float = 0.2,
    scale: float = 100.0,
    most: int = 12,
    progress: Progress | None = None,
) -> Bools:
    """(N, 47) the attributes of the caption that grows by its likelihood.

    A caption's likelihood is its share in the softmax of ``scale * cos(template, caption)`` over the present
    caption and that caption with each one attribute more. The likeliest is taken if it beats the present one by
    more than ``margin``. Attributes that contradict the caption (of one exclusive group, or a beard with "no
    beard") and captions that are longer than the text encoder reads are no candidates.

    Every caption is encoded once: faces that have come to the same caption go on together.

    Args:
        interpreter: one with a text encoder, that is, loaded from a folder.
        vectors: (N, d) finite and not zero.
        hidden: (47,) attributes that are no candidates; default, none.
        margin, scale: see above; 0.2 in the authors' code, and CLIP's 100.
        most: attributes in a caption at most.
        progress: called with the number of faces whose caption has come to its end.

    Raises:
        InterpreterError: the interpreter has no text encoder.
    """
    points = _centred(interpreter, vectors)  # (N, d)
    encoded = _CaptionVectors(interpreter)
    closed = np.zeros(len(NAMES), dtype=np.bool_) if hidden is None else hidden
    said = np.zeros((len(points), len(NAMES)), dtype=np.bool_)
    going = np.arange(len(points))
    for length in range(most):
        ending = np.ones(len(going), dtype=np.bool_)
        sets, set_of = np.unique(said[going], axis=0, return_inverse=True)
        for number, chosen in enumerate(sets):
            places = np.flatnonzero(set_of.reshape(-1) == number)
            candidates = np.flatnonzero(~chosen & ~_CONTRADICTS[chosen].any(axis=0) & ~closed)
            table = encoded.of([chosen, *(_with(chosen, int(k)) for k in candidates)])  # (1 + C, d)
            logits = scale * (points[going[places]] @ table.T)
            likelihood = _softmax(np.where(np.isnan(logits), -np.inf, logits))
            best = 1 + likelihood[:, 1:].argmax(axis=1) if len(candidates) else np.zeros(len(places), np.intp)
            grows = likelihood[np.arange(len(places)), best] - likelihood[:, 0] > margin
            said[going[places[grows]], candidates[best[grows] - 1]] = True
            ending[places[grows]] = False
        if progress:
            progress(len(going) if length == most - 1 else int(ending.sum()))
        going = going[~ending]
        if not len(going):
            break
    return said


class _CaptionVectors:
    """Vectors of the captions of attribute sets, each encoded once; NaN for one that is too long to be read."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._encoder, self._dim = interpreter.text_encoder, interpreter.positive.shape[1]
        self._known: dict[str, Float32s] = {}

    def of(self, sets: Sequence[Bools]) -> Float32s:
        """(M, d) float32 of M attribute sets, (47,) each."""
        texts = [paper_caption(chosen.astype(np.int8).tolist()) for chosen in sets]
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known.update(zip(new, self._encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def _encode(self, texts: list[str]) -> Float32s:
        try:
            return np.asarray(self._encoder.encode(texts), dtype=np.float32)
        except InputError:  # one is too long
            if len(texts) == 1:
                return np.full((1, self._dim), np.nan, dtype=np.float32)
            half = len(texts) // 2
            return np.concatenate([self._encode(texts[:half]), self._encode(texts[half:])])


def _centred(interpreter: Interpreter, vectors: Float32s) -> Float32s:
    """(N, H) what it takes cosines with: adapted templates, or unit ones less its centre, made unit again."""
    if interpreter.adapter is not None:
        return interpreter.adapter(vectors)
    moved = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) - interpreter.centre
    length = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-6)
    return np.asarray(moved / length, dtype=np.float32)


def _with(chosen: Bools, k: int) -> Bools:
    grown = chosen.copy()
    grown[k] = True
    return grown


def _softmax(logits: Floats) -> Float64s:
    """Rows that sum to 1; the first column is finite."""
    odds = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


def _contradictions() -> Bools:
    """(47, 47) whether two attributes cannot stand in one caption."""
    table = np.zeros((len(NAMES), len(NAMES)), dtype=np.bool_)
    for name, rivals in RIVALS.items():
        table[INDEX[name], columns(*rivals)] = True
    return table


_CONTRADICTS = _contradictions()
