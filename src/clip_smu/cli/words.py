"""``clip-smu words``: what an interpreter's text encoder was trained on."""

from __future__ import annotations

from clip_smu.cli.options import InterpreterName
from clip_smu.cli.show import write


def words(method: InterpreterName = "dlib-faces") -> None:
    """List the words that an interpreter was trained on.

    Example: clip-smu words --method my-interpreter/
    """
    from clip_smu.interpreter.interpreter import load_interpreter

    write("\n".join(sorted(load_interpreter(method).known_words)))
