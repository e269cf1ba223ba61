"""Training a text encoder on stored templates: one loop for all objectives. (PyTorch)

A step: the objective draws templates and sentences; the text encoder turns the sentences into vectors; the loss
compares them. The image encoder takes no part, its templates are stored. The loss is taken over all vectors at once,
and its gradient is handed back to the sentences part by part (Gao et al. 2021, "Scaling deep contrastive
learning batch size under memory limited setup"). So neither accumulation nor several processes change it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clip_smu.arrays import Float32s, Indices, Int8s
from clip_smu.errors import InputError
from clip_smu.metrics import auc
from clip_smu.training.batches import Batch
from clip_smu.training.checkpoints import Checkpoint, Learner
from clip_smu.training.curves import Curves
from clip_smu.training.language import learn_language
from clip_smu.training.objectives import OBJECTIVES
from clip_smu.training.ranks import Ranks
from clip_smu.training.text_encoders import build_text_encoder
from clip_smu.training.text_model import TextEncoderModel
from clip_smu.training.train_config import TrainConfig
from clip_smu.words.attributes import NAMES

EVALUATE_EVERY = 25  # steps
PRECISIONS: dict[str, torch.dtype | None] = {
    "float32": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
_WATCHED_PROMPTS = 4  # paraphrases of each prompt that early stopping looks at
_BATCH_SENTENCES = 256  # sentences encoded at once where nothing is learnt

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained text encoder, on the CPU.

    Attributes:
        text_encoder: of the best step, where there were held-out faces; else of the last.
        step: its number.
        report: captions drawn, shortened and left out.
        seconds: that the training took, of all runs that it was done in.
    """

    text_encoder: TextEncoderModel
    step: int
    report: dict[str, int]
    seconds: float


class Trainer:
    """The trainings of one fit: shared data, prompts and settings; each saves its state as it goes.

    Args:
        config: settings.
        vectors: (N, d) float32 templates.
        labels: (N, 47) int8, 1, -1 or 0 (unknown).
        output: folder for TensorBoard's files.
        progress: called with (stage, done, total).

    Raises:
        InputError: the text encoder or its tokenizer is not there, or it cannot read the prompts.
    """

    def __init__(
        self,
        config: TrainConfig,
        vectors: Float32s,
        labels: Int8s,
        output: Path,
        *,
        progress: Progress | None = None,
    ) -> None:
        self.config, self.labels, self.output = config, labels, output
        self.objective = OBJECTIVES[config.objective]
        self.ranks = Ranks(config.device)
        self.units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.language = learn_language(
            config.text_encoder, self.new_text_encoder().context, self.objective.reading
        )
        self.tell = progress or (lambda *_: None)
        self._work, self.curves = output, Curves(output)

    @contextlib.contextmanager
    def running(self, work: Path, *, tensorboard: bool = False) -> Iterator[None]:
        """Trainings inside keep their states and ``curves.csv`` in ``work``; the same seed gives the same bits."""
        board = self.output / "tensorboard" if tensorboard and self.ranks.main else None
        self._work, self.curves = work, Curves(work, board)
        try:
            with _deterministic(self.config.device):
                yield
        finally:
            self.curves.close()

    def fingerprint(self) -> str:
        """Hash of the text encoder before training, and of its tokenizer."""
        digest = hashlib.sha256(self.language.tokenizer.to_str().encode())
        for name, value in self.new_text_encoder().state_dict().items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value.numpy()).tobytes())
        return digest.hexdigest()

    def new_text_encoder(self) -> TextEncoderModel:
        """The text encoder before training."""
        return build_text_encoder(
            self.config.text_encoder, self.units.shape[1], self.config.size, self.config.seed
        )

    def centre(self, rows: Indices) -> Float32s:
        """(d,) mean of unit templates; zeros where the objective does not centre."""
        if not self.objective.reading.centred:
            return np.zeros(self.units.shape[1], dtype=np.float32)
        return np.asarray(self.units[rows].mean(axis=0, dtype=np.float64), dtype=np.float32)

    def centred(self, rows: Indices, centre_of: Indices) -> Float32s:
        """(M, d) unit templates less the centre of ``centre_of``, made unit again; zeros where nothing is left."""
        moved = self.units[rows] - self.centre(centre_of)
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.where(length > 0, length, 1), dtype=np.float32)

    def train(self, stage: str, rows: Indices, held_out: Indices | None, steps: int) -> Trained:
        """Trains on ``rows``; with ``held_out`` faces keeps the step of best mean AUC on them.

        The state is saved on the way, at any step, and taken up again: what is drawn depends on the step alone, so
        the result is the same to the last bit. A state that is damaged is not taken up.

        Raises:
            InputError: the loss is not a number any more.
            LabelError: too few faces for the objective.
        """
        config, device = self.config, self.ranks.device
        x = torch.from_numpy(self.centred(rows, rows)).to(device)
        sampler = self.objective.sampler(config, self.language, x, self.labels[rows])
        learner = Learner(self.new_text_encoder(), self.objective, config, device)
        checkpoint = Checkpoint(self._work / f"{stage.replace(' ', '-')}.pt", learner)
        state = learner.state
        self.curves.follow(stage, state.curve)
        watched = None if held_out is None else (self.centred(held_out, rows), self.labels[held_out])
        while state.step < steps and state.waited < config.patience:
            self._step(stage, learner, sampler.draw(state.step))
            last = state.step == steps
            if state.step % EVALUATE_EVERY == 0 or last:
                self._evaluate(stage, learner, watched)
            if self.ranks.main and (checkpoint.due() or last or state.waited >= config.patience):
                self.curves.write()
                checkpoint.save()
            self.tell(stage, state.step, steps)
        if self.ranks.main:
            self.curves.write()
        self.tell(stage, steps, steps)
        report = {"captions": state.captions, "shortened": state.shortened, **sampler.report}
        if state.best is None:
            return Trained(learner.text_encoder.cpu(), state.step, report, state.seconds)
        learner.text_encoder.load_state_dict(state.best)
        return Trained(learner.text_encoder.cpu(), state.best_step, report, state.seconds)

    def _step(self, stage: str, learner: Learner, batch: Batch) -> None:
        config, state = self.config, learner.state
        learner.text_encoder.train()
        learner.set_rate(config.learning_rate * self.objective.schedule(state.step, config.steps))
        learner.optimiser.zero_grad()
        loss = self.gradients(learner.text_encoder, learner.loss_parameters, batch, learner.scaler)
        if not math.isfinite(loss):
            raise InputError(
                f"the loss of step {state.step + 1} ({stage}) is {loss}: lower the learning rate "
                f"(it is {config.learning_rate:g})"
            )
        learner.scaler.step(learner.optimiser)
        learner.scaler.update()
        with torch.no_grad():
            for name, (low, high) in self.objective.limits.items():
                learner.loss_parameters[name].clamp_(low, high)
        state.step += 1
        state.captions += len(batch.ids)
        state.shortened += batch.shortened
        state.losses += loss
        state.since += 1

    def _evaluate(self, stage: str, learner: Learner, watched: tuple[Float32s, Int8s] | None) -> None:
        """A point of the curves: the mean loss since the last one and, on held-out faces, whether it is the best."""
        state, mean = learner.state, float("nan")
        if watched is not None:
            mean = self.ranks.agreed(self._mean_auc(learner.text_encoder, *watched))
            if mean > state.best_auc:
                state.best = {key: value.clone() for key, value in learner.text_encoder.state_dict().items()}
                state.best_auc, state.best_step, state.waited = mean, state.step, 0
            else:
                state.waited += 1
        self.curves.add(stage, state.step, state.losses / state.since, mean)
        state.losses, state.since = 0.0, 0

    def gradients(
        self,
        text_encoder: TextEncoderModel,
        loss_parameters: Mapping[str, nn.Parameter],
        batch: Batch,
        scaler: Any = None,
    ) -> float:
        """Adds the gradients of the batch's loss to the text encoder and the loss's parameters; gives the loss.

        The same whatever ``accumulate`` and the number of processes are, but for rounding.
        """
        scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
        parts = self.ranks.share(batch.ids).to(self.ranks.device).chunk(self.config.accumulate)
        at_once = len(parts) == 1
        with contextlib.nullcontext() if at_once else torch.no_grad():
            own = torch.cat([self._encoded(text_encoder, part) for part in parts])
        whole = self.ranks.gather(own.detach(), len(batch.ids)).requires_grad_()
        loss = self.objective.loss(whole, batch, loss_parameters)
        scaler.scale(loss).backward()
        assert whole.grad is not None
        gradient = self.ranks.share(whole.grad)
        if at_once:
            own.backward(gradient)  # type: ignore[no-untyped-call]
        else:
            for part, values in zip(parts, torch.split(gradient, [len(part) for part in parts]), strict=True):
                self._encoded(text_encoder, part).backward(values)  # type: ignore[no-untyped-call]
        self.ranks.reduce(list(text_encoder.parameters()), "sum")
        self.ranks.reduce(list(loss_parameters.values()), "mean")
        return float(loss.detach())

    @torch.no_grad()
    def prompt_vectors(
        self, text_encoder: TextEncoderModel, most: int | None = None
    ) -> tuple[Float32s, Float32s]:
        """(K, d) unit vectors of positive and negative prompts: means over (``most``) paraphrases.

        The negative ones are zeros where the objective reads by positive prompts alone.
        """
        text_encoder.eval()
        table = self.language.prompts
        limit = table.counts if most is None else np.minimum(table.counts, most)
        chosen = [
            np.linspace(0, count - 1, take).round().astype(np.int64) + offset
            for count, take, offset in zip(table.counts.flat, limit.flat, table.offsets.flat, strict=True)
        ]
        ids = table.ids[torch.from_numpy(np.concatenate(chosen))].to(next(text_encoder.parameters()).device)
        vectors = torch.cat([text_encoder(part) for part in torch.split(ids, _BATCH_SENTENCES)]).cpu().numpy()
        starts = np.concatenate([[0], np.cumsum(limit.reshape(-1))[:-1]])
        means = np.add.reduceat(vectors, starts, axis=0)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        sides = means.astype(np.float32).reshape(len(limit), len(NAMES), -1)
        negative = sides[1] if len(sides) > 1 else np.zeros_like(sides[0])
        return np.ascontiguousarray(sides[0]), np.ascontiguousarray(negative)

    def _encoded(self, text_encoder: TextEncoderModel, ids: Tensor) -> Tensor:
        kind = PRECISIONS[self.config.precision]
        with torch.autocast(self.ranks.device.type, dtype=kind, enabled=kind is not None):
            vectors: Tensor = text_encoder(ids)
        return vectors

    def _mean_auc(self, text_encoder: TextEncoderModel, watched: Float32s, labels: Int8s) -> float:
        positive, negative = self.prompt_vectors(text_encoder, _WATCHED_PROMPTS)
        areas = auc(watched @ (positive - negative).T, labels).value
        return float(np.nanmean(areas)) if not np.isnan(areas).all() else float("nan")


@contextlib.contextmanager
def _deterministic(device: str) -> Iterator[None]:
    """The same seed gives the same bits; on a GPU by way of slower kernels."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        if device == "cpu":
            yield
        else:
            from torch.nn.attention import SDPBackend, sdpa_kernel

            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            with sdpa_kernel([SDPBackend.MATH]):
                yield
    finally:
        torch.use_deterministic_algorithms(before)
