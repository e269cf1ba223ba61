"""What reads templates: the base of the interpreter (language) and the probe (classifiers)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from clip_smu.arrays import Bools, Float32s, Int8s
from clip_smu.encoders.card import EncoderCard, differences
from clip_smu.errors import EncoderError, TemplateError
from clip_smu.interpreter.calibration import CANNOT_TELL, Calibration, apply, decide
from clip_smu.interpreter.coherence import coherent, settle
from clip_smu.interpreter.drift import Drift
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.places import Places
from clip_smu.templates.likeness import Likeness
from clip_smu.templates.table import usable

Reader = TypeVar("Reader", bound="TemplateReader")


@dataclass(frozen=True, eq=False, kw_only=True)
class TemplateReader(ABC):
    """Reads K attributes in one encoder's templates: scores, calibrated probabilities, verdicts, and their evidence.

    Attributes:
        name: what the user calls it.
        encoder: name of the encoder whose templates it reads; ``dim`` their length.
        attributes: K names, in MAAD-Face's order.
        calibration, evidence: of each attribute.
        error_rate: the share of wrong verdicts that the thresholds were chosen for.
        provenance: how it was made: data, seed, versions, hashes, figures.
        folder: where its files lie.
        files: name → sha256 of the files in the folder, as they were written; empty where not known.
        card: the whole card of the encoder; ``None`` where the templates of the fit had none.
        likeness: what templates of the encoder look like; ``None`` where that was not measured: then every row is read.
        places: where it is at home; ``None``: it was calibrated without names of data sets, and ``calibration`` is all.
            Else ``calibration`` is that of faces from anywhere (*away*), and readings never contradict themselves.
        at: the home whose calibration ``calibration`` is, by :meth:`for_batch`; empty: away; ``None``: not asked yet.
    """

    what: ClassVar[str]  # "an interpreter"

    name: str
    encoder: str
    attributes: tuple[str, ...]
    calibration: Calibration
    evidence: tuple[Evidence, ...]
    error_rate: float
    provenance: dict[str, Any]
    folder: Path | None = None
    files: dict[str, str] = field(default_factory=dict)
    card: EncoderCard | None = None
    likeness: Likeness | None = None
    places: Places | None = None
    at: str | None = None

    @property
    @abstractmethod
    def dim(self) -> int:
        """d, the length of the templates it reads."""

    @property
    @abstractmethod
    def method_kind(self) -> str:
        """How it reads: ``interpreter`` or ``zero-shot``, or the kind of a probe."""

    @property
    @abstractmethod
    def made_by(self) -> str:
        """The command that makes such a reader, and in brackets the objective or kind."""

    @abstractmethod
    def score(self, vectors: Float32s) -> Float32s:
        """(N, K) float32 scores of (N, d) float32 rows, which the calibration turns into probabilities.

        A row that is zero, NaN or infinite ends as NaN.
        """

    def read(self, vectors: Float32s) -> tuple[Float32s, Float32s, Int8s]:
        """Scores, probabilities (N, K) float32 and verdicts (N, K) int8 of (N, d) float32 rows.

        A row that is zero, NaN or infinite, or does not look like a template of the encoder, ends as NaN and *cannot
        tell*.
        """
        scores = self.score(vectors)
        with np.errstate(invalid="ignore", over="ignore"):
            if self.places is None:
                probabilities, verdicts = apply(self.calibration, scores)
            else:
                probabilities = coherent(self.calibration, scores, self.attributes)
                verdicts = settle(decide(self.calibration, probabilities), probabilities, self.attributes)
        if self.likeness is not None:
            odd = ~self.likeness.holds(vectors)
            if odd.any():
                scores[odd], probabilities[odd], verdicts[odd] = np.nan, np.nan, CANNOT_TELL
        return scores, probabilities, verdicts

    @property
    def silent(self) -> Bools:
        """(K,) attributes of which nothing is known where it reads, so that they have no probability.

        None where it has no homes: it may not be calibrated at all, and then ranks by score.
        """
        unknown = self.calibration.slope <= 0
        return unknown if self.places is not None else np.zeros_like(unknown)

    def for_batch(self: Reader, vectors: Float32s) -> tuple[Reader, Drift | None]:
        """This reader with the calibration of the home that a batch of templates looks like, and what was found.

        A batch of fewer than 50 faces, or that looks like no home, is read *away*. A reader that was asked stays as it
        is, so that all parts of a store are read alike; ``None`` then, and where it has no homes.
        """
        if self.places is None or self.at is not None or not len(vectors):
            return self, None
        good = usable(vectors)
        if self.likeness is not None:
            good[good] = self.likeness.holds(vectors[good])
        batch = np.ascontiguousarray(vectors[good], dtype=np.float32)
        found, drift = self.places.find(batch, self.attributes)
        if found is None or drift.home is None:
            return replace(self, at=""), drift
        return replace(self, calibration=found, at=drift.home), drift

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Writes what :func:`~clip_smu.interpreter.load.load_reader` reads."""

    def check_templates(self, card: EncoderCard | None, dim: int | None) -> None:
        """Refuses templates of another encoder, of one fed otherwise, or of another length.

        Those without a card pass if their length fits.

        Raises:
            EncoderError: they come from another encoder; the message says in what its card differs.
            TemplateError: they have another length than ``self.dim``.
        """
        kind = self.what.split()[-1]
        if card is not None:
            differing = differences(self.card, card) if self.card is not None else []
            if differing or (self.card is None and card.name != self.encoder):
                told = f" ({'; '.join(differing)})" if differing else ""
                raise EncoderError(
                    f"the {kind} {self.name} reads templates of {self.encoder}, these are of "
                    f"{card.name if card.name != self.encoder else f'another {self.encoder}'}{told}: "
                    f"use {self.what} that was fitted to templates like these"
                )
        if dim is not None and dim != self.dim:
            raise TemplateError(
                f"the {kind} {self.name} reads templates of length {self.dim} ({self.encoder}), found length {dim}"
            )


def stranger(encoder: str) -> str:
    """The reason of a row that does not look like a template of the encoder; one text, so that they can be counted."""
    return f"does not look like a template of {encoder}"
