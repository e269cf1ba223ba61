"""Templates joined with labels for a job that learns: checked rows, persons kept apart, a digest of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clip_smu.errors import LabelError, TemplateError
from clip_smu.labels.labels import Labelled, Labels, join, read_list
from clip_smu.metrics.persons import in_both
from clip_smu.storage.digests import bytes_digest
from clip_smu.templates import Templates


def labelled(
    table: Templates, labels: Labels, names: Sequence[str] | str | Path | None = None
) -> tuple[Labelled, dict[str, int | str]]:
    """Row-aligned templates and labels of the photos ``names`` (a list, or a file of one), and what was left out.

    A template that cannot be used (zero, NaN, infinite) is left out and counted; no job stops for it.

    Raises:
        LabelError: as for :func:`clip_smu.labels.labels.join`.
        TemplateError: no template can be used.
    """
    only = read_list(names) if isinstance(names, str | Path) else names
    joined = join(table, labels, only)
    why = joined.templates.unusable()
    if why:
        joined = _without(joined, why)
    return joined, joined.for_provenance()


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


def refuse_overlap(known: Labelled, checked: Labelled) -> None:
    """Refuses a test list with persons, or with photos of unknown persons, of the training list.

    Raises:
        LabelError: a person or a photo is in both.
    """
    for what, both in (
        ("persons", in_both(known.templates.identities, checked.templates.identities)),
        ("photos", set(known.templates.images) & set(checked.templates.images)),
    ):
        if both:
            raise LabelError(
                f"{len(both)} {what} are in both the training and the test list, the first is {min(both)}: "
                "evidence needs lists of different persons"
            )


def fingerprint(*parts: Labelled | None) -> str:
    """sha256 of templates, labels, photo names and persons."""
    content: list[bytes] = []
    for part in parts:
        if part is not None:
            arrays = part.templates.vectors, part.labels
            content += [np.ascontiguousarray(array).tobytes() for array in arrays]
            content.append("\n".join([*part.templates.images, *part.templates.identities]).encode())
        content.append(b"|")
    return bytes_digest(*content)
