"""Thresholds against slow counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clip_smu.encoders.locate import card
from clip_smu.errors import InputError
from clip_smu.interpreter.thresholds import find_threshold, rows_of
from clip_smu.metrics.pairs import Pairs
from clip_smu.templates import Templates

DLIB = card("dlib")


def store(vectors: np.ndarray, images: list[str]) -> Templates:
    n = len(vectors)
    norms = np.full(n, np.nan, np.float32)
    return Templates(vectors.astype(np.float32), images, np.zeros(n, np.int16), [""] * n, norms, DLIB)


def test_threshold_by_counting() -> None:
    rng = np.random.default_rng(0)
    persons = rng.normal(size=(300, 128))
    vectors = np.repeat(persons, 2, axis=0) + 0.7 * rng.normal(size=(600, 128))
    images = [f"p{row // 2}/{row}.jpg" for row in range(600)]
    same = [(images[2 * k], images[2 * k + 1], True) for k in range(300)]
    others = [(images[2 * k], images[2 * ((k + s) % 300)], False) for k in range(300) for s in (1, 2, 3)]
    rows = [*same, *others, ("none.jpg", images[0], True)]
    a, b, truth = zip(*rows, strict=True)
    pairs = Pairs(a, b, np.array(truth), np.zeros(len(rows), np.intp))
    held = store(vectors, images)
    first, second, used = rows_of(pairs, held)
    assert len(used) == 1200
    assert [images[row] for row in first] == [row[0] for row in rows[:-1]]
    x = vectors.astype(np.float32).astype(float)
    scores = [
        x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for i, j in zip(first, second, strict=True)
    ]
    for far in (0.01, 0.1, 0.5):
        found = find_threshold(held, pairs, far, "toy")
        wrong = sum(score >= found.cosine for score in scores[300:])
        assert wrong == 900 * far == found.far * 900
        assert found.tar == sum(score >= found.cosine for score in scores[:300]) / 300
        just_below = max(score for score in scores[300:] if score < found.cosine)
        assert sum(score >= just_below for score in scores[300:]) > 900 * far  # no lower one would do
    with pytest.raises(InputError, match=r"at least 10000 pairs of two persons .* found 900 and 300"):
        find_threshold(held, pairs, 1e-4)
    odd = replace(
        pairs,
        first=tuple(name.replace(".jpg", ".PNG") for name in pairs.first),
        second=tuple(f".\\{name}" for name in pairs.second),
    )
    alone = odd.take(np.arange(300))  # all pairs together would name each photo twice, in two ways
    assert len(rows_of(alone, held)[2]) == 300
    deeper = store(vectors, [f"train/{image}" for image in images])
    assert len(rows_of(pairs, deeper)[2]) == 1200
