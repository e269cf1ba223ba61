"""Resampling: the mean over a bin of whole pixels, as torch's interpolate(mode="area"), from sums over rectangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Indices, Pixels
from clip_smu.faces.detection import Detection

_WHOLE_PIXELS = 50_000_000  # a larger photo is halved first; its sums would take 16 bytes a pixel


def halved(photo: Pixels) -> Pixels:
    """A photo too large to be summed whole, at half its size; any other as it is."""
    if photo.ndim != 3 or photo.shape[0] * photo.shape[1] <= _WHOLE_PIXELS:
        return photo
    import cv2

    height, width = photo.shape[:2]
    half = cv2.resize(photo, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.uint8)


def enlarged(face: Detection, large: Pixels, small: Pixels) -> Detection:
    """A face found in a halved photo, in pixels of the whole one."""
    down, across = large.shape[0] / small.shape[0], large.shape[1] / small.shape[1]
    x1, y1, x2, y2 = face.box
    landmarks = None if face.landmarks is None else face.landmarks * np.array([across, down], np.float32)
    return Detection((x1 * across, y1 * down, x2 * across, y2 * down), face.score, landmarks)


def cumulative(photos: list[Pixels]) -> NDArray[np.int32]:
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


def bins(n: int, m: int) -> Indices:
    """(2, m): first pixel and end of each of m bins over n pixels."""
    i = np.arange(m)
    return np.stack([i * n // m, -(-(i + 1) * n // m)])


def shrink(sums: NDArray[np.int32], rows: Indices, columns: Indices) -> Float32s:
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


def crops(
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
