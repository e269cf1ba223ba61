"""Training objectives: how well sentences and templates agree, as one number to make small. (PyTorch)"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

FIRST_T = math.log(1 / 0.07)
HIGHEST_T = math.log(100)
_NEVER = -1e30  # logit of a pair that takes no part


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


def clip_loss(templates: Tensor, captions: Tensor, t: Tensor) -> Tensor:
    """Objective ``clip``: symmetric cross entropy of N templates and their N captions (equations 1-3 of the paper).

    ``logits = exp(t) * cos(template, caption)``; the mean of the cross entropy over captions, of each template,
    and over templates, of each caption. A caption must not stand twice in the batch: the second would count as wrong.

    Args:
        templates, captions: (N, d) float, rows of norm 1; caption n belongs to template n.
        t: scalar, logarithm of the scale; starts at ln(1/0.07) and is held at or below ln(100).
    """
    logits = t.exp() * templates @ captions.T  # (N, N)
    own = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


def multipositive_loss(templates: Tensor, captions: Tensor, t: Tensor, matches: Tensor) -> Tensor:
    """Objective ``multipositive``: :func:`clip_loss` where a caption may fit many templates, and some not known to.

    Each caption spreads its target evenly over the templates that it fits, each template over its captions. Pairs
    of match 0 take no part, nor do captions and templates that have only matches of one kind. With one match a
    row and column and all others -1 it is :func:`clip_loss`.

    Args:
        templates: (N, d) float, rows of norm 1.
        captions: (S, d) float, rows of norm 1.
        t: scalar, logarithm of the scale.
        matches: (N, S), of :func:`match_captions`.

    Returns:
        A scalar; 0 where nothing can be learnt.
    """
    logits = (t.exp() * templates @ captions.T).masked_fill(matches == 0, _NEVER)  # (N, S)
    return (_spread_entropy(logits, matches) + _spread_entropy(logits.T, matches.T)) / 2


def match_captions(labels: Tensor, worded: Tensor) -> Tensor:
    """(N, S) float: 1 where a photo has all that a caption words, -1 where it lacks some of it, 0 undecided.

    Undecided: all known labels agree with the caption, and some label that it words is unknown.

    Args:
        labels: (N, K) float, 1, -1 or 0 (unknown).
        worded: (S, K) float, 1 or -1 where the caption words the attribute or its absence, else 0.

    Example:
        >>> labels = torch.tensor([[1.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])
        >>> match_captions(labels, torch.tensor([[1.0, -1.0]])).flatten().tolist()
        [1.0, 0.0, -1.0]
    """
    balance = labels @ worded.T  # agreeing less differing labels; small whole numbers, exact in float32
    decided = labels.abs() @ worded.abs().T  # agreeing and differing ones
    total = worded.abs().sum(dim=1)
    return (balance == total).float() - (balance < decided).float()


def _spread_entropy(logits: Tensor, matches: Tensor) -> Tensor:
    """Cross entropy of rows with targets spread evenly over their matches; the mean of those with both kinds."""
    fits = matches > 0
    counted = fits.any(dim=1) & (matches < 0).any(dim=1)
    shares = torch.where(fits, logits.log_softmax(dim=1), 0.0).sum(dim=1) / fits.sum(dim=1).clamp(min=1)
    return -torch.where(counted, shares, 0.0).sum() / counted.sum().clamp(min=1)
