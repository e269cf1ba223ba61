"""What a phrase means that no table holds: attributes, by a pretrained text encoder, or nothing that can be read.

The text encoder's sentence embeddings, as before training, go through a linear layer with a softmax that was fitted to
the lexicon (a class for each meaning), to the refusals (a class for each reason) and to words about anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from clip_smu.arrays import Float32s, Int8s
from clip_smu.errors import InterpreterError
from clip_smu.storage.tensors import read_tensors, real_array
from clip_smu.words.attributes import NAMES

LEAST = 0.3
"""Probability below which a phrase is not understood. Fitted without a third of all words: of the refused
phrases with such a word 95 % stay below, of the lexicon's 38 %; of those that are read 82 % are read rightly.
"""
FRAMES = ("{}", "a person with {}")

Embed = Callable[[Sequence[str]], Float32s]
Means = tuple[tuple[str, bool], ...]
"""Attributes that hold together, each with whether it does."""


class MeaningReader:
    """Phrases → what they mean.

    Args:
        embed: sentences → (N, w) float32 embeddings of norm 1, :meth:`~clip_smu.text.encoder.TextEncoder.meanings`.
        weight, bias: (M, F) and (M,) float32 of the linear layer.
        signs: (M, 47) int8, what each class means; zeros: nothing that can be read.
        least: probability below which a phrase is taken as not understood.
    """

    def __init__(
        self, embed: Embed, weight: Float32s, bias: Float32s, signs: Int8s, least: float = LEAST
    ) -> None:
        self._embed, self._weight, self._bias, self._least = embed, weight, bias, least
        self._means = [means_of(row) for row in signs]
        self._refused = ~signs.any(axis=1)

    def __call__(self, phrase: str) -> tuple[Means, float] | None:
        """What a phrase means, with a confidence from ``least`` to 1; ``None``: it is too far from all that is known.

        Raises:
            InputError: it is empty or too long.
        """
        logits = embedded(self._embed, [phrase])[0] @ self._weight.T + self._bias
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        best = int(np.argmax(np.where(self._refused, 0, shares)))
        confidence = float(shares[best])
        return (self._means[best], confidence) if confidence >= self._least else None


def read_meanings(file: Path, embed: Embed, *, noted: str | None = None) -> MeaningReader:
    """The reader of a file that a fit wrote beside its text encoder.

    Args:
        embed: as of `MeaningReader`, called at the first phrase.
        noted: sha256 of its file, as it was written.

    Raises:
        InterpreterError: its file is damaged.
    """
    arrays, where = (
        read_tensors(file, "interpreter", InterpreterError, noted=noted),
        f"the interpreter in {file.parent}",
    )
    signs = arrays.get("signs")
    if signs is None or signs.dtype != np.int8 or signs.ndim != 2 or signs.shape[1] != len(NAMES):
        raise InterpreterError(f"{where} is damaged: {file.name} does not say what its classes mean")
    weight = arrays.get("weight", np.zeros((0, 0)))
    weight = real_array(arrays, "weight", (len(signs), weight.shape[-1]), where, InterpreterError)
    return MeaningReader(
        embed, weight, real_array(arrays, "bias", (len(signs),), where, InterpreterError), signs
    )


def embedded(embed: Embed, phrases: Sequence[str]) -> Float32s:
    """(N, F) float32 rows of norm 1: each phrase's embeddings in all frames, one behind the other."""
    parts = [embed([frame.format(phrase) for phrase in phrases]) for frame in FRAMES]
    return np.concatenate(parts, axis=1) / np.float32(len(FRAMES) ** 0.5)


def means_of(signs: Int8s) -> Means:
    """(47,) signs as names; nothing: ()."""
    return tuple((NAMES[k], bool(signs[k] > 0)) for k in np.flatnonzero(signs))
