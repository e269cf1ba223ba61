"""The classifiers of a probe, each trained on rows of templates and labels. (PyTorch)

====================  ====================================================================================
multi-label           one Linear d → 47, binary cross-entropy, Adam: the paper's recipe
binary                47 times Linear d → 1, the rarer class oversampled, Adam: the paper's other recipe
logistic-regression   47 times L2, solved to the optimum, each at its own best C (`clip_smu.metrics.logistic`)
mlp                   d → 256 → 47 with ReLU and dropout, AdamW, stopped early
====================  ====================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from clip_smu.arrays import Float32s, Float64s, Indices, Int8s
from clip_smu.metrics import auc
from clip_smu.metrics.logistic import fit_logistic
from clip_smu.training.probe_config import ProbeConfig, given
from clip_smu.words.attributes import NAMES

Layers = tuple[tuple[Float32s, Float32s], ...]

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # Adam's own defaults
_TELL_EVERY = 50  # steps


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to learn from, or to watch.

    Attributes:
        x: (N, d) float32, as the first layer gets them.
        labels: (N, 47) int8.
    """

    x: Float32s
    labels: Int8s


@dataclass(frozen=True, eq=False)
class Training:
    """One training.

    Attributes:
        rows: to learn from.
        held_out: of other persons, for early stopping; ``None`` to train for all ``epochs``.
        config: all filled in.
        epochs: passes over the rows, or with ``held_out`` the most.
        c: (47,) inverse regularisation C of each attribute, ``logistic-regression``.
        tell: called with (done, total).
    """

    rows: Rows
    held_out: Rows | None
    config: ProbeConfig
    epochs: int
    c: Float64s | None
    tell: Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """Layers as in :class:`clip_smu.interpreter.probe.Probe`, and the epoch that they are of."""

    layers: Layers
    epoch: int


def forward(layers: Layers, x: Float32s) -> Float32s:
    """(N, 47) scores of rows as the first layer gets them."""
    for number, (weight, bias) in enumerate(layers):
        x = (np.maximum(x, 0) if number else x) @ weight + bias
    return x


def _logistic(task: Training) -> Trained:
    task.tell(0, 1)
    assert task.c is not None
    weights, bias = fit_logistic(task.rows.x, task.rows.labels, task.c)
    task.tell(1, 1)
    return Trained(((weights.T.astype(np.float32, order="C"), bias.astype(np.float32)),), 1)


def _multi_label(task: Training) -> Trained:
    """Linear d → 47; the loss of a step is the mean over its known labels."""
    config, (n, d) = task.config, task.rows.x.shape
    x, y = torch.from_numpy(task.rows.x), torch.from_numpy(task.rows.labels.astype(np.float32))
    weight, bias = _first_weights(d, len(NAMES), [config.seed])
    optimiser = _adam([weight, bias], config)
    for epoch in range(task.epochs):
        for batch in _batches(n, config, epoch):
            loss = _masked_loss(x[batch] @ weight + bias, y[batch])
            _step(optimiser, loss)
        task.tell(epoch + 1, task.epochs)
    return Trained((_arrays(weight, bias),), task.epochs)


def _binary(task: Training) -> Trained:
    weight, bias = train_binary(task.rows, task.config, range(len(NAMES)), task.epochs, task.tell)
    return Trained(((np.ascontiguousarray(weight.T), bias),), task.epochs)


def train_binary(
    rows: Rows,
    config: ProbeConfig,
    attributes: Sequence[int],
    epochs: int,
    tell: Callable[[int, int], None],
) -> tuple[Float32s, Float32s]:
    """Weights (A, d) and biases (A,) of A binary classifiers, trained at once as if one by one.

    Each attribute has its own first weights, its own stream of rows and its own number of steps: an epoch
    takes each known row of the commoner class once, and as many of the rarer class, each at least once. A step of all
    attributes is one batched product each way; an attribute that has made its steps leaves. An attribute with
    one class only learns nothing: weights of 0, and the smoothed log odds as bias.

    Args:
        rows: templates and labels (N, 47).
        config: all filled in.
        attributes: columns of the labels to train. The result of one does not depend on which others are trained.
    """
    x, d = torch.from_numpy(rows.x), rows.x.shape[1]
    n_yes, n_no = (rows.labels > 0).sum(axis=0), (rows.labels < 0).sum(axis=0)
    batch, rate = given(config.batch_size), given(config.learning_rate)
    decay = given(config.weight_decay)
    weights = np.zeros((len(attributes), d), np.float32)
    bias = np.log((n_yes + 1) / (n_no + 1))[list(attributes)].astype(np.float32)
    steps = {k: epochs * -(-2 * int(max(n_yes[k], n_no[k])) // batch) for k in attributes}
    active = sorted((k for k in attributes if n_yes[k] and n_no[k]), key=lambda k: -steps[k])  # longest first
    if not active:
        return weights, bias
    streams = [_oversampled(rows.labels[:, k], config, k, epochs) for k in active]
    first = [_first_weights(d, 1, [config.seed, k]) for k in active]
    point = torch.stack(
        [torch.cat([weight[:, 0], one]).detach() for weight, one in first]
    )  # (A, d + 1), bias last
    mean, square = torch.zeros_like(point), torch.zeros_like(point)
    total = steps[active[0]]
    for step in range(total):
        running = sum(steps[k] > step for k in active)
        chosen = np.zeros((running, batch), dtype=np.int64)
        sizes = np.empty((running, 1), dtype=np.int64)
        for place in range(running):
            part = next(streams[place])
            sizes[place] = len(part)
            chosen[place, : len(part)] = part
        truth = rows.labels[chosen, np.array(active[:running])[:, None]] > 0
        share = np.where(np.arange(batch) < sizes, 1 / sizes, 0)  # of each row in its batch's mean loss
        faces, now = x[torch.from_numpy(chosen)], point[:running]  # (A, B, d), (A, d + 1)
        score = torch.bmm(faces, now[:, :d, None])[..., 0] + now[:, d:]  # (A, B)
        residual = (score.sigmoid() - torch.from_numpy(truth.astype(np.float32))) * torch.from_numpy(
            share.astype(np.float32)
        )
        gradient = torch.cat(
            [torch.bmm(residual[:, None], faces)[:, 0], residual.sum(dim=1, keepdim=True)], dim=1
        )
        mean[:running].lerp_(gradient, 1 - _BETAS[0])  # Adam, as PyTorch's
        square[:running].mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        size = (square[:running] / (1 - _BETAS[1] ** (step + 1))).sqrt_() + _EPSILON
        now.mul_(1 - rate * decay)
        now.addcdiv_(mean[:running], size, value=-rate / (1 - _BETAS[0] ** (step + 1)))
        if step % _TELL_EVERY == 0 or step + 1 == total:
            tell(step + 1, total)
    columns = [list(attributes).index(k) for k in active]
    weights[columns], bias[columns] = point[:, :d].numpy(), point[:, d].numpy()
    return weights, bias


def _oversampled(labels: Int8s, config: ProbeConfig, attribute: int, epochs: int) -> Iterator[Indices]:
    """Batches of rows, epoch after epoch, with both classes equally often in each epoch."""
    yes, no = np.flatnonzero(labels > 0), np.flatnonzero(labels < 0)
    few, many = (yes, no) if len(yes) < len(no) else (no, yes)
    batch = given(config.batch_size)
    for epoch in range(epochs):
        rng = np.random.default_rng([config.seed, attribute, epoch])
        order = rng.permutation(np.concatenate([many, few, rng.choice(few, len(many) - len(few))]))
        yield from (order[at : at + batch] for at in range(0, len(order), batch))


def _mlp(task: Training) -> Trained:
    """d → hidden → 47 with ReLU and dropout; ``networks`` of them side by side on the same batches, averaged.

    With held-out rows it ends after ``patience`` epochs without a better mean AUC there, and gives the best.
    """
    config, (n, d) = task.config, task.rows.x.shape
    x, y = torch.from_numpy(task.rows.x), torch.from_numpy(task.rows.labels.astype(np.float32))
    seeds = [[config.seed, network] for network in range(config.networks)]
    first = [_first_weights(d, config.hidden, seed) for seed in seeds]
    second = [_first_weights(config.hidden, len(NAMES), [*seed, 1]) for seed in seeds]
    weights = [  # (M, d, h), (M, 1, h), (M, h, K), (M, 1, K)
        torch.stack([pair[part].detach() for pair in pairs]).requires_grad_()
        for pairs in (first, second)
        for part in (0, 1)
    ]
    for part in (1, 3):
        weights[part] = weights[part].detach()[:, None].requires_grad_()
    optimiser = _adam(weights, config)
    generator = torch.Generator().manual_seed(config.seed)
    best, best_epoch, best_auc = weights, 0, -1.0
    for epoch in range(task.epochs):
        batches = list(_batches(n, config, epoch))
        for number, batch in enumerate(batches):
            done = (epoch + number / len(batches)) / given(config.epochs)
            for group in optimiser.param_groups:
                group["lr"] = given(config.learning_rate) * 0.5 * (1 + math.cos(math.pi * done))
            hidden = torch.relu(x[batch] @ weights[0] + weights[1])
            kept = torch.rand(hidden.shape, generator=generator) >= config.dropout
            scores = (hidden * kept / (1 - config.dropout)) @ weights[2] + weights[3]  # (M, B, K)
            _step(optimiser, len(seeds) * _masked_loss(scores, y[batch].expand_as(scores)))
        task.tell(epoch + 1, task.epochs)
        if task.held_out is not None:
            areas = auc(forward(_joined(weights), task.held_out.x), task.held_out.labels).value
            mean = float(np.nanmean(areas)) if not np.isnan(areas).all() else 0.0
            if mean > best_auc:
                best, best_epoch, best_auc = [part.detach().clone() for part in weights], epoch + 1, mean
            elif epoch + 1 - best_epoch >= config.patience:
                task.tell(task.epochs, task.epochs)
                break
    if task.held_out is None:
        best, best_epoch = weights, task.epochs
    return Trained(_joined(best), best_epoch)


def _joined(weights: list[Tensor]) -> Layers:
    """The mean of M networks as one that is M times as wide."""
    arrays: list[Float32s] = [part.detach().numpy() for part in weights]
    first, first_bias, second, second_bias = arrays
    networks, d, _ = first.shape
    return (
        (np.ascontiguousarray(first.transpose(1, 0, 2).reshape(d, -1)), first_bias.reshape(-1)),
        (
            second.reshape(-1, second.shape[2]) / np.float32(networks),
            second_bias.mean(axis=(0, 1), dtype=np.float32),
        ),
    )


def _first_weights(inputs: int, outputs: int, seed: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(in, out) weights and (out,) biases, uniform up to 1 / sqrt(in) like PyTorch's own."""
    rng = np.random.default_rng(seed)
    bound = 1 / math.sqrt(inputs)
    drawn = [rng.uniform(-bound, bound, size).astype(np.float32) for size in ((inputs, outputs), (outputs,))]
    weight, bias = (torch.from_numpy(one).requires_grad_() for one in drawn)
    return weight, bias


def _adam(parameters: list[Tensor], config: ProbeConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters,
        lr=given(config.learning_rate),
        betas=_BETAS,
        eps=_EPSILON,
        weight_decay=given(config.weight_decay),
    )


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _batches(n: int, config: ProbeConfig, epoch: int) -> Iterator[Tensor]:
    order = torch.from_numpy(np.random.default_rng([config.seed, epoch]).permutation(n))
    yield from torch.split(order, given(config.batch_size))


def _masked_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy, mean over the known labels; 0 where there is none."""
    known = (labels != 0).to(scores.dtype)
    losses = binary_cross_entropy_with_logits(scores, (labels > 0).to(scores.dtype), reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)


def _arrays(weight: Tensor, bias: Tensor) -> tuple[Float32s, Float32s]:
    return weight.detach().numpy(), bias.detach().numpy()


TRAIN: dict[str, Callable[[Training], Trained]] = {
    "multi-label": _multi_label,
    "binary": _binary,
    "logistic-regression": _logistic,
    "mlp": _mlp,
}
"""Kind of probe → how it is trained; a new kind is a row here and in `clip_smu.training.probe_config.KINDS`."""
