"""Templates and labels → interpreter: trains the text encoder, calibrates, records evidence. (PyTorch)

Identities are dealt into folds. For each fold a text encoder is trained on the other folds, stopped early on
this one, and scores it: so every face is scored once by a text encoder that never saw its person. On these
scores the readings are calibrated. The interpreter's own text encoder is then trained on all identities.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Int8s
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.kept_check import read_check
from clip_smu.errors import InputError, LabelError
from clip_smu.interpreter.calibration import calibrate
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.interpreter.model_card import write_model_card
from clip_smu.labels.labelled import Labelled
from clip_smu.labels.labels import Labels
from clip_smu.metrics.persons import require_persons
from clip_smu.storage.digests import bytes_digest, json_digest, lines_digest
from clip_smu.storage.files import storage_errors
from clip_smu.storage.job_folders import JOB, claim_folder, writes_folder
from clip_smu.templates import Source, Templates
from clip_smu.training.curves import CURVES_FILE
from clip_smu.training.data import Data, faces_of, read_data
from clip_smu.training.fit_config import FitConfig
from clip_smu.training.homes import (
    calibrate_places,
    faces_to_measure,
    figures,
    held_out_dependence,
)
from clip_smu.training.job import finished, made_with, measure, require_room
from clip_smu.training.objectives import OBJECTIVES
from clip_smu.training.readout import HIDDEN
from clip_smu.training.sources import Names, SourceSpec, all_sources
from clip_smu.training.trainer import Progress, Trainer
from clip_smu.training.trainings import Fitted, teach_one, train_folds
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.prompts import prompts

_SCORED_BY = "a text encoder that did not see its person"
_PACKAGES = ("torch", "transformers", "numpy")


@writes_folder
def fit(
    templates: Templates | Source | None,
    labels: Labels | str | Path | None,
    output: str | Path,
    *,
    train: Names | None = None,
    test: Names | None = None,
    sources: Sequence[SourceSpec] = (),
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
        sources: several data sets of one encoder's templates, in place of templates, labels and lists.
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
        >>> from clip_smu.training.clip_encoder import EncoderSize
        >>> small = FitConfig(size=EncoderSize(16, 1, 2), steps=5, folds=2)
        >>> made = fit(faces, Labels(photos, people, values), tempfile.mkdtemp() + "/it", config=small)
        >>> made.dim, len(made.attributes)
        (8, 47)
    """
    config = config or FitConfig()
    config.check()
    output, data = Path(output), read_data(all_sources(templates, labels, train, test, sources))
    check = None if preprocessing_check is None else read_check(preprocessing_check, _name(data.card))
    settings = config.training(data.encoder)
    folds = config.folds or OBJECTIVES[config.objective].folds
    require_persons(data.known.templates.identities, folds)
    _require_both_kinds(data.known.labels, config.objective)
    tell = _overall(progress, folds + 1, settings.steps) if progress else None
    trainer = Trainer(settings, *_learnt_from(data, config), output, progress=tell)
    job = _job(config, data, trainer, check)
    work = output / ".fit"
    done = _begun(output, work, job, trainer, overwrite)
    if done is not None:
        return done
    made = work / "made"  # one that was there stays until the new one is whole
    with trainer.running(work, tensorboard=config.tensorboard):
        fitted = (teach_one if config.objective == "taught" else train_folds)(
            trainer, data, config, folds, made
        )
    reader = _calibrated(trainer, fitted, data, config, name or output.resolve().name, made)
    evidence, measured = measure(reader, data, fitted.out_of_fold, _SCORED_BY)
    measured |= _by_source(reader, data, fitted)
    if trainer.ranks.main:
        provenance = _provenance(job, trainer, fitted, data, config, folds) | measured | made_with(*_PACKAGES)
        seen = data.likeness()
        whole = replace(
            reader,
            evidence=evidence,
            provenance=provenance,
            card=data.card,
            likeness=seen,
            dependence=held_out_dependence(data, fitted.out_of_fold, reader),
        )
        write_model_card(whole, made)
        whole.save(made)
        (work / CURVES_FILE).replace(made / CURVES_FILE)
        _publish(made, output)
        shutil.rmtree(work, ignore_errors=True)
    trainer.ranks.wait()
    return load_interpreter(output)


def _learnt_from(data: Data, config: FitConfig) -> tuple[Float32s, Int8s]:
    """What the text encoder learns from: templates with labels, or directions, one an attribute, not yet known."""
    if config.objective != "taught":
        return data.known.templates.vectors, data.known.labels
    own = np.where(np.eye(len(NAMES)) > 0, 1, -1).astype(np.int8)
    return np.eye(len(NAMES), HIDDEN, dtype=np.float32), own


def _job(config: FitConfig, data: Data, trainer: Trainer, check: dict[str, Any] | None) -> dict[str, Any]:
    """Everything that decides what is fitted: the same job is not done twice, and goes on where it was killed."""
    return {
        "command": "fit",
        "config": asdict(config),
        "data": data.fingerprint(),
        "version": _recipe(),
        "text_encoder": trainer.fingerprint(),
        "preprocessing_check": check,
    }


def _provenance(
    job: dict[str, Any], trainer: Trainer, fitted: Fitted, data: Data, config: FitConfig, folds: int
) -> dict[str, Any]:
    return {
        "job": json_digest(job),
        "objective": config.objective,
        "text_encoder": config.text_encoder,
        "context": trainer.language.context,
        "config": asdict(config),
        "settings": asdict(trainer.config) | {"folds": folds},
        "trained_on": faces_of(data.known),
        **data.for_provenance(),
        "steps": fitted.steps,
        "captions": fitted.captions,
        "preprocessing_check": job["preprocessing_check"],
        "seconds": round(fitted.seconds, 1),
        "prompts_sha256": bytes_digest(fitted.positive.tobytes(), fitted.negative.tobytes()),
    }


def _name(card: EncoderCard | None) -> str | None:
    return card.name if card else None


def _begun(
    output: Path, work: Path, job: dict[str, Any], trainer: Trainer, overwrite: bool
) -> Interpreter | None:
    """The interpreter of the very same fit, if it is there; else ``work`` is made ready for this one."""
    done = finished(
        output,
        "interpreter.json",
        load_interpreter,
        json_digest(job),
        overwrite,
        "an interpreter of another fit",
    )
    if done is not None:
        if trainer.ranks.main:
            shutil.rmtree(work, ignore_errors=True)  # a kill right after the last file left it
        return done
    if trainer.ranks.main:
        if not work.is_dir() and not overwrite:
            require_room(output, "unfinished fit")
        _claim(work, job, overwrite)
    trainer.ranks.wait()
    return None


def _by_source(reader: Interpreter, data: Data, fitted: Fitted) -> dict[str, Any]:
    """What the provenance says of each source: ``abroad``, read by what the others taught, and ``at_home``."""
    if reader.places is None:
        return {}
    told: dict[str, Any] = {}
    if fitted.strangers:
        read = [
            (one.readout.score(faces_to_measure(source).templates.vectors), one.calibration)
            for source, one in zip(data.sources, fitted.strangers, strict=True)
        ]
        told["abroad"] = figures(data, read, reader.error_rate)
    scores = [
        fitted.out_of_fold[data.source_of == number]
        if source.checked is None
        else reader.score(source.checked.templates.vectors).astype(np.float64)
        for number, source in enumerate(data.sources)
    ]
    at_home = list(zip(scores, reader.places.calibrations, strict=True))
    return told | {"at_home": figures(data, at_home, reader.error_rate)}


def _calibrated(
    trainer: Trainer, fitted: Fitted, data: Data, config: FitConfig, name: str, folder: Path
) -> Interpreter:
    known, places = data.known, None
    if fitted.adapter is None:
        calibration = calibrate(
            fitted.out_of_fold, known.labels, config.error_rate, known.templates.identities
        )
    else:
        places, calibration = calibrate_places(data, fitted.out_of_fold, fitted.strangers, config.error_rate)
    return Interpreter(
        name=name,
        encoder=data.encoder,
        attributes=NAMES,
        positive=fitted.positive,
        negative=fitted.negative,
        centre=_centre(trainer, known),
        calibration=calibration,
        adapter=fitted.adapter,
        places=places,
        evidence=(),
        error_rate=config.error_rate,
        known_words=OBJECTIVES[config.objective].reading.words(),
        provenance={},
        folder=folder,
    )


def _centre(trainer: Trainer, known: Labelled) -> Float32s:
    """(d,) mean unit template; zeros where templates are read uncentred. An adapter has one of its own inside."""
    if trainer.config.objective != "taught":
        return trainer.centre(np.arange(len(known.labels)))
    vectors = known.templates.vectors
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(units.mean(axis=0, dtype=np.float64), dtype=np.float32)


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


def _recipe() -> str:
    """Hash of the sentences trained on, so that a resumed fit never mixes two vocabularies."""
    return lines_digest(text for row in ATTRIBUTES for side in (True, False) for text in prompts(row, side))
