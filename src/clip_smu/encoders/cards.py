"""Encoder cards: what each face recognition model is and how it must be fed, as one table."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from clip_smu.errors import EncoderError
from clip_smu.storage.documents import read_toml

ALIGNMENTS = ("dlib-chip", "five-point-112", "box", "none")
FITS = ("umeyama", "adaface")
ONNX = "onnx:"
CARD = "?card="
CARD_FILE = "card.toml"
_DIGITS = 8  # of a checkpoint's sha256, in the name of what was converted from it
MOST_DIM, MOST_SIDE = 65_536, 8192
# what a user's own card may leave out
_UNSTATED: dict[str, Any] = {
    "family": "own model",
    "licence_code": "not stated",
    "licence_weights": "not stated",
    "sources": [],
    "sha256": "",
    "paper": "",
}


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


def card(name: str) -> EncoderCard:
    """The card of an encoder: a row of :data:`CARDS`, what ``convert`` made of it, or ``onnx:PATH``.

    Raises:
        EncoderError: there is none (the message lists those there are), or a user's card is wrong.
    """
    return locate(name)[0]


def locate(name: str) -> tuple[EncoderCard, Path | None]:
    """The card of an encoder and where its ONNX file belongs (which may not be there yet).

    ``adaface-ir50-0f3a2b1c`` is a checkpoint that ``encoders convert`` made; ``adaface-ir50`` alone is the released
    file, or where that is not there the one converted checkpoint of it.

    ``onnx:PATH?card=CARD.toml`` is anybody's model; without ``?card=`` the card is PATH with the ending
    ``.toml``, or ``card.toml`` beside it.

    Raises:
        EncoderError: as :func:`card`.
    """
    if name.startswith(ONNX):
        return _own(name)
    for row in CARDS:
        if row.name == name:
            if not row.filename:
                return row, None
            folder = weights_folder(name)
            made = [] if (folder / row.filename).is_file() else converted(name)
            if len(made) > 1:
                raise EncoderError(
                    f"several checkpoints of {name} were converted: say which, {', '.join(one.name for one in made)}"
                )
            if made:
                folder, row = weights_folder(made[0].name), made[0]
            elif (folder / CARD_FILE).is_file():  # converted before checkpoints had names of their own
                row = read_card(folder / CARD_FILE)
            return row, folder / row.filename
    made = [one for one in converted() if one.name == name]
    if made:
        return made[0], weights_folder(name) / made[0].filename
    known = ", ".join(row.name for row in [*CARDS, *converted()])
    raise EncoderError(f"no encoder is called {name!r}: choose one of {known}, or onnx:PATH for your own")


def own_encoder(model: str, card_file: Path | None) -> str:
    """The one string that stands for a user's ONNX model and its card, as workers get it."""
    if card_file is None:
        return model
    if not model.startswith(ONNX):
        raise EncoderError(f"a card file belongs to an encoder given as onnx:PATH, found {model!r}")
    return f"{model.split(CARD)[0]}{CARD}{card_file}"


def converted(architecture: str = "") -> list[EncoderCard]:
    """Cards of the checkpoints that ``encoders convert`` put into the cache; default, of all architectures."""
    root = weights_folder("")
    pattern = re.compile(rf"{re.escape(architecture) or '.+'}-[0-9a-f]{{{_DIGITS}}}")
    files = sorted(root.glob(f"*/{CARD_FILE}")) if root.is_dir() else []
    return [read_card(file) for file in files if pattern.fullmatch(file.parent.name)]


def checkpoint_name(architecture: str, sha256: str, *, flip_fusion: bool = False) -> str:
    """What a converted checkpoint is called: two files, two names.

    Args:
        sha256: of the checkpoint, hex.

    Example:
        >>> checkpoint_name("adaface-ir50", "0f3a2b1c" * 8)
        'adaface-ir50-0f3a2b1c'
    """
    return f"{architecture}{'-flip' if flip_fusion else ''}-{sha256[:_DIGITS]}"


def weights_folder(name: str, cache: Path | None = None) -> Path:
    """Where an encoder's files are kept: below ``cache``, $CLIP_SMU_CACHE or ~/.cache/clip-smu."""
    root = cache or Path(os.environ.get("CLIP_SMU_CACHE") or Path.home() / ".cache" / "clip-smu")
    return root / "encoders" / name


def read_card(path: Path) -> EncoderCard:
    """A card from a TOML file; one number for ``mean`` or ``std`` stands for all three channels.

    Raises:
        EncoderError: no such file, no TOML, or a field is missing or wrong.
    """
    if not path.exists():
        raise EncoderError(f"expected an encoder card at {path}, found none; give --card CARD.toml")
    values = read_toml(path, "an encoder card", EncoderError)
    try:
        return own_card(values)
    except EncoderError as error:
        raise EncoderError(f"{path}: {error}") from None


def own_card(values: dict[str, Any]) -> EncoderCard:
    """A user's card from TOML values: some fields may be left out, one number stands for three channels.

    Raises:
        EncoderError: a field is missing, unknown or wrong.
    """
    whole = {**_UNSTATED, **values}
    for key in ("mean", "std"):
        if isinstance(whole.get(key), int | float):
            whole[key] = [whole[key]] * 3
    return EncoderCard.from_dict(whole)


def write_card(path: Path, row: EncoderCard) -> None:
    """Writes a card as TOML, atomically."""
    from clip_smu.storage.files import atomic

    with atomic(path) as temporary:
        temporary.write_text(card_toml(row), encoding="utf-8")


def card_toml(row: EncoderCard) -> str:
    """A card as TOML, one field a line."""
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in row.to_dict().items()
    )


def converted_card(
    architecture: str, called: str, path: Path, digest: str, checkpoint: str, channels: str | None = None
) -> EncoderCard | None:
    """The card of an ONNX file that ``convert`` made; ``None`` for a text tower, which is no encoder.

    Args:
        architecture: a name of :data:`clip_smu.encoders.conversion.convert.ARCHITECTURES`.
        called: as :func:`checkpoint_name` says.
        path: the ONNX file.
        digest: its sha256.
        checkpoint: what it was made from.
        channels: instead of those of the architecture's card.
    """
    name = architecture.removesuffix("-heads")
    row = next((one for one in CARDS if one.name == name), None)
    if row is None:
        return None
    return dataclasses.replace(
        row,
        name=called,
        channels=channels or row.channels,
        sources=(f"converted from {checkpoint}", *row.sources),
        sha256=digest,
        filename=path.name,
        norm_output="norm" if name.startswith("adaface") else "",
    )


def _own(name: str) -> tuple[EncoderCard, Path]:
    from clip_smu.storage.digests import file_digest

    model, _, given = name.removeprefix(ONNX).partition(CARD)
    path = Path(model)
    if not path.is_file():
        raise EncoderError(f"expected an ONNX file at {path}, found nothing: check the path after onnx:")
    beside = [path.with_suffix(".toml"), path.with_name(CARD_FILE)]
    file = Path(given) if given else next((one for one in beside if one.is_file()), beside[0])
    row, digest = read_card(file), file_digest(path)
    if row.sha256 not in ("", digest):
        raise EncoderError(
            f"{file} is the card of a file with sha256 {row.sha256}, found {digest} in {path}: "
            "give the right file, or correct the card"
        )
    return dataclasses.replace(row, sha256=digest), path


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


_HALF = (127.5, 127.5, 127.5)
_CLIP_MEAN = (0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255)
_CLIP_STD = (0.26862954 * 255, 0.26130258 * 255, 0.27577711 * 255)


def _adaface(depth: int, sha256: str) -> EncoderCard:
    released = f"https://github.com/yakhyo/adaface-onnx/releases/download/weights/adaface_ir_{depth}.onnx"
    return EncoderCard(
        name=f"adaface-ir{depth}",
        family=f"AdaFace IR-{depth}",
        dim=512,
        input_size=(112, 112),
        channels="BGR",
        mean=_HALF,
        std=_HALF,
        alignment="five-point-112",
        normalised=True,
        licence_code="MIT",
        licence_weights="MIT as released; the licences of the training data (web faces) are for research",
        sources=(
            *((released,) if sha256 else ()),
            "checkpoint: github.com/mk-minchul/AdaFace (Lightning .ckpt)",
            f"checkpoint: huggingface.co/minchul/cvlface_adaface_ir{depth}_* (safetensors)",
        ),
        sha256=sha256,
        paper="Kim, Jain & Liu, AdaFace: Quality Adaptive Margin for Face Recognition, CVPR 2022",
        fit="adaface",
        filename=f"adaface_ir_{depth}.onnx",
    )


def _clip(patch: int, digest: str) -> EncoderCard:
    return EncoderCard(
        name=f"clip-vit-b{patch}",
        family=f"CLIP ViT-B/{patch}, image tower, on aligned faces",
        dim=512,
        input_size=(224, 224),
        channels="RGB",
        mean=_CLIP_MEAN,
        std=_CLIP_STD,
        alignment="five-point-112",
        normalised=False,
        licence_code="MIT",
        licence_weights="MIT; CLIP's model card calls facial recognition and surveillance out of scope",
        sources=(f"https://openaipublic.azureedge.net/clip/models/{digest}/ViT-B-{patch}.pt",),
        sha256="",
        paper="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
        filename=f"clip-vit-b{patch}.onnx",
    )


def _arcface(name: str, family: str, file: str, sha256: str) -> EncoderCard:
    return EncoderCard(
        name=name,
        family=family,
        dim=512,
        input_size=(112, 112),
        channels="RGB",
        mean=_HALF,
        std=_HALF,
        alignment="five-point-112",
        normalised=False,
        licence_code="MIT",
        licence_weights="InsightFace's: non-commercial research only",
        sources=(f"https://github.com/yakhyo/uniface/releases/download/weights/{file}",),
        sha256=sha256,
        paper="Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019",
        filename=file,
        restricted=True,
    )


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
    _adaface(18, "6b6a35772fb636cdd4fa86520c1a259d0c41472a76f70f802b351837a00d9870"),
    _adaface(34, ""),
    _adaface(50, "9c0ae385d7362323c92d218de598d32e52a9130b78faac6a8a924091aca62c0b"),
    _adaface(101, "f2eb07d03de0af560a82e1214df799fec5e09375d43521e2868f9dc387e5a43e"),
    EncoderCard(
        name="swinface",
        family="SwinFace (Swin-T, face recognition and 42 face analysis heads)",
        dim=512,
        input_size=(112, 112),
        channels="RGB",
        mean=_HALF,
        std=_HALF,
        alignment="five-point-112",
        normalised=False,
        licence_code="MIT",
        licence_weights="MIT as released; trained on MS1MV2, whose licence is for research",
        sources=(
            "checkpoint: github.com/lxq1000/SwinFace (checkpoint_step_79999_gpu_0.pt)",
            "checkpoint: drive.google.com/drive/folders/1NjVN3Kp_Tmwt17hWCIWgHpuWzkHYaman",
        ),
        sha256="",
        paper="Qin et al., SwinFace: A Multi-task Transformer for Face Recognition and Analysis, TCSVT 2024",
        filename="swinface.onnx",
    ),
    _clip(32, "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    _clip(16, "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
    _arcface(
        "arcface-mbf",
        "ArcFace MobileFaceNet w600k_mbf (InsightFace)",
        "w600k_mbf.onnx",
        "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
    ),
    _arcface(
        "arcface-r50",
        "ArcFace ResNet-50 w600k_r50 (InsightFace)",
        "w600k_r50.onnx",
        "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    ),
)
