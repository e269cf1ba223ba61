"""Any face recognition network in ONNX as an encoder: detect, align, crop, preprocess as the card says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from clip_smu.arrays import Float32s, Pixels
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.crops import ALIGNED, Crop, box_crop, centre_crop
from clip_smu.encoders.encoder import EncoderOptions, Face
from clip_smu.encoders.finding import DETECTORS, LandmarksFile, detector_of
from clip_smu.encoders.network import BATCH, Network
from clip_smu.encoders.preprocessing import preprocess
from clip_smu.encoders.weights import check_weights
from clip_smu.errors import EncoderError, ImageError
from clip_smu.faces.alignment import Fit, similarity, warp
from clip_smu.faces.detection import Detection, order


class OnnxEncoder:
    """An ONNX network as an :class:`~clip_smu.encoders.encoder.Encoder`.

    Args:
        card: how its input must be preprocessed.
        weights: the ONNX file.
        options: detection and alignment.
        threads: of ONNX Runtime.

    Raises:
        EncoderError: the file is missing, is not the card's, or has another input or output; wrong options.
        InputError: the landmarks file cannot be used.
        MissingExtraError: the detector's package is not installed.
    """

    def __init__(
        self, card: EncoderCard, weights: Path, options: EncoderOptions, *, threads: int = 1
    ) -> None:
        if options.jitter:
            raise EncoderError(f"jitter is dlib's alone; the encoder {card.name} has none: leave it out")
        if options.detector is not None and options.detector not in DETECTORS:
            raise EncoderError(
                f"expected a detector, one of {', '.join(DETECTORS)}; found {options.detector!r}"
            )
        if options.align not in ("default", "none"):
            raise EncoderError(f"align must be default or none, not {options.align!r}")
        if not 0 <= (options.upsample or 0) <= 4:
            raise EncoderError(f"upsample must be 0 to 4, not {options.upsample}")
        check_weights(card, weights)
        self.card, self.options = card, options
        self.network = Network(weights, card, threads)
        self.cropped = "none" in (options.align, options.detector)
        self._landmarks = None if options.landmarks is None else LandmarksFile(Path(options.landmarks))
        wanted = not self.cropped and self._landmarks is None and card.alignment != "none"
        self._detector = detector_of(options, threads) if wanted else None

    def encode(self, photos: Sequence[Pixels], names: Sequence[str] = ()) -> list[list[Face]]:
        """Faces of each photo, (H, W, 3) uint8 RGB, the main face first; see :class:`Encoder`."""
        found = self.crops(photos, names)
        flat = [crop for crops in found for crop in crops]
        templates, norms = self.templates([crop.pixels for crop in flat])
        faces = iter(
            Face(crop.found.box, _landmarks_of(crop.found), crop.found.score, template, float(norm))
            for crop, template, norm in zip(flat, templates, norms, strict=True)
        )
        return [[next(faces) for _ in crops] for crops in found]

    def crops(self, photos: Sequence[Pixels], names: Sequence[str] = ()) -> list[list[Crop]]:
        """Detects, orders and cuts the faces of each photo; the first half of :meth:`encode`.

        Raises:
            ImageError: ``not-a-crop`` (align none, and the photo is no crop), ``no-landmarks`` (the file lacks
                the photo) or ``no-alignment`` (landmarks that allow no alignment).
        """
        if self.cropped:
            return [[self._whole(photo)] for photo in photos]
        if self._landmarks is not None:
            if len(names) != len(photos):
                raise EncoderError("landmarks from a file need the name of each photo: give names")
            found = [[self._landmarks.of(name)] for name in names]
        elif self._detector is not None:
            found = [
                order(faces, *photo.shape[:2])
                for photo, faces in zip(photos, self._detector.detect(photos), strict=True)
            ]
        else:  # the card wants the whole photo
            return [[Crop(_everything(photo), centre_crop(photo, self.card.input_size))] for photo in photos]
        if self.options.main_face:
            found = [faces[:1] for faces in found]
        return [
            [Crop(face, self.cut(photo, face)) for face in faces]
            for photo, faces in zip(photos, found, strict=True)
        ]

    def cut(self, photo: Pixels, face: Detection) -> Pixels:
        """One face of a photo as the card's alignment says, (h, w, 3) uint8."""
        if self.card.alignment == "box":
            return box_crop(photo, face.box, self.card.input_size)
        if face.landmarks is None:
            raise ImageError("no-alignment", "expected five landmarks to align by, the detector gave none")
        matrix = similarity(face.landmarks, fit=cast("Fit", self.card.fit))
        return warp(photo, matrix, ALIGNED)

    def templates(
        self, crops: Sequence[Pixels], card: EncoderCard | None = None
    ) -> tuple[Float32s, Float32s]:
        """Templates (N, d) and norms (N,) of crops; ``card`` preprocesses them otherwise than its own says."""
        pieces = [
            self.network.templates(preprocess(np.stack(crops[start : start + BATCH]), card or self.card))
            for start in range(0, len(crops), BATCH)
        ]
        if not pieces:
            return np.empty((0, self.card.dim), np.float32), np.empty(0, np.float32)
        vectors, norms = zip(*pieces, strict=True)
        return np.concatenate(vectors), np.concatenate(norms)

    def _whole(self, photo: Pixels) -> Crop:
        """A photo that is already the crop."""
        size = self.card.input_size
        allowed = {size, ALIGNED} if self.card.alignment == "five-point-112" else {size}
        if photo.shape[:2] not in allowed:
            sizes = " or ".join(f"{width}x{height}" for height, width in sorted(allowed))
            raise ImageError(
                "not-a-crop",
                f"expected a crop of {sizes} pixels, as nothing is aligned here; found "
                f"{photo.shape[1]}x{photo.shape[0]}: leave out --align none",
            )
        return Crop(_everything(photo), photo)


def _everything(photo: Pixels) -> Detection:
    return Detection((0.0, 0.0, float(photo.shape[1]), float(photo.shape[0])), 1.0, None)


def _landmarks_of(found: Detection) -> Any:
    return np.full((5, 2), np.nan, np.float32) if found.landmarks is None else found.landmarks
