"""What a report holds, as types: the published schema's fields, in the order in which its JSON has them.

``data/report.schema.json`` says what each field means and which values it may have; figures that are not there are
``None``. tests/report compares the two.
"""

from __future__ import annotations

import msgspec


class Made(msgspec.Struct, frozen=True):
    clip_smu: str
    on: str
    command: str


class MeasuredEncoder(msgspec.Struct, frozen=True):
    encoder: str
    photos: int
    dim: int | None
    fed: str
    misfed: bool


class Measured(msgspec.Struct, frozen=True):
    encoders: list[MeasuredEncoder]
    photos: int
    persons: int | None
    evidence_from: str
    labels_are: str
    error_rate: float | None
    commands: list[str]
    finished: bool
    smoke: bool


class Lead(msgspec.Struct, frozen=True):
    encoder: str
    method: str
    way: str
    auc: float | None
    low: float | None
    high: float | None
    counted: int
    promised: float | None
    error: float | None
    error_low: float | None
    error_high: float | None
    coverage: float | None


class BestProbe(msgspec.Struct, frozen=True):
    method: str
    auc: float | None
    low: float | None
    high: float | None


class MethodRow(msgspec.Struct, frozen=True):
    encoder: str
    method: str
    way: str
    auc: float | None
    low: float | None
    high: float | None
    counted: int
    promised: float | None
    error: float | None
    error_low: float | None
    error_high: float | None
    coverage: float | None
    calibration_error: float | None
    lead_of_encoder: bool


class Within(msgspec.Struct, frozen=True):
    by: str
    overall: float | None
    within: float | None
    drop: float | None
    low: float | None
    high: float | None
    sentence: str


class Card(msgspec.Struct, frozen=True):
    attribute: str
    auc: float | None
    low: float | None
    high: float | None
    n_positive: int
    n_negative: int
    encoded_error: float | None
    not_encoded_error: float | None
    coverage: float | None
    reason: str
    label: str
    category: str
    sensitive: str | None
    level: str
    label_accuracy: float | None
    best_probe_auc: float | None
    other_encoders: dict[str, float | None]
    conditional: list[Within]
    sentence: str


class ComparisonRow(msgspec.Struct, frozen=True):
    attribute: str
    auc_a: float | None
    auc_b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_adjusted: float | None
    verdict: str


class Comparison(msgspec.Struct, frozen=True):
    name: str
    a: str
    b: str
    encoder_a: str
    method_a: str
    encoder_b: str
    method_b: str
    photos: int
    persons: int
    a_more: int
    b_more: int
    not_tested: int
    attributes: int
    difference: float | None
    low: float | None
    high: float | None
    rows: list[ComparisonRow]


class StratumRow(msgspec.Struct, frozen=True):
    attribute: str
    by: str
    overall: float | None
    within: float | None
    drop: float | None
    low: float | None
    high: float | None
    sentence: str


class Stratum(msgspec.Struct, frozen=True):
    by: str
    unknown: int
    affected: int
    rows: list[StratumRow]


class ReadFromPair(msgspec.Struct, frozen=True):
    reading: str
    label: str
    auc: float | None


class ReadFrom(msgspec.Struct, frozen=True):
    attributes: list[str]
    auc: list[list[float | None]]
    strongest: list[ReadFromPair]


class ControlledRow(msgspec.Struct, frozen=True):
    attribute: str
    whole: float | None
    residual: float | None


class Controls(msgspec.Struct, frozen=True):
    on: list[str]
    rows: list[ControlledRow]


class NormRow(msgspec.Struct, frozen=True):
    attribute: str
    auc: float | None
    low: float | None
    high: float | None


class Norm(msgspec.Struct, frozen=True):
    reason: str
    rows: list[NormRow]


class Control(msgspec.Struct, frozen=True):
    real: float | None
    control: float | None
    attributes: int


class ControlTask(msgspec.Struct, frozen=True):
    unseen: Control | None
    shared: Control | None


class ConfoundsOf(msgspec.Struct, frozen=True):
    encoder: str
    method: str
    within: list[Stratum]
    read_from: ReadFrom
    controls: Controls | None
    norm: Norm
    control_task: ControlTask | None


class Auc(msgspec.Struct, frozen=True):
    auc: float | None
    low: float | None
    high: float | None


class RereadRow(msgspec.Struct, frozen=True):
    reader: str
    fitted_on: str
    attribute: str
    before: Auc
    after: Auc


class VerifiedSide(msgspec.Struct, frozen=True):
    accuracy: float | None
    auc: float | None


class BeforeAndAfter(msgspec.Struct, frozen=True):
    before: VerifiedSide
    after: VerifiedSide


class ErasureOf(msgspec.Struct, frozen=True):
    encoder: str
    erased: list[str]
    sentence: str
    readings: list[RereadRow]
    verification: BeforeAndAfter | None
    no_verification: str


class EncodedAttribute(msgspec.Struct, frozen=True):
    attribute: str
    label: int


class PhotoReading(msgspec.Struct, frozen=True):
    photo: int
    method: str
    encoded: list[EncodedAttribute]


class PrincipleRow(msgspec.Struct, frozen=True):
    principle: str
    asks: str
    given: str
    missing: str


class ProvisionRow(msgspec.Struct, frozen=True):
    act: str
    article: str
    says: str
    here: str


class LawRow(msgspec.Struct, frozen=True):
    note: str
    provisions: list[ProvisionRow]


class Absent(msgspec.Struct, frozen=True):
    what: str
    how: str


class ProvenanceRow(msgspec.Struct, frozen=True):
    of: str
    what: str
    value: str


class Content(msgspec.Struct, frozen=True):
    format: int
    kind: str
    title: str
    made: Made
    hidden: list[str]
    measured: Measured
    lead: Lead
    best_probe: BestProbe | None
    methods: list[MethodRow]
    attributes: list[Card]
    comparisons: list[Comparison]
    confounds: list[ConfoundsOf]
    erasure: list[ErasureOf] | None
    photos: list[PhotoReading]
    label_limits: list[str]
    finding: list[str]
    principles: list[PrincipleRow]
    law: LawRow
    absent: list[Absent]
    provenance: list[ProvenanceRow]
