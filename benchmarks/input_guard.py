"""What the input guard lets in and keeps out: fitted on training persons, measured on others, at home and away.

    python benchmarks/input_guard.py NAME=TRAIN_TEMPLATES ... --train LIST --test LIST [--away NAME=TEMPLATES ...]

For each encoder: the share of real rows refused (of the test list, and of another data set), and the share of rows
let in that are no templates of it: noise with the numbers' own spread, white noise, rows with permuted numbers or
flipped signs, and the other encoders' templates of the same length.
Bars: at most 0.5 % refused, at most 0.1 % let in.
"""

from __future__ import annotations

import argparse

import numpy as np

from clip_smu.arrays import Float32s
from clip_smu.labels.lists import read_list
from clip_smu.photos.names import match
from clip_smu.templates import Templates, read_templates
from clip_smu.templates.likeness import measure_likeness


def listed(table: Templates, path: str) -> Templates:
    """The main faces of the photos on a list."""
    at = match(table.images, read_list(path)).at
    return table.take(np.flatnonzero((at >= 0) & (table.faces == 0)))


def strangers(real: Float32s, seed: int = 0) -> dict[str, Float32s]:
    """Rows that are no templates, each of about a real one's length."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(real, max(1, 20_000 // len(real)), axis=0)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    white = rng.normal(size=rows.shape)
    return {
        "white noise": (white / np.linalg.norm(white, axis=1, keepdims=True) * length).astype(np.float32),
        "noise of each number's spread": (
            rows.mean(axis=0) + rng.normal(size=rows.shape) * rows.std(axis=0)
        ).astype(np.float32),
        "numbers permuted": rng.permuted(rows, axis=1),
        "one permutation for all": rows[:, rng.permutation(rows.shape[1])],
        "signs flipped at random": rows * rng.choice(np.float32([-1, 1]), rows.shape),
        "all signs flipped": -rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", nargs="+", metavar="NAME=TEMPLATES")
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--away", nargs="*", default=[], metavar="NAME=TEMPLATES")
    options = parser.parse_args()
    home = {name: read_templates(path) for name, path in (one.split("=", 1) for one in options.home)}
    away = {name: read_templates(path) for name, path in (one.split("=", 1) for one in options.away)}
    print(f"{'encoder':8} {'rows':38} {'number':>8} {'refused':>9} {'let in':>9}")
    for name, table in home.items():
        known = listed(table, options.train)
        likeness = measure_likeness(known.vectors, [image.split("/")[-2] for image in known.images])
        assert likeness is not None
        test = listed(table, options.test).vectors

        def line(what: str, vectors: Float32s, real: bool, name: str = name, likeness=likeness) -> None:  # type: ignore[no-untyped-def]
            share = likeness.holds(np.ascontiguousarray(vectors, dtype=np.float32)).mean()
            figures = (
                f"{1 - share:9.3%} {'':>9}" if real else f"{'':>9} {share:9.3%}"
            )  # one figure a row: what would be wrong there
            print(f"{name:8} {what:38} {len(vectors):8d} {figures}")

        line("test list", test, True)
        line("test list, as float16", test.astype(np.float16).astype(np.float32), True)
        scale = np.abs(test).max(axis=1, keepdims=True) / 127
        line("test list, as int8", np.round(test / scale), True)
        if name in away:
            line("another data set", away[name].vectors, True)
        for what, rows in strangers(test).items():
            line(what, rows, False)
        for other, rows in home.items():
            if other != name and rows.vectors.shape[1] == test.shape[1]:
                line(f"templates of {other}", rows.vectors, False)
        for other, rows in away.items():
            if other != name and rows.vectors.shape[1] == test.shape[1]:
                line(f"templates of {other}, another data set", rows.vectors, False)


if __name__ == "__main__":
    main()
