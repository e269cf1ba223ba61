"""The last layer of a taught text encoder, solved: prompts as near their attributes' directions as can be. (PyTorch)"""

from __future__ import annotations

import numpy as np
import torch

from clip_smu.arrays import Float32s
from clip_smu.training.language import Prompts
from clip_smu.training.text_encoders import TextEncoderModel

_RIDGE = 1e-4  # on the features' Gram matrix, in shares of its mean diagonal
_AT_ONCE = 256  # sentences


@torch.no_grad()
def align_projection(text_encoder: TextEncoderModel, prompts: Prompts, directions: Float32s) -> None:
    """Replaces the projection by the ridge regression of all prompts' features on plus or minus their direction.

    Gradient descent leaves the last, linear layer far from its optimum; here it has a closed form. All attributes and
    both sides weigh the same, however many paraphrases they have.

    Args:
        prompts: those of both sides. directions: (K, H) float32; rows of zeros are left out.
    """
    text_encoder.eval()
    parts = torch.split(prompts.ids, _AT_ONCE)
    x = torch.cat([text_encoder.model.text_model(input_ids=part).pooler_output for part in parts])
    features = x.numpy().astype(np.float64)
    signs = np.array([1.0, -1.0])[:, None, None]
    aims = (signs * directions).reshape(-1, directions.shape[1])  # (2K, H)
    counts = prompts.counts.reshape(-1)
    target, weight = np.repeat(aims, counts, axis=0), np.repeat(1 / counts, counts)
    weight = weight * (np.square(target).sum(axis=1) > 0)
    gram = features.T @ (features * weight[:, None])
    gram += _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    solved = np.linalg.solve(gram, features.T @ (target * weight[:, None]))  # (width, H)
    own = text_encoder.model.text_projection.weight
    own.copy_(torch.from_numpy(solved.T.astype(np.float32)))
