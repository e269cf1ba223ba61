"""One epoch of objective `clip` from stored templates, against the same epoch that also runs the frozen image encoder.

    python benchmarks/clip_epoch.py --encoder onnx:MODEL.onnx --card CARD.toml [--photos 1024] [--source PHOTOS]

The paper trains with photos: at every step the frozen image encoder reads the batch's aligned crops, although its
answer never changes. Here it reads them once. Both epochs draw the same batches, and do the same steps of the same
text encoder (`mini`, batch 64); the second first turns the batch's crops (decoded and aligned before, in memory)
into templates, which are checked against the stored ones. Three rounds, taken in turns; medians. The ratio grows
with the image encoder.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from clip_smu import EncoderOptions, FitConfig, decode, load_encoder
from clip_smu.encoders.locate import own_encoder
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.labels.reading import read_labels
from clip_smu.photos import iter_photos
from clip_smu.training.trainer import Trainer
from clip_smu.words.attributes import NAMES

ROUNDS = 3


def epoch(trainer: Trainer, encoder: OnnxEncoder | None, crops: list[np.ndarray]) -> tuple[float, int]:
    """Seconds and steps of one epoch; with an encoder, the templates are made anew at each step."""
    rows = np.arange(len(trainer.labels))
    x = torch.from_numpy(trainer.centred(rows, rows))
    row_of = {template.tobytes(): row for row, template in enumerate(x.numpy())}
    sampler = trainer.objective.sampler(trainer.config, trainer.language, x, trainer.labels)
    text_encoder, loss_parameters = trainer.new_text_encoder(), trainer.objective.loss_parameters(len(NAMES))
    optimiser = torch.optim.AdamW(
        [*text_encoder.parameters(), *loss_parameters.values()], lr=1e-3, weight_decay=0.0
    )
    steps = sampler.report["photos_of_unique_caption"] // trainer.config.batch_size
    started = time.perf_counter()
    for step in range(steps):
        batch = sampler.draw(step)
        if encoder is not None:
            photos = [row_of[template.tobytes()] for template in batch.templates.numpy()]
            vectors, _ = encoder.templates([crops[row] for row in photos])
            fresh = torch.from_numpy(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
            assert torch.allclose(fresh, batch.templates, atol=1e-3), "not the stored templates"
            batch = replace(batch, templates=fresh)
        optimiser.zero_grad()
        trainer.gradients(text_encoder, loss_parameters, batch)
        optimiser.step()
    return time.perf_counter() - started, steps


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--photos", type=int, default=1024)
    parser.add_argument("--source", default="../shared/data/lfw/images.tar")
    parser.add_argument("--labels", default="../shared/data/lfw/lfw_maad47.csv")
    given = parser.parse_args()
    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    encoder = load_encoder(
        own_encoder(given.encoder, given.card), EncoderOptions(main_face=True), threads=threads
    )
    if not isinstance(encoder, OnnxEncoder):
        raise SystemExit("this benchmark is for encoders that are ONNX models")
    labels = read_labels(given.labels)
    known = dict(zip(labels.images, labels.values, strict=True))
    crops, values = [], []
    for photo in itertools.islice(iter_photos([given.source]), 2 * given.photos):
        name = "/".join(Path(photo.name).parts[-2:])
        found = encoder.crops([decode(photo.read())])[0] if name in known else []
        if found and len(crops) < given.photos:
            crops.append(found[0].pixels)
            values.append(known[name])
    vectors = np.concatenate([encoder.templates(crops[at : at + 64])[0] for at in range(0, len(crops), 64)])
    with tempfile.TemporaryDirectory() as folder:
        config = FitConfig(objective="clip", device="cpu").training(encoder.card.name)
        trainer = Trainer(config, vectors, np.array(values), Path(folder))
        times: dict[str, list[float]] = {"stored": [], "encoder": []}
        for _ in range(ROUNDS):
            seconds, steps = epoch(trainer, None, crops)
            times["stored"].append(seconds)
            times["encoder"].append(epoch(trainer, encoder, crops)[0])
    stored, running = (statistics.median(values) for values in times.values())
    print(
        f"{len(crops)} photos, {steps} steps of {config.batch_size}: from stored templates {stored:.2f} s, "
        f"running {encoder.card.name} at each step {running:.2f} s: {running / stored:.2f}x"
    )


if __name__ == "__main__":
    main()
