"""Prevalence without labels on real faces: how far off is the mean probability, and how far the label-shift estimate?

    python benchmarks/prevalence.py TEMPLATES LABELS.csv LIST [--other TEMPLATES,LABELS.csv,LIST]

A third of the persons trains a reader (ridge regression), a third calibrates it (logistic regression of each score), of
the rest faces are drawn with and without an attribute so that a chosen share has it, ``--draws`` times each; --other:
the same calibration on another data set as it is, where more than the prevalence moves. Faces of known label alone.
Shown, mean over attributes and draws: absolute error of the mean probability and of the estimate, how often the 95 %
interval holds the truth, how often ``prior_shift_only`` denies that prevalence alone has moved (p < .01), and the
estimate's error where it does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.quantification import prevalence, prior_shift_only, score_shape
from clip_smu.words.attributes import NAMES
from drift import Faces, faces_of

RIDGE = 1e-2  # of the templates' total variance
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


def reader(faces: Faces) -> Callable[[np.ndarray], np.ndarray]:
    """Scores by ridge regression of the labels, 0 in the middle."""

    def units(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    x = units(faces.vectors)
    strength = RIDGE * np.square(x - x.mean(axis=0)).sum() / x.shape[1]
    model = Ridge(alpha=strength).fit(x, faces.labels)
    return lambda vectors: model.predict(units(vectors))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("templates")
    parser.add_argument("labels")
    parser.add_argument("list")
    parser.add_argument("--other")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--faces", type=int, default=200)
    options = parser.parse_args()
    home = faces_of(options.templates, options.labels, options.list)
    other = faces_of(*options.other.split(",")) if options.other else None
    fold = identity_folds(home.people.tolist(), 3, 0)
    score = reader(home.of(fold == 0))
    held, strange, rng = home.of(fold == 1), home.of(fold == 2), np.random.default_rng(0)
    scores = {id(part): score(part.vectors) for part in (held, strange, other) if part is not None}
    rows: dict[str, list[tuple[float, float, bool, bool]]] = {}
    for k in range(len(NAMES)):
        if (
            min(np.sum(part.labels[:, k] == side) for part in (held, strange) for side in (-1, 1))
            < options.faces // 4
        ):
            continue
        known = held.labels[:, k] != 0
        calibrated = LogisticRegression(C=1e6).fit(scores[id(held)][known][:, [k]], held.labels[known, k] > 0)

        def said(faces: Faces, rows: np.ndarray) -> np.ndarray:
            return calibrated.predict_proba(scores[id(faces)][rows][:, [k]])[:, 1:]  # noqa: B023

        at_home = said(held, np.flatnonzero(known))
        shape, prior = score_shape(at_home), at_home.mean(axis=0)

        def measured(faces: Faces, drawn: np.ndarray) -> tuple[float, float, bool, bool]:
            p, truth = said(faces, drawn), float(np.mean(faces.labels[drawn, k] > 0))  # noqa: B023
            found = prevalence(p, prior)  # noqa: B023
            holds = bool(found.low[0] <= truth <= found.high[0])
            denied = bool(prior_shift_only(p, shape)[0] < 0.01)  # noqa: B023
            return abs(float(p.mean()) - truth), abs(float(found.share[0]) - truth), holds, denied

        sides = [np.flatnonzero(strange.labels[:, k] == side) for side in (1, -1)]
        for share in SHARES:
            for _ in range(options.draws):
                yes = round(options.faces * share)
                counts = (yes, options.faces - yes)
                drawn = np.concatenate([rng.choice(side, n) for side, n in zip(sides, counts, strict=True)])
                rows.setdefault(f"share {share}", []).append(measured(strange, drawn))
        if other is not None and len(np.unique(other.labels[other.labels[:, k] != 0, k])) == 2:
            whole = np.flatnonzero(other.labels[:, k] != 0)
            for _ in range(options.draws):
                rows.setdefault("other", []).append(measured(other, rng.choice(whole, options.faces)))
    print(
        f"{'faces':12}{'batches':>9}{'mean probability off':>22}{'estimate off':>14}{'interval holds':>16}{'denied':>9}"
    )
    for name, found in rows.items():
        mean, estimate, holds, denied = np.mean(found, axis=0)
        elsewhere = np.mean([row[1] for row in found if not row[3]])
        print(
            f"{name:12}{len(found):9}{mean:22.3f}{estimate:14.3f}{holds:16.1%}{denied:9.1%}{elsewhere:24.3f}"
        )


if __name__ == "__main__":
    main()
