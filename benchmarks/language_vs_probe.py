"""The language reading beside a converged L2 logistic regression, same templates, same lists.

    python benchmarks/language_vs_probe.py TEMPLATES LABELS.csv --train LIST --test LIST [--method NAME] [--csv FILE]

The probe: one logistic regression an attribute on standardised templates, C swept over 13 values by 3
identity-disjoint folds of the train list, then fitted to all of it until converged (`clip_smu.metrics.logistic`, whose
optimum is scikit-learn's: `benchmarks/probes.py`). Labels of 0 are left out. Intervals: 95 %, of 200 draws of persons.
Bars: language minus the probe at least 0 in the mean; no attribute worse by more than .03.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from clip_smu import load_interpreter, read_templates
from clip_smu.interpreter.evidence import verdict_errors
from clip_smu.labels.join import join
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import auc
from clip_smu.metrics.logistic import choose_c, fit_logistic
from clip_smu.words.attributes import NAMES

STRENGTHS = np.logspace(-4, 2, 13).tolist()
DRAWS = 200


def standardised(x: np.ndarray, like: np.ndarray) -> np.ndarray:
    spread = like.std(axis=0)
    return (x - like.mean(axis=0)) / np.where(spread > 1e-8, spread, 1)


def gaps_by_draw(
    language: np.ndarray, probe: np.ndarray, labels: np.ndarray, people: np.ndarray
) -> np.ndarray:
    """(DRAWS, K) language minus probe, of persons drawn with replacement."""
    rng, (names, of) = np.random.default_rng(0), np.unique(people, return_inverse=True)
    rows_of = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of))[:-1])
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([rows_of[k] for k in rng.integers(len(names), size=len(names))])
        drawn.append(auc(language[rows], labels[rows]).value - auc(probe[rows], labels[rows]).value)
    return np.array(drawn)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("templates")
    parser.add_argument("labels")
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--method", default="dlib-faces")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    interpreter = load_interpreter(options.method)
    templates, labels = read_templates(options.templates), read_labels(options.labels)
    train, test = (join(templates, labels, read_list(file)) for file in (options.train, options.test))
    seen, faces = train.templates.vectors.astype(np.float64), test.templates.vectors
    x, x_test = standardised(seen, seen), standardised(faces.astype(np.float64), seen)
    strength = choose_c(x, train.labels, train.templates.identities, STRENGTHS)
    weights, bias = fit_logistic(x, train.labels, strength)
    reader, _ = interpreter.for_batch(faces)
    language, probe = reader.score(faces).astype(np.float64), x_test @ weights.T + bias
    both = [auc(scores, test.labels).value for scores in (language, probe)]
    gap = both[0] - both[1]
    draws = gaps_by_draw(language, probe, test.labels, np.array(test.templates.identities))
    low, high = np.nanpercentile(np.nan_to_num(draws), [2.5, 97.5], axis=0)
    rows = [
        (name, *(float(part[k]) for part in (*both, gap, low, high)))
        for k, name in enumerate(NAMES)
        if not np.isnan(gap[k])
    ]
    print(f"{len(x)} train faces, {len(x_test)} test faces; AUC on the test list; read {reader.at or 'away'}")
    print(f"{'attribute':24}{'language':>10}{'probe':>10}{'gap':>9}   95 %")
    for name, *figures in rows:
        print("{:24}{:10.4f}{:10.4f}{:+9.4f}   {:+.4f} to {:+.4f}".format(name, *figures))
    means = np.nanpercentile(np.nanmean(draws, axis=1), [2.5, 97.5])
    print(
        f"{'mean':24}{np.nanmean(both[0]):10.4f}{np.nanmean(both[1]):10.4f}{np.nanmean(gap):+9.4f}   "
        f"{means[0]:+.4f} to {means[1]:+.4f}   worst {np.nanmin(gap):+.4f}; ahead on {np.sum(gap > 0)} of {len(rows)}"
    )
    coherent = reader.places is not None
    for key, value in verdict_errors(
        reader.calibration, language, test.labels, reader.error_rate, coherent=coherent
    ).items():
        print(f"{key}: {value:.4f}" if value is not None else f"{key}: none")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("attribute", "language", "probe", "gap", "low", "high"), *rows])


if __name__ == "__main__":
    main()
