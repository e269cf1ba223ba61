"""A made-up run for tests of figures and reports: two encoders, three methods, 300 photos, and more beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from clip_smu.evaluation import Evaluation, Scored, metric_table, write_evaluation
from clip_smu.evaluation.compare import compare
from clip_smu.evaluation.confounds import ConfoundsConfig, confounds
from clip_smu.interpreter.calibration import apply, calibrate
from clip_smu.words.attributes import NAMES

METHODS = ("attribute", "multi-label", "binary")
PHOTOS = 300


def made_evaluation(encoder: str = "dlib", strength: float = 1.0, photos: int = PHOTOS) -> Evaluation:
    """Labels with unknowns, and three methods that read them with more or less noise; Square_Face has no positive."""
    labelled, rng = np.random.default_rng(1), np.random.default_rng(len(encoder))
    truth = labelled.normal(size=(photos, 47)) + labelled.uniform(-0.8, 0.8, 47)
    labels = np.where(truth > 0, 1, -1).astype(np.int8)
    labels[labelled.random((photos, 47)) < 0.2] = 0
    labels[labels[:, 23] > 0, 23] = 0
    people = [f"Person_{row // 3}" for row in range(photos)]
    images = [f"{person}/{person}_{row % 3:04d}.jpg" for row, person in enumerate(people)]
    noise = labelled.uniform(0.2, 2, 47) / strength
    methods = {}
    for place, name in enumerate(METHODS):
        scores = (truth + noise * (1 + 0.2 * place) * rng.normal(size=truth.shape)).astype(np.float32)
        methods[name] = Scored(scores, *apply(calibrate(scores, labels, 0.1, people), scores))
    manifest = {
        "encoder": encoder,
        "attributes": list(NAMES),
        "photos": photos,
        "persons": len(set(people)),
        "methods": [
            {"name": name, "kind": "interpreter" if name == "attribute" else name, "sha256": f"{place:064d}"}
            for place, name in enumerate(METHODS)
        ],
        "labels": {"path": "/home/someone/labels.csv", "sha256": "ab" * 32},
        "versions": {"clip-smu": "0.1.0"},
        "command": "clip-smu evaluate --labels /home/someone/labels.csv",
    }
    norms = rng.uniform(5, 10, photos).astype(np.float32)
    table = metric_table(encoder, NAMES, labels, np.array(people), methods, rounds=40)
    return Evaluation(encoder, NAMES, images, people, norms, labels, methods, manifest, table)


def write_run(folder: Path, first: Evaluation, second: Evaluation, *, finished: bool = True) -> Path:
    """A run's folder with both encoders, a comparison, confounds and erasure of the first."""
    for one in (first, second):
        write_evaluation(one, folder / one.encoder / "evaluation")
    (folder / "comparisons").mkdir(parents=True, exist_ok=True)
    pair = compare(first, second, method_a="attribute", method_b="attribute", rounds=40)
    pair.save(folder / "comparisons" / f"{first.encoder}-vs-{second.encoder}.json")
    confounds(
        first,
        "attribute",
        folder / first.encoder / "confounds",
        config=ConfoundsConfig(strata=("Male",), controls=("Male",)),
    )
    manifest = {
        "format": 1,
        "name": "made up",
        "smoke": False,
        "labels_are": "made-up labels",
        "encoders": [{"name": first.encoder}, {"name": second.encoder}],
        "versions": {"clip-smu": "0.1.0"},
        "finished": finished,
    }
    (folder / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
