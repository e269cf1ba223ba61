"""Extraction with two processes against one, dlib, whole runs with start-up.

    python benchmarks/extraction.py [--photos 300] [--rounds 3] [--source ../shared/data/lfw/images.tar]

Without LFW the photos are turned copies of the example photo. Bar: at least 1.8x.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from PIL import Image

from clip_smu import example_photo, extract
from clip_smu.photos import iter_photos


def write_photos(folder: Path, count: int, source: Path) -> None:
    folder.mkdir()
    if source.exists():
        for row, photo in enumerate(itertools.islice(iter_photos([source]), count)):
            (folder / f"{row:05d}.jpg").write_bytes(photo.read())
        return
    face = Image.open(example_photo()).convert("RGB").resize((250, 250))
    for row in range(count):
        face.rotate(row % 20 - 10).save(folder / f"{row:05d}.jpg")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--source", type=Path, default=Path("../shared/data/lfw/images.tar"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        write_photos(photos, options.photos, options.source)
        ratios, rates = [], []
        for number in range(options.rounds):
            seconds = {}
            for processes in (1, 2):
                started = time.perf_counter()
                extract([photos], Path(scratch) / f"out{number}-{processes}", processes=processes)
                seconds[processes] = time.perf_counter() - started
            ratios.append(seconds[1] / seconds[2])
            rates.append(options.photos / seconds[1])
    print(
        f"extraction of {options.photos} photos: one process {statistics.median(rates):.1f} photos/s; "
        f"two are {statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f}; bar: at least 1.8)"
    )


if __name__ == "__main__":
    main()
