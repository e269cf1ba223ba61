"""Stored templates and labels → what each method reads of them, and how well; only the scores are kept in memory."""

from __future__ import annotations

import contextlib
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.encoders.kept_check import kept_check, read_check
from clip_smu.errors import InputError
from clip_smu.evaluation.folder import (
    FORMAT,
    MANIFEST,
    Evaluation,
    read_evaluation,
    table_of,
    write_evaluation,
)
from clip_smu.evaluation.groupings import Grouping, groupings, names_of
from clip_smu.evaluation.groups import LEAST_PERSONS, group_table, worst_group
from clip_smu.evaluation.measures import LARGE, ROUNDS, ROUNDS_LARGE, metric_table
from clip_smu.evaluation.methods import called, described, method_digest, shown_of
from clip_smu.evaluation.overlap import refuse_trained
from clip_smu.evaluation.photos_read import ReadPhotos, read_photos, where_from
from clip_smu.interpreter.load import load_reader
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.columns import read_column
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.storage.digests import bytes_digest, lines_digest
from clip_smu.storage.job_folders import claim_folder, writes_folder
from clip_smu.templates import Source, Templates, store_of
from clip_smu.words.attributes import NAMES
from clip_smu.words.hiding import Hide, hidden_names

NOT_CHECKED = (
    "not checked: a method records how many persons it was fitted on, not who they were; "
    "give the list of its training photos (--train) to check"
)


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """What :func:`evaluate` evaluates on, and how it measures.

    Attributes:
        only: names of the photos to evaluate on (a list, or a file with one name a line); default, all labelled.
        train: names of the photos that the methods were fitted on, or of their persons (a list, or a file with one
            name a line); these persons may not be evaluated on.
        names: of the methods; default, their own.
        preprocessing_check: JSON of ``clip-smu encoders check --json`` for the templates' encoder, kept with the
            evidence; default, the one that an interpreter among the methods was fitted with.
        hide: attributes, groups or categories to leave out, by name.
        rounds: resamples for the intervals, see :func:`clip_smu.evaluation.metric_table`.
        seed: of the resamples.
        by: attributes and exclusive groups ("gender,age,race"), by whose labels, and crossings, faces are parted into
            groups, see :func:`clip_smu.evaluation.groups.group_table`.
        by_column: further columns of the labels file that part them likewise.
    """

    only: Sequence[str] | str | Path | None = None
    train: Sequence[str] | str | Path | None = None
    names: Sequence[str] | None = None
    preprocessing_check: str | Path | None = None
    hide: Hide = ()
    rounds: int | None = None
    seed: int = 0
    by: str | Sequence[str] = ()
    by_column: Sequence[str] = ()


@writes_folder
def evaluate(
    methods: Sequence[str | Path | TemplateReader],
    templates: Templates | Source,
    labels: Labels | str | Path,
    output: str | Path,
    config: EvaluationConfig | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Evaluates methods on labelled templates and writes the evaluation as a folder.

    A finished evaluation of the same methods, files and options is read back, not made again. Templates are read
    batch by batch and never held together.

    Args:
        methods: interpreters or probes of one encoder, or their folders.
        templates: a folder made by ``extract``, a file of templates, or templates in memory.
        labels: a csv in the MAAD form, or labels in memory.
        output: folder of the evaluation.
        config: on which photos, and how.
        overwrite: replace another evaluation in ``output``.
        progress: called with (stage, done, total).

    Raises:
        EncoderError: a method reads another encoder's templates.
        TemplateError: the templates cannot be read, or have another length.
        LabelError: the labels cannot be read or do not join, or persons of ``train`` are among them.
        InputError: no method, two of one name, nothing left to show, or ``output`` holds something else.

    Example:
        >>> import tempfile
        >>> from clip_smu.words.attributes import NAMES
        >>> rng = np.random.default_rng(0)  # made-up faces: chance is what they are worth
        >>> people = [f"person{row}" for row in range(60)]
        >>> face = load_reader("dlib-faces").centre  # the mean of real ones
        >>> vectors = face + rng.normal(scale=0.003, size=(60, 128)).astype("float32")
        >>> faces = Templates(vectors, [f"{one}/1.jpg" for one in people],
        ...                   np.zeros(60, "int16"), people, np.ones(60, "float32"), None)
        >>> known = Labels(faces.images, people, rng.choice([-1, 1], size=(60, 47)).astype("int8"))
        >>> folder = tempfile.mkdtemp() + "/evaluation"
        >>> made = evaluate(["dlib-faces"], faces, known, folder, EvaluationConfig(rounds=0))
        >>> made.attributes == NAMES, list(made.methods), made.table.num_rows
        (True, ['dlib-faces'], 728)
    """
    started = time.time()
    config, output = config or EvaluationConfig(), Path(output)
    loaded = [load_reader(one) if isinstance(one, str | Path) else one for one in methods]
    names = called(loaded, methods, config.names)
    attributes, keep = shown_of(loaded, names, config.hide)
    known = labels if isinstance(labels, Labels) else read_labels(labels)
    wanted, fitted = _listed(config.only), _listed(config.train)
    parted = _parted(known, labels, config)
    job = _job(dict(zip(names, loaded, strict=True)), templates, known, wanted, fitted, attributes, config)
    if parted:
        job["groups"] = [[one.by, lines_digest(one.groups[place] for place in one.of)] for one in parted]
    claim_folder(output, job, overwrite=overwrite)
    if (output / MANIFEST).is_file():
        with contextlib.suppress(InputError):  # damaged: made again
            return read_evaluation(output)
    photos = read_photos(dict(zip(names, loaded, strict=True)), templates, known, wanted, keep, progress)
    bare = _bare(photos, known, attributes, loaded[0].encoder)
    seen = NOT_CHECKED if fitted is None else refuse_trained(fitted, known, bare)
    table = metric_table(
        bare.encoder, attributes, bare.labels, bare.persons(), photos.methods, rounds=config.rounds,
        seed=config.seed, progress=_counting(progress, "figures", len(loaded)),
    )  # fmt: skip
    groups = None
    if parted:
        groups = group_table(
            bare.encoder, attributes, bare.labels, bare.persons(), photos.methods,
            [replace(one, of=one.of[photos.rows]) for one in parted], rounds=config.rounds, seed=config.seed,
            progress=_counting(progress, "groups", len(parted)),
        )  # fmt: skip
    manifest = _manifest(bare, photos, loaded, job) | {
        "templates": {"path": where_from(templates), "sha256": job["templates"]},
        "labels": {"path": where_from(labels), "sha256": job["labels"]},
        "list": None
        if wanted is None
        else {"path": where_from(config.only), "sha256": job["only"], "photos": len(set(wanted))},
        "train": None if fitted is None else {"path": where_from(config.train), "sha256": job["train"]},
        "training_persons": seen,
        "groups": None
        if groups is None
        else {
            "by": [one.by for one in parted],
            "least_persons": LEAST_PERSONS,
            "worst": [worst_group(groups, name) for name in names],
        },
        **_made_by(started),
    }
    made = replace(bare, manifest=manifest, table=table, groups=groups)
    write_evaluation(made, output)
    return made


def _parted(known: Labels, labels: Labels | str | Path, config: EvaluationConfig) -> tuple[Grouping, ...]:
    """The ways to part the labelled photos."""
    columns = {}
    for name in config.by_column:
        if isinstance(labels, Labels):
            raise InputError(
                f"the column {name} is read from a labels file, found labels in memory: give the file"
            )
        said = read_column(labels, name)
        columns[name] = [said[image] for image in known.images]
    parted = groupings(known.values, names_of(config.by), columns)
    hidden = hidden_names(config.hide)
    for one in parted:
        if hidden & {NAMES[k] for k in one.defining}:
            raise InputError(f"faces cannot be parted by {one.by}, which is hidden: hide less")
    return parted


def _manifest(
    bare: Evaluation, photos: ReadPhotos, loaded: Sequence[TemplateReader], job: dict[str, Any]
) -> dict[str, Any]:
    """What was evaluated: photos, persons, methods, and how the photos joined."""
    usual = ROUNDS if len(bare) <= LARGE else ROUNDS_LARGE
    rounds = usual if job["rounds"] is None else job["rounds"]
    return {
        "format": FORMAT,
        "encoder": bare.encoder,
        "card": photos.encoder is not None,
        "attributes": list(bare.attributes),
        "photos": len(bare),
        "persons": len(set(bare.persons().tolist())),
        "methods": [described(one, known) for one, known in zip(loaded, job["methods"], strict=True)],
        "join": photos.report,
        "left_out": photos.notes,
        "unusable": photos.unusable,
        "intervals": {"level": 0.95, "rounds": rounds, "seed": job["seed"]},
        "preprocessing_check": job["preprocessing_check"],
    }


def _job(
    methods: dict[str, TemplateReader],
    templates: Templates | Source,
    labels: Labels,
    only: list[str] | None,
    train: list[str] | None,
    attributes: Sequence[str],
    config: EvaluationConfig,
) -> dict[str, Any]:
    """What the evaluation is of; the same job is not done twice."""
    return {
        "command": "evaluate",
        "version": version("clip-smu"),
        "methods": [{"name": name, "sha256": method_digest(one)} for name, one in methods.items()],
        "templates": _templates_digest(templates),
        "labels": _labels_digest(labels),
        "only": None if only is None else lines_digest(sorted(set(only))),
        "train": None if train is None else lines_digest(sorted(set(train))),
        "attributes": list(attributes),
        "rounds": config.rounds,
        "seed": config.seed,
        "preprocessing_check": _check(methods, config.preprocessing_check),
    }


def _bare(photos: ReadPhotos, labels: Labels, attributes: tuple[str, ...], encoder: str) -> Evaluation:
    """What was read beside its labels, without figures."""
    columns = [NAMES.index(name) for name in attributes]
    return Evaluation(
        photos.encoder or encoder,
        attributes,
        [labels.images[row] for row in photos.rows],
        [labels.identities[row] or "" for row in photos.rows],
        photos.norms,
        np.ascontiguousarray(labels.values[photos.rows][:, columns]),
        photos.methods,
        {},
        table_of([]),
    )


def _listed(names: Sequence[str] | str | Path | None) -> list[str] | None:
    """The names of a list, or of a file of one."""
    return read_list(names) if isinstance(names, str | Path) else None if names is None else list(names)


def _check(methods: dict[str, TemplateReader], given: str | Path | None) -> dict[str, Any] | None:
    """The preprocessing check to keep: the one given, else the first that a method was fitted with."""
    if given is not None:
        return read_check(given, next(iter(methods.values())).encoder)
    kept = ((name, kept_check(one.provenance)) for name, one in methods.items())
    return next(({**check, "kept_by": name} for name, check in kept if check), None)


def _made_by(started: float) -> dict[str, Any]:
    return {
        "versions": {package: version(package) for package in ("clip-smu", "numpy", "pyarrow")},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "seconds": round(time.time() - started, 1),
    }


def _counting(
    progress: Callable[[str, int, int], None] | None, stage: str, total: int
) -> Callable[[int], None] | None:
    if progress is None:
        return None
    report, done = progress, Counter[str]()

    def advance(count: int) -> None:
        done[stage] += count
        report(stage, done[stage], total)

    return advance


def _templates_digest(templates: Templates | Source) -> str:
    """Of stored templates: hash of their files' names and contents."""
    if isinstance(templates, Templates):
        vectors = np.ascontiguousarray(templates.vectors).tobytes()
        return bytes_digest(vectors, templates.faces.tobytes(), "\n".join(templates.images).encode())
    return bytes_digest(*(" ".join(key).encode() + b"\n" for key in store_of(templates).contents()))


def _labels_digest(labels: Labels) -> str:
    """Of what the labels say, whatever the file's form."""
    persons = "\n".join(one or "" for one in labels.identities).encode()
    return bytes_digest(
        np.ascontiguousarray(labels.values).tobytes(), "\n".join(labels.images).encode(), b"|", persons
    )
