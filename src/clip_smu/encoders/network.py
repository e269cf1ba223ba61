"""A face recognition network in ONNX: checked against its card, fed as the card says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import EncoderError
from clip_smu.photos.decode import HEAD_BYTES, is_lfs_pointer
from clip_smu.storage.onnx_sessions import onnx_session

BATCH = 32  # faces a call
_NORM_FLOOR = 1e-12

_KINDS: dict[str, type[np.floating]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Network:
    """An ONNX Runtime session whose input and output are those of a card.

    Args:
        path: the ONNX file.
        card: what it must be: input (N, 3, H, W) of float32 or float16; an output (N, d), which may have axes of one
            besides, as (N, d, 1, 1) or (N, 1, d). Where several have d numbers, the card's ``output`` says which.
        threads: of ONNX Runtime.

    Attributes:
        outputs: name and width of each output that is one row of numbers a face.

    Raises:
        EncoderError: no ONNX, or another input or output than the card says.
    """

    def __init__(self, path: Path, card: EncoderCard, threads: int = 1) -> None:
        try:
            self._session = onnx_session(path, threads)
        except Exception as error:  # ONNX Runtime raises bare exceptions of its own
            with path.open("rb") as file:
                if is_lfs_pointer(file.read(HEAD_BYTES)):
                    raise EncoderError(
                        f"expected an ONNX network in {path}, found a Git LFS pointer: run git lfs pull"
                    ) from None
            raise EncoderError(
                f"expected an ONNX network in {path}, ONNX Runtime cannot load it: {_line(error)}"
            ) from None
        self.path, self.card = path, card
        self._input, fixed = self._check_input()
        self._step = fixed or BATCH
        self._padded = bool(fixed and fixed > 1)
        self.outputs: dict[str, int] = self._probe()
        self._output = self._template_output()

    def templates(self, pixels: Float32s) -> tuple[Float32s, Float32s]:
        """Templates (N, d) and norms (N,) of pixels (N, 3, H, W), as :func:`preprocess` makes them.

        Raises:
            FloatingPointError: the network gives numbers that are not finite.
            RuntimeError: ONNX Runtime fails.
        """
        wanted = [self._output, *([self.card.norm_output] if self.card.norm_output else [])]
        found = self.run(pixels, wanted)
        vectors = found[0]
        if not all(np.isfinite(one).all() for one in found):
            raise FloatingPointError("the network gave numbers that are not finite")
        norms = np.linalg.norm(vectors, axis=1)
        if self.card.normalised:
            vectors = vectors / np.maximum(norms, _NORM_FLOOR)[:, None]
        return vectors, (found[1].reshape(-1) if self.card.norm_output else norms)

    def run(self, pixels: Float32s, outputs: list[str]) -> list[Float32s]:
        """Named outputs for pixels (N, 3, H, W), in batches."""
        pieces: list[list[Float32s]] = []
        for start in range(0, len(pixels), self._step):
            batch = pixels[start : start + self._step]
            short = self._step - len(batch) if self._padded else 0
            if short:
                batch = np.concatenate([batch, np.zeros((short, *batch.shape[1:]), np.float32)])
            found = self._call(outputs, batch)
            rows = [np.asarray(one, np.float32).reshape(len(batch), -1) for one in found]
            pieces.append([one[: len(batch) - short] for one in rows])
        if not pieces:
            return [np.empty((0, self.outputs[name]), np.float32) for name in outputs]
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    def _call(self, outputs: list[str], batch: Float32s) -> list[Any]:
        try:
            found: list[Any] = self._session.run(outputs, {self._input: batch.astype(self._kind, copy=False)})
        except Exception as error:
            raise RuntimeError(f"ONNX Runtime: {_line(error)}") from None
        return found

    def _check_input(self) -> tuple[str, int]:
        """Name of the input and its fixed batch; 0 if the batch is free."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs)
            raise EncoderError(f"expected one input in {self.path}, found {len(inputs)} ({names})")
        (one,) = inputs
        height, width = self.card.input_size
        expected = f"expected an input (N, 3, {height}, {width}) of float32 in {self.path}"
        if one.type not in _KINDS:
            raise EncoderError(f"{expected}, found {one.type}: export it with float32 inputs")
        self._kind = _KINDS[one.type]
        shape = list(one.shape)
        if len(shape) == 4 and shape[1] != 3 and shape[3] == 3:
            raise EncoderError(f"{expected}, found {shape}, channels last: export it channels first (NCHW)")
        fits = len(shape) == 4 and all(
            not isinstance(found, int) or found == wanted
            for found, wanted in zip(shape[1:], (3, height, width), strict=True)
        )
        if not fits:
            raise EncoderError(f"{expected}, found {shape}: correct input_size in the card, or the file")
        return one.name, shape[0] if isinstance(shape[0], int) and shape[0] > 0 else 0

    def _probe(self) -> dict[str, int]:
        """Runs the network once, for the true widths of its outputs; falls back to one face a call."""
        names = [one.name for one in self._session.get_outputs()]
        height, width = self.card.input_size
        sizes = [self._step] if self._padded or self._step == 1 else [2, 1]
        for size in sizes:
            try:
                found = self._call(names, np.zeros((size, 3, height, width), np.float32))
            except RuntimeError as error:
                reason = str(error)
                continue
            widths = {
                name: numbers
                for name, one in zip(names, found, strict=True)
                if (numbers := _width(one, size)) is not None
            }
            if self.card.dim in widths.values() or size == sizes[-1]:
                self._step = self._step if size > 1 else 1
                return widths
        raise EncoderError(f"{self.path} cannot be run on an input of its card's size: {reason}")

    def _template_output(self) -> str:
        dim, wanted = self.card.dim, self.card.output
        fitting = [name for name, width in self.outputs.items() if width == dim and wanted in ("", name)]
        shapes = ", ".join(f"{name} (N, {width})" for name, width in self.outputs.items()) or "none"
        if not fitting:
            called = f" called {wanted!r}, as its card says," if wanted else ""
            raise EncoderError(
                f"expected one output (N, {dim}){called} in {self.path}, found {shapes}: "
                "correct the card, or give the right file"
            )
        if len(fitting) > 1:
            raise EncoderError(
                f"expected one output (N, {dim}) in {self.path}, found {shapes}: "
                f'say in the card which one it is, as output = "{fitting[0]}"'
            )
        if self.card.norm_output and self.outputs.get(self.card.norm_output) != 1:
            raise EncoderError(
                f"expected an output {self.card.norm_output!r} (N, 1) in {self.path}, as its card says; "
                "correct norm_output in the card"
            )
        return fitting[0]


def _width(output: Any, size: int) -> int | None:
    """Numbers a face in an output for ``size`` faces; None if it is no row of numbers a face.

    Axes of one count for nothing; for one face alone the axis of faces may be missing.
    """
    if not isinstance(output, np.ndarray) or output.ndim == 0:
        return None
    if output.shape[0] != size:
        return int(output.size) if size == 1 and output.ndim == 1 else None
    width = int(output.size) // size
    return width if width == max(output.shape[1:], default=1) else None


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
