"""Sentences as rows of token ids for PyTorch. (PyTorch)"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from clip_smu.arrays import Int64s
from clip_smu.text.encoder import CONTEXT, END, PAD, token_ids

_PADDINGS = (PAD, "[PAD]", "<pad>", END)
"""In this order: `mini`'s, BERT's, RoBERTa's vocabulary; CLIP's has none, and the end is repeated."""


def padded_ids(tokenizer: Tokenizer, sentences: Sequence[str], context: int = CONTEXT) -> Tensor:
    """(B, L) int64 token ids, padded to the longest; none may have more than ``context``."""
    return pad_rows(token_ids(tokenizer, sentences, context), padding_id(tokenizer))


def padding_id(tokenizer: Tokenizer) -> int:
    """The token that follows a sentence's end."""
    found = (tokenizer.token_to_id(token) for token in _PADDINGS)
    return next(number for number in found if number is not None)


def pad_rows(rows: Sequence[Int64s], padding: int) -> Tensor:
    """(B, L) int64 of rows of token ids, padded to the longest."""
    length = max(len(row) for row in rows)
    ids = np.full((len(rows), length), padding, dtype=np.int64)
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    return torch.from_numpy(ids)
