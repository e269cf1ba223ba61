"""What every face detector returns, and the rule that says which face a photo is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clip_smu.arrays import Float32s

_CENTRE_WEIGHT = 2.0  # how much a squared pixel off the centre costs, in pixels of box area


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face found in a photo.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the photo; not clipped, so it may reach outside.
        score: how sure the detector is; a probability for MTCNN, a margin for others.
        landmarks: (5, 2) float32, x and y of left eye, right eye, nose, left and right mouth corner,
            where left is the photo's left; None where a detector gives no such five points.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Float32s | None


def order(detections: Sequence[Detection], height: int, width: int) -> list[Detection]:
    """Sort the faces of one photo by `prominence`, the one that the photo is of first. Ties keep their order.

    Args:
        detections: the faces of one photo.
        height: of the photo, in pixels.
        width: of the photo, in pixels.
    """
    return sorted(detections, key=lambda face: prominence(face, height, width), reverse=True)


def prominence(face: Detection, height: int, width: int) -> float:
    """How much a face is the one that a photo of this height and width is of, in square pixels.

    Its box area minus twice the squared distance of the box's centre from the photo's centre: the rule of David
    Sandberg's ``align_dataset_mtcnn.py``.
    """
    x1, y1, x2, y2 = face.box
    off_centre = ((x1 + x2 - width) / 2) ** 2 + ((y1 + y2 - height) / 2) ** 2
    return (x2 - x1) * (y2 - y1) - _CENTRE_WEIGHT * off_centre
