"""Templates with their labels, row by row, and what a join of the two left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from clip_smu.arrays import Int8s, Int64s
from clip_smu.errors import LabelError
from clip_smu.metrics.persons import in_both
from clip_smu.storage.digests import bytes_digest
from clip_smu.templates import Templates
from clip_smu.templates.table import joined

KEPT = "photos with template and label"


@dataclass(frozen=True, eq=False, kw_only=True)
class LeftOut:
    """What a join of templates with labels left out.

    Attributes:
        unlabelled: photos with a template and no label (or not on the list).
        without_template: photos with a label (and on the list) but no template.
        not_listed: of ``unlabelled``, photos that have a label but are not on the list.
        without_label: names on the list that have no label; 0 without a list.
        duplicate_templates: main faces left out, as their photo had come before.
        duplicate_labels: rows of labels left out, as their photo had come before.
        ambiguous: photos with a template whose name may be that of several; see :mod:`clip_smu.photos.names`.
        ambiguous_on_list: names on the list, likewise.
        unusable: photos with both whose template is zero, NaN or infinite, where somebody looked.
        notes: what of this wants looking at, in sentences that name the first.
    """

    unlabelled: int = 0
    without_template: int = 0
    not_listed: int = 0
    without_label: int = 0
    duplicate_templates: int = 0
    duplicate_labels: int = 0
    ambiguous: int = 0
    ambiguous_on_list: int = 0
    unusable: int = 0
    notes: tuple[str, ...] = ()

    def for_provenance(self) -> dict[str, int | str]:
        """What a method says of its training photos; from ``not_listed`` on only where there is something to say."""
        seldom: dict[str, int | str] = {
            "not_listed": self.not_listed,
            "ambiguous": self.ambiguous + self.ambiguous_on_list,
            "unusable": self.unusable,
            "notes": "; ".join(self.notes),
        }
        return {
            "without_label": self.unlabelled - self.not_listed,
            "without_template": self.without_template,
            **{what: count for what, count in seldom.items() if count},
        }

    def counts(self) -> dict[str, int]:
        """In words → photos."""
        return {
            "templates without label": self.unlabelled - self.not_listed,
            "templates not on the list": self.not_listed,
            "labels without template": self.without_template,
            "names on the list without label": self.without_label,
            "templates of a photo that came before": self.duplicate_templates,
            "labels of a photo that came before": self.duplicate_labels,
            "templates with an ambiguous name": self.ambiguous,
            "ambiguous names on the list": self.ambiguous_on_list,
            "unusable templates": self.unusable,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinedRows(LeftOut):
    """Rows of templates and of labels that belong together.

    Attributes:
        rows: (N,) of the templates, ascending.
        label_rows: (N,) of the labels.
    """

    rows: Int64s
    label_rows: Int64s


@dataclass(frozen=True, eq=False)
class Labelled(LeftOut):
    """Templates that have labels, row by row, and what was left out.

    Attributes:
        templates: the main face of each photo that both sides know.
        labels: (N, 47) int8, of the same rows.
    """

    templates: Templates
    labels: Int8s

    def report(self) -> dict[str, int]:
        """What the join kept and left out, in words → photos."""
        return {KEPT: len(self.labels), **self.counts()}


def concatenated(parts: Sequence[Labelled]) -> Labelled:
    """Rows of several (at least one) in their order, of one length d; what they left out adds up."""
    if len(parts) == 1:
        return parts[0]
    counts = {
        field.name: sum(getattr(part, field.name) for part in parts)
        for field in fields(LeftOut)
        if field.name != "notes"
    }
    return Labelled(
        joined([part.templates for part in parts]),
        np.concatenate([part.labels for part in parts]),
        notes=tuple(note for part in parts for note in part.notes),
        **counts,
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
