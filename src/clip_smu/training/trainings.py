"""The trainings of a fit: readouts and a text encoder that is taught them, or a text encoder a fold. (PyTorch)"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Float64s
from clip_smu.interpreter.adapter import Adapter
from clip_smu.labels.labelled import Labelled
from clip_smu.metrics.folds import identity_folds
from clip_smu.training.alignment import align_projection
from clip_smu.training.data import Data
from clip_smu.training.fit_config import FitConfig
from clip_smu.training.homes import Stranger, train_strangers
from clip_smu.training.lessons import lessons_of
from clip_smu.training.meanings import write_meanings
from clip_smu.training.readout import choose_whitening, cross_fitted, train_readout
from clip_smu.training.text_export import export_text_encoder
from clip_smu.training.trainer import Trained, Trainer
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.prompts import prompts


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the trainings gave.

    Attributes:
        out_of_fold: (N, 47) scores of every face by a text encoder that did not see its person.
        positive, negative: (47, d) vectors of the prompts by the text encoder of all persons.
        steps: of that text encoder, the median of the folds' best.
        captions: what its training reports of captions.
        seconds: of all trainings.
        adapter: objective ``taught``.
        strangers: of each source what the others taught, objective ``taught`` with several.
    """

    out_of_fold: Float64s
    positive: Float32s
    negative: Float32s
    steps: int
    captions: dict[str, Any] | None
    seconds: float
    adapter: Adapter | None = None
    strangers: tuple[Stranger, ...] = ()


def teach_one(trainer: Trainer, data: Data, config: FitConfig, folds: int, made: Path) -> Fitted:
    """Trains readouts, on the folds and on all persons, then the text encoder on the latter's directions."""
    started, known, seed = time.time(), data.known, trainer.config.seed
    vectors, labels, people = known.templates.vectors, known.labels, known.templates.identities
    whitening = choose_whitening(vectors, labels, data.source_of, people, seed)
    fold_of = identity_folds(people, folds, seed)
    tell = trainer.tell
    out_of_fold = cross_fitted(vectors, labels, data.source_of, fold_of, whitening, seed, tell)
    strangers = train_strangers(data, whitening, config.error_rate, seed)
    readout = train_readout(vectors, labels, data.source_of, whitening, seed)
    trainer.units = readout.directions
    spent = time.time() - started
    trained = trainer.train("text encoder", np.arange(len(NAMES)), None, trainer.config.steps)
    align_projection(trained.text_encoder, lessons_of(trainer.config, trainer.language), readout.directions)
    positive, negative = _written(trainer, trained, made)
    return Fitted(
        out_of_fold, positive, negative, trained.step, trained.report, spent + trained.seconds,
        readout.adapter, strangers,
    )  # fmt: skip


def train_folds(trainer: Trainer, data: Data, _: FitConfig, folds: int, made: Path) -> Fitted:
    """Trains on the folds, then on all persons; writes the text encoder into ``made``."""
    known = data.known
    out_of_fold, best_steps, seconds = _cross_fit(trainer, known, folds)
    steps = int(np.median(best_steps))
    trained = trainer.train("all identities", np.arange(len(known.labels)), None, steps)
    positive, negative = _written(trainer, trained, made)
    return Fitted(out_of_fold, positive, negative, steps, trained.report, seconds + trained.seconds)


def _cross_fit(trainer: Trainer, known: Labelled, folds: int) -> tuple[Float64s, list[int], float]:
    """(N, K) scores of every face by a text encoder that did not see its person; each fold's best step; seconds."""
    scores = np.zeros(known.labels.shape, dtype=np.float64)
    fold_of = identity_folds(known.templates.identities, folds, trainer.config.seed)
    best_steps, seconds = [], 0.0
    for fold in range(folds):
        inside, outside = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        stage = f"fold {fold + 1} of {folds}"
        trained = trainer.train(stage, inside, outside, trainer.config.steps)
        positive, negative = trainer.prompt_vectors(trained.text_encoder)
        scores[outside] = trainer.centred(outside, inside) @ (positive - negative).T
        best_steps.append(trained.step)
        seconds += trained.seconds
    return scores, best_steps, seconds


def _written(trainer: Trainer, trained: Trained, made: Path) -> tuple[Float32s, Float32s]:
    """The prompts' vectors of a trained text encoder, which is written into ``made``."""
    positive, negative = trainer.prompt_vectors(trained.text_encoder)
    if trainer.ranks.main:
        sentences = [prompts(row)[0] for row in ATTRIBUTES]
        written = export_text_encoder(trained.text_encoder, trainer.language.tokenizer, made, sentences)
        if written.knows_meanings:
            write_meanings(written, trainer.language.tokenizer, made)
    return positive, negative
