"""Which labels look wrong: confident learning on what templates say of persons whose labels were not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clip_smu.arrays import Bools, Float32s, Float64s, Int8s
from clip_smu.errors import InputError
from clip_smu.evaluation.folder import table_of
from clip_smu.interpreter.calibration import fit_platt, sigmoid
from clip_smu.labels.join import join
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import AucInterval, delong
from clip_smu.metrics.confident_learning import NO, YES, ConfidentLearning, confident_learning
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import choose_c, fit_logistic
from clip_smu.metrics.persons import count_persons, persons_apart, require_persons
from clip_smu.photos.names import match
from clip_smu.templates import Source, Templates, read_templates
from clip_smu.words.attributes import NAMES

FOLDS = 5
READABLE = 0.8
"""Below this (lower end of the AUC's 95 % interval) an attribute has no shares of labels that look wrong: labels that
are all right, half of them yes, would look wrong in a fifth there, only for being hard to read."""
C_TRIED = (0.001, 0.01, 0.1, 1.0, 10.0)
_FLAT = 1e-8  # a spread below this is rounding

DOUBT_SCHEMA = pa.schema(
    [
        ("Filename", pa.string()),
        ("Identity", pa.string()),
        ("attribute", pa.string()),
        ("label", pa.int8()),
        ("probability", pa.float64()),
        ("margin", pa.float64()),
    ]
)
"""Columns of the list: photo and person as the labels spell them; what the label says, 1 or -1; the probability of
"yes" by templates; the margin of :class:`clip_smu.metrics.confident_learning.ConfidentLearning`, below 0."""


@dataclass(frozen=True, slots=True)
class AttributeDoubt:
    """How many labels of one attribute look wrong.

    Attributes:
        attribute: its name.
        n_yes, n_no: photos with that label.
        auc, auc_low: how well templates read it, 0 to 1, and the lower end of the 95 % interval, which counts persons;
            ``None`` without both classes.
        yes_looks_no, no_looks_yes: share of these labels that look like the other, 0 to 1; ``None`` where ``reason``
            says why.
        doubted_yes, doubted_no: labels that are on the list.
        reason: why the shares cannot be given, or empty.
    """

    attribute: str
    n_yes: int
    n_no: int
    auc: float | None
    auc_low: float | None
    yes_looks_no: float | None
    no_looks_yes: float | None
    doubted_yes: int
    doubted_no: int
    reason: str


@dataclass(frozen=True, eq=False)
class Doubt:
    """Which labels look wrong.

    Attributes:
        photos, persons: how many were read.
        attributes: one row each, in their order.
        labels: the labels that look wrong, columns of ``DOUBT_SCHEMA``, the lowest margin first.
        join: what the join left out, in words → photos.
        notes: of the join.
    """

    photos: int
    persons: int
    attributes: tuple[AttributeDoubt, ...]
    labels: pa.Table
    join: dict[str, int]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """All but the list, as JSON values."""
        return {
            "photos": self.photos,
            "persons": self.persons,
            "join": self.join,
            "notes": list(self.notes),
            "attributes": [asdict(one) for one in self.attributes],
        }


def doubt(
    templates: Templates | Source,
    labels: Labels | str | Path,
    train: Sequence[str] | str | Path | None = None,
    *,
    folds: int = FOLDS,
    most: int | None = None,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Doubt:
    """Finds the labels that look wrong, among those that say yes or no.

    Persons are dealt into folds. Logistic regressions on the templates of the other folds read each fold; calibrated,
    their probabilities go to :func:`clip_smu.metrics.confident_learning.confident_learning`. Labels of an attribute
    that templates do not read above chance, or that too few persons have, are not listed.

    Args:
        templates: a folder made by ``extract``, a file of templates, or templates in memory.
        labels: a csv in the MAAD form, or labels in memory.
        train: names of the photos to look at (a list, or a file with one name a line); default, all.
        folds: at least 2.
        most: labels to list; default, all that look wrong.
        seed: of the folds.
        progress: called with (stage, done, total).

    Raises:
        LabelError, TemplateError: the data cannot be read or joined, or hold too few persons.
        InputError: fewer than 2 folds.
    """
    if folds < 2:
        raise InputError(f"expected at least 2 folds, found {folds}: {FOLDS} are usual")
    faces = templates if isinstance(templates, Templates) else read_templates(templates)
    known = labels if isinstance(labels, Labels) else read_labels(labels)
    joined = join(faces, known, train)
    persons = joined.templates.identities
    require_persons(persons, folds)
    scores = cross_fitted(joined.templates.vectors, joined.labels, persons, folds, seed, progress)
    slope, intercept = fit_platt(scores, joined.labels)
    probabilities = sigmoid(slope * scores + intercept)
    found = confident_learning(probabilities, joined.labels)
    curve = delong(scores, joined.labels, identity=persons_apart(persons))
    listable = np.array([not why for why in curve.reason]) & (np.nan_to_num(curve.low) > 0.5) & (slope > 0)
    doubted = found.doubted & listable
    rows, columns = np.nonzero(doubted)
    order = np.lexsort((columns, rows, found.margins[rows, columns]))[:most]
    rows, columns = rows[order], columns[order]
    spelled = match(joined.templates.images, known.images, known.identities).at
    listed = [
        {
            "Filename": known.images[spelled[row]],
            "Identity": persons[row],
            "attribute": NAMES[k],
            "label": int(joined.labels[row, k]),
            "probability": float(probabilities[row, k]),
            "margin": float(found.margins[row, k]),
        }
        for row, k in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    yes, no = ((doubted & (joined.labels == side)).sum(axis=0).tolist() for side in (1, -1))
    return Doubt(
        len(joined.labels),
        count_persons(persons),
        tuple(_row(k, curve, found, yes[k], no[k]) for k in range(len(NAMES))),
        table_of(listed, DOUBT_SCHEMA),
        joined.report(),
        joined.notes,
    )


def cross_fitted(
    vectors: Float32s,
    labels: Int8s,
    identities: Sequence[str],
    folds: int,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> Float64s:
    """(N, K) scores of each face by logistic regressions that saw no photo of its person.

    Templates are scaled to length 1 and every number standardised by the faces learnt from. Each attribute has its C of
    ``C_TRIED``. A regression's scores count from their mean over its own faces, so that those of all folds compare.

    Args:
        vectors: (N, d). labels: (N, K) 1, -1, 0 (unknown). identities: N persons, "" one of his own.
        folds, seed: of :func:`clip_smu.metrics.folds.identity_folds`.
        progress: called with (stage, done, total).
    """
    tell = progress or _silent
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    tell("regularisation", 0, 1)
    c = choose_c(_standardised(units, np.ones(len(units), bool)), labels, identities, C_TRIED, seed=seed)
    tell("regularisation", 1, 1)
    fold_of = identity_folds(identities, folds, seed)
    scores = np.empty(labels.shape, dtype=np.float64)
    for fold in range(folds):
        tell("folds", fold, folds)
        inside, outside = fold_of != fold, fold_of == fold
        x = _standardised(units, inside)
        weights, _ = fit_logistic(x[inside], labels[inside], c)
        scores[outside] = (x[outside] - x[inside].mean(axis=0)) @ weights.T
    tell("folds", folds, folds)
    return scores


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


def _standardised(units: Float32s, inside: Bools) -> Float32s:
    """(N, d) templates less the mean, over the deviation, of those inside."""
    spread = units[inside].std(axis=0, dtype=np.float64)
    centred = units - units[inside].mean(axis=0, dtype=np.float64)
    return np.asarray(centred / np.where(spread > _FLAT, spread, 1.0), dtype=np.float32)


def _row(k: int, curve: AucInterval, found: ConfidentLearning, yes: int, no: int) -> AttributeDoubt:
    low, reason = curve.low[k], curve.reason[k]
    if not reason and not low >= READABLE:
        reason = "read too poorly"
    yes_share, no_share = (None if reason else _known(found.looks_other[k, side]) for side in (YES, NO))
    return AttributeDoubt(
        NAMES[k], int(curve.n_positive[k]), int(curve.n_negative[k]), _known(curve.auc[k]), _known(low),
        yes_share, no_share, yes, no, reason,
    )  # fmt: skip


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
