"""A caption that is too long for a text encoder, shortened by dropping attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from clip_smu.errors import InputError
from clip_smu.words.captions import paper_caption
from clip_smu.words.contradictions import settled


def shorten(
    labels: Sequence[int],
    fits: Callable[[str], bool],
    rng: np.random.Generator,
    word: Callable[[Sequence[int]], str] = paper_caption,
) -> tuple[str, int]:
    """The caption of 47 labels, and how many of its positive attributes were dropped, at random, until it fits.

    Args:
        fits: whether the text encoder reads a caption, such as one of at most CLIP's 77 tokens.
        word: labels → caption.

    Example:
        >>> from clip_smu.words.attributes import NAMES
        >>> row = [int(name in ("Bald", "Smiling", "Wearing_Hat")) for name in NAMES]
        >>> shorten(row, lambda text: len(text) < 40, np.random.default_rng(0))[1]
        1

    Raises:
        LabelError: there are not 47 labels of 1, 0, -1.
        InputError: not even the caption without any attribute fits.
    """
    kept = settled([int(value) for value in labels])
    text, dropped = word(kept), 0
    for i in rng.permutation(np.flatnonzero(np.array(kept) == 1)).tolist():
        if fits(text):
            return text, dropped
        kept[i] = 0
        text, dropped = word(kept), dropped + 1
    if not fits(text):
        raise InputError(
            f"expected a text encoder that reads at least {text!r}, this one does not: take another"
        )
    return text, dropped
