"""A name, or a file of anybody's network → an encoder ready to read photos."""

from __future__ import annotations

from pathlib import Path

from clip_smu.encoders.encoder import Encoder, EncoderOptions
from clip_smu.encoders.locate import locate, own_encoder


def load_encoder(
    name: str = "dlib",
    options: EncoderOptions | None = None,
    *,
    card_file: Path | None = None,
    threads: int = 1,
) -> Encoder:
    """Loads an encoder, ready to read photos.

    Args:
        name: a row of :data:`CARDS`, or ``onnx:PATH`` for anybody's model.
        options: detection and alignment; defaults fit ordinary photos.
        card_file: the card of an ``onnx:`` model; ``onnx:PATH?card=CARD.toml`` says the same in one string.
        threads: of ONNX Runtime; one, because worker processes scale better.

    Raises:
        EncoderError: no such encoder, options that it does not know, or weights that are missing or wrong.
        MissingExtraError: its packages are not installed.

    Example:
        >>> import numpy as np
        >>> encoder = load_encoder("dlib")
        >>> encoder.card.dim
        128
        >>> encoder.encode([np.zeros((64, 64, 3), np.uint8)])  # no face here
        [[]]
    """
    row, weights = locate(own_encoder(name, card_file))
    options = options or EncoderOptions()
    if weights is None:
        from clip_smu.encoders.dlib import DlibEncoder  # an optional package

        return DlibEncoder(row, options)
    from clip_smu.encoders.onnx import OnnxEncoder

    return OnnxEncoder(row, weights, options, threads=threads)
