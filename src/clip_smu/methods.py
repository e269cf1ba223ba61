"""A method is anything that reads templates: an interpreter (language) or a probe (classifiers)."""

from __future__ import annotations

from pathlib import Path

from clip_smu.errors import InterpreterError
from clip_smu.interpreter import Interpreter, load_interpreter
from clip_smu.probe import MANIFEST, Probe, load_probe

Method = Interpreter | Probe


def load_method(path: str | Path) -> Method:
    """Loads an interpreter or a probe, whichever lies in the folder, or the shipped ``dlib-lfw``.

    Both have ``name``, ``encoder``, ``dim``, ``attributes``, ``calibration``, ``evidence``, ``error_rate``,
    ``provenance``, ``read`` and ``check_templates``.

    Raises:
        InterpreterError: no such folder, neither of the two is in it, or it is damaged.

    Example:
        >>> load_method("dlib-lfw").encoder
        'dlib'
    """
    folder = Path(path)
    if (folder / MANIFEST).is_file():
        return load_probe(folder)
    if folder.is_dir() and not (folder / "interpreter.json").is_file():
        raise InterpreterError(
            f"{folder} holds neither interpreter.json nor {MANIFEST}: give a folder made by clip-smu fit or "
            "clip-smu probe"
        )
    return load_interpreter(path)
