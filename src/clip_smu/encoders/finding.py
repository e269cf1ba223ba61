"""How the faces of a photo are found: by a detector, or by five points from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from clip_smu.arrays import Pixels
from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.errors import ImageError
from clip_smu.faces.detection import Detection
from clip_smu.faces.landmarks import read_landmarks

DETECTORS = ("mtcnn", "hog", "cnn", "dlib", "scrfd", "retinaface", "yolov5", "yolov8", "none")


class Detector(Protocol):
    """What every detector offers."""

    def detect(self, photos: Sequence[Pixels]) -> list[list[Detection]]:
        """Faces of each photo, (H, W, 3) uint8 RGB, in any order."""
        ...


class LandmarksFile:
    """Five points of each photo from a csv in VGGFace2's form."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._points = read_landmarks(path)

    def of(self, name: str) -> Detection:
        """The face of a photo; its box is that of the points."""
        points = self._points.find(name)
        if isinstance(points, str):
            raise ImageError("no-landmarks", f"expected five points of {name!r} in {self._path}, {points}")
        (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return Detection((x1, y1, x2, y2), 1.0, points)


def detector_of(options: EncoderOptions, threads: int) -> Detector:
    """The detector that the options name; ``threads`` are of ONNX Runtime."""
    if options.detector in (None, "mtcnn"):
        from clip_smu.faces.mtcnn import MTCNN  # an optional package

        return MTCNN(main_face=options.main_face, threads=threads)
    if options.detector in ("hog", "cnn", "dlib"):
        from clip_smu.faces.dlib import Dlib, DlibDetector  # an optional package

        return DlibDetector(Dlib(), cnn=options.detector == "cnn", upsample=options.upsample)
    from clip_smu.faces.uniface import UnifaceDetector  # an optional package

    return UnifaceDetector(options.detector)
