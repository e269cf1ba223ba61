"""Photos → faces in this process: decode, encode, and a reason for each photo that gives nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from clip_smu.arrays import Pixels
from clip_smu.encoders.encoder import Encoder, Face
from clip_smu.errors import ClipSmuError, ImageError
from clip_smu.photos import Photo
from clip_smu.photos.decode import decode

CHUNK_PIXELS = 32_000_000  # pixels held at once before they are encoded


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one photo gave.

    Attributes:
        photo: without its bytes, if they were streamed.
        faces: those found.
        error: the reason why there are none.
        content: 32 bytes that stand for the photo's content, as :func:`content_of` gives them.
    """

    photo: Photo
    faces: list[Face]
    error: ImageError | None
    content: bytes


def encode_photos(encoder: Encoder, photos: Iterable[Photo]) -> list[Outcome]:
    """Decodes and encodes photos in this process; a photo that gives nothing carries the reason.

    Raises:
        ClipSmuError: the encoder cannot be used at all; never for one photo.
    """
    outcomes: list[Outcome] = []
    held: list[tuple[Photo, bytes, Pixels]] = []
    pixels = 0
    for photo in photos:
        content, image, error = _decoded(photo)
        if image is None:
            outcomes += _encode(encoder, held)
            outcomes.append(Outcome(photo.without_bytes(), [], error, content))
            held, pixels = [], 0
            continue
        held.append((photo.without_bytes(), content, image))
        pixels += image.shape[0] * image.shape[1]
        if pixels >= CHUNK_PIXELS:
            outcomes += _encode(encoder, held)
            held, pixels = [], 0
    return outcomes + _encode(encoder, held)


def content_of(photo: Photo) -> bytes:
    """sha256 of the photo's bytes, or of the reason why there are none."""
    try:
        return hashlib.sha256(photo.read()).digest()
    except ImageError as error:
        return _content_without(error)


def _content_without(error: ImageError) -> bytes:
    return hashlib.sha256(f"no bytes: {error.reason}".encode()).digest()


def _decoded(photo: Photo) -> tuple[bytes, Pixels | None, ImageError | None]:
    try:
        data = photo.read()
    except ImageError as error:
        return _content_without(error), None, error
    content = hashlib.sha256(data).digest()
    try:
        return content, decode(data), None
    except ImageError as error:
        return content, None, error


def _encode(encoder: Encoder, held: list[tuple[Photo, bytes, Pixels]]) -> list[Outcome]:
    try:
        found = encoder.encode([image for _, _, image in held], [photo.name for photo, _, _ in held])
    except Exception as error:  # ONNX Runtime, OpenCV and dlib raise what they like
        if isinstance(error, ClipSmuError) and not isinstance(error, ImageError):
            raise
        if len(held) > 1:  # find the photos that the encoder cannot take
            middle = len(held) // 2
            return _encode(encoder, held[:middle]) + _encode(encoder, held[middle:])
        ((photo, content, _),) = held
        if not isinstance(error, ImageError):
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            error = ImageError("encoder-failed", f"the encoder failed: {text}")
        return [Outcome(photo, [], error, content)]
    return [
        Outcome(photo, faces, None if faces else ImageError("no-face", "no face was found"), content)
        for (photo, content, _), faces in zip(held, found, strict=True)
    ]
