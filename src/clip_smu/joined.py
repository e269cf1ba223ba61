"""Templates joined with labels for a job that learns: checked rows, persons kept apart, a digest of it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.errors import LabelError, TemplateError
from clip_smu.labels import Labelled, Labels, join, read_list
from clip_smu.persons import in_both
from clip_smu.templates import Templates


def labelled(
    table: Templates, labels: Labels, names: Sequence[str] | str | Path | None
) -> tuple[Labelled, dict[str, int]]:
    """Row-aligned templates and labels of the photos ``names`` (a list, or a file of one), and what was left out.

    Raises:
        LabelError: as for :func:`clip_smu.labels.join`.
        TemplateError: a template is zero, NaN or infinite (the message names the photo).
    """
    only = read_list(names) if isinstance(names, str | Path) else names
    joined = join(table, labels, only)
    why = joined.templates.unusable()
    if why:
        row = min(why)
        raise TemplateError(
            f"the template of {joined.templates.images[row]} is {why[row]} "
            f"({len(why)} of {len(joined.labels)} such): remove it"
        )
    return joined, {"without_label": joined.unlabelled, "without_template": joined.without_template}


def refuse_overlap(known: Labelled, checked: Labelled) -> None:
    """Refuses a test list with persons of the training list.

    Raises:
        LabelError: a person is in both.
    """
    both = in_both(known.templates.identities, checked.templates.identities)
    if both:
        raise LabelError(
            f"{len(both)} persons are in both the training and the test list, the first is {min(both)}: "
            "evidence needs lists of different persons"
        )


def fingerprint(*parts: Labelled | None) -> str:
    """sha256 of templates, labels, photo names and persons."""
    total = hashlib.sha256()
    for part in parts:
        if part is not None:
            total.update(np.ascontiguousarray(part.templates.vectors).tobytes())
            total.update(np.ascontiguousarray(part.labels).tobytes())
            total.update("\n".join([*part.templates.images, *part.templates.identities]).encode())
        total.update(b"|")
    return total.hexdigest()


def digest(job: dict[str, Any]) -> str:
    """sha256 of a job's JSON values."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()
