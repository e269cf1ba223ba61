"""The processes that train together. (PyTorch)"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clip_smu.errors import MissingExtraError


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
