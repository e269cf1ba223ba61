"""From an evaluation to its confounds: all questions, one method, one folder."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.errors import InputError
from clip_smu.evaluation import Evaluation, Scored, read_evaluation
from clip_smu.evaluation.confounds.conditional import conditional_auc
from clip_smu.evaluation.confounds.control import ROUNDS, ControlTask, Photos, Progress, control_task
from clip_smu.evaluation.confounds.folder import FORMAT, MANIFEST, Confounds, read_confounds, write_confounds
from clip_smu.evaluation.confounds.readings import CONTROLS, by_norm, read_from, residual
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, fingerprint
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.persons import count_persons
from clip_smu.storage.digests import bytes_digest
from clip_smu.storage.job_folders import claim_folder, writes_folder
from clip_smu.templates import Source, read_templates
from clip_smu.words.attributes import INDEX, NAMES, resolve
from clip_smu.words.hiding import Hide, hidden_names, shown_columns

STRATA = ("Male", "Young")


@dataclass(frozen=True, slots=True)
class ControlData:
    """What the control task is trained on.

    Attributes:
        templates: a store of templates of the evaluation's encoder; labels: their labels.
        train: list of the photos to train on; none of their persons may be in the evaluation.
    """

    templates: Source
    labels: str | Path
    train: str | Path

    @classmethod
    def of(
        cls, templates: Source | None, labels: str | Path | None, train: str | Path | None
    ) -> ControlData | None:
        """All three, or none.

        Raises:
            InputError: only some are given.
        """
        if templates is not None and labels is not None and train is not None:
            return cls(templates, labels, train)
        given = 3 - [templates, labels, train].count(None)
        if given:
            raise InputError(
                f"the control task needs templates, labels and a list of training photos, found {given} of the "
                "three: give all or none"
            )
        return None


@dataclass(frozen=True, slots=True)
class ConfoundsConfig:
    """Which questions :func:`confounds` answers.

    Attributes:
        strata: attributes, groups or categories; each attribute makes two strata.
        controls: attributes, groups or categories that :func:`residual` regresses out.
        hide: attributes, groups or categories to leave out of everything, by name; strata and controls too.
        bins: of template norms.
        control: what the control task is trained on; default, there is none.
        C: inverse regularisation of the control task; default, each attribute's own best.
        rounds: of the control task.
        seed: of everything random.
    """

    strata: Sequence[str] = STRATA
    controls: Sequence[str] = CONTROLS
    hide: Hide = ()
    bins: int = 4
    control: ControlData | None = None
    C: float | None = None
    rounds: int = ROUNDS
    seed: int = 0


@writes_folder
def confounds(
    evaluation: Evaluation | str | Path,
    method: str | None,
    output: str | Path,
    config: ConfoundsConfig | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Confounds:
    """Answers every question of this room for one method, and writes the folder that ``read_confounds`` reads.

    A finished answer to the same question is read back, not made again.

    Args:
        evaluation: of :func:`clip_smu.evaluation.evaluate`, or its folder.
        method: name of one of its methods; ``None`` if it has only one.
        output: folder to write.
        config: the questions.
        overwrite: replace other confounds in ``output``.
        progress: called with (stage, done, total).

    Raises:
        InputError: no such method, stratum or evaluation; persons on both sides of the control task.
        LabelError, TemplateError: labels or templates cannot be read, or do not fit the evaluation.
    """
    started = time.time()
    config, output = config or ConfoundsConfig(), Path(output)
    found = evaluation if isinstance(evaluation, Evaluation) else read_evaluation(evaluation)
    name = _method(found, method)
    found = _less(found, name, config.hide)
    strata, controls = (_named(given, config.hide) for given in (config.strata, config.controls))
    if not strata:
        raise InputError(
            "expected at least one attribute for the strata, found none that is shown: name some, for instance "
            f"{'Eyeglasses' if config.hide else 'Male'}"
        )
    job: dict[str, Any] = {
        "command": "confounds",
        "format": FORMAT,
        "method": name,
        "data": _digest(found, name),
        "strata": strata,
        "controls": controls,
        "bins": config.bins,
        "seed": config.seed,
    }
    sides = None if config.control is None else _sides(found, config.control)
    if sides is not None:
        job |= {"control": fingerprint(*sides), "strength": config.C, "rounds": config.rounds}
    claim_folder(output, job, overwrite=overwrite)
    if (output / MANIFEST).is_file():
        with contextlib.suppress(InputError):  # damaged: made again
            return read_confounds(output)
    scores, people, names = found.methods[name].scores, found.identities, found.attributes
    made = Confounds(
        found.encoder,
        name,
        names,
        tuple(conditional_auc(scores, found.labels, people, by, names) for by in strata),
        read_from(scores, found.labels),
        residual(scores, found.labels, people, controls, names, config.seed)
        if {*controls} & {*names}
        else None,
        by_norm(scores, found.labels, people, found.norms, config.bins),
        None if sides is None else _control(found, sides, config, progress),
        job | _provenance(found, evaluation, config.control, sides, started),
    )
    write_confounds(made, output)
    return made


def _provenance(
    found: Evaluation,
    evaluation: Evaluation | str | Path,
    control: ControlData | None,
    sides: tuple[Labelled, Labelled] | None,
    started: float,
) -> dict[str, Any]:
    files = (
        None if control is None else [str(one) for one in (control.templates, control.labels, control.train)]
    )
    return {
        "photos": len(found),
        "persons": count_persons(found.identities),
        "evaluation": None if isinstance(evaluation, Evaluation) else str(evaluation),
        "files": files,
        "left_out": [note for side in sides or () for note in side.notes],
        "version": version("clip-smu"),
        "seconds": round(time.time() - started, 3),
    }


def _named(given: Sequence[str], hide: Hide) -> list[str]:
    """The attributes of the names given, without those that are hidden."""
    hidden = hidden_names(hide)
    return [NAMES[k] for k in resolve(given) if NAMES[k] not in hidden]


def _less(found: Evaluation, method: str, hide: Hide) -> Evaluation:
    """The evaluation of one method, without what is hidden."""
    keep = shown_columns(found.attributes, hide)
    read = found.methods[method]
    scored = Scored(read.scores[:, keep], read.probabilities[:, keep], read.verdicts[:, keep])
    attributes = tuple(found.attributes[k] for k in keep)
    return replace(found, attributes=attributes, labels=found.labels[:, keep], methods={method: scored})


def _method(found: Evaluation, method: str | None) -> str:
    """The name of the method to judge.

    Raises:
        InputError: there is none of that name, or several and none was named.
    """
    if method is None and len(found.methods) == 1:
        return next(iter(found.methods))
    if method is None or method not in found.methods:
        asked = "no name" if method is None else repr(method)
        raise InputError(
            f"expected one of the methods {', '.join(found.methods)}, found {asked}: name one of them"
        )
    return method


def _sides(found: Evaluation, given: ControlData) -> tuple[Labelled, Labelled]:
    """The labelled templates of the training list, and those of the evaluation's photos."""
    stored, known = read_templates(given.templates), read_labels(given.labels)
    if stored.card is not None and stored.card.name != found.encoder:
        raise InputError(
            f"expected templates of {found.encoder}, as evaluated, found templates of {stored.card.name} in "
            f"{given.templates}: give the store that the evaluation was made from"
        )
    return join(stored, known, read_list(given.train)), join(stored, known, found.images)


def _control(
    found: Evaluation, sides: tuple[Labelled, Labelled], config: ConfoundsConfig, progress: Progress | None
) -> ControlTask:
    """The control task, trained on the list and tested on the evaluation's photos."""
    columns = [INDEX[name] for name in found.attributes]
    train, test = (
        Photos(side.templates.vectors, side.labels[:, columns], side.templates.identities) for side in sides
    )
    return control_task(
        train, test, strength=config.C, rounds=config.rounds, seed=config.seed, progress=progress
    )


def _digest(found: Evaluation, method: str) -> str:
    """sha256 of what is judged: names, scores, labels, persons and norms."""
    parts = [
        "\n".join([*found.attributes, *found.identities]).encode(),
        np.ascontiguousarray(found.methods[method].scores).tobytes(),
        np.ascontiguousarray(found.labels).tobytes(),
        np.ascontiguousarray(found.norms).tobytes(),
    ]
    return bytes_digest(b"\0".join(parts))
