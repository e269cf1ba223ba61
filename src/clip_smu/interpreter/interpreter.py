"""The interpreter: everything needed to read one encoder's templates, as a folder, and the reading itself.

    INTERPRETER/
    ├── interpreter.json        encoder, attributes with prompts, calibration, verdicts and evidence, provenance
    ├── prompts.safetensors     positive (K, d), negative (K, d), centre (d,); what the encoder's templates look like
    ├── text_encoder.onnx       for free-text questions
    ├── tokenizer.json
    ├── meanings.safetensors    of a pretrained text encoder: what its sentence embeddings mean
    └── README.md               the model card

A template t is read as ``x = unit(unit(t) - centre)``, where ``centre`` is the mean of the training faces' unit
templates; attribute k scores ``cos(x, positive_k) - cos(x, negative_k)``. The scale of t does not matter. A paper-like
reading, ``cos(t, positive_k)`` alone, is the same with negative and centre of zeros.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clip_smu.arrays import Float32s, Floats
from clip_smu.errors import InterpreterError, RenamedWarning, TemplateError
from clip_smu.interpreter.adapter import Adapter
from clip_smu.interpreter.folder import FolderKind, read_folder, write_folder
from clip_smu.interpreter.places import PlaceForm, place_arrays, place_rows, saved_places
from clip_smu.interpreter.reader import TemplateReader, stranger
from clip_smu.interpreter.readings import Interpretations
from clip_smu.interpreter.records import InterpreterForm
from clip_smu.storage.documents import checked
from clip_smu.templates.table import usable, why_unusable
from clip_smu.words.english import words
from clip_smu.words.hiding import Hide, shown_columns

if TYPE_CHECKING:
    from clip_smu.interpreter.questions import Answer, PhraseReader

DEFAULT = "dlib-faces"
RENAMED = {"dlib-lfw": DEFAULT}
"""Names of interpreters that shipped before → the one that took their place."""
_AT_ONCE = 2048  # rows that are adapted together, so that they stay in the processor's cache
TEXT_FILES = TEXT_ENCODER, TOKENIZER, MEANINGS = "text_encoder.onnx", "tokenizer.json", "meanings.safetensors"
INTERPRETER_FOLDER = FolderKind(
    "an interpreter", "interpreter.json", "prompts.safetensors", InterpreterForm, "clip-smu fit"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Interpreter(TemplateReader):
    """Everything needed to read one encoder's templates; made by ``fit``, loaded by :func:`load_interpreter`.

    Attributes: those of :class:`~clip_smu.interpreter.reader.TemplateReader`, and

        positive, negative: (K, d) float32 text embeddings of the prompts, rows of norm 1; negative is zeros where
            attributes are read by their positive prompts alone.
        centre: (d,) float32, mean of the training faces' unit templates; zeros where they are read uncentred. Adapters
            do not use it.
        known_words: words that the text encoder was trained on.
        adapter: from templates to the space of the text encoder's sentences, of ``width`` numbers; ``None``: templates
            lie there themselves.
        dependence: (K, K) float32, how attributes go together given their probabilities; ``None``: as ships.
    """

    what = INTERPRETER_FOLDER.what

    positive: Float32s
    negative: Float32s
    centre: Float32s
    known_words: frozenset[str]
    adapter: Adapter | None = None
    dependence: Float32s | None = None

    @property
    def dim(self) -> int:
        """d, the length of the templates it reads."""
        return int(self.positive.shape[1] if self.adapter is None else self.adapter.weight.shape[0])

    @property
    def method_kind(self) -> str:
        """``zero-shot`` where the text encoder was not trained on templates, else ``interpreter``."""
        return "zero-shot" if self.provenance.get("objective") == "zero-shot" else "interpreter"

    @property
    def made_by(self) -> str:
        """``clip-smu fit`` with its objective."""
        return f"{INTERPRETER_FOLDER.command} ({self.provenance.get('objective', 'attribute')})"

    def interpret(self, templates: Floats, *, hide: Hide = ()) -> Interpretations:
        """Reads templates.

        A row that does not look like a template of the encoder is *cannot tell* throughout, with its reason. An
        attribute of which nothing is known where it reads (no labels of it) is not among the readings.

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
        reader, drift = self.for_batch(vectors)
        scores, probabilities, verdicts = reader.read(vectors)
        keep = [k for k in shown_columns(self.attributes, hide) if not reader.silent[k]]
        return Interpretations(
            tuple(self.attributes[k] for k in keep),
            scores[:, keep],
            probabilities[:, keep],
            verdicts[:, keep],
            tuple(self.evidence[k] for k in keep),
            tuple(stranger(self.encoder) if odd else "" for odd in _nothing_read(scores)),
            drift=drift,
        )

    def score(self, vectors: Float32s) -> Float32s:
        """(N, K) float32 differences of cosines, -2 to 2; a row that is zero, NaN or infinite ends as NaN."""
        return self._cosines(vectors, self._directions)

    def _score_columns(self, vectors: Float32s, columns: list[int]) -> Float32s:
        """As :meth:`score`, of some attributes: (N, M)."""
        return self._cosines(vectors, np.ascontiguousarray(self._directions[:, columns]))

    def ask(self, question: str, templates: Floats, *, hide: Hide = (), intervals: bool = True) -> Answer:
        """Answers a free-text question such as ``"an old man with glasses and no tie"``.

        It is understood by words alone, and answered by calibrated probabilities with intervals, or refused with its
        reason: see :mod:`clip_smu.words.question` and :mod:`clip_smu.interpreter.answering`. A question with a phrase
        that no table holds is read by the text encoder alone: held against the opposite of the prompt, of either
        side, that it is nearest to (:func:`~clip_smu.interpreter.questions.opposite`).

        Args:
            question: a phrase, sentence or question.
            templates: (N, d) float.
            hide: attributes, groups or categories, by name, that may not be asked about.
            intervals: whether each probability has its interval, which takes as long again.

        Raises:
            InputError: the question is empty or too long, or about something hidden.
            TemplateError: as for :meth:`interpret`.

        Example:
            >>> import numpy as np
            >>> answer = load_interpreter().ask("wears spectacles", np.eye(3, 128))
            >>> answer.probabilities.shape, answer.understood.understood
            ((3,), 'spectacles: Eyeglasses yes')
            >>> load_interpreter().ask("guilty", np.eye(3, 128)).refused.split(":")[0]
            "'guilty' is not answered (not-on-a-face)"
        """
        from clip_smu.interpreter.questions import (
            answered,
            opposite,
            planned,
            unanswered,
        )  # 11 MB, for those who ask

        vectors = self._checked(templates)
        here = self.for_batch(vectors)[0]
        plan = planned(here, question, hide, self.read_phrase)
        if plan.refused:
            return unanswered(plan, len(vectors))
        if not plan.direction:
            return answered(here, plan, vectors, self._score_columns, self.dependence, intervals=intervals)
        asked = self.text_encoder.encode([question])[0]
        direction = (asked - opposite(asked, self.positive, self.negative))[:, None]
        scores = self._cosines(vectors, direction)[:, 0]
        if self.likeness is not None:
            scores[~self.likeness.holds(vectors)] = np.nan
        return replace(unanswered(plan, len(vectors)), scores=scores, unseen=self.unseen_words(question))

    def unseen_words(self, question: str) -> tuple[str, ...]:
        """Words of a question that the text encoder was not trained on, each once."""
        return tuple(dict.fromkeys(word for word in words(question) if word not in self.known_words))

    def save(self, folder: str | Path) -> None:
        """Writes ``prompts.safetensors``, then ``interpreter.json`` with the checksums of the files beside it.

        The text encoder is written before, by ``fit``.
        """
        arrays = {"positive": self.positive, "negative": self.negative, "centre": self.centre}
        own: dict[str, Any] = {"known_words": sorted(self.known_words)}
        if self.adapter is not None:
            arrays |= {"adapter.weight": self.adapter.weight, "adapter.bias": self.adapter.bias}
            own["hidden"] = len(self.adapter.bias)
        if self.dependence is not None:
            arrays["dependence"] = self.dependence
        if self.places is not None:
            arrays |= place_arrays(self.places)
            own["places"] = place_rows(self.places)
        write_folder(
            Path(folder),
            INTERPRETER_FOLDER,
            self,
            arrays,
            own,
            TEXT_FILES,
        )

    @cached_property
    def _directions(self) -> Float32s:
        return np.ascontiguousarray((self.positive - self.negative).T)

    @cached_property
    def read_phrase(self) -> PhraseReader | None:
        """Reads phrases that the lexicon lacks by a pretrained text encoder, loaded at the first one; ``None``: such
        questions go to the text encoder as a whole.
        """
        from clip_smu.text.meaning import read_meanings

        if self.folder is None or not (self.folder / MEANINGS).is_file():
            return None
        noted = self.files.get(MEANINGS) if self.files else None
        return read_meanings(
            self.folder / MEANINGS, lambda texts: self.text_encoder.meanings(texts), noted=noted
        )

    @cached_property
    def text_encoder(self) -> Any:
        """Sentences → (M, d) unit vectors, a :class:`clip_smu.text.encoder.TextEncoder`; loaded at first use."""
        from clip_smu.text.encoder import TextEncoder

        if self.folder is None:
            raise InterpreterError(
                "this interpreter was not loaded from a folder, so it has no text encoder to ask"
            )
        model, tokenizer = self.folder / TEXT_ENCODER, self.folder / TOKENIZER
        return TextEncoder(model, tokenizer, self.provenance.get("context"), noted=self.files)

    def _cosines(self, vectors: Float32s, directions: Float32s) -> Float32s:
        """(N, M) cosines of centred unit templates with (d, M) directions, by one matrix product."""
        if self.adapter is not None:
            scores = np.empty((len(vectors), directions.shape[1]), dtype=np.float32)
            for start in range(0, len(vectors), _AT_ONCE):
                rows = slice(start, start + _AT_ONCE)
                np.matmul(self.adapter(vectors[rows]), directions, out=scores[rows])
            return scores
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


def load_interpreter(name: str | Path = DEFAULT) -> Interpreter:
    """Loads an interpreter: the one that ships with the package (``dlib-faces``) or a folder.

    Raises:
        InterpreterError: no such interpreter, or its folder is incomplete.

    Example:
        >>> load_interpreter("dlib-faces").encoder
        'dlib'
    """
    folder = Path(name)
    if not folder.is_dir():
        folder = Path(str(files("clip_smu"))) / "data" / _name_now(str(name))
        if "/" in str(name) or not folder.is_dir():
            raise InterpreterError(
                f"no interpreter at {name}: give a folder made by clip-smu fit, or the shipped {DEFAULT}"
            )
    opened = read_folder(folder, INTERPRETER_FOLDER)
    prompts, dim, hidden = len(opened.form.attributes), opened.form.dim, opened.form.hidden
    width = hidden or dim
    adapter = None
    if hidden:
        adapter = Adapter(
            opened.array("adapter.weight", (dim, hidden)), opened.array("adapter.bias", (hidden,))
        )
    forms = checked(opened.form.places, list[PlaceForm], f"{opened.where} is damaged", InterpreterError)
    return Interpreter(
        **opened.shared,
        positive=opened.array("positive", (prompts, width)),
        negative=opened.array("negative", (prompts, width)),
        centre=opened.array("centre", (dim,)),
        known_words=frozenset(opened.form.known_words),
        adapter=adapter,
        dependence=opened.array("dependence", (prompts, prompts)) if "dependence" in opened.arrays else None,
        places=saved_places(opened.arrays, forms, dim, prompts, opened.where),
    )


def _name_now(name: str) -> str:
    """Of a shipped interpreter, by whatever name it is asked for."""
    if name not in RENAMED:
        return name
    warnings.warn(
        f"{name} is now an alias of {RENAMED[name]}, which was trained on CelebA too and reads other pictures with "
        f"caution: give that name (an older version of clip-smu has the old {name})",
        RenamedWarning,
        stacklevel=3,
    )
    return RENAMED[name]
