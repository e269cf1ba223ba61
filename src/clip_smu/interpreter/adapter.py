"""The adapter: templates → the space that the text encoder's sentences lie in, by one light hidden layer.

    x = unit(relu(unit(t) @ weight + bias))

CLIP has such a projection of its own on the image side; other encoders have none, and what a template says of a photo
may lie along directions of so little variance that a cosine with the template as it is does not see them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clip_smu.arrays import Float32s


@dataclass(frozen=True, eq=False)
class Adapter:
    """One hidden layer.

    Attributes:
        weight: (d, H) float32. bias: (H,) float32. Whitening and centring of the templates are inside them.
    """

    weight: Float32s
    bias: Float32s

    def __call__(self, vectors: Float32s) -> Float32s:
        """(N, H) float32 rows of norm 1 of (N, d) templates of any length; what is zero or not finite ends as NaN."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            hidden = vectors @ self.weight
            hidden /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
            hidden += self.bias
            lost = np.isnan(hidden).any(axis=1)
            np.maximum(hidden, 0, out=hidden)
            length = np.sqrt(np.einsum("nh,nh->n", hidden, hidden))
            hidden /= np.where(length > 0, length, 1)[:, None]
        hidden[lost] = np.nan
        return np.asarray(hidden, dtype=np.float32)
