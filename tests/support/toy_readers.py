"""Made-up readers of the made-up faces."""

from __future__ import annotations

import numpy as np

from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.probe import Probe
from clip_smu.words.attributes import NAMES
from faces import DIM, toy_data

EVIDENCE = Evidence(0.9, 0.8, 0.95, 50, 60, 0.1, 0.1, 0.7, 0.9, "")


def toy_probe(name: str = "toy-probe", seed: int = 1, encoder: str = "toy") -> Probe:
    """Least squares on other made-up faces of the same kind, with a made-up calibration."""
    faces, labels = toy_data(seed=0)
    rng = np.random.default_rng(seed)
    unit = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
    weight = np.linalg.lstsq(unit, labels.values.astype(np.float32), rcond=None)[0]
    weight += rng.normal(size=weight.shape) * weight.std() * 0.3
    layer = (weight.astype(np.float32), np.zeros(47, np.float32))
    calibration = Calibration(np.full(47, 3.0), np.zeros(47), np.full(47, 0.75), np.full(47, 0.25))
    return Probe(
        name=name,
        encoder=encoder,
        kind="binary",
        attributes=NAMES,
        centre=np.zeros(DIM, np.float32),
        scale=np.ones(DIM, np.float32),
        layers=(layer,),
        calibration=calibration,
        evidence=(EVIDENCE,) * 47,
        error_rate=0.1,
        provenance={"trained_on": {"faces": 400}},
    )
