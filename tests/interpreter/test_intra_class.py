"""The intra-class correlation of labels against persons whose second photo keeps its label by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clip_smu.interpreter.intra_class import ICC, intra_class_correlation
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.words.attributes import NAMES


def test_it_is_the_correlation_between_photos() -> None:
    """Many persons, two photos each, whose second label is kept with a known chance."""
    rng = np.random.default_rng(0)
    n, keep, base = 40_000, 0.6, 0.3
    first = rng.random(n) < base
    second = np.where(rng.random(n) < keep, first, rng.random(n) < base)
    values = np.zeros((2 * n, 47), np.int8)
    values[:, 0] = np.where(np.stack([first, second], 1).ravel(), 1, -1)
    values[:, 1] = np.where(np.repeat(first, 2), 1, -1)
    values[::2, 2] = 1  # one known label each: no pair
    values[:, 3] = 1  # never varies
    images = [f"p{row // 2}/{row}.jpg" for row in range(2 * n)]
    found = intra_class_correlation(Labels(images, [image.split("/")[0] for image in images], values))
    assert found[0] == pytest.approx(keep, abs=0.02)
    assert found[0] == pytest.approx(np.corrcoef(first, second)[0, 1], abs=0.01)
    assert found[1] == pytest.approx(1)
    assert np.isnan(found[2:]).all()


def test_the_shipped_ones(shared: Path) -> None:
    found = intra_class_correlation(read_labels(shared / "data" / "lfw" / "lfw_maad47.csv"))
    np.testing.assert_allclose(np.minimum(found, 0.99), [ICC[name] for name in NAMES], atol=0.00501)
    assert tuple(ICC) == NAMES
