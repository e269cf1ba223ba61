"""Five landmarks of a face to the 112x112 crop that face encoders expect."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip_smu.arrays import Float64s, Pixels
from clip_smu.errors import ImageError, InputError

Fit = Literal["umeyama", "adaface"]

TEMPLATE_112: Float64s = np.array(
    [
        [38.29459953, 51.69630051],
        [73.53179932, 51.50139999],
        [56.02519989, 71.73660278],
        [41.54930115, 92.3655014],
        [70.72990036, 92.20410156],
    ]
)
"""Left eye, right eye, nose, left and right mouth corner (x, y) in a 112x112 crop (InsightFace, AdaFace)."""


def similarity(points: ArrayLike, template: Float64s = TEMPLATE_112, fit: Fit = "umeyama") -> Float64s:
    """The similarity (scale, rotation, shift) that takes landmarks to the template.

    Args:
        points: (5, 2) x, y in pixels of the photo, in the template's order; or (N, 5, 2) for N faces.
        template: (5, 2) x, y in pixels of the crop.
        fit: ``umeyama`` fits the template from the points and never mirrors (scikit-image's
            SimilarityTransform; Umeyama 1991), as InsightFace and SwinFace do. ``adaface`` fits the points
            from the template, inverts, and may mirror, as AdaFace's ``cp2tform`` port does; on a real face
            it zooms in a little more.

    Returns:
        (2, 3) float64, or (N, 2, 3): photo pixel (x, y, 1) to crop pixel.

    Raises:
        ImageError: (``no-alignment``) a coordinate is not finite, or the points fall together.
        InputError: the points have another shape, or `fit` is unknown.
    """
    source = np.asarray(points, dtype=np.float64)
    if source.ndim not in (2, 3) or source.shape[-2:] != template.shape:
        raise InputError(
            f"expected five landmarks (5, 2) or (N, 5, 2), found an array of shape {source.shape}"
        )
    if fit not in ("umeyama", "adaface"):
        raise InputError(f"expected the fit 'umeyama' or 'adaface', found {fit!r}")
    if not np.isfinite(source).all():
        raise ImageError(
            "no-alignment", "expected five finite landmarks, found NaN or infinity: drop this face"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = (_umeyama if fit == "umeyama" else _adaface)(source, template)
    zoom = np.abs(np.linalg.det(matrix[..., :2])) if np.isfinite(matrix).all() else np.zeros(1)
    if not (zoom > 0).all():
        raise ImageError(
            "no-alignment",
            "expected five landmarks spread over a face, found them on one spot: drop this face",
        )
    return matrix


def warp(image: Pixels, matrix: Float64s, size: tuple[int, int] = (112, 112)) -> Pixels:
    """Cut a crop out of a photo: OpenCV's affine warp, bilinear, black outside the photo.

    Args:
        image: (H, W, 3) uint8; the crop keeps its channel order.
        matrix: (2, 3), from photo pixel to crop pixel, as `similarity` gives.
        size: width and height of the crop.

    Returns:
        (height, width, 3) uint8.
    """
    import cv2

    crop: Any = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
    return np.asarray(crop, dtype=np.uint8)


def crops(
    image: Pixels,
    points: ArrayLike,
    template: Float64s = TEMPLATE_112,
    fit: Fit = "umeyama",
    size: tuple[int, int] = (112, 112),
) -> Pixels:
    """All faces of one photo: `similarity` and `warp` for points (N, 5, 2), to (N, height, width, 3) uint8.

    Example:
        >>> photo = np.zeros((200, 200, 3), np.uint8)
        >>> crops(photo, [TEMPLATE_112 + 30, TEMPLATE_112 + 40]).shape
        (2, 112, 112, 3)
    """
    landmarks = np.asarray(points, dtype=np.float64).reshape(-1, *template.shape)
    out = np.empty((len(landmarks), size[1], size[0], 3), np.uint8)
    for matrix, crop in zip(similarity(landmarks, template, fit), out, strict=True):
        crop[:] = warp(image, matrix, size)
    return out


# With points as complex numbers z = x + iy, a similarity is z -> a z + b, and its least squares fit is a
# line fit: a = sum(conj(z - mean z) (w - mean w)) / sum(|z - mean z|^2).


def _umeyama(source: Float64s, template: Float64s) -> Float64s:
    return _matrix(*_line(_complex(source), _complex(template)))


def _adaface(source: Float64s, template: Float64s) -> Float64s:
    """AdaFace's ``findSimilarity``: the better of a plain and a mirrored fit of source from template.

    The original rounds its input to float32, and flips the sign of the template's x in place before it
    measures both errors, so both are measured against the mirrored template. That choice is kept.
    """
    z = _complex(source.astype(np.float32).astype(np.float64))
    w = _complex(template.astype(np.float32).astype(np.float64))
    flipped = -w.conj()  # x becomes -x
    plain, mirrored = _inverse(*_line(w, z)), _inverse(*_line(flipped, z))
    # a z + b lands on the mirrored template; minus its conjugate lands on the template itself
    error_plain = np.abs(_apply(plain, z) - flipped)
    error_mirrored = np.abs(-_apply(mirrored, z).conj() - flipped)
    choose = (error_plain**2).sum(-1) <= (error_mirrored**2).sum(-1)
    reflected = _matrix(*mirrored) * np.array([[-1.0], [1.0]])
    return np.where(choose[..., None, None], _matrix(*plain), reflected)


def _complex(points: Float64s) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def _line(z: NDArray[np.complex128], w: NDArray[np.complex128]) -> tuple[Any, Any]:
    """a and b, each (...), of the least squares fit w = a z + b over the last axis."""
    middle = z.mean(-1)
    apart = z - middle[..., None]
    a = (apart.conj() * (w - w.mean(-1)[..., None])).sum(-1) / (np.abs(apart) ** 2).sum(-1)
    return a, w.mean(-1) - a * middle


def _inverse(a: Any, b: Any) -> tuple[Any, Any]:
    return 1 / a, -b / a


def _apply(fit: tuple[Any, Any], z: NDArray[np.complex128]) -> Any:
    return fit[0][..., None] * z + fit[1][..., None]


def _matrix(a: Any, b: Any) -> Float64s:
    """(..., 2, 3) of z -> a z + b."""
    rows = [[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
