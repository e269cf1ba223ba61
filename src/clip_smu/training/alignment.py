"""The last layer of a taught text encoder, solved: sentences as near where they should be as can be. (PyTorch)"""

from __future__ import annotations

import numpy as np
import torch

from clip_smu.arrays import Float32s
from clip_smu.training.lessons import Lessons
from clip_smu.training.text_model import TextEncoderModel

_RIDGE = 1e-4  # on the features' Gram matrix, in shares of its mean diagonal
_AT_ONCE = 256  # sentences
_BEYOND = 0.5  # weight of a meaning of the lexicon, where a side of an attribute by its prompts has 1


@torch.no_grad()
def align_projection(text_encoder: TextEncoderModel, lessons: Lessons, directions: Float32s) -> None:
    """Replaces the projection by the ridge regression of all sentences' features on where they should be.

    Gradient descent leaves the last, linear layer far from its optimum; here it has a closed form. All attributes and
    both sides weigh the same, however many paraphrases they have.

    Args:
        directions: (K, H) float32; rows of zeros are left out.
    """
    text_encoder.eval()
    order = (lessons.ids != lessons.padding).sum(dim=1).argsort(stable=True)  # of one length together
    found = [text_encoder.features(lessons.short(rows)) for rows in torch.split(order, _AT_ONCE)]
    features = torch.cat(found)[order.argsort()].numpy().astype(np.float64)
    aims = lessons.aims(torch.from_numpy(directions)).numpy().astype(np.float64)
    own = np.where(np.arange(len(aims)) < 2 * len(directions), 1, _BEYOND) / lessons.counts
    target, weight = np.repeat(aims, lessons.counts, axis=0), np.repeat(own, lessons.counts)
    weight = weight * (np.square(target).sum(axis=1) > 0)
    gram = features.T @ (features * weight[:, None])
    gram += _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    solved = np.linalg.solve(gram, features.T @ (target * weight[:, None]))  # (width, H)
    text_encoder.text_projection.weight.copy_(torch.from_numpy(solved.T.astype(np.float32)))
