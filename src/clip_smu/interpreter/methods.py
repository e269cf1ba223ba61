"""A method is anything that reads templates: an interpreter (language) or a probe (classifiers)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from clip_smu.arrays import Bools, Float32s
from clip_smu.errors import ClipSmuError, InterpreterError, TemplateError
from clip_smu.interpreter.interpreter import DEFAULT, Interpreter, load_interpreter, stranger
from clip_smu.interpreter.probe import MANIFEST, Probe, load_probe
from clip_smu.templates.table import Templates, usable

Method = Interpreter | Probe


def load_method(path: str | Path) -> Method:
    """Loads an interpreter or a probe, whichever lies in the folder, or the shipped ``dlib-lfw``.

    Both have ``name``, ``encoder``, ``dim``, ``attributes``, ``calibration``, ``evidence``, ``error_rate``,
    ``provenance``, ``card``, ``likeness``, ``read`` and ``check_templates``.

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


def readable(method: Method, vectors: Float32s) -> Bools:
    """(N,) whether each row is finite, not zero, and looks like a template of the method's encoder."""
    good = usable(vectors)
    return good if method.likeness is None else good & method.likeness.holds(vectors)


def unreadable(method: Method, templates: Templates) -> dict[int, str]:
    """Row → why the method cannot read it."""
    odd = {
        row: stranger(method.encoder) for row in np.flatnonzero(~readable(method, templates.vectors)).tolist()
    }
    return dict(sorted({**odd, **templates.unusable()}.items()))


def refuse_strangers(method: Method, vectors: Float32s, where: str) -> None:
    """Refuses templates most of which do not look like those of the method's encoder.

    Args:
        vectors: (N, d) float32, the first of a store, or all of them.
        where: they come from, in the message.

    Raises:
        TemplateError: more than half of the usable rows do not; the message says which known encoder they fit better.
    """
    if method.likeness is None:
        return
    good = vectors[usable(vectors)]
    odd = int((~method.likeness.holds(good)).sum())
    if 2 * odd <= len(good):
        return
    better = _that_they_fit(method, good)
    raise TemplateError(
        f"{odd} of {len(good)} templates ({where}) do not look like templates of {method.encoder}, which "
        f"{method.name} reads{better}: give templates of {method.encoder}, or a reader that was fitted to "
        "templates like these"
    )


def _that_they_fit(method: Method, vectors: Float32s) -> str:
    """Which reader at hand knows such templates: the shipped one, and those in folders beside the method's."""
    for other in _at_hand(method):
        if other.likeness is not None and other.dim == method.dim and other.encoder != method.encoder:
            share = float(other.likeness.holds(vectors).mean())
            if share > 0.5:
                return f"; they look like templates of {other.encoder}, which {other.name} reads"
    return ""


def _at_hand(method: Method) -> Iterator[Method]:
    folders = [] if method.folder is None else sorted(method.folder.resolve().parent.iterdir())
    paths: list[str | Path] = [DEFAULT, *(one for one in folders if one.is_dir())]
    for path in paths:
        with suppress(ClipSmuError, OSError):
            yield load_method(path)
