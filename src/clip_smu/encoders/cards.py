"""Encoder cards: what each face recognition model is and how it must be fed, as one table."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from clip_smu.errors import EncoderError


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """The manifest of one encoder (image → template).

    Attributes:
        name: what the user types, ``dlib``.
        family: the architecture or project it belongs to.
        dim: d, the length of a template.
        input_size: (height, width) of the aligned crop in pixels.
        channels: order in which the network wants the colours, ``RGB`` or ``BGR``.
        mean, std: per-channel normalisation ``(value - mean) / std`` of 0-255 pixel values, in the
            order of ``channels``; (0, 0, 0) and (1, 1, 1) where the network does it itself.
        alignment: how a face becomes a crop (``dlib-chip``, ``five-point-112``, ``none``).
        normalised: whether templates leave the encoder with L2 norm 1.
        licence_code, licence_weights: SPDX names, or a plain sentence.
        sources: where the weights come from.
        sha256: hash of the weights file, hex; empty for a user's own model without a stated hash.
        paper: reference.
    """

    name: str
    family: str
    dim: int
    input_size: tuple[int, int]
    channels: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    alignment: str
    normalised: bool
    licence_code: str
    licence_weights: str
    sources: tuple[str, ...]
    sha256: str
    paper: str

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> EncoderCard:
        """A card from JSON or TOML values.

        Raises:
            EncoderError: a field is missing or unknown.
        """
        names = [field.name for field in dataclasses.fields(EncoderCard)]
        missing = [name for name in names if name not in values]
        unknown = [name for name in values if name not in names]
        if missing or unknown:
            found = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
            raise EncoderError(
                f"an encoder card needs exactly the fields {', '.join(names)}; this one has {found}"
            )
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return EncoderCard(**fields)


CARDS: tuple[EncoderCard, ...] = (
    EncoderCard(
        name="dlib",
        family="dlib ResNet-29 (the templates of the face_recognition library)",
        dim=128,
        input_size=(150, 150),
        channels="RGB",
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        alignment="dlib-chip",
        normalised=False,
        licence_code="BSL-1.0",
        licence_weights="CC0-1.0",
        sources=("pypi:face_recognition_models==0.3.0/dlib_face_recognition_resnet_model_v1.dat",),
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        paper="King, Dlib-ml: A Machine Learning Toolkit, JMLR 2009; blog.dlib.net 2017-02 (99.38 % on LFW)",
    ),
)


def card(name: str) -> EncoderCard:
    """The card called ``name``.

    Raises:
        EncoderError: there is none; the message lists those there are.
    """
    for row in CARDS:
        if row.name == name:
            return row
    raise EncoderError(f"no encoder is called {name!r}: choose one of {', '.join(row.name for row in CARDS)}")
