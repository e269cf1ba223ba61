"""47 logistic regressions on 8,000 x 512 templates, all at once, beside scikit-learn's one after another.

    python benchmarks/probes.py [TEMPLATES LABELS.csv --train LIST --test LIST] [--threads 1] [--sweep]

Without templates: made-up correlated ones of that shape, with 47 labels of which 40 % are unknown. Both contenders get
the same standardised float32 templates, the same C, tolerance and threads; scikit-learn, with its default solver
(lbfgs), gets the rows with a known label, and once more in float64. The table also tells the largest
difference, over the attributes, of the held-out AUC between the two: at most 0.001 where both are converged.
CPU seconds, for other work on the machine slows wall clocks; wall seconds beside them. ``--sweep`` times the
choice of C as well: 7 values by 3 folds of persons.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import sklearn
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from clip_smu import read_templates
from clip_smu.labels.join import join
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import auc
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import choose_c, fit_logistic

STRENGTHS = np.logspace(-4, 2, 7)
BAR = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("templates", nargs="?")
    parser.add_argument("labels", nargs="?")
    parser.add_argument("--train")
    parser.add_argument("--test")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sweep", action="store_true")
    options = parser.parse_args()
    if options.templates:
        x, x_test, y, people, y_test = stored(options.templates, options.labels, options.train, options.test)
        what = "stored templates, machine-made labels"
    else:
        x, x_test, y, people, y_test = made_up()
        what = "made-up templates"
    print(
        f"{what}: {x.shape[0]:,} x {x.shape[1]}, {y.shape[1]} attributes, {np.mean(y == 0):.0%} of the labels unknown, "
        f"{options.threads} thread(s), tolerance {options.tolerance:g}, NumPy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}"
    )
    print(f"{'':16}{'':>22}{'CPU s':>9}{'wall s':>9}{'CPU ratio':>11}{'wall ratio':>11}   AUC differs by")
    with threadpool_limits(limits=options.threads):
        for c in (0.01, 0.1, 1.0):
            contenders = {
                "ours": lambda c=c: fit_logistic(x, y, c, tolerance=options.tolerance),
                "scikit-learn": lambda c=c: one_by_one(x, y, c, options.tolerance),
                "scikit-learn float64": lambda c=c: one_by_one(x.astype(np.float64), y, c, options.tolerance),
            }
            report(f"C = {c:g}", contenders, options.repeats, lambda found: areas(found, x_test, y_test))
        if options.sweep:
            contenders = {
                "ours": lambda: choose_c(x, y, people, STRENGTHS, 3, 0, tolerance=options.tolerance),
                "scikit-learn": lambda: sweep_one_by_one(x, y, people, options.tolerance),
            }
            report(
                "sweep of 7 C",
                contenders,
                1,
                lambda chosen: areas(fit_logistic(x, y, chosen), x_test, y_test),
            )


def report(
    name: str,
    contenders: dict[str, Callable[[], object]],
    repeats: int,
    measure: Callable[[object], np.ndarray],
) -> None:
    """Times the contenders in turns; medians, ratios to the first, and how far their AUCs are from its."""
    times: dict[str, list[tuple[float, float]]] = {key: [] for key in contenders}
    found = {}
    for turn in range(repeats):
        for key, run in contenders.items():
            if turn and key.endswith("float64"):
                continue
            cpu, wall = time.process_time(), time.perf_counter()
            found[key] = run()
            times[key].append((time.process_time() - cpu, time.perf_counter() - wall))
    ours = np.median(times["ours"], axis=0)
    of_ours = measure(found["ours"])
    for key in contenders:
        cpu, wall = taken = np.median(times[key], axis=0)
        ratio = taken / ours
        line = f"{name:16}{key:>22}{cpu:9.3f}{wall:9.3f}"
        if key != "ours":
            differs = float(np.nanmax(np.abs(measure(found[key]) - of_ours)))
            line += f"{ratio[0]:11.1f}{ratio[1]:11.1f}   {differs:.1e} (bar: {BAR:g} x)"
        print(line, flush=True)


def one_by_one(x: np.ndarray, y: np.ndarray, c: float, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's (K, d) weights and (K,) intercepts."""
    weights, bias = [], []
    for k in range(y.shape[1]):
        known = y[:, k] != 0
        model = LogisticRegression(C=c, tol=tolerance, max_iter=20_000).fit(x[known], y[known, k])
        weights.append(model.coef_[0])
        bias.append(model.intercept_[0])
    return np.array(weights), np.array(bias)


def sweep_one_by_one(x: np.ndarray, y: np.ndarray, people: list[str], tolerance: float) -> np.ndarray:
    """(K,) best C by the AUC of all held-out folds together, as `choose_c`."""
    fold_of = identity_folds(people, 3, 0)
    scores = np.zeros((len(STRENGTHS), *y.shape))
    for fold in range(3):
        inside, outside = fold_of != fold, fold_of == fold
        for s, c in enumerate(STRENGTHS):
            weights, bias = one_by_one(x[inside], y[inside], c, tolerance)
            scores[s, outside] = x[outside] @ weights.T + bias
    return STRENGTHS[np.nanargmax([auc(one, y).value for one in scores], axis=0)]


def areas(found: tuple[np.ndarray, np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(K,) held-out AUCs."""
    weights, bias = found
    return auc(x.astype(np.float64) @ weights.T + bias, y).value


def stored(templates: str, labels: str, train: str, test: str) -> tuple[np.ndarray, ...]:
    table, rows = read_templates(templates), read_labels(labels)
    known, checked = (join(table, rows, read_list(file)) for file in (train, test))
    units = [
        part.templates.vectors / np.linalg.norm(part.templates.vectors, axis=1, keepdims=True)
        for part in (known, checked)
    ]
    return (*standardised(*units), known.labels, known.templates.identities, checked.labels)


def made_up() -> tuple[np.ndarray, ...]:
    """Templates with a spectrum that falls like real ones', labels linear in them with noise, two photos a person."""
    rng = np.random.default_rng(0)
    n, d, attributes = 11_000, 512, 47
    spectrum = 1 / np.sqrt(1 + np.arange(d) / 20)
    vectors = (rng.normal(size=(n, d)) * spectrum) @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    readings = vectors @ rng.normal(size=(d, attributes))
    readings /= readings.std(axis=0)
    readings += rng.normal(size=readings.shape)
    share = rng.uniform(0.03, 0.6, attributes)
    y = np.where(readings > norm.ppf(1 - share) * readings.std(axis=0), 1, -1).astype(np.int8)
    y[rng.random(y.shape) < 0.4] = 0
    people = [f"p{row // 2}" for row in range(8000)]
    x, x_test = standardised(vectors[:8000], vectors[8000:])
    return x, x_test, y[:8000], people, y[8000:]


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = train.mean(axis=0), train.std(axis=0)
    return ((train - mean) / spread).astype(np.float32), ((test - mean) / spread).astype(np.float32)


if __name__ == "__main__":
    main()
