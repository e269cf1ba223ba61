"""Settings of a fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec

import torch

from clip_smu.errors import InputError
from clip_smu.training.clip_encoder import EncoderSize
from clip_smu.training.objectives import OBJECTIVES
from clip_smu.training.text_encoders import MINI, kind_of
from clip_smu.training.train_config import TrainConfig
from clip_smu.training.trainer import PRECISIONS

_RATE_CLIP = 1e-5  # all layers of a text encoder that knows its words (the authors' code)


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Settings of one fit. ``None`` stands for the objective's own default (`clip_smu.training.objectives.OBJECTIVES`).

    Attributes:
        objective: ``taught`` (:mod:`clip_smu.training.readout`), ``attribute``, ``multipositive``, or ``clip``, the
            paper's; see :mod:`clip_smu.training.losses`.
        text_encoder: ``mini``, trained from scratch, ``minilm``, or a CLIP or BERT: its name on the Hugging Face Hub
            (``openai/clip-vit-base-patch32``) or a folder in transformers' form.
        size: of the text encoder ``mini``.
        steps: most optimiser steps of one training.
        batch_size: templates a step.
        captions: sentences a step, objective ``multipositive``.
        learning_rate: of AdamW with betas .9 and .999; default, the objective's, and 1e-5 for a CLIP.
        weight_decay: without it AdamW is Adam.
        paraphrases: sentences drawn for each prompt at each step, objective ``attribute``.
        folds: identity folds for calibration, 2 or more.
        patience: evaluations without a better AUC before a training stops.
        error_rate: share of wrong verdicts to choose thresholds for, 0.01 to 0.5.
        precision: ``float32``, or on a GPU ``bf16`` or ``fp16``.
        accumulate: parts that a step's sentences are encoded in, to save memory; the result stays the same.
        tensorboard: also write the curves for TensorBoard, into the output folder.
        device: ``cpu`` or ``cuda``; default, the GPU where there is one.
        seed: of everything random.

    Example:
        >>> FitConfig(error_rate=0.05).objective
        'attribute'
    """

    objective: str = "attribute"
    text_encoder: str = MINI
    size: EncoderSize = field(default_factory=EncoderSize)
    steps: int | None = None
    batch_size: int | None = None
    captions: int = 128
    learning_rate: float | None = None
    weight_decay: float | None = None
    paraphrases: int = 1
    folds: int | None = None
    patience: int = 8
    error_rate: float = 0.10
    precision: str = "float32"
    accumulate: int = 1
    tensorboard: bool = False
    device: str | None = None
    seed: int = 0

    def check(self) -> None:
        """Raises InputError where a setting cannot be used here."""
        for name, low, high in (
            ("steps", 1, 10**7),
            ("batch_size", 1, 10**7),
            ("captions", 1, 10**6),
            ("learning_rate", 1e-9, 10),
            ("weight_decay", 0, 10),
            ("paraphrases", 1, 12),
            ("folds", 2, 100),
            ("patience", 1, 10**6),
            ("accumulate", 1, 10**6),
            ("error_rate", 0.01, 0.5),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value}")
        for name, choices in (
            ("objective", tuple(OBJECTIVES)),
            ("precision", tuple(PRECISIONS)),
            ("device", ("cpu", "cuda", None)),
        ):
            if getattr(self, name) not in choices:
                known = ", ".join(choice for choice in choices if choice)
                raise InputError(f"the {name} must be one of {known}, not {getattr(self, name)!r}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError(
                "the device cuda must be there, PyTorch finds none: leave the setting out, or give cpu"
            )
        if self.precision != "float32" and self.resolved_device == "cpu":
            raise InputError(
                f"the precision must be float32 on a CPU, not {self.precision}: that needs a GPU (cuda)"
            )
        if self.tensorboard and find_spec("tensorboard") is None:
            raise InputError(
                "tensorboard needs the package tensorboard, which is not installed: pip install tensorboard"
            )

    @property
    def resolved_device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")

    def training(self, encoder: str) -> TrainConfig:
        """The settings of each training, all filled in, for templates of ``encoder``."""
        row = OBJECTIVES[self.objective]
        of_clip = encoder.startswith("clip-vit")
        try:
            kind = kind_of(self.text_encoder)
        except InputError:  # it is not there, which the trainer says when it needs it
            kind = "clip"
        rate = row.learning_rate if kind in (MINI, "bert") else _RATE_CLIP
        steps = (row.steps_bert if kind == "bert" else None) or row.steps
        return TrainConfig(
            self.objective,
            self.text_encoder,
            self.size,
            steps if self.steps is None else self.steps,
            (row.batch_size_clip if of_clip else row.batch_size)
            if self.batch_size is None
            else self.batch_size,
            self.captions,
            rate if self.learning_rate is None else self.learning_rate,
            row.weight_decay if self.weight_decay is None else self.weight_decay,
            self.paraphrases,
            self.patience,
            self.precision,
            self.accumulate,
            self.resolved_device,
            self.seed,
        )
