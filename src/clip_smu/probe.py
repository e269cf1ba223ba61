"""A probe: classifiers on templates, the reference that language is measured against, as a folder, and its reading.

    PROBE/
    ├── probe.json              kind, encoder, attributes with calibration, verdicts and evidence, provenance
    └── weights.safetensors     centre (d,), scale (d,), weight_0 (d, h), bias_0 (h,), weight_1 (h, K), ...

A template t is read as ``x = (unit(t) - centre) / scale``; then ``x @ weight + bias`` layer by layer, with ReLU
between. A linear probe has one layer. The scale of t does not matter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.calibrate import Calibration, apply
from clip_smu.encoders.cards import EncoderCard
from clip_smu.errors import InterpreterError
from clip_smu.interpreter import Evidence, attribute_rows, check_source, read_attribute_rows
from clip_smu.storage import atomic, write_json

FORMAT = 1
MANIFEST = "probe.json"
WEIGHTS = "weights.safetensors"

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Probe:
    """Classifiers of K attributes on one encoder's templates; made by ``fit_probe``, loaded by :func:`load_probe`.

    Attributes:
        name: what the user calls it.
        encoder: name of the encoder whose templates it reads; ``dim`` their length.
        kind: ``multi-label``, ``binary``, ``logistic-regression`` or ``mlp``.
        attributes: K names, in MAAD-Face's order.
        centre, scale: (d,) float32, mean and standard deviation of the training faces' unit templates.
        layers: (weight (in, out), bias (out,)) float32; the first takes d, the last gives K.
        calibration, evidence: of each attribute.
        error_rate: the share of wrong verdicts that the thresholds were chosen for.
        provenance: how it was made: data, seed, versions, hashes, figures.
        folder: where its files lie.

    Example:
        >>> import numpy as np
        >>> from clip_smu.calibrate import Calibration
        >>> one = np.ones(1)
        >>> layer = (np.float32([[2.0], [0.0]]), np.float32([-1.0]))
        >>> probe = Probe("toy", "toy", "binary", ("Male",), np.zeros(2, np.float32), np.ones(2, np.float32),
        ...               (layer,), Calibration(one, 0 * one, one, 0 * one), (), 0.1, {})
        >>> probe.read(np.float32([[5, 0], [0, 7]]))[0].tolist()
        [[1.0], [-1.0]]
    """

    name: str
    encoder: str
    kind: str
    attributes: tuple[str, ...]
    centre: Floats
    scale: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    calibration: Calibration
    evidence: tuple[Evidence, ...]
    error_rate: float
    provenance: dict[str, Any]
    folder: Path | None = None

    @property
    def dim(self) -> int:
        """d, the length of the templates it reads."""
        return len(self.centre)

    def read(self, vectors: Floats) -> tuple[Floats, Floats, NDArray[np.int8]]:
        """Scores (logits), probabilities (N, K) float32 and verdicts (N, K) int8 of (N, d) float32 rows.

        A row that is zero, NaN or infinite ends as NaN and *cannot tell*.
        """
        weight, bias = self._first
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # unusable rows end as NaN
            hidden = vectors @ weight  # (N, h)
            hidden /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
            hidden += bias
            for weight, bias in self.layers[1:]:
                hidden = np.maximum(hidden, 0, out=hidden) @ weight
                hidden += bias
            return hidden, *apply(self.calibration, hidden)

    def check_templates(self, card: EncoderCard | None, dim: int | None) -> None:
        """Refuses templates of another encoder or length; those without a card pass if their length fits.

        Raises:
            EncoderError: they come from another encoder.
            TemplateError: they have another length than ``self.dim``.
        """
        check_source("probe", self.name, self.encoder, self.dim, card, dim)

    def save(self, folder: str | Path) -> None:
        """Writes ``weights.safetensors``, then ``probe.json``, whose presence says that the folder is whole."""
        from safetensors.numpy import save

        folder = Path(folder)
        arrays = {"centre": self.centre, "scale": self.scale}
        for number, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight_{number}": weight, f"bias_{number}": bias}
        with atomic(folder / WEIGHTS) as temporary:
            temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
        write_json(
            folder / MANIFEST,
            {
                "format": FORMAT,
                "name": self.name,
                "encoder": self.encoder,
                "kind": self.kind,
                "dim": self.dim,
                "layers": [list(weight.shape) for weight, _ in self.layers],
                "error_rate": self.error_rate,
                "attributes": attribute_rows(self.attributes, self.calibration, self.evidence),
                "provenance": self.provenance,
            },
        )

    @cached_property
    def _first(self) -> tuple[Floats, Floats]:
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
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if values.get("format") != FORMAT:
            raise InterpreterError(
                f"{folder} has format {values.get('format')}, this version reads {FORMAT}: update clip-smu"
            )
        arrays = load_file(folder / WEIGHTS)
        names, calibration, evidence = read_attribute_rows(values["attributes"])
        layers = tuple((arrays[f"weight_{n}"], arrays[f"bias_{n}"]) for n in range(len(values["layers"])))
        widths = [values["dim"], *(bias.shape[0] for _, bias in layers)]
        expected = [list(pair) for pair in pairwise(widths)]
        if [list(weight.shape) for weight, _ in layers] != expected or widths[-1] != len(names):
            raise ValueError(f"layers of shape {[weight.shape for weight, _ in layers]}")
        return Probe(
            values["name"],
            values["encoder"],
            values["kind"],
            names,
            arrays["centre"],
            arrays["scale"],
            layers,
            calibration,
            evidence,
            values["error_rate"],
            values["provenance"],
            folder,
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = Path(error.filename or WEIGHTS).name  # safetensors names no file
        raise InterpreterError(f"{folder} is not a probe: {missing} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, SafetensorError) as error:
        raise InterpreterError(
            f"the probe in {folder} is damaged ({type(error).__name__}: {error})"
        ) from None
