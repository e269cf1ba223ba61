"""Boxes, (N, 4) float32, x1 y1 x2 y2: regression, squares, overlap, non-maximum suppression, as facenet-pytorch.

float32 throughout, as rounding decides which pixels are read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clip_smu.arrays import Float32s, Indices

_NMS_BLOCK = 512
_BETTER = np.triu(np.ones((_NMS_BLOCK, _NMS_BLOCK), dtype=bool), 1)  # [i, j]: i comes before j


def probability(out: Float32s) -> Float32s:
    """(N,) of a face, from a network's output, whose last column is its logit."""
    scores: Float32s = np.divide(1, 1 + np.exp(-out[:, -1]), dtype=np.float32)
    return scores


def square(boxes: Float32s) -> Float32s:
    """Boxes grown to squares about their centres."""
    extent = boxes[:, 2:] - boxes[:, :2]
    side = extent.max(axis=1, keepdims=True)
    corner: Float32s = boxes[:, :2] + extent * np.float32(0.5) - side * np.float32(0.5)
    squares: Float32s = np.concatenate([corner, corner + side], axis=1)
    return squares


def regress(boxes: Float32s, offsets: Float32s) -> Float32s:
    """Boxes moved by (N, 4) offsets in shares of their extent."""
    extent = boxes[:, 2:] - boxes[:, :2] + 1
    moved: Float32s = boxes + offsets * np.concatenate([extent, extent], axis=1)
    return moved


def iou(a: Float32s, b: Float32s) -> Float32s:
    """(N, M) intersection over union."""
    both, area_a, area_b = _intersection(a, b, 0)
    return both / (area_a + area_b - both)


def overlap_of_smaller(a: Float32s, b: Float32s) -> Float32s:
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


def suppress(
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
