"""Captions and their figures as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from clip_smu.errors import InputError
from clip_smu.evaluation.generation.scores import CaptionScores
from clip_smu.evaluation.generation.strategies import CaptionConfig, Progress, generate
from clip_smu.interpreter.readable import refuse_strangers, unreadable
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.photos.names import ABSENT, match
from clip_smu.photos.spelling import clean
from clip_smu.storage.escaping import cell
from clip_smu.storage.files import atomic
from clip_smu.templates import Source, Templates, iter_templates
from clip_smu.words.attributes import NAMES
from clip_smu.words.hiding import Hide, shown_columns

_BATCH_ROWS = 8192  # templates captioned at once


@dataclass(frozen=True, slots=True)
class CaptionsWritten:
    """What :func:`write_captions` wrote.

    Attributes:
        rows: templates; ``rejected``, of them, those without a caption.
        first: the first few (image, caption).
        notes: which names of the list were left out, in sentences.
    """

    rows: int
    rejected: int
    first: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


def write_captions(
    method: TemplateReader,
    templates: Source,
    output: str | Path,
    *,
    strategy: str = "calibrated",
    config: CaptionConfig | None = None,
    hide: Hide = (),
    only: Sequence[str] | None = None,
    show: int = 5,
    progress: Progress | None = None,
) -> CaptionsWritten:
    """Writes one caption a template, in their order, as csv or JSON lines; memory stays flat.

    Columns: ``image``, ``face``, ``caption``, ``attributes`` (names; in csv joined by a space), ``rejected``.

    Args:
        method: an interpreter, or a probe.
        templates: a folder made by ``extract``, or a file of templates.
        output: ``.csv`` or ``.jsonl``.
        hide: attributes, groups or categories, by name, that no caption says.
        only: names of the photos to caption, which match those of the templates as :mod:`clip_smu.photos.names` says;
            default, all.
        show: rows to hand back.

    Raises:
        InputError: another ending, no photo of the list among the templates, or as for :func:`generate`.
        EncoderError, TemplateError: templates of another encoder.
    """
    output = Path(output)
    if output.suffix not in _WRITERS:
        raise InputError(
            f"captions are written as .csv or .jsonl, not {output.suffix or 'without an ending'}"
        )
    wanted: set[str] | None = None
    notes: tuple[str, ...] = ()
    if only is not None:
        wanted, notes = _wanted(templates, only)
    rows = rejected = 0
    first: list[tuple[str, str]] = []
    with atomic(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        add = _WRITERS[output.suffix](file)
        for part in _parts(templates, wanted):
            method.check_templates(part.card, part.vectors.shape[1])
            if not rows:
                refuse_strangers(method, part.vectors, str(templates))
            made = generate(method, part.vectors, strategy, config=config, hide=hide, progress=progress)
            why = unreadable(method, part)
            for row, text in enumerate(made.texts):
                names = [NAMES[k] for k in np.flatnonzero(made.asserted[row])]
                add(part.images[row], int(part.faces[row]), text, names, why.get(row, ""))
                rows += 1
                rejected += row in why
                if text and len(first) < show:
                    first.append((part.images[row], text))
        if not rows:
            raise InputError(f"{templates} holds no template: extract some with clip-smu extract")
    return CaptionsWritten(rows, rejected, tuple(first), notes)


def write_figures(figures: Mapping[str, CaptionScores], path: str | Path, *, hide: Hide = ()) -> None:
    """Writes the figures of every strategy and shown attribute as csv; an empty one has its reason."""
    with atomic(Path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_FIGURES)
        for strategy, one in figures.items():
            for k, name in ((k, NAMES[k]) for k in shown_columns(NAMES, hide)):
                values = [measured.value[k] for measured in (one.precision, one.recall, one.f1)]
                writer.writerow(
                    [
                        strategy, name, *("" if np.isnan(value) else f"{value:.6f}" for value in values),
                        one.f1.n_positive[k], one.f1.n_negative[k], one.precision.reason[k],
                    ]
                )  # fmt: skip


def _wanted(templates: Source, only: Sequence[str]) -> tuple[set[str], tuple[str, ...]]:
    """The images that the list names, and what is to be said of the others on it.

    Raises:
        InputError: it names none.
    """
    images = [image for part in iter_templates(templates, _BATCH_ROWS) for image in part.images]
    found = match(only, images)
    wanted = {clean(images[row]) for row in found.at[found.at >= 0]}
    if not wanted:
        raise InputError(
            f"no photo of the list has a template in {templates}: check the names in the list"
            f"{f' (ambiguous: {found.first})' if found.first else ''}"
        )
    missing = np.flatnonzero(found.at == ABSENT)
    notes = []
    if len(missing):
        notes.append(f"{len(missing)} names on the list have no template, the first is {only[missing[0]]}")
    if found.first:
        notes.append(f"{found.ambiguous} names on the list may be of several photos; {found.first}")
    return wanted, tuple(notes)


def _parts(templates: Source, wanted: set[str] | None) -> Iterator[Templates]:
    for part in iter_templates(templates, _BATCH_ROWS):
        keep = [row for row, image in enumerate(part.images) if wanted is None or clean(image) in wanted]
        if keep:
            yield part if wanted is None else part.take(np.array(keep))


Add = Callable[[str, int, str, list[str], str], None]


def _csv_rows(file: IO[str]) -> Add:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    return lambda image, face, text, names, why: writer.writerow(
        [cell(image), face, text, " ".join(names), why]
    )


def _json_rows(file: IO[str]) -> Add:
    def add(image: str, face: int, text: str, names: list[str], why: str) -> None:
        values = (image, face, text, names, why or None)
        file.write(json.dumps(dict(zip(_COLUMNS, values, strict=True)), ensure_ascii=False) + "\n")

    return add


_FIGURES = ("strategy", "attribute", "precision", "recall", "f1", "n_positive", "n_negative", "reason")
_COLUMNS = ("image", "face", "caption", "attributes", "rejected")
_WRITERS: dict[str, Callable[[IO[str]], Add]] = {".csv": _csv_rows, ".jsonl": _json_rows}
