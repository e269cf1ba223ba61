"""Sentences with what they mean, as a text encoder is taught them: prompts, and the lexicon's phrases. (PyTorch)"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from clip_smu.arrays import Int64s
from clip_smu.training.language import Language
from clip_smu.training.text_encoders import kind_of
from clip_smu.training.tokens import pad_rows
from clip_smu.training.train_config import TrainConfig
from clip_smu.words.attributes import NAMES
from clip_smu.words.lexicon import lexicon

FRAMES = (
    "{}",
    "a photo of someone with {}",
    "this person has {}",
    "{} person",
    "a face with {}",
    "someone who is {}",
)
"""The lexicon's phrases are nouns, adjectives and clauses: they come in these by turns, whatever the grammar says."""

_LEFT_OUT = ("prompt", "inflection", "spelling")  # which prompts, or another entry, teach already


@dataclass(frozen=True, eq=False)
class Lessons:
    """Groups of sentences of one meaning.

    Attributes:
        ids: (S, L) int64 token ids, group after group. padding: what rows are filled up with.
        counts, offsets: (G,) sentences of each group, and row of the first.
        means: (G, K) float32: 1 where the sentences say that an attribute holds, -1 where that it does not, else 0.
    """

    ids: Tensor
    padding: int
    counts: Int64s
    offsets: Int64s
    means: Tensor

    def short(self, rows: Tensor) -> Tensor:
        """(M, L) int64 ids of rows, no longer than they need."""
        ids = self.ids[rows]
        longest = (
            int((ids != self.padding).sum(dim=1).max()) + 1
        )  # CLIP's padding is the end again, and one stays
        return ids[:, :longest]

    def aims(self, directions: Tensor) -> Tensor:
        """(G, H) unit vectors of the meanings, by (K, H) directions; zeros where those are zeros."""
        return normalize(self.means @ directions, dim=1)


def lessons_of(config: TrainConfig, language: Language) -> Lessons:
    """What a text encoder is taught: prompts; one that knows words beyond them, the lexicon's phrases too."""
    prompts = prompt_lessons(language)
    return with_lexicon(prompts, language) if kind_of(config.text_encoder) == "bert" else prompts


def prompt_lessons(language: Language) -> Lessons:
    """All wordings of both sides of each attribute."""
    prompts = language.prompts
    own = torch.eye(len(NAMES))
    counts, offsets = prompts.counts.reshape(-1), prompts.offsets.reshape(-1)
    return Lessons(prompts.ids, language.padding, counts, offsets, torch.cat([own, -own]))


def with_lexicon(lessons: Lessons, language: Language) -> Lessons:
    """Prompts, and behind them the lexicon's phrases of each meaning."""
    phrases = defaultdict(list)
    taught = [entry for entry in lexicon().values() if entry.kind not in _LEFT_OUT]
    for number, entry in enumerate(taught):
        phrases[entry.means].append(FRAMES[number % len(FRAMES)].format(entry.phrase))
    rows = language.tokens([phrase for group in phrases.values() for phrase in group])
    longest = max(lessons.ids.shape[1], *(len(row) for row in rows))
    padding = language.padding
    known = torch.full((len(lessons.ids), longest), padding)
    known[:, : lessons.ids.shape[1]] = lessons.ids
    filled = [*rows, np.full(longest, padding)]  # the last makes all as long
    counts = np.array([len(group) for group in phrases.values()])
    offsets = len(lessons.ids) + np.cumsum(counts) - counts
    return Lessons(
        torch.cat([known, pad_rows(filled, padding)[:-1]]),
        padding,
        np.concatenate([lessons.counts, counts]),
        np.concatenate([lessons.offsets, offsets]),
        torch.cat([lessons.means, torch.stack([_signs(means) for means in phrases])]),
    )


def _signs(means: tuple[tuple[str, bool], ...]) -> Tensor:
    signs = torch.zeros(len(NAMES))
    for name, holds in means:
        signs[NAMES.index(name)] = 1 if holds else -1
    return signs
