"""dlib's detectors with its 68 landmarks, of which five are those that face encoders align by."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.detect import Detection
from clip_smu.errors import EncoderError, MissingExtraError

# of the 68 points: the photo's left eye, its right eye, tip of the nose, left and right corner of the mouth
_FIVE = (range(36, 42), range(42, 48), (30,), (48,), (54,))


class Dlib68:
    """HOG or CNN detection; five landmarks from the 68-point shape predictor.

    Args:
        cnn: the CNN detector (slower, finds turned faces) instead of HOG.
        upsample: how often the photo is doubled first; ``None``: not at all, and once where nothing was found.

    Raises:
        MissingExtraError: the extra [dlib] is not installed.
        EncoderError: its package lacks a model file.
    """

    def __init__(self, *, cnn: bool = False, upsample: int | None = None) -> None:
        try:
            self._dlib: Any = importlib.import_module("dlib")
            files = importlib.metadata.files("face_recognition_models") or []
        except (ImportError, importlib.metadata.PackageNotFoundError):
            raise MissingExtraError("the detector of dlib", "dlib") from None
        models = {Path(str(file)).name: str(file.locate()) for file in files if str(file).endswith(".dat")}
        try:
            self._points = self._dlib.shape_predictor(models["shape_predictor_68_face_landmarks.dat"])
            if cnn:
                detector = self._dlib.cnn_face_detection_model_v1(models["mmod_human_face_detector.dat"])
            else:
                detector = self._dlib.get_frontal_face_detector()
        except (KeyError, RuntimeError) as error:
            raise EncoderError(
                f"the package face_recognition_models lacks a usable model file ({error}): "
                "install it again with pip install --force-reinstall face_recognition_models==0.3.0"
            ) from None
        self._detector, self._cnn = detector, cnn
        self._rounds = (0, 1) if upsample is None else (upsample,)

    def detect(self, photos: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """Faces of each photo, (H, W, 3) uint8 RGB, as the detector orders them."""
        return [self._faces(photo) for photo in photos]

    def _faces(self, photo: NDArray[np.uint8]) -> list[Detection]:
        for upsample in self._rounds:
            if self._cnn:
                found = [(one.rect, one.confidence) for one in self._detector(photo, upsample)]
            else:
                rectangles, scores, _ = self._detector.run(photo, upsample, 0.0)
                found = list(zip(rectangles, scores, strict=True))
            if found:
                return [self._face(photo, rectangle, float(score)) for rectangle, score in found]
        return []

    def _face(self, photo: NDArray[np.uint8], rectangle: Any, score: float) -> Detection:
        shape = self._points(photo, rectangle)
        points = np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float32)
        five = np.stack([points[list(rows)].mean(axis=0) for rows in _FIVE])
        box = (rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1)
        return Detection(box, score, five)
