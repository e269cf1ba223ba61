"""CLIP off the shelf → interpreter: the 47 prompts, encoded by CLIP's own text encoder; nothing is trained.

A reading is the paper's zero-shot one: ``cos(template, prompt)``, templates of CLIP's image encoder, no negative
prompt and no centre. Labelled faces, where there are some, calibrate the readings; without them no verdict is
ever asserted.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Indices
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.locate import card
from clip_smu.errors import (
    EncoderError,
    InputError,
    LabelError,
)
from clip_smu.interpreter.calibration import Calibration, calibrate
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.labels.labelled import Labelled
from clip_smu.labels.labels import Labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import count_persons, persons_apart
from clip_smu.storage.digests import bytes_digest, file_digest, json_digest
from clip_smu.storage.job_folders import LOCK, writes_folder
from clip_smu.templates import Source, Templates
from clip_smu.text.encoder import TextEncoder
from clip_smu.training.data import Data, SourceData, faces_of, read_data
from clip_smu.training.job import finished, judge, made_with
from clip_smu.training.sources import Names, all_sources
from clip_smu.training.zero_shot_card import write_card
from clip_smu.training.zero_shot_source import (
    ENCODER_FILE,
    SEED,
    TOKENIZER_FILE,
    TextEncoderSource,
    known_words,
)
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.prompts import prompt

FOLDS = 5  # without a test list: calibrated on four, measured on one
NO_LABELS = "no labelled faces"


@writes_folder
def zero_shot(
    text_encoder: str | Path,
    output: str | Path,
    *,
    encoder: str = "clip-vit-b32",
    templates: Templates | Source | None = None,
    labels: Labels | str | Path | None = None,
    train: Names | None = None,
    test: Names | None = None,
    error_rate: float = 0.10,
    name: str | None = None,
    overwrite: bool = False,
) -> Interpreter:
    """Makes an interpreter of a text encoder as it is, and writes it as a folder.

    Args:
        text_encoder: a folder with the text encoder as ONNX (``clip-vit-b32-text.onnx``, as ``encoders convert``
            writes it) and its ``tokenizer.json`` or ``bpe_simple_vocab_16e6.txt.gz``; or a CLIP in transformers'
            form, a folder or a name on the Hugging Face Hub (these need the extra [train]).
        output: folder of the interpreter.
        encoder: name of the encoder whose templates it reads: the image half of the same CLIP; a checkpoint that
            ``encoders convert`` made of it (``clip-vit-b32-0f3a2b1c``) may also be told by the templates' card.
        templates, labels: of faces to calibrate and measure on; both or neither.
        train: names of the photos to calibrate on (a list, or a file with one name a line); default, all.
        test: names of photos of other persons to measure the evidence on. Without it one of five identity folds
            is kept back for that.
        error_rate: share of wrong verdicts that the thresholds are chosen for.
        name: of the interpreter; default, the folder's name.
        overwrite: replace what is in ``output``.

    Raises:
        InputError: the text encoder is not there, or ``output`` holds something else.
        EncoderError, TemplateError: the templates are of another encoder, or of another length than the text
            encoder's vectors.
        InterpreterError: the text encoder cannot be run.
        LabelError: templates and labels cannot be joined, or persons are on both lists.

    Example:
        >>> import tempfile
        >>> mini = load_interpreter().folder  # a text encoder that is here: that of dlib-faces
        >>> made = zero_shot(mini, tempfile.mkdtemp() + "/it", encoder="mine")
        >>> made.evidence[0].reason
        'no labelled faces'
        >>> read = made.interpret(np.eye(2, made.dim))
        >>> np.abs(read.scores - made.positive[:, :2].T).max() < 1e-6, read.verdicts.any()
        (np.True_, np.False_)
    """
    if not 0.01 <= error_rate <= 0.5:
        raise InputError(f"error_rate must be between 0.01 and 0.5, not {error_rate}")
    output, started, faces = Path(output), time.time(), _faces(templates, labels, train, test)
    row = _card_of(encoder, faces)
    source, prompts = TextEncoderSource.find(text_encoder), [prompt(row) for row in ATTRIBUTES]
    job = {"command": "zero-shot", "prompts": prompts, "encoder": encoder, "error_rate": error_rate}
    job |= {"text_encoder": source.fingerprint(), "data": faces.fingerprint() if faces else None}
    done = finished(
        output, "interpreter.json", load_interpreter, json_digest(job), overwrite, "another interpreter"
    )
    if done is not None:
        return done
    _make_room(output, overwrite)
    text = source.install(output)
    positive = text.encode(prompts)
    _check_length(positive.shape[1], row, faces)
    called = name or output.resolve().name
    reader = _uncalibrated(called, row.name if row else encoder, positive, error_rate, output)
    reader, figures = _calibrated(reader, faces, error_rate)
    provenance = {
        "job": json_digest(job),
        **figures,
        **_of_source(source, text, output),
        "config": {"error_rate": error_rate, "seed": SEED},
        **made_with("onnxruntime", "numpy"),
        "seconds": round(time.time() - started, 1),
        "prompts_sha256": bytes_digest(positive.tobytes()),
    }
    likeness = None if faces is None else faces.data.likeness()
    interpreter = replace(reader, provenance=provenance, card=row, likeness=likeness)
    write_card(interpreter, output)
    interpreter.save(output)
    return load_interpreter(output)


def _of_source(source: TextEncoderSource, text: TextEncoder, output: Path) -> dict[str, Any]:
    """What the provenance says of a text encoder that nothing was trained of."""
    return {
        "objective": "zero-shot",
        "text_encoder": source.name,
        "text_encoder_sha256": file_digest(output / ENCODER_FILE),
        "context": text.context,
        "trained_on": {"faces": 0, "persons": 0, "without_label": 0, "without_template": 0},
        "preprocessing_check": None,
        "steps": 0,
    }


def _make_room(output: Path, overwrite: bool) -> None:
    """Refuses a folder of something else; what a killed or an earlier run left is no whole interpreter any more."""
    if output.is_dir() and not overwrite and any(not _ours(file) for file in output.iterdir()):
        raise InputError(f"{output} is not empty and holds no interpreter: choose another output folder")
    (output / "interpreter.json").unlink(missing_ok=True)


def _ours(file: Path) -> bool:
    """Whether a file may be what a killed run left behind."""
    return (
        file.name in (ENCODER_FILE, TOKENIZER_FILE, LOCK, "README.md", "prompts.safetensors")
        or file.suffix == ".tmp"
    )


def _uncalibrated(
    name: str, encoder: str, positive: Float32s, error_rate: float, folder: Path
) -> Interpreter:
    """Reads, and asserts nothing."""
    flat = np.zeros(len(NAMES))
    return Interpreter(
        name=name,
        encoder=encoder,
        attributes=NAMES,
        positive=positive,
        negative=np.zeros_like(positive),
        centre=np.zeros(positive.shape[1], dtype=np.float32),
        calibration=Calibration(flat, flat, flat + 2.0, flat - 1.0),  # probability .5, and no verdict ever
        evidence=tuple(_unmeasured(row.label_accuracy) for row in ATTRIBUTES),
        error_rate=error_rate,
        known_words=known_words(folder / TOKENIZER_FILE),
        provenance={},
        folder=folder,
    )


def _card_of(encoder: str, faces: _Faces | None) -> EncoderCard | None:
    """The encoder's card: the templates' own, or else the known one; ``None`` where neither is there.

    Raises:
        EncoderError: the templates are of another encoder.
    """
    if faces is None or faces.data.card is None:
        try:
            return card(encoder)
        except EncoderError:
            return None
    row = faces.data.card
    if row.name != encoder and not row.name.startswith(f"{encoder}-"):
        raise EncoderError(
            f"the interpreter is to read templates of {encoder}, these are of {row.name}: "
            "give templates of that encoder, or name this one"
        )
    return row


def _check_length(found: int, row: EncoderCard | None, faces: _Faces | None) -> None:
    """Text and image vectors must be of one space."""
    if faces is not None:
        expected, what = faces.data.known.templates.vectors.shape[1], "the templates"
    elif row is not None:
        expected, what = row.dim, f"templates of {row.name}"
    else:
        return
    if expected != found:
        raise EncoderError(
            f"the text encoder gives vectors of length {found}, {what} have {expected}: "
            "give the two halves of one CLIP"
        )


@dataclass(frozen=True, eq=False)
class _Faces:
    """Faces to calibrate on (``data.known``), those to measure on (``data.checked``), and what these are."""

    data: Data
    measured_on: str

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.measured_on.encode())
        digest.update(self.data.fingerprint().encode())
        return digest.hexdigest()


def _faces(
    templates: Templates | Source | None,
    labels: Labels | str | Path | None,
    train: Names | None,
    test: Names | None,
) -> _Faces | None:
    """Without a test list one of five identity folds is kept back to measure on."""
    if (templates is None) != (labels is None):
        raise InputError("calibration needs templates and labels: give both, or neither")
    if templates is None or labels is None:
        if train is not None or test is not None:
            raise InputError(
                "a list names photos to calibrate or measure on: give templates and labels with it"
            )
        return None
    data = read_data(all_sources(templates, labels, train, test, ()))
    if data.checked is not None:
        source = f"{len(data.checked.labels)} faces of the test list, of persons that were not calibrated on"
        return _Faces(data, source)
    people = data.known.templates.identities
    if count_persons(people) < FOLDS:
        raise LabelError(
            f"expected labelled faces of at least {FOLDS} persons, found {count_persons(people)}: "
            "give more, or none, to do without calibration"
        )
    fold_of = identity_folds(people, FOLDS, SEED)
    first, rest = (_rows(data.known, np.flatnonzero(here)) for here in (fold_of == 0, fold_of != 0))
    source = f"{len(first.labels)} faces of one of {FOLDS} identity folds; the others were calibrated on"
    return _Faces(Data((SourceData("", rest, first),), data.card), source)


def _rows(faces: Labelled, rows: Indices) -> Labelled:
    return replace(faces, templates=faces.templates.take(rows), labels=faces.labels[rows])


def _calibrated(
    reader: Interpreter, faces: _Faces | None, error_rate: float
) -> tuple[Interpreter, dict[str, Any]]:
    """The interpreter with calibration and evidence, and what its provenance says of them."""
    if faces is None:
        return reader, {"evidence_from": NO_LABELS, "verdicts": None, "calibrated_on": None}
    seen, checked = faces.data.known, faces.data.checked
    assert checked is not None
    scores = reader.read(seen.templates.vectors)[0].astype(np.float64)
    calibration = calibrate(scores, seen.labels, error_rate, persons_apart(seen.templates.identities))
    reader = replace(reader, calibration=calibration)
    new = reader.read(checked.templates.vectors)[0].astype(np.float64)
    evidence, measured = judge(reader, new, checked, faces.measured_on)
    return replace(reader, evidence=evidence), measured | {"calibrated_on": faces_of(seen)}


def _unmeasured(label_accuracy: float) -> Evidence:
    unknown = float("nan")
    return Evidence(unknown, unknown, unknown, 0, 0, unknown, unknown, unknown, label_accuracy, NO_LABELS)
