"""What a fit measures of each source: at home there, and abroad, read by what the other sources taught. (PyTorch)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Float64s, Indices
from clip_smu.interpreter.axes import attribute_axes
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.coherence import coherent
from clip_smu.interpreter.dependence import dependence
from clip_smu.interpreter.evidence import group_errors, mean_auc, verdict_errors
from clip_smu.interpreter.home import measure_home
from clip_smu.interpreter.places import Places, marks
from clip_smu.interpreter.promise import Abroad, calibrate_away, calibrate_home, cautious, completed
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.labelled import Labelled
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.persons import count_persons
from clip_smu.training.data import Data, SourceData
from clip_smu.training.readout import Readout, train_readout
from clip_smu.words.attributes import NAMES

LEAST_PERSONS = 100  # of a source, below which its faces cannot be told from others'
_PARTS = 4  # of the others' persons one part calibrates and the rest teach


@dataclass(frozen=True, eq=False)
class Stranger:
    """What the other sources taught, for one source.

    Attributes:
        readout: trained on the others. calibration: *away*, by persons of the others that it did not see.
    """

    readout: Readout
    calibration: Calibration


def train_strangers(
    data: Data, whitening: float | None, error_rate: float, seed: int
) -> tuple[Stranger, ...]:
    """For each source a readout of all the others; none where there is one source alone."""
    if len(data.sources) < 2:
        return ()
    known = data.known
    strangers = []
    for number in range(len(data.sources)):
        others = np.flatnonzero(data.source_of != number)
        people = [known.templates.identities[row] for row in others]
        part = identity_folds(people, _PARTS, seed)
        taught, held = others[part > 0], others[part == 0]
        vectors, labels = known.templates.vectors, known.labels
        readout = train_readout(vectors[taught], labels[taught], data.source_of[taught], whitening, seed)
        home = calibrate_home(
            readout.score(vectors[held]),
            labels[held],
            [known.templates.identities[row] for row in held],
            error_rate,
        )
        strangers.append(Stranger(readout, cautious(home, error_rate)))
    return tuple(strangers)


def abroad_of(data: Data, strangers: Sequence[Stranger]) -> tuple[Abroad, ...]:
    """Each source's faces to learn from, read by what the others taught; what these cannot tell is unknown there."""
    return tuple(
        Abroad(
            source.name,
            coherent(stranger.calibration, stranger.readout.score(source.known.templates.vectors), NAMES),
            np.where(stranger.calibration.slope > 0, source.known.labels, 0).astype(np.int8),
            source.known.templates.identities,
        )
        for source, stranger in zip(data.sources, strangers, strict=bool(strangers))
    )


def calibrate_places(
    data: Data, scores: Float64s, strangers: Sequence[Stranger], error_rate: float
) -> tuple[Places | None, Calibration]:
    """The homes with their calibrations, and the calibration away.

    Args:
        scores: (N, 47) of the faces to learn from, each by what did not see its person.

    Returns:
        ``None`` for the places where a source has fewer than 100 persons: then all is read by one calibration.
    """
    known, rows_of = data.known, [np.flatnonzero(data.source_of == n) for n in range(len(data.sources))]
    homes = [
        calibrate_home(scores[rows], known.labels[rows], _people(known, rows), error_rate) for rows in rows_of
    ]
    away = calibrate_away(scores, known.labels, data.source_of, homes, abroad_of(data, strangers), error_rate)
    homes = [completed(home, away) for home in homes]
    if any(count_persons(source.known.templates.identities) < LEAST_PERSONS for source in data.sources):
        return None, away if len(homes) > 1 else homes[0]
    axes = attribute_axes(known.templates.vectors, known.labels)
    seen = [
        measure_home(
            source.name or "training faces",
            known.templates.vectors[rows],
            marks(known.templates.vectors[rows], axes),
            _people(known, rows),
        )
        for source, rows in zip(data.sources, rows_of, strict=True)
    ]
    return Places(tuple(seen), tuple(homes), axes), away


def figures(
    data: Data, read: Sequence[tuple[Float64s, Calibration]], error_rate: float
) -> dict[str, dict[str, Any]]:
    """Source → AUC and verdicts on its faces to measure on, or where none were named to learn from.

    Args:
        read: of each source: (n, 47) scores of these faces, and the calibration that they are read by.
    """
    return {
        source.name or "training faces": {
            "faces": len(faces_to_measure(source).labels),
            "persons": count_persons(faces_to_measure(source).templates.identities),
            "auc": mean_auc(scores, faces_to_measure(source).labels),
            **verdict_errors(calibration, scores, faces_to_measure(source).labels, error_rate, coherent=True),
            "groups": group_errors(
                calibration,
                scores,
                faces_to_measure(source).labels,
                faces_to_measure(source).templates.identities,
            ),
        }
        for source, (scores, calibration) in zip(data.sources, read, strict=True)
    }


def held_out_dependence(data: Data, scores: Float64s, reader: TemplateReader) -> Float32s:
    """(47, 47) how the labels of the faces to learn from go together given what their homes' calibrations say of them.

    Args:
        scores: (N, 47) of these faces, each by what did not see its person.
    """
    probabilities = np.full(scores.shape, np.nan, dtype=np.float32)
    for number in range(len(data.sources)):
        rows = data.source_of == number
        calibration = reader.calibration if reader.places is None else reader.places.calibrations[number]
        probabilities[rows] = coherent(calibration, scores[rows], NAMES)
        probabilities[np.ix_(rows, calibration.slope <= 0)] = np.nan
    return dependence(data.known.labels, probabilities)


def faces_to_measure(source: SourceData) -> Labelled:
    """The test list's faces, or where there is none those that were learnt from."""
    return source.known if source.checked is None else source.checked


def _people(known: Labelled, rows: Indices) -> list[str]:
    return [known.templates.identities[row] for row in rows]
