"""A probe: classifiers on templates, the reference that language is measured against, as a folder, and its reading.

    PROBE/
    ├── probe.json              kind, encoder, attributes with calibration, verdicts and evidence, provenance
    └── weights.safetensors     centre (d,), scale (d,), weight_0 (d, h), bias_0 (h,), weight_1 (h, K), ...; what the
                                encoder's templates look like

A template t is read as ``x = (unit(t) - centre) / scale``; then ``x @ weight + bias`` layer by layer, with ReLU
between. A linear probe has one layer. The scale of t does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from clip_smu.arrays import Float32s
from clip_smu.errors import InterpreterError
from clip_smu.interpreter.folder import FolderKind, read_folder, write_folder
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.interpreter.records import ProbeForm

PROBE_FOLDER = FolderKind("a probe", "probe.json", "weights.safetensors", ProbeForm, "clip-smu probe")


@dataclass(frozen=True, eq=False, kw_only=True)
class Probe(TemplateReader):
    """Classifiers of K attributes on one encoder's templates; made by ``fit_probe``, loaded by :func:`load_probe`.

    Attributes: those of :class:`~clip_smu.interpreter.reader.TemplateReader`, and

        kind: ``multi-label``, ``binary``, ``logistic-regression`` or ``mlp``.
        centre, scale: (d,) float32, mean and standard deviation of the training faces' unit templates.
        layers: (weight (in, out), bias (out,)) float32; the first takes d, the last gives K.

    Example:
        >>> import numpy as np
        >>> from clip_smu.interpreter.calibration import Calibration
        >>> one = np.ones(1)
        >>> probe = Probe(
        ...     name="toy", encoder="toy", kind="binary", attributes=("Male",), error_rate=0.1, provenance={},
        ...     centre=np.zeros(2, np.float32), scale=np.ones(2, np.float32),
        ...     layers=((np.float32([[2.0], [0.0]]), np.float32([-1.0])),),
        ...     calibration=Calibration(one, 0 * one, one, 0 * one), evidence=(),
        ... )
        >>> probe.read(np.float32([[5, 0], [0, 7]]))[0].tolist()
        [[1.0], [-1.0]]
    """

    what = PROBE_FOLDER.what

    kind: str
    centre: Float32s
    scale: Float32s
    layers: tuple[tuple[Float32s, Float32s], ...]

    @property
    def dim(self) -> int:
        """d, the length of the templates it reads."""
        return len(self.centre)

    @property
    def method_kind(self) -> str:
        """Its kind."""
        return self.kind

    @property
    def made_by(self) -> str:
        """``clip-smu probe`` with its kind."""
        return f"{PROBE_FOLDER.command} ({self.kind})"

    def score(self, vectors: Float32s) -> Float32s:
        """(N, K) float32 logits; a row that is zero, NaN or infinite ends as NaN."""
        weight, bias = self._first
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # unusable rows end as NaN
            hidden = vectors @ weight  # (N, h)
            hidden /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
            hidden += bias
            for weight, bias in self.layers[1:]:
                hidden = np.maximum(hidden, 0, out=hidden) @ weight
                hidden += bias
        return hidden

    def save(self, folder: str | Path) -> None:
        """Writes ``weights.safetensors``, then ``probe.json``, whose presence says that the folder is whole."""
        arrays = {"centre": self.centre, "scale": self.scale}
        for number, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight_{number}": weight, f"bias_{number}": bias}
        own = {"kind": self.kind, "layers": [list(weight.shape) for weight, _ in self.layers]}
        write_folder(Path(folder), PROBE_FOLDER, self, arrays, own)

    @cached_property
    def _first(self) -> tuple[Float32s, Float32s]:
        """The first layer with the standardisation folded in, for unit templates."""
        weight, bias = (part.astype(np.float64) for part in self.layers[0])
        folded = weight / self.scale[:, None]
        moved = bias - self.centre.astype(np.float64) @ folded
        return np.ascontiguousarray(folded, dtype=np.float32), moved.astype(np.float32)


def load_probe(folder: str | Path) -> Probe:
    """Loads a probe from the folder that ``clip-smu probe`` made.

    Raises:
        InterpreterError: no such folder, or it is incomplete or damaged.
    """
    opened = read_folder(Path(folder), PROBE_FOLDER)
    form = opened.form
    scale = opened.array("scale", (form.dim,))
    if not (scale > 0).all():
        raise InterpreterError(
            f"{opened.where} is damaged: the array scale holds numbers that are not above 0"
        )
    return Probe(
        **opened.shared,
        kind=form.kind,
        centre=opened.array("centre", (form.dim,)),
        scale=scale,
        layers=tuple(
            (opened.array(f"weight_{number}", shape), opened.array(f"bias_{number}", shape[1:]))
            for number, shape in enumerate(form.layers)
        ),
    )
