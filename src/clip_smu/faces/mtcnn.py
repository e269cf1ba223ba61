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
from clip_smu.faces.detection import Detection, order, prominence
from clip_smu.faces.mtcnn_nets import sessions

_CELL, _STRIDE = 12, 2  # P-net sees 12x12 pixels, in steps of 2
_R_SIDE, _O_SIDE = 24, 48
_OUTPUTS = {_R_SIDE: 5, _O_SIDE: 15}  # numbers that R-net and O-net give a box
_LEVEL_NMS, _PHOTO_NMS = 0.5, 0.7
# Sizes that keep a network's activations in a core's cache; results do not depend on them.
_P_PIXELS, _P_ROWS, _R_BOXES, _O_BOXES = 32_768, 32, 16, 4
_BATCH_PIXELS = 2_000_000  # of photos whose sums are held at once, 16 bytes each; at least one photo
_LEVEL_PIXELS = 4_000_000  # largest level of the pyramid
_WHOLE_PIXELS = 50_000_000  # a larger photo is halved first; its sums would take 16 bytes a pixel
# The search for a main face: first cells of at least a sixth of the photo's shorter side, then two levels a round,
# until a sure face outweighs any of 2.4 of the next cells. So 1,000 LFW photos at 40 sizes gave the main face of all.
_FIRST_SHARE, _ROUND_LEVELS, _REACH, _SURE = 6, 2, 2.4, 0.95
_NMS_BLOCK = 512
_BETTER = np.triu(np.ones((_NMS_BLOCK, _NMS_BLOCK), dtype=bool), 1)  # [i, j]: i comes before j


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
        whole, photos = photos, [_halved(photo) for photo in photos]
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
            faces if large is small else [_enlarged(face, large, small) for face in faces]
            for faces, large, small in zip(found, whole, photos, strict=True)
        ]

    # a very sure "no face" overflows exp, a box without area divides by zero; both end as they should
    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def _detect(self, photos: list[Pixels]) -> list[list[Detection]]:
        """`detect` for photos of one size."""
        sums = _cumulative(photos)
        height, width = photos[0].shape[:2]
        found: list[list[Detection]] = [[] for _ in photos]
        passed = np.empty((0, 4 + _OUTPUTS[_R_SIDE]), np.float32)  # box, R-net's output
        owner, waiting = np.empty(0, np.intp), np.arange(len(photos))
        for scales, limit in self._rounds(height, width):
            boxes, of = self._propose(sums if len(waiting) == len(sums) else sums[waiting], scales)
            boxes, of, out = self._refine(
                self._rnet, sums, boxes, waiting[of], _R_SIDE, _R_BOXES, self.thresholds[1]
            )
            left = np.isin(owner, waiting)
            passed = np.concatenate([np.hstack([boxes, out]), passed[left]])
            owner = np.concatenate([of, owner[left]])
            faces = self._confirm(sums, passed[:, :4], owner, passed[:, 4:])
            for i in waiting:
                found[i] = faces[i]
            waiting = np.array([i for i in waiting if not _settles(found[i], height, width, limit)], np.intp)
            if not limit or not len(waiting):
                break
        return [order(faces, height, width)[:1] for faces in found] if self.main_face else found

    def _rounds(self, height: int, width: int) -> Iterator[tuple[list[float], float]]:
        """Scales of P-net to search together, and the side that no face of a later round can pass (0: no later one).

        Everything in one round, but for the main face: there the large faces come first. Rounds share no suppression of
        P-net's boxes; at the usual factor, cells of two levels never overlap by as much as it takes.
        """
        scales = list(self._scales(height, width))
        if not self.main_face:
            yield scales, 0
            return
        end = len(scales)
        start = sum(_CELL / scale < min(height, width) / _FIRST_SHARE for scale in scales)
        while end:
            yield scales[start:end], _REACH * _CELL / scales[start - 1] if start else 0
            end, start = start, max(0, start - _ROUND_LEVELS)

    def _confirm(
        self, sums: NDArray[np.int32], boxes: Float32s, owner: Indices, out: Float32s
    ) -> list[list[Detection]]:
        """O-net over what passed R-net: the faces of each photo, the largest box first."""
        keep = _suppress(boxes, out[:, -1], owner, _PHOTO_NMS, _iou)
        boxes, owner = _square(_regress(boxes[keep], out[keep, :4])), owner[keep]
        boxes, owner, out = self._refine(
            self._onet, sums, boxes, owner, _O_SIDE, _O_BOXES, self.thresholds[2]
        )

        scores = _probability(out)
        corner, extent = boxes[:, None, :2], boxes[:, None, 2:] - boxes[:, None, :2] + 1
        landmarks = extent * out[:, 4:14].reshape(-1, 2, 5).transpose(0, 2, 1) + corner - 1
        boxes = _regress(boxes, out[:, :4])
        keep = _suppress(boxes, out[:, -1], owner, _PHOTO_NMS, _overlap_of_smaller)
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
                corner = np.stack([x, y + top], axis=1).astype(np.float32) * _STRIDE
                box = np.floor(np.concatenate([corner + 1, corner + _CELL], axis=1) / np.float32(scale))
                level.append(
                    np.concatenate([box, out[photo, 4, y, x][:, None], out[photo, :4, y, x]], axis=1)
                )
                owner.append(photo + first)
            candidates, of = np.concatenate(level), np.concatenate(owner)
            keep = _suppress(candidates[:, :4], candidates[:, 4], of, _LEVEL_NMS, _iou)
            rows.append(candidates[keep])
            owners.append(of[keep])
        candidates, of = np.concatenate(rows), np.concatenate(owners)
        keep = _suppress(candidates[:, :4], candidates[:, 4], of, _PHOTO_NMS, _iou)
        box, offsets = candidates[keep, :4], candidates[keep, 5:]
        extent = box[:, 2:] - box[:, :2]
        return _square(box + offsets * np.concatenate([extent, extent], axis=1)), of[keep]

    def _scales(self, height: int, width: int) -> Iterator[float]:
        scale = min(_CELL / self.min_face, math.sqrt(_LEVEL_PIXELS / (height * width)))
        side = min(height, width) * scale
        while side >= _CELL:
            yield scale
            scale *= self.factor
            side *= self.factor

    def _maps(self, sums: NDArray[np.int32], height: int, width: int) -> Iterator[tuple[int, int, Float32s]]:
        """P-net's output for all photos at one level, in pieces: (first photo, top row, map).

        A large level goes through in strips of whole output rows, which changes no value.
        """
        rows, columns = _bins(sums.shape[1] - 1, height), _bins(sums.shape[2] - 1, width)
        photos = max(1, _P_PIXELS // (height * width))
        lines = max(_P_ROWS, (_P_PIXELS // width - _CELL) // _STRIDE) if photos == 1 else height
        last = (height - _CELL + 1) // _STRIDE + 1  # output rows; P-net's pool rounds up
        for top in range(0, last, lines):
            bottom = height if top + lines >= last else (top + lines - 1) * _STRIDE + _CELL
            strip = rows[:, top * _STRIDE : bottom]
            for first in range(0, len(sums), photos):
                yield first, top, self._pnet(_shrink(sums[first : first + photos], strip, columns))

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
            pieces.append(net(_crops(sums, owner[k], y1[k], y2[k], x1[k], x2[k], side)))
        if not pieces:
            return (
                np.empty((0, 4), np.float32),
                np.empty(0, np.intp),
                np.empty((0, _OUTPUTS[side]), np.float32),
            )
        out = np.concatenate(pieces)
        passed = _probability(out) > threshold
        return boxes[inside[passed]], owner[inside[passed]], out[passed]


def _runner(session: Any) -> Callable[[Float32s], Float32s]:
    def run(pixels: Float32s) -> Float32s:
        out: Float32s = session.run(None, {"pixels": pixels})[0]
        return out

    return run


# --- resampling: the mean over a bin of whole pixels, as torch's interpolate(mode="area") ---------------


def _halved(photo: Pixels) -> Pixels:
    """A photo too large to be summed whole, at half its size; any other as it is."""
    if photo.ndim != 3 or photo.shape[0] * photo.shape[1] <= _WHOLE_PIXELS:
        return photo
    import cv2

    height, width = photo.shape[:2]
    half = cv2.resize(photo, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.uint8)


def _enlarged(face: Detection, large: Pixels, small: Pixels) -> Detection:
    """A face found in a halved photo, in pixels of the whole one."""
    down, across = large.shape[0] / small.shape[0], large.shape[1] / small.shape[1]
    x1, y1, x2, y2 = face.box
    landmarks = None if face.landmarks is None else face.landmarks * np.array([across, down], np.float32)
    return Detection((x1 * across, y1 * down, x2 * across, y2 * down), face.score, landmarks)


def _cumulative(photos: list[Pixels]) -> NDArray[np.int32]:
    """(B, H + 1, W + 1, 4) int32: sums of all pixels above and left; a sum over a box is four look-ups.

    The fourth channel makes a pixel 16 bytes, which NumPy then moves as one item. Sums over more than
    8 million pixels wrap around; differences over smaller boxes come out right all the same.
    """
    import cv2

    height, width, _ = photos[0].shape
    sums = np.empty((len(photos), height + 1, width + 1, 4), np.int32)
    for photo, out in zip(photos, sums, strict=True):
        cv2.integral(cv2.cvtColor(np.ascontiguousarray(photo), cv2.COLOR_RGB2RGBA), out, cv2.CV_32S)
    return sums


def _bins(n: int, m: int) -> Indices:
    """(2, m): first pixel and end of each of m bins over n pixels."""
    i = np.arange(m)
    return np.stack([i * n // m, -(-(i + 1) * n // m)])


def _shrink(sums: NDArray[np.int32], rows: Indices, columns: Indices) -> Float32s:
    """Means over bins of rows x columns, for each photo: (B, 3, h, w) float32 in 0..255."""
    (top, bottom), (left, right) = rows, columns
    share = np.multiply.outer(_share(bottom - top), _share(right - left))
    out = np.empty((len(sums), 3, *share.shape), np.float32)
    for table, means in zip(sums, out, strict=True):
        bands = _whole_pixels(table.take(bottom, 0) - table.take(top, 0))
        totals = bands.take(right, 1).view(np.int32) - bands.take(left, 1).view(np.int32)
        np.multiply(
            totals.reshape(*share.shape, 4)[..., :3].transpose(2, 0, 1), share, out=means, dtype=np.float32
        )
    return out


def _crops(
    sums: NDArray[np.int32], owner: Indices, y1: Indices, y2: Indices, x1: Indices, x2: Indices, side: int
) -> Float32s:
    """Boxes of photos, each resampled to side x side: (N, 3, side, side) float32 in 0..255."""
    i = np.arange(side)
    high, wide = (y2 - y1)[:, None], (x2 - x1)[:, None]
    top, bottom = i * high // side + y1[:, None], -(-(i + 1) * high // side) + y1[:, None]
    left, right = i * wide // side + x1[:, None], -(-(i + 1) * wide // side) + x1[:, None]
    share = _share(bottom - top)[:, None, :, None] * _share(right - left)[:, None, None, :]

    table, pitch = _whole_pixels(sums).reshape(-1), sums.shape[2]
    first = owner[:, None] * sums.shape[1]
    above, below = ((first + top) * pitch)[:, :, None], ((first + bottom) * pitch)[:, :, None]
    left, right = left[:, None, :], right[:, None, :]
    totals = table.take(below + right).view(np.int32)
    totals -= table.take(above + right).view(np.int32)
    totals -= table.take(below + left).view(np.int32)
    totals += table.take(above + left).view(np.int32)
    means = np.empty((len(owner), 3, side, side), np.float32)
    colours = totals.reshape(-1, side, side, 4)[..., :3].transpose(0, 3, 1, 2)
    np.multiply(colours, share, out=means, dtype=np.float32)
    return means


def _share(pixels: Indices) -> Float32s:
    return np.reciprocal(pixels, dtype=np.float32)


def _whole_pixels(table: NDArray[np.int32]) -> NDArray[np.complex128]:
    """The same memory with one 16-byte item for the four channels of a pixel; it is only ever moved."""
    return table.view(np.complex128)[..., 0]


# --- boxes: (N, 4) float32, x1 y1 x2 y2; float32 throughout, as rounding decides which pixels are read ---


def _settles(faces: list[Detection], height: int, width: int, limit: float) -> bool:
    """Whether the main one of these faces is sure, and outweighs any face of up to `limit` pixels."""
    main = order(faces, height, width)[:1]
    return bool(main) and main[0].score >= _SURE and prominence(main[0], height, width) >= limit**2


def _probability(out: Float32s) -> Float32s:
    scores: Float32s = np.divide(1, 1 + np.exp(-out[:, -1]), dtype=np.float32)
    return scores


def _square(boxes: Float32s) -> Float32s:
    """Boxes grown to squares about their centres."""
    extent = boxes[:, 2:] - boxes[:, :2]
    side = extent.max(axis=1, keepdims=True)
    corner: Float32s = boxes[:, :2] + extent * np.float32(0.5) - side * np.float32(0.5)
    squares: Float32s = np.concatenate([corner, corner + side], axis=1)
    return squares


def _regress(boxes: Float32s, offsets: Float32s) -> Float32s:
    extent = boxes[:, 2:] - boxes[:, :2] + 1
    moved: Float32s = boxes + offsets * np.concatenate([extent, extent], axis=1)
    return moved


def _iou(a: Float32s, b: Float32s) -> Float32s:
    """(N, M) intersection over union."""
    both, area_a, area_b = _intersection(a, b, 0)
    return both / (area_a + area_b - both)


def _overlap_of_smaller(a: Float32s, b: Float32s) -> Float32s:
    """(N, M) intersection over the smaller area; here a box includes its last pixel."""
    both, area_a, area_b = _intersection(a, b, 1)
    return np.divide(both, np.minimum(area_a, area_b), dtype=np.float32)


def _intersection(a: Float32s, b: Float32s, last: int) -> tuple[Float32s, Float32s, Float32s]:
    ax1, ay1, ax2, ay2 = a.T[:, :, None]
    bx1, by1, bx2, by2 = b.T[:, None, :]
    wide = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1) + last, 0)
    high = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1) + last, 0)
    area_a, area_b = (ax2 - ax1 + last) * (ay2 - ay1 + last), (bx2 - bx1 + last) * (by2 - by1 + last)
    return wide * high, area_a, area_b


def _suppress(
    boxes: Float32s,
    scores: Float32s,
    owner: Indices,
    threshold: float,
    overlap: Callable[[Float32s, Float32s], Float32s],
) -> Indices:
    """Indices that survive non-maximum suppression within each photo, best first within a photo."""
    best_first = np.lexsort((-scores, owner))
    edges = np.flatnonzero(np.diff(owner[best_first])) + 1
    kept = [group[_greedy(boxes[group], threshold, overlap)] for group in np.split(best_first, edges)]
    return np.concatenate(kept)


def _greedy(boxes: Float32s, threshold: float, overlap: Callable[[Float32s, Float32s], Float32s]) -> Indices:
    """Greedy suppression of boxes sorted best first, block by block: indices of those kept."""
    if len(boxes) < 2:
        return np.arange(len(boxes))
    kept: Indices = np.empty(0, np.intp)
    for start in range(0, len(boxes), _NMS_BLOCK):
        index = np.arange(start, min(start + _NMS_BLOCK, len(boxes)))
        if start:
            index = index[~(overlap(boxes[kept], boxes[index]) > threshold).any(axis=0)]
        beats = overlap(boxes[index], boxes[index]) > threshold  # [i, j]: i silences j
        beats &= _BETTER[: len(index), : len(index)]
        alive, before = np.ones(len(index), bool), np.zeros(len(index), bool)
        while (alive != before).any():  # a living better box silences; settles from the best box downwards
            before, alive = alive, np.logical_not(beats[alive].any(axis=0))
        kept = np.concatenate([kept, index[alive]])
    return kept
