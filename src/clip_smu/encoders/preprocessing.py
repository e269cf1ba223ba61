"""Crops → the numbers that a network takes, as its card says."""

from __future__ import annotations

import numpy as np

from clip_smu.arrays import Float32s, Pixels
from clip_smu.encoders.card import EncoderCard


def preprocess(crops: Pixels, card: EncoderCard) -> Float32s:
    """Crops as a network wants them.

    Args:
        crops: (N, h, w, 3) uint8 RGB; another size than the card's is resized, bicubic.
        card: its input_size, channels, mean and std are used.

    Returns:
        (N, 3, H, W) float32 ``(value - mean) / std``.
    """
    if crops.shape[1:3] != card.input_size:
        crops = np.stack([_resized(crop, card.input_size) for crop in crops])
    if card.channels == "BGR":
        crops = crops[..., ::-1]
    mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
    pixels = crops.astype(np.float32)
    pixels -= mean
    pixels /= std
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def _resized(crop: Pixels, size: tuple[int, int]) -> Pixels:
    from PIL import Image

    image = Image.fromarray(crop).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)
