"""The detectors of the package `uniface` (SCRFD, RetinaFace, YOLO and more), which fetches their weights itself."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from clip_smu.arrays import Pixels
from clip_smu.errors import EncoderError, MissingExtraError
from clip_smu.faces.detection import Detection

KINDS = {"scrfd": "SCRFD", "retinaface": "RetinaFace", "yolov5": "YOLOv5Face", "yolov8": "YOLOv8Face"}


class UnifaceDetector:
    """One of uniface's detectors with five landmarks.

    Args:
        kind: a key of ``KINDS``.

    Raises:
        MissingExtraError: the extra [uniface] is not installed.
        EncoderError: uniface could not fetch or check its weights.
    """

    def __init__(self, kind: str) -> None:
        try:
            self._module: Any = importlib.import_module("uniface.detection")
        except ImportError:
            raise MissingExtraError(f"the detector {kind}", "uniface") from None
        try:
            self._detector = getattr(self._module, KINDS[kind])()
        except Exception as error:  # network, disk, hash: uniface has no error class of its own
            text = (str(error).splitlines() or [type(error).__name__])[0]
            raise EncoderError(
                f"uniface could not load {kind} ({text}): it downloads its weights on first use, connect once"
            ) from None

    def detect(self, photos: Sequence[Pixels]) -> list[list[Detection]]:
        """Faces of each photo, (H, W, 3) uint8 RGB, as uniface orders them."""
        return [
            [
                Detection(
                    (float(face.bbox[0]), float(face.bbox[1]), float(face.bbox[2]), float(face.bbox[3])),
                    float(face.confidence),
                    np.asarray(face.landmarks, dtype=np.float32)[:5],
                )
                for face in self._detector.detect(np.ascontiguousarray(photo[..., ::-1]))  # uniface wants BGR
            ]
            for photo in photos
        ]
