"""How much of a probe's AUC is the probe's own doing? The same probe on labels that mean nothing.

A control task (Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks") gives every person one
toss of a coin for each attribute, in place of the label. Nothing about a face foretells it, but a probe with room to
learn persons by heart foretells it for photos of persons that it has met. Two tests say two things:

- **unseen**: persons that the probe never met. The control AUC must be near .5; if it is not, persons leak from one
  side to the other.
- **shared**: other photos of persons that it trained on. The control AUC is what learning persons by heart reaches,
  and only the part of the real AUC above it is about the attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Indices, Int8s
from clip_smu.errors import InputError
from clip_smu.evaluation.confounds.areas import areas
from clip_smu.metrics import AucInterval
from clip_smu.metrics.logistic import choose_c, fit_logistic
from clip_smu.metrics.persons import in_both, person_numbers

ROUNDS = 5
_HELD_SHARE = 4  # of a person's photos one in so many is held out in the shared test, at least one

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Photos:
    """Templates with labels.

    Attributes:
        vectors: (N, d) float32 templates, finite, none of them zero.
        labels: (N, K) int8, 1 yes, -1 no, 0 unknown.
        identities: N persons; "" is a person of its own.
    """

    vectors: Float32s
    labels: Int8s
    identities: Sequence[str]


@dataclass(frozen=True, eq=False)
class Selectivity:
    """The probe on real labels and on coins, tested on the same photos.

    Attributes:
        real: AUC of the probe trained on the real labels.
        control: (K,) mean over the rounds of the AUC of probes trained and tested on coins; NaN where none has one.
        spread: (K,) standard deviation over the rounds; NaN below two.
        selectivity: (K,) ``real - control``.
        train_photos, test_photos, test_persons: how many.
        reason: K strings, why a figure is missing, empty where none is.
    """

    real: AucInterval
    control: Float64s
    spread: Float64s
    selectivity: Float64s
    train_photos: int
    test_photos: int
    test_persons: int
    reason: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ControlTask:
    """Both tests.

    Attributes:
        unseen: tested on persons that training did not see.
        shared: tested on held-out photos of the training persons; ``None`` where nobody has two photos.
        rounds: tosses of all coins.
        seed: of coins, folds and held-out photos.
        strength: (K,) C of each attribute's probe, the same for real labels and coins.
    """

    unseen: Selectivity
    shared: Selectivity | None
    rounds: int
    seed: int
    strength: Float64s


def control_task(
    train: Photos,
    test: Photos,
    *,
    strength: float | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    progress: Progress | None = None,
) -> ControlTask:
    """AUCs of L2 logistic regressions on real labels and on a coin a person, with seen and unseen persons.

    A coin falls on yes as often as the attribute does among the known labels of ``train``, and photos whose label is
    unknown stay unknown. Templates are scaled to length 1 and standardised by the training photos.

    Args:
        train, test: photos of different persons, of one encoder.
        strength: C of :func:`clip_smu.metrics.logistic.fit_logistic`; ``None`` for each attribute's own best, chosen
            with the real labels on persons left out. The coins get the same C: a probe of the same capacity.
        rounds: at least 1.
        seed: of coins, folds and held-out photos.
        progress: called with ("strengths of the probes", 0 or 1, 1), then ("control task", fits done, fits in all).

    Raises:
        InputError: no rounds, or a person on both sides.
    """
    if rounds < 1:
        raise InputError(f"expected at least 1 round of coins, found {rounds}: {ROUNDS} is usual")
    both = in_both(train.identities, test.identities)
    if both:
        raise InputError(
            f"expected other persons to test on than to train on, found {len(both)} on both sides, for instance "
            f"{min(both)}: give a list of photos that the evaluation did not read"
        )
    rng = np.random.default_rng(seed)
    vectors = np.concatenate([train.vectors, test.vectors])
    labels = np.concatenate([train.labels, test.labels])
    persons = np.concatenate(
        [person_numbers(train.identities), person_numbers(test.identities) + len(train.identities)]
    )
    in_train = np.arange(len(labels)) < len(train.labels)
    held = np.flatnonzero(in_train)[_held_out(persons[in_train], rng)]
    in_fit = in_train.copy()
    in_fit[held] = False
    fits = (1 + rounds) * (2 if len(held) else 1)
    done = 0
    if strength is None:
        if progress is not None:
            progress("strengths of the probes", 0, 1)
        x = _standardised(vectors, np.flatnonzero(in_train))[in_train]
        strengths = choose_c(x, train.labels, train.identities, seed=seed)
        if progress is not None:
            progress("strengths of the probes", 1, 1)
    else:
        strengths = np.full(labels.shape[1], float(strength))

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("control task", done, fits)

    def both_tasks(fit_rows: Indices, test_rows: Indices) -> Selectivity:
        x = _standardised(vectors, fit_rows)

        def area(targets: Int8s) -> AucInterval:
            weights, bias = fit_logistic(x[fit_rows], targets[fit_rows], strengths)
            step()
            return areas(x[test_rows] @ weights.T + bias, targets[test_rows], persons[test_rows])

        real = area(labels)
        controls = np.array([area(_coins(labels, in_train, persons, rng)).auc for _ in range(rounds)])
        return _selectivity(real, controls, len(fit_rows), persons[test_rows])

    unseen = both_tasks(np.flatnonzero(in_train), np.flatnonzero(~in_train))
    shared = both_tasks(np.flatnonzero(in_fit), held) if len(held) else None
    return ControlTask(unseen, shared, rounds, seed, strengths)


def _coins(labels: Int8s, in_train: Bools, persons: Indices, rng: np.random.Generator) -> Int8s:
    """(N, K) labels of one toss a person and attribute, unknown where the real ones are."""
    known = labels != 0
    yes, of = (labels[in_train] > 0).sum(axis=0), known[in_train].sum(axis=0)
    share = yes / np.maximum(of, 1)
    tossed = rng.random((int(persons.max()) + 1, labels.shape[1])) < share
    return np.where(known, np.where(tossed, 1, -1)[persons], 0).astype(np.int8)


def _held_out(persons: Indices, rng: np.random.Generator) -> Indices:
    """Rows of a quarter of the photos (at least one) of each person who has two or more."""
    order = rng.permutation(len(persons))
    order = order[np.argsort(persons[order], kind="stable")]  # person by person, each in random order
    _, first, count = np.unique(persons[order], return_index=True, return_counts=True)
    number = np.arange(len(order)) - np.repeat(first, count)
    held = np.repeat(np.where(count > 1, np.maximum(count // _HELD_SHARE, 1), 0), count)
    return np.sort(order[number < held])


def _standardised(vectors: Float32s, rows: Indices) -> Float32s:
    """Unit templates less the mean, over the deviation, of the given rows."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    deviation = unit[rows].std(axis=0)
    x: Float32s = (unit - unit[rows].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return x.astype(np.float32, copy=False)


def _selectivity(
    real: AucInterval, controls: Float64s, train_photos: int, test_persons: Indices
) -> Selectivity:
    """``controls`` is (rounds, K), NaN where a round's coins left too few of a class."""
    tossed = (~np.isnan(controls)).sum(axis=0)
    control = np.where(tossed > 0, np.nansum(controls, axis=0) / np.maximum(tossed, 1), np.nan)
    squares = np.nansum((controls - control) ** 2, axis=0)
    spread = np.where(tossed > 1, np.sqrt(squares / np.maximum(tossed - 1, 1)), np.nan)
    reasons = tuple(
        real.reason[k] if np.isnan(real.auc[k]) or tossed[k] else "too few of a class among the coins"
        for k in range(len(control))
    )
    return Selectivity(
        real, control, spread, real.auc - control, train_photos, len(test_persons),
        len(np.unique(test_persons)), reasons,
    )  # fmt: skip
