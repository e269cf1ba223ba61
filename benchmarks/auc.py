"""AUC with DeLong's interval, 47 attributes x 160,000 templates, beside scikit-learn in the same process.

    python benchmarks/auc.py [--templates 160000] [--attributes 47] [--repeats 3]

Scores are float32, one label in ten is unknown, 2 to 60 % of the rest are positive. All contenders leave the
unknown out, attribute by attribute. They take turns, so that a busy machine slows all of them alike; the
median of the repeats counts. The bootstrap is timed over two rounds and scaled to 200.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from clip_smu.metrics import auc, delong

BOOTSTRAP_ROUNDS, TIMED_ROUNDS = 200, 2
FLOOR_BOOTSTRAP, FLOOR_ALONE = 500, 3.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--templates", type=int, default=160_000)
    parser.add_argument("--attributes", type=int, default=47)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    scores, labels, identity = simulate(options.templates, options.attributes)
    doubles = scores.astype(np.float64)
    contenders: dict[str, Callable[[], object]] = {
        "delong": lambda: delong(scores, labels),
        "auc": lambda: auc(scores, labels),
        "delong, float64": lambda: delong(doubles, labels),
        "delong, identity": lambda: delong(scores, labels, identity=identity),
        "sklearn": lambda: sklearn_auc(scores, labels),
        "sklearn bootstrap": lambda: sklearn_bootstrap(scores, labels),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.repeats):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender()
            times[name].append(time.perf_counter() - start)
    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    bootstrap = seconds["sklearn bootstrap"] * BOOTSTRAP_ROUNDS / TIMED_ROUNDS
    ours = seconds["delong"]

    worst = float(np.abs(auc(scores, labels).value - sklearn_auc(scores, labels)).max())
    print(
        f"{options.attributes} attributes x {options.templates:,} templates, {os.cpu_count()} cores, "
        f"NumPy {np.__version__}, scikit-learn {sklearn.__version__}, median of {options.repeats}"
    )
    print(f"largest difference from scikit-learn's AUC: {worst:.1e}")
    print(f"delong, AUC and interval                     {ours:9.3f} s")
    print(f"delong of float64 scores                     {seconds['delong, float64']:9.3f} s")
    print(f"delong with identities (Obuchowski)          {seconds['delong, identity']:9.3f} s")
    print(f"auc alone                                    {seconds['auc']:9.3f} s")
    print(
        f"scikit-learn, no interval                    {seconds['sklearn']:9.3f} s "
        f"{seconds['sklearn'] / ours:7.1f} x delong (floor {FLOOR_ALONE})"
    )
    print(
        f"scikit-learn, {BOOTSTRAP_ROUNDS} rounds ({TIMED_ROUNDS} timed, scaled)  {bootstrap:9.0f} s "
        f"{bootstrap / ours:7.0f} x delong (floor {FLOOR_BOOTSTRAP})"
    )


def simulate(
    templates: int, attributes: int
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.int64]]:
    """(N, K) scores, (N, K) labels, (N,) identities."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0.02, 0.6, attributes)
    labels = np.where(rng.random((templates, attributes)) < share, 1, -1).astype(np.int8)
    scores = (rng.normal(size=labels.shape) + 0.8 * labels).astype(np.float32)
    labels[rng.random(labels.shape) < 0.1] = 0
    return scores, labels, rng.integers(max(templates // 18, 1), size=templates)


def sklearn_auc(scores: NDArray[np.float32], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """(K,) AUCs."""
    areas = []
    for k in range(labels.shape[1]):
        known = labels[:, k] != 0
        areas.append(roc_auc_score(labels[known, k], scores[known, k]))
    return np.array(areas)


def sklearn_bootstrap(scores: NDArray[np.float32], labels: NDArray[np.int8]) -> None:
    """The usual loop: resample the known photos of each attribute, AUC, again."""
    rng = np.random.default_rng(0)
    for k in range(labels.shape[1]):
        known = np.flatnonzero(labels[:, k])
        of_known, truth = scores[known, k], labels[known, k]
        for _ in range(TIMED_ROUNDS):
            drawn = rng.integers(len(known), size=len(known))
            roc_auc_score(truth[drawn], of_known[drawn])


if __name__ == "__main__":
    main()
