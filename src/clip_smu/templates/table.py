"""Templates in memory, and which of them cannot be read, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Float32s, Indices, Int64s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import TemplateError
from clip_smu.templates.bounds import MOST_NUMBERS

_FIRST_ROWS = 1024  # that tell the length, however many are read at once
_MOST_WITHOUT = 1 << 18  # rows without a template before the first with one


@dataclass(frozen=True, eq=False)
class Templates:
    """Templates in memory, with what is known of each.

    Attributes:
        vectors: (N, d) float32, as the encoder gave them; NaN where a row of the file holds none.
        images: N names of photos (``file:row`` where the file names none).
        faces: (N,) int16, 0 for the main face of a photo.
        identities: N names of persons, empty where unknown.
        norms: (N,) float32 L2 norms of the network's output, NaN where unknown.
        card: the encoder's card, ``None`` where the file has none.
        problems: row → why the file holds no template there; see :meth:`unusable`.
    """

    vectors: Float32s
    images: list[str]
    faces: NDArray[np.int16]
    identities: list[str]
    norms: Float32s
    card: EncoderCard | None
    problems: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, rows: Indices) -> Templates:
        """The same of the given rows, (M,) integer."""
        problems = {}
        if self.problems:
            problems = {
                new: self.problems[old] for new, old in enumerate(rows.tolist()) if old in self.problems
            }
        return Templates(
            self.vectors[rows],
            [self.images[row] for row in rows],
            self.faces[rows],
            [self.identities[row] for row in rows],
            self.norms[rows],
            self.card,
            problems,
        )

    def unusable(self) -> dict[int, str]:
        """Row → why it cannot be read: what the file says of it, or else zero, NaN or infinite; ascending."""
        return {
            row: self.problems.get(row) or why_unusable(self.vectors[row])
            for row in np.flatnonzero(~usable(self.vectors)).tolist()
        }


def usable(vectors: Float32s) -> Bools:
    """(N,) whether a row is finite and not zero."""
    square = np.einsum("nd,nd->n", vectors, vectors)
    return np.asarray(np.isfinite(square) & (square > 0))


def why_unusable(vector: Float32s) -> str:
    """The reason, in a few words, why :func:`usable` refuses a row."""
    if np.isnan(vector).any():
        return "not a number (NaN)"
    return "infinite or too large" if not np.isfinite(vector @ vector) else "zero"


def joined(parts: Sequence[Templates]) -> Templates:
    """One table of several (at least one) of the same length d."""
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    return Templates(
        np.concatenate([part.vectors for part in parts]),
        [image for part in parts for image in part.images],
        np.concatenate([part.faces for part in parts]),
        [identity for part in parts for identity in part.identities],
        np.concatenate([part.norms for part in parts]),
        parts[0].card,
        {
            start + row: why
            for start, part in zip(starts, parts, strict=False)
            for row, why in part.problems.items()
        },
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows as a file holds them, of any length each.

    Attributes:
        values: (sum of lengths,) float32, one row after another.
        lengths: (N,) int64, 0 where a row holds no template.
        problems: row → why its length is 0.
        images, faces, identities, norms: as of :class:`Templates`.
    """

    values: Float32s
    lengths: Int64s
    problems: dict[int, str]
    images: list[str]
    faces: NDArray[np.int16]
    identities: list[str]
    norms: Float32s


def even(batches: Iterable[Rows], where: str | Path, card: EncoderCard | None = None) -> Iterator[Templates]:
    """Rows of one length d: that of most of the first 1,024 rows that hold a template; others become problems.

    Raises:
        TemplateError: no length is that of most rows, no row holds a template, or d is above 65,536.
    """
    dim: int | None = None
    waiting: list[Rows] = []  # until d is known
    seen = np.empty(0, np.int64)
    for batch in batches:
        waiting.append(batch)
        if dim is None:
            seen = np.concatenate([seen, batch.lengths[batch.lengths > 0]])[:_FIRST_ROWS]
            if len(seen) < _FIRST_ROWS:
                if not len(seen) and sum(len(one.lengths) for one in waiting) >= _MOST_WITHOUT:
                    break
                continue
            dim = _common_length(seen, where)
        yield from (_evened(one, dim, card) for one in waiting)
        waiting = []
    if dim is None and len(seen):
        dim = _common_length(seen, where)
        yield from (_evened(one, dim, card) for one in waiting)
    elif without := sum(len(one.lengths) for one in waiting):
        why = next(why for one in waiting for why in one.problems.values())
        raise TemplateError(f"{where}: none of its first {without} rows holds a template (the first: {why})")


def _common_length(lengths: Int64s, where: str | Path) -> int:
    found, counts = np.unique(lengths, return_counts=True)
    most = int(counts.argmax())
    if 2 * counts[most] <= counts.sum():
        some = ", ".join(f"{count} of {size}" for size, count in list(zip(found, counts, strict=True))[:4])
        raise TemplateError(
            f"{where}: expected templates of one length, found {some}: store one encoder's alone"
        )
    if found[most] > MOST_NUMBERS:
        raise TemplateError(
            f"{where}: expected templates of at most {MOST_NUMBERS} numbers, found {found[most]}: "
            "give templates, not photos or feature maps"
        )
    return int(found[most])


def _evened(batch: Rows, dim: int, card: EncoderCard | None) -> Templates:
    problems = dict(batch.problems)
    good = batch.lengths == dim
    if good.all():
        vectors = batch.values.reshape(-1, dim)
    else:
        starts = np.cumsum(batch.lengths) - batch.lengths
        vectors = np.full((len(good), dim), np.nan, dtype=np.float32)
        vectors[good] = batch.values[starts[good][:, None] + np.arange(dim)]
        for row in np.flatnonzero(~good & (batch.lengths > 0)).tolist():
            problems[row] = f"of length {batch.lengths[row]}, not {dim}"
    return Templates(
        vectors,
        batch.images,
        batch.faces,
        batch.identities,
        batch.norms,
        card,
        dict(sorted(problems.items())),
    )
