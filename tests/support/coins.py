"""Faces whose labels are a coin a person: nobody can tell them of a person not met before, a leak tells them at once.

Ten photos a person are nearly alike, so what one photo's label says is known of the other nine. Where a job deals
photos instead of persons into folds, AUCs near 1 stand in the place of .5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clip_smu.interpreter.evidence import Evidence
from clip_smu.labels.labels import Labels
from clip_smu.metrics import delong
from clip_smu.templates import Templates
from faces import toy_card

DIM = 48
PHOTOS = 10
SURE = 3.0  # standard errors


def coin_faces(persons: int = 60, seed: int = 0, dim: int = DIM) -> tuple[Templates, Labels]:
    """Ten photos each of ``persons``, and 47 coins a person."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(persons), PHOTOS)
    vectors = rng.normal(size=(persons, dim))[who] + 0.1 * rng.normal(size=(len(who), dim)) + 0.3
    values = np.where(rng.random((persons, 47)) < 0.5, 1, -1)[who].astype(np.int8)
    people = [f"p{one:03}" for one in who]
    images = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
    vectors = vectors.astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1).astype(np.float32)
    faces = Templates(vectors, images, np.zeros(len(who), np.int16), people, norms, toy_card(dim))
    return faces, Labels(images, people, values)


def is_chance(areas: Sequence[float], errors: Sequence[float]) -> bool:
    """Whether the AUCs of independent coins are .5 within three standard errors, which count persons.

    A leak raises all AUCs, so their mean may lie three of *its own* standard errors above .5, a small fraction of one
    coin's. Below .5 it may lie three of one coin's: scores of all folds taken together lean down, for a fold with few
    positives is scored by models that met many.
    """
    spread = np.sqrt(np.square(errors).sum()) / len(errors)
    off = float(np.mean(areas)) - 0.5
    print(f"mean AUC of {len(areas)} coins {off + 0.5:.3f}; its standard error {spread:.3f}")
    return bool(-SURE * np.mean(errors) < off < SURE * spread)


def is_chance_of(scores: NDArray[np.floating], labels: NDArray[np.int8], people: Sequence[str]) -> bool:
    """The same of scores."""
    found = delong(scores, labels, identity=people)
    return is_chance(found.auc.tolist(), found.se.tolist())


def is_chance_in(evidence: Sequence[Evidence]) -> bool:
    """The same of what an interpreter or a probe says of itself."""
    return is_chance([row.auc for row in evidence], [(row.high - row.low) / 3.92 for row in evidence])
