"""What every training job does alike: labelled faces in, persons apart, evidence, provenance, one finished folder."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from clip_smu.arrays import Float64s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import InputError
from clip_smu.interpreter.evidence import Evidence, gather_evidence, verdict_errors
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, fingerprint, refuse_overlap
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.persons import count_persons
from clip_smu.storage.job_folders import holds_files
from clip_smu.templates import Source, Templates, read_templates
from clip_smu.templates.likeness import Likeness, measure_likeness

Names = Sequence[str] | str | Path
Reader = TypeVar("Reader", bound=TemplateReader)


@dataclass(frozen=True, eq=False)
class Data:
    """Labelled faces of a job.

    Attributes:
        known: the faces to learn from.
        checked: faces of other persons to measure on; ``None`` where none were named.
        card: of the templates' encoder; ``None`` where it is unknown.
    """

    known: Labelled
    checked: Labelled | None
    card: EncoderCard | None

    @property
    def encoder(self) -> str:
        """The encoder's name, or ``unknown``."""
        return self.card.name if self.card else "unknown"

    def fingerprint(self) -> str:
        """sha256 of templates, labels, names and persons of both."""
        return fingerprint(self.known, self.checked)

    def likeness(self) -> Likeness | None:
        """What the encoder's templates look like, by the faces to learn from; ``None``: too few."""
        return measure_likeness(self.known.templates.vectors, self.known.templates.identities)


def read_data(
    templates: Templates | Source, labels: Labels | str | Path, train: Names | None, test: Names | None
) -> Data:
    """Templates joined with labels, for training and, where a test list is given, for evidence.

    Raises:
        LabelError, TemplateError: they cannot be read or joined, or a person is on both lists.
    """
    table = templates if isinstance(templates, Templates) else read_templates(templates)
    rows = labels if isinstance(labels, Labels) else read_labels(labels)
    known = join(table, rows, train)
    checked = join(table, rows, test) if test is not None else None
    if checked is not None:
        refuse_overlap(known, checked)
    return Data(known, checked, table.card)


def finished(
    output: Path, manifest: str, load: Callable[[Path], Reader], job: str, overwrite: bool, what: str
) -> Reader | None:
    """What is in ``output`` already, if it is of this very job.

    Args:
        manifest: name of the file that says that the folder is whole.
        job: sha256 of the job.
        what: lies there otherwise, in the message ("a probe of another fit").

    Raises:
        InputError: it is of another job, and ``overwrite`` is not set.
    """
    if overwrite or not (output / manifest).is_file():
        return None
    done = load(output)
    if done.provenance.get("job") != job:
        raise InputError(f"{output} already holds {what}: choose another folder, or pass --overwrite")
    return done


def require_room(output: Path, what: str) -> None:
    """Refuses a folder that holds files of something else than ``what``."""
    if holds_files(output):
        raise InputError(f"{output} is not empty and holds no {what}: choose another output folder")


def measure(
    reader: TemplateReader, data: Data, out_of_fold: Float64s, scored_by: str
) -> tuple[tuple[Evidence, ...], dict[str, Any]]:
    """Evidence of a calibrated reader: on the test list, or else on the faces to learn from.

    Args:
        out_of_fold: (N, 47) scores of the faces to learn from, each by what did not see its person.
        scored_by: what that is, in the provenance.

    Returns:
        The evidence, and what the provenance says of it: ``evidence_from``, ``verdicts``.
    """
    if data.checked is None:
        source = f"{len(data.known.labels)} training faces, each scored by {scored_by}"
        return judge(reader, out_of_fold, data.known, source)
    scores = reader.read(data.checked.templates.vectors)[0].astype(np.float64)
    source = f"{len(data.checked.labels)} faces of the test list, whose persons do not occur in training"
    return judge(reader, scores, data.checked, source)


def judge(
    reader: TemplateReader, scores: Float64s, faces: Labelled, source: str
) -> tuple[tuple[Evidence, ...], dict[str, Any]]:
    """Evidence of (N, 47) scores of labelled faces by a reader's calibration."""
    evidence = gather_evidence(reader.calibration, scores, faces.labels, faces.templates.identities)
    verdicts = verdict_errors(reader.calibration, scores, faces.labels, reader.error_rate)
    return evidence, {"evidence_from": source, "verdicts": verdicts}


def faces_of(known: Labelled) -> dict[str, int | str]:
    """What the provenance says of faces that were learnt from."""
    return {
        "faces": len(known.labels),
        "persons": count_persons(known.templates.identities),
        **known.for_provenance(),
    }


def made_with(*packages: str) -> dict[str, Any]:
    """What the provenance says of versions and the machine."""
    return {
        "versions": {package: version(package) for package in ("clip-smu", *packages)},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
