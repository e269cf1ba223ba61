"""Settings of a probe, and those of each kind of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

from clip_smu.errors import InputError
from clip_smu.metrics.logistic import C_GRID

Setting = TypeVar("Setting", int, float)


@dataclass(frozen=True, slots=True)
class Kind:
    """The settings of a kind of probe that stand where none is given."""

    learning_rate: float = 1e-3
    epochs: int = 1
    batch_size: int = 64
    weight_decay: float = 0.0
    standardise: bool = True


KINDS: dict[str, Kind] = {
    "multi-label": Kind(learning_rate=1e-5, epochs=15, standardise=False),
    "binary": Kind(learning_rate=1e-5, epochs=10, standardise=False),
    "logistic-regression": Kind(),
    "mlp": Kind(epochs=60, batch_size=256, weight_decay=0.1),
}
"""The kinds of probe; :data:`clip_smu.training.classifiers.TRAIN` says how each is trained."""


@dataclass(frozen=True, slots=True)
class ProbeConfig:
    """Settings of one probe. ``None`` stands for the kind's own default (:data:`KINDS`).

    Attributes:
        kind: ``multi-label``, ``binary``, ``logistic-regression`` or ``mlp``.
        learning_rate: of Adam (``mlp``: the highest; it falls as a cosine).
        epochs: passes over the training rows (``mlp``: at most; ``binary``: over its oversampled rows).
        batch_size: templates a step.
        weight_decay: decoupled (AdamW); without it AdamW is Adam.
        standardise: whether each number of the unit templates is brought to mean 0 and variance 1 first.
        hidden: width of the hidden layer, ``mlp``.
        dropout: share of hidden units that a step leaves out, ``mlp``.
        networks: how many networks are trained and averaged, ``mlp``.
        patience: epochs without a better AUC before a training stops, ``mlp``.
        strengths: values of C to choose from for each attribute, ``logistic-regression``.
        unknown: ``mask``, or ``negative``: train on labels of 0 as if they were no, as the authors' early code did.
            Calibration and evidence always leave them out.
        folds: identity folds, 2 or more.
        error_rate: share of wrong verdicts to choose thresholds for, 0.01 to 0.5.
        seed: of everything random.

    Example:
        >>> ProbeConfig("multi-label").resolved().epochs
        15
    """

    kind: str = "logistic-regression"
    learning_rate: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    weight_decay: float | None = None
    standardise: bool | None = None
    hidden: int = 256
    dropout: float = 0.5
    networks: int = 1
    patience: int = 8
    strengths: tuple[float, ...] = C_GRID
    unknown: str = "mask"
    folds: int = 5
    error_rate: float = 0.10
    seed: int = 0

    def check(self) -> None:
        """Raises InputError where a setting cannot be used."""
        for name, low, high in (
            ("learning_rate", 1e-9, 10),
            ("epochs", 1, 10**6),
            ("batch_size", 1, 10**7),
            ("weight_decay", 0, 10),
            ("hidden", 1, 10**5),
            ("dropout", 0, 0.95),
            ("networks", 1, 100),
            ("patience", 1, 10**6),
            ("folds", 2, 100),
            ("error_rate", 0.01, 0.5),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value}")
        for name, choices in (("kind", tuple(KINDS)), ("unknown", ("mask", "negative"))):
            if getattr(self, name) not in choices:
                raise InputError(
                    f"the {name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}"
                )
        if not self.strengths or not all(0 < c < math.inf for c in self.strengths):
            raise InputError(f"strengths must be positive values of C, not {self.strengths}")

    def resolved(self) -> ProbeConfig:
        """The same with the kind's defaults filled in."""
        names = ("learning_rate", "epochs", "batch_size", "weight_decay", "standardise")
        return replace(
            self, **{key: getattr(KINDS[self.kind], key) for key in names if getattr(self, key) is None}
        )


def given(setting: Setting | None) -> Setting:
    """A setting that is filled in."""
    assert setting is not None
    return setting
