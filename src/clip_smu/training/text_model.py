"""What every text encoder in training is: token ids in, unit vectors out. (PyTorch)"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class TextEncoderModel(nn.Module, ABC):
    """A text encoder in training: token ids (B, L) int64 → unit vectors (B, d) float32.

    A row ends at its end token; what follows is padding.
    """

    @property
    @abstractmethod
    def text_projection(self) -> nn.Linear:
        """Its last layer, from ``width`` numbers to d, without a bias."""

    @property
    @abstractmethod
    def context(self) -> int:
        """Most tokens that it reads, start and end included."""

    @abstractmethod
    def features(self, input_ids: Tensor) -> Tensor:
        """(B, width): what the last layer is applied to."""

    def outputs(self, input_ids: Tensor) -> dict[str, Tensor]:
        """What is exported, by name: ``text``, and where sentences had a meaning before training, ``meaning``."""
        return {"text": self(input_ids)}

    def forward(self, input_ids: Tensor) -> Tensor:
        """Rows of norm 1."""
        return self.projected(self.features(input_ids))

    def projected(self, features: Tensor) -> Tensor:
        """(B, d) unit vectors of features."""
        text: Tensor = self.text_projection(features)
        if text.dtype != torch.float32:  # under autocast
            text = text.float()
        return nn.functional.normalize(text, dim=-1)


def new_projection(width: int, dim: int, seed: int) -> nn.Linear:
    """A last layer of random numbers; the same seed gives the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = nn.Linear(width, dim, bias=False)
        nn.init.normal_(layer.weight, std=width**-0.5)
    return layer
