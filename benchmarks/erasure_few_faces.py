"""Erasers fitted to few faces, with and without shrinkage: how far they move others, and what is still read of them.

    python benchmarks/erasure_few_faces.py TEMPLATES LABELS.csv [--attribute Male] [--faces 150 450 1500 4000]

Photos of half of the persons fit the erasers and, all of them, a fresh linear probe of the erased templates; the other
half is read.
"""

from __future__ import annotations

import argparse

import numpy as np

from clip_smu.evaluation.erasure import eraser, leace
from clip_smu.labels.join import join
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import auc
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import fit_logistic
from clip_smu.templates import read_templates
from clip_smu.words.attributes import INDEX, by_name


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("templates")
    options.add_argument("labels")
    options.add_argument("--attribute", default="Male")
    options.add_argument("--faces", type=int, nargs="+", default=[150, 450, 1500, 4000])
    given = options.parse_args()
    name = by_name(given.attribute).name
    faces = join(read_templates(given.templates), read_labels(given.labels), None)
    units = leace.unit(faces.templates.vectors)
    column = faces.labels[:, [INDEX[name]]]
    half = identity_folds(faces.templates.identities, 2, 0)
    known = np.flatnonzero(column[:, 0] != 0)
    fitted, tested = (known[half[known] == side] for side in (0, 1))

    def read(x: np.ndarray, y: np.ndarray) -> float:
        """AUC of a linear probe of the rows x for the rows y."""
        mean, spread = x.mean(axis=0), x.std(axis=0)
        weights, bias = fit_logistic(((x - mean) / spread).astype(np.float32), column[fitted], 0.01)
        return float(auc(((y - mean) / spread) @ weights.T + bias, column[tested]).value[0])

    print(f"{name}: {len(fitted)} training faces, {len(tested)} test faces, {units.shape[1]} numbers")
    print(f"not erased: AUC {read(units[fitted], units[tested]):.3f}")
    for count in given.faces:
        rows = np.random.default_rng(0).permutation(fitted)[:count]
        for few in (0, eraser.FEW):
            eraser.FEW = few
            made = eraser.fit_eraser(units[rows], column[rows], [name])
            a, b = (made.apply(units[side]).astype(np.float64) for side in (fitted, tested))
            moved = np.linalg.norm(b - units[tested], axis=1).mean()
            shrunk = made.provenance["shrinkage"]
            print(f"{count} faces, shrinkage {shrunk:.2f}: moved {moved:.3f}, AUC {read(a, b):.3f}")
        eraser.FEW = 5


if __name__ == "__main__":
    main()
