"""Where the files of encoders are kept, and whether one is the card's."""

from __future__ import annotations

import os
from pathlib import Path

from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import EncoderError
from clip_smu.storage.digests import file_digest


def weights_folder(name: str, cache: Path | None = None) -> Path:
    """Where an encoder's files are kept: below ``cache``, $CLIP_SMU_CACHE or ~/.cache/clip-smu."""
    root = cache or Path(os.environ.get("CLIP_SMU_CACHE") or Path.home() / ".cache" / "clip-smu")
    return root / "encoders" / name


def check_weights(card: EncoderCard, weights: Path) -> None:
    """Raises an EncoderError if a weights file is not there or is not the card's."""
    if not weights.is_file():
        if card.sha256:
            how = f"run clip-smu encoders pull {card.name}, or put the file there (sha256 {card.sha256})"
        else:
            how = f"run clip-smu encoders convert CHECKPOINT --architecture {card.name}"
        raise EncoderError(f"the weights of {card.name} are not at {weights}: {how}")
    if card.sha256 and (digest := file_digest(weights)) != card.sha256:
        raise EncoderError(
            f"expected sha256 {card.sha256} for the weights of {card.name}, found {digest} in {weights}: "
            "remove the file and fetch it again"
        )
