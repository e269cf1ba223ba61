"""What every training job does alike: evidence of its reader, provenance, one finished folder."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from clip_smu.arrays import Float64s
from clip_smu.errors import InputError
from clip_smu.interpreter.evidence import Evidence, gather_evidence, verdict_errors
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.labelled import Labelled
from clip_smu.storage.job_folders import holds_files
from clip_smu.training.data import Data

Reader = TypeVar("Reader", bound=TemplateReader)


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
    source = f"{len(data.checked.labels)} faces of {_lists(data)}, whose persons do not occur in training"
    return judge(reader, scores, data.checked, source)


def _lists(data: Data) -> str:
    """The lists that are measured on, in words."""
    names = [one.name for one in data.sources if one.checked is not None]
    if names == [""]:
        return "the test list"
    return f"the test {'list' if len(names) == 1 else 'lists'} of {' and '.join(names)}"


def judge(
    reader: TemplateReader, scores: Float64s, faces: Labelled, source: str
) -> tuple[tuple[Evidence, ...], dict[str, Any]]:
    """Evidence of (N, 47) scores of labelled faces by a reader's calibration."""
    coherent = reader.places is not None
    evidence = gather_evidence(
        reader.calibration, scores, faces.labels, faces.templates.identities, coherent=coherent
    )
    verdicts = verdict_errors(reader.calibration, scores, faces.labels, reader.error_rate, coherent=coherent)
    return evidence, {"evidence_from": source, "verdicts": verdicts}


def made_with(*packages: str) -> dict[str, Any]:
    """What the provenance says of versions and the machine."""
    return {
        "versions": {package: version(package) for package in ("clip-smu", *packages)},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
