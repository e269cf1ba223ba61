"""What interpreter.json and probe.json hold, as typed forms: every field with its type and range."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from clip_smu.encoders.kept_check import KeepsCheck
from clip_smu.storage.documents import Count, Dim, Finite, Name, Positive, Sha256, Share
from clip_smu.templates.likeness import LikenessForm
from clip_smu.words.attributes import NAMES

_KNOWN = frozenset(NAMES)


class EvidenceForm(msgspec.Struct):
    """As :class:`clip_smu.interpreter.evidence.Evidence`, with null for NaN."""

    auc: Share | None
    low: Share | None
    high: Share | None
    n_positive: Count
    n_negative: Count
    encoded_error: Share | None = msgspec.field(name="green_error")
    not_encoded_error: Share | None = msgspec.field(name="red_error")
    coverage: Share | None
    label_accuracy: Share | None
    reason: str


class BoundsForm(msgspec.Struct):
    """Calibration of one attribute; a bound of 2 or -1 is one that no probability reaches."""

    slope: Finite
    intercept: Finite
    encoded_at: Annotated[float, msgspec.Meta(ge=0, le=2)] = msgspec.field(name="green")
    not_encoded_at: Annotated[float, msgspec.Meta(ge=-1, le=1)] = msgspec.field(name="red")

    def __post_init__(self) -> None:
        if self.not_encoded_at > self.encoded_at:
            raise ValueError(f"expected red below green, got {self.not_encoded_at} and {self.encoded_at}")


class AttributeForm(BoundsForm, kw_only=True):
    """Calibration and evidence of one attribute."""

    name: str
    evidence: EvidenceForm

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name not in _KNOWN:
            raise ValueError(f"expected the name of one of the 47 attributes, got {self.name[:40]!r}")


class ProvenanceForm(KeepsCheck):
    """Those parts of a provenance that reports, cards and commands use; others may be anything."""

    job: str | None = None
    objective: str = ""
    text_encoder: str = ""
    context: Positive | None = None
    evidence_from: str = ""
    trained_on: dict[str, float | str | None] | None = None
    calibrated_on: dict[str, float | str | None] | None = None
    verdicts: dict[str, float | None] | None = None
    config: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None
    captions: dict[str, Any] | None = None
    sources: dict[str, Any] | None = None
    abroad: dict[str, Any] | None = None
    recalibrated: dict[str, Any] | None = None
    at_home: dict[str, Any] | None = None
    versions: dict[str, str] | None = None
    machine: str = ""


class ReaderForm(msgspec.Struct, kw_only=True):
    """What both kinds of folder hold.

    Attributes:
        files: name → sha256 of the other files, as they were written; those of before this was kept are not listed.
        encoder_card: fields of the encoder's :class:`~clip_smu.encoders.card.EncoderCard`; null where not known.
        likeness: what templates of the encoder look like; null where that was not measured.
        checksum: sha256 of all other fields; documents of before this was kept have none.
    """

    format: int
    name: Name
    encoder: Name
    dim: Dim
    error_rate: Share
    attributes: Annotated[list[AttributeForm], msgspec.Meta(min_length=1, max_length=len(NAMES))]
    provenance: ProvenanceForm
    files: dict[str, Sha256] = {}
    encoder_card: dict[str, Any] | None = None
    likeness: LikenessForm | None = None
    checksum: Sha256 | None = None

    def __post_init__(self) -> None:
        names = [row.name for row in self.attributes]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"expected each attribute once, got {twice[0]} twice")


class InterpreterForm(ReaderForm, kw_only=True):
    """interpreter.json; ``hidden`` units of an adapter, 0: there is none; ``places`` where it is at home, if known."""

    known_words: list[str]
    hidden: Count = 0
    places: list[Any] = []


class ProbeForm(ReaderForm, kw_only=True):
    """probe.json; ``layers`` are the shapes of the weights, each layer's output the next one's input."""

    kind: Name
    layers: Annotated[list[tuple[Dim, Dim]], msgspec.Meta(min_length=1, max_length=16)]

    def __post_init__(self) -> None:
        super().__post_init__()
        widths = [self.dim, *(out for _, out in self.layers)]
        if [shape[0] for shape in self.layers] != widths[:-1] or widths[-1] != len(self.attributes):
            raise ValueError(
                f"expected layers from {self.dim} to {len(self.attributes)} numbers, got {list(self.layers)}"
            )
