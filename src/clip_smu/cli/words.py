"""``clip-smu words``: what an interpreter's text encoder was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clip_smu.cli.options import InterpreterName
from clip_smu.cli.show import write

if TYPE_CHECKING:
    pass


def words(interpreter: InterpreterName = "dlib-lfw") -> None:
    """List the words that an interpreter's text encoder was trained on."""
    from clip_smu.interpreter.interpreter import load_interpreter

    write("\n".join(sorted(load_interpreter(interpreter).known_words)))
