"""dlib: its HOG and CNN face detectors and its landmarks, from the model files of `face_recognition_models`.

The package is located without being imported (its ``__init__`` wants ``pkg_resources``).
"""

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

Image = NDArray[np.uint8]

# of the 68 points: the photo's left eye, its right eye, tip of the nose, left and right corner of the mouth
_FIVE = (range(36, 42), range(42, 48), (30,), (48,), (54,))


class Dlib:
    """dlib and its model files.

    Raises:
        MissingExtraError: the extra [dlib] is not installed.
    """

    def __init__(self) -> None:
        try:
            self.library: Any = importlib.import_module("dlib")
            files = importlib.metadata.files("face_recognition_models") or []
        except (ImportError, importlib.metadata.PackageNotFoundError):
            raise MissingExtraError("dlib", "dlib") from None
        self._files = {Path(str(file)).name: str(file.locate()) for file in files}

    def load(self, kind: str, file: str) -> Any:
        """A model: ``kind`` is dlib's class for it.

        Raises:
            EncoderError: the package lacks the file, or dlib cannot read it.
        """
        try:
            return getattr(self.library, kind)(self._files[file])
        except (KeyError, RuntimeError) as error:
            raise EncoderError(
                f"the package face_recognition_models lacks a usable model file ({error}): "
                "install it again with pip install --force-reinstall face_recognition_models==0.3.0"
            ) from None


class DlibDetector:
    """HOG or CNN detection, with five of the 68 landmarks where they are asked for.

    Args:
        cnn: the CNN detector (slower, finds turned faces) instead of HOG.
        upsample: how often the photo is doubled first, 0 to 4; ``None``: not at all, and once where nothing
            was found.
        landmarks: give the five points that face encoders align by.
    """

    def __init__(
        self, dlib: Dlib, *, cnn: bool = False, upsample: int | None = None, landmarks: bool = True
    ) -> None:
        if not 0 <= (upsample or 0) <= 4:
            raise EncoderError(f"upsample must be 0 to 4, not {upsample}")
        self._cnn = cnn
        self._rounds = (0, 1) if upsample is None else (upsample,)
        self._detector: Any = (
            dlib.load("cnn_face_detection_model_v1", "mmod_human_face_detector.dat")
            if cnn
            else dlib.library.get_frontal_face_detector()
        )
        self._points = (
            dlib.load("shape_predictor", "shape_predictor_68_face_landmarks.dat") if landmarks else None
        )

    def detect(self, photos: Sequence[Image]) -> list[list[Detection]]:
        """Faces of each photo, (H, W, 3) uint8 RGB, as the detector orders them."""
        return [
            [self._detection(photo, rectangle, score) for rectangle, score in self._find(photo)]
            for photo in photos
        ]

    def _find(self, photo: Image) -> list[tuple[Any, float]]:
        for upsample in self._rounds:
            if self._cnn:
                found = [(one.rect, float(one.confidence)) for one in self._detector(photo, upsample)]
            else:
                rectangles, scores, _ = self._detector.run(photo, upsample, 0.0)
                found = [(one, float(score)) for one, score in zip(rectangles, scores, strict=True)]
            if found:
                return found
        return []

    def _detection(self, photo: Image, rectangle: Any, score: float) -> Detection:
        box = (rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1)
        if self._points is None:
            return Detection(box, score, None)
        points = points_of(self._points(photo, rectangle))
        return Detection(box, score, np.stack([points[list(rows)].mean(axis=0) for rows in _FIVE]))


def points_of(shape: Any) -> NDArray[np.float32]:
    """(P, 2) float32 pixels of a dlib shape."""
    return np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float32)
