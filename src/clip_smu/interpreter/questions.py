"""Free-text questions about templates: what a question is held against, and its answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Float32s


@dataclass(frozen=True, eq=False)
class Answers:
    """How well N templates fit a free-text question.

    Attributes:
        scores: (N,) float32, difference of cosines to the question and to the opposite of the prompt that it is nearest
            to, -2 to 2; where the interpreter has no negative prompts, the cosine to the question. NaN for a row that
            does not look like a template of the encoder.
        unseen: words of the question that the text encoder was not trained on: with them the order may mean little.
    """

    scores: Float32s
    unseen: tuple[str, ...]


def opposite(asked: Float32s, positive: Float32s, negative: Float32s) -> Float32s:
    """(d,) the opposite of the prompt, of either side, that is nearest to a question.

    Training compares the two prompts of an attribute, so it is their difference that tells; what a sentence shares with
    its opposite ("without glasses") is left to chance. A question is therefore held against this.

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
