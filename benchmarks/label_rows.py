"""MAAD-Face's size of labels (3.3 million rows of 47) read and turned into the paper's captions, against pandas.

    python benchmarks/label_rows.py [--rows 3300000] [--rounds 3] [--source ../shared/data/lfw/lfw_maad47.csv]

The csv is synthetic, in MAAD_Face.csv's form: names like n000002/0001_01.jpg, 362 photos a person. A row is one
of the LFW rows with each label, at a chance of 1 %, taken from another of them (real MAAD-Face repeats itself in
about 92 % of its captions, by the paper; the share here is printed). Without LFW, rows are drawn with MAAD-like
rates: 25 % yes, 60 % no.

Both sides hold all names, labels and captions in memory at the end; a hash of all captions says that they are the
same. Each job runs in a process of its own; its peak is that process's. Two ways of pandas are timed, and the
quicker one is the peer: a caption for every row, and for every distinct row with a merge back; captions of single
rows are in both our own Python function. Processor seconds stand beside the wall's: other work on the machine
stretches these. Bar: at most 2 GiB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from clip_smu.labels.captions import paper_captions, unique_captions
from clip_smu.labels.reading import read_labels
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import paper_caption

PHOTOS_A_PERSON = 362
CHUNK = 100_000
BAR = 2048  # MiB
KEYS = ("read", "captions", "wall", "cpu", "read cpu", "peak")
WAYS = ("clip-smu", "pandas, every row", "pandas, distinct rows")


def write_rows(path: Path, count: int, source: Path) -> str:
    """Writes the csv in pieces; says what it was made of."""
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(0)
    if source.exists():
        pool, made_of = read_labels(source).values, "rows of LFW's machine-made labels"
    else:
        pool = rng.choice(np.array([1, -1, 0], np.int8), (10_000, len(NAMES)), p=[0.25, 0.6, 0.15])
        made_of = "random rows"
    with path.open("wb") as file:
        file.write((",".join(("Filename", "Identity", *NAMES)) + "\n").encode())
        for start in range(0, count, CHUNK):
            rows = np.arange(start, min(start + CHUNK, count))
            people = [f"n{row // PHOTOS_A_PERSON + 2:06d}" for row in rows.tolist()]
            names = [
                f"{person}/{row % PHOTOS_A_PERSON + 1:04d}_01.jpg"
                for person, row in zip(people, rows.tolist(), strict=True)
            ]
            values = pool[rng.integers(0, len(pool), len(rows))]
            other = pool[rng.integers(0, len(pool), values.shape), np.arange(len(NAMES))]
            values = np.where(rng.random(values.shape) < 0.01, other, values)
            columns = [pa.array(names), pa.array(people), *map(pa.array, np.ascontiguousarray(values.T))]
            table = pa.Table.from_arrays(columns, ["Filename", "Identity", *NAMES])
            csv.write_csv(table, file, csv.WriteOptions(include_header=False, quoting_style="none"))
    return made_of


def ours(path: Path) -> dict[str, float | str]:
    started = _clock()
    labels = read_labels(path)
    read = _clock()
    captions = paper_captions(labels.values)
    done, peak = _clock(), _peak()
    digest = hashlib.sha256()
    for chunk in captions.chunks:
        digest.update("\n".join(chunk.to_pylist()).encode() + b"\n")
    distinct = len(unique_captions(labels.values, 0))
    return {**_seconds(started, read, done), "peak": peak, "sha256": digest.hexdigest(), "distinct": distinct}


def peer(path: Path, distinct: bool) -> dict[str, float | str]:
    import pandas as pd

    started = _clock()
    types = {"Filename": str, "Identity": str} | dict.fromkeys(NAMES, np.int8)
    frame = pd.read_csv(path, dtype=types)
    read = _clock()
    names = list(NAMES)
    if distinct:
        once = frame[names].drop_duplicates()
        once["caption"] = [paper_caption(row) for row in once.to_numpy().tolist()]
        captions = frame.merge(once, on=names, how="left")["caption"]
    else:
        captions = pd.Series([paper_caption(row) for row in _rows(frame[names].to_numpy())])
    done, peak = _clock(), _peak()
    digest = hashlib.sha256()
    for start in range(0, len(captions), CHUNK):
        digest.update("\n".join(captions[start : start + CHUNK]).encode() + b"\n")
    return {**_seconds(started, read, done), "peak": peak, "sha256": digest.hexdigest()}


def _rows(values: np.ndarray):  # type: ignore[no-untyped-def]
    for start in range(0, len(values), CHUNK):  # no list of lists of the whole table
        yield from values[start : start + CHUNK].tolist()


def _clock() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def _seconds(started: np.ndarray, read: np.ndarray, done: np.ndarray) -> dict[str, float]:
    (read_wall, read_cpu), (wall, cpu) = read - started, done - started
    return {"read": read_wall, "captions": wall - read_wall, "wall": wall, "cpu": cpu, "read cpu": read_cpu}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB


def measure(way: str, path: Path) -> dict[str, float | str]:
    done = subprocess.run(
        [sys.executable, __file__, "--job", way, "--file", str(path)],
        capture_output=True, text=True, env=os.environ,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float | str] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=3_300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--source", type=Path, default=Path("../shared/data/lfw/lfw_maad47.csv"))
    parser.add_argument("--job", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(
            json.dumps(
                ours(options.file) if options.job == WAYS[0] else peer(options.file, options.job == WAYS[2])
            )
        )
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "MAAD_Face.csv"
        made_of = write_rows(path, options.rows, options.source)
        found = [{way: measure(way, path) for way in WAYS} for _ in range(options.rounds)]
        size = path.stat().st_size / 2**20
    if len({one["sha256"] for round_ in found for one in round_.values()}) != 1:
        raise SystemExit("the captions differ")
    kept = float(found[0][WAYS[0]]["distinct"]) / options.rows
    print(
        f"{options.rows} rows made of {made_of}, {size:.0f} MiB of csv, {kept:.1%} of the captions distinct"
    )
    for way in WAYS:
        row = {key: statistics.median(float(one[way][key]) for one in found) for key in KEYS}
        print(
            f"{way:22} read {row['read']:6.1f} s, captions {row['captions']:6.1f} s; "
            f"processor {row['cpu']:6.1f} s (read {row['read cpu']:.1f}); peak {row['peak']:5.0f} MiB"
        )
    best = min(WAYS[1:], key=lambda way: statistics.median(float(one[way]["wall"]) for one in found))
    ratios = {key: sorted(float(one[best][key]) / float(one[WAYS[0]][key]) for one in found) for key in KEYS}
    peak = max(float(one[WAYS[0]]["peak"]) for one in found)
    wall = ratios["wall"]
    print(
        f"against {best}: {statistics.median(wall):.1f}x the speed ({wall[0]:.1f} to {wall[-1]:.1f}), "
        f"{statistics.median(ratios['cpu']):.1f}x by processor seconds; "
        f"{1 / statistics.median(ratios['peak']):.2f}x the memory; peak {peak:.0f} MiB (bar: at most {BAR})"
    )
    if peak > BAR:
        raise SystemExit("more memory than the bar")


if __name__ == "__main__":
    main()
