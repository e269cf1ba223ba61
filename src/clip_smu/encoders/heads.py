"""SwinFace's 42 heads read from photos: what its own image-side classifiers say, as a reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.encoders.preprocessing import preprocess
from clip_smu.encoders.swinface_heads import HEAD_COLUMNS, HEADS
from clip_smu.errors import EncoderError, ImageError
from clip_smu.photos import Photo
from clip_smu.photos.decode import decode

OUTPUT = "heads"


@dataclass(frozen=True, slots=True)
class HeadReading:
    """What the heads say of one face, or why a photo gave nothing.

    Attributes:
        image, face: name of the photo, number of the face in it.
        heads: task to probability of yes (of Male for Gender); Age to years; Expression to a probability a class.
        error: the reason, if the photo gave nothing.
    """

    image: str
    face: int
    heads: dict[str, Any]
    error: ImageError | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        if self.error is not None:
            return {"image": self.image, "rejected": self.error.reason, "message": str(self.error)}
        return {"image": self.image, "face": self.face, "heads": self.heads}


def read_heads(encoder: OnnxEncoder, photos: Iterable[Photo]) -> Iterator[HeadReading]:
    """Readings of all faces, photo by photo.

    Args:
        encoder: a converted ``swinface-heads``.
        photos: of any size.

    Raises:
        EncoderError: the network has no output ``heads`` (N, 88).
    """
    if encoder.network.outputs.get(OUTPUT) != HEAD_COLUMNS:
        raise EncoderError(
            f"expected an output {OUTPUT!r} (N, {HEAD_COLUMNS}) in {encoder.network.path}: convert a SwinFace "
            "checkpoint with clip-smu encoders convert CHECKPOINT --architecture swinface-heads -o FOLDER"
        )
    for photo in photos:
        try:
            (crops,) = encoder.crops([decode(photo.read())], [photo.name])
            if not crops:
                raise ImageError("no-face", "no face was found")
        except ImageError as error:
            yield HeadReading(photo.name, 0, {}, error)
            continue
        pixels = preprocess(np.stack([crop.pixels for crop in crops]), encoder.card)
        (logits,) = encoder.network.run(pixels, [OUTPUT])
        for number, row in enumerate(logits):
            yield HeadReading(photo.name, number, named(row))


def named(logits: Float32s) -> dict[str, Any]:
    """The 88 columns of one face by task, in the order of the official result."""
    readings: dict[str, Any] = {}
    for head in HEADS:
        values = logits[head.columns].astype(np.float64)
        if not head.classes:
            readings[head.task] = round(float(values[0]), 2)
            continue
        odds = np.exp(values - values.max())
        chances = [round(float(value), 4) for value in odds / odds.sum()]
        readings[head.task] = (
            chances[1] if len(chances) == 2 else dict(zip(head.classes, chances, strict=True))
        )
    return readings
