"""Text encoders at run time: sentences in, unit vectors of the template's length out (ONNX Runtime)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Int64s
from clip_smu.errors import ClipSmuError, InputError, InterpreterError
from clip_smu.storage.digests import file_digest, refuse_changed
from clip_smu.storage.documents import bytes_of
from clip_smu.storage.onnx_sessions import onnx_session
from clip_smu.storage.textfiles import require_file

TOKENIZER_FILE = Path(__file__).parent / "mini_tokenizer.json"
PAD, START, UNKNOWN, END = "<|pad|>", "<|startoftext|>", "<|unknown|>", "<|endoftext|>"
CONTEXT = 32  # tokens that `mini` reads, start and end included
CLIP_CONTEXT = 77


class TextEncoder:
    """A text encoder exported to ONNX, with its tokenizer.

    Args:
        model: ONNX file with input ``input_ids`` (B, L) int64 and output ``text`` (B, d) float32; a pretrained one also
            has ``meaning`` (B, w) float32.
        tokenizer: file of the ``tokenizers`` library.
        context: most tokens that the model reads; default, by the tokenizer: 32 of `mini`, 77 of CLIP.
        noted: name → sha256 of the two files, as they were written; those not in it are not compared.

    Raises:
        InterpreterError: a file is missing, is not the one that was noted, or cannot be read.
    """

    def __init__(
        self,
        model: Path,
        tokenizer: Path,
        context: int | None = None,
        *,
        noted: Mapping[str, str] | None = None,
    ) -> None:

        for file in (model, tokenizer):
            if not file.exists():
                raise InterpreterError(f"the text encoder's file {file} is missing")
            require_file(file, "the text encoder's file", InterpreterError)
            if noted and file.name in noted:
                where = f"the interpreter in {file.parent}"
                refuse_changed(file.name, file_digest(file), noted[file.name], where, InterpreterError)
        self._where = f"the text encoder {model}"
        self._tokenizer = read_tokenizer(tokenizer, InterpreterError)
        try:
            self._session = onnx_session(model)
        except Exception as error:  # the library raises bare exceptions of its own
            raise InterpreterError(f"{self._where} cannot be read: {_why(error)}") from None
        mini = self._tokenizer.token_to_id(PAD) is not None
        self.context = context or (CONTEXT if mini else CLIP_CONTEXT)

    def encode(self, sentences: Sequence[str]) -> Float32s:
        """(N, d) float32 rows of norm 1.

        Raises:
            InputError: a sentence is empty, or longer than the text encoder reads.
            InterpreterError: the text encoder cannot be run, or gives no vectors.
        """
        return self._run("text", sentences)

    @property
    def knows_meanings(self) -> bool:
        """Whether it was pretrained and says what a sentence means, whatever it was trained for since."""
        return any(output.name == "meaning" for output in self._session.get_outputs())

    def meanings(self, sentences: Sequence[str]) -> Float32s:
        """(N, w) float32 rows of norm 1: sentence embeddings as before training; see `knows_meanings`.

        Raises:
            InputError, InterpreterError: as for `encode`.
        """
        return self._run("meaning", sentences)

    def _run(self, output: str, sentences: Sequence[str]) -> Float32s:
        ids = token_ids(self._tokenizer, sentences, self.context)
        try:
            rows = [self._session.run([output], {"input_ids": row[None]})[0][0] for row in ids]
            vectors = np.asarray(rows, dtype=np.float32)
        except Exception as error:  # the library raises bare exceptions of its own
            raise InterpreterError(
                f"{self._where} cannot be run: expected an input input_ids (B, L) and an output {output} (B, d), as of "
                f"clip-smu encoders convert ({_why(error)})"
            ) from None
        norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
        if vectors.ndim != 2 or not np.isfinite(norms).all() or not (norms > 0).all():
            raise InterpreterError(
                f"{self._where} gives no usable vectors, {vectors.shape}: copy its folder anew, or make it again"
            )
        return np.asarray(vectors / norms, dtype=np.float32)


def read_tokenizer(path: Path, error: type[ClipSmuError] = InputError) -> Any:
    """A tokenizer of the ``tokenizers`` library from its file.

    Raises:
        error: no regular file, over 64 MiB, or it cannot be read.
    """
    from tokenizers import Tokenizer

    data = bytes_of(path, "a tokenizer.json", error)
    with _tokenizer_errors(f"expected a tokenizer.json at {path}, cannot read it", error):
        return Tokenizer.from_buffer(data)


@contextmanager
def _tokenizer_errors(what: str, error: type[ClipSmuError]) -> Iterator[None]:
    """Bare exceptions of the library, and its panics, which are no ``Exception``, as ours."""
    try:
        yield
    except ClipSmuError:
        raise
    except BaseException as problem:
        if isinstance(problem, Exception) or type(problem).__name__ == "PanicException":
            raise error(f"{what}: {_why(problem)}") from None
        raise


def _why(problem: BaseException) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__


def token_ids(tokenizer: object, sentences: Sequence[str], context: int = CONTEXT) -> list[Int64s]:
    """Token ids of each sentence, start and end included.

    Raises:
        InputError: a sentence is empty, or has more than ``context`` tokens.
    """
    rows = []
    for sentence in sentences:
        if not sentence.strip():
            raise InputError('the question is empty: give some words, as in "wears spectacles"')
        with _tokenizer_errors("the text encoder's tokenizer cannot read the sentence", InterpreterError):
            encoding = tokenizer.encode(sentence)  # type: ignore[attr-defined]
        if len(encoding.ids) > context:
            raise InputError(
                f"the sentence has {len(encoding.ids)} tokens and the text encoder reads {context}: shorten it"
                f" ({sentence[:40]!r}...)"
            )
        rows.append(np.array(encoding.ids, dtype=np.int64))
    return rows
