"""Small made-up data for tests: templates whose attributes are linear in them, so that a fit has something to find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.locate import card
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.labels.labels import Labels
from clip_smu.templates import Templates

DIM = 16


def toy_card(dim: int = DIM) -> EncoderCard:
    return replace(card("dlib"), name="toy", dim=dim)


def toy_data(n: int = 400, seed: int = 0) -> tuple[Templates, Labels]:
    """``n`` faces, four a person; a tenth of the labels unknown."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, DIM)).astype(np.float32) + 0.5
    readings = (vectors - 0.5) @ rng.normal(size=(DIM, 47)) + rng.normal(size=(n, 47))
    values = np.where(readings > 1.0, 1, -1).astype(np.int8)
    values[rng.random((n, 47)) < 0.1] = 0
    identities = [f"p{row // 4}" for row in range(n)]
    images = [f"{person}/{row}.jpg" for row, person in enumerate(identities)]
    norms = np.linalg.norm(vectors, axis=1).astype(np.float32)
    return (
        Templates(vectors, images, np.zeros(n, np.int16), identities, norms, toy_card()),
        Labels(images, identities, values),
    )


def dlib_like(numbers: NDArray[np.floating]) -> NDArray[np.float32]:
    """Made-up numbers (N, 128) or (128,) moved to where dlib's templates lie, without what its faces do not have."""
    shipped = load_interpreter()
    assert shipped.likeness is not None
    told_by = np.column_stack([shipped.likeness.quiet, shipped.likeness.toward]).astype(np.float64)
    quiet = np.linalg.qr(told_by)[0]
    inside = numbers - numbers @ quiet @ quiet.T
    inside /= np.linalg.norm(inside, axis=-1, keepdims=True)
    return np.asarray(shipped.likeness.centre + 0.8 * inside, dtype=np.float32)


def slow_scores(interpreter: Interpreter, template: Sequence[float]) -> list[float]:
    """The definition of a score, one number at a time."""
    t = np.asarray(template, dtype=np.float64)
    x = t / np.sqrt((t * t).sum()) - interpreter.centre.astype(np.float64)
    length = np.sqrt((x * x).sum())
    scores = []
    for positive, negative in zip(interpreter.positive, interpreter.negative, strict=True):
        cos_positive = sum(a * b for a, b in zip(x, positive, strict=True)) / length
        cos_negative = sum(a * b for a, b in zip(x, negative, strict=True)) / length
        scores.append(float(cos_positive - cos_negative))
    return scores


def write_photo(path: Path, size: tuple[int, int] = (64, 64)) -> Path:
    """A small photo without a face."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 150)).save(path)
    return path
