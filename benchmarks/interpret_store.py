"""Interpreting stored templates, Parquet to Parquet, against the bare floor of the same reading and writing.

    python benchmarks/interpret_store.py [--templates 1000000] [--rounds 5]

The floor: PyArrow reads the same shards, NumPy multiplies (N x 128) by (128 x 94) for the 47 positive and 47
negative prompts, PyArrow writes columns of the same types and sizes, already computed. Bar: at least 40 % of its
rate, and memory that does not grow with the number of templates (each size in a process of its own). Last,
`clip-smu ask` of the same store beside `clip-smu interpret -o`, as commands: ranking by a question takes about as
long as reading.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clip_smu.encoders.locate import card
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.interpreter.store_readings import interpret_store
from clip_smu.templates.bounds import BATCH_ROWS
from clip_smu.templates.shards import save_templates

SHARD = 250_000
QUESTIONS = ("glasses", "an old man with glasses", "an old man with glasses and no tie")


def make_store(folder: Path, count: int) -> None:
    rng, face = (
        np.random.default_rng(0),
        load_interpreter().centre,
    )  # what lies elsewhere is no template of dlib
    folder.mkdir()
    for start in range(0, count, SHARD):
        rows = min(SHARD, count - start)
        names = [f"person{row // 4}/{row}.jpg" for row in range(start, start + rows)]
        vectors = face + 0.003 * rng.standard_normal((rows, 128), dtype=np.float32)
        save_templates(folder / f"part-{start // SHARD:05d}.parquet", vectors, names, card("dlib"))


def ours(store: Path, output: Path) -> None:
    interpret_store(load_interpreter(), store, output)


def floor(store: Path, output: Path) -> None:
    output.mkdir()
    prompts = np.random.default_rng(0).standard_normal((128, 94), dtype=np.float32)
    numbers = np.zeros((BATCH_ROWS, 47), dtype=np.float32)
    verdicts = np.zeros((BATCH_ROWS, 47), dtype=np.int8)

    def lists(array: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), 47)

    names = ["image", "face", "scores", "probabilities", "verdicts"]
    for file in sorted(store.glob("*.parquet")):
        writer = None
        for batch in pq.ParquetFile(file, memory_map=True).iter_batches(
            BATCH_ROWS, columns=["image", "face", "template"]
        ):
            vectors = batch.column("template").flatten().to_numpy().reshape(-1, 128)
            products = vectors @ prompts
            rows = len(products)
            numbers[:rows] = products[:, :47]
            columns = [lists(numbers[:rows]), lists(numbers[:rows]), lists(verdicts[:rows])]
            table = pa.Table.from_arrays([batch.column("image"), batch.column("face"), *columns], names)
            if writer is None:
                writer = pq.ParquetWriter(
                    output / file.name,
                    table.schema,
                    compression="none",
                    use_dictionary=["image"],
                    write_statistics=False,
                )
            writer.write_table(table)
        if writer is not None:
            writer.close()


def seconds_of(*words: object) -> float:
    """Of processor time, on all cores, of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "clip_smu", *map(str, words)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:  # in a process of its own: the peak memory of one job
        ours(options.peak, options.peak.parent / "peak")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch) / "store"
        make_store(store, options.templates)
        seconds: dict[str, list[float]] = {"ours": [], "floor": []}
        for _ in range(options.rounds + 1):  # the first round is not counted
            for name, job in (("ours", ours), ("floor", floor)):
                output = Path(scratch) / name
                started = time.perf_counter()
                job(store, output)
                seconds[name].append(time.perf_counter() - started)
                shutil.rmtree(output)
        ratios = [f / o for o, f in zip(seconds["ours"][1:], seconds["floor"][1:], strict=True)]
        rates = {name: options.templates / statistics.median(times[1:]) for name, times in seconds.items()}
        print(
            f"{options.templates} templates: clip-smu {rates['ours'] / 1e6:.2f} M/s, "
            f"bare floor {rates['floor'] / 1e6:.2f} M/s, "
            f"share {statistics.median(ratios):.0%} ({min(ratios):.0%} to {max(ratios):.0%}; bar: 40 % or more)"
        )
        read = seconds_of("interpret", store, "-o", Path(scratch) / "read")
        told = [f"{question!r} {seconds_of('ask', question, store):.2f} s" for question in QUESTIONS]
        print(f"processor time of interpret -o {read:.2f} s; of ask: {', '.join(told)}")
        for count in (options.templates // 4, options.templates):
            small = Path(scratch) / f"peak{count}" / "store"
            small.parent.mkdir()
            make_store(small, count)
            peak = subprocess.run(
                [sys.executable, __file__, "--peak", small], capture_output=True, text=True, check=True
            )
            print(f"peak memory for {count} templates: {peak.stdout.strip()} MB")


if __name__ == "__main__":
    main()
