"""The language reading beside a converged L2 logistic regression, same templates, same lists.

    python benchmarks/language_vs_probe.py TEMPLATES LABELS.csv --train LIST --test LIST [--method dlib-lfw]

The probe: scikit-learn's LogisticRegression on standardised templates, one an attribute, C swept over 13 values by
3 identity-disjoint folds of the train list, then fitted to all of it until converged. Labels of 0 are left out.
Bars: mean gap at most 0.006, no attribute worse by more than 0.03; calibration error (15 bins) pooled at most 0.01,
mean over attributes at most 0.035.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from clip_smu import load_interpreter, read_templates
from clip_smu.interpreter.evidence import verdict_errors
from clip_smu.labels.join import join
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.words.attributes import NAMES

STRENGTHS = np.logspace(-4, 2, 13)


def probe_scores(x: np.ndarray, y: np.ndarray, groups: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Decision values on the test faces of the probe with the best C."""

    def held_out_auc(strength: float) -> float:
        scores = np.zeros(len(y))
        for inside, outside in GroupKFold(3).split(x, y, groups):
            model = LogisticRegression(C=strength, max_iter=5000).fit(x[inside], y[inside])
            scores[outside] = model.decision_function(x[outside])
        return roc_auc_score(y, scores)

    best = max(STRENGTHS, key=held_out_auc)
    return LogisticRegression(C=best, max_iter=10_000, tol=1e-6).fit(x, y).decision_function(x_test)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("templates")
    parser.add_argument("labels")
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--method", default="dlib-lfw")
    options = parser.parse_args()
    interpreter = load_interpreter(options.method)
    templates, labels = read_templates(options.templates), read_labels(options.labels)
    train, test = (join(templates, labels, read_list(file)) for file in (options.train, options.test))
    scaler = StandardScaler().fit(train.templates.vectors)
    x, x_test = scaler.transform(train.templates.vectors), scaler.transform(test.templates.vectors)
    people = np.array(train.templates.identities)
    scores = interpreter.interpret(test.templates.vectors).scores
    gaps = []
    print(f"{len(x)} train faces, {len(x_test)} test faces; AUC on the test list, machine-made labels")
    print(f"{'attribute':24}{'language':>10}{'probe':>10}{'gap':>9}")
    for k, name in enumerate(NAMES):
        known, known_test = train.labels[:, k] != 0, test.labels[:, k] != 0
        y, y_test = train.labels[known, k] > 0, test.labels[known_test, k] > 0
        language = roc_auc_score(y_test, scores[known_test, k])
        probe = roc_auc_score(y_test, probe_scores(x[known], y, people[known], x_test[known_test]))
        gaps.append((probe - language, language, probe))
        print(f"{name:24}{language:10.4f}{probe:10.4f}{probe - language:+9.4f}")
    mean_gap, mean_language, mean_probe = np.mean(gaps, axis=0)
    print(f"{'mean':24}{mean_language:10.4f}{mean_probe:10.4f}{mean_gap:+9.4f}   (bar: +0.006)")
    print(f"worst gap {max(gaps)[0]:+.4f} (bar: +0.03)")
    for key, value in verdict_errors(
        interpreter.calibration, scores, test.labels, interpreter.error_rate
    ).items():
        print(f"{key}: {value:.4f}")


if __name__ == "__main__":
    main()
