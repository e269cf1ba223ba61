"""What each step of a training learns from: templates and sentences, always the same for the same step. (PyTorch)"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clip_smu.arrays import Int8s, Int64s
from clip_smu.errors import LabelError
from clip_smu.labels.captions import paper_captions, unique_captions
from clip_smu.labels.shortening import shorten
from clip_smu.training.language import Language
from clip_smu.training.lessons import lessons_of
from clip_smu.training.losses import balance_weights, match_captions
from clip_smu.training.train_config import TrainConfig
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import caption
from clip_smu.words.contradictions import settled
from clip_smu.words.prompts import prompts

_ALONE = 0.8  # share of captions of one attribute, objective `multipositive`
_MOST_MORE = 4  # attributes besides it in the others
_DENIED = 0.3  # share of the others that also word an absence
_NOTHING = torch.zeros(())


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from.

    Attributes:
        ids: (S, L) int64, the sentences.
        templates: (N, d) float32, rows of norm 1; objective ``taught``: (S, d), where the sentences should be.
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


def prompt_batches(config: TrainConfig, language: Language, x: Tensor, labels: Int8s) -> Sampler:
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


def lesson_batches(config: TrainConfig, language: Language, x: Tensor, _: Int8s) -> Sampler:
    """Objective ``taught``: directions, and sentences of each meaning with what they mean.

    A text encoder that knows words beyond the prompts learns from the lexicon's too.
    """
    lessons = lessons_of(config, language)
    aims = lessons.aims(x)

    def draw(step: int) -> Batch:
        rng = np.random.default_rng([config.seed, len(NAMES), step])
        size = (len(lessons.counts), config.paraphrases)
        drawn = lessons.offsets[:, None] + rng.integers(0, lessons.counts[:, None], size)
        ids = lessons.short(torch.from_numpy(drawn.reshape(-1)))
        return Batch(ids, aims.repeat_interleave(config.paraphrases, dim=0), _NOTHING, _NOTHING)

    return Sampler(draw)


def unique_caption_batches(config: TrainConfig, language: Language, x: Tensor, labels: Int8s) -> Sampler:
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


def subset_batches(config: TrainConfig, language: Language, x: Tensor, labels: Int8s) -> Sampler:
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
