"""Are two photos of one person? Pairs, the LFW protocol, and paired tests between two ways to score them.

Huang, Ramesh, Berg & Learned-Miller, Labeled Faces in the Wild (2007), protocol of ``pairs.txt``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Bools, Float32s, Float64s, Indices
from clip_smu.errors import InputError
from clip_smu.metrics import auc, delong_paired, tpr_at_fpr
from clip_smu.storage.textfiles import read_lines, separator_of

FOLDS = 10
FARS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs of photos.

    Attributes:
        first, second: names of the photos.
        same: (P,) bool, of one person.
        folds: (P,) which of the ten folds each belongs to.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    same: Bools
    folds: Indices

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: Indices) -> Pairs:
        """These pairs alone."""
        return Pairs(
            tuple(self.first[row] for row in rows),
            tuple(self.second[row] for row in rows),
            self.same[rows],
            self.folds[rows],
        )

    def sample(self, count: int) -> Pairs:
        """About ``count`` pairs, evenly from both kinds and over the whole list; all, if there are fewer."""
        rows = []
        for kind in (True, False):
            of_kind = np.flatnonzero(self.same == kind)
            wanted = min(count // 2, len(of_kind))
            rows.append(of_kind[np.linspace(0, len(of_kind) - 1, wanted).round().astype(np.intp)])
        return self.take(np.sort(np.concatenate(rows)))


@dataclass(frozen=True, slots=True)
class Verification:
    """How well scores tell same from different persons.

    Attributes:
        n_same, n_different: pairs.
        accuracy, accuracy_sd: mean and standard deviation over ten folds, each with the threshold that is
            best on the other nine.
        tar: share of same-person pairs accepted at false accept rates of 1e-2 and 1e-3 (``1e-02``, ``1e-03``).
        auc: of the ROC curve.
        d_prime: ``(mean same - mean different) / sqrt((var same + var different) / 2)``.
        mean_same, mean_different: mean scores.
    """

    n_same: int
    n_different: int
    accuracy: float
    accuracy_sd: float
    tar: Mapping[str, float]
    auc: float
    d_prime: float
    mean_same: float
    mean_different: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Paired:
    """Scores B less scores A on the same pairs, with two-sided p-values.

    Attributes:
        d_prime, d_prime_p: difference of the separations; delta method over pairs.
        mean_same, mean_same_p: difference of the mean same-person scores; paired test.
        auc, auc_p: difference of the AUCs; DeLong.
    """

    d_prime: float
    d_prime_p: float
    mean_same: float
    mean_same_p: float
    auc: float
    auc_p: float

    def to_dict(self) -> dict[str, float]:
        """As JSON values."""
        return asdict(self)


def read_pairs(path: Path) -> Pairs:
    """Pairs from one of LFW's lists, or from a csv with the columns a, b, same (1 or 0).

    A line ``name i j`` is photos i and j of one person, ``name i other j`` of two; photo i of a person is
    ``name/name_000i.jpg``. The header of ``pairs.txt`` says how many folds there are, and how many pairs of each kind a
    fold has; that of ``pairsDevTrain.txt`` how many pairs of each kind. It may be missing, or be Kaggle's
    (``name,imagenum1,imagenum2``). Where there are not several folds, pairs are dealt to ten in turn within each kind.

    Raises:
        InputError: no such file, or a line of another form.
    """
    lines = read_lines(path, "a list of pairs")
    if not lines:
        raise InputError(f"expected {_FORMS}; found 'nothing' in {path}")
    separator = separator_of(lines[0])
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)
    ]
    head = [cell.lower() for cell in rows[0]]
    if head == ["a", "b", "same"]:
        return _named_pairs(path, rows[1:])
    if head[0] == "name":
        return _numbered_pairs(path, [[cell for cell in row if cell] for row in rows[1:]], 2, None)
    rows = [line.split("\t") if "\t" in line else line.split() for line in lines]
    if len(rows[0]) > 2 or not all(map(_is_number, rows[0])):  # no header
        if not _is_pair(rows[0]):
            raise InputError(f"expected {_FORMS}; found {lines[0][:40]!r} in {path}")
        return _numbered_pairs(path, rows, 1, None)
    *folds, each = map(int, rows[0])
    count = 2 * each * (folds[0] if folds else 1)
    if len(rows) - 1 != count:
        raise InputError(f"expected {count} pairs in {path} by its header, found {len(rows) - 1}")
    return _numbered_pairs(path, rows[1:], 2, 2 * each if folds and folds[0] > 1 else None)


def pairs_of_identities(photos: Sequence[tuple[str, str]], count: int = 6000, seed: int = 0) -> Pairs:
    """Pairs drawn at random: half of one person, half of two, each person with the same chance.

    Args:
        photos: (name, identity) of each; those without an identity are left out.
        count: pairs; fewer where there are not so many.
        seed: of the draw.

    Raises:
        InputError: there are no two photos of one person, or not two persons.
    """
    rng = np.random.default_rng(seed)
    persons: dict[str, list[str]] = {}
    for name, identity in photos:
        if identity:
            persons.setdefault(identity, []).append(name)
    everyone = sorted(persons)
    several = [person for person in everyone if len(persons[person]) > 1]
    if not several or len(everyone) < 2:
        raise InputError(
            f"expected several photos of several persons, a folder each; found {len(everyone)} persons, "
            f"{len(several)} of them with two photos: give such a folder, or --pairs"
        )
    sizes = [len(persons[person]) for person in everyone]
    of_one = sum(n * (n - 1) // 2 for n in sizes)
    of_two = sum(sizes) * (sum(sizes) - 1) // 2 - of_one
    drawn: dict[tuple[str, str], bool] = {}
    for same in (True, False):
        wanted = len(drawn) + min(count // 2, of_one if same else of_two)
        for _ in range(20 * count):  # draws; repeated pairs do not count
            if len(drawn) >= wanted:
                break
            if same:
                photos_of = persons[several[rng.integers(len(several))]]
                a, b = (photos_of[i] for i in rng.choice(len(photos_of), 2, replace=False))
            else:
                one, other = (persons[everyone[i]] for i in rng.choice(len(everyone), 2, replace=False))
                a, b = one[rng.integers(len(one))], other[rng.integers(len(other))]
            drawn[min(a, b), max(a, b)] = same
    return _dealt(
        [a for a, _ in drawn], [b for _, b in drawn], np.array(list(drawn.values()), dtype=np.bool_)
    )


def cosine(a: Float32s, b: Float32s) -> Float64s:
    """(P,) cosine of rows (P, d)."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(wide_a, axis=1) * np.linalg.norm(wide_b, axis=1)
    return np.asarray((wide_a * wide_b).sum(axis=1) / np.maximum(norms, 1e-30))


def verification(scores: Float64s, same: Bools, folds: Indices | None = None) -> Verification:
    """Figures of pairs.

    Args:
        scores: (P,), higher: rather one person.
        same: (P,) bool.
        folds: (P,) fold of each; dealt to ten in turn within each kind if None, or if all are in one.

    Raises:
        InputError: fewer than two pairs of a kind, or scores that are not finite.

    Example:
        >>> verification(np.array([0.9, 0.8, 0.1, 0.2]), np.array([True, True, False, False])).accuracy
        1.0
    """
    _check(scores, same)
    labels = np.where(same, 1, -1)
    if folds is None or len(np.unique(folds)) < 2:  # a threshold is chosen on other folds
        folds = _deal(same)
    accuracies = [
        _accuracy(scores, same, folds == fold)
        for fold in np.unique(folds)
        if 0 < np.count_nonzero(folds == fold) < len(folds)
    ]
    tar = tpr_at_fpr(scores, labels, FARS).value[0]
    return Verification(
        n_same=int(same.sum()),
        n_different=int((~same).sum()),
        accuracy=float(np.mean(accuracies)),
        accuracy_sd=float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0,
        tar={f"{far:.0e}": float(value) for far, value in zip(FARS, tar, strict=True)},
        auc=float(auc(scores, labels).value[0]),
        d_prime=_separation(scores, same)[0],
        mean_same=float(scores[same].mean()),
        mean_different=float(scores[~same].mean()),
    )


def compare(scores_a: Float64s, scores_b: Float64s, same: Bools) -> Paired:
    """Scores B against scores A of the same pairs; pairs count as independent.

    Raises:
        InputError: as :func:`verification`.
    """
    _check(scores_a, same)
    _check(scores_b, same)
    (d_a, influence_a), (d_b, influence_b) = _separation(scores_a, same), _separation(scores_b, same)
    moved = influence_b - influence_a
    se = math.sqrt(sum(moved[kind].var(ddof=1) / kind.sum() for kind in (same, ~same)))
    shift = (scores_b - scores_a)[same]
    shift_se = float(shift.std(ddof=1)) / math.sqrt(len(shift))
    areas = delong_paired(scores_b, scores_a, np.where(same, 1, -1))
    return Paired(
        d_prime=d_b - d_a,
        d_prime_p=_p(d_b - d_a, se),
        mean_same=float(shift.mean()),
        mean_same_p=_p(float(shift.mean()), shift_se),
        auc=float(areas.difference[0]),
        auc_p=float(areas.p[0]),
    )


def _separation(scores: Float64s, same: Bools) -> tuple[float, Float64s]:
    """d' and the influence of each pair on it (that of a mean over its own kind)."""
    pulled, gap, spread = np.empty(len(scores)), 0.0, 0.0
    for kind, sign in ((same, 1.0), (~same, -1.0)):
        gap += sign * float(scores[kind].mean())
        spread += float(scores[kind].var(ddof=1)) / 2
    sd = max(math.sqrt(spread), 1e-30)
    d = gap / sd
    for kind, sign in ((same, 1.0), (~same, -1.0)):
        off = scores[kind] - scores[kind].mean()
        # d' = gap / sqrt(spread): its derivative by the mean is 1/sd, by the variance -d / (4 spread)
        pulled[kind] = sign * off / sd - d * (off**2 - off.var(ddof=1)) / (4 * sd**2)
    return d, pulled


def _accuracy(scores: Float64s, same: Bools, tested: Bools) -> float:
    """Accuracy on the tested pairs, with the threshold that is best on the others."""
    order = np.argsort(scores[~tested])
    known, truth = scores[~tested][order], same[~tested][order]
    # cut k: the k lowest are rejected; right are the different pairs below and the same pairs above
    right = np.concatenate([[0], np.cumsum(~truth)]) + truth.sum() - np.concatenate([[0], np.cumsum(truth)])
    padded = np.concatenate([[-np.inf], known, [np.inf]])
    right = np.where(padded[1:] > padded[:-1], right, -1)  # no cut between equal scores
    best = np.flatnonzero(right == right.max())
    cut = int(best[len(best) // 2])
    threshold = (padded[cut] + padded[cut + 1]) / 2 if 0 < cut < len(known) else padded[cut or 1]
    return float(np.mean((scores[tested] >= threshold) == same[tested]))


def _p(difference: float, se: float) -> float:
    if se == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / se / math.sqrt(2))


def _check(scores: Float64s, same: Bools) -> None:
    if scores.shape != same.shape or scores.ndim != 1 or not np.isfinite(scores).all():
        raise InputError(f"expected a finite score for each of {len(same)} pairs, found {scores.shape}")
    if min(same.sum(), (~same).sum()) < 2:
        raise InputError(
            f"expected at least two pairs of one person and two of different persons, found {same.sum()} "
            f"and {(~same).sum()}: give more photos or pairs"
        )


def _deal(same: Bools) -> Indices:
    folds = np.empty(len(same), np.intp)
    for kind in (same, ~same):
        folds[kind] = np.arange(kind.sum()) % FOLDS
    return folds


def _dealt(first: list[str], second: list[str], same: Bools) -> Pairs:
    return Pairs(tuple(first), tuple(second), same, _deal(same))


_FORMS = (
    "LFW's pairs.txt (first line: folds and pairs of a kind, as 10 300), its pairsDevTrain.txt, or a csv with the "
    "header a,b,same"
)


def _named_pairs(path: Path, rows: list[list[str]]) -> Pairs:
    for number, row in enumerate(rows, 2):
        if len(row) != 3 or row[2] not in ("0", "1"):
            raise InputError(f"expected a,b,same with same 0 or 1 in {path}, found {row} in line {number}")
    first, second = ([row[i] for row in rows] for i in (0, 1))
    return _dealt(first, second, np.array([row[2] == "1" for row in rows], dtype=np.bool_))


def _numbered_pairs(path: Path, rows: list[list[str]], line: int, fold: int | None) -> Pairs:
    """Pairs by persons and numbers, the first on ``line``, so many in a ``fold``; ``None``: to be dealt."""
    for number, row in enumerate(rows, line):
        if not _is_pair(row):
            raise InputError(
                f"expected 'name i j' or 'name i other j' in {path}, found {' '.join(row)[:80]!r} in line {number}"
            )
    first = [_lfw_name(row[0], row[1]) for row in rows]
    second = [_lfw_name(row[-2] if len(row) == 4 else row[0], row[-1]) for row in rows]
    same = np.array([len(row) == 3 for row in rows], dtype=np.bool_)
    if fold is None:
        return _dealt(first, second, same)
    return Pairs(tuple(first), tuple(second), same, np.arange(len(first), dtype=np.intp) // fold)


def _is_pair(row: list[str]) -> bool:
    return len(row) in (3, 4) and _is_number(row[1]) and _is_number(row[-1])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _lfw_name(person: str, number: str) -> str:
    return f"{person}/{person}_{int(number):04d}.jpg"
