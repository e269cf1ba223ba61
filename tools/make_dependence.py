"""How attributes go together given what templates say of them, as the table that ships.

    python tools/make_dependence.py TEMPLATES LABELS.csv LIST [TEMPLATES LABELS.csv LIST ...]

Templates, labels and a list of photos of each data set. Logistic regressions that saw no photo of a person read it;
they are calibrated in each data set by itself; the correlations are of all faces
(:mod:`clip_smu.interpreter.dependence`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from clip_smu.evaluation.doubt import FOLDS, cross_fitted
from clip_smu.interpreter.calibration import fit_platt, sigmoid
from clip_smu.interpreter.coherence import cohere
from clip_smu.interpreter.dependence import SHIPPED, dependence
from clip_smu.labels.join import join
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.templates import read_templates
from clip_smu.words.attributes import NAMES


def main(*given: str) -> None:
    labels, probabilities = [], []
    for templates, rows, only in zip(given[::3], given[1::3], given[2::3], strict=True):
        faces = join(read_templates(templates), read_labels(rows), read_list(only))
        scores = cross_fitted(faces.templates.vectors, faces.labels, faces.templates.identities, FOLDS, 0)
        slope, intercept = fit_platt(scores, faces.labels)
        read = sigmoid(slope * scores + intercept).astype(np.float32)
        labels.append(faces.labels)
        probabilities.append(cohere(read, NAMES))
    found = dependence(np.concatenate(labels), np.concatenate(probabilities))
    target = Path(__file__).parents[1] / "src/clip_smu/data" / SHIPPED
    lines = [
        "# Correlations of attributes given the probabilities that templates say; made by tools/make_dependence.py",
        ",".join(["attribute", *NAMES]),
        *(
            ",".join([name, *(f"{value:.2f}" for value in row)])
            for name, row in zip(NAMES, found, strict=True)
        ),
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
