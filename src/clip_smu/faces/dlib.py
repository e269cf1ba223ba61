"""dlib: its HOG and CNN face detectors and its landmarks, from the model files of `face_recognition_models`.

The package is located without being imported (its ``__init__`` wants ``pkg_resources``).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Pixels
from clip_smu.errors import EncoderError, ImageError, MissingExtraError
from clip_smu.faces.detection import Detection

# What the detectors look at takes 12 bytes a pixel (HOG) or a kilobyte (CNN).
_HOG_PIXELS, _CNN_PIXELS = 100_000_000, 1_500_000
_HOG_SIDE = 65_535  # pixels; with 130,000 across dlib writes beyond its memory

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
            was found and the doubled photo has at most 100 megapixels. The CNN detector looks at 1.5 megapixels at
            most: a photo that would be larger is shrunk to that.
        landmarks: give the five points that face encoders align by.
    """

    def __init__(
        self, dlib: Dlib, *, cnn: bool = False, upsample: int | None = None, landmarks: bool = True
    ) -> None:
        if not 0 <= (upsample or 0) <= 4:
            raise EncoderError(f"upsample must be 0 to 4, not {upsample}")
        self._cnn, self._rectangle = cnn, dlib.library.rectangle
        self._rounds = (0, 1) if upsample is None else (upsample,)
        self._detector: Any = (
            dlib.load("cnn_face_detection_model_v1", "mmod_human_face_detector.dat")
            if cnn
            else dlib.library.get_frontal_face_detector()
        )
        self._points = (
            dlib.load("shape_predictor", "shape_predictor_68_face_landmarks.dat") if landmarks else None
        )

    def detect(self, photos: Sequence[Pixels]) -> list[list[Detection]]:
        """Faces of each photo, (H, W, 3) uint8 RGB, as the detector orders them.

        Raises:
            ImageError: ``too-large``: it would have more than 100 megapixels, or 65,535 pixels a side, after as many
                doublings as asked for.
        """
        return [
            [self._detection(photo, rectangle, score) for rectangle, score in self._find(photo)]
            for photo in photos
        ]

    def _find(self, photo: Pixels) -> list[tuple[Any, float]]:
        for upsample in self._rounds:
            pixels = photo.shape[0] * photo.shape[1] * 4**upsample
            last = upsample == self._rounds[-1]
            if self._cnn:
                found = self._find_cnn(photo, upsample, math.sqrt(_CNN_PIXELS / pixels))
                last |= pixels > _CNN_PIXELS  # doubled it would be shrunk to the same
            elif pixels > _HOG_PIXELS or max(photo.shape) << upsample > _HOG_SIDE:
                if len(self._rounds) > 1 and upsample:  # nobody asked for this doubling
                    return []
                sides = f"{photo.shape[1] << upsample:,} x {photo.shape[0] << upsample:,}"
                raise ImageError(
                    "too-large",
                    f"expected at most {_HOG_PIXELS / 1e6:.0f} megapixels and {_HOG_SIDE:,} pixels a side after "
                    f"{upsample} doublings, found {sides}: give a lower --upsample, or make the photo smaller",
                )
            else:
                rectangles, scores, _ = self._detector.run(photo, upsample, 0.0)
                found = [(one, float(score)) for one, score in zip(rectangles, scores, strict=True)]
            if found or last:
                return found
        return []

    def _find_cnn(self, photo: Pixels, upsample: int, room: float) -> list[tuple[Any, float]]:
        """The CNN's faces in a photo, which is shrunk where less than its doubled sides has ``room``."""
        if room >= 1:
            return [(one.rect, float(one.confidence)) for one in self._detector(photo, upsample)]
        import cv2

        height, width = photo.shape[:2]
        share = room * 2**upsample
        small = cv2.resize(
            photo, (max(1, int(width * share)), max(1, int(height * share))), interpolation=cv2.INTER_AREA
        )
        across, down = width / small.shape[1], height / small.shape[0]
        return [
            (
                self._rectangle(
                    round(one.rect.left() * across),
                    round(one.rect.top() * down),
                    round((one.rect.right() + 1) * across) - 1,
                    round((one.rect.bottom() + 1) * down) - 1,
                ),
                float(one.confidence),
            )
            for one in self._detector(small, 0)
        ]

    def _detection(self, photo: Pixels, rectangle: Any, score: float) -> Detection:
        box = (rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1)
        if self._points is None:
            return Detection(box, score, None)
        points = points_of(self._points(photo, rectangle))
        return Detection(box, score, np.stack([points[list(rows)].mean(axis=0) for rows in _FIVE]))


def points_of(shape: Any) -> Float32s:
    """(P, 2) float32 pixels of a dlib shape."""
    return np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float32)
