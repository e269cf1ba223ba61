"""Templates joined with labels, by the one rule of photos' names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_smu.errors import LabelError, TemplateError
from clip_smu.labels.labelled import JoinedRows, Labelled, LeftOut
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.photos.names import match
from clip_smu.photos.spelling import distinct
from clip_smu.templates import Templates


def join(templates: Templates, labels: Labels, only: Sequence[str] | str | Path | None = None) -> Labelled:
    """Joins templates with labels by photo name; labels speak of a photo's main face.

    Names match by the rule of :mod:`clip_smu.photos.names`, those on the list likewise. Of a photo that comes twice
    the first row is kept. A template that cannot be used (zero, NaN,
    infinite) is left out and counted; no job stops for it.

    Args:
        only: names of the photos to keep (a list, or a file of one); all where ``None``.

    Raises:
        LabelError: no photo is on both sides, or on the list.
        TemplateError: no template can be used.
    """
    names = read_list(only) if isinstance(only, str | Path) else only
    found = join_rows(templates.images, templates.faces, labels, names)
    chosen = templates.take(found.rows)
    identities = [labels.identities[row] for row in found.label_rows]
    joined = Labelled(
        replace(chosen, identities=identities),
        labels.values[found.label_rows],
        **{field.name: getattr(found, field.name) for field in fields(LeftOut)},
    )
    why = joined.templates.unusable()
    return _without(joined, why) if why else joined


def join_rows(
    images: Sequence[str], faces: NDArray[np.int16], labels: Labels, only: Sequence[str] | None = None
) -> JoinedRows:
    """The rows that :func:`join` joins, from the names alone.

    Args:
        images, faces: of the templates, N each.
        only: as for :func:`join`.

    Raises:
        LabelError: as :func:`join`.
    """
    notes = []
    label_rows = distinct(labels.images)[1]
    listed, without_label, ambiguous_on_list = np.ones(len(labels.images), dtype=np.bool_), 0, 0
    if only is not None:
        names = distinct(only)[0].to_pylist()
        found = match(names, labels.images, labels.identities)
        if found.first:
            ambiguous_on_list = found.ambiguous
            notes.append(f"{found.ambiguous} names on the list may be of several photos; {found.first}")
        if (found.at < 0).all():
            raise LabelError(
                f"no photo of the list has a label: the list says {next(iter(only), '?')}, "
                f"the labels {labels.images[0]}{_because(found.first)}"
            )
        listed = np.zeros(len(labels.images), dtype=np.bool_)
        listed[found.at[found.at >= 0]] = True
        without_label = int((found.at < 0).sum()) - ambiguous_on_list

    main = np.flatnonzero(faces == 0)
    photos, first, _ = distinct([images[row] for row in main.tolist()])
    found = match(photos.to_pylist(), labels.images, labels.identities)
    if found.first:
        notes.append(f"{found.ambiguous} templates have a name that may be of several photos; {found.first}")
    good = (found.at >= 0) & listed[np.maximum(found.at, 0)]
    if not good.any():
        raise LabelError(
            f"no photo has both a template and a label: the templates say {images[0] if len(images) else 'nothing'}, "
            f"the labels {labels.images[0]}; extract from the folder that those names start in{_because(found.first)}"
        )
    not_listed = int(((found.at >= 0) & ~good).sum())
    return JoinedRows(
        rows=main[first[good]],
        label_rows=found.at[good],
        unlabelled=int((found.at < 0).sum()) - found.ambiguous + not_listed,
        without_template=int(listed[label_rows].sum()) - int(good.sum()),
        not_listed=not_listed,
        without_label=without_label,
        duplicate_templates=len(main) - len(first),
        duplicate_labels=len(labels.images) - len(label_rows),
        ambiguous=found.ambiguous,
        ambiguous_on_list=ambiguous_on_list,
        notes=tuple(notes),
    )


def _because(first: str) -> str:
    return f" (ambiguous: {first})" if first else ""


def _without(joined: Labelled, why: dict[int, str]) -> Labelled:
    """The same without the rows that cannot be used, and a note on them."""
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(why.values()).items()))
    good = np.setdiff1d(np.arange(len(joined.labels)), list(why))
    if not len(good):
        raise TemplateError(f"none of {len(why)} labelled templates can be used ({told}): extract them anew")
    first = joined.templates.images[min(why)]
    return replace(
        joined,
        templates=joined.templates.take(good),
        labels=joined.labels[good],
        unusable=len(why),
        notes=(
            *joined.notes,
            f"{len(why)} labelled templates cannot be used ({told}); the first is that of {first}",
        ),
    )
