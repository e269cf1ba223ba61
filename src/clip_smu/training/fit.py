"""Templates and labels → interpreter: trains the text encoder, calibrates, records evidence. (PyTorch)

Identities are dealt into folds. For each fold a text encoder is trained on the other folds, stopped early on
this one, and scores it: so every face is scored once by a text encoder that never saw its person. On these
scores the readings are calibrated. The interpreter's own text encoder is then trained on all identities.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clip_smu.arrays import Float64s, Int8s
from clip_smu.encoders.kept_check import read_check
from clip_smu.errors import InputError, LabelError
from clip_smu.interpreter.calibration import calibrate
from clip_smu.interpreter.evidence import gather_evidence, verdict_errors
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.interpreter.model_card import write_model_card
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, fingerprint, refuse_overlap
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import count_persons, require_persons
from clip_smu.storage.digests import bytes_digest, json_digest, lines_digest
from clip_smu.storage.files import storage_errors
from clip_smu.storage.job_folders import JOB, claim_folder, holds_files, writes_folder
from clip_smu.templates import Source, Templates, read_templates
from clip_smu.templates.likeness import measure_likeness
from clip_smu.training.curves import CURVES_FILE
from clip_smu.training.objectives import OBJECTIVES
from clip_smu.training.text_encoders import MINI, EncoderSize, export_text_encoder
from clip_smu.training.train_config import TrainConfig
from clip_smu.training.trainer import PRECISIONS, Progress, Trainer
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.prompts import prompts

_RATE_PRETRAINED = 1e-5  # of a text encoder that knows its words (the authors' code)


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Settings of one fit. ``None`` stands for the objective's own default (`clip_smu.training.objectives.OBJECTIVES`).

    Attributes:
        objective: ``attribute``, ``multipositive``, or ``clip``, the paper's; see :mod:`clip_smu.training.losses`.
        text_encoder: ``mini``, trained from scratch, or a CLIP: its name on the Hugging Face Hub
            (``openai/clip-vit-base-patch32``) or a folder in transformers' form.
        size: of the text encoder ``mini``.
        steps: most optimiser steps of one training.
        batch_size: templates a step.
        captions: sentences a step, objective ``multipositive``.
        learning_rate: of AdamW with betas .9 and .999; default, the objective's for ``mini``, and 1e-5 for
            a CLIP.
        weight_decay: without it AdamW is Adam.
        paraphrases: sentences drawn for each prompt at each step, objective ``attribute``.
        folds: identity folds for calibration, 2 or more.
        patience: evaluations without a better AUC before a training stops.
        error_rate: share of wrong verdicts to choose thresholds for, 0.01 to 0.5.
        precision: ``float32``, or on a GPU ``bf16`` or ``fp16``.
        accumulate: parts that a step's sentences are encoded in, to save memory; the result stays the same.
        tensorboard: also write the curves for TensorBoard, into the output folder.
        device: ``cpu`` or ``cuda``; default, the GPU where there is one.
        seed: of everything random.

    Example:
        >>> FitConfig(error_rate=0.05).objective
        'attribute'
    """

    objective: str = "attribute"
    text_encoder: str = MINI
    size: EncoderSize = field(default_factory=EncoderSize)
    steps: int | None = None
    batch_size: int | None = None
    captions: int = 128
    learning_rate: float | None = None
    weight_decay: float | None = None
    paraphrases: int = 1
    folds: int | None = None
    patience: int = 8
    error_rate: float = 0.10
    precision: str = "float32"
    accumulate: int = 1
    tensorboard: bool = False
    device: str | None = None
    seed: int = 0

    def check(self) -> None:
        """Raises InputError where a setting cannot be used here."""
        for name, low, high in (
            ("steps", 1, 10**7),
            ("batch_size", 1, 10**7),
            ("captions", 1, 10**6),
            ("learning_rate", 1e-9, 10),
            ("weight_decay", 0, 10),
            ("paraphrases", 1, 12),
            ("folds", 2, 100),
            ("patience", 1, 10**6),
            ("accumulate", 1, 10**6),
            ("error_rate", 0.01, 0.5),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value}")
        for name, choices in (
            ("objective", tuple(OBJECTIVES)),
            ("precision", tuple(PRECISIONS)),
            ("device", ("cpu", "cuda", None)),
        ):
            if getattr(self, name) not in choices:
                known = ", ".join(choice for choice in choices if choice)
                raise InputError(f"the {name} must be one of {known}, not {getattr(self, name)!r}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError(
                "the device cuda must be there, PyTorch finds none: leave the setting out, or give cpu"
            )
        if self.precision != "float32" and self.resolved_device == "cpu":
            raise InputError(
                f"the precision must be float32 on a CPU, not {self.precision}: that needs a GPU (cuda)"
            )
        if self.tensorboard and find_spec("tensorboard") is None:
            raise InputError(
                "tensorboard needs the package tensorboard, which is not installed: pip install tensorboard"
            )

    @property
    def resolved_device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")

    def training(self, encoder: str) -> TrainConfig:
        """The settings of each training, all filled in, for templates of ``encoder``."""
        row = OBJECTIVES[self.objective]
        of_clip = encoder.startswith("clip-vit")
        rate = row.learning_rate if self.text_encoder == MINI else _RATE_PRETRAINED
        return TrainConfig(
            self.objective,
            self.text_encoder,
            self.size,
            row.steps if self.steps is None else self.steps,
            (row.batch_size_clip if of_clip else row.batch_size)
            if self.batch_size is None
            else self.batch_size,
            self.captions,
            rate if self.learning_rate is None else self.learning_rate,
            row.weight_decay if self.weight_decay is None else self.weight_decay,
            self.paraphrases,
            self.patience,
            self.precision,
            self.accumulate,
            self.resolved_device,
            self.seed,
        )


@writes_folder
def fit(
    templates: Templates | Source,
    labels: Labels | str | Path,
    output: str | Path,
    *,
    train: Sequence[str] | str | Path | None = None,
    test: Sequence[str] | str | Path | None = None,
    config: FitConfig | None = None,
    preprocessing_check: str | Path | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Interpreter:
    """Fits an interpreter to one encoder's templates and writes it as a folder.

    Deterministic from the seed on one machine; killed and run again it goes on and ends with the same weights.

    Args:
        templates: a folder made by ``extract``, a file of templates, or templates in memory.
        labels: a csv in the MAAD form, or labels in memory.
        output: folder of the interpreter.
        train: names of the photos to fit on (a list, or a file with one name a line); default, all.
        test: names of photos whose identities do not occur in ``train``; the evidence is then measured on them.
        config: settings.
        preprocessing_check: JSON of ``clip-smu encoders check --json`` for these templates' encoder, kept with the
            evidence.
        name: of the interpreter; default, the folder's name.
        overwrite: replace what is in ``output``.
        progress: called after every step with (stage, done, total), for the training at hand and for all together.

    Raises:
        LabelError, TemplateError: the data cannot be read or joined, or hold too few faces.
        InputError: a setting, or an ``output`` that holds something else.

    Example:
        >>> import tempfile
        >>> from clip_smu.labels.labels import Labels
        >>> rng = np.random.default_rng(0)  # made-up faces whose attributes show in their templates
        >>> vectors = rng.normal(size=(60, 8)).astype(np.float32)
        >>> values = np.where(vectors @ rng.normal(size=(8, 47)) > 0, 1, -1).astype(np.int8)
        >>> people = [f"person{row // 2}" for row in range(60)]
        >>> photos = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
        >>> faces = Templates(vectors, photos, np.zeros(60, np.int16), people, np.ones(60, np.float32), None)
        >>> small = FitConfig(size=EncoderSize(16, 1, 2), steps=5, folds=2)
        >>> made = fit(faces, Labels(photos, people, values), tempfile.mkdtemp() + "/it", config=small)
        >>> made.dim, len(made.attributes)
        (8, 47)
    """
    config = config or FitConfig()
    config.check()
    output = Path(output)
    table = templates if isinstance(templates, Templates) else read_templates(templates)
    encoder = table.card.name if table.card else None
    how = None if preprocessing_check is None else read_check(preprocessing_check, encoder)
    rows = labels if isinstance(labels, Labels) else read_labels(labels)
    known = join(table, rows, train)
    checked = join(table, rows, test) if test is not None else None
    if checked is not None:
        refuse_overlap(known, checked)
    settings = config.training(table.card.name if table.card else "unknown")
    folds = config.folds or OBJECTIVES[config.objective].folds
    require_persons(known.templates.identities, folds)
    _require_both_kinds(known.labels, config.objective)
    tell = _overall(progress, folds + 1, settings.steps) if progress else None
    trainer = Trainer(settings, known.templates.vectors, known.labels, output, progress=tell)
    job = {
        "command": "fit",
        "config": asdict(config),
        "data": fingerprint(known, checked),
        "version": _recipe(),
        "text_encoder": trainer.fingerprint(),
        "preprocessing_check": how,
    }
    work = output / ".fit"
    if (output / "interpreter.json").is_file() and not overwrite:
        done = load_interpreter(output)
        if done.provenance.get("job") == json_digest(job):
            if trainer.ranks.main:
                shutil.rmtree(work, ignore_errors=True)  # a kill right after the last file left it
            return done
        raise InputError(
            f"{output} already holds an interpreter of another fit: choose another folder, or pass --overwrite"
        )
    if trainer.ranks.main:
        if not work.is_dir() and holds_files(output) and not overwrite:
            raise InputError(
                f"{output} is not empty and holds no unfinished fit: choose another output folder"
            )
        _claim(work, job, overwrite)
    trainer.ranks.wait()
    made = work / "made"  # until the new interpreter is whole, one that was there stays
    everyone = np.arange(len(known.labels))
    with trainer.running(work, tensorboard=config.tensorboard):
        out_of_fold, best_steps, seconds = _cross_fit(trainer, known, folds)
        steps = int(np.median(best_steps))
        trained = trainer.train("all identities", everyone, None, steps)
        positive, negative = trainer.prompt_vectors(trained.text_encoder)
        if trainer.ranks.main:
            export_text_encoder(
                trained.text_encoder,
                trainer.language.tokenizer,
                made,
                [prompts(row)[0] for row in ATTRIBUTES],
            )
    calibration = calibrate(out_of_fold, known.labels, config.error_rate, known.templates.identities)
    reader = Interpreter(
        name=name or output.resolve().name,
        encoder=table.card.name if table.card else "unknown",
        attributes=NAMES,
        positive=positive,
        negative=negative,
        centre=trainer.centre(everyone),
        calibration=calibration,
        evidence=(),
        error_rate=config.error_rate,
        known_words=OBJECTIVES[config.objective].reading.words(),
        provenance={},
        folder=made,
    )
    if checked is not None:
        measured, scores = checked, reader.read(checked.templates.vectors)[0].astype(np.float64)
        source = f"{len(checked.labels)} faces of the test list, whose persons do not occur in training"
    else:
        measured, scores = known, out_of_fold
        source = (
            f"{len(known.labels)} training faces, each scored by a text encoder that did not see its person"
        )
    evidence = gather_evidence(calibration, scores, measured.labels, measured.templates.identities)
    provenance = {
        "job": json_digest(job),
        "objective": config.objective,
        "text_encoder": config.text_encoder,
        "context": trainer.language.context,
        "config": asdict(config),
        "settings": asdict(settings) | {"folds": folds},
        "trained_on": {
            "faces": len(known.labels),
            "persons": count_persons(known.templates.identities),
            **known.for_provenance(),
        },
        "steps": steps,
        "captions": trained.report,
        "evidence_from": source,
        "preprocessing_check": how,
        "verdicts": verdict_errors(calibration, scores, measured.labels, config.error_rate),
        "versions": {package: version(package) for package in ("clip-smu", "torch", "transformers", "numpy")},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "seconds": round(seconds + trained.seconds, 1),
        "prompts_sha256": bytes_digest(positive.tobytes(), negative.tobytes()),
    }
    likeness = measure_likeness(known.templates.vectors, known.templates.identities)
    interpreter = replace(
        reader, evidence=evidence, provenance=provenance, card=table.card, likeness=likeness
    )
    if trainer.ranks.main:
        write_model_card(interpreter, made)
        interpreter.save(made)
        (work / CURVES_FILE).replace(made / CURVES_FILE)
        _publish(made, output)
        shutil.rmtree(work, ignore_errors=True)
    trainer.ranks.wait()
    return load_interpreter(output)


def _overall(progress: Progress, trainings: int, steps: int) -> Progress:
    """``progress`` that is also told how far all trainings are, in steps; one that stops early counts as whole."""
    parts: dict[str, float] = {}

    def tell(stage: str, done: int, total: int) -> None:
        parts[stage] = done / max(total, 1)
        progress("all trainings", round(sum(parts.values()) * steps), trainings * steps)
        progress(stage, done, total)

    return tell


def _require_both_kinds(labels: Int8s, objective: str) -> None:
    """Refuses labels of which nothing can be learnt, at the start and not after all trainings.

    Raises:
        LabelError: no attribute has both kinds, and the objective tells the two apart.
    """
    both = (labels > 0).any(axis=0) & (labels < 0).any(axis=0)
    if OBJECTIVES[objective].reading.contrast and not both.any():
        raise LabelError(
            f"expected photos with (1) and photos without (-1) at least one attribute, found none among {len(labels)} "
            "labelled photos: give labels of both kinds"
        )


def _claim(work: Path, job: dict[str, Any], overwrite: bool) -> None:
    """Makes ``work`` the place of this fit's progress; progress of the very same fit is kept, ``overwrite`` or not.

    Raises:
        InputError: it holds that of another fit, and ``overwrite`` is not set.
    """
    if work.is_dir() and not (work / JOB).is_file():  # killed while it was begun, or removed
        shutil.rmtree(work)
    try:
        claim_folder(work, job)
    except InputError:
        if not overwrite:
            raise
        claim_folder(work, job, overwrite=True)


def _publish(made: Path, output: Path) -> None:
    """Puts finished files in their place; ``interpreter.json``, which says that the folder is whole, comes last."""
    whole = output / "interpreter.json"
    with storage_errors(output):
        whole.unlink(missing_ok=True)
        for file in sorted(made.iterdir(), key=lambda file: file.name == whole.name):
            file.replace(output / file.name)


def _cross_fit(trainer: Trainer, known: Labelled, folds: int) -> tuple[Float64s, list[int], float]:
    """(N, K) scores of every face by a text encoder that did not see its person; each fold's best step; seconds."""
    scores = np.zeros(known.labels.shape, dtype=np.float64)
    fold_of = identity_folds(known.templates.identities, folds, trainer.config.seed)
    best_steps, seconds = [], 0.0
    for fold in range(folds):
        inside, outside = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        stage = f"fold {fold + 1} of {folds}"
        trained = trainer.train(stage, inside, outside, trainer.config.steps)
        positive, negative = trainer.prompt_vectors(trained.text_encoder)
        scores[outside] = trainer.centred(outside, inside) @ (positive - negative).T
        best_steps.append(trained.step)
        seconds += trained.seconds
    return scores, best_steps, seconds


def _recipe() -> str:
    """Hash of the sentences trained on, so that a resumed fit never mixes two vocabularies."""
    return lines_digest(text for row in ATTRIBUTES for side in (True, False) for text in prompts(row, side))
