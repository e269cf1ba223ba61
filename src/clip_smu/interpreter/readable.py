"""Which templates a reader can read, and why not the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from clip_smu.arrays import Bools, Float32s
from clip_smu.errors import ClipSmuError, TemplateError
from clip_smu.interpreter.interpreter import DEFAULT
from clip_smu.interpreter.load import load_reader
from clip_smu.interpreter.reader import TemplateReader, stranger
from clip_smu.templates.table import Templates, usable


def readable(reader: TemplateReader, vectors: Float32s) -> Bools:
    """(N,) whether each row is finite, not zero, and looks like a template of the reader's encoder."""
    good = usable(vectors)
    return good if reader.likeness is None else good & reader.likeness.holds(vectors)


def unreadable(reader: TemplateReader, templates: Templates) -> dict[int, str]:
    """Row → why the reader cannot read it."""
    odd = {
        row: stranger(reader.encoder) for row in np.flatnonzero(~readable(reader, templates.vectors)).tolist()
    }
    return dict(sorted({**odd, **templates.unusable()}.items()))


def refuse_strangers(reader: TemplateReader, vectors: Float32s, where: str) -> None:
    """Refuses templates most of which do not look like those of the reader's encoder.

    Args:
        vectors: (N, d) float32, the first of a store, or all of them.
        where: they come from, in the message.

    Raises:
        TemplateError: more than half of the usable rows do not; the message says which known encoder they fit better.
    """
    if reader.likeness is None:
        return
    good = vectors[usable(vectors)]
    odd = int((~reader.likeness.holds(good)).sum())
    if 2 * odd <= len(good):
        return
    better = _that_they_fit(reader, good)
    raise TemplateError(
        f"{odd} of {len(good)} templates ({where}) do not look like templates of {reader.encoder}, which "
        f"{reader.name} reads{better}: give templates of {reader.encoder}, or a reader that was fitted to "
        "templates like these"
    )


def _that_they_fit(reader: TemplateReader, vectors: Float32s) -> str:
    """Which reader at hand knows such templates: the shipped one, and those in folders beside the reader's."""
    for other in _at_hand(reader):
        if other.likeness is not None and other.dim == reader.dim and other.encoder != reader.encoder:
            share = float(other.likeness.holds(vectors).mean())
            if share > 0.5:
                return f"; they look like templates of {other.encoder}, which {other.name} reads"
    return ""


def _at_hand(reader: TemplateReader) -> Iterator[TemplateReader]:
    folders = [] if reader.folder is None else sorted(reader.folder.resolve().parent.iterdir())
    paths: list[str | Path] = [DEFAULT, *(one for one in folders if one.is_dir())]
    for path in paths:
        with suppress(ClipSmuError, OSError):
            yield load_reader(path)
