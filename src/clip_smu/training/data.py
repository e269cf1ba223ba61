"""Labelled faces of a job, of one source or several, with one encoder's templates; persons of two sources are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from clip_smu.arrays import Int64s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import LabelError, TemplateError
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, concatenated, fingerprint, refuse_overlap
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.persons import count_persons
from clip_smu.storage.digests import json_digest
from clip_smu.templates import Templates, read_templates
from clip_smu.templates.likeness import Likeness, measure_likeness
from clip_smu.training.one_encoder import common_card
from clip_smu.training.sources import SourceSpec


@dataclass(frozen=True, eq=False)
class SourceData:
    """Labelled faces of one source.

    Attributes:
        name: of the source; empty where it is the only one and has none.
        known: the faces to learn from.
        checked: faces of other persons to measure on; ``None`` where none were named.
    """

    name: str
    known: Labelled
    checked: Labelled | None


@dataclass(frozen=True, eq=False)
class Data:
    """Labelled faces of a job.

    Attributes:
        sources: in the order given. Where there are several, a person is called SOURCE/NAME, so that "0001" of two
            data sets is not one person.
        card: of the templates' encoder; ``None`` where it is unknown.
    """

    sources: tuple[SourceData, ...]
    card: EncoderCard | None

    @cached_property
    def known(self) -> Labelled:
        """The faces to learn from, of all sources: N rows, in the order of the sources."""
        return concatenated([one.known for one in self.sources])

    @cached_property
    def checked(self) -> Labelled | None:
        """The faces to measure on, of all sources that have some; ``None`` where none has."""
        parts = [one.checked for one in self.sources if one.checked is not None]
        return concatenated(parts) if parts else None

    @cached_property
    def source_of(self) -> Int64s:
        """(N,) number of the source, in :attr:`sources`, of each row of :attr:`known`."""
        return np.repeat(np.arange(len(self.sources)), [len(one.known.labels) for one in self.sources])

    @property
    def encoder(self) -> str:
        """The encoder's name, or ``unknown``."""
        return self.card.name if self.card else "unknown"

    def fingerprint(self) -> str:
        """sha256 of templates, labels, names and persons, to learn from and to measure on; and of sources' names."""
        digests = [(one.name, fingerprint(one.known, one.checked)) for one in self.sources]
        return digests[0][1] if digests[0][0] == "" else json_digest({"sources": digests})

    def likeness(self) -> Likeness | None:
        """What the encoder's templates look like, by the faces to learn from; ``None``: too few."""
        return measure_likeness(self.known.templates.vectors, self.known.templates.identities)

    def for_provenance(self) -> dict[str, Any]:
        """``sources``: name → what was learnt from and measured on; nothing where the one source has no name."""
        if self.sources[0].name == "":
            return {}
        return {
            "sources": {
                one.name: {
                    "trained_on": faces_of(one.known) | labels_of(one.known),
                    "measured_on": faces_of(one.checked) | labels_of(one.checked) if one.checked else None,
                }
                for one in self.sources
            }
        }


def read_data(specs: Sequence[SourceSpec]) -> Data:
    """Templates joined with labels, for training and, where a test list is given, for evidence.

    Raises:
        LabelError, TemplateError: they cannot be read or joined, a person is on both lists of a source, or a face of
            one source's test list is learnt from in another.
        EncoderError, TemplateError: as :func:`~clip_smu.training.one_encoder.common_card`.
    """
    sources = [_read(spec, apart=len(specs) > 1) for spec in specs]
    card = common_card({one.name: one.known.templates for one in sources})
    _refuse_same_faces(sources)
    return Data(tuple(sources), card)


def faces_of(known: Labelled) -> dict[str, int | str]:
    """What the provenance says of faces that were learnt from."""
    return {
        "faces": len(known.labels),
        "persons": count_persons(known.templates.identities),
        **known.for_provenance(),
    }


def labels_of(faces: Labelled) -> dict[str, int]:
    """How many labels are known (not 0), and how many attributes have any."""
    known = faces.labels != 0
    return {"labels_known": int(known.sum()), "attributes_labelled": int(known.any(axis=0).sum())}


def _read(spec: SourceSpec, *, apart: bool) -> SourceData:
    """One source; ``apart``: the names of its persons begin with its own."""
    try:
        table = spec.templates if isinstance(spec.templates, Templates) else read_templates(spec.templates)
        rows = spec.labels if isinstance(spec.labels, Labels) else read_labels(spec.labels)
        known = join(table, rows, spec.train)
        checked = join(table, rows, spec.test) if spec.test is not None else None
        if checked is not None:
            refuse_overlap(known, checked)
    except (LabelError, TemplateError) as problem:
        if not spec.name:
            raise
        raise type(problem)(f"source {spec.name}: {problem}") from None
    if apart:
        known = _apart(known, spec.name)
        checked = _apart(checked, spec.name) if checked is not None else None
    return SourceData(spec.name, known, checked)


def _apart(faces: Labelled, source: str) -> Labelled:
    """The same, each known person and each note with the source's name before it; strangers ("") stay strangers."""
    persons = [f"{source}/{person}" if person else "" for person in faces.templates.identities]
    notes = tuple(f"{source}: {note}" for note in faces.notes)
    return replace(faces, templates=replace(faces.templates, identities=persons), notes=notes)


def _refuse_same_faces(sources: Sequence[SourceData]) -> None:
    """Refuses a face to measure on whose very template is learnt from in another source, under whatever name.

    Raises:
        LabelError: there is one.
    """
    for tested in sources:
        if tested.checked is None:
            continue
        faces = tested.checked.templates
        at = {row.tobytes(): number for number, row in enumerate(faces.vectors)}
        for taught in sources:
            if taught is tested:
                continue
            both = {at[key] for row in taught.known.templates.vectors if (key := row.tobytes()) in at}
            if both:
                raise LabelError(
                    f"{len(both)} faces of the test list of source {tested.name} are learnt from in {taught.name}, the "
                    f"first is {faces.images[min(both)]}: give photos of the same persons as one source"
                )
