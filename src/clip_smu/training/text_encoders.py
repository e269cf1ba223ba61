"""Text encoders that can be trained, as a table: what each is made of, and its tokenizer. (PyTorch, transformers)

| name | what | trained |
|---|---|---|
| ``mini`` | CLIP's text transformer, small, with its own vocabulary | all of it, from scratch |
| ``minilm`` | all-MiniLM-L6-v2, from a package (extra [language]) | its last layer and a projection |
| a CLIP | on the Hugging Face Hub (``openai/clip-vit-base-patch32``) or in a folder, transformers' form | all of it |
| a BERT | a sentence encoder with mean pooling, on the hub or in a folder | its last layer and a projection |
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from clip_smu.errors import InputError
from clip_smu.text.clip_tokenizer import ClipTokenizer
from clip_smu.training.bert_encoder import build_bert
from clip_smu.training.clip_encoder import EncoderSize, build_clip, build_mini, mini_tokenizer, with_ends
from clip_smu.training.hub import CONFIG, TOKENIZER, reading
from clip_smu.training.minilm import MINILM
from clip_smu.training.text_model import TextEncoderModel
from clip_smu.training.tokens import padding_id

MINI = "mini"
MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"

_Build = Callable[[str, int, EncoderSize, int], TextEncoderModel]

KINDS: dict[str, _Build] = {
    MINI: lambda _, dim, size, seed: build_mini(dim, size, seed),
    "clip": lambda name, dim, _, seed: build_clip(name, dim, seed),
    "clip_text_model": lambda name, dim, _, seed: build_clip(name, dim, seed),
    "bert": lambda name, dim, _, seed: build_bert(name, dim, padding_id(text_tokenizer(name)), seed),
}
"""`mini`, and what transformers' config.json calls the kind of the others; to add one is to add a row."""

_NAMED = {MINI: MINI, MINILM: "bert"}


def kind_of(name: str) -> str:
    """A key of `KINDS`.

    Raises:
        InputError: the text encoder is not there and cannot be had, or is of no kind that can be trained.
    """
    if name in _NAMED:
        return _NAMED[name]
    with reading(name) as read:
        kind = str(json.loads(read(CONFIG)).get("model_type"))
    if kind not in KINDS:
        raise InputError(
            f"expected a text encoder of kind clip or bert in {name}, found {kind}: give another"
        )
    return kind


def build_text_encoder(name: str, dim: int, size: EncoderSize, seed: int) -> TextEncoderModel:
    """A text encoder to train, its output of length ``dim``; the same arguments give the same weights.

    Args:
        name: ``mini``, ``minilm``, the hub's name of a CLIP or BERT, or a folder of one (config.json,
            model.safetensors, tokenizer.json).
        dim: length of the templates; where the text encoder's own differs, a new projection takes its place.
        size: of ``mini``; others have their own.
        seed: of new weights.

    Raises:
        InputError: the text encoder is not there and cannot be had, or is neither CLIP nor BERT.
        MissingExtraError: ``minilm``, and its package is not installed.
    """
    return KINDS[kind_of(name)](name, dim, size, seed)


def text_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a text encoder, whole: it cleans a sentence and puts start and end around it.

    It is its ``tokenizer.json``; a folder may hold openai/CLIP's ``bpe_simple_vocab_16e6.txt.gz`` instead.

    Raises:
        InputError, MissingExtraError: there is none.
    """
    if name == MINI:
        return mini_tokenizer()
    folder = Path(name)
    if folder.is_dir() and not (folder / TOKENIZER).is_file():
        return with_ends(ClipTokenizer(folder / MERGES_FILE))
    with reading(name) as read:
        tokenizer = Tokenizer.from_buffer(read(TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
