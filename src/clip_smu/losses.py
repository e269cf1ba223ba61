"""Training objectives: how well sentences and templates agree, as one number to make small. (PyTorch)"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


def attribute_loss(
    templates: Tensor,
    labels: Tensor,
    positive: Tensor,
    negative: Tensor,
    scale: Tensor,
    bias: Tensor,
    weights: Tensor,
) -> Tensor:
    """Objective ``attribute``: a logistic loss for each template and each known label.

    The reading of attribute k is ``z = scale_k * (cos(t, positive_k) - cos(t, negative_k)) + bias_k``; the loss
    is ``weight * log(1 + exp(-y z))`` averaged over known labels and paraphrases. A label of 0 takes no part.

    Args:
        templates: (N, d) float, rows of norm 1.
        labels: (N, K) float, 1, -1 or 0 (unknown).
        positive, negative: (K, P, d) float, P paraphrases of each prompt, rows of norm 1.
        scale, bias: (K,) float.
        weights: (2, K) float, weight of a positive and of a negative label.

    Returns:
        A scalar; 0 where no label is known.
    """
    difference = positive - negative  # (K, P, d)
    z = torch.einsum("nd,kpd->nkp", templates, difference) * scale[:, None] + bias[:, None]  # (N, K, P)
    weight = torch.where(labels > 0, weights[0], weights[1]) * (labels != 0)  # (N, K)
    loss = softplus(-labels[:, :, None] * z).mean(dim=2) * weight
    return loss.sum() / weight.sum().clamp(min=1e-12)


def balance_weights(labels: Tensor) -> Tensor:
    """(2, K) weights that give the two classes of each attribute the same total; from (N, K) labels 1, 0, -1.

    An attribute with only one class among its labels gets weight 0: nothing can be learnt of it.
    """
    counts = torch.stack([(labels > 0).sum(dim=0), (labels < 0).sum(dim=0)]).double()  # (2, K)
    weights = counts.sum(dim=0) / (2 * counts.clamp(min=1))
    return torch.where((counts > 0).all(dim=0), weights, torch.zeros_like(weights)).float()
