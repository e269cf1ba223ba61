"""All strategies to a caption on the same labelled faces, beside what needs no template at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clip_smu.arrays import Bools, Floats, Int8s
from clip_smu.errors import LabelError
from clip_smu.evaluation.generation.scores import CaptionScores, caption_scores, persons_of
from clip_smu.evaluation.generation.strategies import (
    STRATEGIES,
    CaptionConfig,
    Progress,
    above,
    choose_threshold,
    generate,
)
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.interpreter.readable import readable
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.join import join
from clip_smu.labels.labels import Labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import count_persons
from clip_smu.templates import Templates
from clip_smu.words.attributes import NAMES
from clip_smu.words.hiding import Hide, hidden_names


def compare_strategies(
    method: TemplateReader,
    templates: Templates,
    labels: Labels,
    only: Sequence[str] | None = None,
    *,
    strategies: Sequence[str] | None = None,
    config: CaptionConfig | None = None,
    hide: Hide = (),
    folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, CaptionScores]:
    """Figures of all strategies on labelled faces, best read beside two references.

    Besides ``strategies``: ``best threshold`` and ``best thresholds`` (one for all, one an attribute) take the
    thresholds of highest F1, and ``base rates`` says of everybody what at least half of the others have, without
    looking at a template. These three are chosen on the labels of other persons: identity folds.

    Args:
        method: an interpreter, or a probe.
        templates: of the method's encoder; the main face of each photo is used.
        labels: in the MAAD form, as are those of ``fit``.
        only: names of the photos to use; default, all.
        strategies: of :data:`STRATEGIES`; default, all that the method has (a probe has no ``greedy``).
        hide: attributes, groups or categories, by name, that no caption says and no figure counts.
        progress: called with the number of templates done, once for each strategy.

    Returns:
        Name of the strategy → figures, in the order of :data:`STRATEGIES`, then the references.

    Raises:
        LabelError: nothing can be joined, or fewer persons than folds.
        InputError, EncoderError, TemplateError, InterpreterError: as for :func:`generate`.
    """
    method.check_templates(templates.card, templates.vectors.shape[1])
    joined = join(templates, labels, only)
    rows = np.flatnonzero(readable(method, joined.templates.vectors))
    read = joined.templates.take(rows)
    vectors, identities = read.vectors, read.identities
    hidden = np.isin(NAMES, [*hidden_names(hide)])
    known = np.where(hidden, np.int8(0), joined.labels[rows])
    persons = persons_of(identities, len(vectors))
    if len(vectors) == 0 or persons.max() + 1 < folds:
        raise LabelError(
            f"captions are judged on {folds} folds of persons, found {count_persons(identities)} persons with a usable "
            "template and labels: give more photos, or of more persons"
        )
    if strategies is None:
        strategies = [
            strategy for strategy in STRATEGIES if strategy != "greedy" or isinstance(method, Interpreter)
        ]
    said: dict[str, Bools] = {
        strategy: generate(method, vectors, strategy, config=config, hide=hide, progress=progress).asserted
        for strategy in strategies
    }
    scores, fold_of = method.read(vectors)[0], identity_folds(identities, folds, seed)
    chosen = {name: np.zeros(known.shape, dtype=np.bool_) for name in _CHOSEN}
    for fold in range(folds):
        here, others = fold_of == fold, fold_of != fold
        for name, choose in _CHOSEN.items():
            chosen[name][here] = choose(scores[others], known[others], scores[here]) & ~hidden
    return {
        name: caption_scores(rows, known, identities, seed=seed) for name, rows in (said | chosen).items()
    }


def _one_for_all(scores: Any, labels: Int8s, new: Floats) -> Bools:
    return above(new, choose_threshold(scores, labels))


def _one_an_attribute(scores: Any, labels: Int8s, new: Floats) -> Bools:
    columns = range(labels.shape[1])
    return above(new, np.array([choose_threshold(scores[:, k], labels[:, k]) for k in columns]))


def _what_most_have(_: Any, labels: Int8s, new: Floats) -> Bools:
    """Says of every face what at least half of the labelled ones have."""
    yes, no = (labels > 0).sum(axis=0), (labels < 0).sum(axis=0)
    return np.asarray(np.broadcast_to((yes >= no) & (yes > 0), new.shape), dtype=np.bool_)


_CHOSEN = {
    "best threshold": _one_for_all,
    "best thresholds": _one_an_attribute,
    "base rates": _what_most_have,
}
"""Ways that learn from labels of other persons: (their scores, their labels, new scores) → what is said."""
