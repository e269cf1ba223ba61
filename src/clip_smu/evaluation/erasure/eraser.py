"""The map that erases: fitted to templates of norm 1, applied, kept as a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from clip_smu.arrays import Float32s, Float64s, Floats, Int8s
from clip_smu.errors import InputError, TemplateError
from clip_smu.evaluation.erasure.leace import covariances, leace, oas, unit
from clip_smu.storage.documents import Dim, Sha256, checked, read_json, write_json
from clip_smu.storage.saved_folders import require_files
from clip_smu.storage.tensors import read_tensors, write_tensors
from clip_smu.templates import usable
from clip_smu.words.attributes import NAMES

ROUNDS = 100  # corrections of the factors for the scaling to norm 1; LFW's templates need 5 to 13
LEFT_OVER = 1e-9  # largest correlation between a scaled template's number and a label that counts as none
FEW = 5  # training faces a number, below which their covariance is shrunk
_CONSTANT = 1e-9  # a spread below this share of the largest is rounding


@dataclass(frozen=True, eq=False)
class Eraser:
    """The map ``t -> unit(u - left (right' u))`` with ``u = unit(t)``.

    It is about the origin, not about the mean (LEACE leaves that constant free): an erased template then has no part
    along ``right``, so that no length, once scaled away, can be told from it.

    Attributes:
        attributes: what it erases.
        encoder: whose templates, "" where unknown.
        left, right: (d, m) float64, ``right' left = I``.
        provenance: the data of the fit, and the largest correlation left over on it.
    """

    attributes: tuple[str, ...]
    encoder: str
    left: Float64s
    right: Float64s
    provenance: dict[str, Any]

    @property
    def dim(self) -> int:
        """d, the length of the templates."""
        return len(self.left)

    def apply(self, vectors: Floats) -> Float32s:
        """(N, d) float32 erased templates of norm 1; zero, NaN and infinite rows stay as they are.

        Raises:
            TemplateError: vectors of another length.
        """
        given = np.asarray(vectors, dtype=np.float32)
        if given.ndim != 2 or given.shape[1] != self.dim:
            raise TemplateError(f"expected (N, {self.dim}) templates of {self.encoder}, found {given.shape}")
        erased = given.copy()
        good = usable(given)
        erased[good] = _erased(unit(given[good]), self.left, self.right)
        return erased

    def save(self, folder: str | Path) -> None:
        """Writes ``eraser.safetensors`` and ``eraser.json``."""
        folder, name = Path(folder), "eraser.safetensors"
        files = {name: write_tensors(folder / name, {"left": self.left, "right": self.right})}
        about = {"format": 1, "attributes": list(self.attributes), "encoder": self.encoder, "dim": self.dim}
        about["files"] = files
        write_json(folder / "eraser.json", {**about, "provenance": self.provenance})


def fit_eraser(vectors: Floats, labels: Int8s, attributes: Sequence[str], *, encoder: str = "") -> Eraser:
    """Fits an eraser: after it, templates scaled to norm 1 have no covariance with the labels on these rows.

    ``right`` is LEACE's on unit templates; with fewer than :data:`FEW` rows a number, of their shrunken covariance
    (:func:`oas`), as the plain one is noise there and the map would move templates far. ``left`` starts as LEACE's;
    each round adds ``(I - E[s s'])^-1 C (cov(right' u / |r|, z))^+``, with s the scaled templates and C the covariance
    that they still have: to first order the change that removes it. The largest correlation left over is in
    ``provenance``.

    Args:
        vectors: (N, d) usable templates, of any norm.
        labels: (N, K) int8; 1, -1, or 0 for unknown.
        attributes: K names.
        encoder: whose templates these are.

    Raises:
        InputError: an attribute has fewer than two labels of a kind, templates do not vary, nothing of them would be
            left, or the labels' covariance cannot be taken out of them.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> templates = rng.normal(size=(500, 8))
        >>> male = np.where(templates[:, :1] > 0, 1, -1).astype(np.int8)
        >>> erased = fit_eraser(templates, male, ["Male"]).apply(templates)
        >>> bool(np.abs(erased[male[:, 0] > 0].mean(axis=0) - erased[male[:, 0] < 0].mean(axis=0)).max() < 1e-6)
        True
    """
    for name, column in zip(attributes, labels.T, strict=True):
        yes, no = int((column > 0).sum()), int((column < 0).sum())
        if min(yes, no) < 2:
            raise InputError(
                f"{name} cannot be erased: expected faces with and without it among the training persons, found "
                f"{yes} yes and {no} no; leave it out or label more"
            )
    units = unit(np.asarray(vectors))
    faces, numbers = units.shape
    if units.std(axis=0).max() <= _CONSTANT:
        raise InputError(
            f"nothing can be erased: all {faces} templates of the training persons are the same; give others"
        )
    shrinkage = oas(units) if faces < FEW * numbers else 0.0
    _, left, right = leace(units, labels, shrinkage)
    room = int(np.linalg.matrix_rank(np.cov(units.T), hermitian=True))
    if left.shape[1] >= room:
        raise InputError(
            f"{len(attributes)} attributes cannot be erased from {numbers} numbers that vary in {room} directions "
            f"among {faces} training faces: nothing would be left; erase fewer, or give more faces"
        )
    left, left_over = _corrected_for_scaling(units, labels, left, right)
    if not np.isfinite(left_over):
        raise InputError(
            f"{', '.join(attributes)} cannot be erased from these {faces} training faces: the map would leave nothing "
            "of one of them; erase fewer attributes, or give more faces"
        )
    figures = {
        "faces": len(units),
        "shrinkage": round(shrinkage, 6),
        "known": {name: int((column != 0).sum()) for name, column in zip(attributes, labels.T, strict=True)},
        "rank": left.shape[1],
        "largest_correlation_left": left_over,
    }
    return Eraser(tuple(attributes), encoder, left, right, figures)


def _corrected_for_scaling(
    units: Float64s, labels: Int8s, left: Float64s, right: Float64s
) -> tuple[Float64s, float]:
    """``left`` such that the moved units, scaled to norm 1 again, have no covariance with the labels.

    Newton's method on ``left``, halving the step where it overshoots.

    Returns:
        left (d, m), and the largest correlation left over; infinity where the map leaves nothing of a template.
    """
    along = units @ right  # (N, m)
    spread = units.std(axis=0)
    deviations = np.array([column[column != 0].std() / 2 for column in labels.astype(np.float64).T])
    best, least, step, change = left, np.inf, 1.0, np.zeros_like(left)
    for _ in range(ROUNDS):
        left = best + step * change
        moved = units - along @ left.T
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            moved /= lengths
        rest = covariances(moved, labels)
        largest = _largest_correlation(rest, moved.std(axis=0), spread, deviations)
        if not largest < least:  # too far: half the way
            step /= 2
            continue
        best, least, step = left, largest, min(1.0, 2 * step)
        if least < LEFT_OVER:
            break
        turned = np.linalg.pinv(covariances(along / lengths, labels), rcond=1e-9)  # (K, m)
        sphere = np.eye(len(left)) - moved.T @ moved / len(moved)  # a change along a template is scaled away
        change = np.linalg.solve(sphere, rest) @ turned
    return best, least


def _largest_correlation(rest: Float64s, after: Float64s, before: Float64s, deviations: Float64s) -> float:
    """Of any number with any label; a number that is constant, before or after, has none.

    Args:
        rest: (d, K) covariances.
        after, before: (d,) standard deviations of the numbers. deviations: (K,) those of the labels.
    """
    if not np.isfinite(rest).all():  # a template of which nothing is left
        return np.inf
    some = after > _CONSTANT * before.max()
    return float(np.abs(rest[some] / (after[some, None] * deviations)).max()) if some.any() else 0.0


def load_eraser(folder: str | Path) -> Eraser:
    """Reads what :meth:`Eraser.save` wrote.

    Raises:
        InputError: a file is missing or damaged.
    """
    folder = Path(folder)
    require_files(folder, ("eraser.json", "eraser.safetensors"), "an eraser", "clip-smu erase")
    where = f"the eraser in {folder}"
    values = read_json(folder / "eraser.json", "an eraser")
    form = checked(values, _Form, f"{where} is damaged")
    arrays = read_tensors(folder / "eraser.safetensors", "eraser", noted=form.files.get("eraser.safetensors"))
    for name in ("left", "right"):
        array = arrays.get(name)
        if (
            array is None
            or array.dtype.kind != "f"
            or array.ndim != 2
            or len(array) != form.dim
            or array.shape != arrays["left"].shape
            or not np.isfinite(array).all()
        ):
            raise InputError(f"{where} is damaged: expected ({form.dim}, m) finite numbers as {name}")
    left, right = (arrays[name].astype(np.float64) for name in ("left", "right"))
    return Eraser(form.attributes, form.encoder, left, right, values["provenance"])


class _Form(msgspec.Struct):
    """eraser.json."""

    attributes: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    encoder: str
    dim: Dim
    provenance: dict[str, Any]
    files: dict[str, Sha256] = {}

    def __post_init__(self) -> None:
        unknown = [name for name in self.attributes if name not in NAMES]
        if unknown:
            raise ValueError(f"expected names of the 47 attributes, got {unknown[0][:40]!r}")


def _erased(units: Float64s, left: Float64s, right: Float64s) -> Float64s:
    return unit(units - (units @ right) @ left.T)
