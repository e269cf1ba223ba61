"""What a text encoder in training speaks: its tokenizer, and the prompts that attributes are read by. (PyTorch)"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer
from torch import Tensor

from clip_smu.arrays import Int64s
from clip_smu.errors import InputError
from clip_smu.training.text_encoders import text_tokenizer
from clip_smu.training.tokens import pad_rows, padding_id
from clip_smu.words.attribute_table import ATTRIBUTES, Attribute


@dataclass(frozen=True, slots=True)
class Reading:
    """How an attribute is read from templates.

    Attributes:
        sentences: attribute and side → the prompts whose mean vector is its direction.
        words: words that the text encoder is trained on.
        contrast: score = cos(t, positive) - cos(t, negative); else cos(t, positive) alone.
        centred: templates lose their common part first.
    """

    sentences: Callable[[Attribute, bool], Sequence[str]]
    words: Callable[[], frozenset[str]]
    contrast: bool
    centred: bool


@dataclass(frozen=True, eq=False)
class Prompts:
    """Sentences of each attribute and side as token ids, in one table.

    Attributes:
        ids: (S, L) int64, padded.
        counts, offsets: (sides, K) number of sentences, and row of the first; sides: positive, then negative.
    """

    ids: Tensor
    counts: Int64s
    offsets: Int64s


@dataclass(frozen=True, eq=False)
class Language:
    """A text encoder's tokenizer, how much it reads, and the prompts that attributes are read by."""

    tokenizer: Tokenizer
    context: int
    prompts: Prompts

    def tokens(self, sentences: Sequence[str]) -> list[Int64s]:
        """Token ids of each sentence, of any length."""
        return [
            np.array(one.ids, dtype=np.int64) for one in self.tokenizer.encode_batch_fast(list(sentences))
        ]

    def fits(self, sentence: str) -> bool:
        """Whether the text encoder reads all of it."""
        return len(self.tokens([sentence])[0]) <= self.context

    @property
    def padding(self) -> int:
        """The token that follows a sentence's end."""
        return padding_id(self.tokenizer)

    def padded(self, rows: Sequence[Int64s]) -> Tensor:
        """(B, L) int64."""
        return pad_rows(rows, self.padding)


def learn_language(text_encoder: str, context: int, reading: Reading) -> Language:
    """The language of a text encoder that reads ``context`` tokens, and the prompts of a reading.

    Raises:
        InputError: its tokenizer is not there, or a prompt is longer than it reads.
    """
    tokenizer = text_tokenizer(text_encoder)
    sides = (True, False) if reading.contrast else (True,)
    sentences = [[reading.sentences(row, side) for row in ATTRIBUTES] for side in sides]
    counts = np.array([[len(group) for group in side] for side in sentences])  # (sides, K)
    offsets = np.concatenate([[0], np.cumsum(counts.reshape(-1))[:-1]]).reshape(counts.shape)
    texts = [text for side in sentences for group in side for text in group]
    rows = [np.array(one.ids, dtype=np.int64) for one in tokenizer.encode_batch_fast(texts)]
    longest = max(len(row) for row in rows)
    if longest > context:
        raise InputError(
            f"the text encoder {text_encoder} reads {context} tokens, the longest prompt has {longest}: "
            "use another text encoder"
        )
    return Language(tokenizer, context, Prompts(pad_rows(rows, padding_id(tokenizer)), counts, offsets))
