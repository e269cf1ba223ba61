"""Training a text encoder on stored templates: one loop for all objectives. (PyTorch)

A step: the objective draws templates and sentences; the text encoder turns the sentences into vectors; the loss
compares them. The image encoder takes no part, its templates are stored. The loss is taken over all vectors at once,
and its gradient is handed back to the sentences part by part (Gao et al. 2021, "Scaling deep contrastive
learning batch size under memory limited setup"). So neither accumulation nor several processes change it.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clip_smu.arrays import Float32s, Indices, Int8s
from clip_smu.errors import InputError, MissingExtraError
from clip_smu.metrics import auc
from clip_smu.storage.files import atomic
from clip_smu.training.objectives import OBJECTIVES, Batch, TrainConfig, learn_language
from clip_smu.training.text_encoders import TextTower, text_tower
from clip_smu.words.attributes import NAMES

EVALUATE_EVERY = 25  # steps
SAVE_EVERY = 15.0  # seconds, but at most a tenth of the time goes into saving
CURVES_FILE = "curves.csv"
PRECISIONS: dict[str, torch.dtype | None] = {
    "float32": None,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
_WATCHED_PROMPTS = 4  # paraphrases of each prompt that early stopping looks at
_CHECK = hashlib.sha256().digest_size
_BATCH_SENTENCES = 256  # sentences encoded at once where nothing is learnt

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained text encoder, on the CPU.

    Attributes:
        tower: of the best step, where there were held-out faces; else of the last.
        step: its number.
        report: captions drawn, shortened and left out.
        seconds: that the training took, of all runs that it was done in.
    """

    tower: TextTower
    step: int
    report: dict[str, int]
    seconds: float


class Ranks:
    """The processes that train together: one, or as many as ``accelerate launch`` (or torchrun) started.

    Every process draws the same batches and computes the same loss; each encodes its share of the sentences.

    Raises:
        MissingExtraError: several processes, and the package accelerate is not installed.
    """

    def __init__(self, device: str) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.index, self.device = 0, torch.device(device)
        if self.count > 1:
            try:
                from accelerate import Accelerator
            except ImportError:
                raise MissingExtraError("training in several processes", "train") from None
            self._accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no")
            self.index, self.device = self._accelerator.process_index, self._accelerator.device

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.index == 0

    def share(self, table: Tensor) -> Tensor:
        """This process's rows of a table; shares are of one length, the last filled up with zeros."""
        if self.count == 1:
            return table
        length = -(-len(table) // self.count)
        own = table[self.index * length : (self.index + 1) * length]
        return torch.cat([own, own.new_zeros(length - len(own), *own.shape[1:])])

    def gather(self, own: Tensor, total: int) -> Tensor:
        """The table of ``total`` rows, of everybody's shares."""
        if self.count == 1:
            return own
        whole: Tensor = self._accelerator.gather(own)
        return whole[:total]

    def reduce(self, parameters: Sequence[nn.Parameter], how: str) -> None:
        """Puts the ``sum`` or ``mean`` over all processes in the place of the gradients."""
        gradients = [one.grad for one in parameters if one.grad is not None]
        if self.count == 1 or not gradients:
            return
        flat = self._accelerator.reduce(torch.cat([one.reshape(-1) for one in gradients]), how)
        for gradient, values in zip(gradients, flat.split([one.numel() for one in gradients]), strict=True):
            gradient.copy_(values.view_as(gradient))

    def agreed(self, value: float) -> float:
        """The first process's value, so that all decide alike."""
        if self.count == 1:
            return value
        first = self._accelerator.gather(torch.tensor([value], dtype=torch.float64, device=self.device))
        return float(first[0])

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            self._accelerator.wait_for_everyone()


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
        self.language = learn_language(config, self.new_tower().context)
        self._progress = progress or (lambda *_: None)
        self._curves: dict[str, list[tuple[int, float, float]]] = {}
        self._work, self._board = output, None

    @contextlib.contextmanager
    def running(self, work: Path, *, tensorboard: bool = False) -> Iterator[None]:
        """Trainings inside keep their states and ``curves.csv`` in ``work``; the same seed gives the same bits."""
        self._work, self._board = work, _board(self.output) if tensorboard and self.ranks.main else None
        try:
            with _deterministic(self.config.device):
                yield
        finally:
            if self._board is not None:
                self._board.close()

    def fingerprint(self) -> str:
        """Hash of the text encoder before training, and of its tokenizer."""
        digest = hashlib.sha256(self.language.tokenizer.to_str().encode())
        for name, value in self.new_tower().state_dict().items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value.numpy()).tobytes())
        return digest.hexdigest()

    def new_tower(self) -> TextTower:
        """The text encoder before training."""
        return text_tower(self.config.text_encoder, self.units.shape[1], self.config.size, self.config.seed)

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
        config, objective, device = self.config, self.objective, self.ranks.device
        file = self._work / f"{stage.replace(' ', '-')}.pt"
        x = torch.from_numpy(self.centred(rows, rows)).to(device)
        sampler = objective.sampler(config, self.language, x, self.labels[rows])
        tower = self.new_tower().to(device)
        numbers = {name: nn.Parameter(one.to(device)) for name, one in objective.numbers(len(NAMES)).items()}
        optimiser = torch.optim.AdamW(
            [
                {"params": list(tower.parameters()), "weight_decay": config.weight_decay, "speed": 1.0},
                {"params": list(numbers.values()), "weight_decay": 0.0, "speed": objective.speed},
            ],
            lr=config.learning_rate,
        )
        scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        state: dict[str, Any] = {"step": 0, "best_auc": -1.0, "best_step": 0, "waited": 0, "best": None}
        state |= {"captions": 0, "shortened": 0, "losses": 0.0, "since": 0, "curve": [], "seconds": 0.0}
        saved = _load(file, device)
        if saved is not None:
            state = saved["state"]
            tower.load_state_dict(saved["tower"])
            optimiser.load_state_dict(saved["optimiser"])
            scaler.load_state_dict(saved["scaler"])
            with torch.no_grad():
                for name, one in numbers.items():
                    one.copy_(saved["numbers"][name])
        self._curves[stage] = state["curve"]
        watched = None if held_out is None else self.centred(held_out, rows)
        saved_at, cost = time.monotonic(), 0.0
        begun = saved_at - state["seconds"]
        while state["step"] < steps and state["waited"] < config.patience:
            tower.train()
            batch = sampler.draw(state["step"])
            for group in optimiser.param_groups:
                share = objective.schedule(state["step"], config.steps)
                group["lr"] = config.learning_rate * group["speed"] * share
            optimiser.zero_grad()
            loss = self.gradients(tower, numbers, batch, scaler)
            if not math.isfinite(loss):
                raise InputError(
                    f"the loss of step {state['step'] + 1} ({stage}) is {loss}: lower the learning rate "
                    f"(it is {config.learning_rate:g})"
                )
            scaler.step(optimiser)
            scaler.update()
            with torch.no_grad():
                for name, (low, high) in objective.limits.items():
                    numbers[name].clamp_(low, high)
            state["step"] += 1
            state["captions"] += len(batch.ids)
            state["shortened"] += batch.shortened
            state["losses"] += loss
            state["since"] += 1
            last = state["step"] == steps
            if state["step"] % EVALUATE_EVERY == 0 or last:
                mean = float("nan")
                if watched is not None:
                    assert held_out is not None
                    mean = self.ranks.agreed(self._mean_auc(tower, watched, self.labels[held_out]))
                    if mean > state["best_auc"]:
                        best = {key: value.clone() for key, value in tower.state_dict().items()}
                        state |= {"best_auc": mean, "best_step": state["step"], "waited": 0, "best": best}
                    else:
                        state["waited"] += 1
                self._record(stage, state, mean)
            due = time.monotonic() - saved_at >= max(SAVE_EVERY, 10 * cost)
            if self.ranks.main and (due or last or state["waited"] >= config.patience):
                saving = time.monotonic()
                state["seconds"] = saving - begun
                _save(
                    file,
                    {
                        "state": state,
                        "tower": tower.state_dict(),
                        "optimiser": optimiser.state_dict(),
                        "scaler": scaler.state_dict(),
                        "numbers": {name: one.detach() for name, one in numbers.items()},
                    },
                )
                self._write_curves()
                saved_at = time.monotonic()
                cost = saved_at - saving
            self._progress(stage, state["step"], steps)
        if self.ranks.main:
            self._write_curves()
        self._progress(stage, steps, steps)
        report = {"captions": state["captions"], "shortened": state["shortened"], **sampler.report}
        if state["best"] is None:
            return Trained(tower.cpu(), state["step"], report, state["seconds"])
        tower.load_state_dict(state["best"])
        return Trained(tower.cpu(), state["best_step"], report, state["seconds"])

    def gradients(
        self, tower: TextTower, numbers: Mapping[str, nn.Parameter], batch: Batch, scaler: Any = None
    ) -> float:
        """Adds the gradients of the batch's loss to the text encoder and the loss's numbers; gives the loss.

        The same whatever ``accumulate`` and the number of processes are, but for rounding.
        """
        scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
        parts = self.ranks.share(batch.ids).to(self.ranks.device).chunk(self.config.accumulate)
        at_once = len(parts) == 1
        with contextlib.nullcontext() if at_once else torch.no_grad():
            own = torch.cat([self._encoded(tower, part) for part in parts])
        whole = self.ranks.gather(own.detach(), len(batch.ids)).requires_grad_()
        loss = self.objective.loss(whole, batch, numbers)
        scaler.scale(loss).backward()
        assert whole.grad is not None
        gradient = self.ranks.share(whole.grad)
        if at_once:
            own.backward(gradient)  # type: ignore[no-untyped-call]
        else:
            for part, values in zip(parts, torch.split(gradient, [len(part) for part in parts]), strict=True):
                self._encoded(tower, part).backward(values)  # type: ignore[no-untyped-call]
        self.ranks.reduce(list(tower.parameters()), "sum")
        self.ranks.reduce(list(numbers.values()), "mean")
        return float(loss.detach())

    @torch.no_grad()
    def prompt_vectors(self, tower: TextTower, most: int | None = None) -> tuple[Float32s, Float32s]:
        """(K, d) unit vectors of positive and negative prompts: means over (``most``) paraphrases.

        The negative ones are zeros where the objective reads by positive prompts alone.
        """
        tower.eval()
        table = self.language.prompts
        limit = table.counts if most is None else np.minimum(table.counts, most)
        chosen = [
            np.linspace(0, count - 1, take).round().astype(np.int64) + offset
            for count, take, offset in zip(table.counts.flat, limit.flat, table.offsets.flat, strict=True)
        ]
        ids = table.ids[torch.from_numpy(np.concatenate(chosen))].to(next(tower.parameters()).device)
        vectors = torch.cat([tower(part) for part in torch.split(ids, _BATCH_SENTENCES)]).cpu().numpy()
        starts = np.concatenate([[0], np.cumsum(limit.reshape(-1))[:-1]])
        means = np.add.reduceat(vectors, starts, axis=0)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        sides = means.astype(np.float32).reshape(len(limit), len(NAMES), -1)
        negative = sides[1] if len(sides) > 1 else np.zeros_like(sides[0])
        return np.ascontiguousarray(sides[0]), np.ascontiguousarray(negative)

    def _encoded(self, tower: TextTower, ids: Tensor) -> Tensor:
        kind = PRECISIONS[self.config.precision]
        with torch.autocast(self.ranks.device.type, dtype=kind, enabled=kind is not None):
            vectors: Tensor = tower(ids)
        return vectors

    def _mean_auc(self, tower: TextTower, watched: Float32s, labels: Int8s) -> float:
        positive, negative = self.prompt_vectors(tower, _WATCHED_PROMPTS)
        areas = auc(watched @ (positive - negative).T, labels).value
        return float(np.nanmean(areas)) if not np.isnan(areas).all() else float("nan")

    def _record(self, stage: str, state: dict[str, Any], mean_auc: float) -> None:
        """A point of the curves: the mean loss since the last one, and the validation AUC."""
        loss = state["losses"] / state["since"]
        state |= {"losses": 0.0, "since": 0}
        state["curve"].append((state["step"], loss, mean_auc))
        if self._board is not None:
            self._board.add_scalar(f"loss/{stage}", loss, state["step"])
            if not math.isnan(mean_auc):
                self._board.add_scalar(f"validation AUC/{stage}", mean_auc, state["step"])
            self._board.flush()

    def _write_curves(self) -> None:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["stage", "step", "loss", "validation_auc"])
        for stage, curve in self._curves.items():
            for step, loss, mean in curve:
                table.writerow([stage, step, f"{loss:.6g}", "" if math.isnan(mean) else f"{mean:.6f}"])
        with atomic(self._work / CURVES_FILE) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")


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


def _save(file: Path, values: dict[str, Any]) -> None:
    """Writes a training's state, its sha256 first."""
    buffer = io.BytesIO()  # a full disk is then an OSError like any other
    torch.save(values, buffer)
    with atomic(file) as temporary, temporary.open("wb") as stream:
        stream.write(hashlib.sha256(buffer.getbuffer()).digest())
        stream.write(buffer.getbuffer())


def _load(file: Path, device: torch.device) -> dict[str, Any] | None:
    """A training's state; None where there is none, or not the one that was written."""
    if not file.is_file():
        return None
    whole = file.read_bytes()
    check, content = whole[:_CHECK], whole[_CHECK:]
    if hashlib.sha256(content).digest() != check:
        return None
    saved: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location=device)
    return saved


def _board(output: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(output / "tensorboard"))
