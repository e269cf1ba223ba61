"""What every encoder offers: photos in, faces with templates out. Frozen, always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clip_smu.arrays import Float32s, Pixels
from clip_smu.encoders.card import EncoderCard


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of one photo.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the photo (after EXIF orientation), not clipped to it.
        landmarks: (5, 2) float32 pixels: left eye, right eye, nose, left mouth corner, right mouth corner
            as they lie in the image; dlib gives eye corners and the nose, see :mod:`clip_smu.encoders.dlib`.
            NaN where no landmarks were looked for.
        score: the detector's confidence, in the detector's own unit; 1 without a detector.
        template: (d,) float32, as the network gives it (not normalised unless the card says so).
        norm: L2 norm of the network's output before any normalisation, or the norm that the network itself
            gives (a sign of quality for some encoders).
    """

    box: tuple[float, float, float, float]
    landmarks: Float32s
    score: float
    template: Float32s
    norm: float


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """How an encoder finds and prepares faces; everything here decides the templates.

    Attributes:
        detector: ``mtcnn``, ``hog`` or ``cnn`` (both dlib's; ``cnn`` is slower and finds turned faces),
            ``dlib`` (the same as ``hog``), uniface's ``scrfd``, ``retinaface``, ``yolov5`` or ``yolov8``,
            ``none`` (as ``align="none"``). ``None``: the encoder's own
            default, ``hog`` for dlib and ``mtcnn`` for all others.
        upsample: how often the photo is doubled before detection; ``None``: not at all, and once
            where nothing was found.
        jitter: average the templates of this many slightly moved crops; 0 for none.
        main_face: keep only the main face of a photo (large and central), not every face; MTCNN then looks for
            small ones only where one of them could be it.
        align: ``default``, or ``none``: each photo is already the crop that the card's alignment gives.
        landmarks: csv in VGGFace2's form with five points of one face a photo, instead of a detector.

    Example:
        >>> from clip_smu import load_encoder
        >>> load_encoder("dlib", EncoderOptions(upsample=1, main_face=True)).card.name
        'dlib'
    """

    detector: str | None = None
    upsample: int | None = None
    jitter: int = 0
    main_face: bool = False
    align: str = "default"
    landmarks: str | None = None


class Encoder(Protocol):
    """What every encoder offers."""

    @property
    def card(self) -> EncoderCard:
        """Its manifest."""
        ...

    def encode(self, photos: Sequence[Pixels], names: Sequence[str] = ()) -> list[list[Face]]:
        """Faces of each photo, (H, W, 3) uint8 RGB; the main face first, an empty list where none is found.

        ``names`` of the photos are needed only where landmarks come from a file.

        Raises:
            ImageError: a photo cannot be used at all: it is no crop, or the landmarks file lacks it.
        """
        ...
