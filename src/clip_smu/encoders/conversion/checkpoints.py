"""Reads official checkpoints without running a byte of their pickled code.

A PyTorch checkpoint is a zip of raw arrays and one pickle that names them; a TorchScript archive (OpenAI's
CLIP) has the same form. :func:`read_state_dict` walks that pickle with an unpickler that can only build
dictionaries and notes of where an array lies: no name in the file is ever imported or called. Names of
training frameworks (a Lightning checkpoint keeps some beside the weights) become inert objects; any other
name is refused. safetensors files hold no code at all.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip_smu.errors import EncoderError, InputError, MissingExtraError

try:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from torch import Tensor
except ImportError as missing:
    raise MissingExtraError("converting checkpoints", "train") from missing

SWINFACE_PARTS = ("backbone", "fam", "tss", "om")
SHOWN = 3  # keys of each kind that an error message names
OPTIONAL = "num_batches_tracked"  # BatchNorm's counter: some exports drop it, inference never reads it
IGNORED = ("position_ids", "attn_mask")  # constants that some versions of a library stored

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

INERT = frozenset(
    {"torch", "__torch__", "pytorch_lightning", "lightning", "lightning_fabric", "numpy"}
    | {"omegaconf", "argparse", "pathlib", "typing"}
)
"""Packages whose names may stand in a checkpoint; they are replaced, not imported."""


def read_state_dict(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Reads the arrays of a checkpoint: safetensors, ``torch.save`` (1.6 or later), TorchScript.

    A Lightning checkpoint gives its ``state_dict``; SwinFace's gives its four, as ``backbone.``, ``fam.``,
    ``tss.`` and ``om.``; anything else gives every array under its path in the file. Optimiser state stays
    on disk.

    Args:
        path: the checkpoint.
        prefix: only keys that begin with it, without it.

    Returns:
        Tensors on the CPU, each of the type in the file.

    Raises:
        InputError: there is no such file.
        EncoderError: the file is no checkpoint, is damaged, or its pickle names something to run.

    Example:
        >>> state = read_state_dict(Path("adaface_ir50_ms1mv2.ckpt"), prefix="model.")  # doctest: +SKIP
    """
    if not path.is_file():
        raise InputError(f"expected a checkpoint file, found nothing at {path}; check the path")
    if path.suffix == ".safetensors":
        try:
            tensors: dict[str, Tensor] = load_file(path)
        except (SafetensorError, OSError, ValueError) as broken:
            raise EncoderError(
                f"{path} is no complete safetensors file ({broken}); fetch it again"
            ) from broken
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    if not zipfile.is_zipfile(path):
        raise EncoderError(
            f"expected safetensors or a zip written by torch.save (1.6 or later), found another format in"
            f" {path}; fetch it again, or load it where you trust it and save its state dict as safetensors"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive, prefix)
    except EncoderError as refused:
        raise EncoderError(f"{path}: {refused}") from refused
    except Exception as broken:  # whatever a damaged or hostile file provokes
        why = str(broken).splitlines()[0] if str(broken) else type(broken).__name__
        raise EncoderError(f"{path} is a damaged checkpoint ({why}); fetch it again") from broken


def match_keys(
    expected: Mapping[str, Sequence[int]], found: Mapping[str, Tensor], what: str
) -> dict[str, Tensor]:
    """Strips the prefix that a trainer put before the keys (``model.``, ``model.net.``, …), then checks.

    The prefix is the one under which most of the expected keys are found. Keys outside it, and keys of
    another part of the training (``head.kernel``), are left out.

    Args:
        expected: key to shape, the network's own.
        found: the checkpoint's arrays.
        what: the network's name, for the message.

    Returns:
        Arrays under exactly the expected keys; BatchNorm counters may be absent.

    Raises:
        EncoderError: keys or shapes differ; see :func:`check_keys`.
    """
    prefixes = Counter(
        key[: -len(name)] for name in expected for key in found if key == name or key.endswith(f".{name}")
    )
    prefix = max(prefixes, key=lambda each: (prefixes[each], -len(each)), default="")
    parts = {name.split(".")[0] for name in expected}
    inner = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    stripped = {
        key: value
        for key, value in inner.items()
        if key in expected or (key.split(".")[0] in parts and not key.endswith(IGNORED))
    }
    check_keys(expected, stripped, what)
    return stripped


def check_keys(expected: Mapping[str, Sequence[int]], found: Mapping[str, Tensor], what: str) -> None:
    """Raises an EncoderError that says which keys are missing, unexpected, or of another shape."""
    missing = [key for key in expected if key not in found and not key.endswith(OPTIONAL)]
    unexpected = [key for key in found if key not in expected]
    reshaped = [
        f"{key} expected {tuple(shape)} found {tuple(found[key].shape)}"
        for key, shape in expected.items()
        if key in found and tuple(found[key].shape) != tuple(shape)
    ]
    differences = [
        f"{len(keys)} {kind} ({', '.join(keys[:SHOWN])}{', …' if len(keys) > SHOWN else ''})"
        for kind, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if keys
    ]
    if differences:
        raise EncoderError(
            f"the checkpoint does not fit {what}, which has {len(expected)} keys: {'; '.join(differences)};"
            " name the network that it was trained as, or fetch the right file"
        )


@dataclass(frozen=True)
class _Storage:
    """A run of numbers in the archive."""

    name: str
    dtype: torch.dtype


@dataclass(frozen=True)
class _View:
    """Where a tensor lies in its storage, in elements."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Inert(dict[Any, Any]):
    """Stands for an object of a class that was not imported: keeps state and items, does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.update(state)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def append(self, item: Any) -> None:
        """A pickled list subclass gives its items so."""

    def extend(self, items: Any) -> None:
        """A pickled list subclass gives its items so."""


class _Unpickler(pickle.Unpickler):
    """Builds dictionaries, lists, numbers and :class:`_View` notes; imports and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return type("Dictionary", (dict,), {})  # a fresh class, so that a pickle can alter only its own
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return lambda storage, offset, size, stride, *_: _view(storage, offset, size, stride)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *_: data
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module.split(".")[0] in INERT:
            return type("Inert", (_Inert,), {})
        raise EncoderError(
            f"its pickle names {module}.{name}, which is no part of network weights and could run code;"
            " nothing was run; do not use this file, or have its author save the state dict as safetensors"
        )

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, name, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown record {kind!r}")
        return _Storage(str(name), dtype) if isinstance(dtype, torch.dtype) else _Inert()


def _view(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> _View | None:
    return _View(storage, offset, tuple(size), tuple(stride)) if isinstance(storage, _Storage) else None


def _read_archive(archive: zipfile.ZipFile, prefix: str) -> dict[str, Tensor]:
    pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise EncoderError("expected a zip written by torch.save, found no data.pkl in it; fetch it again")
    root = pickles[0].removesuffix("data.pkl")
    order = f"{root}byteorder"
    if order in archive.namelist() and archive.read(order) != b"little":
        raise EncoderError("expected little-endian numbers, found others; save the weights as safetensors")
    with archive.open(pickles[0]) as stream:
        tree = _Unpickler(stream).load()
    views = {key: view for key, view in _flatten(_weights(tree)) if key.startswith(prefix)}
    return {key.removeprefix(prefix): _read_view(archive, root, view) for key, view in views.items()}


def _weights(tree: Any) -> Any:
    """The part of a checkpoint that holds the network."""
    if not isinstance(tree, dict):
        return {}
    if all(f"state_dict_{part}" in tree for part in SWINFACE_PARTS):
        return {part: tree[f"state_dict_{part}"] for part in SWINFACE_PARTS}
    return tree.get("state_dict", tree)


def _flatten(tree: Any, path: str = "") -> Iterator[tuple[str, _View]]:
    if isinstance(tree, _View):
        yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(key, str):
                yield from _flatten(value, f"{path}.{key}" if path else key)


def _read_view(archive: zipfile.ZipFile, root: str, view: _View) -> Tensor:
    entry = archive.getinfo(f"{root}data/{view.storage.name}")
    if entry.compress_type != zipfile.ZIP_STORED:
        raise EncoderError(
            "expected arrays as torch.save stores them, found a compressed one; fetch it again"
        )
    if 0 in view.size:
        return torch.zeros(view.size, dtype=view.storage.dtype)
    numbers = torch.frombuffer(bytearray(archive.read(entry)), dtype=view.storage.dtype)
    wanted = math.prod(view.size)
    if wanted > len(numbers):
        raise EncoderError(
            f"expected {wanted} numbers in {entry.filename}, found {len(numbers)}; fetch it again"
        )
    return numbers.as_strided(view.size, view.stride, view.offset).contiguous()
