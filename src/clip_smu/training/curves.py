"""Curves of the trainings of one fit, loss and validation AUC: a csv, and TensorBoard. (PyTorch)"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from clip_smu.storage.files import atomic

CURVES_FILE = "curves.csv"

Point = tuple[int, float, float]  # step, mean loss since the point before, AUC of held-out faces (NaN: none)


class Curves:
    """The trainings' points.

    Args:
        folder: of ``curves.csv``.
        tensorboard: folder of TensorBoard's files; ``None``: none are written.
    """

    def __init__(self, folder: Path, tensorboard: Path | None = None) -> None:
        self._file = folder / CURVES_FILE
        self._points: dict[str, list[Point]] = {}
        self._board = None if tensorboard is None else _board(tensorboard)

    def follow(self, stage: str, points: list[Point]) -> None:
        """Takes over the points that a training has so far; :meth:`add` lengthens this very list."""
        self._points[stage] = points

    def add(self, stage: str, step: int, loss: float, mean_auc: float) -> None:
        """One more point."""
        self._points[stage].append((step, loss, mean_auc))
        if self._board is not None:
            self._board.add_scalar(f"loss/{stage}", loss, step)
            if not math.isnan(mean_auc):
                self._board.add_scalar(f"validation AUC/{stage}", mean_auc, step)
            self._board.flush()

    def write(self) -> None:
        """Writes ``curves.csv``."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["stage", "step", "loss", "validation_auc"])
        for stage, points in self._points.items():
            for step, loss, mean in points:
                table.writerow([stage, step, f"{loss:.6g}", "" if math.isnan(mean) else f"{mean:.6f}"])
        with atomic(self._file) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")

    def close(self) -> None:
        """Ends TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def _board(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
