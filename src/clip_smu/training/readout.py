"""The readout that a text encoder is taught: an adapter of templates, and one direction an attribute. (PyTorch)

Attribute k reads ``2 cos(x, u_k)`` of the adapter's x; that is what ``cos(x, positive_k) - cos(x, negative_k)`` becomes
where the text encoder puts the positive prompt at u_k and the negative one opposite. It minimises

    sum over known labels of  weight * log(1 + exp(-y (a_sk cos(x, u_k) + b_sk)))

with a scale and a bias of its own for each source s: labellers of two data sets mean different things by a word, and
are reliable to different degrees (Raykar et al., Learning from crowds, JMLR 2010, with logits in place of confusion
matrices); what they share is the direction. Both classes of an attribute weigh the same in each source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot, softplus

from clip_smu.arrays import Float32s, Float64s, Int8s, Int64s
from clip_smu.interpreter.adapter import Adapter
from clip_smu.metrics import auc
from clip_smu.metrics.folds import identity_folds

HIDDEN = 768
STEPS = 800
WHITENINGS: tuple[float | None, ...] = (None, 1e-3)
"""Ridges, in shares of the mean variance, that are tried; ``None``: every number is standardised, no more."""

_DROPPED = 0.7  # share of the hidden units, each step
_RATE, _DECAY, _WARM_UP = 2e-3, 0.1, 0.1
_BATCH = 1024
_FIRST_SCALE = 10.0
_SCALES_FASTER = 10.0
_LEAST_CLASS = 20  # labels that a class counts as, at least, so that a handful does not outweigh all others
_FLAT = 1e-9


@dataclass(frozen=True, eq=False)
class Readout:
    """An adapter and (K, H) float32 directions of norm 1; rows of zeros where labels were of one class or none."""

    adapter: Adapter
    directions: Float32s

    def score(self, vectors: Float32s) -> Float64s:
        """(N, K) of (N, d) templates, -2 to 2."""
        return np.asarray(2 * (self.adapter(vectors) @ self.directions.T), dtype=np.float64)


def train_readout(
    vectors: Float32s, labels: Int8s, source_of: Int64s, whitening: float | None, seed: int
) -> Readout:
    """Trains a readout; the same arguments give the same bits on one machine.

    Args:
        vectors: (N, d) templates. labels: (N, K) int8, 1, -1 or 0 (unknown). source_of: (N,) from 0.
        whitening: one of `WHITENINGS`.
    """
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centre, shape = _shape(units.astype(np.float64), whitening)
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(((units - centre) @ shape).astype(np.float32))
    y = torch.from_numpy(labels.astype(np.float32))
    sources = torch.from_numpy(np.unique(source_of, return_inverse=True)[1].astype(np.int64))
    weights = _weights(y, sources)
    learnt = _Layers(x.shape[1], y.shape[1], int(sources.max()) + 1, generator)
    optimiser = learnt.optimiser()
    for step in range(STEPS):
        rows = torch.randint(0, len(x), (min(_BATCH, len(x)),), generator=generator)
        learnt.set_rate(optimiser, step)
        optimiser.zero_grad()
        z = learnt.logits(x[rows], sources[rows], generator)
        loss: Tensor = (softplus(-y[rows] * z) * weights[rows]).sum() / len(rows)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    weight, bias = learnt.weight.detach().numpy(), learnt.bias.detach().numpy()
    folded = shape @ weight  # centring and whitening go into the layer
    directions = normalize(learnt.directions.detach(), dim=1).numpy()
    directions[(weights.sum(dim=0) == 0).numpy()] = 0
    adapter = Adapter(folded.astype(np.float32), (bias - centre @ folded).astype(np.float32))
    return Readout(adapter, np.ascontiguousarray(directions, dtype=np.float32))


def choose_whitening(
    vectors: Float32s, labels: Int8s, source_of: Int64s, identities: Sequence[str], seed: int
) -> float | None:
    """The member of `WHITENINGS` with the best mean AUC on a third of the persons, by a readout of the others."""
    fold_of = identity_folds(identities, 3, seed)
    inside, outside = fold_of != 0, fold_of == 0

    def mean_auc(whitening: float | None) -> float:
        made = train_readout(vectors[inside], labels[inside], source_of[inside], whitening, seed)
        areas = auc(made.score(vectors[outside]), labels[outside]).value
        return float(np.nanmean(areas)) if not np.isnan(areas).all() else 0.5

    return max(WHITENINGS, key=mean_auc)


def cross_fitted(
    vectors: Float32s,
    labels: Int8s,
    source_of: Int64s,
    fold_of: Int64s,
    whitening: float | None,
    seed: int,
    tell: Callable[[str, int, int], None],
) -> Float64s:
    """(N, K) scores of every face by a readout that did not see its person (its fold)."""
    scores = np.zeros(labels.shape)
    folds = int(fold_of.max()) + 1
    for fold in range(folds):
        tell(f"fold {fold + 1} of {folds}", 0, 1)
        inside, outside = fold_of != fold, fold_of == fold
        made = train_readout(vectors[inside], labels[inside], source_of[inside], whitening, seed)
        scores[outside] = made.score(vectors[outside])
        tell(f"fold {fold + 1} of {folds}", 1, 1)
    return scores


class _Layers:
    """What is learnt: a hidden layer, directions, and each source's scale and bias of each attribute."""

    def __init__(self, d: int, attributes: int, sources: int, generator: torch.Generator) -> None:
        bound = 1 / math.sqrt(d)

        def drawn(*shape: int) -> Tensor:
            return (torch.rand(shape, generator=generator) * 2 - 1) * bound

        self.weight = drawn(d, HIDDEN).requires_grad_()
        self.bias = drawn(HIDDEN).requires_grad_()
        self.directions = (torch.randn((attributes, HIDDEN), generator=generator) * 0.05).requires_grad_()
        self.log_scale = torch.full((sources, attributes), math.log(_FIRST_SCALE)).requires_grad_()
        self.offset = torch.zeros((sources, attributes)).requires_grad_()

    def optimiser(self) -> torch.optim.AdamW:
        return torch.optim.AdamW(
            [
                {"params": [self.weight, self.bias, self.directions], "weight_decay": _DECAY, "faster": 1.0},
                {"params": [self.log_scale, self.offset], "weight_decay": 0.0, "faster": _SCALES_FASTER},
            ],
            lr=_RATE,
        )

    def set_rate(self, optimiser: torch.optim.AdamW, step: int) -> None:
        """Warm-up, then a cosine to zero."""
        rise = min(1.0, (step + 1) / (_WARM_UP * STEPS))
        rate = _RATE * rise * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["faster"]

    def logits(self, x: Tensor, sources: Tensor, generator: torch.Generator) -> Tensor:
        kept = (torch.rand((len(x), HIDDEN), generator=generator) >= _DROPPED) / (1 - _DROPPED)
        hidden = normalize(torch.relu(x @ self.weight + self.bias) * kept, dim=1)
        cosines = hidden @ normalize(self.directions, dim=1).T
        own = one_hot(
            sources, len(self.log_scale)
        ).float()  # (N, S); its gradient is a product, that of indexing is slow
        return cosines * (own @ self.log_scale.exp()) + own @ self.offset


def _shape(units: Float64s, whitening: float | None) -> tuple[Float64s, Float64s]:
    """(d,) centre and (d, d) matrix after which every number, or every principal axis, has about unit variance."""
    centre = units.mean(axis=0)
    if whitening is None:
        spread = units.std(axis=0)
        return centre, np.diag(1 / np.where(spread > _FLAT, spread, 1))
    variances, axes = np.linalg.eigh(np.cov((units - centre).T))
    variances = np.maximum(variances, 0)
    shape = axes / np.sqrt(variances + whitening * variances.mean())
    return centre, shape / ((units - centre) @ shape).std()


def _weights(y: Tensor, sources: Tensor) -> Tensor:
    """(N, K): both classes of an attribute weigh the same in each source, and sources alike; 0 where there is one."""
    weights = torch.zeros_like(y)
    for source in range(int(sources.max()) + 1):
        rows = sources == source
        yes, no = (y[rows] > 0).sum(dim=0).float(), (y[rows] < 0).sum(dim=0).float()
        both = (yes > 0) & (no > 0)
        of_yes, of_no = (
            torch.where(both, 1 / count.clamp(min=_LEAST_CLASS), torch.zeros(())) for count in (yes, no)
        )
        nothing = torch.zeros(())
        weights[rows] = torch.where(y[rows] > 0, of_yes, torch.where(y[rows] < 0, of_no, nothing))
    return weights * (len(y) / weights.sum().clamp(min=_FLAT))
