"""Encoders: photos in, faces with templates out. Frozen, always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clip_smu.encoders.cards import CARDS, EncoderCard, card

__all__ = ["CARDS", "Encoder", "EncoderCard", "EncoderOptions", "Face", "card", "load_encoder"]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of one photo.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the photo (after EXIF orientation), not clipped to it.
        landmarks: (5, 2) float32 pixels: left eye, right eye, nose, left mouth corner, right mouth corner
            as they lie in the image; dlib gives eye corners and the nose, see :mod:`clip_smu.encoders.dlib`.
        score: the detector's confidence, in the detector's own unit.
        template: (d,) float32, as the network gives it (not normalised unless the card says so).
        norm: L2 norm of the network's output before any normalisation (a sign of quality for some encoders).
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float
    template: NDArray[np.float32]
    norm: float


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """How an encoder finds and prepares faces; everything here decides the templates.

    Attributes:
        detector: ``hog`` (dlib's default) or ``cnn`` (slower, finds turned faces).
        upsample: how often the photo is doubled before detection; ``None``: not at all, and once
            where nothing was found.
        jitter: average the templates of this many slightly moved crops; 0 for none.
        main_face: keep only the main face of a photo (large and central), not every face.
    """

    detector: str = "hog"
    upsample: int | None = None
    jitter: int = 0
    main_face: bool = False


class Encoder(Protocol):
    """What every encoder offers."""

    @property
    def card(self) -> EncoderCard:
        """Its manifest."""
        ...

    def encode(self, photos: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        """Faces of each photo, (H, W, 3) uint8 RGB; the main face first, an empty list where none is found."""
        ...


def load_encoder(name: str = "dlib", options: EncoderOptions | None = None) -> Encoder:
    """Loads an encoder, ready to read photos.

    Args:
        name: a row of :data:`CARDS`.
        options: detection and alignment; defaults fit ordinary photos.

    Raises:
        EncoderError: no such encoder, or options that it does not know.
        MissingExtraError: its packages are not installed.

    Example:
        >>> import numpy as np
        >>> encoder = load_encoder("dlib")
        >>> encoder.card.dim
        128
        >>> encoder.encode([np.zeros((64, 64, 3), np.uint8)])  # no face here
        [[]]
    """
    row = card(name)
    from clip_smu.encoders.dlib import DlibEncoder  # an optional package

    return DlibEncoder(row, options or EncoderOptions())
