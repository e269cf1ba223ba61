"""Does a row look like a template of the encoder that a reader was fitted to?

Templates of faces do not fill their space: in some directions they hardly differ. Noise, permuted or sign-flipped
numbers and other encoders' templates fill all directions alike, so what a row has in the quietest ones tells it from a
face. With u the row scaled to length 1, c the mean and S the covariance of the training faces' u (its eigenvalues
shrunk towards their mean), and v_i, l_i the eigenvectors and eigenvalues of the quietest directions:

    distance = mean over i of (v_i . (u - c))² / l_i        a Mahalanobis distance, of those directions alone
    side     = u . w / c . w  with  w = S⁻¹ c               1 on average; mirrored templates have -1 (S hardly shrunk)

A row looks like a template if its distance is at most ``most`` and its side at least ``least``. The length of a
template takes no part: normalised, quantised or scaled, the same face looks the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Float32s, Float64s, Floats
from clip_smu.errors import InterpreterError
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import count_persons
from clip_smu.storage.documents import Count, Dim, Finite
from clip_smu.storage.tensors import real_array

QUIET = 32  # directions, at most half of all
SHRUNK = 0.02  # share of the mean eigenvalue in each, for the distance: quantised templates stay near
SHRUNK_SIDE = 1e-4  # and for the side: the quietest directions know best which way is up
FOLDS = 5  # of persons: a face is measured by what the others have
MOST_FACES = 50_000  # that are measured; more are drawn from
LEAST_FACES = 20
NOISE = 4_000  # rows of made-up noise, with each number's own mean and spread: the noise most like a face

_FACE, _NOISE, _SIDE = 0.995, 0.001, 0.001  # quantiles that the limits are set by
_LEAST_DISTANCE = 0.1  # quiet directions may be empty but for rounding: a quantised template is no stranger
_MARGIN = 2.0
_ALIKE = 1e-9  # variance of unit templates, all numbers together

_PREFIX = "likeness."


class LikenessForm(msgspec.Struct):
    """Limits of :class:`Likeness`; its arrays lie beside the prompts or weights."""

    directions: Dim
    most: Annotated[float, msgspec.Meta(gt=0, le=1e300)]
    least: Finite
    faces: Count = 0
    persons: Count = 0


@dataclass(frozen=True, eq=False)
class Likeness:
    """What templates of an encoder look like; made by :func:`measure_likeness`.

    Attributes:
        centre: (d,) float32, mean of the unit templates.
        quiet: (d, r) float32, the quietest directions, each divided by its spread.
        toward: (d,) float32, the direction of ``side``.
        most: largest distance, and ``least``: least side of a row that looks like a template.
        measured_on: faces and persons.
    """

    centre: Float32s
    quiet: Float32s
    toward: Float32s
    most: float
    least: float
    measured_on: Mapping[str, int] = field(default_factory=dict)

    def measures(self, vectors: Float32s) -> tuple[Float32s, Float32s]:
        """Distance and side, (N,) float32 each, of (N, d) rows of any length; NaN where one is zero or not finite."""
        table, at = self._table
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            products = vectors @ table  # (N, r + 2)
            length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
            quiet = products[:, :-2]  # |q - a|² = |q|² - 2 q.a + |a|², all but the first of (N,) numbers
            square = np.einsum("nr,nr->n", quiet, quiet) / (length * length) - 2 * products[:, -2] / length
            distance = np.maximum(square + at @ at, 0) / np.float32(len(at))  # rounding may pass below 0
            return distance, products[:, -1] / length

    @cached_property
    def _table(self) -> tuple[Float32s, Float32s]:
        """(d, r + 2) factors of one matrix product, and (r,) where the centre lies in the quiet directions."""
        at = self.centre @ self.quiet
        return np.ascontiguousarray(np.column_stack([self.quiet, self.quiet @ at, self.toward])), at

    def holds(self, vectors: Float32s) -> Bools:
        """(N,) whether each row looks like a template of the encoder."""
        distance, side = self.measures(vectors)
        return np.asarray((distance <= self.most) & (side >= self.least))

    def arrays(self) -> dict[str, Float32s]:
        """The arrays by name, as they are saved."""
        return {f"{_PREFIX}{name}": getattr(self, name) for name in ("centre", "quiet", "toward")}

    def to_dict(self) -> dict[str, Any]:
        """The numbers, as JSON values."""
        return {"directions": self.quiet.shape[1], "most": self.most, "least": self.least, **self.measured_on}


def saved_likeness(arrays: Mapping[str, NDArray[Any]], form: LikenessForm, dim: int, where: str) -> Likeness:
    """What :meth:`Likeness.arrays` and :meth:`Likeness.to_dict` gave.

    Raises:
        InterpreterError: an array is missing or of another shape; ``where`` begins the message.
    """
    shapes = {"centre": (dim,), "quiet": (dim, form.directions), "toward": (dim,)}
    centre, quiet, toward = (
        real_array(arrays, _PREFIX + name, shape, where, InterpreterError) for name, shape in shapes.items()
    )
    numbers = {"faces": form.faces, "persons": form.persons}
    return Likeness(centre, quiet, toward, form.most, form.least, numbers)


def measure_likeness(vectors: Floats, identities: Sequence[str], seed: int = 0) -> Likeness | None:
    """What templates look like, and from where on a row does not.

    ``None`` for fewer than 20 faces, for one person, and for faces that are all alike.

    The limits come from training persons alone: each fold of persons is measured by the others, and the distance may
    be as far from theirs as the noise most like a face leaves room for (the geometric mean of the two), but at least
    twice theirs.

    Args:
        vectors: (N, d) float, finite and not zero.
        identities: N persons, "" for a person of its own.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> faces = rng.normal(size=(500, 16)) * np.linspace(0, 1, 16) + 1  # some directions are quiet
        >>> found = measure_likeness(faces, [str(row // 2) for row in range(500)])
        >>> float(found.holds(faces).mean()) > 0.99, bool(found.holds(rng.normal(size=(500, 16))).any())
        (True, False)
    """
    people = list(identities)
    if len(vectors) < LEAST_FACES or count_persons(people) < 2:
        return None
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(vectors))[:MOST_FACES])
    units = _unit(np.asarray(vectors)[chosen])
    people = [people[row] for row in chosen]
    folds = min(FOLDS, count_persons(people))
    if folds < 2 or float(units.var(axis=0).sum()) < _ALIKE:  # faces that are all one have no shape
        return None
    fold_of = identity_folds(people, folds, seed)
    distances, sides = np.zeros(len(units)), np.zeros(len(units))
    for fold in range(folds):
        outside = fold_of == fold
        distances[outside], sides[outside] = _shape(units[~outside]).measures(units[outside])
    whole = _shape(units)
    noise = units.mean(axis=0) + rng.normal(size=(NOISE, units.shape[1])) * units.std(axis=0)
    face = float(np.quantile(distances, _FACE))
    strange = float(np.quantile(whole.measures(_unit(noise))[0], _NOISE))
    return Likeness(
        whole.centre,
        whole.quiet,
        whole.toward,
        float(max(_MARGIN * face, np.sqrt(max(face, _LEAST_DISTANCE) * strange))),
        _least_side(sides),
        {"faces": len(units), "persons": count_persons(people)},
    )


def _least_side(sides: Float64s) -> float:
    """0 is half way to mirrored templates; more where faces keep far from it, less where they come too near it.

    With few faces of many numbers those left out vary more than a quantile of them tells: then half a mean below it.
    """
    low = float(np.quantile(sides, _SIDE)) - 3 * float(sides.std()) / float(np.sqrt(len(sides)))
    return max(0.0, low - 0.5) if float((sides < 0).mean()) <= _SIDE else low - 0.5


def _unit(vectors: Floats) -> Float32s:
    wide = np.asarray(vectors, dtype=np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True), dtype=np.float32)


def _shape(units: Float32s) -> Likeness:
    """Mean, quiet directions and the direction of the mean, of unit templates; no limits yet."""
    centre = units.mean(axis=0, dtype=np.float64)
    off = units - centre
    values, directions = np.linalg.eigh(off.T @ off / len(off))  # ascending
    values, mean = np.maximum(values, 0), max(float(values.mean()), 1e-12)
    r = max(1, min(QUIET, len(centre) // 2))
    quiet: Float64s = directions[:, :r] / np.sqrt(_shrunk(values, mean, SHRUNK)[:r])
    toward: Float64s = directions @ ((directions.T @ centre) / _shrunk(values, mean, SHRUNK_SIDE))
    toward /= max(float(toward @ centre), 1e-12)
    c, q, w = (np.ascontiguousarray(part, dtype=np.float32) for part in (centre, quiet, toward))
    return Likeness(c, q, w, np.inf, -np.inf)


def _shrunk(values: Float64s, mean: float, share: float) -> Float64s:
    """Eigenvalues, each with its share of their mean."""
    return (1 - share) * values + share * mean
