"""What a text encoder can be trained for: a table of objectives, what each draws and compares. (PyTorch)

`OBJECTIVES` is the table; to add an objective is to add a row. `clip_smu.training.trainer` holds the one loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clip_smu.arrays import Int8s
from clip_smu.training.batches import (
    Batch,
    Sampler,
    lesson_batches,
    prompt_batches,
    subset_batches,
    unique_caption_batches,
)
from clip_smu.training.language import Language, Reading
from clip_smu.training.losses import FIRST_T, HIGHEST_T, attribute_loss, clip_loss, multipositive_loss
from clip_smu.training.train_config import TrainConfig
from clip_smu.words.attribute_table import ATTRIBUTES, Attribute
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import paper_caption
from clip_smu.words.english import words
from clip_smu.words.prompts import prompts
from clip_smu.words.vocabulary import vocabulary

_FIRST_SCALE = 10.0
_WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Objective:
    """One row of `OBJECTIVES`.

    Attributes:
        sampler: settings, language, templates (N, d) on the device and labels (N, K) int8 → `Sampler`.
        loss: vectors of the batch's sentences (S, d), the batch, and the loss's parameters → scalar.
        loss_parameters: what the loss itself learns of K attributes; ``limits`` holds it between bounds.
        rate_multiplier: their learning rate is this many times the text encoder's.
        schedule: step and steps → share of the learning rate.
        reading: how the result is read.
        steps, batch_size, folds, weight_decay: defaults; ``batch_size_clip`` for templates of CLIP's image encoder.
        learning_rate: default for ``mini`` and a BERT.
        steps_bert: default for a BERT, of which only the last layer is trained; ``None``: ``steps``.
    """

    sampler: Callable[[TrainConfig, Language, Tensor, Int8s], Sampler]
    loss: Callable[[Tensor, Batch, Mapping[str, Tensor]], Tensor]
    loss_parameters: Callable[[int], dict[str, nn.Parameter]]
    limits: Mapping[str, tuple[float, float]]
    rate_multiplier: float
    schedule: Callable[[int, int], float]
    reading: Reading
    steps: int
    batch_size: int
    batch_size_clip: int
    folds: int
    weight_decay: float
    learning_rate: float
    steps_bert: int | None = None


# ---------------------------------------------------------------- what is compared


def _attribute(vectors: Tensor, batch: Batch, parameters: Mapping[str, Tensor]) -> Tensor:
    positive, negative = vectors.reshape(2, len(NAMES), -1, vectors.shape[1])  # (K, P, d) each
    scale, bias = parameters["log_scale"].exp(), parameters["bias"]
    return attribute_loss(batch.templates, batch.targets, positive, negative, scale, bias, batch.weights)


def _clip(vectors: Tensor, batch: Batch, parameters: Mapping[str, Tensor]) -> Tensor:
    return clip_loss(batch.templates, vectors, parameters["t"])


def _multipositive(vectors: Tensor, batch: Batch, parameters: Mapping[str, Tensor]) -> Tensor:
    return multipositive_loss(batch.templates, vectors, parameters["t"], batch.targets)


def _taught(vectors: Tensor, batch: Batch, _: Mapping[str, Tensor]) -> Tensor:
    """Sentences where they should be; those that should be nowhere (zeros) take no part."""
    aims = batch.templates
    learnt = (aims * aims).sum(dim=1) > 0
    apart = 1 - (vectors * aims).sum(dim=1)
    loss: Tensor = (apart * learnt).sum() / learnt.sum().clamp(min=1)
    return loss


def _nothing(_: int) -> dict[str, nn.Parameter]:
    return {}


def _scale_and_bias(attributes: int) -> dict[str, nn.Parameter]:
    return {
        "log_scale": nn.Parameter(torch.full((attributes,), math.log(_FIRST_SCALE))),
        "bias": nn.Parameter(torch.zeros(attributes)),
    }


def _temperature(_: int) -> dict[str, nn.Parameter]:
    return {"t": nn.Parameter(torch.tensor(FIRST_T))}


def _warm_cosine(step: int, steps: int) -> float:
    """Warm-up over the first tenth, then a cosine to zero."""
    warm = max(1, round(_WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _constant(_: int, __: int) -> float:
    """As in the authors' code."""
    return 1.0


def _paper_prompt(attribute: Attribute, _: bool) -> tuple[str, ...]:
    return (paper_caption({attribute.name: 1}),)


def _paper_words() -> frozenset[str]:
    return frozenset(word for row in ATTRIBUTES for word in [*words(_paper_prompt(row, True)[0]), "and"])


# ---------------------------------------------------------------- the table

_LIMITS = {"t": (-math.inf, HIGHEST_T)}
_BOTH_SIDES = Reading(prompts, vocabulary, contrast=True, centred=True)
_BOTH_SIDES_ADAPTED = Reading(prompts, vocabulary, contrast=True, centred=False)
_AS_THE_PAPER = Reading(_paper_prompt, _paper_words, contrast=False, centred=False)

OBJECTIVES: dict[str, Objective] = {
    "taught": Objective(
        lesson_batches, _taught, _nothing, {}, 1.0, _warm_cosine, _BOTH_SIDES_ADAPTED,
        steps=700, batch_size=2048, batch_size_clip=2048, folds=8, weight_decay=0.01, learning_rate=2e-3,
        steps_bert=200,
    ),
    "attribute": Objective(
        prompt_batches, _attribute, _scale_and_bias, {}, 10.0, _warm_cosine, _BOTH_SIDES,
        steps=500, batch_size=2048, batch_size_clip=2048, folds=5, weight_decay=0.01, learning_rate=1e-3,
    ),
    "clip": Objective(
        unique_caption_batches, _clip, _temperature, _LIMITS, 1.0, _constant, _AS_THE_PAPER,
        steps=600, batch_size=64, batch_size_clip=256, folds=3, weight_decay=0.0, learning_rate=1e-3,
    ),
    "multipositive": Objective(
        subset_batches, _multipositive, _temperature, _LIMITS, 1.0, _warm_cosine, _BOTH_SIDES,
        steps=500, batch_size=2048, batch_size_clip=2048, folds=3, weight_decay=0.01, learning_rate=2e-3,
    ),
}  # fmt: skip
"""What a text encoder can be trained for."""
