"""MTCNN face detection: the boxes and landmarks of facenet-pytorch, by ONNX Runtime and in batches.

Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks (2016).
P-net proposes boxes on a pyramid of the photo, R-net refines them, O-net refines them again and places
five landmarks. Rounding, box growing and suppression follow facenet-pytorch's ``detect_face``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Indices, Pixels
from clip_smu.errors import InputError
from clip_smu.faces.detection import Detection, order
from clip_smu.faces.mtcnn_boxes import iou, overlap_of_smaller, probability, regress, square, suppress
from clip_smu.faces.mtcnn_nets import sessions
from clip_smu.faces.mtcnn_pyramid import CELL, STRIDE, rounds_of, scales_of, settles
from clip_smu.faces.mtcnn_resampling import bins, crops, cumulative, enlarged, halved, shrink

_R_SIDE, _O_SIDE = 24, 48
_OUTPUTS = {_R_SIDE: 5, _O_SIDE: 15}  # numbers that R-net and O-net give a box
_LEVEL_NMS, _PHOTO_NMS = 0.5, 0.7
# Sizes that keep a network's activations in a core's cache; results do not depend on them.
_P_PIXELS, _P_ROWS, _R_BOXES, _O_BOXES = 32_768, 32, 16, 4
_BATCH_PIXELS = 2_000_000  # of photos whose sums are held at once, 16 bytes each; at least one photo


class MTCNN:
    """A face detector; holds three ONNX Runtime sessions.

    Args:
        min_face: smallest face to find, in pixels. It grows for a photo (above 11 megapixels at 20) whose
            first level of the pyramid would pass 4 megapixels; one above 50 megapixels is halved first.
        thresholds: least probability of a face after P-net, R-net and O-net.
        factor: ratio of one level of the pyramid to the one before.
        main_face: give only the main face of a photo (the first of :func:`~clip_smu.faces.detection.order`), and look
            for smaller ones only where they could still be it: the same face at half the time or less where it is
            large and central.
        threads: of ONNX Runtime; one, because workers or processes over photos scale better.

    Raises:
        InputError: an option is out of its range.
        MissingExtraError: the extra [mtcnn] is not installed.
        EncoderError: the weights are not those of mtcnn 1.0.0.

    Example:
        >>> from clip_smu import decode, example_photo
        >>> faces = MTCNN().detect([decode(example_photo().read_bytes())])[0]
        >>> len(faces), faces[0].landmarks.shape
        (1, (5, 2))
    """

    def __init__(
        self,
        *,
        min_face: int = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        main_face: bool = False,
        threads: int = 1,
    ) -> None:
        if min_face < 1:
            raise InputError(
                f"expected min_face of at least 1 pixel, found {min_face}: 20 is the usual value"
            )
        if len(thresholds) != 3 or not all(0 < t < 1 for t in thresholds):
            raise InputError(f"expected three MTCNN thresholds between 0 and 1, found {thresholds}")
        if not 0 < factor < 1:
            raise InputError(
                f"expected a pyramid factor between 0 and 1, found {factor}: 0.709 is the usual value"
            )
        if threads < 1:
            raise InputError(f"expected at least 1 thread, found {threads}")
        self.min_face, self.thresholds, self.factor = min_face, thresholds, factor
        self.main_face = main_face
        nets = sessions(threads)
        self._pnet, self._rnet, self._onet = (_runner(nets[name]) for name in ("pnet", "rnet", "onet"))

    def detect(self, photos: Sequence[Pixels]) -> list[list[Detection]]:
        """Faces of each photo, the largest box first, or the main one alone; an empty list where none is found.

        Args:
            photos: each (H, W, 3) uint8, RGB, of any size; equal sizes share the networks' calls.

        Raises:
            InputError: a photo is not (H, W, 3) uint8.
        """
        by_size: dict[tuple[int, ...], list[int]] = {}
        whole, photos = photos, [halved(photo) for photo in photos]
        for i, photo in enumerate(photos):
            if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
                raise InputError(
                    f"expected RGB photos (height, width, 3) of uint8, found {photo.shape} of {photo.dtype}: "
                    "decode with clip_smu.photos.decode"
                )
            if min(photo.shape[:2]) >= self.min_face:  # else there is no level of the pyramid
                by_size.setdefault(photo.shape, []).append(i)

        found: list[list[Detection]] = [[] for _ in photos]
        for (height, width, _), members in by_size.items():
            step = max(1, _BATCH_PIXELS // (height * width))
            for start in range(0, len(members), step):
                batch = members[start : start + step]
                for i, faces in zip(batch, self._detect([photos[i] for i in batch]), strict=True):
                    found[i] = faces
        return [
            faces if large is small else [enlarged(face, large, small) for face in faces]
            for faces, large, small in zip(found, whole, photos, strict=True)
        ]

    # a very sure "no face" overflows exp, a box without area divides by zero; both end as they should
    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def _detect(self, photos: list[Pixels]) -> list[list[Detection]]:
        """`detect` for photos of one size."""
        sums = cumulative(photos)
        height, width = photos[0].shape[:2]
        found: list[list[Detection]] = [[] for _ in photos]
        passed = np.empty((0, 4 + _OUTPUTS[_R_SIDE]), np.float32)  # box, R-net's output
        owner, waiting = np.empty(0, np.intp), np.arange(len(photos))
        scales = list(scales_of(height, width, self.min_face, self.factor))
        for levels, limit in rounds_of(scales, height, width, self.main_face):
            boxes, of = self._propose(sums if len(waiting) == len(sums) else sums[waiting], levels)
            boxes, of, out = self._refine(
                self._rnet, sums, boxes, waiting[of], _R_SIDE, _R_BOXES, self.thresholds[1]
            )
            left = np.isin(owner, waiting)
            passed = np.concatenate([np.hstack([boxes, out]), passed[left]])
            owner = np.concatenate([of, owner[left]])
            faces = self._confirm(sums, passed[:, :4], owner, passed[:, 4:])
            for i in waiting:
                found[i] = faces[i]
            waiting = np.array([i for i in waiting if not settles(found[i], height, width, limit)], np.intp)
            if not limit or not len(waiting):
                break
        return [order(faces, height, width)[:1] for faces in found] if self.main_face else found

    def _confirm(
        self, sums: NDArray[np.int32], boxes: Float32s, owner: Indices, out: Float32s
    ) -> list[list[Detection]]:
        """O-net over what passed R-net: the faces of each photo, the largest box first."""
        keep = suppress(boxes, out[:, -1], owner, _PHOTO_NMS, iou)
        boxes, owner = square(regress(boxes[keep], out[keep, :4])), owner[keep]
        boxes, owner, out = self._refine(
            self._onet, sums, boxes, owner, _O_SIDE, _O_BOXES, self.thresholds[2]
        )

        scores = probability(out)
        corner, extent = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2] + 1
        landmarks = extent * out[:, 4:14].reshape(-1, 2, 5).transpose(0, 2, 1) + corner - 1
        boxes = regress(boxes, out[:, :4])
        keep = suppress(boxes, out[:, -1], owner, _PHOTO_NMS, overlap_of_smaller)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        faces: list[list[Detection]] = [[] for _ in sums]
        for i in sorted(keep, key=lambda i: -area[i]):
            x1, y1, x2, y2 = boxes[i].tolist()
            faces[owner[i]].append(Detection((x1, y1, x2, y2), float(scores[i]), landmarks[i]))
        return faces

    def _propose(self, sums: NDArray[np.int32], scales: Sequence[float]) -> tuple[Float32s, Indices]:
        """P-net over levels of the pyramid: square boxes (N, 4) and the photo of each (N,)."""
        height, width = sums.shape[1] - 1, sums.shape[2] - 1
        threshold = math.log(self.thresholds[0] / (1 - self.thresholds[0]))
        rows = [np.empty((0, 9), np.float32)]  # x1, y1, x2, y2, logit, four offsets
        owners = [np.empty(0, np.intp)]
        for scale in scales:
            level: list[Float32s] = []
            owner: list[Indices] = []
            for first, top, out in self._maps(sums, int(height * scale + 1), int(width * scale + 1)):
                photo, y, x = np.nonzero(out[:, 4] >= threshold)
                corner = np.stack([x, y + top], axis=1).astype(np.float32) * STRIDE
                box = np.floor(np.concatenate([corner + 1, corner + CELL], axis=1) / np.float32(scale))
                level.append(
                    np.concatenate([box, out[photo, 4, y, x][:, None], out[photo, :4, y, x]], axis=1)
                )
                owner.append(photo + first)
            candidates, of = np.concatenate(level), np.concatenate(owner)
            keep = suppress(candidates[:, :4], candidates[:, 4], of, _LEVEL_NMS, iou)
            rows.append(candidates[keep])
            owners.append(of[keep])
        candidates, of = np.concatenate(rows), np.concatenate(owners)
        keep = suppress(candidates[:, :4], candidates[:, 4], of, _PHOTO_NMS, iou)
        box, offsets = candidates[keep, :4], candidates[keep, 5:]
        extent = box[:, 2:] - box[:, :2]
        return square(box + offsets * np.concatenate([extent, extent], axis=1)), of[keep]

    def _maps(self, sums: NDArray[np.int32], height: int, width: int) -> Iterator[tuple[int, int, Float32s]]:
        """P-net's output for all photos at one level, in pieces: (first photo, top row, map).

        A large level goes through in strips of whole output rows, which changes no value.
        """
        rows, columns = bins(sums.shape[1] - 1, height), bins(sums.shape[2] - 1, width)
        photos = max(1, _P_PIXELS // (height * width))
        lines = max(_P_ROWS, (_P_PIXELS // width - CELL) // STRIDE) if photos == 1 else height
        last = (height - CELL + 1) // STRIDE + 1  # output rows; P-net's pool rounds up
        for top in range(0, last, lines):
            bottom = height if top + lines >= last else (top + lines - 1) * STRIDE + CELL
            strip = rows[:, top * STRIDE : bottom]
            for first in range(0, len(sums), photos):
                yield first, top, self._pnet(shrink(sums[first : first + photos], strip, columns))

    def _refine(
        self,
        net: Callable[[Float32s], Float32s],
        sums: NDArray[np.int32],
        boxes: Float32s,
        owner: Indices,
        side: int,
        step: int,
        threshold: float,
    ) -> tuple[Float32s, Indices, Float32s]:
        """R-net or O-net over boxes: those that pass, the photo of each, and the network's output."""
        height, width = sums.shape[1] - 1, sums.shape[2] - 1
        corners = np.trunc(boxes).astype(np.intp)
        # first pixel counts from one, as in the original Matlab code
        x1, y1 = np.maximum(corners[:, 0], 1) - 1, np.maximum(corners[:, 1], 1) - 1
        x2, y2 = np.minimum(corners[:, 2], width), np.minimum(corners[:, 3], height)
        inside = np.flatnonzero((x2 > x1) & (y2 > y1))
        pieces = []
        for start in range(0, len(inside), step):
            k = inside[start : start + step]
            pieces.append(net(crops(sums, owner[k], y1[k], y2[k], x1[k], x2[k], side)))
        if not pieces:
            return (
                np.empty((0, 4), np.float32),
                np.empty(0, np.intp),
                np.empty((0, _OUTPUTS[side]), np.float32),
            )
        out = np.concatenate(pieces)
        passed = probability(out) > threshold
        return boxes[inside[passed]], owner[inside[passed]], out[passed]


def _runner(session: Any) -> Callable[[Float32s], Float32s]:
    def run(pixels: Float32s) -> Float32s:
        out: Float32s = session.run(None, {"pixels": pixels})[0]
        return out

    return run
