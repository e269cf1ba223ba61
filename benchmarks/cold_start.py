"""Cold start of the main job against a plain script of the face_recognition library's calls, same photo.

    python benchmarks/cold_start.py [--rounds 7]

Bars: at most 1.3x wall time, at most 1.3x peak memory. Whole processes, in turn, medians of paired ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

from clip_smu import example_photo

PLAIN = """
import importlib.metadata, os, dlib, numpy as np
from PIL import Image
models = {f.name: str(f.locate()) for f in importlib.metadata.files("face_recognition_models")}
image = np.array(Image.open(%r).convert("RGB"))                       # face_recognition.load_image_file
boxes = dlib.get_frontal_face_detector()(image, 1)                    # face_recognition.face_locations
points = dlib.shape_predictor(models["shape_predictor_5_face_landmarks.dat"])
network = dlib.face_recognition_model_v1(models["dlib_face_recognition_resnet_model_v1.dat"])
for box in boxes:                                                     # face_recognition.face_encodings
    print(np.array(network.compute_face_descriptor(image, points(image, box), 1)))
"""


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak MB of one process."""
    started = time.perf_counter()
    null = os.open(os.devnull, os.O_WRONLY)
    child = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, usage = os.wait4(child, 0)
    os.close(null)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    ours = [str(Path(sys.executable).parent / "clip-smu"), "interpret", "--example"]
    plain = [sys.executable, "-c", PLAIN % str(example_photo())]
    run(ours), run(plain)  # warm the disk
    pairs = [(run(ours), run(plain)) for _ in range(rounds)]
    for column, unit in ((0, "s wall"), (1, "MB peak")):
        mine = statistics.median(a[column] for a, _ in pairs)
        theirs = statistics.median(b[column] for _, b in pairs)
        ratio = statistics.median(a[column] / b[column] for a, b in pairs)
        print(
            f"cold start, {unit}: clip-smu {mine:.2f}, plain script {theirs:.2f}, ratio {ratio:.2f} (bar: at most 1.30)"
        )


if __name__ == "__main__":
    main()
