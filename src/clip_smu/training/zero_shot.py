"""CLIP off the shelf → interpreter: the 47 prompts, encoded by CLIP's own text encoder; nothing is trained.

A reading is the paper's zero-shot one: ``cos(template, prompt)``, templates of CLIP's image encoder, no negative
prompt and no centre. Labelled faces, where there are some, calibrate the readings; without them no verdict is
ever asserted.
"""

from __future__ import annotations

import hashlib
import math
import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from clip_smu.arrays import Indices
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.locate import card
from clip_smu.errors import (
    EncoderError,
    InputError,
    LabelError,
    MissingExtraError,
)
from clip_smu.interpreter.calibration import Calibration, calibrate
from clip_smu.interpreter.evidence import Evidence, gather_evidence, verdict_errors
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, refuse_overlap
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import count_persons, persons_apart
from clip_smu.storage.digests import bytes_digest, file_digest, json_digest
from clip_smu.storage.documents import checked, read_json
from clip_smu.storage.files import atomic
from clip_smu.storage.job_folders import LOCK, writes_folder
from clip_smu.templates import Source, Templates, read_templates
from clip_smu.templates.likeness import measure_likeness
from clip_smu.text.clip_tokenizer import END, START
from clip_smu.text.encoder import PAD, TextEncoder, read_tokenizer
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES, by_name
from clip_smu.words.english import words
from clip_smu.words.prompts import prompt
from clip_smu.words.vocabulary import vocabulary

FOLDS = 5  # without a test list: calibrated on four, measured on one
SEED = 0
NO_LABELS = "no labelled faces"
_FILES = _ENCODER_FILE, _TOKENIZER_FILE = "text_encoder.onnx", "tokenizer.json"
_MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"

Names = Sequence[str] | str | Path


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
        >>> mini = load_interpreter().folder  # a text encoder that is here: that of dlib-lfw
        >>> made = zero_shot(mini, tempfile.mkdtemp() + "/it", encoder="dlib")
        >>> made.dim, made.evidence[0].reason
        (128, 'no labelled faces')
        >>> read = made.interpret(np.eye(2, 128))
        >>> np.abs(read.scores - made.positive[:, :2].T).max() < 1e-6, read.verdicts.any()
        (np.True_, np.False_)
    """
    if not 0.01 <= error_rate <= 0.5:
        raise InputError(f"error_rate must be between 0.01 and 0.5, not {error_rate}")
    if (templates is None) != (labels is None):
        raise InputError("calibration needs templates and labels: give both, or neither")
    if templates is None and (train is not None or test is not None):
        raise InputError("a list names photos to calibrate or measure on: give templates and labels with it")
    output, started = Path(output), time.time()
    faces = None if templates is None or labels is None else _faces(templates, labels, train, test)
    row = _card_of(encoder) if faces is None or faces.card is None else faces.card
    if row is not None and row.name != encoder and not row.name.startswith(f"{encoder}-"):
        raise EncoderError(
            f"the interpreter is to read templates of {encoder}, these are of {row.name}: "
            "give templates of that encoder, or name this one"
        )
    source, prompts = _Source.find(text_encoder), [prompt(row) for row in ATTRIBUTES]
    job = {
        "command": "zero-shot",
        "text_encoder": source.fingerprint(),
        "prompts": prompts,
        "encoder": encoder,
        "error_rate": error_rate,
        "data": faces.fingerprint() if faces else None,
    }
    digest = json_digest(job)
    if (output / "interpreter.json").is_file() and not overwrite:
        done = load_interpreter(output)
        if done.provenance.get("job") == digest:
            return done
        raise InputError(
            f"{output} already holds another interpreter: choose another folder, or pass --overwrite"
        )
    if output.is_dir() and not overwrite and any(not _ours(file) for file in output.iterdir()):
        raise InputError(f"{output} is not empty and holds no interpreter: choose another output folder")
    (output / "interpreter.json").unlink(missing_ok=True)  # it says that the folder is whole: now it is not
    text = source.install(output)
    positive = text.encode(prompts)
    _check_length(positive.shape[1], row, faces)
    reader = Interpreter(
        name=name or output.resolve().name,
        encoder=row.name if row else encoder,
        attributes=NAMES,
        positive=positive,
        negative=np.zeros_like(positive),
        centre=np.zeros(positive.shape[1], dtype=np.float32),
        calibration=_never(),
        evidence=tuple(_unmeasured(row.label_accuracy) for row in ATTRIBUTES),
        error_rate=error_rate,
        known_words=_known_words(output / _TOKENIZER_FILE),
        provenance={},
        folder=output,
    )
    figures: dict[str, Any] = {"evidence_from": NO_LABELS, "verdicts": None, "calibrated_on": None}
    if faces is not None:
        reader, figures = _calibrated(reader, faces, error_rate)
    provenance = {
        "job": digest,
        "objective": "zero-shot",
        "text_encoder": source.name,
        "text_encoder_sha256": file_digest(output / _ENCODER_FILE),
        "context": text.context,
        "config": {"error_rate": error_rate, "seed": SEED},
        "trained_on": {"faces": 0, "persons": 0, "without_label": 0, "without_template": 0},
        **figures,
        "preprocessing_check": None,
        "steps": 0,
        "versions": {package: version(package) for package in ("clip-smu", "onnxruntime", "numpy")},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "seconds": round(time.time() - started, 1),
        "prompts_sha256": bytes_digest(positive.tobytes()),
    }
    seen = None if faces is None else faces.calibrate.templates
    likeness = None if seen is None else measure_likeness(seen.vectors, seen.identities)
    interpreter = replace(reader, provenance=provenance, card=row, likeness=likeness)
    _write_card(interpreter, output)
    interpreter.save(output)
    return load_interpreter(output)


def _ours(file: Path) -> bool:
    """Whether a file may be what a killed run left behind."""
    return file.name in (*_FILES, LOCK, "README.md", "prompts.safetensors") or file.suffix == ".tmp"


# ---------------------------------------------------------------- the text encoder


@dataclass(frozen=True)
class _Source:
    """Where the text encoder comes from: an ONNX file with its tokenizer, or (``onnx`` is None) transformers."""

    name: str
    where: Path
    onnx: Path | None

    @classmethod
    def find(cls, given: str | Path) -> _Source:
        path = Path(given)
        if path.suffix == ".onnx":
            if not path.is_file():
                raise InputError(f"no such text encoder: {path}")
            return cls(path.name, path.parent, path)
        files = sorted(path.glob("*.onnx")) if path.is_dir() else []
        likely = [file for file in files if "text" in file.name]
        if len(likely) > 1:
            raise InputError(
                f"{path} holds several text encoders ({', '.join(file.name for file in likely)}): give one of the files"
            )
        if files and not likely:
            raise InputError(
                f"expected a text encoder such as clip-vit-b32-text.onnx in {path}, found {files[0].name}: make one "
                "with clip-smu encoders convert ViT-B-32.pt --architecture clip-vit-b32-text"
            )
        return cls(likely[0].name if likely else str(given), path, likely[0] if likely else None)

    def fingerprint(self) -> str:
        """Of the files; of a name on the hub the name."""
        if self.onnx is None:
            files = sorted(self.where.glob("*.safetensors")) if self.where.is_dir() else []
        else:
            files = [self.onnx]
        digest = hashlib.sha256(self.name.encode() if not files else b"")
        for file in files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    def install(self, output: Path) -> TextEncoder:
        """Puts ``text_encoder.onnx`` and ``tokenizer.json`` into the interpreter's folder."""
        if self.onnx is None:
            return _from_transformers(self.name, output)
        tokenizer = _tokenizer_beside(self.onnx)
        with atomic(output / _TOKENIZER_FILE) as temporary:
            temporary.write_text(tokenizer.to_str(), encoding="utf-8")
        with atomic(output / _ENCODER_FILE) as temporary:
            shutil.copyfile(self.onnx, temporary)
        return TextEncoder(output / _ENCODER_FILE, output / _TOKENIZER_FILE)


def _tokenizer_beside(onnx: Path) -> Any:
    """The tokenizer in the folder of an ONNX text encoder; it must put start and end around a sentence."""
    file = onnx.parent / _TOKENIZER_FILE
    if not file.is_file() and (onnx.parent / _MERGES_FILE).is_file():
        return _text_encoders().text_tokenizer(str(onnx.parent))
    if not file.is_file():
        raise InputError(
            f"expected CLIP's {_MERGES_FILE} or a {_TOKENIZER_FILE} beside {onnx}, found neither: put one there"
        )
    tokenizer = read_tokenizer(file)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokens = tokenizer.encode("a face").tokens
    if tokens[:1] != [START] or tokens[-1:] != [END]:
        raise InputError(
            f"expected a tokenizer that puts {START} and {END} around a sentence, {file} gives {tokens}: take the "
            f"{_TOKENIZER_FILE} of the hub's openai/clip-vit-base-patch32, or {_MERGES_FILE}"
        )
    return tokenizer


def _from_transformers(name: str, output: Path) -> TextEncoder:
    """Exports a CLIP of transformers' form as it is."""
    text_encoders = _text_encoders()
    tokenizer = text_encoders.text_tokenizer(name)  # says what is wrong with a name or a folder
    from transformers import CLIPTextConfig

    own = int(CLIPTextConfig.from_pretrained(name).projection_dim)  # else it would get a new projection
    text_encoder = text_encoders.build_text_encoder(name, own, text_encoders.EncoderSize(), SEED)
    output.mkdir(parents=True, exist_ok=True)
    made: TextEncoder = text_encoders.export_text_encoder(
        text_encoder, tokenizer, output, [prompt(row) for row in ATTRIBUTES]
    )
    return made


def _text_encoders() -> Any:
    """The room of PyTorch text encoders."""
    try:
        from clip_smu.training import text_encoders
    except ImportError:
        raise MissingExtraError(
            "reading a CLIP of transformers' form, or its vocabulary file,", "train"
        ) from None
    return text_encoders


def _card_of(encoder: str) -> EncoderCard | None:
    """The encoder's card; ``None`` for one of the user's own, whose card is with its templates."""
    try:
        return card(encoder)
    except EncoderError:
        return None


def _check_length(found: int, row: EncoderCard | None, faces: _Faces | None) -> None:
    """Text and image vectors must be of one space."""
    if faces is not None:
        expected, what = faces.calibrate.templates.vectors.shape[1], "the templates"
    elif row is not None:
        expected, what = row.dim, f"templates of {row.name}"
    else:
        return
    if expected != found:
        raise EncoderError(
            f"the text encoder gives vectors of length {found}, {what} have {expected}: "
            "give the two halves of one CLIP"
        )


class _Model(msgspec.Struct):
    vocab: dict[str, int] | list[tuple[str, float]] = {}


class _TokenizerForm(msgspec.Struct):
    """The part of a tokenizer.json that names its tokens."""

    model: _Model


def _known_words(tokenizer: Path) -> frozenset[str]:
    """The words of the prompts, and the whole words of CLIP's vocabulary, which CLIP has seen often.

    `mini`'s vocabulary says nothing of that: it holds words that no prompt has.
    """
    what = "a tokenizer.json"
    tokens = checked(read_json(tokenizer, what), _TokenizerForm, f"{what} at {tokenizer}").model.vocab
    names = tokens if isinstance(tokens, dict) else [entry[0] for entry in tokens]
    if PAD in names:
        return vocabulary()
    whole = [token.removesuffix("</w>") for token in names if token.endswith("</w>")]
    return vocabulary() | {word for word in whole if words(word) == [word]}


# ---------------------------------------------------------------- labelled faces


@dataclass(frozen=True, eq=False)
class _Faces:
    """Faces to calibrate on, and those to measure on."""

    card: EncoderCard | None
    calibrate: Labelled
    measure: Labelled
    measured_on: str

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.measured_on.encode())
        for part in (self.calibrate, self.measure):
            digest.update(np.ascontiguousarray(part.templates.vectors).tobytes())
            digest.update(np.ascontiguousarray(part.labels).tobytes())
            digest.update("\n".join([*part.templates.images, *part.templates.identities]).encode())
        return digest.hexdigest()


def _faces(
    templates: Templates | Source, labels: Labels | str | Path, train: Names | None, test: Names | None
) -> _Faces:
    table = templates if isinstance(templates, Templates) else read_templates(templates)
    rows = labels if isinstance(labels, Labels) else read_labels(labels)
    known = join(table, rows, train)
    own = table.card
    if test is not None:
        checked = join(table, rows, test)
        refuse_overlap(known, checked)
        source = f"{len(checked.labels)} faces of the test list, of persons that were not calibrated on"
        return _Faces(own, known, checked, source)
    if count_persons(known.templates.identities) < FOLDS:
        raise LabelError(
            f"expected labelled faces of at least {FOLDS} persons, found "
            f"{count_persons(known.templates.identities)}: give more, or none, to do without calibration"
        )
    fold_of = identity_folds(known.templates.identities, FOLDS, SEED)
    first, rest = (_rows(known, np.flatnonzero(here)) for here in (fold_of == 0, fold_of != 0))
    source = f"{len(first.labels)} faces of one of {FOLDS} identity folds; the others were calibrated on"
    return _Faces(own, rest, first, source)


def _rows(faces: Labelled, rows: Indices) -> Labelled:
    return replace(faces, templates=faces.templates.take(rows), labels=faces.labels[rows])


def _calibrated(reader: Interpreter, faces: _Faces, error_rate: float) -> tuple[Interpreter, dict[str, Any]]:
    """The interpreter with calibration and evidence, and what its provenance says of them."""
    seen, checked = faces.calibrate, faces.measure
    scores = reader.read(seen.templates.vectors)[0].astype(np.float64)
    calibration = calibrate(scores, seen.labels, error_rate, persons_apart(seen.templates.identities))
    new = reader.read(checked.templates.vectors)[0].astype(np.float64)
    evidence = gather_evidence(calibration, new, checked.labels, checked.templates.identities)
    figures = {
        "evidence_from": faces.measured_on,
        "verdicts": verdict_errors(calibration, new, checked.labels, error_rate),
        "calibrated_on": {
            "faces": len(seen.labels),
            "persons": count_persons(seen.templates.identities),
            **seen.for_provenance(),
        },
    }
    return replace(reader, calibration=calibration, evidence=evidence), figures


def _never() -> Calibration:
    """Probability .5, and no verdict ever."""
    flat = np.zeros(len(NAMES))
    return Calibration(flat, flat, flat + 2.0, flat - 1.0)


def _unmeasured(label_accuracy: float) -> Evidence:
    unknown = float("nan")
    return Evidence(unknown, unknown, unknown, 0, 0, unknown, unknown, unknown, label_accuracy, NO_LABELS)


# ---------------------------------------------------------------- the model card

_CARD = """---
license: other
library_name: clip-smu
tags: [face-recognition, interpretability, soft-biometrics, privacy, clip, zero-shot]
---
# {name}: reads templates of {encoder}, zero-shot

The 47 prompts of MAAD-Face's attributes ("A photo of a face with gray hair.") as the text encoder `{text_encoder}`
gives them, untouched: nothing was trained. A reading is the cosine between a template ({dim} numbers) and a prompt.
Made by `clip-smu zero-shot`. The text encoder's own licence and terms of use hold for `text_encoder.onnx`; OpenAI's
model card of CLIP calls facial recognition out of scope.

```
clip-smu interpret PHOTO --method {name}
```

A reading is what a *template* gives away, not a fact about a person.

## What it reached
{reached}

## Limits
Cosines of a text encoder that never saw such templates with their labels are weak readings: compare with a fitted
interpreter (`clip-smu fit`) or a probe. Race, gender and age can be hidden with `--hide`. Inferring such attributes
of persons is restricted by law in many places (in the EU by the GDPR and the AI Act); this is a tool for measuring
what templates leak.
"""

_MEASURED = """Calibrated on {faces} faces of {persons} persons, measured on {source}.
**If the labels were machine-made, the figures say how well readings agree with those labels.** Mean AUC over
{counted} attributes: **{mean}**. Thresholds were chosen so that at most {rate:.0%} of the asserted verdicts are
wrong; a share of {error} was, and {coverage} of the labelled readings got a verdict.

| attribute | AUC | 95 % interval | positives | negatives |
|---|---|---|---|---|
{rows}"""

_NOT_MEASURED = (
    "Not calibrated: no labelled faces were given, so every verdict is *cannot tell*. Rank by score."
)


def _write_card(interpreter: Interpreter, folder: Path) -> None:
    made = interpreter.provenance
    reached = _NOT_MEASURED
    if made["calibrated_on"] is not None:
        aucs = [row.auc for row in interpreter.evidence if not math.isnan(row.auc)]
        reached = _MEASURED.format(
            faces=made["calibrated_on"]["faces"],
            persons=made["calibrated_on"]["persons"],
            source=made["evidence_from"],
            counted=len(aucs),
            mean=_figure(sum(aucs) / len(aucs) if aucs else None),
            rate=interpreter.error_rate,
            error=_figure(made["verdicts"]["error"]),
            coverage=_figure(made["verdicts"]["coverage"]),
            rows="\n".join(
                f"| {by_name(name).label} | {_figure(row.auc)} | {_figure(row.low)} to {_figure(row.high)} "
                f"| {row.n_positive} | {row.n_negative} |"
                for name, row in zip(interpreter.attributes, interpreter.evidence, strict=True)
            ),
        )
    with atomic(folder / "README.md") as temporary:
        temporary.write_text(
            _CARD.format(
                name=interpreter.name,
                encoder=interpreter.encoder,
                dim=interpreter.dim,
                text_encoder=made["text_encoder"],
                reached=reached,
            ),
            encoding="utf-8",
        )


def _figure(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"
