"""Encoded or used? Erases attributes from templates by a closed-form linear map, and measures what is left.

    ERASED/
    ├── part-00000.parquet ...   templates of norm 1 with photo, face and identity; every command reads them
    ├── eraser.safetensors       left (d, m), right (d, m)
    ├── eraser.json              what they erase, and from which encoder's templates
    └── erasure.json             what could be read and verified, before and after

LEACE (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form") moves vectors as little as an
affine map can that leaves no covariance with the labels; then no linear classifier does better on the data of the
fit than a constant one. Templates are compared by angle, so an erased template is scaled to norm 1 again, which
would bring a little covariance back: :func:`fit_eraser` corrects LEACE's factors until the scaled templates have none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Float64s, Floats, Int8s
from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import InputError, LabelError, TemplateError
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.interpreter.thresholds import rows_of
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, refuse_overlap
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import AucInterval, delong
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import fit_logistic
from clip_smu.metrics.persons import count_persons, persons_apart
from clip_smu.metrics.verification import (
    Paired,
    Pairs,
    Verification,
    compare,
    cosine,
    pairs_of_identities,
    read_pairs,
    verification,
)
from clip_smu.photos.names import clean, match
from clip_smu.storage.digests import bytes_digest
from clip_smu.storage.documents import Dim, Sha256, checked, finite, read_json, write_json
from clip_smu.storage.job_folders import claim_folder, writes_folder
from clip_smu.storage.saved_folders import require_files
from clip_smu.storage.tensors import read_tensors, write_tensors
from clip_smu.templates import Source, Store, Templates, iter_templates, store_of, usable
from clip_smu.templates.shards import FORMAT, read_note, shard, shard_note, template_schema
from clip_smu.templates.table import joined
from clip_smu.words.attributes import NAMES, resolve
from clip_smu.words.hiding import Hide, hidden_names, shown_columns

ROUNDS = 100  # corrections of the factors for the scaling to norm 1; LFW's templates need 5 to 13
LEFT_OVER = 1e-9  # largest correlation between a scaled template's number and a label that counts as none
OTHER_FOLDS = 5
TRAINING, OTHERS = "training persons", "other test persons"
FEW = 5  # training faces a number, below which their covariance is shrunk
LANDMARKS = 1024
_CONSTANT = 1e-9  # a spread below this share of the largest is rounding

Progress = Callable[[str, int, int], None]


class Leace(NamedTuple):
    """LEACE as published: ``r(x) = x - left (right' (x - mean))``, with ``left right' = W⁺ P W``.

    Attributes:
        mean: (d,) of the vectors.
        left, right: (d, m) float64, ``right' left = I``; m is the rank of the cross-covariance.
    """

    mean: Float64s
    left: Float64s
    right: Float64s


@dataclass(frozen=True, eq=False)
class Eraser:
    """The map ``t -> unit(u - left (right' u))`` with ``u = unit(t)``.

    It is about the origin, not about the mean (LEACE leaves that constant free): an erased template then has no part
    along ``right``, so that no length, once scaled away, can be told from it.

    Attributes:
        attributes: what it erases.
        encoder: whose templates, "" where unknown.
        left, right: (d, m) float64, ``right' left = I``.
        provenance: the data of the fit, and the largest correlation left over on it.
    """

    attributes: tuple[str, ...]
    encoder: str
    left: Float64s
    right: Float64s
    provenance: dict[str, Any]

    @property
    def dim(self) -> int:
        """d, the length of the templates."""
        return len(self.left)

    def apply(self, vectors: Floats) -> Float32s:
        """(N, d) float32 erased templates of norm 1; zero, NaN and infinite rows stay as they are.

        Raises:
            TemplateError: vectors of another length.
        """
        given = np.asarray(vectors, dtype=np.float32)
        if given.ndim != 2 or given.shape[1] != self.dim:
            raise TemplateError(f"expected (N, {self.dim}) templates of {self.encoder}, found {given.shape}")
        erased = given.copy()
        good = usable(given)
        erased[good] = _erased(_unit(given[good]), self.left, self.right)
        return erased

    def save(self, folder: str | Path) -> None:
        """Writes ``eraser.safetensors`` and ``eraser.json``."""
        folder, name = Path(folder), "eraser.safetensors"
        files = {name: write_tensors(folder / name, {"left": self.left, "right": self.right})}
        about = {"format": 1, "attributes": list(self.attributes), "encoder": self.encoder, "dim": self.dim}
        about["files"] = files
        write_json(folder / "eraser.json", {**about, "provenance": self.provenance})


@dataclass(frozen=True, slots=True, eq=False)
class Reread:
    """How well one reader tells the attributes of the test persons, before and after.

    Attributes:
        reader: "linear probe", "non-linear probe", or the name of a method.
        fitted_on: "training persons" (those of the eraser), "other test persons", or "" for a method as it is.
        attributes: K names.
        before, after: K AUCs with 95 % intervals that count persons.
    """

    reader: str
    fitted_on: str
    attributes: tuple[str, ...]
    before: AucInterval
    after: AucInterval

    def of(self, attribute: str) -> tuple[float, float]:
        """AUC of one attribute before and after; NaN where it cannot be told."""
        k = self.attributes.index(attribute)
        return float(self.before.auc[k]), float(self.after.auc[k])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; NaN becomes ``None``."""
        rows = [
            {
                "attribute": name,
                "before": _interval(self.before, k),
                "after": _interval(self.after, k),
                "n_positive": int(self.after.n_positive[k]),
                "n_negative": int(self.after.n_negative[k]),
                "reason": self.after.reason[k] or self.before.reason[k],
            }
            for k, name in enumerate(self.attributes)
        ]
        return {"reader": self.reader, "fitted_on": self.fitted_on, "attributes": rows}


@dataclass(frozen=True, slots=True)
class Recognition:
    """Verification on the same pairs, before and after.

    Attributes:
        pairs_from: the file, or "identities of the test list".
        left_out: pairs of which a photo has no usable template.
        before, after: figures.
        paired: after less before, with p-values.
    """

    pairs_from: str
    left_out: int
    before: Verification
    after: Verification
    paired: Paired


@dataclass(frozen=True, slots=True, eq=False)
class Erasure:
    """What :func:`erase` did and found.

    Attributes:
        eraser: the map.
        templates: rows written; ``unusable`` of them are zero or not finite, and were written as they are.
        readings: by reader.
        recognition: ``None`` where there were no pairs; ``no_recognition`` says why.
        norm_auc: erased attribute → AUC of the norm of the network's output alone (NaN where it is not stored).
        sentence: the answer in plain words.
    """

    eraser: Eraser
    templates: int
    unusable: int
    readings: tuple[Reread, ...]
    recognition: Recognition | None
    no_recognition: str
    norm_auc: dict[str, float]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        known = self.recognition
        return {
            "format": 1,
            "attributes": list(self.eraser.attributes),
            "encoder": self.eraser.encoder,
            "sentence": self.sentence,
            "templates": self.templates,
            "unusable": self.unusable,
            "fit": self.eraser.provenance,
            "readings": [reading.to_dict() for reading in self.readings],
            "norm_auc": finite(self.norm_auc),
            "verification": None if known is None else asdict(known),
            "no_verification": self.no_recognition,
        }


@writes_folder
def erase(
    attributes: Sequence[str],
    templates: Source,
    labels: str | Path,
    output: str | Path,
    *,
    train: str | Path,
    test: str | Path,
    methods: Sequence[TemplateReader] = (),
    pairs: str | Path | None = None,
    hide: Hide = (),
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Erasure:
    """Erases attributes from stored templates, and measures what can still be read and who is still recognised.

    The eraser is fitted on the training persons. All templates of the store are written, erased, to ``output``, with
    photo, face and identity; not the norm of the network's output, the box and the landmarks, which tell attributes
    too. Then the test persons are read: by ``methods`` as they are, and by linear and non-linear probes fitted
    afresh to the erased templates, once of the training persons and once (linear) of other test persons.

    Args:
        attributes: names or groups ("race").
        templates: folder or file; labels: csv in the MAAD form.
        train, test: lists of photos of different persons.
        methods: interpreters or probes of the same encoder.
        pairs: ``pairs.txt`` or csv; default, pairs drawn from the persons of the test list.
        hide: attributes, groups or categories, by name, of which nothing is told; none that is to be erased.
        seed: of the probes' folds and landmarks, and of drawn pairs.
        overwrite: replace what another job left in ``output``.
        progress: called with stage, done, total.

    Raises:
        InputError, LabelError: an unknown attribute, a hidden one, one with a single class, lists that share
            persons, or an ``output`` that holds another job.
        EncoderError, TemplateError: a method reads other templates.
        StorageError: the disk is full; the same command goes on.
    """
    started = time.time()
    columns = resolve(list(attributes))
    if not columns:
        raise InputError("nothing to erase: name an attribute or a group, such as Male or race")
    names = tuple(NAMES[k] for k in columns)
    if secret := hidden_names(hide).intersection(names):
        raise InputError(
            f"{min(secret)} is hidden, and what is erased is told of: hide others, or erase others"
        )
    store, output, tell = store_of(templates), Path(output), progress or (lambda *_: None)
    lists = read_list(train), read_list(test)
    given = None if pairs is None else read_pairs(Path(pairs))
    known, paired = read_labels(labels), [] if given is None else [*given.first, *given.second]
    kept = _gather(store, [*lists[0], *lists[1], *paired], tell)
    fitted, tested = (join(kept, known, only) for only in lists)
    refuse_overlap(fitted, tested)
    for method in methods:
        method.check_templates(kept.card, kept.vectors.shape[1])
    eraser = fit_eraser(
        fitted.templates.vectors,
        fitted.labels[:, columns],
        names,
        encoder=kept.card.name if kept.card else "",
    )
    eraser.provenance["persons"] = count_persons(fitted.templates.identities)
    recognition, no_recognition = None, ""
    if given is not None:
        recognition = _recognition(given, kept, eraser, Path(str(pairs)).name)
    else:
        try:
            photos = list(zip(tested.templates.images, tested.templates.identities, strict=True))
            drawn = pairs_of_identities(photos, seed=seed)
            recognition = _recognition(drawn, kept, eraser, "identities of the test list")
        except InputError as error:
            no_recognition = str(error)
    rows, bad = _write_store(eraser, store, output, overwrite, tell)
    eraser.save(output)
    readings = _readings(methods, fitted, tested, eraser, columns, hide, seed, tell)
    found = Erasure(
        eraser,
        rows,
        bad,
        readings,
        recognition,
        no_recognition,
        _norm_auc(names, tested, columns),
        _sentence(names, readings, recognition, eraser),
    )
    test_report = {"faces": len(tested.labels), "persons": count_persons(tested.templates.identities)}
    values = found.to_dict() | {"test": test_report, "seconds": round(time.time() - started, 1)}
    write_json(output / "erasure.json", values)
    return found


def leace(vectors: Float64s, labels: Int8s, shrinkage: float = 0.0) -> Leace:
    """LEACE's factors in closed form (Belrose et al. 2023, theorem 4.3).

    ``W = Σ_xx^(-1/2)`` over all rows (pseudo-inverse), ``P`` the orthogonal projection onto the columns of
    ``W Σ_xz``. Column k of ``Σ_xz`` is over the rows whose label k is known. Whatever W, no covariance is left.

    Args:
        vectors: (N, d) float64.
        labels: (N, K) int8; 1, -1, or 0 for unknown.
        shrinkage: 0 to 1, share of the mean variance in Σ_xx: ``(1 - s) Σ_xx + s mean(diag Σ_xx) I``.
    """
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / len(vectors))
    variances = (1 - shrinkage) * variances + shrinkage * variances.mean()
    kept = variances > variances[-1] * 1e-10
    axes, spread = axes[:, kept], np.sqrt(variances[kept])
    whitened = axes @ ((axes.T @ _covariances(vectors, labels)) / spread[:, None])  # (d, K)
    lengths = np.linalg.norm(whitened, axis=0)
    basis, sizes, _ = np.linalg.svd(whitened / np.where(lengths > 0, lengths, 1), full_matrices=False)
    basis = basis[:, sizes > 1e-9]  # exclusive attributes may depend on each other
    return Leace(
        mean, axes @ (spread[:, None] * (axes.T @ basis)), axes @ ((axes.T @ basis) / spread[:, None])
    )


def oas(vectors: Float64s) -> float:
    """The share, 0 to 1, of the mean variance that makes the covariance of (N, d) rows the best on average.

    Oracle approximating shrinkage, in closed form (Chen, Wiesel, Eldar & Hero 2010), as scikit-learn has it.
    """
    n, d = vectors.shape
    centred = vectors - vectors.mean(axis=0)
    covariance = centred.T @ centred / n
    size, mean = float((covariance**2).mean()), float(np.trace(covariance)) / d
    apart = (n + 1) * (size - mean**2 / d)
    return min((size + mean**2) / apart, 1.0) if apart > 0 else 1.0


def fit_eraser(vectors: Floats, labels: Int8s, attributes: Sequence[str], *, encoder: str = "") -> Eraser:
    """Fits an eraser: after it, templates scaled to norm 1 have no covariance with the labels on these rows.

    ``right`` is LEACE's on unit templates; with fewer than :data:`FEW` rows a number, of their shrunken covariance
    (:func:`oas`), as the plain one is noise there and the map would move templates far. ``left`` starts as LEACE's;
    each round adds ``(I - E[s s'])^-1 C (cov(right' u / |r|, z))^+``, with s the scaled templates and C the covariance
    that they still have: to first order the change that removes it. The largest correlation left over is in
    ``provenance``.

    Args:
        vectors: (N, d) usable templates, of any norm.
        labels: (N, K) int8; 1, -1, or 0 for unknown.
        attributes: K names.
        encoder: whose templates these are.

    Raises:
        InputError: an attribute has fewer than two labels of a kind, templates do not vary, nothing of them would be
            left, or the labels' covariance cannot be taken out of them.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> templates = rng.normal(size=(500, 8))
        >>> male = np.where(templates[:, :1] > 0, 1, -1).astype(np.int8)
        >>> erased = fit_eraser(templates, male, ["Male"]).apply(templates)
        >>> bool(np.abs(erased[male[:, 0] > 0].mean(axis=0) - erased[male[:, 0] < 0].mean(axis=0)).max() < 1e-6)
        True
    """
    for name, column in zip(attributes, labels.T, strict=True):
        yes, no = int((column > 0).sum()), int((column < 0).sum())
        if min(yes, no) < 2:
            raise InputError(
                f"{name} cannot be erased: expected faces with and without it among the training persons, found "
                f"{yes} yes and {no} no; leave it out or label more"
            )
    units = _unit(np.asarray(vectors))
    faces, numbers = units.shape
    spread = units.std(axis=0)
    if spread.max() <= _CONSTANT:
        raise InputError(
            f"nothing can be erased: all {faces} templates of the training persons are the same; give others"
        )
    shrinkage = oas(units) if faces < FEW * numbers else 0.0
    _, left, right = leace(units, labels, shrinkage)
    room = int(np.linalg.matrix_rank(np.cov(units.T), hermitian=True))
    if left.shape[1] >= room:
        raise InputError(
            f"{len(attributes)} attributes cannot be erased from {numbers} numbers that vary in {room} directions "
            f"among {faces} training faces: nothing would be left; erase fewer, or give more faces"
        )
    along = units @ right  # (N, m)
    deviations = np.array([column[column != 0].std() / 2 for column in labels.astype(np.float64).T])
    best, least, step, change = left, np.inf, 1.0, np.zeros_like(left)
    for _ in range(ROUNDS):
        left = best + step * change
        moved = units - along @ left.T
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            moved /= lengths
        rest = _covariances(moved, labels)
        worst = _largest_correlation(rest, moved.std(axis=0), spread, deviations)
        if not worst < least:  # too far: half the way
            step /= 2
            continue
        best, least, step = left, worst, min(1.0, 2 * step)
        if least < LEFT_OVER:
            break
        turned = np.linalg.pinv(_covariances(along / lengths, labels), rcond=1e-9)  # (K, m)
        sphere = np.eye(len(left)) - moved.T @ moved / len(moved)  # a change along a template is scaled away
        change = np.linalg.solve(sphere, rest) @ turned
    if not np.isfinite(least):
        raise InputError(
            f"{', '.join(attributes)} cannot be erased from these {faces} training faces: the map would leave nothing "
            "of one of them; erase fewer attributes, or give more faces"
        )
    figures = {
        "faces": len(units),
        "shrinkage": round(shrinkage, 6),
        "known": {name: int((column != 0).sum()) for name, column in zip(attributes, labels.T, strict=True)},
        "rank": best.shape[1],
        "largest_correlation_left": least,
    }
    return Eraser(tuple(attributes), encoder, best, right, figures)


def _largest_correlation(rest: Float64s, after: Float64s, before: Float64s, deviations: Float64s) -> float:
    """Of any number with any label; a number that is constant, before or after, has none.

    Args:
        rest: (d, K) covariances.
        after, before: (d,) standard deviations of the numbers. deviations: (K,) those of the labels.
    """
    if not np.isfinite(rest).all():  # a template of which nothing is left
        return np.inf
    some = after > _CONSTANT * before.max()
    return float(np.abs(rest[some] / (after[some, None] * deviations)).max()) if some.any() else 0.0


def load_eraser(folder: str | Path) -> Eraser:
    """Reads what :meth:`Eraser.save` wrote.

    Raises:
        InputError: a file is missing or damaged.
    """
    folder = Path(folder)
    require_files(folder, ("eraser.json", "eraser.safetensors"), "an eraser", "clip-smu erase")
    where = f"the eraser in {folder}"
    values = read_json(folder / "eraser.json", "an eraser")
    form = checked(values, _Form, f"{where} is damaged")
    arrays = read_tensors(folder / "eraser.safetensors", "eraser", noted=form.files.get("eraser.safetensors"))
    for name in ("left", "right"):
        array = arrays.get(name)
        if (
            array is None
            or array.dtype.kind != "f"
            or array.ndim != 2
            or len(array) != form.dim
            or array.shape != arrays["left"].shape
            or not np.isfinite(array).all()
        ):
            raise InputError(f"{where} is damaged: expected ({form.dim}, m) finite numbers as {name}")
    left, right = (arrays[name].astype(np.float64) for name in ("left", "right"))
    return Eraser(form.attributes, form.encoder, left, right, values["provenance"])


class _Form(msgspec.Struct):
    """eraser.json."""

    attributes: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    encoder: str
    dim: Dim
    provenance: dict[str, Any]
    files: dict[str, Sha256] = {}

    def __post_init__(self) -> None:
        unknown = [name for name in self.attributes if name not in NAMES]
        if unknown:
            raise ValueError(f"expected names of the 47 attributes, got {unknown[0][:40]!r}")


# ---------------------------------------------------------------- the map


def _unit(vectors: Floats) -> Float64s:
    wide = np.asarray(vectors, dtype=np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


def _erased(units: Float64s, left: Float64s, right: Float64s) -> Float64s:
    return _unit(units - (units @ right) @ left.T)


def _covariances(vectors: Float64s, labels: Int8s) -> Float64s:
    """(d, K) covariance of each number with each label (1 or 0), over the rows where that label is known."""
    known = labels != 0
    counts = np.maximum(known.sum(axis=0), 1)
    truth = (labels > 0).astype(np.float64)
    off = np.where(known, truth - truth.sum(axis=0) / counts, 0)  # (N, K), each column sums to 0
    return np.asarray(vectors.T @ off / counts)


# ---------------------------------------------------------------- the store


def _gather(store: Store, wanted: Sequence[str], tell: Progress) -> Templates:
    """The main faces of the wanted photos; the store passes by once for names, once for templates."""
    mains = [
        image
        for part in iter_templates(store)
        for image, face in zip(part.images, part.faces.tolist(), strict=True)
        if face == 0
    ]
    found = match(wanted, mains)
    images = {clean(mains[row]) for row in found.at[found.at >= 0]}
    parts: list[Templates] = []
    done, total = 0, store.count() or 0
    for part in iter_templates(store):
        rows = [
            row
            for row, (image, face) in enumerate(zip(part.images, part.faces.tolist(), strict=True))
            if face == 0 and clean(image) in images
        ]
        parts.append(part.take(np.array(rows, dtype=np.intp)))
        done += len(part)
        tell("templates read", done, max(total, done))
    if not any(len(part) for part in parts):
        raise LabelError(
            f"no photo of {store} is on the training or test list: the lists say {min(wanted)}; "
            "extract from the folder that those names start in"
            f"{f' (ambiguous: {found.first})' if found.first else ''}"
        )
    return joined(parts)


def _write_store(
    eraser: Eraser, store: Store, output: Path, overwrite: bool, tell: Progress
) -> tuple[int, int]:
    """Writes the parts that are not there yet, or were made of other templates; gives rows, and those unusable."""
    path, files, keys = store.path, store.files, store.contents()
    if output.resolve() == (path if path.is_dir() else path.parent).resolve():
        raise InputError(f"{output} holds the templates themselves: choose another output folder")
    factors = bytes_digest(eraser.left.tobytes(), eraser.right.tobytes())
    job = {
        "command": "erase",
        "attributes": list(eraser.attributes),
        "eraser": factors,
        "templates": [file.name for file in files],
        "column": store.column,
    }
    claim_folder(output, job, overwrite=overwrite, private=True)
    rows = bad = 0
    for number, (file, key) in enumerate(zip(files, keys, strict=True)):
        part = output / f"{file.stem}.parquet"
        done = _finished(part, key)
        if done is None:
            with shard(part) as temporary:
                _write_part(eraser, store, file, temporary, key)
            done = read_note(part)
        note, count = done
        rows, bad = rows + count, bad + note["unusable"]
        tell("parts written", number + 1, len(files))
    return rows, bad


def _finished(part: Path, key: list[str]) -> tuple[dict[str, Any], int] | None:
    """Note and rows of a part that is whole and was made of templates of this content, else ``None``."""
    if not part.exists():
        return None
    try:
        note, rows = read_note(part)
    except TemplateError:  # damaged: made anew
        return None
    return (note, rows) if note.get("source") == key else None


def _write_part(eraser: Eraser, store: Store, source: Path, target: Path, key: list[str]) -> None:
    writer, bad = None, 0
    try:
        for part in store.part(source):
            schema = _schema(part.card, eraser)
            writer = writer or pq.ParquetWriter(target, schema, compression="none", write_page_checksum=True)
            bad += int((~usable(part.vectors)).sum())
            erased = eraser.apply(part.vectors)
            columns = [
                pa.array(part.images, pa.string()),
                pa.array(part.faces),
                pa.array(part.identities, pa.string()),
                pa.nulls(len(part), pa.float32()),
                pa.FixedSizeListArray.from_arrays(pa.array(erased.reshape(-1)), eraser.dim),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        if writer is None:
            writer = pq.ParquetWriter(target, _schema(None, eraser))
        writer.add_key_value_metadata(shard_note({"unusable": bad, "source": key}))
    finally:
        if writer is not None:
            writer.close()


def _schema(card: EncoderCard | None, eraser: Eraser) -> pa.Schema:
    """A shard's columns without box, landmarks and detection score; the norm is null, and what was erased is said."""
    fields = [
        ("image", pa.string()),
        ("face", pa.int16()),
        ("identity", pa.string()),
        ("norm", pa.float32()),
        ("template", pa.list_(pa.float32(), eraser.dim)),
    ]
    metadata = {b"clip_smu.format": FORMAT.encode()} if card is None else dict(template_schema(card).metadata)
    metadata[b"clip_smu.erased"] = json.dumps(list(eraser.attributes)).encode()
    return pa.schema(fields, metadata=metadata)


# ---------------------------------------------------------------- what is left


def _readings(
    methods: Sequence[TemplateReader],
    fitted: Labelled,
    tested: Labelled,
    eraser: Eraser,
    columns: tuple[int, ...],
    hide: Hide,
    seed: int,
    tell: Progress,
) -> tuple[Reread, ...]:
    """The test persons read by all readers, from their templates as they were and erased."""
    x, y = fitted.templates.vectors, tested.templates.vectors
    sides = ((x, y), (eraser.apply(x), eraser.apply(y)))
    identities, few = tested.templates.identities, tested.labels[:, columns]

    def reread(
        reader: str,
        fitted_on: str,
        names: tuple[str, ...],
        read: Callable[[Float32s, Float32s], NDArray[Any]],
        labels: Int8s,
    ) -> Reread:
        stage = f"{reader} of others" if fitted_on == OTHERS else reader
        scores: list[NDArray[Any]] = []
        for side in sides:
            tell(stage, len(scores), 2)
            scores.append(read(*side))
        tell(stage, 2, 2)
        persons, keep = persons_apart(identities), shown_columns(names, hide)
        before, after = (delong(one[:, keep], labels[:, keep], identity=persons) for one in scores)
        return Reread(reader, fitted_on, tuple(names[k] for k in keep), before, after)

    def by_method(one: TemplateReader) -> Callable[[Float32s, Float32s], NDArray[Any]]:
        open_to_all = replace(one, likeness=None)  # erased templates are to be read, whatever they look like
        return lambda _, test: open_to_all.read(test)[0]

    def by_probe(kind: str) -> Callable[[Float32s, Float32s], NDArray[Any]]:
        return lambda train, test: _probe(kind, train, fitted.labels, test, seed)

    def by_others(_: Float32s, test: Float32s) -> NDArray[Any]:
        return _probe_of_others(test, few, identities, seed)

    return (
        *(reread(one.name, "", one.attributes, by_method(one), tested.labels) for one in methods),
        *(reread(kind, TRAINING, NAMES, by_probe(kind), tested.labels) for kind in PROBES),
        reread("linear probe", OTHERS, eraser.attributes, by_others, few),
    )


def _probe(kind: str, train: Float32s, labels: Int8s, test: Float32s, seed: int) -> Float64s:
    """(M, K) log odds of the test rows by logistic regressions fitted afresh to the training rows, without intercept.

    The fit starts from the constant prediction, which is the optimum where no covariance is left. Log odds are
    rounded to 0.001: a probe whose log odds differ by less says the same of every face, and the order of what a solver
    leaves in the last digits is no reading.
    """
    features, strength = PROBES[kind]
    a, b = features(train, test, seed)
    yes, no = (np.maximum((labels == sign).sum(axis=0), 1) for sign in (1, -1))
    constant = np.zeros((labels.shape[1], a.shape[1])), np.log(yes / no)
    weights, _ = fit_logistic(a, labels, strength, start=constant)
    return np.asarray(np.round(b @ weights.T, 3), dtype=np.float64)


def _probe_of_others(templates: Float32s, labels: Int8s, identities: Sequence[str], seed: int) -> Float64s:
    """(N, K) log odds of each row by linear probes of the other folds' persons."""
    fold_of = identity_folds(identities, OTHER_FOLDS, seed)
    scores = np.zeros(labels.shape)
    for fold in range(OTHER_FOLDS):
        inside, outside = fold_of != fold, fold_of == fold
        if inside.any() and outside.any():
            scores[outside] = _probe(
                "linear probe", templates[inside], labels[inside], templates[outside], seed
            )
    return scores


def _standard(train: Float32s, test: Float32s, seed: int) -> tuple[Float32s, Float32s]:  # noqa: ARG001 (nothing is drawn)
    """Unit templates, each number centred and scaled by the training rows."""
    a, b = _unit(train), _unit(test)
    mean, spread = a.mean(axis=0), a.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1)
    return ((a - mean) / spread).astype(np.float32), ((b - mean) / spread).astype(np.float32)


def _kernel(train: Float32s, test: Float32s, seed: int) -> tuple[Float32s, Float32s]:
    """Nyström features of a Gaussian kernel on unit templates (Williams & Seeger 2001): (N, m), m at most 1024.

    The kernel is ``exp(-|x - y|² / 2w²)``, w the median distance of the landmarks, which are training rows drawn by
    the seed. A regression on these features is a kernel machine; it needs no gradient descent.
    """
    a, b = _unit(train), _unit(test)
    marks = a[np.random.default_rng(seed).permutation(len(a))[:LANDMARKS]]
    square = np.maximum(2 - 2 * marks @ marks.T, 0)
    width = float(np.median(square[np.triu_indices(len(marks), 1)]))
    values, axes = np.linalg.eigh(np.exp(-square / (2 * width)))
    kept = values > values[-1] * 1e-10
    root = axes[:, kept] / np.sqrt(values[kept])
    side_a, side_b = (np.exp((x @ marks.T - 1) / width) @ root for x in (a, b))
    return side_a.astype(np.float32), side_b.astype(np.float32)


PROBES: dict[str, tuple[Callable[[Float32s, Float32s, int], tuple[Float32s, Float32s]], float]] = {
    "linear probe": (_standard, 0.01),
    "non-linear probe": (_kernel, 30.0),
}
"""Probe → its features and the strength C of its logistic regression: near the best for LFW's templates of mbf."""


def _norm_auc(names: tuple[str, ...], tested: Labelled, columns: tuple[int, ...]) -> dict[str, float]:
    """How well the norm alone tells the erased attributes; either direction counts."""
    norms = tested.templates.norms
    if not np.isfinite(norms).all():
        return dict.fromkeys(names, float("nan"))
    areas = [float(delong(norms, tested.labels[:, k]).auc[0]) for k in columns]
    return {name: max(area, 1 - area) for name, area in zip(names, areas, strict=True)}


def _recognition(pairs: Pairs, kept: Templates, eraser: Eraser, pairs_from: str) -> Recognition:
    """Cosines of the pairs whose two photos have usable templates, before and after.

    Raises:
        InputError: too few of them have.
    """
    rows_a, rows_b, used = rows_of(pairs, kept)
    first, second = kept.vectors[rows_a], kept.vectors[rows_b]
    before, after = cosine(first, second), cosine(eraser.apply(first), eraser.apply(second))
    return Recognition(
        pairs_from,
        len(pairs) - len(used),
        verification(before, used.same, used.folds),
        verification(after, used.same, used.folds),
        compare(before, after, used.same),
    )


# ---------------------------------------------------------------- words


def _sentence(
    names: Sequence[str], readings: Sequence[Reread], known: Recognition | None, eraser: Eraser
) -> str:
    faces = eraser.provenance["faces"]
    few = f"Fitted to {faces} faces for {eraser.dim} numbers: too few to erase much from templates of other persons."
    return " ".join(
        [
            *(_of_attribute(name, readings) for name in names),
            *([few] if faces < eraser.dim else []),
            *([] if known is None else [_of(known)]),
        ]
    )


def _of_attribute(name: str, readings: Sequence[Reread]) -> str:
    linear, curved, others = (
        next(r for r in readings if (r.reader, r.fitted_on) == key)
        for key in (
            ("linear probe", TRAINING),
            ("non-linear probe", TRAINING),
            ("linear probe", OTHERS),
        )
    )
    (before, after), (_, still) = linear.of(name), curved.of(name)
    text = f"{name} erased: a fresh linear probe reads it with AUC {_short(after)} (before {_short(before)})"
    was, rest = others.of(name)
    if np.isfinite(rest):
        text += f", one fitted to other persons than the eraser with {_short(rest)} (before {_short(was)})"
    if _told(curved, name):
        return f"{text}, a non-linear one still with {_short(still)}: the templates hold it non-linearly."
    chance = (
        ": none is surely better than chance" if not _told(linear, name) and not _told(others, name) else ""
    )
    return f"{text}, a non-linear one with {_short(still)}{chance}."


def _told(reading: Reread, name: str) -> bool:
    """Whether the interval after erasing lies above chance."""
    return bool(reading.after.low[reading.attributes.index(name)] > 0.5)


def _of(known: Recognition) -> str:
    before, after = known.before, known.after
    lost = before.tar["1e-03"] - after.tar["1e-03"]
    use = "hardly uses" if lost < 0.01 else "uses" if lost > 0.05 else "uses a little of"
    return (
        f"Verification: TAR at FAR 1e-3 {_short(before.tar['1e-03'], 3)} -> {_short(after.tar['1e-03'], 3)}, "
        f"accuracy {_short(before.accuracy, 4)} -> {_short(after.accuracy, 4)}: recognition {use} what was erased."
    )


def _short(value: float, digits: int = 2) -> str:
    """.87 for 0.87, as figures are written in the documents."""
    return "unknown" if np.isnan(value) else f"{value:.{digits}f}".removeprefix("0")


def _interval(found: AucInterval, k: int) -> dict[str, float | None]:
    return {key: finite(float(getattr(found, key)[k])) for key in ("auc", "low", "high")}
