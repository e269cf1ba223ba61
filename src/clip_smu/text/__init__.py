"""Text encoders at run time: sentences in, unit vectors of the template's length out (ONNX Runtime)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_smu.errors import InputError, InterpreterError
from clip_smu.onnx_sessions import onnx_session

TOKENIZER_FILE = Path(__file__).parent / "mini_tokenizer.json"
PAD, START, UNKNOWN, END = "<|pad|>", "<|startoftext|>", "<|unknown|>", "<|endoftext|>"
CONTEXT = 32  # tokens that `mini` reads, start and end included
CLIP_CONTEXT = 77


class TextEncoder:
    """A text encoder exported to ONNX, with its tokenizer.

    Args:
        model: ONNX file with input ``input_ids`` (B, L) int64 and output ``text`` (B, d) float32.
        tokenizer: file of the ``tokenizers`` library.
        context: most tokens that the model reads; default, by the tokenizer: 32 of `mini`, 77 of CLIP.

    Raises:
        InterpreterError: a file is missing or cannot be read.
    """

    def __init__(self, model: Path, tokenizer: Path, context: int | None = None) -> None:
        from tokenizers import Tokenizer

        for file in (model, tokenizer):
            if not file.is_file():
                raise InterpreterError(f"the text encoder's file {file} is missing")
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
            self._session = onnx_session(model)
        except Exception as error:  # both libraries raise bare exceptions of their own
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InterpreterError(f"the text encoder in {model.parent} cannot be read: {text}") from None
        mini = self._tokenizer.token_to_id(PAD) is not None
        self.context = context or (CONTEXT if mini else CLIP_CONTEXT)

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """(N, d) float32 rows of norm 1.

        Raises:
            InputError: a sentence is empty, or longer than the text encoder reads.
        """
        ids = token_ids(self._tokenizer, sentences, self.context)
        rows = [self._session.run(["text"], {"input_ids": row[None]})[0][0] for row in ids]
        vectors = np.asarray(rows, dtype=np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def token_ids(tokenizer: object, sentences: Sequence[str], context: int = CONTEXT) -> list[NDArray[np.int64]]:
    """Token ids of each sentence, start and end included.

    Raises:
        InputError: a sentence is empty, or has more than ``context`` tokens.
    """
    rows = []
    for sentence in sentences:
        if not sentence.strip():
            raise InputError('the question is empty: give some words, as in "wears spectacles"')
        encoding = tokenizer.encode(sentence)  # type: ignore[attr-defined]
        if len(encoding.ids) > context:
            raise InputError(
                f"the sentence has {len(encoding.ids)} tokens and the text encoder reads {context}: shorten it"
                f" ({sentence[:40]!r}...)"
            )
        rows.append(np.array(encoding.ids, dtype=np.int64))
    return rows
