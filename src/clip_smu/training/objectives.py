"""What a text encoder can be trained for: a table of objectives, with what each draws and compares. (PyTorch)

`OBJECTIVES` is the table; to add an objective is to add a row. `clip_smu.training.trainer` holds the one loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from clip_smu.arrays import Int8s, Int64s
from clip_smu.errors import InputError, LabelError
from clip_smu.labels.captions import paper_captions, unique_captions
from clip_smu.labels.shortening import shorten
from clip_smu.training.losses import (
    FIRST_T,
    HIGHEST_T,
    attribute_loss,
    balance_weights,
    clip_loss,
    match_captions,
    multipositive_loss,
)
from clip_smu.training.text_encoders import TowerSize, pad_rows, padding_id, text_tokenizer
from clip_smu.words.attribute_table import ATTRIBUTES, Attribute
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import caption, paper_caption
from clip_smu.words.contradictions import settled
from clip_smu.words.english import words
from clip_smu.words.prompts import prompts
from clip_smu.words.vocabulary import vocabulary

_FIRST_SCALE = 10.0
_WARM_UP = 0.1
_ALONE = 0.8  # share of captions of one attribute, objective `multipositive`
_MOST_MORE = 4  # attributes besides it in the others
_DENIED = 0.3  # share of the others that also word an absence


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training, all filled in.

    Attributes:
        objective: a name in `OBJECTIVES`.
        text_encoder: ``mini``, a hub name or a folder, see
            :func:`clip_smu.training.text_encoders.text_tower`; ``size`` of ``mini``.
        steps: most optimiser steps.
        batch_size: templates a step.
        captions: sentences a step, objective ``multipositive``.
        learning_rate, weight_decay: of AdamW with betas .9 and .999; without weight decay that is Adam.
        paraphrases: sentences drawn for each prompt at each step, objective ``attribute``.
        patience: evaluations without a better AUC before a training stops.
        precision: ``float32``, ``bf16`` or ``fp16`` (the text encoder's arithmetic; on a GPU only).
        accumulate: parts that a step's sentences are encoded in, to save memory; the loss stays that of the whole.
        device: ``cpu`` or ``cuda``.
        seed: of everything random.
    """

    objective: str
    text_encoder: str
    size: TowerSize
    steps: int
    batch_size: int
    captions: int
    learning_rate: float
    weight_decay: float
    paraphrases: int
    patience: int
    precision: str
    accumulate: int
    device: str
    seed: int


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

    def padded(self, rows: Sequence[Int64s]) -> Tensor:
        """(B, L) int64."""
        return pad_rows(rows, padding_id(self.tokenizer))


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from.

    Attributes:
        ids: (S, L) int64, the sentences.
        templates: (N, d) float32, rows of norm 1.
        targets: what the loss compares them by: labels (N, K) or matches (N, S), float; () where the order says it.
        weights: (2, K) float, of positive and negative labels, objective ``attribute``.
        shortened: captions that lost attributes because the text encoder reads no more.
    """

    ids: Tensor
    templates: Tensor
    targets: Tensor
    weights: Tensor
    shortened: int = 0


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws the batch of a step, always the same for the same step; ``report`` counts what was left out."""

    draw: Callable[[int], Batch]
    report: dict[str, int] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Objective:
    """One row of `OBJECTIVES`.

    Attributes:
        sampler: settings, language, templates (N, d) on the device and labels (N, K) int8 → `Sampler`.
        loss: vectors of the batch's sentences (S, d), the batch, and the learnt numbers → scalar.
        numbers: the loss's own learnt numbers, of K attributes; ``limits`` holds them between bounds.
        speed: they learn this much faster than the text encoder.
        schedule: step and steps → share of the learning rate.
        reading: how the result is read.
        steps, batch_size, folds, weight_decay: defaults; ``batch_size_clip`` for templates of CLIP's image encoder.
        learning_rate: default for ``mini``.
    """

    sampler: Callable[[TrainConfig, Language, Tensor, Int8s], Sampler]
    loss: Callable[[Tensor, Batch, Mapping[str, Tensor]], Tensor]
    numbers: Callable[[int], dict[str, nn.Parameter]]
    limits: Mapping[str, tuple[float, float]]
    speed: float
    schedule: Callable[[int, int], float]
    reading: Reading
    steps: int
    batch_size: int
    batch_size_clip: int
    folds: int
    weight_decay: float
    learning_rate: float


def learn_language(config: TrainConfig, context: int) -> Language:
    """The language of a text encoder that reads ``context`` tokens.

    Raises:
        InputError: its tokenizer is not there, or a prompt is longer than it reads.
    """
    tokenizer = text_tokenizer(config.text_encoder)
    reading = OBJECTIVES[config.objective].reading
    sides = (True, False) if reading.contrast else (True,)
    sentences = [[reading.sentences(row, side) for row in ATTRIBUTES] for side in sides]
    counts = np.array([[len(group) for group in side] for side in sentences])  # (sides, K)
    offsets = np.concatenate([[0], np.cumsum(counts.reshape(-1))[:-1]]).reshape(counts.shape)
    texts = [text for side in sentences for group in side for text in group]
    rows = [np.array(one.ids, dtype=np.int64) for one in tokenizer.encode_batch_fast(texts)]
    longest = max(len(row) for row in rows)
    if longest > context:
        raise InputError(
            f"the text encoder {config.text_encoder} reads {context} tokens, the longest prompt has {longest}: "
            "use another text encoder"
        )
    return Language(tokenizer, context, Prompts(pad_rows(rows, padding_id(tokenizer)), counts, offsets))


# ---------------------------------------------------------------- what is drawn


def _prompt_batches(config: TrainConfig, language: Language, x: Tensor, labels: Int8s) -> Sampler:
    """Objective ``attribute``: templates with their labels, and paraphrases of all prompts of both sides."""
    y = torch.from_numpy(labels.astype(np.float32)).to(x.device)
    weights = balance_weights(y)
    counts, offsets = language.prompts.counts, language.prompts.offsets

    def draw(step: int) -> Batch:
        rng = np.random.default_rng([config.seed, len(labels), step])
        rows = _some(len(labels), config.batch_size, rng)
        drawn = offsets[..., None] + rng.integers(0, counts[..., None], (*counts.shape, config.paraphrases))
        ids = language.prompts.ids[torch.from_numpy(drawn.reshape(-1))]
        return Batch(ids, x[rows], y[rows], weights)

    return Sampler(draw)


def _unique_caption_batches(config: TrainConfig, language: Language, x: Tensor, labels: Int8s) -> Sampler:
    """Objective ``clip``: photos and their captions, of which no two are the same; an epoch is a permutation."""
    rng = np.random.default_rng([config.seed, len(labels)])
    chosen = unique_captions(labels, config.seed)
    texts: list[str] = paper_captions(labels[chosen]).to_pylist()
    rows, tokens, shortened, seen = [], [], [], set()
    for row, ids in zip(chosen.tolist(), language.tokens(texts), strict=True):
        fitting = ids
        if len(ids) > language.context:
            text, _ = shorten(np.maximum(labels[row], 0).tolist(), language.fits, rng)
            fitting = language.tokens([text])[0]
        if (key := fitting.tobytes()) not in seen:
            seen.add(key)
            rows.append(row)
            tokens.append(fitting)
            shortened.append(fitting is not ids)
    if len(rows) < 2:
        raise LabelError(
            f"objective clip needs photos of different captions, found {len(rows)} among {len(labels)} photos: "
            "label more photos, or use the objective multipositive"
        )
    size = min(config.batch_size, len(rows))
    of_photo, cut = torch.tensor(rows), np.array(shortened)

    def draw(step: int) -> Batch:
        epoch, at = divmod(step, len(rows) // size)
        order = np.random.default_rng([config.seed, len(labels), epoch]).permutation(len(rows))
        picked = order[at * size : (at + 1) * size]
        templates = x[of_photo[torch.from_numpy(picked)]]
        ids = language.padded([tokens[row] for row in picked])
        return Batch(ids, templates, _NOTHING, _NOTHING, int(cut[picked].sum()))

    report = {
        "photos": len(labels),
        "photos_of_unique_caption": len(rows),
        "lost_by_shortening": len(chosen) - len(rows),
    }
    return Sampler(draw, report)


def _subset_batches(config: TrainConfig, language: Language, x: Tensor, labels: Int8s) -> Sampler:
    """Objective ``multipositive``: photos, and captions of random subsets of some photos' known labels.

    Each caption starts from one side of one attribute, all of them in turn; a photo of the batch that has it is
    drawn, and most captions word it alone (a prompt), the others with some of the photo's other labels.
    """
    y = torch.from_numpy(labels.astype(np.float32)).to(x.device)

    def draw(step: int) -> Batch:
        rng = np.random.default_rng([config.seed, len(labels), step])
        rows = _some(len(labels), config.batch_size, rng)
        seen = labels if isinstance(rows, slice) else labels[rows.numpy()]
        sides = [(k, side) for k in range(len(NAMES)) for side in (1, -1) if (seen[:, k] == side).any()]
        if not sides:
            raise LabelError("objective multipositive needs known labels, found none: label some photos")
        order = np.concatenate(
            [rng.permutation(len(sides)) for _ in range(-(-config.captions // len(sides)))]
        )
        tokens, worded, shortened = [], np.zeros((config.captions, len(NAMES)), dtype=np.int8), 0
        for row, index in enumerate(order[: config.captions]):
            k, side = sides[index]
            photo = seen[rng.choice(np.flatnonzero(seen[:, k] == side))]
            subset = _subset(photo, k, rng)
            ids, worded[row], cut = _worded(language, subset, k, rng)
            tokens.append(ids)
            shortened += cut
        matches = match_captions(y[rows], torch.from_numpy(worded.astype(np.float32)).to(x.device))
        return Batch(language.padded(tokens), x[rows], matches, _NOTHING, shortened)

    return Sampler(draw)


_NOTHING = torch.zeros(())


def _some(count: int, most: int, rng: np.random.Generator) -> Any:
    """Rows of a batch: all, or ``most`` of them."""
    return slice(None) if count <= most else torch.from_numpy(rng.choice(count, most, replace=False))


def _subset(photo: Int8s, k: int, rng: np.random.Generator) -> Int8s:
    """Attribute k of a photo's labels, alone or with others that can be worded with it."""
    subset = np.zeros(len(NAMES), dtype=np.int8)
    subset[k] = photo[k]
    if rng.random() < _ALONE:
        return subset
    more = subset.copy()
    others = np.flatnonzero((photo > 0) & (subset == 0))
    more[rng.permutation(others)[: rng.integers(1, _MOST_MORE + 1)]] = 1
    absent = np.flatnonzero((photo < 0) & (more == 0))
    if photo[k] > 0 and len(absent) and rng.random() < _DENIED:
        more[rng.choice(absent)] = -1
    kept = np.array(settled(more.tolist()), dtype=np.int8)
    return kept if kept[k] == photo[k] else subset


def _worded(
    language: Language, subset: Int8s, k: int, rng: np.random.Generator
) -> tuple[Int64s, Int8s, bool]:
    """A subset's caption as token ids, the labels that it words, and whether it had to be shortened to k alone."""
    alone = np.where(np.arange(len(subset)) == k, subset, 0).astype(np.int8)
    if np.array_equal(alone, subset):
        texts = prompts(ATTRIBUTES[k], bool(subset[k] > 0))
        return language.tokens([texts[rng.integers(len(texts))]])[0], subset, False
    text = caption(subset.tolist(), rng=Random(int(rng.integers(2**62))), negatives=True)
    ids = language.tokens([text])[0]
    if len(ids) <= language.context:
        return ids, subset, False
    return *_worded(language, alone, k, rng)[:2], True


# ---------------------------------------------------------------- what is compared


def _attribute(vectors: Tensor, batch: Batch, numbers: Mapping[str, Tensor]) -> Tensor:
    positive, negative = vectors.reshape(2, len(NAMES), -1, vectors.shape[1])  # (K, P, d) each
    scale, bias = numbers["log_scale"].exp(), numbers["bias"]
    return attribute_loss(batch.templates, batch.targets, positive, negative, scale, bias, batch.weights)


def _clip(vectors: Tensor, batch: Batch, numbers: Mapping[str, Tensor]) -> Tensor:
    return clip_loss(batch.templates, vectors, numbers["t"])


def _multipositive(vectors: Tensor, batch: Batch, numbers: Mapping[str, Tensor]) -> Tensor:
    return multipositive_loss(batch.templates, vectors, numbers["t"], batch.targets)


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
_AS_THE_PAPER = Reading(_paper_prompt, _paper_words, contrast=False, centred=False)

OBJECTIVES: dict[str, Objective] = {
    "attribute": Objective(
        _prompt_batches, _attribute, _scale_and_bias, {}, 10.0, _warm_cosine, _BOTH_SIDES,
        steps=500, batch_size=2048, batch_size_clip=2048, folds=5, weight_decay=0.01, learning_rate=1e-3,
    ),
    "clip": Objective(
        _unique_caption_batches, _clip, _temperature, _LIMITS, 1.0, _constant, _AS_THE_PAPER,
        steps=600, batch_size=64, batch_size_clip=256, folds=3, weight_decay=0.0, learning_rate=1e-3,
    ),
    "multipositive": Objective(
        _subset_batches, _multipositive, _temperature, _LIMITS, 1.0, _warm_cosine, _BOTH_SIDES,
        steps=500, batch_size=2048, batch_size_clip=2048, folds=3, weight_decay=0.01, learning_rate=2e-3,
    ),
}  # fmt: skip
"""What a text encoder can be trained for."""
