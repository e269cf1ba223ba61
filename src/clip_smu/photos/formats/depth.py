"""Pixels of every depth and colour model, as Pillow gives them → 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

from clip_smu.arrays import Float32s


def rgb(photo: Image.Image) -> Image.Image:
    """The photo in Pillow's mode RGB, transparency laid on white.

    Raises:
        ValueError: a layout that Pillow would read wrongly.
    """
    tags = getattr(photo, "tag_v2", {})  # TIFF only
    if tags.get(284) == 2 and max(tags.get(258, (8,))) > 8:
        raise ValueError("16-bit samples in separate planes")  # Pillow would give wrong pixels in silence
    if photo.mode in ("I", "F") or photo.mode.startswith("I;"):
        photo = _eight_bit(photo)
    if photo.has_transparency_data:
        if photo.mode == "La":  # Pillow has no way straight to RGBA
            photo = photo.convert("LA")
        photo = photo.convert("RGBA")
        ground = Image.new("RGB", photo.size, "white")
        ground.paste(photo, mask=photo)
        return ground
    return photo if photo.mode == "RGB" else photo.convert("RGB")


def _eight_bit(photo: Image.Image) -> Image.Image:
    """Grey of 12, 16 or 32 bits, or float, in full depth -> grey of 8 bits. Pillow's own convert() clips."""
    raw = np.asarray(photo)
    values = raw.astype(np.float32)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    tags = getattr(photo, "tag_v2", {})  # TIFF only
    low, high = _range(photo, values, bits=tags.get(258, (16,))[0])
    values -= low
    values *= 255.0 / ((high - low) or 1.0)
    grey = np.clip(np.rint(values, out=values), 0, 255, out=values).astype(np.uint8)
    if tags.get(262) == 0:  # PhotometricInterpretation: 0 is white
        grey = 255 - grey
    transparent = photo.info.get("transparency")
    if isinstance(transparent, int):  # the one grey level that a PNG declares transparent
        grey[raw == transparent] = 255
    return Image.fromarray(grey)


def _range(photo: Image.Image, values: Float32s, *, bits: int) -> tuple[float, float]:
    """The values of black and white: the format's own where it has them, else guessed from the data."""
    if photo.mode.startswith("I;") or photo.format == "PNG":
        return 0.0, 4095.0 if bits == 12 else 65535.0
    low, high = min(0.0, float(values.min())), float(values.max())
    if low == 0.0 and high <= 255.0:
        return 0.0, 1.0 if high <= 1.0 else 255.0
    return low, high
