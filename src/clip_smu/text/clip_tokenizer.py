"""CLIP's tokenizer: sentences to the token ids of openai/CLIP, from a vocabulary file that the user has."""

from __future__ import annotations

import contextlib
import gzip
import html
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Int64s
from clip_smu.errors import InputError
from clip_smu.storage.textfiles import require_file

CONTEXT = 77
START, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_MOST_LETTERS = 16 << 20  # CLIP's file has 3.2 million
_MERGES = 49152 - 256 - 2  # of the merges in the file, those that CLIP uses
_PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


class ClipTokenizer:
    """Sentences → token ids of CLIP.

    Args:
        vocabulary: ``bpe_simple_vocab_16e6.txt.gz`` of openai/CLIP, or a hub's ``tokenizer.json``.

    Raises:
        InputError: no such file, or it is neither.

    Example:
        >>> ClipTokenizer(Path("bpe_simple_vocab_16e6.txt.gz")).encode(["a face"])  # doctest: +SKIP
    """

    def __init__(self, vocabulary: Path) -> None:
        require_file(vocabulary, "CLIP's bpe_simple_vocab_16e6.txt.gz or a tokenizer.json")
        self._tokenizer = _from_json(vocabulary) if vocabulary.suffix == ".json" else _from_merges(vocabulary)
        self.start, self.end = (self._tokenizer.token_to_id(token) for token in (START, END))
        if self.start is None or self.end is None:
            raise InputError(
                f"expected CLIP's vocabulary with {START} and {END}, found another in {vocabulary}"
            )

    def encode(self, sentences: Sequence[str], *, context: int = CONTEXT, truncate: bool = False) -> Int64s:
        """(N, context) int64: start, the sentence, end, then zeros, as ``clip.tokenize``.

        Args:
            sentences: any text; cleaned and lower-cased as CLIP does.
            context: columns; CLIP reads 77.
            truncate: cut a sentence that is too long (the last id is the end) instead of refusing it.

        Raises:
            InputError: a sentence has more than ``context`` tokens, and ``truncate`` was not asked for.
        """
        out = np.zeros((len(sentences), context), np.int64)
        for row, sentence in zip(out, sentences, strict=True):
            ids = [self.start, *self.bpe(sentence), self.end]
            if len(ids) > context:
                if not truncate:
                    raise InputError(
                        f"the sentence has {len(ids)} tokens and CLIP reads {context}: shorten it, or ask for "
                        f"it to be cut ({sentence[:40]!r}...)"
                    )
                ids = [*ids[: context - 1], self.end]
            row[: len(ids)] = ids
        return out

    def bpe(self, sentence: str) -> list[int]:
        """Token ids of one sentence, without start and end, of any length."""
        ids: list[int] = self._tokenizer.encode(clean(sentence), add_special_tokens=False).ids
        return ids

    def save(self, path: Path) -> None:
        """Writes a ``tokenizer.json``, which needs no vocabulary file any more."""
        from clip_smu.storage.files import atomic

        with atomic(path) as temporary:
            self._tokenizer.save(str(temporary))


def clean(sentence: str) -> str:
    """CLIP's clean-up: damaged Unicode mended, HTML entities resolved, white space single, lower case.

    CLIP mends with ``ftfy``. Here are those of its repairs that can touch a caption: UTF-8 read as
    Windows-1252, full-width letters and ligatures, curly quotes, control characters, composed accents.
    """
    mended = _mend(sentence)
    return re.sub(r"\s+", " ", html.unescape(html.unescape(mended))).strip().lower()


_LIGATURES = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_WIDE = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in range(0xFF01, 0xFF5F)}
_QUOTES = {"\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u02bc": "'"}
_QUOTES |= {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"'}
_CONTROLS = dict.fromkeys([*range(9), 11, *range(14, 32), 127, 0xFEFF])
_CHARACTERS = str.maketrans({**_LIGATURES, **_WIDE, **_QUOTES, "\u3000": " "})


def _mend(text: str) -> str:
    if text.isascii():
        return text.translate(_CONTROLS)
    with contextlib.suppress(UnicodeError):  # ordinary accents are not by chance valid UTF-8 once more
        text = text.encode("windows-1252").decode("utf-8")
    return unicodedata.normalize("NFC", text.translate(_CHARACTERS).translate(_CONTROLS))


def _from_merges(vocabulary: Path) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Split
    from tokenizers.pre_tokenizers import Sequence as Steps

    try:
        opener = gzip.open if vocabulary.suffix == ".gz" else open
        with opener(vocabulary, "rt", encoding="utf-8") as file:
            lines = file.read(_MOST_LETTERS).split("\n")  # a bomb of a .gz ends here
        merges = [(first, second) for first, second in (line.split() for line in lines[1 : _MERGES + 1])]
    except (OSError, ValueError, EOFError):
        merges = []
    if len(merges) != _MERGES:
        raise InputError(
            f"expected {_MERGES} merges, as in CLIP's bpe_simple_vocab_16e6.txt.gz, found another file in {vocabulary}"
        )
    letters = _byte_letters()
    words = [*letters, *(letter + _WORD_END for letter in letters), *("".join(pair) for pair in merges)]
    vocab = {word: index for index, word in enumerate([*words, START, END])}
    tokenizer = Tokenizer(BPE(vocab=vocab, merges=merges, end_of_word_suffix=_WORD_END))
    split = Split(Regex(_PATTERN), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = Steps([split, ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token in (START, END)]
    )
    return tokenizer


def _from_json(path: Path) -> Any:
    from clip_smu.text.encoder import read_tokenizer

    tokenizer = read_tokenizer(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _byte_letters() -> list[str]:
    """A printable letter for each byte, in CLIP's (GPT-2's) order: printable bytes first, then the others."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = 0x100 - len(printable)
    return [chr(code) for code in [*printable, *range(0x100, 0x100 + others)]]
