"""The interpreter: everything needed to read one encoder's templates, as a folder, and the reading itself.

    INTERPRETER/
    ├── interpreter.json        encoder, attributes with prompts, calibration, verdicts and evidence, provenance
    ├── prompts.safetensors     positive (K, d), negative (K, d), centre (d,); what the encoder's templates look like
    ├── text_encoder.onnx       for free-text questions
    ├── tokenizer.json
    └── README.md               the model card

A template t is read as ``x = unit(unit(t) - centre)``, where ``centre`` is the mean of the training faces' unit
templates; attribute k scores ``cos(x, positive_k) - cos(x, negative_k)``. The scale of t does not matter. A paper-like
reading, ``cos(t, positive_k)`` alone, is the same with negative and centre of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs, to_builtins
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Floats, Int8s
from clip_smu.encoders.card import EncoderCard, differences
from clip_smu.errors import EncoderError, InterpreterError, TemplateError
from clip_smu.interpreter.calibration import CANNOT_TELL, ENCODED, NOT_ENCODED, Calibration, apply
from clip_smu.interpreter.records import AttributeForm, EvidenceForm, InterpreterForm, MethodForm
from clip_smu.storage.digests import file_digest
from clip_smu.storage.documents import checked, finite, write_sealed
from clip_smu.storage.saved_folders import read_document, refuse_edited, require_files
from clip_smu.storage.tensors import read_tensors, real_array, write_tensors
from clip_smu.templates.likeness import Likeness, saved_likeness
from clip_smu.templates.table import usable, why_unusable
from clip_smu.words.attributes import by_name
from clip_smu.words.captions import describe, words
from clip_smu.words.hiding import Hide, refuse_question, shown_columns

FORMAT = 1
DEFAULT = "dlib-lfw"
MANIFEST, PROMPTS = "interpreter.json", "prompts.safetensors"
TEXT_FILES = TEXT_ENCODER, TOKENIZER = "text_encoder.onnx", "tokenizer.json"
VERDICTS = {ENCODED: "encoded", NOT_ENCODED: "not encoded", CANNOT_TELL: "cannot tell"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What held-out faces say of one attribute's readings.

    Attributes:
        auc, low, high: ROC AUC with its 95 % interval, 0 to 1; NaN where ``reason`` says why.
        n_positive, n_negative: faces with a known label.
        encoded_error, not_encoded_error: share of wrong verdicts among those asserted; NaN where none was.
        coverage: share of the labelled faces for which a verdict was asserted.
        label_accuracy: how often MAAD-Face's labels agree with humans (its own check).
        reason: why a figure is missing or weak ("too few positives"), or "".
    """

    auc: float
    low: float
    high: float
    n_positive: int
    n_negative: int
    encoded_error: float
    not_encoded_error: float
    coverage: float
    label_accuracy: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, under the names that files have (``green_error``, ``red_error``); NaN becomes ``None``."""
        values: dict[str, Any] = to_builtins(EvidenceForm(**finite(asdict(self))))
        return values


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of one attribute in one template.

    Attributes:
        attribute: MAAD-Face's name.
        label: the same in plain words.
        score: difference of cosines to the positive and to the negative prompt, -2 to 2; where the interpreter has
            no negative prompts, the cosine to the positive one.
        probability: calibrated, 0 to 1.
        verdict: ``encoded``, ``not encoded`` or ``cannot tell``.
        evidence: figures on held-out faces.
    """

    attribute: str
    label: str
    score: float
    probability: float
    verdict: str
    evidence: Evidence

    def to_dict(self, *, evidence: bool = False) -> dict[str, Any]:
        """The reading as JSON values; NaN becomes ``None``."""
        values: dict[str, Any] = {
            "attribute": self.attribute,
            "label": self.label,
            "score": round(self.score, 6),
            "probability": round(self.probability, 6),
            "verdict": self.verdict,
        }
        values = finite(values)
        if evidence:
            values["evidence"] = self.evidence.to_dict()
        return values


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What is read of one template: a sentence, and the readings from *encoded* down to *not encoded*.

    ``reason`` says why nothing was read: the readings are then *cannot tell*, with NaN.
    """

    sentence: str
    readings: tuple[Reading, ...]
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Interpretations(Sequence[Interpretation]):
    """Readings of N templates and K attributes, as arrays; item i is the :class:`Interpretation` of template i.

    Attributes:
        attributes: K names.
        scores, probabilities: (N, K) float32.
        verdicts: (N, K) int8: 1 encoded, -1 not encoded, 0 cannot tell.
        reasons: N texts: why a template was not read, or "".
    """

    attributes: tuple[str, ...]
    scores: Float32s
    probabilities: Float32s
    verdicts: Int8s
    evidence: tuple[Evidence, ...]
    reasons: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        verdicts, probabilities = self.verdicts[row], self.probabilities[row]
        order = np.lexsort((-probabilities, -verdicts))
        readings = tuple(
            Reading(
                self.attributes[k],
                by_name(self.attributes[k]).label,
                float(self.scores[row, k]),
                float(probabilities[k]),
                VERDICTS[int(verdicts[k])],
                self.evidence[k],
            )
            for k in order
        )
        reason = self.reasons[row] if self.reasons else ""
        return Interpretation(f"This {reason}." if reason else _sentence(readings), readings, reason)

    def __iter__(self) -> Iterator[Interpretation]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True, eq=False)
class Answers:
    """How well N templates fit a free-text question.

    Attributes:
        scores: (N,) float32, difference of cosines to the question and to the opposite of the prompt that it is nearest
            to, -2 to 2; where the interpreter has no negative prompts, the cosine to the question. NaN for a row that
            does not look like a template of the encoder.
        unseen: words of the question that the text encoder was not trained on: with them the order may mean little.
    """

    scores: Float32s
    unseen: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Interpreter:
    """Everything needed to read one encoder's templates; made by ``fit``, loaded by :func:`load_interpreter`.

    Attributes:
        name: what the user types.
        encoder: name of the encoder whose templates it reads; ``dim`` their length.
        attributes: K names, in MAAD-Face's order.
        positive, negative: (K, d) float32 text embeddings of the prompts, rows of norm 1; negative is zeros where
            attributes are read by their positive prompts alone.
        centre: (d,) float32, mean of the training faces' unit templates; zeros where they are read uncentred.
        calibration, evidence: of each attribute.
        error_rate: the share of wrong verdicts that the thresholds were chosen for.
        known_words: words that the text encoder was trained on.
        provenance: how it was made: data, seed, versions, hashes, figures.
        folder: where its files lie.
        files: name → sha256 of the files in the folder, as they were written; empty where not known.
        card: the whole card of the encoder; ``None`` where the templates of the fit had none.
        likeness: what templates of the encoder look like; ``None`` where that was not measured: then every row is read.
    """

    name: str
    encoder: str
    attributes: tuple[str, ...]
    positive: Float32s
    negative: Float32s
    centre: Float32s
    calibration: Calibration
    evidence: tuple[Evidence, ...]
    error_rate: float
    known_words: frozenset[str]
    provenance: dict[str, Any]
    folder: Path | None = None
    files: dict[str, str] = field(default_factory=dict)
    card: EncoderCard | None = None
    likeness: Likeness | None = None

    @property
    def dim(self) -> int:
        """d, the length of the templates it reads."""
        return int(self.positive.shape[1])

    def interpret(self, templates: Floats, *, hide: Hide = ()) -> Interpretations:
        """Reads templates.

        A row that does not look like a template of the encoder is *cannot tell* throughout, with its reason.

        Args:
            templates: (N, d) or (d,) float, as the encoder gave them, normalised or not.
            hide: attributes, groups or categories to leave out of readings and sentences, by name: "race,Male".

        Raises:
            TemplateError: wrong length, or a template that is zero, NaN or infinite (the message says which).
            InputError: ``hide`` names nothing, or everything.

        Example:
            >>> import numpy as np
            >>> interpreter = load_interpreter()
            >>> reading = interpreter.interpret(np.stack([interpreter.centre, np.ones(128)]))
            >>> reading.probabilities.shape
            (2, 47)
            >>> reading[0].readings[0].verdict in ("encoded", "not encoded", "cannot tell")
            True
            >>> reading[1].reason
            'does not look like a template of dlib'
        """
        vectors = self._checked(templates)
        scores, probabilities, verdicts = self.read(vectors)
        keep = shown_columns(self.attributes, hide)
        return Interpretations(
            tuple(self.attributes[k] for k in keep),
            scores[:, keep],
            probabilities[:, keep],
            verdicts[:, keep],
            tuple(self.evidence[k] for k in keep),
            tuple(stranger(self.encoder) if odd else "" for odd in _nothing_read(scores)),
        )

    def read(self, vectors: Float32s) -> tuple[Float32s, Float32s, Int8s]:
        """Scores, probabilities (N, K) float32 and verdicts (N, K) int8 of (N, d) float32 rows.

        A row that is zero, NaN or infinite, or does not look like a template of the encoder, ends as NaN and *cannot
        tell*.
        """
        scores = self._cosines(vectors, self._directions)
        return blanked(self.likeness, vectors, scores, *apply(self.calibration, scores))

    def ask(self, question: str, templates: Floats, *, hide: Hide = ()) -> Answers:
        """Scores templates by a free-text question such as ``"wears spectacles"``.

        Training compares the two prompts of an attribute, so it is their difference that tells; what a sentence shares
        with its opposite ("without glasses") is left to chance. A question is therefore held against the opposite of
        the prompt, of either side, that it is nearest to.

        Args:
            question: a phrase or sentence; the text encoder gives it a vector.
            templates: (N, d) float.
            hide: attributes, groups or categories, by name, that may not be asked about.

        Raises:
            InputError: the question is empty or too long, or about something hidden.
            TemplateError: as for :meth:`interpret`.

        Example:
            >>> import numpy as np
            >>> answers = load_interpreter().ask("wears spectacles", np.eye(3, 128))
            >>> answers.scores.shape, answers.unseen
            ((3,), ())
        """
        refuse_question(question, hide)
        vectors = self._checked(templates)
        asked = self.text_encoder.encode([question])[0]
        direction = (asked - self._opposite(asked))[:, None]
        scores = self._cosines(vectors, direction)[:, 0]
        if self.likeness is not None:
            scores[~self.likeness.holds(vectors)] = np.nan
        return Answers(scores, self.unseen_words(question))

    def _opposite(self, asked: Float32s) -> Float32s:
        """(d,) the opposite of the prompt nearest to a question's (d,) vector; zeros without negative prompts."""
        sides = np.stack([self.positive, self.negative])
        side, k = np.unravel_index(np.argmax(sides @ asked), sides.shape[:2])
        opposite: Float32s = sides[1 - side, k] if self.negative.any() else np.zeros_like(asked)
        return opposite

    def unseen_words(self, question: str) -> tuple[str, ...]:
        """Words of a question that the text encoder was not trained on, each once."""
        return tuple(dict.fromkeys(word for word in words(question) if word not in self.known_words))

    def save(self, folder: str | Path) -> None:
        """Writes ``prompts.safetensors``, then ``interpreter.json`` with the checksums of the files beside it.

        The text encoder is written before, by ``fit``.
        """
        folder = Path(folder)
        arrays = {"positive": self.positive, "negative": self.negative, "centre": self.centre}
        arrays |= self.likeness.arrays() if self.likeness else {}
        files = {PROMPTS: write_tensors(folder / PROMPTS, arrays)}
        files |= {name: file_digest(folder / name) for name in TEXT_FILES if (folder / name).is_file()}
        write_sealed(
            folder / MANIFEST,
            {
                "format": FORMAT,
                "name": self.name,
                "encoder": self.encoder,
                "encoder_card": self.card.to_dict() if self.card else None,
                "dim": self.dim,
                "error_rate": self.error_rate,
                "files": files,
                "likeness": self.likeness.to_dict() if self.likeness else None,
                "attributes": attribute_rows(self.attributes, self.calibration, self.evidence),
                "known_words": sorted(self.known_words),
                "provenance": finite(self.provenance),
            },
        )

    def check_templates(self, card: EncoderCard | None, dim: int | None) -> None:
        """Refuses templates of another encoder, of one fed otherwise, or of another length.

        Those without a card pass if their length fits.

        Raises:
            EncoderError: they come from another encoder; the message says in what its card differs.
            TemplateError: they have another length than ``self.dim``.
        """
        check_source("interpreter", self.name, self.encoder, self.card, self.dim, card, dim)

    @cached_property
    def _directions(self) -> Float32s:
        return np.ascontiguousarray((self.positive - self.negative).T)

    @cached_property
    def text_encoder(self) -> Any:
        """Sentences → (M, d) unit vectors, a :class:`clip_smu.text.encoder.TextEncoder`; loaded at first use."""
        from clip_smu.text.encoder import TextEncoder

        if self.folder is None:
            raise InterpreterError(
                "this interpreter was not loaded from a folder, so it has no text encoder to ask"
            )
        model, tokenizer = (self.folder / name for name in TEXT_FILES)
        return TextEncoder(model, tokenizer, self.provenance.get("context"), noted=self.files)

    def _cosines(self, vectors: Float32s, directions: Float32s) -> Float32s:
        """(N, M) cosines of centred unit templates with (d, M) directions, by one matrix product."""
        table = np.column_stack([directions, self.centre]).astype(np.float32)
        products = vectors @ table  # (N, M + 1)
        norm = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
        with np.errstate(invalid="ignore", divide="ignore"):  # unusable rows end as NaN
            along = products[:, -1] / norm
            products /= norm[:, None]
        centre = self.centre.astype(np.float32)
        length = np.sqrt(np.maximum(1 - 2 * along + centre @ centre, 1e-12))
        scores = products[:, :-1] - centre @ directions
        scores /= length[:, None]
        return np.asarray(scores, dtype=np.float32)

    def _checked(self, templates: Floats) -> Float32s:
        vectors = np.atleast_2d(np.asarray(templates, dtype=np.float32))
        if vectors.ndim != 2:
            raise TemplateError(
                f"expected templates as an (N, {self.dim}) array, found shape {np.shape(templates)}"
            )
        self.check_templates(None, vectors.shape[1])
        bad = np.flatnonzero(~usable(vectors))
        if len(bad):
            raise TemplateError(
                f"template {bad[0]} is {why_unusable(vectors[bad[0]])} ({len(bad)} of {len(vectors)} templates): "
                "leave such rows out"
            )
        return np.ascontiguousarray(vectors)


def _nothing_read(scores: Float32s) -> list[bool]:
    return [bool(np.isnan(row).all()) for row in scores]


def stranger(encoder: str) -> str:
    """The reason of a row that does not look like a template of the encoder; one text, so that they can be counted."""
    return f"does not look like a template of {encoder}"


def blanked(
    likeness: Likeness | None,
    vectors: Float32s,
    scores: Float32s,
    probabilities: Float32s,
    verdicts: Int8s,
) -> tuple[Float32s, Float32s, Int8s]:
    """Readings in which rows that do not look like a template are NaN and *cannot tell*."""
    if likeness is not None:
        odd = ~likeness.holds(vectors)
        if odd.any():
            scores[odd], probabilities[odd], verdicts[odd] = np.nan, np.nan, CANNOT_TELL
    return scores, probabilities, verdicts


def check_source(
    kind: str,
    name: str,
    encoder: str,
    own_card: EncoderCard | None,
    own_dim: int,
    card: EncoderCard | None,
    dim: int | None,
) -> None:
    """Refuses templates that the interpreter or probe (``kind``) called ``name`` was not made for.

    Raises:
        EncoderError: ``card`` is of another encoder than ``encoder``, or of one that is fed otherwise than ``own_card``
            says.
        TemplateError: ``dim`` is another length than ``own_dim``.
    """
    if card is not None:
        article = "an" if kind == "interpreter" else "a"
        differing = differences(own_card, card) if own_card is not None else []
        if differing or (own_card is None and card.name != encoder):
            told = f" ({'; '.join(differing)})" if differing else ""
            raise EncoderError(
                f"the {kind} {name} reads templates of {encoder}, these are of "
                f"{card.name if card.name != encoder else f'another {encoder}'}{told}: "
                f"use {article} {kind} that was fitted to templates like these"
            )
    if dim is not None and dim != own_dim:
        raise TemplateError(
            f"the {kind} {name} reads templates of length {own_dim} ({encoder}), found length {dim}"
        )


def attribute_rows(
    attributes: Sequence[str], calibration: Calibration, evidence: Sequence[Evidence]
) -> list[dict[str, Any]]:
    """Calibration and evidence as JSON values, one row an attribute; the form of both kinds of folder."""
    return [
        {
            "name": name,
            "slope": float(calibration.slope[k]),
            "intercept": float(calibration.intercept[k]),
            "green": float(calibration.encoded_at[k]),
            "red": float(calibration.not_encoded_at[k]),
            "evidence": evidence[k].to_dict(),
        }
        for k, name in enumerate(attributes)
    ]


def read_attribute_rows(
    rows: Sequence[AttributeForm],
) -> tuple[tuple[str, ...], Calibration, tuple[Evidence, ...]]:
    """Names, calibration and evidence from what :func:`attribute_rows` gave."""
    columns = {
        key: np.array([getattr(row, key) for row in rows], np.float64)
        for key in ("slope", "intercept", "encoded_at", "not_encoded_at")
    }
    return (
        tuple(row.name for row in rows),
        Calibration(**columns),
        tuple(_evidence(structs.asdict(row.evidence)) for row in rows),
    )


def load_interpreter(name: str | Path = DEFAULT) -> Interpreter:
    """Loads an interpreter: one that ships with the package (``dlib-lfw``) or a folder.

    Raises:
        InterpreterError: no such interpreter, or its folder is incomplete.

    Example:
        >>> load_interpreter("dlib-lfw").encoder
        'dlib'
    """
    folder = Path(name)
    if not folder.is_dir():
        folder = Path(str(files("clip_smu"))) / "data" / str(name)
        if "/" in str(name) or not folder.is_dir():
            raise InterpreterError(
                f"no interpreter at {name}: give a folder made by clip-smu fit, or the shipped {DEFAULT}"
            )
    return _read(folder)


def _read(folder: Path) -> Interpreter:
    require_files(folder, (MANIFEST, PROMPTS), "an interpreter", "clip-smu fit", InterpreterError)
    where = f"the interpreter in {folder} is damaged"
    values = read_document(folder / MANIFEST, "an interpreter", FORMAT, InterpreterError)
    form = checked(values, InterpreterForm, where, InterpreterError)
    refuse_edited(values, folder / MANIFEST, "clip-smu fit", InterpreterError)
    names, calibration, evidence = read_attribute_rows(form.attributes)
    arrays = read_tensors(folder / PROMPTS, "interpreter", InterpreterError, noted=form.files.get(PROMPTS))
    prompts, vector = (len(names), form.dim), (form.dim,)
    positive, negative, centre = (
        real_array(arrays, name, shape, f"the interpreter in {folder}", InterpreterError)
        for name, shape in (("positive", prompts), ("negative", prompts), ("centre", vector))
    )
    return Interpreter(
        form.name,
        form.encoder,
        names,
        positive,
        negative,
        centre,
        calibration,
        evidence,
        form.error_rate,
        frozenset(form.known_words),
        values["provenance"],
        folder,
        form.files,
        read_own_card(form, f"the interpreter in {folder}"),
        read_likeness(form, arrays, f"the interpreter in {folder}"),
    )


def read_likeness(form: MethodForm, arrays: Mapping[str, NDArray[Any]], where: str) -> Likeness | None:
    """What templates of the encoder look like, as a folder keeps it; ``None``: it does not.

    Raises:
        InterpreterError: an array is missing or of another shape.
    """
    return None if form.likeness is None else saved_likeness(arrays, form.likeness, form.dim, where)


def read_own_card(form: MethodForm, where: str) -> EncoderCard | None:
    """The card of the encoder that a folder's method reads; ``None``: it was fitted to templates without one.

    Raises:
        InterpreterError: it is damaged, or not of the encoder that the folder names.
    """
    if form.encoder_card is None:
        return None
    try:
        card = EncoderCard.from_dict(form.encoder_card)
    except EncoderError as error:
        raise InterpreterError(f"{where} is damaged: {error}") from None
    if (card.name, card.dim) != (form.encoder, form.dim):
        raise InterpreterError(
            f"{where} is damaged: it reads templates of {form.encoder} of length {form.dim}, its encoder's card is of "
            f"{card.name} with {card.dim}"
        )
    return card


def _sentence(readings: Sequence[Reading]) -> str:
    """What is encoded as prose; of an exclusive group the likeliest only, and Male not encoded as a woman."""
    encoded = [reading for reading in readings if reading.verdict == VERDICTS[ENCODED]]
    best: dict[str, str] = {}
    for reading in sorted(encoded, key=lambda one: -one.probability):
        group = by_name(reading.attribute).group
        if group is not None:
            best.setdefault(group, reading.attribute)
    kept = [
        r.attribute for r in encoded if best.get(by_name(r.attribute).group or "", r.attribute) == r.attribute
    ]
    woman = any(r.attribute == "Male" and r.verdict == VERDICTS[NOT_ENCODED] for r in readings)
    if woman:  # true, but nobody says it
        kept = [name for name in kept if name != "No_Beard"]
    return describe(kept, ["Male"] if woman else [])


def _evidence(values: dict[str, Any]) -> Evidence:
    filled: dict[str, Any] = {k: float("nan") if v is None else v for k, v in values.items()}
    return Evidence(**filled)
