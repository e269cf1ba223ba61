"""Text encoders that can be trained, and their way to ONNX. (PyTorch, transformers)

`mini` is CLIP's text transformer, small, with its own vocabulary, trained from scratch.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from clip_smu.errors import InterpreterError
from clip_smu.storage import atomic
from clip_smu.text import CONTEXT, END, PAD, START, TOKENIZER_FILE, TextEncoder, token_ids

OPSET = 17
_AGREE = 1e-4  # largest difference allowed between ONNX Runtime and PyTorch, unit vectors


@dataclass(frozen=True, slots=True)
class TowerSize:
    """Size of `mini`: about 1.5 million parameters, 6 MB of ONNX."""

    width: int = 128
    layers: int = 3
    heads: int = 4


class TextTower(nn.Module):
    """A text encoder in training: token ids (B, L) int64 → unit vectors (B, d) float32."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        """Rows of norm 1; a row ends at its first end token, what follows is padding."""
        text: Tensor = self.model(input_ids=input_ids).text_embeds
        return nn.functional.normalize(text, dim=-1)


def mini_tower(dim: int, size: TowerSize, seed: int) -> TextTower:
    """A new `mini` whose output has length ``dim``; the same seed gives the same weights."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    tokenizer = mini_tokenizer()
    config = CLIPTextConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=size.width,
        intermediate_size=4 * size.width,
        projection_dim=dim,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=CONTEXT,
        hidden_act="quick_gelu",
        pad_token_id=tokenizer.token_to_id(PAD),
        bos_token_id=tokenizer.token_to_id(START),
        eos_token_id=tokenizer.token_to_id(END),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TextTower(CLIPTextModelWithProjection(config))


def mini_tokenizer() -> Tokenizer:
    """The vocabulary that ships with the package."""
    return Tokenizer.from_file(str(TOKENIZER_FILE))


def padded_ids(tokenizer: Tokenizer, sentences: Sequence[str]) -> Tensor:
    """(B, L) int64 token ids, padded to the longest."""
    rows = token_ids(tokenizer, sentences)
    length = max(len(row) for row in rows)
    ids = np.full((len(rows), length), tokenizer.token_to_id(PAD), dtype=np.int64)
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    return torch.from_numpy(ids)


def export_tower(tower: TextTower, tokenizer: Tokenizer, folder: Path, probes: Sequence[str]) -> TextEncoder:
    """Writes ``text_encoder.onnx`` and ``tokenizer.json``, and accepts them only if they repeat PyTorch's vectors.

    Raises:
        InterpreterError: ONNX Runtime and PyTorch disagree on ``probes``.
    """
    model, vocabulary = folder / "text_encoder.onnx", folder / "tokenizer.json"
    tower.eval()
    with atomic(vocabulary) as temporary:
        temporary.write_text(tokenizer.to_str(), encoding="utf-8")
    with atomic(model) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own future
        exported = io.BytesIO()
        torch.onnx.export(
            tower,
            (padded_ids(tokenizer, probes[:2]),),
            exported,  # type: ignore[arg-type]  # file objects are taken too
            input_names=["input_ids"],
            output_names=["text"],
            dynamic_axes={"input_ids": {0: "batch", 1: "length"}, "text": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        temporary.write_bytes(exported.getbuffer())
    encoder = TextEncoder(model, vocabulary)
    with torch.no_grad():
        expected = tower(padded_ids(tokenizer, probes)).numpy()
    difference = float(np.abs(encoder.encode(probes) - expected).max())
    if difference > _AGREE:
        raise InterpreterError(
            f"the exported text encoder differs from PyTorch's by {difference:.2g}, at most {_AGREE} allowed"
        )
    return encoder
