"""The whole pipeline decode → align → network against its slowest stage alone, for one ONNX encoder.

    python benchmarks/pipeline.py --encoder onnx:MODEL.onnx --card CARD.toml [--photos 400] [--source PHOTOS]

Each stage is timed alone on as many worker processes as the pipeline gets (each with one thread), over crops or photos
that are in memory; the pipeline is `extract` from files to Parquet, start-up left out (two sizes, the difference
counts). Twice: with landmarks from a file in VGGFace2's form (decode → align → network), and with MTCNN finding them
(decode → detect and align → network), where detection itself costs about as much as a small network. Three rounds,
taken in turns; medians.
Bar: the pipeline reaches at least 85 % of the slowest stage alone on the same cores.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from clip_smu import EncoderOptions, decode, extract, load_encoder
from clip_smu.encoders.locate import own_encoder
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.faces.landmarks import COLUMNS
from clip_smu.photos import iter_photos
from clip_smu.templates.extraction.shards import CHUNK_PHOTOS

ROUNDS = 3


class Stages:
    """One worker's share of the photos, held ready for each stage."""

    def __init__(self, name: str, options: EncoderOptions, photos: list[tuple[str, bytes]]) -> None:
        encoder = load_encoder(name, options)
        if not isinstance(encoder, OnnxEncoder):
            raise SystemExit("this benchmark is for encoders that are ONNX models")
        self.encoder, self.photos = encoder, photos
        self.names = [name for name, _ in photos]
        self.decode()
        self.align()
        self.network()

    def decode(self) -> None:
        self.images = [decode(data) for _, data in self.photos]

    def align(self) -> None:
        self.crops = [
            crop.pixels
            for at in range(0, len(self.images), CHUNK_PHOTOS)
            for found in self.encoder.crops(
                self.images[at : at + CHUNK_PHOTOS], self.names[at : at + CHUNK_PHOTOS]
            )
            for crop in found[:1]
        ]

    def network(self) -> None:
        for at in range(0, len(self.crops), CHUNK_PHOTOS):
            self.encoder.templates(self.crops[at : at + CHUNK_PHOTOS])


def work(
    name: str, options: EncoderOptions, photos: list[tuple[str, bytes]], barrier: Any, orders: Any, done: Any
) -> None:
    """A worker: waits for the name of a stage, runs it together with the others, says that it is done."""
    stages = Stages(name, options, photos)
    done.put("ready")
    while (stage := orders.get()) is not None:
        barrier.wait()
        getattr(stages, stage)()
        done.put(stage)


def measure(name: str, options: EncoderOptions, folder: Path, sizes: list[int], processes: int) -> None:
    photos = {
        size: sorted(
            (str(file.relative_to(folder / f"{size}")), file) for file in (folder / f"{size}").rglob("*.jpg")
        )
        for size in sizes
    }
    ready = [(name, file.read_bytes()) for name, file in photos[sizes[0]]]
    context = multiprocessing.get_context("spawn")
    barrier, done = context.Barrier(processes + 1), context.Queue()
    orders = [context.Queue() for _ in range(processes)]
    workers = [
        context.Process(
            target=work, args=(name, options, ready[part::processes], barrier, orders[part], done)
        )
        for part in range(processes)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        done.get()
    rates: dict[str, list[float]] = {"decode": [], "align": [], "network": [], "pipeline": []}
    for round_ in range(ROUNDS):
        for stage in ("decode", "align", "network"):
            for order in orders:
                order.put(stage)
            barrier.wait()
            started = time.perf_counter()
            for _ in workers:
                done.get()
            rates[stage].append(len(ready) / (time.perf_counter() - started))
        times = []
        for size in sizes:
            started = time.perf_counter()
            output = folder / f"templates-{options.landmarks is None}-{round_}-{size}"
            extract([folder / f"{size}"], output, name, options, processes=processes)
            times.append(time.perf_counter() - started)
        rates["pipeline"].append((sizes[1] - sizes[0]) / (times[1] - times[0]))
    for order in orders:
        order.put(None)
    for worker in workers:
        worker.join()
    medians = {stage: statistics.median(values) for stage, values in rates.items()}
    pipeline = medians.pop("pipeline")
    slowest = min(medians, key=lambda stage: medians[stage])
    ceiling = 1 / sum(1 / rate for rate in medians.values()) / medians[slowest]
    print(
        f"  stages alone, {processes} processes, photos/s: "
        + ", ".join(f"{k} {v:.0f}" for k, v in medians.items())
    )
    print(
        f"  pipeline {pipeline:.0f} photos/s: {pipeline / medians[slowest]:.0%} of the slowest stage ({slowest}) on "
        f"the same cores (bar 85 %; the stages' own work allows {ceiling:.0%}), "
        f"{processes * pipeline / medians[slowest]:.0%} of it on one core"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--source", default="../shared/data/lfw/images.tar")
    given = parser.parse_args()
    name, sizes = own_encoder(given.encoder, given.card), [given.photos, 4 * given.photos]
    encoder = load_encoder(name)
    if not isinstance(encoder, OnnxEncoder):
        raise SystemExit("this benchmark is for encoders that are ONNX models")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (folder / "landmarks.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for photo in itertools.islice(iter_photos([given.source]), sizes[1]):
                data = photo.read()
                found = encoder.crops([decode(data)])[0]
                if not found or found[0].found.landmarks is None:
                    continue
                writer.writerow(
                    [photo.name.removesuffix(".jpg"), *found[0].found.landmarks.reshape(-1).tolist()]
                )
                for size in sizes:
                    file = folder / f"{size}" / photo.name
                    if size == sizes[1] or len(list((folder / f"{size}").rglob("*.jpg"))) < size:
                        file.parent.mkdir(parents=True, exist_ok=True)
                        file.write_bytes(data)
        sizes = [len(list((folder / f"{size}").rglob("*.jpg"))) for size in sizes]
        for old, new in zip([given.photos, 4 * given.photos], sizes, strict=True):
            (folder / f"{old}").rename(folder / f"{new}")
        print("landmarks from a file:")
        measure(name, EncoderOptions(landmarks=str(folder / "landmarks.csv")), folder, sizes, given.processes)
        print("MTCNN:")
        measure(name, EncoderOptions(main_face=True), folder, sizes, given.processes)


if __name__ == "__main__":
    main()
