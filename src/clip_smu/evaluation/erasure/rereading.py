"""What can still be read: methods as they are, and probes fitted afresh to erased templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Float64s, Int8s
from clip_smu.evaluation.erasure.eraser import Eraser
from clip_smu.evaluation.erasure.leace import unit
from clip_smu.evaluation.erasure.store import Progress
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.labelled import Labelled
from clip_smu.metrics import AucInterval, delong
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import fit_logistic
from clip_smu.metrics.persons import persons_apart
from clip_smu.storage.documents import finite
from clip_smu.words.attributes import NAMES
from clip_smu.words.hiding import Hide, shown_columns

TRAINING, OTHERS = "training persons", "other test persons"
OTHER_FOLDS = 5
LANDMARKS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Reread:
    """How well one reader tells the attributes of the test persons, before and after.

    Attributes:
        reader: "linear probe", "non-linear probe", or the name of a method.
        fitted_on: "training persons" (those of the eraser), "other test persons", or "" for a method as it is.
        attributes: K names.
        before, after: K AUCs with 95 % intervals that count persons.
    """

    reader: str
    fitted_on: str
    attributes: tuple[str, ...]
    before: AucInterval
    after: AucInterval

    def of(self, attribute: str) -> tuple[float, float]:
        """AUC of one attribute before and after; NaN where it cannot be told."""
        k = self.attributes.index(attribute)
        return float(self.before.auc[k]), float(self.after.auc[k])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; NaN becomes ``None``."""
        rows = [
            {
                "attribute": name,
                "before": _interval(self.before, k),
                "after": _interval(self.after, k),
                "n_positive": int(self.after.n_positive[k]),
                "n_negative": int(self.after.n_negative[k]),
                "reason": self.after.reason[k] or self.before.reason[k],
            }
            for k, name in enumerate(self.attributes)
        ]
        return {"reader": self.reader, "fitted_on": self.fitted_on, "attributes": rows}


def reread(
    methods: Sequence[TemplateReader],
    fitted: Labelled,
    tested: Labelled,
    eraser: Eraser,
    columns: tuple[int, ...],
    hide: Hide,
    seed: int,
    tell: Progress,
) -> tuple[Reread, ...]:
    """The test persons read by all readers, from their templates as they were and erased."""
    x, y = fitted.templates.vectors, tested.templates.vectors
    sides = ((x, y), (eraser.apply(x), eraser.apply(y)))
    identities, few = tested.templates.identities, tested.labels[:, columns]

    def twice(
        reader: str,
        fitted_on: str,
        names: tuple[str, ...],
        read: Callable[[Float32s, Float32s], NDArray[Any]],
        labels: Int8s,
    ) -> Reread:
        stage = f"{reader} of others" if fitted_on == OTHERS else reader
        scores: list[NDArray[Any]] = []
        for side in sides:
            tell(stage, len(scores), 2)
            scores.append(read(*side))
        tell(stage, 2, 2)
        persons, keep = persons_apart(identities), shown_columns(names, hide)
        before, after = (delong(one[:, keep], labels[:, keep], identity=persons) for one in scores)
        return Reread(reader, fitted_on, tuple(names[k] for k in keep), before, after)

    def by_method(one: TemplateReader) -> Callable[[Float32s, Float32s], NDArray[Any]]:
        open_to_all = replace(one, likeness=None)  # erased templates are to be read, whatever they look like
        return lambda _, test: open_to_all.read(test)[0]

    def by_probe(kind: str) -> Callable[[Float32s, Float32s], NDArray[Any]]:
        return lambda train, test: _probe(kind, train, fitted.labels, test, seed)

    def by_others(_: Float32s, test: Float32s) -> NDArray[Any]:
        return probe_of_others(test, few, identities, seed)

    return (
        *(twice(one.name, "", one.attributes, by_method(one), tested.labels) for one in methods),
        *(twice(kind, TRAINING, NAMES, by_probe(kind), tested.labels) for kind in PROBES),
        twice("linear probe", OTHERS, eraser.attributes, by_others, few),
    )


def _probe(kind: str, train: Float32s, labels: Int8s, test: Float32s, seed: int) -> Float64s:
    """(M, K) log odds of the test rows by logistic regressions fitted afresh to the training rows, without intercept.

    The fit starts from the constant prediction, which is the optimum where no covariance is left. Log odds are
    rounded to 0.001: a probe whose log odds differ by less says the same of every face, and the order of what a solver
    leaves in the last digits is no reading.
    """
    features, strength = PROBES[kind]
    a, b = features(train, test, seed)
    yes, no = (np.maximum((labels == sign).sum(axis=0), 1) for sign in (1, -1))
    constant = np.zeros((labels.shape[1], a.shape[1])), np.log(yes / no)
    weights, _ = fit_logistic(a, labels, strength, start=constant)
    return np.asarray(np.round(b @ weights.T, 3), dtype=np.float64)


def probe_of_others(templates: Float32s, labels: Int8s, identities: Sequence[str], seed: int) -> Float64s:
    """(N, K) log odds of each row by linear probes of the other folds' persons."""
    fold_of = identity_folds(identities, OTHER_FOLDS, seed)
    scores = np.zeros(labels.shape)
    for fold in range(OTHER_FOLDS):
        inside, outside = fold_of != fold, fold_of == fold
        if inside.any() and outside.any():
            scores[outside] = _probe(
                "linear probe", templates[inside], labels[inside], templates[outside], seed
            )
    return scores


def _standard(train: Float32s, test: Float32s, seed: int) -> tuple[Float32s, Float32s]:  # noqa: ARG001 (nothing is drawn)
    """Unit templates, each number centred and scaled by the training rows."""
    a, b = unit(train), unit(test)
    mean, spread = a.mean(axis=0), a.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1)
    return ((a - mean) / spread).astype(np.float32), ((b - mean) / spread).astype(np.float32)


def _kernel(train: Float32s, test: Float32s, seed: int) -> tuple[Float32s, Float32s]:
    """Nyström features of a Gaussian kernel on unit templates (Williams & Seeger 2001): (N, m), m at most 1024.

    The kernel is ``exp(-|x - y|² / 2w²)``, w the median distance of the landmarks, which are training rows drawn by
    the seed. A regression on these features is a kernel machine; it needs no gradient descent.
    """
    a, b = unit(train), unit(test)
    marks = a[np.random.default_rng(seed).permutation(len(a))[:LANDMARKS]]
    square = np.maximum(2 - 2 * marks @ marks.T, 0)
    width = float(np.median(square[np.triu_indices(len(marks), 1)]))
    values, axes = np.linalg.eigh(np.exp(-square / (2 * width)))
    kept = values > values[-1] * 1e-10
    root = axes[:, kept] / np.sqrt(values[kept])
    side_a, side_b = (np.exp((x @ marks.T - 1) / width) @ root for x in (a, b))
    return side_a.astype(np.float32), side_b.astype(np.float32)


PROBES: dict[str, tuple[Callable[[Float32s, Float32s, int], tuple[Float32s, Float32s]], float]] = {
    "linear probe": (_standard, 0.01),
    "non-linear probe": (_kernel, 30.0),
}
"""Probe → its features and the strength C of its logistic regression: near the best for LFW's templates of mbf."""


def norm_auc(names: tuple[str, ...], tested: Labelled, columns: tuple[int, ...]) -> dict[str, float]:
    """How well the norm alone tells the erased attributes; either direction counts."""
    norms = tested.templates.norms
    if not np.isfinite(norms).all():
        return dict.fromkeys(names, float("nan"))
    areas = [float(delong(norms, tested.labels[:, k]).auc[0]) for k in columns]
    return {name: max(area, 1 - area) for name, area in zip(names, areas, strict=True)}


def _interval(found: AucInterval, k: int) -> dict[str, float | None]:
    return {key: finite(float(getattr(found, key)[k])) for key in ("auc", "low", "high")}
