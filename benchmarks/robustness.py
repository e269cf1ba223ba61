"""The same faces blurred, small, compressed, turned, dark and covered: how far readings move, and are they still right?

    python benchmarks/robustness.py PHOTOS LABELS.csv --only LIST [--photos 300] [--method dlib-faces]

One photo a person, the first on the list. Each row is those photos after one change, through face detection and the
encoder again; it is read as a batch (so its home is asked), and away from home. Shown: photos in which a face is still
found (the largest), cosine to the photo as it was, mean change of a probability, and of the known labels wrong verdicts
and coverage. Wanted: abstention rises as quality falls, error does not.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from clip_smu import decode, load_encoder, load_interpreter
from clip_smu.encoders.encoder import Face
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.photos import iter_photos


def small(factor: float) -> Callable[[Image.Image], Image.Image]:
    def change(photo: Image.Image) -> Image.Image:
        size = tuple(max(8, round(side * factor)) for side in photo.size)
        return photo.resize(size, Image.Resampling.BICUBIC).resize(photo.size, Image.Resampling.BICUBIC)

    return change


def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(photo: Image.Image) -> Image.Image:
        held = io.BytesIO()
        photo.save(held, "JPEG", quality=quality)
        return Image.open(io.BytesIO(held.getvalue())).convert("RGB")

    return change


def covered(top: float, bottom: float) -> Callable[[Image.Image], Image.Image]:
    """A grey bar over the middle of the photo, where LFW's faces are, between two shares of its height."""

    def change(photo: Image.Image) -> Image.Image:
        made, (width, height) = photo.copy(), photo.size
        box = (0.25 * width, top * height, 0.75 * width, bottom * height)
        ImageDraw.Draw(made).rectangle(box, fill=(128, 128, 128))
        return made

    return change


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as they are": lambda photo: photo,
    "JPEG 90": jpeg(90),
    "JPEG 30": jpeg(30),
    "JPEG 10": jpeg(10),
    "blurred, 2 px": lambda photo: photo.filter(ImageFilter.GaussianBlur(2)),
    "blurred, 4 px": lambda photo: photo.filter(ImageFilter.GaussianBlur(4)),
    "half as large": small(1 / 2),
    "a quarter": small(1 / 4),
    "an eighth": small(1 / 8),
    "turned by 15 degrees": lambda photo: photo.rotate(15, Image.Resampling.BICUBIC),
    "turned by 30 degrees": lambda photo: photo.rotate(30, Image.Resampling.BICUBIC),
    "a third as bright": lambda photo: ImageEnhance.Brightness(photo).enhance(1 / 3),
    "mouth covered": covered(0.57, 0.70),
    "eyes covered": covered(0.40, 0.50),
}


def area(face: Face) -> float:
    x1, y1, x2, y2 = face.box
    return (x2 - x1) * (y2 - y1)


def chosen(source: str, labels: str, only: str, count: int) -> tuple[list[Image.Image], np.ndarray]:
    """One photo a person, and (N, 47) labels."""
    table = read_labels(labels)
    row_of = {image: row for row, image in enumerate(table.images)}
    first: dict[str, str] = {}
    for image in read_list(only):
        if image in row_of:
            first.setdefault(str(table.identities[row_of[image]]), image)
    wanted, photos, rows = set(list(first.values())[:count]), [], []
    for item in iter_photos([source]):
        if item.name in wanted:
            photos.append(Image.fromarray(decode(item.read())))
            rows.append(row_of[item.name])
    return photos, table.values[rows]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("labels")
    parser.add_argument("--only", required=True)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--method", default="dlib-faces")
    options = parser.parse_args()
    method, encoder = load_interpreter(options.method), load_encoder("dlib")
    photos, labels = chosen(options.source, options.labels, options.only, options.photos)
    print(f"{len(photos)} photos of as many persons; labels are those of the photos as they are")
    print(
        f"{'':22}{'found':>7}{'cosine':>8}{'moved':>7}   {'read as':8}{'wrong':>7}{'verdicts':>9}"
        f"{'away: wrong':>15}{'verdicts':>9}"
    )
    plain = np.zeros((len(photos), method.dim), np.float32)
    usual = np.zeros(labels.shape, np.float32)
    for name, change in CHANGES.items():
        found = encoder.encode([np.asarray(change(photo)) for photo in photos])
        here = np.array([bool(faces) for faces in found])
        vectors = np.stack([max(faces, key=area).template for faces in found if faces])
        at_home, _ = method.for_batch(vectors)
        away = replace(method, at="")
        _, probabilities, _ = away.read(vectors)
        if name == "as they are":
            plain[here], usual[here] = vectors, probabilities
        moved = float(np.nanmean(np.abs(probabilities - usual[here])))
        lengths = [np.maximum(np.linalg.norm(rows, axis=1), 1e-9) for rows in (vectors, plain[here])]
        cosine = (vectors * plain[here]).sum(axis=1) / lengths[0] / lengths[1]
        figures = []
        for reader in (at_home, away):
            verdicts = reader.read(vectors)[2]
            known = labels[here] != 0
            said = known & (verdicts != 0)
            figures += [(verdicts != labels[here])[said].mean(), said.sum() / known.sum()]
        print(
            f"{name:22}{here.mean():7.1%}{np.mean(cosine):8.3f}{moved:7.3f}   {at_home.at or 'away':8}"
            f"{figures[0]:7.1%}{figures[1]:9.1%}{figures[2]:15.1%}{figures[3]:9.1%}"
        )


if __name__ == "__main__":
    main()
