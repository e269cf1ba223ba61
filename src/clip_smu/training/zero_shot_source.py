"""Where a text encoder as it is comes from: an ONNX file with its tokenizer, or a CLIP in transformers' form."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from clip_smu.errors import (
    InputError,
    MissingExtraError,
)
from clip_smu.storage.documents import checked, read_json
from clip_smu.storage.files import atomic
from clip_smu.text.clip_tokenizer import END, START
from clip_smu.text.encoder import PAD, TextEncoder, read_tokenizer
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.english import words
from clip_smu.words.prompts import prompt
from clip_smu.words.vocabulary import vocabulary

SEED = 0
ENCODER_FILE, TOKENIZER_FILE = "text_encoder.onnx", "tokenizer.json"
_MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"


@dataclass(frozen=True)
class TextEncoderSource:
    """Where the text encoder comes from: an ONNX file with its tokenizer, or (``onnx`` is None) transformers."""

    name: str
    where: Path
    onnx: Path | None

    @classmethod
    def find(cls, given: str | Path) -> TextEncoderSource:
        path = Path(given)
        if path.suffix == ".onnx":
            if not path.is_file():
                raise InputError(f"no such text encoder: {path}")
            return cls(path.name, path.parent, path)
        files = sorted(path.glob("*.onnx")) if path.is_dir() else []
        likely = [file for file in files if "text" in file.name]
        if len(likely) > 1:
            raise InputError(
                f"{path} holds several text encoders ({', '.join(file.name for file in likely)}): give one of the files"
            )
        if files and not likely:
            raise InputError(
                f"expected a text encoder such as clip-vit-b32-text.onnx in {path}, found {files[0].name}: make one "
                "with clip-smu encoders convert ViT-B-32.pt --architecture clip-vit-b32-text"
            )
        return cls(likely[0].name if likely else str(given), path, likely[0] if likely else None)

    def fingerprint(self) -> str:
        """Of the files; of a name on the hub the name."""
        if self.onnx is None:
            files = sorted(self.where.glob("*.safetensors")) if self.where.is_dir() else []
        else:
            files = [self.onnx]
        digest = hashlib.sha256(self.name.encode() if not files else b"")
        for file in files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    def install(self, output: Path) -> TextEncoder:
        """Puts ``text_encoder.onnx`` and ``tokenizer.json`` into the interpreter's folder."""
        if self.onnx is None:
            return _from_transformers(self.name, output)
        tokenizer = _tokenizer_beside(self.onnx)
        with atomic(output / TOKENIZER_FILE) as temporary:
            temporary.write_text(tokenizer.to_str(), encoding="utf-8")
        with atomic(output / ENCODER_FILE) as temporary:
            shutil.copyfile(self.onnx, temporary)
        return TextEncoder(output / ENCODER_FILE, output / TOKENIZER_FILE)


_OF_BERT = "[CLS]", "[SEP]"  # around a sentence, as of the text encoders that clip-smu fit writes


def _tokenizer_beside(onnx: Path) -> Any:
    """The tokenizer in the folder of an ONNX text encoder; it must put start and end around a sentence."""
    file = onnx.parent / TOKENIZER_FILE
    if not file.is_file() and (onnx.parent / _MERGES_FILE).is_file():
        return _text_encoders().text_tokenizer(str(onnx.parent))
    if not file.is_file():
        raise InputError(
            f"expected CLIP's {_MERGES_FILE} or a {TOKENIZER_FILE} beside {onnx}, found neither: put one there"
        )
    tokenizer = read_tokenizer(file)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokens = tokenizer.encode("a face").tokens
    if (*tokens[:1], *tokens[-1:]) not in ((START, END), _OF_BERT):
        raise InputError(
            f"expected a tokenizer that puts {START} and {END} around a sentence, {file} gives {tokens}: take the "
            f"{TOKENIZER_FILE} of the hub's openai/clip-vit-base-patch32, or {_MERGES_FILE}"
        )
    return tokenizer


def _from_transformers(name: str, output: Path) -> TextEncoder:
    """Exports a CLIP of transformers' form as it is."""
    text_encoders = _text_encoders()
    from clip_smu.training.text_export import export_text_encoder

    tokenizer = text_encoders.text_tokenizer(name)  # says what is wrong with a name or a folder
    from transformers import CLIPTextConfig

    own = int(CLIPTextConfig.from_pretrained(name).projection_dim)  # else it would get a new projection
    text_encoder = text_encoders.build_text_encoder(name, own, text_encoders.EncoderSize(), SEED)
    output.mkdir(parents=True, exist_ok=True)
    made: TextEncoder = export_text_encoder(
        text_encoder, tokenizer, output, [prompt(row) for row in ATTRIBUTES]
    )
    return made


def _text_encoders() -> Any:
    """The room of PyTorch text encoders."""
    try:
        from clip_smu.training import text_encoders
    except ImportError:
        raise MissingExtraError(
            "reading a CLIP of transformers' form, or its vocabulary file,", "train"
        ) from None
    return text_encoders


class _Model(msgspec.Struct):
    vocab: dict[str, int] | list[tuple[str, float]] = {}


class _TokenizerForm(msgspec.Struct):
    """The part of a tokenizer.json that names its tokens."""

    model: _Model


def known_words(tokenizer: Path) -> frozenset[str]:
    """The words of the prompts, and the whole words of CLIP's vocabulary, which CLIP has seen often.

    `mini`'s vocabulary says nothing of that: it holds words that no prompt has.
    """
    what = "a tokenizer.json"
    tokens = checked(read_json(tokenizer, what), _TokenizerForm, f"{what} at {tokenizer}").model.vocab
    names = tokens if isinstance(tokens, dict) else [entry[0] for entry in tokens]
    if PAD in names:
        return vocabulary()
    whole = [token.removesuffix("</w>") for token in names if token.endswith("</w>")]
    return vocabulary() | {word for word in whole if words(word) == [word]}
