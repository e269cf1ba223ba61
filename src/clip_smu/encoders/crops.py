"""One face cut out of its photo, or the photo itself, at the size that a network takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Pixels
from clip_smu.faces.alignment import warp
from clip_smu.faces.detection import Detection

ALIGNED = (112, 112)
_STRIP = 16  # sides of a photo in this ratio, and more


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One face found, cut out of its photo as the card's alignment says.

    Attributes:
        found: box, score and landmarks.
        pixels: (h, w, 3) uint8 RGB.
    """

    found: Detection
    pixels: Pixels


def box_crop(photo: Pixels, box: tuple[float, float, float, float], size: tuple[int, int]) -> Pixels:
    """A detector's box, grown to a square about its centre, resized to (height, width); black outside."""
    x1, y1, x2, y2 = box
    side = max(x2 - x1, y2 - y1, 1.0)
    left, top = (x1 + x2 - side) / 2, (y1 + y2 - side) / 2
    height, width = size
    matrix = np.array([[width / side, 0, -left * width / side], [0, height / side, -top * height / side]])
    return warp(photo, matrix, (width, height))


def centre_crop(photo: Pixels, size: tuple[int, int]) -> Pixels:
    """CLIP's preprocessing: the shorter side to size, bicubic, then the centre."""
    from PIL import Image as Pillow

    height, width = size
    image = Pillow.fromarray(_middle(photo))
    scale = max(height / image.height, width / image.width)
    resized = image.resize(
        (max(width, int(image.width * scale)), max(height, int(image.height * scale))),
        Pillow.Resampling.BICUBIC,
    )
    left, top = round((resized.width - width) / 2), round((resized.height - height) / 2)
    return np.asarray(resized.crop((left, top, left + width, top + height)), dtype=np.uint8)


def _middle(photo: Pixels) -> Pixels:
    """The middle of a photo that is a thin strip: resized whole, its longer side would have millions of pixels."""
    most = _STRIP * min(photo.shape[:2])
    top, left = (max(0, (side - most) // 2) for side in photo.shape[:2])
    return photo[top : top + most, left : left + most]
