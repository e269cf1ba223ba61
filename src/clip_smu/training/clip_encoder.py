"""Text encoders of CLIP's kind: `mini`, small and trained from scratch, and any CLIP. (PyTorch, transformers)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from clip_smu.text.clip_tokenizer import ClipTokenizer
from clip_smu.text.encoder import CONTEXT, END, PAD, START, TOKENIZER_FILE
from clip_smu.training.hub import from_hub, quiet, refuse_lacking
from clip_smu.training.text_model import TextEncoderModel, new_projection


@dataclass(frozen=True, slots=True)
class EncoderSize:
    """Size of `mini`: about 1.5 million parameters, 6 MB of ONNX."""

    width: int = 128
    layers: int = 3
    heads: int = 4


class ClipText(TextEncoderModel):
    """transformers' ``CLIPTextModelWithProjection``; all of it is trained."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def text_projection(self) -> nn.Linear:
        layer: nn.Linear = self.model.text_projection
        return layer

    @property
    def context(self) -> int:
        return int(self.model.config.max_position_embeddings)

    def features(self, input_ids: Tensor) -> Tensor:
        pooled: Tensor = self.model.text_model(input_ids=input_ids).pooler_output
        return pooled


def build_clip(name: str, dim: int, seed: int) -> ClipText:
    """A CLIP's text encoder from the hub or a folder; where its own length is not ``dim``, with a new projection.

    Raises:
        InputError: it is not there and cannot be had, or is no CLIP.
    """
    from transformers import CLIPTextModelWithProjection

    with from_hub(name) as at_hand, quiet():
        model, found = CLIPTextModelWithProjection.from_pretrained(
            name,
            use_safetensors=True,
            dtype=torch.float32,
            local_files_only=at_hand,
            output_loading_info=True,
        )
    refuse_lacking(name, "CLIP", list(found["missing_keys"]))
    if model.config.projection_dim != dim:
        model.text_projection = new_projection(model.config.hidden_size, dim, seed)
        model.config.projection_dim = dim
    return ClipText(model)


def build_mini(dim: int, size: EncoderSize, seed: int) -> ClipText:
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
        return ClipText(CLIPTextModelWithProjection(config))


def mini_tokenizer() -> Tokenizer:
    """The vocabulary that ships with the package."""
    return Tokenizer.from_file(str(TOKENIZER_FILE))


def with_ends(tokenizer: ClipTokenizer) -> Tokenizer:
    """openai/CLIP's vocabulary as a tokenizer that also cleans, and adds start and end."""
    from tokenizers import Regex, normalizers, processors

    whole = Tokenizer.from_str(tokenizer._tokenizer.to_str())
    whole.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Lowercase(),
        ]
    )
    whole.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, tokenizer.start), (END, tokenizer.end)]
    )
    return whole
