"""What a training changes, saved as it goes and taken up again, bit for bit. (PyTorch)"""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clip_smu.storage.files import atomic
from clip_smu.training.curves import Point
from clip_smu.training.objectives import Objective
from clip_smu.training.text_model import TextEncoderModel
from clip_smu.training.train_config import TrainConfig
from clip_smu.words.attributes import NAMES

SAVE_EVERY = 15.0  # seconds, but at most a tenth of the time goes into saving
_CHECK = hashlib.sha256().digest_size


@dataclass(eq=False)
class State:
    """Where a training is.

    Attributes:
        step: steps done.
        best_auc, best_step, best: of the best evaluation so far: mean AUC, step, weights.
        waited: evaluations since then.
        captions, shortened: sentences drawn, and those that lost attributes.
        losses, since: sum and number of the losses since the curve's last point.
        curve: its points.
        seconds: that the training took, of all runs that it was done in.
    """

    step: int = 0
    best_auc: float = -1.0
    best_step: int = 0
    waited: int = 0
    best: dict[str, Tensor] | None = None
    captions: int = 0
    shortened: int = 0
    losses: float = 0.0
    since: int = 0
    curve: list[Point] = field(default_factory=list)
    seconds: float = 0.0


class Learner:
    """A text encoder and the parameters of its loss, with their optimiser (AdamW) and :class:`State`."""

    def __init__(
        self, text_encoder: TextEncoderModel, objective: Objective, config: TrainConfig, device: torch.device
    ) -> None:
        self.device, self.state = device, State()
        self.text_encoder = text_encoder.to(device)
        self.loss_parameters = {
            name: nn.Parameter(one.to(device)) for name, one in objective.loss_parameters(len(NAMES)).items()
        }
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": [one for one in self.text_encoder.parameters() if one.requires_grad],
                    "weight_decay": config.weight_decay,
                    "rate_multiplier": 1.0,
                },
                {
                    "params": list(self.loss_parameters.values()),
                    "weight_decay": 0.0,
                    "rate_multiplier": objective.rate_multiplier,
                },
            ],
            lr=config.learning_rate,
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")

    def set_rate(self, learning_rate: float) -> None:
        """The learning rate of the next step: the text encoder's; the loss's parameters have their multiple."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate * group["rate_multiplier"]

    def snapshot(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            "state": vars(self.state),
            "text_encoder": self.text_encoder.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "loss_parameters": {name: one.detach() for name, one in self.loss_parameters.items()},
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Goes back to a snapshot."""
        self.state = State(**saved["state"])
        self.text_encoder.load_state_dict(saved["text_encoder"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scaler.load_state_dict(saved["scaler"])
        with torch.no_grad():
            for name, one in self.loss_parameters.items():
                one.copy_(saved["loss_parameters"][name])


class Checkpoint:
    """The file that a learner is saved in; one that is there, and whole, is taken up at once."""

    def __init__(self, file: Path, learner: Learner) -> None:
        self._file, self._learner = file, learner
        saved = load_snapshot(file, learner.device)
        if saved is not None:
            learner.restore(saved)
        self._saved_at, self._cost = time.monotonic(), 0.0
        self._begun = self._saved_at - learner.state.seconds

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved_at >= max(SAVE_EVERY, 10 * self._cost)

    def save(self) -> None:
        """Writes the learner's snapshot, its sha256 first."""
        began = time.monotonic()
        self._learner.state.seconds = began - self._begun
        buffer = io.BytesIO()  # a full disk is then an OSError like any other
        torch.save(self._learner.snapshot(), buffer)
        with atomic(self._file) as temporary, temporary.open("wb") as stream:
            stream.write(hashlib.sha256(buffer.getbuffer()).digest())
            stream.write(buffer.getbuffer())
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began


def load_snapshot(file: Path, device: torch.device) -> dict[str, Any] | None:
    """A learner's snapshot; ``None`` where there is none, or not the one that was written."""
    if not file.is_file():
        return None
    whole = file.read_bytes()
    check, content = whole[:_CHECK], whole[_CHECK:]
    if hashlib.sha256(content).digest() != check:
        return None
    saved: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location=device)
    return saved
