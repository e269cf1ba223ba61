"""The pyramid of MTCNN's P-net, and the shortcut to a main face: large faces first, while a smaller one could be it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from clip_smu.faces.detection import Detection, order, prominence

CELL, STRIDE = 12, 2  # P-net sees 12x12 pixels, in steps of 2
_LEVEL_PIXELS = 4_000_000  # largest level of the pyramid
# The search for a main face: first cells of at least a sixth of the photo's shorter side, then two levels a round,
# until a sure face outweighs any of 2.4 of the next cells. So 1,000 LFW photos at 40 sizes gave the main face of all.
_FIRST_SHARE, _ROUND_LEVELS, _REACH, _SURE = 6, 2, 2.4, 0.95


def scales_of(height: int, width: int, min_face: int, factor: float) -> Iterator[float]:
    """Scales of the pyramid, each ``factor`` of the one before; a cell of P-net is ``CELL / scale`` pixels wide."""
    scale = min(CELL / min_face, math.sqrt(_LEVEL_PIXELS / (height * width)))
    side = min(height, width) * scale
    while side >= CELL:
        yield scale
        scale *= factor
        side *= factor


def rounds_of(
    scales: Sequence[float], height: int, width: int, main_face: bool
) -> Iterator[tuple[Sequence[float], float]]:
    """Scales of P-net to search together, and the side that no face of a later round can pass (0: no later one).

    Everything in one round, but for the main face: there the large faces come first. Rounds share no suppression of
    P-net's boxes; at the usual factor, cells of two levels never overlap by as much as it takes.
    """
    if not main_face:
        yield scales, 0
        return
    end = len(scales)
    start = sum(CELL / scale < min(height, width) / _FIRST_SHARE for scale in scales)
    while end:
        yield scales[start:end], _REACH * CELL / scales[start - 1] if start else 0
        end, start = start, max(0, start - _ROUND_LEVELS)


def settles(faces: list[Detection], height: int, width: int, limit: float) -> bool:
    """Whether the main one of these faces is sure, and outweighs any face of up to `limit` pixels."""
    main = order(faces, height, width)[:1]
    return bool(main) and main[0].score >= _SURE and prominence(main[0], height, width) >= limit**2
