"""Templates and labels → probe: the paper's classifiers on stored templates, and two stronger ones. (PyTorch)

====================  ====================================================================================
multi-label           one Linear d → 47, binary cross-entropy, Adam: the paper's recipe
binary                47 times Linear d → 1, the rarer class oversampled, Adam: the paper's other recipe
logistic-regression   47 times L2, solved to the optimum, each at its own best C (`clip_smu.metrics.logistic`)
mlp                   d → 256 → 47 with ReLU and dropout, AdamW, stopped early
====================  ====================================================================================

Identities are dealt into folds. Each fold is scored by classifiers of the other folds; on these scores the readings
are calibrated. The probe's own classifiers are then trained on all rows. Labels of 0 (unknown) take no part.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from clip_smu.arrays import Float32s, Float64s, Indices, Int8s
from clip_smu.errors import InputError
from clip_smu.interpreter.calibration import calibrate
from clip_smu.interpreter.evidence import gather_evidence, verdict_errors
from clip_smu.interpreter.probe import PROBE_FOLDER, Probe, load_probe
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled, fingerprint, refuse_overlap
from clip_smu.labels.labels import Labels
from clip_smu.labels.reading import read_labels
from clip_smu.metrics import auc
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import C_GRID, choose_c, fit_logistic
from clip_smu.metrics.persons import count_persons, require_persons
from clip_smu.storage.digests import bytes_digest, json_digest
from clip_smu.storage.files import storage_errors
from clip_smu.storage.job_folders import holds_files, writes_folder
from clip_smu.templates import Source, Templates, read_templates
from clip_smu.templates.likeness import measure_likeness
from clip_smu.words.attributes import NAMES

Layers = tuple[tuple[Float32s, Float32s], ...]
Progress = Callable[[str, int, int], None]
Setting = TypeVar("Setting", int, float)

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # Adam's own defaults
_TELL_EVERY = 50  # steps
_UNFINISHED = ".unfinished"  # in a probe's folder: its two files are being written
_FLAT = 1e-8  # a spread below this is rounding


@dataclass(frozen=True, slots=True)
class ProbeConfig:
    """Settings of one probe. ``None`` stands for the kind's own default (:data:`KINDS`).

    Attributes:
        kind: ``multi-label``, ``binary``, ``logistic-regression`` or ``mlp``.
        learning_rate: of Adam (``mlp``: the highest; it falls as a cosine).
        epochs: passes over the training rows (``mlp``: at most; ``binary``: over its oversampled rows).
        batch_size: templates a step.
        weight_decay: decoupled (AdamW); without it AdamW is Adam.
        standardise: whether each number of the unit templates is brought to mean 0 and variance 1 first.
        hidden: width of the hidden layer, ``mlp``.
        dropout: share of hidden units that a step leaves out, ``mlp``.
        networks: how many networks are trained and averaged, ``mlp``.
        patience: epochs without a better AUC before a training stops, ``mlp``.
        strengths: values of C to choose from for each attribute, ``logistic-regression``.
        unknown: ``mask``, or ``negative``: train on labels of 0 as if they were no, as the authors' early code did.
            Calibration and evidence always leave them out.
        folds: identity folds, 2 or more.
        error_rate: share of wrong verdicts to choose thresholds for, 0.01 to 0.5.
        seed: of everything random.

    Example:
        >>> ProbeConfig("multi-label").resolved().epochs
        15
    """

    kind: str = "logistic-regression"
    learning_rate: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    weight_decay: float | None = None
    standardise: bool | None = None
    hidden: int = 256
    dropout: float = 0.5
    networks: int = 1
    patience: int = 8
    strengths: tuple[float, ...] = C_GRID
    unknown: str = "mask"
    folds: int = 5
    error_rate: float = 0.10
    seed: int = 0

    def check(self) -> None:
        """Raises InputError where a setting cannot be used."""
        for name, low, high in (
            ("learning_rate", 1e-9, 10),
            ("epochs", 1, 10**6),
            ("batch_size", 1, 10**7),
            ("weight_decay", 0, 10),
            ("hidden", 1, 10**5),
            ("dropout", 0, 0.95),
            ("networks", 1, 100),
            ("patience", 1, 10**6),
            ("folds", 2, 100),
            ("error_rate", 0.01, 0.5),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value}")
        for name, choices in (("kind", tuple(KINDS)), ("unknown", ("mask", "negative"))):
            if getattr(self, name) not in choices:
                raise InputError(
                    f"the {name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}"
                )
        if not self.strengths or not all(0 < c < math.inf for c in self.strengths):
            raise InputError(f"strengths must be positive values of C, not {self.strengths}")

    def resolved(self) -> ProbeConfig:
        """The same with the kind's defaults filled in."""
        names = ("learning_rate", "epochs", "batch_size", "weight_decay", "standardise")
        return replace(
            self, **{key: getattr(KINDS[self.kind], key) for key in names if getattr(self, key) is None}
        )


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to learn from, or to watch.

    Attributes:
        x: (N, d) float32, as the first layer gets them.
        labels: (N, 47) int8.
    """

    x: Float32s
    labels: Int8s


@dataclass(frozen=True, eq=False)
class Training:
    """One training.

    Attributes:
        rows: to learn from.
        held_out: of other persons, for early stopping; ``None`` to train for all ``epochs``.
        config: all filled in.
        epochs: passes over the rows, or with ``held_out`` the most.
        strength: (47,) C of each attribute, ``logistic-regression``.
        tell: called with (done, total).
    """

    rows: Rows
    held_out: Rows | None
    config: ProbeConfig
    epochs: int
    strength: Float64s | None
    tell: Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """Layers as in :class:`clip_smu.interpreter.probe.Probe`, and the epoch that they are of."""

    layers: Layers
    epoch: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of probe: how it is trained, and the settings that stand where none is given."""

    train: Callable[[Training], Trained]
    learning_rate: float = 1e-3
    epochs: int = 1
    batch_size: int = 64
    weight_decay: float = 0.0
    standardise: bool = True


@writes_folder
def fit_probe(
    templates: Templates | Source,
    labels: Labels | str | Path,
    output: str | Path,
    *,
    train: Sequence[str] | str | Path | None = None,
    test: Sequence[str] | str | Path | None = None,
    config: ProbeConfig | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Probe:
    """Fits classifiers to one encoder's templates and writes them as a folder.

    Deterministic from the seed on one machine.

    Args:
        templates: a folder made by ``extract``, a file of templates, or templates in memory.
        labels: a csv in the MAAD form, or labels in memory.
        output: folder of the probe.
        train: names of the photos to fit on (a list, or a file with one name a line); default, all.
        test: names of photos whose identities do not occur in ``train``; the evidence is then measured on them.
        config: settings.
        name: of the probe; default, the folder's name.
        overwrite: replace the probe in ``output``.
        progress: called with (stage, done, total).

    Raises:
        LabelError, TemplateError: the data cannot be read or joined, or hold too few persons.
        InputError: a setting, or an ``output`` that holds something else.

    Example:
        >>> import tempfile
        >>> rng = np.random.default_rng(0)  # made-up faces whose attributes show in their templates
        >>> vectors = rng.normal(size=(60, 8)).astype(np.float32)
        >>> values = np.where(vectors @ rng.normal(size=(8, 47)) > 0, 1, -1).astype(np.int8)
        >>> people = [f"person{row // 2}" for row in range(60)]
        >>> photos = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
        >>> faces = Templates(vectors, photos, np.zeros(60, np.int16), people, np.ones(60, np.float32), None)
        >>> made = fit_probe(faces, Labels(photos, people, values), tempfile.mkdtemp() + "/probe")
        >>> made.kind, made.dim, bool(np.mean([row.auc for row in made.evidence]) > 0.8)
        ('logistic-regression', 8, True)
    """
    config = config or ProbeConfig()
    config.check()
    config = config.resolved()
    output = Path(output)
    table = templates if isinstance(templates, Templates) else read_templates(templates)
    rows = labels if isinstance(labels, Labels) else read_labels(labels)
    known = join(table, rows, train)
    checked = join(table, rows, test) if test is not None else None
    if checked is not None:
        refuse_overlap(known, checked)
    require_persons(known.templates.identities, config.folds)
    job = {"command": "probe", "config": asdict(config), "data": fingerprint(known, checked)}
    done = _claim(output, json_digest(job), overwrite)
    if done is not None:
        return done
    started = time.time()
    encoder = table.card.name if table.card else "unknown"
    probe, scores, note = _fit(known, config, name or output.resolve().name, encoder, progress)
    if checked is not None:
        measured, scores = checked, probe.read(checked.templates.vectors)[0].astype(np.float64)
        source = f"{len(checked.labels)} faces of the test list, whose persons do not occur in training"
    else:
        measured = known
        source = f"{len(known.labels)} training faces, each scored by classifiers that did not see its person"
    provenance = {
        "job": json_digest(job),
        "kind": config.kind,
        "config": asdict(config),
        "trained_on": {
            "faces": len(known.labels),
            "persons": count_persons(known.templates.identities),
            **known.for_provenance(),
        },
        **note,
        "evidence_from": source,
        "verdicts": verdict_errors(probe.calibration, scores, measured.labels, config.error_rate),
        "versions": {package: version(package) for package in ("clip-smu", "torch", "numpy")},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "seconds": round(time.time() - started, 1),
        "weights_sha256": bytes_digest(*(part.tobytes() for layer in probe.layers for part in layer)),
    }
    evidence = gather_evidence(probe.calibration, scores, measured.labels, measured.templates.identities)
    with storage_errors(output):
        (output / _UNFINISHED).touch()  # killed between its two files, the same command goes on
        (output / PROBE_FOLDER.manifest).unlink(
            missing_ok=True
        )  # until the new weights are there, there is no probe
    likeness = measure_likeness(known.templates.vectors, known.templates.identities)
    replace(probe, evidence=evidence, provenance=provenance, card=table.card, likeness=likeness).save(output)
    (output / _UNFINISHED).unlink()
    return load_probe(output)


def _claim(output: Path, job: str, overwrite: bool) -> Probe | None:
    """The probe of the same job, if it is there already; refuses a folder of anything else."""
    if (output / PROBE_FOLDER.manifest).is_file():
        if overwrite:
            return None
        done = load_probe(output)
        if done.provenance.get("job") == job:
            return done
        raise InputError(
            f"{output} already holds a probe of another fit: choose another folder, or pass --overwrite"
        )
    if holds_files(output) and not (output / _UNFINISHED).exists():
        raise InputError(f"{output} is not empty and holds no probe: choose another output folder")
    return None


def _fit(
    known: Labelled, config: ProbeConfig, name: str, encoder: str, progress: Progress | None
) -> tuple[Probe, Float64s, dict[str, Any]]:
    """The calibrated probe; (N, 47) scores of every face by classifiers that did not see its person; a note."""
    people = known.templates.identities
    units = known.templates.vectors / np.linalg.norm(known.templates.vectors, axis=1, keepdims=True)
    taught = np.where(known.labels == 0, -1, known.labels) if config.unknown == "negative" else known.labels
    fold_of = identity_folds(people, config.folds, config.seed)

    def tell(stage: str) -> Callable[[int, int], None]:
        return partial(progress or _silent, stage)

    centre, scale = _standard(units, config)
    whole = Rows((units - centre) / scale, taught)
    strength = None
    if config.kind == "logistic-regression":
        tell("strength")(0, 1)
        strength = choose_c(whole.x, taught, people, config.strengths, seed=config.seed)
        tell("strength")(1, 1)
    train = KINDS[config.kind].train
    most = _given(config.epochs)
    scores = np.zeros(known.labels.shape, dtype=np.float64)
    epochs = []
    for fold in range(config.folds):
        inside, outside = fold_of != fold, fold_of == fold
        middle, spread = _standard(units[inside], config)
        rows = Rows((units[inside] - middle) / spread, taught[inside])
        held_out = Rows((units[outside] - middle) / spread, known.labels[outside])
        stage = tell(f"fold {fold + 1} of {config.folds}")
        trained = train(Training(rows, held_out, config, most, strength, stage))
        scores[outside] = forward(trained.layers, held_out.x) - _mean_score(trained.layers, rows.x)
        epochs.append(trained.epoch)
    steps = int(np.median(epochs))
    trained = train(Training(whole, None, config, steps, strength, tell("all identities")))
    scores += _mean_score(trained.layers, whole.x)
    calibration = calibrate(scores, known.labels, config.error_rate, people)
    probe = Probe(
        name=name,
        encoder=encoder,
        kind=config.kind,
        attributes=NAMES,
        centre=centre,
        scale=scale,
        layers=trained.layers,
        calibration=calibration,
        evidence=(),
        error_rate=config.error_rate,
        provenance={},
    )
    return probe, scores, {"strength": strength.tolist()} if strength is not None else {"epochs": steps}


def _given(setting: Setting | None) -> Setting:
    """A setting that is filled in."""
    assert setting is not None
    return setting


def forward(layers: Layers, x: Float32s) -> Float32s:
    """(N, 47) scores of rows as the first layer gets them."""
    for number, (weight, bias) in enumerate(layers):
        x = (np.maximum(x, 0) if number else x) @ weight + bias
    return x


def _mean_score(layers: Layers, x: Float32s) -> Float64s:
    """(47,) mean score of the rows that a classifier was trained on.

    Folds are told apart from it: a fold whose persons have an attribute more often than most leaves the others with
    less, and its classifier with a lower intercept. Ranked together as they are, such scores read chance as worse than
    chance.
    """
    return np.asarray(forward(layers, x).mean(axis=0, dtype=np.float64))


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""


def _standard(units: Float32s, config: ProbeConfig) -> tuple[Float32s, Float32s]:
    """(d,) centre and scale; zeros and ones where templates are taken as they are."""
    if not config.standardise:
        return np.zeros(units.shape[1], np.float32), np.ones(units.shape[1], np.float32)
    spread = units.std(axis=0, dtype=np.float64)
    spread[spread <= _FLAT] = 1.0  # a number that is the same in all templates tells nothing
    return units.mean(axis=0, dtype=np.float64).astype(np.float32), spread.astype(np.float32)


def _logistic(task: Training) -> Trained:
    task.tell(0, 1)
    assert task.strength is not None
    weights, bias = fit_logistic(task.rows.x, task.rows.labels, task.strength)
    task.tell(1, 1)
    return Trained(((weights.T.astype(np.float32, order="C"), bias.astype(np.float32)),), 1)


def _multi_label(task: Training) -> Trained:
    """Linear d → 47; the loss of a step is the mean over its known labels."""
    config, (n, d) = task.config, task.rows.x.shape
    x, y = torch.from_numpy(task.rows.x), torch.from_numpy(task.rows.labels.astype(np.float32))
    weight, bias = _first_weights(d, len(NAMES), [config.seed])
    optimiser = _adam([weight, bias], config)
    for epoch in range(task.epochs):
        for batch in _batches(n, config, epoch):
            loss = _masked_loss(x[batch] @ weight + bias, y[batch])
            _step(optimiser, loss)
        task.tell(epoch + 1, task.epochs)
    return Trained((_arrays(weight, bias),), task.epochs)


def _binary(task: Training) -> Trained:
    weight, bias = train_binary(task.rows, task.config, range(len(NAMES)), task.epochs, task.tell)
    return Trained(((np.ascontiguousarray(weight.T), bias),), task.epochs)


def train_binary(
    rows: Rows,
    config: ProbeConfig,
    attributes: Sequence[int],
    epochs: int,
    tell: Callable[[int, int], None],
) -> tuple[Float32s, Float32s]:
    """Weights (A, d) and biases (A,) of A binary classifiers, trained at once as if one by one.

    Each attribute has its own first weights, its own stream of rows and its own number of steps: an epoch
    takes each known row of the commoner class once, and as many of the rarer class, each at least once. A step of all
    attributes is one batched product each way; an attribute that has made its steps leaves. An attribute with
    one class only learns nothing: weights of 0, and the smoothed log odds as bias.

    Args:
        rows: templates and labels (N, 47).
        config: all filled in.
        attributes: columns of the labels to train. The result of one does not depend on which others are trained.
    """
    x, d = torch.from_numpy(rows.x), rows.x.shape[1]
    n_yes, n_no = (rows.labels > 0).sum(axis=0), (rows.labels < 0).sum(axis=0)
    batch, rate = _given(config.batch_size), _given(config.learning_rate)
    decay = _given(config.weight_decay)
    weights = np.zeros((len(attributes), d), np.float32)
    bias = np.log((n_yes + 1) / (n_no + 1))[list(attributes)].astype(np.float32)
    steps = {k: epochs * -(-2 * int(max(n_yes[k], n_no[k])) // batch) for k in attributes}
    active = sorted((k for k in attributes if n_yes[k] and n_no[k]), key=lambda k: -steps[k])  # longest first
    if not active:
        return weights, bias
    streams = [_oversampled(rows.labels[:, k], config, k, epochs) for k in active]
    first = [_first_weights(d, 1, [config.seed, k]) for k in active]
    point = torch.stack(
        [torch.cat([weight[:, 0], one]).detach() for weight, one in first]
    )  # (A, d + 1), bias last
    mean, square = torch.zeros_like(point), torch.zeros_like(point)
    total = steps[active[0]]
    for step in range(total):
        running = sum(steps[k] > step for k in active)
        chosen = np.zeros((running, batch), dtype=np.int64)
        sizes = np.empty((running, 1), dtype=np.int64)
        for place in range(running):
            part = next(streams[place])
            sizes[place] = len(part)
            chosen[place, : len(part)] = part
        truth = rows.labels[chosen, np.array(active[:running])[:, None]] > 0
        share = np.where(np.arange(batch) < sizes, 1 / sizes, 0)  # of each row in its batch's mean loss
        faces, now = x[torch.from_numpy(chosen)], point[:running]  # (A, B, d), (A, d + 1)
        score = torch.bmm(faces, now[:, :d, None])[..., 0] + now[:, d:]  # (A, B)
        pull = (score.sigmoid() - torch.from_numpy(truth.astype(np.float32))) * torch.from_numpy(
            share.astype(np.float32)
        )
        gradient = torch.cat([torch.bmm(pull[:, None], faces)[:, 0], pull.sum(dim=1, keepdim=True)], dim=1)
        mean[:running].lerp_(gradient, 1 - _BETAS[0])  # Adam, as PyTorch's
        square[:running].mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        size = (square[:running] / (1 - _BETAS[1] ** (step + 1))).sqrt_() + _EPSILON
        now.mul_(1 - rate * decay)
        now.addcdiv_(mean[:running], size, value=-rate / (1 - _BETAS[0] ** (step + 1)))
        if step % _TELL_EVERY == 0 or step + 1 == total:
            tell(step + 1, total)
    columns = [list(attributes).index(k) for k in active]
    weights[columns], bias[columns] = point[:, :d].numpy(), point[:, d].numpy()
    return weights, bias


def _oversampled(labels: Int8s, config: ProbeConfig, attribute: int, epochs: int) -> Iterator[Indices]:
    """Batches of rows, epoch after epoch, with both classes equally often in each epoch."""
    yes, no = np.flatnonzero(labels > 0), np.flatnonzero(labels < 0)
    few, many = (yes, no) if len(yes) < len(no) else (no, yes)
    batch = _given(config.batch_size)
    for epoch in range(epochs):
        rng = np.random.default_rng([config.seed, attribute, epoch])
        order = rng.permutation(np.concatenate([many, few, rng.choice(few, len(many) - len(few))]))
        yield from (order[at : at + batch] for at in range(0, len(order), batch))


def _mlp(task: Training) -> Trained:
    """d → hidden → 47 with ReLU and dropout; ``networks`` of them side by side on the same batches, averaged.

    With held-out rows it ends after ``patience`` epochs without a better mean AUC there, and gives the best.
    """
    config, (n, d) = task.config, task.rows.x.shape
    x, y = torch.from_numpy(task.rows.x), torch.from_numpy(task.rows.labels.astype(np.float32))
    seeds = [[config.seed, network] for network in range(config.networks)]
    first = [_first_weights(d, config.hidden, seed) for seed in seeds]
    second = [_first_weights(config.hidden, len(NAMES), [*seed, 1]) for seed in seeds]
    weights = [  # (M, d, h), (M, 1, h), (M, h, K), (M, 1, K)
        torch.stack([pair[part].detach() for pair in pairs]).requires_grad_()
        for pairs in (first, second)
        for part in (0, 1)
    ]
    for part in (1, 3):
        weights[part] = weights[part].detach()[:, None].requires_grad_()
    optimiser = _adam(weights, config)
    generator = torch.Generator().manual_seed(config.seed)
    best, best_epoch, best_auc = weights, 0, -1.0
    for epoch in range(task.epochs):
        batches = list(_batches(n, config, epoch))
        for number, batch in enumerate(batches):
            done = (epoch + number / len(batches)) / _given(config.epochs)
            for group in optimiser.param_groups:
                group["lr"] = _given(config.learning_rate) * 0.5 * (1 + math.cos(math.pi * done))
            hidden = torch.relu(x[batch] @ weights[0] + weights[1])
            kept = torch.rand(hidden.shape, generator=generator) >= config.dropout
            scores = (hidden * kept / (1 - config.dropout)) @ weights[2] + weights[3]  # (M, B, K)
            _step(optimiser, len(seeds) * _masked_loss(scores, y[batch].expand_as(scores)))
        task.tell(epoch + 1, task.epochs)
        if task.held_out is not None:
            areas = auc(forward(_joined(weights), task.held_out.x), task.held_out.labels).value
            mean = float(np.nanmean(areas)) if not np.isnan(areas).all() else 0.0
            if mean > best_auc:
                best, best_epoch, best_auc = [part.detach().clone() for part in weights], epoch + 1, mean
            elif epoch + 1 - best_epoch >= config.patience:
                task.tell(task.epochs, task.epochs)
                break
    if task.held_out is None:
        best, best_epoch = weights, task.epochs
    return Trained(_joined(best), best_epoch)


def _joined(weights: list[Tensor]) -> Layers:
    """The mean of M networks as one that is M times as wide."""
    arrays: list[Float32s] = [part.detach().numpy() for part in weights]
    first, first_bias, second, second_bias = arrays
    networks, d, _ = first.shape
    return (
        (np.ascontiguousarray(first.transpose(1, 0, 2).reshape(d, -1)), first_bias.reshape(-1)),
        (
            second.reshape(-1, second.shape[2]) / np.float32(networks),
            second_bias.mean(axis=(0, 1), dtype=np.float32),
        ),
    )


def _first_weights(inputs: int, outputs: int, seed: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(in, out) weights and (out,) biases, uniform up to 1 / sqrt(in) like PyTorch's own."""
    rng = np.random.default_rng(seed)
    bound = 1 / math.sqrt(inputs)
    drawn = [rng.uniform(-bound, bound, size).astype(np.float32) for size in ((inputs, outputs), (outputs,))]
    weight, bias = (torch.from_numpy(one).requires_grad_() for one in drawn)
    return weight, bias


def _adam(parameters: list[Tensor], config: ProbeConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters,
        lr=_given(config.learning_rate),
        betas=_BETAS,
        eps=_EPSILON,
        weight_decay=_given(config.weight_decay),
    )


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _batches(n: int, config: ProbeConfig, epoch: int) -> Iterator[Tensor]:
    order = torch.from_numpy(np.random.default_rng([config.seed, epoch]).permutation(n))
    yield from torch.split(order, _given(config.batch_size))


def _masked_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy, mean over the known labels; 0 where there is none."""
    known = (labels != 0).to(scores.dtype)
    losses = binary_cross_entropy_with_logits(scores, (labels > 0).to(scores.dtype), reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)


def _arrays(weight: Tensor, bias: Tensor) -> tuple[Float32s, Float32s]:
    return weight.detach().numpy(), bias.detach().numpy()


KINDS: dict[str, Kind] = {
    "multi-label": Kind(_multi_label, learning_rate=1e-5, epochs=15, standardise=False),
    "binary": Kind(_binary, learning_rate=1e-5, epochs=10, standardise=False),
    "logistic-regression": Kind(_logistic),
    "mlp": Kind(_mlp, epochs=60, batch_size=256, weight_decay=0.1),
}
"""The kinds of probe; to add one is to add a row."""
