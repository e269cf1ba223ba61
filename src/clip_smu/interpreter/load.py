"""A reader from its folder: an interpreter (language) or a probe (classifiers), whichever lies there."""

from __future__ import annotations

from pathlib import Path

from clip_smu.errors import InterpreterError
from clip_smu.interpreter.interpreter import INTERPRETER_FOLDER, load_interpreter
from clip_smu.interpreter.probe import PROBE_FOLDER, load_probe
from clip_smu.interpreter.reader import TemplateReader


def load_reader(path: str | Path) -> TemplateReader:
    """Loads an interpreter or a probe, whichever lies in the folder, or the shipped ``dlib-faces``.

    Raises:
        InterpreterError: no such folder, neither of the two is in it, or it is damaged.

    Example:
        >>> load_reader("dlib-faces").encoder
        'dlib'
    """
    folder, language, classifiers = Path(path), INTERPRETER_FOLDER, PROBE_FOLDER
    if (folder / classifiers.manifest).is_file():
        return load_probe(folder)
    if folder.is_dir() and not (folder / language.manifest).is_file():
        raise InterpreterError(
            f"{folder} holds neither {language.manifest} nor {classifiers.manifest}: give a folder made by "
            f"{language.command} or {classifiers.command}"
        )
    return load_interpreter(path)
