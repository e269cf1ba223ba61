"""The rule that filled the official networks' parameters for the golden numbers, re-implemented.

``tests/golden/fill_rule.json`` holds the rule's own source and values it must give; ``test_nets_golden.py``
checks this module against both.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch

MASK = np.uint64(0xFFFFFFFF)
GAIN = {"adaface": 0.7, "swinface": 1.0, "clip": 1.0}


def numbers(key: str, count: int) -> np.ndarray:
    """``count`` float64 numbers in [-1, 1), a pure function of key and position (a 32-bit mix)."""
    h = (
        np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B1) + np.uint64(zlib.crc32(key.encode()))
    ) & MASK
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & MASK
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & MASK
    h ^= h >> np.uint64(16)
    return (h >> np.uint64(8)).astype(np.float64) / 2**23 - 1.0


def filled(
    shapes: Mapping[str, tuple[int, ...]], gain: float, dtype: torch.dtype = torch.float32
) -> dict[str, torch.Tensor]:
    """Parameters for these keys and shapes, rounded to float32; counters, tables and masks are left out."""
    return {
        key: torch.from_numpy(_values(key, tuple(shape), gain, f"{key[:-6]}bias" in shapes)).to(dtype)
        for key, shape in shapes.items()
        if key.rsplit(".", 1)[-1] not in ("num_batches_tracked", "relative_position_index", "attn_mask")
    }


def fill(network: torch.nn.Module, gain: float) -> None:
    """Fills a network in place, its own buffers left as built."""
    state = network.state_dict()
    values = filled({key: tuple(value.shape) for key, value in state.items()}, gain)
    with torch.no_grad():
        for key, value in values.items():
            state[key].copy_(value)


def image(key: str, shape: tuple[int, int, int, int]) -> torch.Tensor:
    """The rule's input: coarse, medium and fine structure, float32, every value in [-1, 1)."""
    batch, channels, height, width = shape
    x = np.zeros(shape)
    for name, weight, grid in (("/2", 0.5, 2), ("/14", 0.3, 14), ("/full", 0.2, height)):
        part = numbers(key + name, batch * channels * grid * grid).reshape(batch, channels, grid, grid)
        x += weight * part.repeat(height // grid, 2).repeat(width // grid, 3)
    return torch.from_numpy(x.astype(np.float32))


def _values(key: str, shape: tuple[int, ...], gain: float, has_bias: bool) -> np.ndarray:
    size = math.prod(shape)
    u = numbers(key, size).reshape(shape)
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "running_var":
        value = 1.0 + 0.5 * u
    elif len(shape) >= 2:
        value = gain * math.sqrt(3.0 * shape[0] / size) * u  # variance gain^2 / fan-in
    elif leaf == "weight":
        value = (1.0 if has_bias else 0.25) + 0.1 * u  # of a BatchNorm or LayerNorm; else a PReLU slope
    else:
        value = 0.1 * u  # biases, running means
    return np.asarray(value, dtype=np.float32)
