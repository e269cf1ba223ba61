"""What phrases of no table mean: by hand with known embeddings, and files that are damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from clip_smu.arrays import Float32s
from clip_smu.errors import InterpreterError
from clip_smu.storage.tensors import write_tensors
from clip_smu.text.meaning import FRAMES, LEAST, MeaningReader, embedded, read_meanings
from clip_smu.words.attributes import NAMES

SIGNS = np.zeros((3, len(NAMES)), dtype=np.int8)
SIGNS[0, NAMES.index("Wearing_Hat")] = 1
SIGNS[1, NAMES.index("Male")], SIGNS[1, NAMES.index("Senior")] = -1, 1
HAT, GRANNY, REFUSED = np.eye(3, 4, dtype=np.float32)  # the third class is a reason to refuse
WORDS = {"trilby": HAT, "gran": GRANNY, "guilty": REFUSED, "between": (HAT + GRANNY) / 2**0.5}


def embed(sentences: Sequence[str]) -> Float32s:
    return np.stack([next(v for word, v in WORDS.items() if word in sentence) for sentence in sentences])


def reader(least: float = LEAST) -> MeaningReader:
    weight = 4 * np.concatenate([np.eye(3, 4)] * len(FRAMES), axis=1).astype(np.float32)
    return MeaningReader(embed, weight, np.zeros(3, np.float32), SIGNS, least)


def test_a_phrase_is_read_by_hand() -> None:
    means, confidence = reader()("a trilby")
    assert means == (("Wearing_Hat", True),)
    size = 4 * len(FRAMES) ** 0.5  # each frame gives the same, over a whole of norm 1
    assert confidence == pytest.approx(np.exp(size) / (np.exp(size) + 2), abs=1e-6)
    assert dict(reader()("gran")[0]) == {"Male": False, "Senior": True}


def test_too_far_or_refused_is_none() -> None:
    assert reader()("guilty") is None
    assert reader()("between")[1] < 0.5  # both about as likely
    assert reader(least=0.5)("between") is None


def test_frames_are_one_vector_of_norm_one() -> None:
    whole = embedded(embed, ["trilby", "gran"])
    assert whole.shape == (2, 4 * len(FRAMES))
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"signs": SIGNS.astype(np.float32)}, "does not say what its classes mean"),
        ({"signs": SIGNS[:2]}, "expected the array weight"),
        ({"bias": np.full(3, np.nan, np.float32)}, "NaN"),
        ({"weight": np.zeros(3, np.float32)}, "expected the array weight"),
    ],
)
def test_files(change: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
    arrays = {"weight": np.ones((3, 8), np.float16), "bias": np.zeros(3, np.float32), "signs": SIGNS}
    digest = write_tensors(tmp_path / "meanings.safetensors", arrays | change)
    if said:
        with pytest.raises(InterpreterError, match=said):
            read_meanings(tmp_path / "meanings.safetensors", embed)
        return
    assert read_meanings(tmp_path / "meanings.safetensors", embed, noted=digest) is not None
    with pytest.raises(InterpreterError, match="meanings"):
        read_meanings(tmp_path / "meanings.safetensors", embed, noted="0" * 64)
