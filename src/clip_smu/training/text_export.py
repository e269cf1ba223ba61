"""From PyTorch to ONNX: a trained text encoder and its tokenizer as files that need no PyTorch. (PyTorch, onnx)

A pretrained one is made small: of its vocabulary it keeps English's commonest word pieces and those of all prompts and
of the lexicon, and its weights have eight bits.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from clip_smu.errors import InterpreterError
from clip_smu.storage.files import atomic
from clip_smu.storage.onnx_sessions import eight_bits
from clip_smu.text.encoder import TextEncoder
from clip_smu.training.bert_encoder import BertText
from clip_smu.training.text_model import TextEncoderModel
from clip_smu.training.text_shrink import prune_words
from clip_smu.training.tokens import padded_ids
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.lexicon import lexicon, refusals
from clip_smu.words.prompts import prompts

OPSET = 17
_AGREE = 1e-4  # largest difference allowed between ONNX Runtime and PyTorch, unit vectors
_SMALL_AGREES = 0.95  # least cosine between the two, with weights of eight bits


def export_text_encoder(
    text_encoder: TextEncoderModel, tokenizer: Tokenizer, folder: Path, probes: Sequence[str]
) -> TextEncoder:
    """Writes ``text_encoder.onnx`` and ``tokenizer.json``, and accepts them only if they repeat PyTorch's vectors.

    A `BertText` is changed by it: it loses word pieces (`prune_words`).

    Raises:
        InterpreterError: ONNX Runtime and PyTorch disagree on ``probes``.
    """
    text_encoder = text_encoder.cpu().eval()
    with torch.no_grad():
        expected = text_encoder(padded_ids(tokenizer, probes, text_encoder.context)).numpy()
    small = isinstance(text_encoder, BertText)
    if isinstance(text_encoder, BertText):
        tokenizer = prune_words(text_encoder, tokenizer, _sentences())
    network = to_onnx(text_encoder, padded_ids(tokenizer, probes[:2], text_encoder.context))
    made = _written(network, tokenizer, folder, text_encoder.context)
    difference = float(np.abs(made.encode(probes) - expected).max())
    if difference > _AGREE:
        raise InterpreterError(
            f"the exported text encoder differs from PyTorch's by {difference:.2g}, at most {_AGREE} allowed"
        )
    if not small:
        return made
    made = _written(eight_bits(network), tokenizer, folder, text_encoder.context)
    cosine = float((made.encode(probes) * expected).sum(axis=1).min())
    if cosine < _SMALL_AGREES:
        raise InterpreterError(
            f"the text encoder of eight bits has cosines down to {cosine:.2g} with PyTorch's, at least {_SMALL_AGREES} "
            "allowed"
        )
    return made


def to_onnx(text_encoder: TextEncoderModel, example: Tensor) -> bytes:
    """The network as ONNX: ``input_ids`` (B, L) int64 → `TextEncoderModel.outputs`."""
    with torch.no_grad():
        names = list(text_encoder.outputs(example))
    exported = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own future
        torch.onnx.export(
            _Outputs(text_encoder),
            (example,),
            exported,  # type: ignore[arg-type]  # file objects are taken too
            input_names=["input_ids"],
            output_names=names,
            dynamic_axes={"input_ids": {0: "batch", 1: "length"}, **{name: {0: "batch"} for name in names}},
            opset_version=OPSET,
            dynamo=False,
        )
    return exported.getvalue()


class _Outputs(nn.Module):
    """What is exported, as a tuple."""

    def __init__(self, text_encoder: TextEncoderModel) -> None:
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, input_ids: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.text_encoder.outputs(input_ids).values())


def _written(network: bytes, tokenizer: Tokenizer, folder: Path, context: int) -> TextEncoder:
    model, vocabulary = folder / "text_encoder.onnx", folder / "tokenizer.json"
    with atomic(vocabulary) as temporary:
        temporary.write_text(tokenizer.to_str(), encoding="utf-8")
    with atomic(model) as temporary:
        temporary.write_bytes(network)
    return TextEncoder(model, vocabulary, context)


def _sentences() -> list[str]:
    """All whose word pieces must stay."""
    asked = [text for row in ATTRIBUTES for side in (True, False) for text in prompts(row, side)]
    return [*asked, *(entry.phrase for entry in lexicon().values()), *refusals()]
