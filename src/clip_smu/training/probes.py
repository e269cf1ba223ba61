"""Templates and labels → probe: the paper's classifiers on stored templates, and two stronger ones. (PyTorch)

The kinds of classifier are those of :mod:`clip_smu.training.classifiers`.

Identities are dealt into folds. Each fold is scored by classifiers of the other folds; on these scores the readings
are calibrated. The probe's own classifiers are then trained on all rows. Labels of 0 (unknown) take no part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Float64s
from clip_smu.interpreter.calibration import calibrate
from clip_smu.interpreter.probe import PROBE_FOLDER, Probe, load_probe
from clip_smu.labels.labelled import Labelled
from clip_smu.labels.labels import Labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import choose_c
from clip_smu.metrics.persons import require_persons
from clip_smu.storage.digests import bytes_digest, json_digest
from clip_smu.storage.files import storage_errors
from clip_smu.storage.job_folders import writes_folder
from clip_smu.templates import Source, Templates
from clip_smu.training.classifiers import TRAIN, Layers, Rows, Training, forward
from clip_smu.training.data import faces_of, read_data
from clip_smu.training.job import finished, made_with, measure, require_room
from clip_smu.training.probe_config import ProbeConfig, given
from clip_smu.training.sources import Names, SourceSpec, all_sources
from clip_smu.words.attributes import NAMES

Progress = Callable[[str, int, int], None]

_UNFINISHED = ".unfinished"  # in a probe's folder: its two files are being written
_FLAT = 1e-8  # a spread below this is rounding


@writes_folder
def fit_probe(
    templates: Templates | Source | None,
    labels: Labels | str | Path | None,
    output: str | Path,
    *,
    train: Names | None = None,
    test: Names | None = None,
    sources: Sequence[SourceSpec] = (),
    config: ProbeConfig | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Probe:
    """Fits classifiers to one encoder's templates and writes them as a folder.

    Deterministic from the seed on one machine.

    Args:
        templates: a folder made by ``extract``, a file of templates, or templates in memory.
        labels: a csv in the MAAD form, or labels in memory.
        output: folder of the probe.
        train: names of the photos to fit on (a list, or a file with one name a line); default, all.
        test: names of photos whose identities do not occur in ``train``; the evidence is then measured on them.
        sources: several data sets of one encoder's templates, in place of templates, labels and lists.
        config: settings.
        name: of the probe; default, the folder's name.
        overwrite: replace the probe in ``output``.
        progress: called with (stage, done, total).

    Raises:
        LabelError, TemplateError: the data cannot be read or joined, or hold too few persons.
        InputError: a setting, or an ``output`` that holds something else.

    Example:
        >>> import tempfile
        >>> rng = np.random.default_rng(0)  # made-up faces whose attributes show in their templates
        >>> vectors = rng.normal(size=(60, 8)).astype(np.float32)
        >>> values = np.where(vectors @ rng.normal(size=(8, 47)) > 0, 1, -1).astype(np.int8)
        >>> people = [f"person{row // 2}" for row in range(60)]
        >>> photos = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
        >>> faces = Templates(vectors, photos, np.zeros(60, np.int16), people, np.ones(60, np.float32), None)
        >>> made = fit_probe(faces, Labels(photos, people, values), tempfile.mkdtemp() + "/probe")
        >>> made.kind, made.dim, bool(np.mean([row.auc for row in made.evidence]) > 0.8)
        ('logistic-regression', 8, True)
    """
    config = config or ProbeConfig()
    config.check()
    config = config.resolved()
    output = Path(output)
    data = read_data(all_sources(templates, labels, train, test, sources))
    require_persons(data.known.templates.identities, config.folds)
    job = {"command": "probe", "config": asdict(config), "data": data.fingerprint()}
    digest = json_digest(job)
    done = finished(output, PROBE_FOLDER.manifest, load_probe, digest, overwrite, "a probe of another fit")
    if done is not None:
        return done
    if not (output / PROBE_FOLDER.manifest).is_file() and not (output / _UNFINISHED).exists():
        require_room(output, "probe")
    started = time.time()
    probe, scores, note = _fit(data.known, config, name or output.resolve().name, data.encoder, progress)
    evidence, measured = measure(probe, data, scores, "classifiers that did not see its person")
    provenance = {
        "job": digest,
        "kind": config.kind,
        "config": asdict(config),
        "trained_on": faces_of(data.known),
        **data.for_provenance(),
        **note,
        **measured,
        **made_with("torch", "numpy"),
        "seconds": round(time.time() - started, 1),
        "weights_sha256": bytes_digest(*(part.tobytes() for layer in probe.layers for part in layer)),
    }
    with storage_errors(output):
        (output / _UNFINISHED).touch()  # killed between its two files, the same command goes on
        (output / PROBE_FOLDER.manifest).unlink(
            missing_ok=True
        )  # there is no probe until its weights are there
    whole = replace(probe, evidence=evidence, provenance=provenance, card=data.card, likeness=data.likeness())
    whole.save(output)
    (output / _UNFINISHED).unlink()
    return load_probe(output)


def _fit(
    known: Labelled, config: ProbeConfig, name: str, encoder: str, progress: Progress | None
) -> tuple[Probe, Float64s, dict[str, Any]]:
    """The calibrated probe; (N, 47) scores of every face by classifiers that did not see its person; a note."""
    people = known.templates.identities
    units = known.templates.vectors / np.linalg.norm(known.templates.vectors, axis=1, keepdims=True)
    taught = np.where(known.labels == 0, -1, known.labels) if config.unknown == "negative" else known.labels
    fold_of = identity_folds(people, config.folds, config.seed)

    def tell(stage: str) -> Callable[[int, int], None]:
        return partial(progress or _silent, stage)

    centre, scale = _standard(units, config)
    whole = Rows((units - centre) / scale, taught)
    c = None
    if config.kind == "logistic-regression":
        tell("strength")(0, 1)
        c = choose_c(whole.x, taught, people, config.strengths, seed=config.seed)
        tell("strength")(1, 1)
    train = TRAIN[config.kind]
    most = given(config.epochs)
    scores = np.zeros(known.labels.shape, dtype=np.float64)
    epochs = []
    for fold in range(config.folds):
        inside, outside = fold_of != fold, fold_of == fold
        middle, spread = _standard(units[inside], config)
        rows = Rows((units[inside] - middle) / spread, taught[inside])
        held_out = Rows((units[outside] - middle) / spread, known.labels[outside])
        stage = tell(f"fold {fold + 1} of {config.folds}")
        trained = train(Training(rows, held_out, config, most, c, stage))
        scores[outside] = forward(trained.layers, held_out.x) - _mean_score(trained.layers, rows.x)
        epochs.append(trained.epoch)
    steps = int(np.median(epochs))
    trained = train(Training(whole, None, config, steps, c, tell("all identities")))
    scores += _mean_score(trained.layers, whole.x)
    calibration = calibrate(scores, known.labels, config.error_rate, people)
    probe = Probe(
        name=name,
        encoder=encoder,
        kind=config.kind,
        attributes=NAMES,
        centre=centre,
        scale=scale,
        layers=trained.layers,
        calibration=calibration,
        evidence=(),
        error_rate=config.error_rate,
        provenance={},
    )
    return probe, scores, {"strength": c.tolist()} if c is not None else {"epochs": steps}


def _mean_score(layers: Layers, x: Float32s) -> Float64s:
    """(47,) mean score of the rows that a classifier was trained on.

    Folds are told apart from it: a fold whose persons have an attribute more often than most leaves the others with
    less, and its classifier with a lower intercept. Ranked together as they are, such scores read chance as worse than
    chance.
    """
    return np.asarray(forward(layers, x).mean(axis=0, dtype=np.float64))


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


def _standard(units: Float32s, config: ProbeConfig) -> tuple[Float32s, Float32s]:
    """(d,) centre and scale; zeros and ones where templates are taken as they are."""
    if not config.standardise:
        return np.zeros(units.shape[1], np.float32), np.ones(units.shape[1], np.float32)
    spread = units.std(axis=0, dtype=np.float64)
    spread[spread <= _FLAT] = 1.0  # a number that is the same in all templates tells nothing
    return units.mean(axis=0, dtype=np.float64).astype(np.float32), spread.astype(np.float32)
