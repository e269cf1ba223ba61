"""An interpreter made at home with a few hundred labelled faces of one's own: probabilities, thresholds, evidence."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Float64s, Int8s
from clip_smu.errors import InputError, LabelError
from clip_smu.interpreter.axes import attribute_axes
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.evidence import gather_evidence, group_errors, mean_auc, verdict_errors
from clip_smu.interpreter.home import measure_home
from clip_smu.interpreter.interpreter import TEXT_FILES, Interpreter, load_interpreter
from clip_smu.interpreter.model_card import write_model_card
from clip_smu.interpreter.places import Places, marks
from clip_smu.interpreter.promise import cautious, completed, promise_of
from clip_smu.interpreter.readable import readable, refuse_strangers
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.persons import count_persons
from clip_smu.storage.job_folders import holds_files, writes_folder
from clip_smu.templates import Source, Templates, read_templates
from clip_smu.words.attributes import NAMES

LEAST_PERSONS = 64
_PRIOR = (8.0, 2.0)  # precisions of an attribute's own change of slope and of intercept: how much it borrows
_ROUNDS = 25  # of Newton's method, which takes some six
_CLIP = 30.0


@writes_folder
def recalibrate(
    interpreter: Interpreter | str | Path,
    templates: Templates | Source,
    labels: Labels | str | Path,
    output: str | Path,
    *,
    only: Sequence[str] | str | Path | None = None,
    name: str = "here",
    overwrite: bool = False,
) -> Interpreter:
    """Writes an interpreter that is at home with these faces too; text encoder and adapter stay as they are.

    Each attribute's log odds, as the interpreter has them away from home, get a slope and an intercept. Their prior is
    what all attributes together need, so that an attribute with a dozen labels borrows from the rest (empirical Bayes).
    Thresholds keep the interpreter's rate as those of ``fit`` do, with a bound over the persons given: fewer labels,
    fewer verdicts. Its other homes stay; one that had none becomes cautious everywhere else. Evidence is of these
    faces, which also calibrated it: its AUCs are of persons that it was not trained on, its errors flatter.

    Args:
        labels: a csv in the MAAD form, or labels in memory. only: a list of the photos to use; default, all.
        name: of the new home.

    Raises:
        LabelError: fewer than 64 labelled persons. TemplateError, EncoderError: templates that it cannot read.
        InputError: a name that is taken, or an ``output`` that holds files.
    """
    known = interpreter if isinstance(interpreter, Interpreter) else load_interpreter(interpreter)
    output, rate = Path(output), known.error_rate
    if holds_files(output) and not overwrite:
        raise InputError(f"{output} is not empty: choose another folder, or pass --overwrite")
    taken = [home.name for home in known.places.homes] if known.places else []
    if name in taken:
        raise InputError(f"the interpreter is at home in {', '.join(taken)} already: give another --name")
    if known.folder is None or known.attributes != NAMES:
        raise InputError(
            f"expected an interpreter of all 47 attributes in a folder, found {known.name} with "
            f"{len(known.attributes)}: give one made by clip-smu fit"
        )
    faces = _readable(known, templates, labels, only)
    vectors, people = faces.templates.vectors, faces.templates.identities
    scores, away = known.score(vectors), known.calibration
    if known.places is None:
        away = cautious(away, rate)
    calibration = fit_here(away, scores, faces.labels, people, rate)
    before = known.places or Places((), (), attribute_axes(vectors, faces.labels))
    home = measure_home(name, vectors, marks(vectors, before.axes), people)
    output.mkdir(parents=True, exist_ok=True)
    for file in TEXT_FILES:
        if (known.folder / file).is_file():
            shutil.copy2(known.folder / file, output / file)
    made = replace(
        known,
        calibration=away,
        places=Places((*before.homes, home), (*before.calibrations, calibration), before.axes),
        provenance=_provenance(known, name, faces, scores, calibration),
        evidence=gather_evidence(calibration, scores, faces.labels, people, coherent=True),
        folder=output,
    )
    if made.method_kind == "interpreter":
        write_model_card(made, output)
    made.save(output)
    return load_interpreter(output)


def _provenance(
    known: Interpreter, name: str, faces: Labelled, scores: Float32s, calibration: Calibration
) -> dict[str, Any]:
    """That of the interpreter, and what the new home says of itself."""
    verdicts = verdict_errors(calibration, scores, faces.labels, known.error_rate, coherent=True)
    told = {
        "faces": len(faces.labels),
        "persons": count_persons(faces.templates.identities),
        "auc": mean_auc(scores, faces.labels),
        **verdicts,
        "groups": group_errors(calibration, scores, faces.labels, faces.templates.identities),
    }
    return {
        **known.provenance,
        "recalibrated": {**(known.provenance.get("recalibrated") or {}), name: told},
        "evidence_from": f"{told['faces']} faces of {told['persons']} persons ({name}) that calibrated it",
        "verdicts": verdicts,
    }


def fit_here(
    away: Calibration, scores: Float32s, labels: Int8s, identities: list[str], error_rate: float
) -> Calibration:
    """Slopes, intercepts and thresholds of (N, 47) scores here, borrowing from ``away`` and from each other."""
    odds = np.clip(away.slope * scores.astype(np.float64) + away.intercept, -_CLIP, _CLIP)
    usable = (away.slope > 0) & (labels != 0).any(axis=0)
    shared = _shared(odds[:, usable], labels[:, usable])
    times, more = _own(odds, labels, shared)
    times = np.where(usable, np.maximum(times, 0), 0)
    more = np.where(usable, more, 0)
    calibration = Calibration(
        times * away.slope, times * away.intercept + more, away.encoded_at, away.not_encoded_at
    )
    return completed(promise_of(calibration, scores, labels, identities, error_rate), away)


def _readable(
    known: Interpreter,
    templates: Templates | Source,
    labels: Labels | str | Path,
    only: Sequence[str] | str | Path | None,
) -> Labelled:
    table = templates if isinstance(templates, Templates) else read_templates(templates)
    known.check_templates(table.card, table.vectors.shape[1])
    refuse_strangers(
        known, table.vectors, "in memory" if isinstance(templates, Templates) else str(templates)
    )
    rows = labels if isinstance(labels, Labels) else read_labels(labels)
    faces = join(table, rows, only)
    good = np.flatnonzero(readable(known, faces.templates.vectors))
    faces = replace(faces, templates=faces.templates.take(good), labels=faces.labels[good])
    persons = count_persons(faces.templates.identities)
    if persons < LEAST_PERSONS:
        raise LabelError(
            f"expected labelled faces of at least {LEAST_PERSONS} persons, found {persons}: label more of them"
        )
    return faces


def _shared(odds: Float64s, labels: Int8s) -> tuple[float, float]:
    """Slope and intercept of all attributes together, each with a weight of 1."""
    known = labels != 0
    weight = known / np.maximum(known.sum(axis=0), 1)
    flat = weight.reshape(-1, 1), odds.reshape(-1, 1), labels.reshape(-1, 1)
    times, more = _newton(flat[1], flat[2], flat[0] * known.any(axis=0).sum(), (1.0, 0.0), (1e-6, 1e-6))
    return float(times[0]), float(more[0])


def _own(odds: Float64s, labels: Int8s, shared: tuple[float, float]) -> tuple[Float64s, Float64s]:
    return _newton(odds, labels, (labels != 0).astype(np.float64), shared, _PRIOR)


def _newton(
    odds: Float64s,
    labels: Int8s,
    weight: Float64s,
    prior: tuple[float, float],
    precision: tuple[float, float],
) -> tuple[Float64s, Float64s]:
    """(K,) slopes and intercepts of the largest posterior: logistic likelihood, Gaussian prior."""
    times, more = np.full(odds.shape[1], prior[0]), np.full(odds.shape[1], prior[1])
    yes = labels > 0
    for _ in range(_ROUNDS):
        p = 0.5 * (1 + np.tanh(0.5 * (times * odds + more)))
        off, curve = weight * (p - yes), weight * p * (1 - p)
        g_times = (off * odds).sum(axis=0) + precision[0] * (times - prior[0])
        g_more = off.sum(axis=0) + precision[1] * (more - prior[1])
        h_tt = (curve * odds * odds).sum(axis=0) + precision[0]
        h_tm, h_mm = (curve * odds).sum(axis=0), curve.sum(axis=0) + precision[1]
        determinant = h_tt * h_mm - h_tm**2
        step_times = (h_mm * g_times - h_tm * g_more) / determinant
        step_more = (h_tt * g_more - h_tm * g_times) / determinant
        longest = np.maximum(1, np.maximum(np.abs(step_times), np.abs(step_more)))
        times, more = times - step_times / longest, more - step_more / longest
        if max(np.abs(step_times).max(), np.abs(step_more).max()) < 1e-9:
            break
    return times, more
