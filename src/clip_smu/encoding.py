"""Photos → faces in this process: decode, encode, and a reason for each photo that gives nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_smu.encoders import Encoder, Face
from clip_smu.errors import ImageError
from clip_smu.images import decode
from clip_smu.photos import Photo

CHUNK_PIXELS = 32_000_000  # pixels held at once before they are encoded


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one photo gave: its faces, or the reason why there are none."""

    photo: Photo
    faces: list[Face]
    error: ImageError | None


def encode_photos(encoder: Encoder, photos: Iterable[Photo]) -> list[Outcome]:
    """Decodes and encodes photos in this process; a photo that gives nothing carries the reason."""
    outcomes: list[Outcome] = []
    held: list[tuple[Photo, NDArray[np.uint8]]] = []
    pixels = 0
    for photo in photos:
        try:
            image = decode(photo.read())
        except ImageError as error:
            outcomes.extend(_encode(encoder, held))
            outcomes.append(Outcome(photo, [], error))
            held, pixels = [], 0
            continue
        held.append((photo, image))
        pixels += image.shape[0] * image.shape[1]
        if pixels >= CHUNK_PIXELS:
            outcomes.extend(_encode(encoder, held))
            held, pixels = [], 0
    outcomes.extend(_encode(encoder, held))
    return outcomes


def _encode(encoder: Encoder, held: list[tuple[Photo, NDArray[np.uint8]]]) -> list[Outcome]:
    try:
        found = encoder.encode([image for _, image in held], [photo.name for photo, _ in held])
    except (ImageError, RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
        if len(held) > 1:  # find the photos that the encoder cannot take
            middle = len(held) // 2
            return _encode(encoder, held[:middle]) + _encode(encoder, held[middle:])
        if isinstance(error, ImageError):
            return [Outcome(held[0][0], [], error)]
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        return [
            Outcome(photo, [], ImageError("encoder-failed", f"the encoder failed: {text}"))
            for photo, _ in held
        ]
    return [
        Outcome(photo, faces, None if faces else ImageError("no-face", "no face was found"))
        for (photo, _), faces in zip(held, found, strict=True)
    ]
