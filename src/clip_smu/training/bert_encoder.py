"""Pretrained sentence encoders of BERT's kind: the mean of the last layer's vectors (Reimers and Gurevych,
Sentence-BERT, EMNLP 2019). (PyTorch, transformers)

Only the last layer and the projection are trained. The layers below, and the last one as it was, stay as they are: they
say what a sentence means (`BertText.meaning`), also where training had none of its words.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from clip_smu.training.hub import CONFIG, WEIGHTS, quiet, reading, refuse_lacking
from clip_smu.training.text_model import TextEncoderModel, new_projection

_NOWHERE = -1e9  # added to the attention that padding gets, before the softmax


class BertText(TextEncoderModel):
    """A BERT with its last layer twice: as it was, and as it is trained.

    Args:
        bert: transformers' ``BertModel``.
        projection: from its width to d numbers.
        padding: the token that rows are filled up with; it is not attended to and no part of the mean.
    """

    def __init__(self, bert: Any, projection: nn.Linear, padding: int) -> None:
        super().__init__()
        self.embeddings, self.layers = bert.embeddings, bert.encoder.layer[:-1]
        self.meant = bert.encoder.layer[-1]
        self.learnt = deepcopy(self.meant)
        self.projection = projection
        self.padding, self.positions = padding, int(bert.config.max_position_embeddings)
        for part in (self.embeddings, self.layers, self.meant):
            part.requires_grad_(False)

    @property
    def text_projection(self) -> nn.Linear:
        return self.projection

    @property
    def context(self) -> int:
        return self.positions

    def features(self, input_ids: Tensor) -> Tensor:
        return self._mean(self.learnt, *self._below(input_ids))

    def meaning(self, input_ids: Tensor) -> Tensor:
        """(B, width) unit vectors, those of sentence-transformers."""
        return nn.functional.normalize(self._mean(self.meant, *self._below(input_ids)), dim=-1)

    def outputs(self, input_ids: Tensor) -> dict[str, Tensor]:
        below = self._below(input_ids)
        text = self.projected(self._mean(self.learnt, *below))
        return {"text": text, "meaning": nn.functional.normalize(self._mean(self.meant, *below), dim=-1)}

    def _below(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, width) vectors below the last layer, and (B, L) which tokens are no padding."""
        there = input_ids != self.padding
        hidden = self.embeddings(input_ids=input_ids)
        for layer in self.layers:
            hidden = _applied(layer, hidden, there)
        return hidden, there

    def _mean(self, last: nn.Module, hidden: Tensor, there: Tensor) -> Tensor:
        """(B, width) mean of the last layer's vectors over a row's tokens."""
        part = there[..., None].to(hidden.dtype)
        return (_applied(last, hidden, there) * part).sum(dim=1) / part.sum(dim=1)


def build_bert(name: str, dim: int, padding: int, seed: int) -> BertText:
    """`minilm`, or a BERT from the hub or a folder; where its own width is not ``dim``, with a new projection.

    Raises:
        InputError: it is not there and cannot be had, or is no BERT.
        MissingExtraError: `minilm`, and its package is not installed.
    """
    with reading(name) as read, quiet():
        from safetensors.torch import load
        from transformers import BertConfig, BertModel

        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = BertConfig.from_dict(json.loads(read(CONFIG)) | still)
        weights = {key.removeprefix("bert."): value.float() for key, value in load(read(WEIGHTS)).items()}
        model = BertModel(config, add_pooling_layer=False)
        lacking = model.load_state_dict(weights, strict=False).missing_keys
    refuse_lacking(name, "BERT", lacking)
    width = int(config.hidden_size)
    projection = new_projection(width, dim, seed)
    if width == dim:
        nn.init.eye_(projection.weight)
    return BertText(model, projection, padding)


def _applied(layer: nn.Module, hidden: Tensor, there: Tensor) -> Tensor:
    """One layer of BERT, (B, L, width) → (B, L, width), without a look at the padding."""
    unseen = torch.zeros_like(there, dtype=hidden.dtype).masked_fill(~there, _NOWHERE)[:, None, None]
    given = layer(hidden, unseen)
    after: Tensor = given if isinstance(given, Tensor) else given[0]  # a tuple before transformers 5
    return after
