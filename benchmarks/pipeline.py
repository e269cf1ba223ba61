"""The whole pipeline decode → align → network against its slowest stage alone, for one ONNX encoder.

    python benchmarks/pipeline.py --encoder onnx:MODEL.onnx --card CARD.toml [--photos 200] [--source PHOTOS]

Each stage is timed alone on one core; the pipeline is `extract` with two worker processes on the same photos,
start-up left out (two sizes, the difference counts). Two shares are printed: of the slowest stage on the same two
cores (taken as twice its rate on one; bar: at least 85 %), and of the slowest stage on one core.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clip_smu import decode, extract, load_encoder
from clip_smu.encoders.cards import own_encoder
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.extraction import CHUNK_PHOTOS
from clip_smu.photos import iter_photos


def seconds(job: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = job()
    return time.perf_counter() - started, result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--source", default="../shared/data/lfw/images.tar")
    options = parser.parse_args()
    name, count = own_encoder(options.encoder, options.card), options.photos
    photos = [photo.read() for photo in itertools.islice(iter_photos([options.source]), 3 * count)]
    encoder = load_encoder(name)
    if not isinstance(encoder, OnnxEncoder):
        raise SystemExit("this benchmark is for encoders that are ONNX models")
    encoder.encode([decode(photos[0])])  # warm
    stages = {}
    stages["decode"], images = seconds(lambda: [decode(data) for data in photos[:count]])

    def align() -> list[Any]:
        parts = range(0, count, CHUNK_PHOTOS)
        return [
            crop
            for at in parts
            for found in encoder.crops(images[at : at + CHUNK_PHOTOS])
            for crop in found[:1]
        ]

    stages["align"], crops = seconds(align)
    pixels = [crop.pixels for crop in crops]
    parts = range(0, len(pixels), CHUNK_PHOTOS)
    stages["network"], _ = seconds(
        lambda: [encoder.templates(pixels[at : at + CHUNK_PHOTOS]) for at in parts]
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        times = []
        for size in (count, 3 * count):
            (folder / f"photos{size}").mkdir()
            for row, data in enumerate(photos[:size]):
                (folder / f"photos{size}/{row:05d}.jpg").write_bytes(data)
            inputs, output = [folder / f"photos{size}"], folder / f"templates{size}"
            times.append(
                seconds(lambda inputs=inputs, output=output: extract(inputs, output, name, processes=2))[0]
            )
    pipeline = 2 * count / (times[1] - times[0])
    rates = {stage: count / spent for stage, spent in stages.items()}
    slowest = min(rates, key=lambda stage: rates[stage])
    print("one core, photos/s: " + ", ".join(f"{stage} {rate:.0f}" for stage, rate in rates.items()))
    print(f"pipeline, two processes: {pipeline:.0f} photos/s")
    print(f"share of the slowest stage ({slowest}) on one core: {pipeline / rates[slowest]:.0%}")
    print(
        f"share of the slowest stage on the same two cores: {pipeline / (2 * rates[slowest]):.0%} (bar: at least 85 %)"
    )


if __name__ == "__main__":
    main()
