"""Twice through the templates: names, to join them with the labels; then the joined rows, to read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clip_smu.arrays import Float32s, Indices
from clip_smu.errors import TemplateError
from clip_smu.evaluation.folder import (
    Scored,
)
from clip_smu.interpreter.readable import refuse_strangers, unreadable
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.interpreter.store_readings import SAMPLE
from clip_smu.labels.join import join_rows
from clip_smu.labels.labelled import KEPT
from clip_smu.labels.labels import Labels
from clip_smu.templates import Source, Store, Templates, iter_templates

_CHUNK = 8192  # photos read at once by several methods


@dataclass(frozen=True, eq=False)
class ReadPhotos:
    """Joined photos in the order of the templates: the row of each in the labels, its norm, and what is read."""

    rows: Indices
    norms: Float32s
    methods: dict[str, Scored]
    report: dict[str, int]
    notes: list[str]
    unusable: dict[str, int]
    encoder: str | None


def read_photos(
    methods: dict[str, TemplateReader],
    templates: Templates | Source,
    labels: Labels,
    only: Sequence[str] | None,
    keep: Indices,
    progress: Callable[[str, int, int], None] | None,
) -> ReadPhotos:
    """Twice through the templates: names, to join them with the labels; then the joined rows, to read them."""
    images: list[str] = []
    faces, norms = [np.empty(0, np.int16)], [np.empty(0, np.float32)]
    encoder = None
    for batch in batches(templates):
        for method in methods.values():
            method.check_templates(batch.card, batch.vectors.shape[1])
        encoder = batch.card.name if batch.card else encoder
        images += batch.images
        faces.append(batch.faces)
        norms.append(batch.norms)
    if not images:
        raise TemplateError("the store holds no template: extract some with clip-smu extract")
    joined = join_rows(images, np.concatenate(faces), labels, only)
    rows, label_rows = joined.rows, joined.label_rows
    report = {KEPT: len(rows), **joined.counts()}
    report["labels of a photo that came before"] += labels.duplicates

    places = []
    for name, method in methods.items():
        if method.places is not None:
            methods = methods | {name: _placed(method, templates, rows)}
            places.append(place_note(name, methods[name]))
    parts: list[list[Scored]] = []
    good, reasons = [np.empty(0, bool)], Counter[str]()
    start = 0
    for batch in batches(templates):
        inside = slice(*np.searchsorted(rows, (start, start + len(batch))))
        chosen = batch.take(rows[inside] - start)
        vectors = chosen.vectors
        why: dict[int, str] = {}
        for method in methods.values():
            if not any(map(len, good)):  # the first joined rows
                refuse_strangers(method, vectors, where_from(templates))
            why |= unreadable(method, chosen)
        fine = np.ones(len(chosen), bool)
        fine[list(why)] = False
        reasons.update(why.values())
        good.append(fine)
        parts.append([_scored(method, vectors[fine], keep) for method in methods.values()])
        start += len(batch)
        if progress:
            progress("templates", start, len(images))
    usable_rows = np.concatenate(good)
    if not usable_rows.any():
        raise TemplateError(
            f"none of {len(rows)} joined templates can be read ({', '.join(reasons)}): extract them anew"
        )
    scored = {
        name: Scored(
            np.concatenate([part[number].scores for part in parts]),
            np.concatenate([part[number].probabilities for part in parts]),
            np.concatenate([part[number].verdicts for part in parts]),
        )
        for number, name in enumerate(methods)
    }
    notes = [*joined.notes, *places]
    bad = rows[~usable_rows]
    report["unusable templates"] = len(bad)
    if len(bad):
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        notes.append(f"{len(bad)} templates cannot be used ({told}); the first is that of {images[bad[0]]}")
    return ReadPhotos(
        label_rows[usable_rows],
        np.concatenate(norms)[rows[usable_rows]],
        scored,
        report,
        notes,
        dict(sorted(reasons.items())),
        encoder,
    )


def _placed(method: TemplateReader, templates: Templates | Source, rows: Indices) -> TemplateReader:
    """The method with the calibration of the home that the joined templates look like, if they look like one."""
    every = max(1, len(rows) // SAMPLE)
    chosen, seen, parts = rows[::every], 0, []
    for batch in batches(templates):
        inside = slice(*np.searchsorted(chosen, (seen, seen + len(batch))))
        parts.append(batch.take(chosen[inside] - seen).vectors)
        seen += len(batch)
    return method.for_batch(np.concatenate(parts))[0]


def place_note(name: str, method: TemplateReader) -> str:
    """Where a method that knows homes reads these photos from."""
    if method.at:
        return f"{name} is at home with these photos: they look like {method.at}"
    assert method.places is not None
    known = " or ".join(home.name for home in method.places.homes)
    return f"{name} is away from home with these photos: they do not look like {known}; it asserts less"


def _scored(method: TemplateReader, vectors: Float32s, keep: Indices) -> Scored:
    scores, probabilities, verdicts = method.read(np.ascontiguousarray(vectors))
    return Scored(scores[:, keep], probabilities[:, keep], verdicts[:, keep])


def batches(templates: Templates | Source) -> Iterator[Templates]:
    if isinstance(templates, Templates):
        yield templates
    else:
        yield from iter_templates(templates, _CHUNK)


def where_from(source: object) -> str:
    return str(source) if isinstance(source, str | Path | Store) else "in memory"
