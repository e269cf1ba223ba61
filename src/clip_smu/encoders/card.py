"""What an encoder's card says: what the network is and how its input must be preprocessed; and whether two agree."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, get_type_hints

from clip_smu.errors import EncoderError

ALIGNMENTS = ("dlib-chip", "five-point-112", "box", "none")
FITS = ("umeyama", "adaface")
MOST_DIM, MOST_SIDE = 65_536, 8192


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """The manifest of one encoder (image → template).

    Attributes:
        name: what the user types, ``dlib``.
        family: the architecture or project it belongs to.
        dim: d, the length of a template.
        input_size: (height, width) in pixels that the network takes.
        channels: order in which the network wants the colours, ``RGB`` or ``BGR``.
        mean, std: per-channel normalisation ``(value - mean) / std`` of 0-255 pixel values, in the
            order of ``channels``; (0, 0, 0) and (1, 1, 1) where the network does it itself.
        alignment: how a face becomes a crop: ``dlib-chip``; ``five-point-112`` (five landmarks to the
            112x112 template, resized bicubically where the network is larger); ``box`` (the detector's box,
            made square); ``none`` (the whole photo, shorter side to size and centre crop, as CLIP).
        normalised: whether templates leave the encoder with L2 norm 1.
        licence_code, licence_weights: SPDX names, or a plain sentence.
        sources: where the weights come from; ``encoders pull`` takes the first https address.
        sha256: hash of the weights file, hex; empty if not known before it is made or given.
        paper: reference.
        fit: how the five points are fitted: ``umeyama`` or ``adaface``; see :mod:`clip_smu.faces.alignment`.
        filename: of the ONNX file in the encoder's cache folder; empty if it has none.
        norm_output: name of an ONNX output (N, 1) that gives the norm; empty: the norm of the template
            before normalisation.
        restricted: the licence of the weights must be accepted before they are fetched.
        output: name of the ONNX output (N, d) that is the template; empty: the only one of d numbers.
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
    fit: str = "umeyama"
    filename: str = ""
    norm_output: str = ""
    restricted: bool = False
    output: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> EncoderCard:
        """A card from JSON or TOML values.

        Raises:
            EncoderError: a field is missing, unknown, or has a value that makes no sense.
        """
        fields = dataclasses.fields(EncoderCard)
        needed = [field.name for field in fields if field.default is dataclasses.MISSING]
        missing = [name for name in needed if name not in values]
        unknown = [name for name in values if name not in [field.name for field in fields]]
        if missing or unknown:
            found = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
            raise EncoderError(f"an encoder card needs the fields {', '.join(needed)}; this one has {found}")
        made = EncoderCard(**{name: _field(name, value) for name, value in values.items()})
        _validate(made)
        return made


# what changes templates; name and sha256, which say whose they are, are compared apart, and licences and papers never
_PREPROCESSING = ("dim", "input_size", "channels", "mean", "std", "alignment", "fit", "normalised")


def differences(own: EncoderCard, other: EncoderCard) -> list[str]:
    """What of two cards makes different templates: ``FIELD OWN, not OTHER`` of each such field.

    Two files with one sha256 are one network, whatever they are called; where a sha256 is not known, names must agree.

    Example:
        >>> from clip_smu.encoders.locate import card
        >>> differences(card("dlib"), dataclasses.replace(card("dlib"), paper="another", channels="BGR"))
        ['channels RGB, not BGR']
    """
    pairs = [(name, getattr(own, name), getattr(other, name)) for name in _PREPROCESSING]
    if own.output and other.output:  # left out, it is the only one
        pairs.append(("output", own.output, other.output))
    found = [(name, a, b) for name, a, b in pairs if not _same(a, b)]
    if own.sha256 and other.sha256:
        if own.sha256 != other.sha256:
            found.insert(0, ("sha256", f"{own.sha256[:12]}...", f"{other.sha256[:12]}..."))
    elif own.name != other.name:
        found.insert(0, ("name", own.name, other.name))
    return [f"{name} {_shown(a)}, not {_shown(b)}" for name, a, b in found]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return bool(a == b)


def _shown(value: Any) -> str:
    return " ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else str(value)


_RULES = {
    "name": "name must be a word",
    "dim": f"dim must be a positive whole number, at most {MOST_DIM}",
    "input_size": f"input_size must be [height, width] in pixels, each at most {MOST_SIDE}",
    "channels": "channels must be RGB or BGR",
    "mean": "mean must be three numbers, of 0-255 pixel values",
    "std": "std must be three numbers other than 0",
    "alignment": f"alignment must be one of {', '.join(ALIGNMENTS)}",
    "fit": f"fit must be one of {', '.join(FITS)}",
    "normalised": "normalised must be true or false",
    "sha256": "sha256 must be empty or 64 digits of a hexadecimal number",
    "sources": "sources must be a list of texts",
    "restricted": "restricted must be true or false",
}


def _field(name: str, value: Any) -> Any:
    """A field's value as its annotation says; an array becomes a tuple."""
    import msgspec

    try:
        return msgspec.convert(value, get_type_hints(EncoderCard)[name])
    except (msgspec.ValidationError, OverflowError, UnicodeError):
        raise _wrong(name, value) from None


def _wrong(name: str, value: Any) -> EncoderError:
    found = list(value) if isinstance(value, tuple) else value
    return EncoderError(
        f"in the encoder card, {_RULES.get(name, f'{name} must be a text')}; found {str(found)[:100]!r}"
    )


def _validate(row: EncoderCard) -> None:
    right = {
        "name": 0 < len(row.name) <= 200 and row.name.strip() and row.name.isprintable(),
        "dim": 0 < row.dim <= MOST_DIM,
        "input_size": all(0 < side <= MOST_SIDE for side in row.input_size),
        "channels": row.channels in ("RGB", "BGR"),
        "mean": all(map(_plain, row.mean)),
        "std": all(_plain(one) and abs(one) > 1e-9 for one in row.std),
        "alignment": row.alignment in ALIGNMENTS,
        "fit": row.fit in FITS,
        "sha256": re.fullmatch(r"|[0-9a-f]{64}", row.sha256),
    }
    for name, holds in right.items():
        if not holds:
            raise _wrong(name, getattr(row, name))
    size = row.input_size
    if row.alignment == "five-point-112" and size[0] != size[1]:
        raise EncoderError(f"five-point-112 gives square crops; the card's input_size is {list(size)}")


def _plain(number: float) -> bool:
    """Whether it is a number that pixels can be normalised by: no NaN, not beyond float32."""
    return -1e30 < number < 1e30
