"""Stored templates and labels → what each method reads of them, and how well; only the scores are kept in memory."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Indices
from clip_smu.encoders.card import differences
from clip_smu.encoders.kept_check import kept_check, read_check
from clip_smu.errors import EncoderError, InputError, TemplateError
from clip_smu.evaluation.folder import (
    FORMAT,
    MANIFEST,
    Evaluation,
    Scored,
    read_evaluation,
    table_of,
    write_evaluation,
)
from clip_smu.evaluation.measures import LARGE, ROUNDS, ROUNDS_LARGE, metric_table
from clip_smu.evaluation.overlap import refuse_trained
from clip_smu.interpreter.load import load_reader
from clip_smu.interpreter.readable import refuse_strangers, unreadable
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.labels.join import join_rows
from clip_smu.labels.labelled import KEPT
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.storage.digests import bytes_digest, lines_digest
from clip_smu.storage.job_folders import claim_folder, writes_folder
from clip_smu.templates import Source, Store, Templates, iter_templates, store_of
from clip_smu.words.attributes import NAMES
from clip_smu.words.hiding import Hide, shown_columns

_NOT_SAID = {
    "name",
    "folder",
    "provenance",
    "evidence",
    "known_words",
    "error_rate",
}  # do not change a reading
_CHUNK = 8192  # photos read at once by several methods

NOT_CHECKED = (
    "not checked: a method records how many persons it was fitted on, not who they were; "
    "give the list of its training photos (--train) to check"
)


@dataclass(frozen=True, eq=False)
class _Photos:
    """Joined photos in the order of the templates: the row of each in the labels, its norm, and what is read."""

    rows: Indices
    norms: Float32s
    methods: dict[str, Scored]
    report: dict[str, int]
    notes: list[str]
    unusable: dict[str, int]
    encoder: str | None


@writes_folder
def evaluate(
    methods: Sequence[str | Path | TemplateReader],
    templates: Templates | Source,
    labels: Labels | str | Path,
    output: str | Path,
    *,
    only: Sequence[str] | str | Path | None = None,
    train: Sequence[str] | str | Path | None = None,
    names: Sequence[str] | None = None,
    preprocessing_check: str | Path | None = None,
    hide: Hide = (),
    rounds: int | None = None,
    seed: int = 0,
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
        only: names of the photos to evaluate on (a list, or a file with one name a line); default, all labelled.
        train: names of the photos that the methods were fitted on, or of their persons (a list, or a file with one
            name a line); these persons may not be evaluated on.
        names: of the methods; default, their own.
        preprocessing_check: JSON of ``clip-smu encoders check --json`` for the templates' encoder, kept with the
            evidence; default, the one that an interpreter among the methods was fitted with.
        hide: attributes, groups or categories to leave out, by name.
        rounds: resamples for the intervals, see :func:`clip_smu.evaluation.metric_table`.
        seed: of the resamples.
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
        >>> face = load_reader("dlib-lfw").centre  # the mean of real ones
        >>> vectors = face + rng.normal(scale=0.003, size=(60, 128)).astype("float32")
        >>> faces = Templates(vectors, [f"{one}/1.jpg" for one in people],
        ...                   np.zeros(60, "int16"), people, np.ones(60, "float32"), None)
        >>> known = Labels(faces.images, people, rng.choice([-1, 1], size=(60, 47)).astype("int8"))
        >>> made = evaluate(["dlib-lfw"], faces, known, tempfile.mkdtemp() + "/evaluation", rounds=0)
        >>> made.attributes == NAMES, list(made.methods), made.table.num_rows
        (True, ['dlib-lfw'], 728)
    """
    started = time.time()
    output = Path(output)
    loaded = [load_reader(one) if isinstance(one, str | Path) else one for one in methods]
    called = _names(loaded, methods, names)
    attributes, keep = _shown(loaded, called, hide)
    known = labels if isinstance(labels, Labels) else read_labels(labels)
    wanted = read_list(only) if isinstance(only, str | Path) else None if only is None else list(only)
    fitted = read_list(train) if isinstance(train, str | Path) else None if train is None else list(train)
    digests = [_digest(one) for one in loaded]
    kept = [
        {**check, "kept_by": name}
        for name, one in zip(called, loaded, strict=True)
        if (check := kept_check(one.provenance))
    ]
    checked = next(iter(kept), None)
    if preprocessing_check is not None:
        checked = read_check(preprocessing_check, loaded[0].encoder)
    job: dict[str, Any] = {
        "command": "evaluate",
        "version": version("clip-smu"),
        "methods": [{"name": name, "sha256": one} for name, one in zip(called, digests, strict=True)],
        "templates": _templates_digest(templates),
        "labels": _labels_digest(known),
        "only": None if wanted is None else lines_digest(sorted(set(wanted))),
        "train": None if fitted is None else lines_digest(sorted(set(fitted))),
        "attributes": list(attributes),
        "rounds": rounds,
        "seed": seed,
        "preprocessing_check": checked,
    }
    claim_folder(output, job, overwrite=overwrite)
    if (output / MANIFEST).is_file():
        with contextlib.suppress(InputError):  # damaged: made again
            return read_evaluation(output)
    photos = _read(dict(zip(called, loaded, strict=True)), templates, known, wanted, keep, progress)
    bare = Evaluation(
        photos.encoder or loaded[0].encoder,
        attributes,
        [known.images[row] for row in photos.rows],
        [known.identities[row] or "" for row in photos.rows],
        photos.norms,
        np.ascontiguousarray(known.values[photos.rows][:, _columns(attributes)]),
        photos.methods,
        {},
        table_of([]),
    )
    seen = NOT_CHECKED if fitted is None else refuse_trained(fitted, known, bare)
    persons = bare.persons()
    table = metric_table(
        bare.encoder, attributes, bare.labels, persons, photos.methods, rounds=rounds, seed=seed,
        progress=_counting(progress, "figures", len(loaded)),
    )  # fmt: skip
    used_rounds = rounds if rounds is not None else ROUNDS if len(bare) <= LARGE else ROUNDS_LARGE
    manifest = {
        "format": FORMAT,
        "encoder": bare.encoder,
        "card": photos.encoder is not None,
        "attributes": list(attributes),
        "photos": len(bare),
        "persons": len(set(persons.tolist())),
        "methods": [_described(*one) for one in zip(called, loaded, digests, strict=True)],
        "templates": {"path": _where(templates), "sha256": job["templates"]},
        "labels": {"path": _where(labels), "sha256": job["labels"]},
        "list": None
        if wanted is None
        else {"path": _where(only), "sha256": job["only"], "photos": len(set(wanted))},
        "train": None if fitted is None else {"path": _where(train), "sha256": job["train"]},
        "training_persons": seen,
        "preprocessing_check": checked,
        "join": photos.report,
        "left_out": photos.notes,
        "unusable": photos.unusable,
        "intervals": {"level": 0.95, "rounds": used_rounds, "seed": seed},
        "versions": {package: version(package) for package in ("clip-smu", "numpy", "pyarrow")},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "seconds": round(time.time() - started, 1),
    }
    made = replace(bare, manifest=manifest, table=table)
    write_evaluation(made, output)
    return made


def _read(
    methods: dict[str, TemplateReader],
    templates: Templates | Source,
    labels: Labels,
    only: Sequence[str] | None,
    keep: Indices,
    progress: Callable[[str, int, int], None] | None,
) -> _Photos:
    """Twice through the templates: names, to join them with the labels; then the joined rows, to read them."""
    images: list[str] = []
    faces, norms = [np.empty(0, np.int16)], [np.empty(0, np.float32)]
    encoder = None
    for batch in _batches(templates):
        for method in methods.values():
            method.check_templates(batch.card, batch.vectors.shape[1])
        encoder = batch.card.name if batch.card else encoder
        images += batch.images
        faces.append(batch.faces)
        norms.append(batch.norms)
    if not images:
        raise TemplateError("the store holds no template: extract some with clip-smu extract")
    joined = join_rows(images, np.concatenate(faces), labels, only)
    rows, label_rows = joined.rows, joined.label_rows
    report = {KEPT: len(rows), **joined.counts()}
    report["labels of a photo that came before"] += labels.duplicates

    parts: list[list[Scored]] = []
    good, reasons = [np.empty(0, bool)], Counter[str]()
    start = 0
    for batch in _batches(templates):
        inside = slice(*np.searchsorted(rows, (start, start + len(batch))))
        chosen = batch.take(rows[inside] - start)
        vectors = chosen.vectors
        why: dict[int, str] = {}
        for method in methods.values():
            if not any(map(len, good)):  # the first joined rows
                refuse_strangers(method, vectors, _where(templates))
            why |= unreadable(method, chosen)
        fine = np.ones(len(chosen), bool)
        fine[list(why)] = False
        reasons.update(why.values())
        good.append(fine)
        parts.append([_scored(method, vectors[fine], keep) for method in methods.values()])
        start += len(batch)
        if progress:
            progress("templates", start, len(images))
    usable_rows = np.concatenate(good)
    if not usable_rows.any():
        raise TemplateError(
            f"none of {len(rows)} joined templates can be read ({', '.join(reasons)}): extract them anew"
        )
    scored = {
        name: Scored(
            np.concatenate([part[number].scores for part in parts]),
            np.concatenate([part[number].probabilities for part in parts]),
            np.concatenate([part[number].verdicts for part in parts]),
        )
        for number, name in enumerate(methods)
    }
    notes = list(joined.notes)
    bad = rows[~usable_rows]
    report["unusable templates"] = len(bad)
    if len(bad):
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        notes.append(f"{len(bad)} templates cannot be used ({told}); the first is that of {images[bad[0]]}")
    return _Photos(
        label_rows[usable_rows],
        np.concatenate(norms)[rows[usable_rows]],
        scored,
        report,
        notes,
        dict(sorted(reasons.items())),
        encoder,
    )


def _scored(method: TemplateReader, vectors: Float32s, keep: Indices) -> Scored:
    scores, probabilities, verdicts = method.read(np.ascontiguousarray(vectors))
    return Scored(scores[:, keep], probabilities[:, keep], verdicts[:, keep])


def _batches(templates: Templates | Source) -> Iterator[Templates]:
    if isinstance(templates, Templates):
        yield templates
    else:
        yield from iter_templates(templates, _CHUNK)


def _names(
    loaded: Sequence[TemplateReader],
    given: Sequence[str | Path | TemplateReader],
    names: Sequence[str] | None,
) -> list[str]:
    """Names of the methods, each once: their own, or where two are the same, their folders'."""
    if not loaded:
        raise InputError("no method to evaluate: give one or more interpreters or probes")
    if names is not None:
        if len(names) != len(loaded):
            raise InputError(
                f"expected {len(loaded)} names, one a method, found {len(names)}: {', '.join(names)}"
            )
        called = list(names)
    else:
        called = [one.name for one in loaded]
        twice = {name for name, count in Counter(called).items() if count > 1}
        called = [
            Path(path).resolve().name if name in twice and isinstance(path, str | Path) else name
            for name, path in zip(called, given, strict=True)
        ]
    both = [name for name, count in Counter(called).items() if count > 1]
    if both:
        raise InputError(f"two methods are called {both[0]}: give each a name of its own (--names a,b)")
    if not all(called):
        raise InputError("a method has an empty name: give each a name of its own (--names a,b)")
    return called


def _shown(
    loaded: Sequence[TemplateReader], called: Sequence[str], hide: Hide
) -> tuple[tuple[str, ...], Indices]:
    """The attributes to evaluate, and their columns in each method."""
    for method, name in zip(loaded, called, strict=True):
        if method.encoder != loaded[0].encoder:
            raise EncoderError(
                f"{called[0]} reads templates of {loaded[0].encoder}, {name} of {method.encoder}: evaluate each on its "
                "own encoder's templates, then clip-smu compare the two evaluations"
            )
        own = loaded[0].card
        differing = [] if own is None or method.card is None else differences(own, method.card)
        if differing:
            raise EncoderError(
                f"{called[0]} reads templates of another {method.encoder} than {name} ({'; '.join(differing)}): "
                "evaluate each on its own encoder's templates, then clip-smu compare the two evaluations"
            )
    attributes = loaded[0].attributes
    for method, name in zip(loaded, called, strict=True):
        if method.attributes != attributes:
            raise InputError(
                f"{name} reads {len(method.attributes)} attributes, {called[0]} {len(attributes)}, or in another "
                "order: evaluate them apart"
            )
    keep = shown_columns(attributes, hide)
    return tuple(attributes[k] for k in keep), np.array(keep, dtype=np.intp)


def _columns(attributes: Sequence[str]) -> list[int]:
    """Columns of the labels, which are in MAAD-Face's order."""
    return [NAMES.index(name) for name in attributes]


def _described(name: str, method: TemplateReader, sha256: str) -> dict[str, Any]:
    """What the manifest keeps of a method."""
    provenance = method.provenance
    return {
        "name": name,
        "kind": method.method_kind,
        "encoder": method.encoder,
        "dim": method.dim,
        "error_rate": method.error_rate,
        "objective": provenance.get("objective"),
        "job": provenance.get("job"),
        "trained_on": provenance.get("trained_on"),
        "sha256": sha256,
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


def _digest(method: TemplateReader) -> str:
    """Hash of everything that decides what a method reads; its name and evidence do not."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        elif is_dataclass(value):
            for field in fields(value):
                if field.name not in _NOT_SAID:
                    digest.update(field.name.encode())
                    add(getattr(value, field.name))
        elif isinstance(value, tuple):
            for one in value:
                add(one)
        else:
            digest.update(repr(value).encode() + b"|")

    add(method)
    return digest.hexdigest()


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


def _where(source: object) -> str:
    return str(source) if isinstance(source, str | Path | Store) else "in memory"
