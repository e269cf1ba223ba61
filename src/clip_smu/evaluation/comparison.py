"""Two methods on the same photos: which attributes does one read better, by how much, and is that more than chance?

With methods of two encoders this says which attributes one encoder's templates give away more than the other's, as
far as these methods can read them. Photos are joined by name; a difference of AUCs is tested attribute by attribute
(DeLong's paired test, photos of one person together), and p is adjusted for the number of attributes (Benjamini and
Hochberg), so that of all differences called one, a share of at most ``1 - level`` is expected to be chance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from clip_smu.evaluation import write_table

A_MORE, B_MORE, NO_DIFFERENCE, NOT_TESTED = (
    "A encodes more",
    "B encodes more",
    "no difference shown",
    "not tested",
)
COMPARISON_SCHEMA = pa.schema(
    [
        ("attribute", pa.string()),
        ("method_a", pa.string()),
        ("encoder_a", pa.string()),
        ("method_b", pa.string()),
        ("encoder_b", pa.string()),
        ("auc_a", pa.float64()),
        ("auc_b", pa.float64()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("p", pa.float64()),
        ("p_adjusted", pa.float64()),
        ("verdict", pa.string()),
        ("n_positive", pa.int64()),
        ("n_negative", pa.int64()),
        ("label_accuracy", pa.float64()),
        ("reason", pa.string()),
    ]
)
"""Columns of the rows; a figure that cannot be given is null, and ``reason`` says why."""


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """Mean AUC of A less that of B.

    Attributes:
        a, b: mean AUCs, 0 to 1.
        difference: ``a - b``; ``low`` and ``high`` end its interval, from resampled persons; None where no
            resample differs.
        attributes: how many it is the mean of: those with at least 10 positives and 10 negatives.
        reason: why the interval is missing or weak, or "".
    """

    a: float
    b: float
    difference: float
    low: float | None
    high: float | None
    attributes: int
    reason: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """What :func:`compare` found.

    Attributes:
        method_a, encoder_a, method_b, encoder_b: names.
        table: one row an attribute that both have, columns of ``COMPARISON_SCHEMA``, in A's order.
        mean: over the attributes; None where no attribute has enough photos.
        photos, persons: that are in both evaluations.
        only_a, only_b: photos of one evaluation alone, which are left out.
        attributes_only_a, attributes_only_b: names, left out.
        level: of the intervals; differences are called at adjusted p below ``1 - level``.
        notes: which of the photos in ``only_a`` have a name that may be of several in B, in a sentence.
    """

    method_a: str
    encoder_a: str
    method_b: str
    encoder_b: str
    table: pa.Table
    mean: MeanDifference | None
    photos: int
    persons: int
    only_a: int
    only_b: int
    attributes_only_a: tuple[str, ...]
    attributes_only_b: tuple[str, ...]
    level: float
    notes: tuple[str, ...] = ()

    def count(self, verdict: str) -> int:
        """Attributes with this verdict."""
        verdicts: list[str] = self.table["verdict"].to_pylist()
        return verdicts.count(verdict)

    @property
    def summary(self) -> str:
        """The outcome in a sentence or two."""
        total = self.table.num_rows
        a_more, b_more, same, untested = map(self.count, (A_MORE, B_MORE, NO_DIFFERENCE, NOT_TESTED))
        bound = f"adjusted p < {1 - self.level:.3g}".replace("0.", ".")
        if self.encoder_a != self.encoder_b:
            start = f"{self.encoder_a}'s templates give away {a_more} of {total} attributes more than "
            start += f"{self.encoder_b}'s ({bound}), {self.encoder_b}'s {b_more}"
        else:
            start = f"{self.method_a} reads {a_more} of {total} attributes better than {self.method_b} ({bound}), "
            start += f"{self.method_b} {b_more}"
        text = f"{start}; {same} show{'s' if same == 1 else ''} no difference"
        text += f"; {untested} could not be tested." if untested else "."
        if self.mean is not None:
            interval = ""
            if self.mean.low is not None and self.mean.high is not None:
                weak = f"; {self.mean.reason}" if self.mean.reason else ""
                interval = f" ({self.level:.0%} interval {self.mean.low:+.4f} to {self.mean.high:+.4f}{weak})"
            text += f" Mean AUC {self.mean.a:.4f} and {self.mean.b:.4f}, "
            text += f"difference {self.mean.difference:+.4f}{interval}."
        return text

    def to_dict(self) -> dict[str, Any]:
        """Everything but the rows, as JSON values."""
        values = {
            key: getattr(self, key)
            for key in (
                "method_a", "encoder_a", "method_b", "encoder_b", "photos", "persons", "only_a", "only_b", "level",
            )
        }  # fmt: skip
        return {
            "summary": self.summary,
            **values,
            "attributes_only_a": list(self.attributes_only_a),
            "attributes_only_b": list(self.attributes_only_b),
            "notes": list(self.notes),
            "mean": None if self.mean is None else asdict(self.mean),
        }

    def save(self, path: str | Path) -> None:
        """Writes the rows as ``.csv`` or ``.parquet``, or everything as ``.json``.

        Raises:
            InputError: another suffix.
            StorageError: the disk is full or not writable.
        """
        write_table(self.table, Path(path), self.to_dict())
