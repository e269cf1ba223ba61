"""Text encoders that can be trained, and their way to ONNX. (PyTorch, transformers)

`mini` is CLIP's text transformer, small, with its own vocabulary, trained from scratch. Any other name is that of
a CLIP in transformers' form: on the Hugging Face Hub (``openai/clip-vit-base-patch32``) or in a local folder.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from clip_smu.arrays import Int64s
from clip_smu.errors import InputError, InterpreterError
from clip_smu.storage.files import atomic
from clip_smu.text.clip_tokenizer import ClipTokenizer
from clip_smu.text.encoder import CONTEXT, END, PAD, START, TOKENIZER_FILE, TextEncoder, token_ids

MINI = "mini"
MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
OPSET = 17
_PATIENCE = 10.0  # seconds to wait for the hub's first word
_AGREE = 1e-4  # largest difference allowed between ONNX Runtime and PyTorch, unit vectors


@dataclass(frozen=True, slots=True)
class EncoderSize:
    """Size of `mini`: about 1.5 million parameters, 6 MB of ONNX."""

    width: int = 128
    layers: int = 3
    heads: int = 4


class TextEncoderModel(nn.Module):
    """A text encoder in training: token ids (B, L) int64 → unit vectors (B, d) float32."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def context(self) -> int:
        """Most tokens that it reads, start and end included."""
        return int(self.model.config.max_position_embeddings)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Rows of norm 1; a row ends at its first end token, what follows is padding."""
        text: Tensor = self.model(input_ids=input_ids).text_embeds
        if text.dtype != torch.float32:  # under autocast
            text = text.float()
        return nn.functional.normalize(text, dim=-1)


def build_text_encoder(name: str, dim: int, size: EncoderSize, seed: int) -> TextEncoderModel:
    """A text encoder to train, its output of length ``dim``; the same arguments give the same weights.

    Args:
        name: ``mini``, the hub's name of a CLIP, or a folder of one (config.json and model.safetensors).
        dim: length of the templates; where the text encoder's own differs, a new projection takes its place.
        size: of ``mini``; others have their own.
        seed: of new weights.

    Raises:
        InputError: the text encoder is not there and cannot be had, or is no CLIP.
    """
    if name == MINI:
        return build_mini(dim, size, seed)
    from transformers import CLIPTextModelWithProjection

    with _from_hub(name) as at_hand, _quiet():
        model, found = CLIPTextModelWithProjection.from_pretrained(
            name,
            use_safetensors=True,
            dtype=torch.float32,
            local_files_only=at_hand,
            output_loading_info=True,
        )
    if lacking := sorted(found["missing_keys"]):  # transformers would go on with random numbers
        raise InputError(
            f"expected the weights of a CLIP text encoder in {name}, found none for {len(lacking)} arrays, the first: "
            f"{lacking[0]}; give a whole CLIP"
        )
    if model.config.projection_dim != dim:
        width = model.config.hidden_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model.text_projection = nn.Linear(width, dim, bias=False)
            nn.init.normal_(model.text_projection.weight, std=width**-0.5)
        model.config.projection_dim = dim
    return TextEncoderModel(model)


def text_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a text encoder, whole: it cleans a sentence and puts start and end around it.

    Of a CLIP it is its ``tokenizer.json``; a folder may hold openai/CLIP's ``bpe_simple_vocab_16e6.txt.gz`` instead.

    Raises:
        InputError: there is none.
    """
    if name == MINI:
        return mini_tokenizer()
    folder = Path(name)
    if folder.is_dir() and not (folder / "tokenizer.json").is_file():
        return _with_ends(ClipTokenizer(folder / MERGES_FILE))
    with _from_hub(name) as at_hand:
        from transformers.utils import cached_file

        tokenizer = Tokenizer.from_file(str(cached_file(name, "tokenizer.json", local_files_only=at_hand)))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def build_mini(dim: int, size: EncoderSize, seed: int) -> TextEncoderModel:
    """A new `mini` whose output has length ``dim``; the same seed gives the same weights."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    tokenizer = mini_tokenizer()
    config = CLIPTextConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=size.width,
        intermediate_size=4 * size.width,
        projection_dim=dim,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=CONTEXT,
        hidden_act="quick_gelu",
        pad_token_id=tokenizer.token_to_id(PAD),
        bos_token_id=tokenizer.token_to_id(START),
        eos_token_id=tokenizer.token_to_id(END),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TextEncoderModel(CLIPTextModelWithProjection(config))


def mini_tokenizer() -> Tokenizer:
    """The vocabulary that ships with the package."""
    return Tokenizer.from_file(str(TOKENIZER_FILE))


def padded_ids(tokenizer: Tokenizer, sentences: Sequence[str], context: int = CONTEXT) -> Tensor:
    """(B, L) int64 token ids, padded to the longest; none may have more than ``context``."""
    return pad_rows(token_ids(tokenizer, sentences, context), padding_id(tokenizer))


def padding_id(tokenizer: Tokenizer) -> int:
    """What follows a sentence's end: the padding token, or where a vocabulary has none (CLIP's) the end again."""
    own: int | None = tokenizer.token_to_id(PAD)
    end: int | None = tokenizer.token_to_id(END)
    assert end is not None
    return end if own is None else own


def pad_rows(rows: Sequence[Int64s], padding: int) -> Tensor:
    """(B, L) int64 of rows of token ids, padded to the longest."""
    length = max(len(row) for row in rows)
    ids = np.full((len(rows), length), padding, dtype=np.int64)
    for row, values in zip(ids, rows, strict=True):
        row[: len(values)] = values
    return torch.from_numpy(ids)


def export_text_encoder(
    text_encoder: TextEncoderModel, tokenizer: Tokenizer, folder: Path, probes: Sequence[str]
) -> TextEncoder:
    """Writes ``text_encoder.onnx`` and ``tokenizer.json``, and accepts them only if they repeat PyTorch's vectors.

    Raises:
        InterpreterError: ONNX Runtime and PyTorch disagree on ``probes``.
    """
    model, vocabulary = folder / "text_encoder.onnx", folder / "tokenizer.json"
    text_encoder = text_encoder.cpu().eval()
    with atomic(vocabulary) as temporary:
        temporary.write_text(tokenizer.to_str(), encoding="utf-8")
    with atomic(model) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own future
        exported = io.BytesIO()
        torch.onnx.export(
            text_encoder,
            (padded_ids(tokenizer, probes[:2], text_encoder.context),),
            exported,  # type: ignore[arg-type]  # file objects are taken too
            input_names=["input_ids"],
            output_names=["text"],
            dynamic_axes={"input_ids": {0: "batch", 1: "length"}, "text": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        temporary.write_bytes(exported.getbuffer())
    encoder = TextEncoder(model, vocabulary, text_encoder.context)
    with torch.no_grad():
        expected = text_encoder(padded_ids(tokenizer, probes, text_encoder.context)).numpy()
    difference = float(np.abs(encoder.encode(probes) - expected).max())
    if difference > _AGREE:
        raise InterpreterError(
            f"the exported text encoder differs from PyTorch's by {difference:.2g}, at most {_AGREE} allowed"
        )
    return encoder


@contextlib.contextmanager
def _from_hub(name: str) -> Iterator[bool]:
    """Gives whether a CLIP is at hand without the hub; turns every way in which it cannot be had into one line."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    folder = Path(name).is_dir()
    try:
        if not folder:
            validate_repo_id(name)
        files = ("model.safetensors", "tokenizer.json")
        at_hand = folder or all(isinstance(try_to_load_from_cache(name, file), str) for file in files)
        if not at_hand:
            HfApi().model_info(name, timeout=_PATIENCE)  # at once, where a download would try again and again
        yield at_hand
    except Exception as error:  # of several libraries, with little in common
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        if folder:
            raise InputError(
                f"the folder {name} does not hold a CLIP text encoder: expected transformers' config.json, "
                f"model.safetensors and tokenizer.json ({why})"
            ) from None
        if isinstance(error, HFValidationError):
            raise InputError(
                f"the text encoder must be {MINI}, a name on the Hugging Face Hub or a folder, not {name!r}"
            ) from None
        raise InputError(
            f"the text encoder {name} is not on this machine and could not be downloaded: fetch config.json, "
            f"model.safetensors and tokenizer.json from https://huggingface.co/{name} into a folder, and give that "
            f"folder ({why})"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bar and its report of a whole CLIP's image text_encoder, which is not wanted here."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _with_ends(tokenizer: ClipTokenizer) -> Tokenizer:
    """openai/CLIP's vocabulary as a tokenizer that also cleans, and adds start and end."""
    from tokenizers import Regex, normalizers, processors

    whole = Tokenizer.from_str(tokenizer._tokenizer.to_str())
    whole.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Lowercase(),
        ]
    )
    whole.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, tokenizer.start), (END, tokenizer.end)]
    )
    return whole
