"""The one way into a safetensors file that is read: bounded, whole, with the arrays that were promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s
from clip_smu.errors import ClipSmuError, InputError
from clip_smu.storage.digests import bytes_digest, refuse_changed
from clip_smu.storage.documents import bytes_of
from clip_smu.storage.files import atomic

MOST_BYTES = 1 << 30


def read_tensors(
    path: Path, what: str, error: type[ClipSmuError] = InputError, *, noted: str | None = None
) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file.

    Args:
        what: whose file it is, in messages, without an article ("interpreter").
        noted: the sha256 that it had when it was written; ``None``: not known.

    Raises:
        error: no regular file, another checksum, or no whole safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    where = f"the {what} in {path.parent}"
    data = bytes_of(path, f"the numbers of the {what}", error, MOST_BYTES)
    refuse_changed(path.name, bytes_digest(data), noted, where, error)
    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as problem:
        why = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise error(f"{where} is damaged: {path.name} is no whole safetensors file ({why})") from None


def write_tensors(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Writes arrays, atomically; gives the file's sha256."""
    from safetensors.numpy import save

    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    return bytes_digest(data)


def real_array(
    arrays: Mapping[str, NDArray[Any]],
    name: str,
    shape: Sequence[int],
    where: str,
    error: type[ClipSmuError] = InputError,
) -> Float32s:
    """The array of that name as float32.

    Raises:
        error: it is missing, of another shape, not of real numbers, or holds NaN or infinity.
    """
    array = arrays.get(name)
    if array is None:
        raise error(f"{where} is damaged: the array {name} is missing")
    if array.dtype.kind != "f" or array.shape != tuple(shape):
        raise error(
            f"{where} is damaged: expected the array {name} of real numbers {tuple(shape)}, found {array.dtype} "
            f"{array.shape}"
        )
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(narrow).all():
        raise error(f"{where} is damaged: the array {name} holds numbers that are NaN or infinite")
    return narrow
