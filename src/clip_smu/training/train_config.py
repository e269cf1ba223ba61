"""Settings of one training of a text encoder, all filled in. (PyTorch)"""

from __future__ import annotations

from dataclasses import dataclass

from clip_smu.training.clip_encoder import EncoderSize


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training, all filled in.

    Attributes:
        objective: a name in `OBJECTIVES`.
        text_encoder: ``mini``, a hub name or a folder, see
            :func:`clip_smu.training.text_encoders.build_text_encoder`; ``size`` of ``mini``.
        steps: most optimiser steps.
        batch_size: templates a step.
        captions: sentences a step, objective ``multipositive``.
        learning_rate, weight_decay: of AdamW with betas .9 and .999; without weight decay that is Adam.
        paraphrases: sentences drawn for each prompt at each step, objective ``attribute``.
        patience: evaluations without a better AUC before a training stops.
        precision: ``float32``, ``bf16`` or ``fp16`` (the text encoder's arithmetic; on a GPU only).
        accumulate: parts that a step's sentences are encoded in, to save memory; the loss stays that of the whole.
        device: ``cpu`` or ``cuda``.
        seed: of everything random.
    """

    objective: str
    text_encoder: str
    size: EncoderSize
    steps: int
    batch_size: int
    captions: int
    learning_rate: float
    weight_decay: float
    paraphrases: int
    patience: int
    precision: str
    accumulate: int
    device: str
    seed: int
