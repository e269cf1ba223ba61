"""CLIP ViT-B/32 and ViT-B/16 (Radford et al., 2021) through transformers, from either form of the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clip_smu.errors import MissingExtraError

try:
    import torch
    from torch import Tensor, nn
    from transformers import CLIPConfig, CLIPModel
except ImportError as missing:
    raise MissingExtraError("converting checkpoints", "train") from missing

DIM = 512  # of the shared space, and of the text tower
IMAGE = 224
IMAGE_WIDTH = 768
LAYERS = 12
CONTEXT = 77
VOCABULARY = 49408
END_OF_TEXT = 49407

RENAMED = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),  # spelt so in transformers
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^text_projection$", "text_projection.weight"),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"\.attn\.", ".self_attn."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
"""OpenAI's names and transformers', applied in this order."""

TRANSPOSED = ("visual.proj", "text_projection")  # OpenAI multiplies from the left: x @ projection


def clip_model(patch: int) -> CLIPModel:
    """CLIP ViT-B with patches of 32 or 16 pixels, QuickGELU as OpenAI trained it; nothing is downloaded."""
    shared = {"hidden_act": "quick_gelu", "num_hidden_layers": LAYERS, "projection_dim": DIM}
    text = {
        **shared,
        "hidden_size": DIM,
        "intermediate_size": 4 * DIM,
        "num_attention_heads": DIM // 64,
        "max_position_embeddings": CONTEXT,
        "vocab_size": VOCABULARY,
        "eos_token_id": END_OF_TEXT,
    }
    vision = {
        **shared,
        "hidden_size": IMAGE_WIDTH,
        "intermediate_size": 4 * IMAGE_WIDTH,
        "num_attention_heads": IMAGE_WIDTH // 64,
        "image_size": IMAGE,
        "patch_size": patch,
    }
    config = CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=DIM, attn_implementation="sdpa"
    )
    return CLIPModel(config).eval()


def official_shapes(patch: int) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of OpenAI's own state dict (302 entries)."""
    places = (IMAGE // patch) ** 2 + 1
    shapes: dict[str, tuple[int, ...]] = {
        "logit_scale": (),
        "positional_embedding": (CONTEXT, DIM),
        "token_embedding.weight": (VOCABULARY, DIM),
        "text_projection": (DIM, DIM),
        "visual.class_embedding": (IMAGE_WIDTH,),
        "visual.conv1.weight": (IMAGE_WIDTH, 3, patch, patch),
        "visual.positional_embedding": (places, IMAGE_WIDTH),
        "visual.proj": (IMAGE_WIDTH, DIM),
    }
    norms = [("ln_final", DIM), ("visual.ln_pre", IMAGE_WIDTH), ("visual.ln_post", IMAGE_WIDTH)]
    for tower, width in (("transformer", DIM), ("visual.transformer", IMAGE_WIDTH)):
        for layer in range(LAYERS):
            block = f"{tower}.resblocks.{layer}"
            norms += [(f"{block}.ln_1", width), (f"{block}.ln_2", width)]
            shapes[f"{block}.attn.in_proj_weight"] = (3 * width, width)
            shapes[f"{block}.attn.in_proj_bias"] = (3 * width,)
            for name, out, into in (
                ("attn.out_proj", width, width),
                ("mlp.c_fc", 4 * width, width),
                ("mlp.c_proj", width, 4 * width),
            ):
                shapes[f"{block}.{name}.weight"] = (out, into)
                shapes[f"{block}.{name}.bias"] = (out,)
    for name, width in norms:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)
    return shapes


def to_transformers(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's state dict under the names and in the layout of transformers' ``CLIPModel``.

    The joint query-key-value layers are cut in three and the two projections transposed.
    """
    renamed: dict[str, Tensor] = {}
    for key, value in official.items():
        name = key
        for pattern, replacement in RENAMED:
            name = re.sub(pattern, replacement, name)
        if key in TRANSPOSED:
            renamed[name] = value.t().contiguous()
        elif "in_proj_" in name:
            for part, third in zip("qkv", value.chunk(3), strict=True):
                renamed[name.replace("in_proj_", f"{part}_proj.")] = third.clone()
        else:
            renamed[name] = value
    return renamed


class ImageTower(nn.Module):
    """(B, 3, 224, 224) float, RGB, normalised with CLIP's mean and std, to (B, 512), not L2-normalised."""

    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.tower, self.projection = model.vision_model, model.visual_projection

    def forward(self, image: Tensor) -> Tensor:
        template: Tensor = self.projection(self.tower(pixel_values=image).pooler_output)
        return template


class TextTower(nn.Module):
    """Token ids (B, L) int64, L <= 77, to (B, 512), not L2-normalised.

    The feature is that at the first end-of-text token; attention is causal, so what follows it (padding)
    changes nothing and may be cut off.
    """

    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.tower, self.projection = model.text_model, model.text_projection

    def forward(self, input_ids: Tensor) -> Tensor:
        text: Tensor = self.projection(self.tower(input_ids=input_ids).pooler_output)
        return text


def logits_per_image(image: Tensor, text: Tensor, logit_scale: Tensor) -> Tensor:
    """CLIP's logits (images, texts): cosines times ``exp(logit_scale)``."""
    image = image / image.norm(dim=1, keepdim=True)
    text = text / text.norm(dim=1, keepdim=True)
    return torch.exp(logit_scale) * image @ text.t()
