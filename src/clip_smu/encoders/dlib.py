"""dlib: HOG or CNN detection, five-point chip of 150x150, ResNet template of 128 numbers.

The same calls as the ``face_recognition`` library, so templates of either can be compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from clip_smu.arrays import Pixels
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.encoder import EncoderOptions, Face
from clip_smu.errors import EncoderError
from clip_smu.faces.detection import Detection, order
from clip_smu.faces.dlib import Dlib, DlibDetector, points_of

CHIP = 150
PADDING = 0.25
# dlib's five points: outer and inner corner of the eye on the image's right, outer and inner corner of the
# eye on its left, base of the nose. As (left eye, right eye, nose): centres of the corners.
_LEFT_EYE, _RIGHT_EYE, _NOSE = (2, 3), (0, 1), 4


class DlibEncoder:
    """dlib's face recognition as an :class:`~clip_smu.encoders.encoder.Encoder`; templates have a norm near 1.4."""

    def __init__(self, card: EncoderCard, options: EncoderOptions) -> None:
        if options.detector not in (None, "dlib", "hog", "cnn"):
            raise EncoderError(f"the encoder dlib takes the detectors hog and cnn, not {options.detector!r}")
        if options.align != "default" or options.landmarks is not None:
            raise EncoderError("the encoder dlib aligns by its own landmarks: leave align and landmarks out")
        if not 0 <= options.jitter <= 100:
            raise EncoderError(f"jitter must be 0 to 100, not {options.jitter}")
        dlib = Dlib()
        self._library = dlib.library
        self._detector = DlibDetector(
            dlib, cnn=options.detector == "cnn", upsample=options.upsample, landmarks=False
        )
        self._points = dlib.load("shape_predictor", "shape_predictor_5_face_landmarks.dat")
        self._network = dlib.load("face_recognition_model_v1", "dlib_face_recognition_resnet_model_v1.dat")
        self.card = card
        self.options = options

    def encode(
        self,
        photos: Sequence[Pixels],
        names: Sequence[str] = (),  # noqa: ARG002 (part of what every encoder offers)
    ) -> list[list[Face]]:
        """Faces of each photo, (H, W, 3) uint8 RGB, the main face first."""
        return [self._faces(photo) for photo in photos]

    def _faces(self, photo: Pixels) -> list[Face]:
        kept = order(self._detector.detect([photo])[0], *photo.shape[:2])
        return [self._face(photo, found) for found in (kept[:1] if self.options.main_face else kept)]

    def _face(self, photo: Pixels, found: Detection) -> Face:
        x1, y1, x2, y2 = (int(value) for value in found.box)
        shape = self._points(photo, self._library.rectangle(x1, y1, x2 - 1, y2 - 1))
        points = points_of(shape)
        chip = self._library.get_face_chip(photo, shape, CHIP, PADDING)
        chips = [chip, *_jittered(chip, self.options.jitter)][-max(1, self.options.jitter) :]
        templates = np.array(self._network.compute_face_descriptor(chips), dtype=np.float64)
        template = templates.mean(axis=0).astype(np.float32)
        landmarks = np.full((5, 2), np.nan, dtype=np.float32)  # dlib's five points have no mouth
        landmarks[0] = points[list(_LEFT_EYE)].mean(axis=0)
        landmarks[1] = points[list(_RIGHT_EYE)].mean(axis=0)
        landmarks[2] = points[_NOSE]
        return Face(found.box, landmarks, found.score, template, float(np.linalg.norm(template)))


def _jittered(chip: Pixels, count: int) -> list[Pixels]:
    """``count`` copies of a chip, each turned, scaled, moved and perhaps mirrored a little.

    The ranges are those of dlib's ``jitter_image`` (3 degrees, 2 % move, 10 % zoom out, mirror at one half);
    dlib's own draws depend on all calls before, these on the chip alone, so that a resumed job repeats them.
    """
    from PIL import Image

    rng = np.random.default_rng(zlib.crc32(chip.tobytes()))
    image = Image.fromarray(chip)
    copies = []
    for _ in range(count):
        angle = np.deg2rad(rng.uniform(-3, 3))
        scale = rng.uniform(1.0, 1.1)
        dx, dy = rng.uniform(-0.02, 0.02, 2) * CHIP
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        centre = (CHIP - 1) / 2
        a, b = scale * np.cos(angle) * mirror, -scale * np.sin(angle)
        c, d = scale * np.sin(angle) * mirror, scale * np.cos(angle)
        matrix = (a, b, centre - a * centre - b * centre + dx, c, d, centre - c * centre - d * centre + dy)
        moved = image.transform((CHIP, CHIP), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        copies.append(np.asarray(moved))
    return copies
