"""A probe: classifiers on templates, the reference that language is measured against, as a folder, and its reading.

    PROBE/
    ├── probe.json              kind, encoder, attributes with calibration, verdicts and evidence, provenance
    └── weights.safetensors     centre (d,), scale (d,), weight_0 (d, h), bias_0 (h,), weight_1 (h, K), ...; what the
                                encoder's templates look like

A template t is read as ``x = (unit(t) - centre) / scale``; then ``x @ weight + bias`` layer by layer, with ReLU
between. A linear probe has one layer. The scale of t does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Int8s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import InterpreterError
from clip_smu.interpreter.calibration import Calibration, apply
from clip_smu.interpreter.interpreter import (
    Evidence,
    attribute_rows,
    blanked,
    check_source,
    read_attribute_rows,
    read_likeness,
    read_own_card,
)
from clip_smu.interpreter.records import ProbeForm
from clip_smu.storage.documents import checked, finite, write_sealed
from clip_smu.storage.saved_folders import read_document, refuse_edited, require_files
from clip_smu.storage.tensors import read_tensors, real_array, write_tensors
from clip_smu.templates.likeness import Likeness

FORMAT = 1
MANIFEST = "probe.json"
WEIGHTS = "weights.safetensors"


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
        files: name → sha256 of the files in the folder, as they were written; empty where not known.
        card: the whole card of the encoder; ``None`` where the templates of the fit had none.
        likeness: what templates of the encoder look like; ``None`` where that was not measured: then every row is read.

    Example:
        >>> import numpy as np
        >>> from clip_smu.interpreter.calibration import Calibration
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
    centre: Float32s
    scale: Float32s
    layers: tuple[tuple[Float32s, Float32s], ...]
    calibration: Calibration
    evidence: tuple[Evidence, ...]
    error_rate: float
    provenance: dict[str, Any]
    folder: Path | None = None
    files: dict[str, str] = field(default_factory=dict)
    card: EncoderCard | None = None
    likeness: Likeness | None = None

    @property
    def dim(self) -> int:
        """d, the length of the templates it reads."""
        return len(self.centre)

    def read(self, vectors: Float32s) -> tuple[Float32s, Float32s, Int8s]:
        """Scores (logits), probabilities (N, K) float32 and verdicts (N, K) int8 of (N, d) float32 rows.

        A row that is zero, NaN or infinite, or does not look like a template of the encoder, ends as NaN and *cannot
        tell*.
        """
        weight, bias = self._first
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # unusable rows end as NaN
            hidden = vectors @ weight  # (N, h)
            hidden /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
            hidden += bias
            for weight, bias in self.layers[1:]:
                hidden = np.maximum(hidden, 0, out=hidden) @ weight
                hidden += bias
            return blanked(self.likeness, vectors, hidden, *apply(self.calibration, hidden))

    def check_templates(self, card: EncoderCard | None, dim: int | None) -> None:
        """Refuses templates of another encoder, of one fed otherwise, or of another length.

        Those without a card pass if their length fits.

        Raises:
            EncoderError: they come from another encoder; the message says in what its card differs.
            TemplateError: they have another length than ``self.dim``.
        """
        check_source("probe", self.name, self.encoder, self.card, self.dim, card, dim)

    def save(self, folder: str | Path) -> None:
        """Writes ``weights.safetensors``, then ``probe.json``, whose presence says that the folder is whole."""
        folder = Path(folder)
        arrays = {"centre": self.centre, "scale": self.scale}
        arrays |= self.likeness.arrays() if self.likeness else {}
        for number, (weight, bias) in enumerate(self.layers):
            arrays |= {f"weight_{number}": weight, f"bias_{number}": bias}
        files = {WEIGHTS: write_tensors(folder / WEIGHTS, arrays)}
        write_sealed(
            folder / MANIFEST,
            {
                "format": FORMAT,
                "name": self.name,
                "encoder": self.encoder,
                "encoder_card": self.card.to_dict() if self.card else None,
                "kind": self.kind,
                "dim": self.dim,
                "layers": [list(weight.shape) for weight, _ in self.layers],
                "error_rate": self.error_rate,
                "files": files,
                "likeness": self.likeness.to_dict() if self.likeness else None,
                "attributes": attribute_rows(self.attributes, self.calibration, self.evidence),
                "provenance": finite(self.provenance),
            },
        )

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
    folder = Path(folder)
    require_files(folder, (MANIFEST, WEIGHTS), "a probe", "clip-smu probe", InterpreterError)
    where = f"the probe in {folder}"
    values = read_document(folder / MANIFEST, "a probe", FORMAT, InterpreterError)
    form = checked(values, ProbeForm, f"{where} is damaged", InterpreterError)
    refuse_edited(values, folder / MANIFEST, "clip-smu probe", InterpreterError)
    names, calibration, evidence = read_attribute_rows(form.attributes)
    arrays = read_tensors(folder / WEIGHTS, "probe", InterpreterError, noted=form.files.get(WEIGHTS))
    shapes: dict[str, tuple[int, ...]] = {"centre": (form.dim,), "scale": (form.dim,)}
    for number, shape in enumerate(form.layers):
        shapes |= {f"weight_{number}": shape, f"bias_{number}": shape[1:]}
    parts = {name: real_array(arrays, name, shape, where, InterpreterError) for name, shape in shapes.items()}
    if not (parts["scale"] > 0).all():
        raise InterpreterError(f"{where} is damaged: the array scale holds numbers that are not above 0")
    return Probe(
        form.name,
        form.encoder,
        form.kind,
        names,
        parts["centre"],
        parts["scale"],
        tuple((parts[f"weight_{number}"], parts[f"bias_{number}"]) for number in range(len(form.layers))),
        calibration,
        evidence,
        form.error_rate,
        values["provenance"],
        folder,
        form.files,
        read_own_card(form, where),
        read_likeness(form, arrays, where),
    )
