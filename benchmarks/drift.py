"""Does an interpreter notice that it is not at home? False alarms at home, strangers found, parts of a home.

    python benchmarks/drift.py --home LFW=TEMPLATES,LABELS.csv,TRAIN --home CelebA=TEMPLATES,LABELS.csv,TRAIN

The persons of each list are dealt in three: one part is the home, one is read as strangers to it; the third and the
home give the attributes' axes, as in a fit. A row of the table: of ``--draws`` batches of so many faces, drawn by photo
from the persons of the strangers, or person by person until there are enough, over ``--deals`` deals. Bars: the same
home away in at most 1 %, the other away in at least 99 % from 100 faces on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from clip_smu import read_templates
from clip_smu.interpreter.axes import attribute_axes
from clip_smu.interpreter.drift import Drift, find_home
from clip_smu.interpreter.home import Home, measure_home
from clip_smu.interpreter.places import marks
from clip_smu.labels.join import join
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.words.attributes import NAMES


@dataclass(frozen=True)
class Faces:
    vectors: np.ndarray
    labels: np.ndarray
    people: np.ndarray

    def of(self, rows: np.ndarray) -> Faces:
        return Faces(self.vectors[rows], self.labels[rows], self.people[rows])


def faces_of(templates: str, labels: str, part: str) -> Faces:
    joined = join(read_templates(templates), read_labels(labels), read_list(part))
    return Faces(joined.templates.vectors, joined.labels, np.array(joined.templates.identities))


def by_person(people: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of whole persons, until there are n."""
    order = rng.permutation(np.unique(people))
    return np.concatenate([np.flatnonzero(people == person) for person in order[:n]])[:n]


def batches(faces: Faces, n: int, draws: int, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    for _ in range(draws):
        if n <= len(faces.people):
            yield "by photo", rng.permutation(len(faces.people))[:n]
            yield "by person", by_person(faces.people, n, rng)


def sub_populations(faces: Faces) -> dict[str, np.ndarray]:
    def having(name: str, value: int) -> np.ndarray:
        return np.flatnonzero(faces.labels[:, NAMES.index(name)] == value)

    who, photos = np.unique(faces.people, return_counts=True)
    one = np.flatnonzero(faces.people == who[np.argmax(photos)])
    return {
        "women": having("Male", -1),
        "men": having("Male", 1),
        "seniors": having("Senior", 1),
        "no youth": having("Young", -1),
        "eyeglasses": having("Eyeglasses", 1),
        "one person": one[:200],
        "ten persons": by_person(faces.people, 10**9, np.random.default_rng(1))[:0]
        if photos.max() < 10
        else np.flatnonzero(np.isin(faces.people, who[np.argsort(-photos)[:10]])),
    }


class Table:
    """Counts of what was said, row by row."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str, int], list[tuple[Drift, str]]] = {}

    def add(self, read: str, home: str, how: str, n: int, drift: Drift) -> None:
        self.rows.setdefault((read, home, how, n), []).append((drift, home))

    def show(self) -> None:
        print(f"{'read':12}{'home':10}{'drawn':12}{'faces':>6}{'n':>6}{'home %':>8}{'away %':>8}{'neither':>8}"
              f"{'distance: median, 99 %':>24}{'persons':>9}  shifted most often")  # fmt: skip
        for (read, home, how, n), found in self.rows.items():
            drifts = [drift for drift, _ in found]
            at_home = np.mean([drift.home is not None for drift in drifts])
            away = np.mean([drift.away for drift in drifts])
            neither = np.mean([drift.home is None and not drift.away for drift in drifts])
            distance = [drift.distances.get(home, np.nan) for drift in drifts]
            names, counts = np.unique(
                [name for drift in drifts for name in drift.shifted], return_counts=True
            )
            most = ", ".join(names[np.argsort(-counts, kind="stable")][:3])
            print(f"{read:12}{home:10}{how:12}{n:6}{len(drifts):6}{at_home:8.1%}{away:8.1%}{neither:8.1%}"
                  f"{np.median(distance):15.2f}{np.quantile(distance, 0.99):9.2f}"
                  f"{np.median([drift.persons for drift in drifts]):9.0f}  {most}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", action="append", required=True, help="NAME=TEMPLATES,LABELS,LIST")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--deals", type=int, default=10)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 300, 1000])
    options = parser.parse_args()
    homes = {
        name: faces_of(*files.split(",")) for name, files in (text.split("=", 1) for text in options.home)
    }
    alone, together, parts = Table(), Table(), Table()
    for deal in range(options.deals):
        rng = np.random.default_rng(deal)
        folds = {name: identity_folds(faces.people.tolist(), 3, deal) for name, faces in homes.items()}
        taught = [faces.of(folds[name] != 2) for name, faces in homes.items()]
        axes = attribute_axes(
            *(np.vstack([getattr(one, what) for one in taught]) for what in ("vectors", "labels"))
        )
        score = partial(marks, axes=axes)

        def measured(name: str, faces: Faces) -> Home:
            return measure_home(name, faces.vectors, score(faces.vectors), faces.people.tolist())  # noqa: B023

        known = {name: measured(name, faces.of(folds[name] == 1)) for name, faces in homes.items()}
        strange = {name: faces.of(folds[name] == 2) for name, faces in homes.items()}
        for read, faces in strange.items():
            for n in options.sizes:
                for how, rows in batches(faces, n, options.draws, rng):
                    batch = faces.vectors[rows], score(faces.vectors[rows])
                    for name, home in known.items():
                        alone.add(read, name, how, n, find_home([home], *batch))
                    together.add(read, read, how, n, find_home(list(known.values()), *batch))
            for what, rows in sub_populations(faces).items():
                vectors = faces.vectors[rows]
                if len(rows) >= 50:
                    parts.add(what, read, "whole", 0, find_home([known[read]], vectors, score(vectors)))
        if len(strange) == 2:
            for n in options.sizes:
                mixed = np.vstack(
                    [
                        faces.vectors[rng.permutation(len(faces.people))[: n // 2]]
                        for faces in strange.values()
                    ]
                )
                drift = find_home(list(known.values()), mixed, score(mixed))
                parts.add("half, half", next(iter(known)), "by photo", n, drift)
    for name, home in known.items():
        for read, faces in strange.items():
            units = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
            square = len(home.mean) * home.distance(units, score(faces.vectors), 1.0)
            print(f"squared distance of {read} from the home {name}: {square:.2f} (last deal)")
    print("\nOne home at a time")
    alone.show()
    print("\nAll homes to choose from")
    together.show()
    print("\nParts of a home, and mixtures")
    parts.show()


if __name__ == "__main__":
    main()
