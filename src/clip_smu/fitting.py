"""Templates and labels → interpreter: trains the text encoder, calibrates, records evidence. (PyTorch)

Identities are dealt into folds. For each fold a text encoder is trained on the other folds, stopped early on
this one, and scores it: so every face is scored once by a text encoder that never saw its person. On these
scores the readings are calibrated. The interpreter's own text encoder is then trained on all identities.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from clip_smu.attributes import ATTRIBUTES, NAMES
from clip_smu.calibrate import calibrate
from clip_smu.captions import prompts, vocabulary
from clip_smu.errors import InputError, LabelError, TemplateError
from clip_smu.evidence import gather_evidence, verdict_errors
from clip_smu.interpreter import Interpreter, load_interpreter, usable, why_unusable
from clip_smu.labels import Labelled, Labels, join, read_labels, read_list
from clip_smu.losses import attribute_loss, balance_weights
from clip_smu.metrics import auc
from clip_smu.model_card import write_model_card
from clip_smu.sampling import identity_folds
from clip_smu.storage import atomic, claim_folder
from clip_smu.templates import Templates, read_templates
from clip_smu.towers import TextTower, TowerSize, export_tower, mini_tokenizer, mini_tower, padded_ids

EVALUATE_EVERY = 25  # steps
SAVE_EVERY = 50
WATCHED_PROMPTS = 4  # paraphrases of each prompt that early stopping looks at
_FIRST_SCALE = 10.0
_SCALE_RATE = 10.0  # scale and bias learn this much faster than the text encoder
_WARM_UP = 0.1
_BATCH_SENTENCES = 256

Floats = NDArray[np.float32]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FitConfig:
    """Settings of one fit.

    Attributes:
        objective: ``attribute``, see :func:`clip_smu.losses.attribute_loss`.
        size: of the text encoder ``mini``.
        steps: most optimiser steps of one training.
        batch_size: templates a step.
        learning_rate, weight_decay: of AdamW; the rate warms up and then falls along a cosine.
        paraphrases: sentences drawn for each prompt at each step.
        folds: identity folds for calibration, 2 or more.
        patience: evaluations without a better AUC before a training stops.
        error_rate: share of wrong verdicts to choose thresholds for, 0.01 to 0.5.
        seed: of everything random.

    Example:
        >>> FitConfig(error_rate=0.05).folds
        5
    """

    objective: str = "attribute"
    size: TowerSize = field(default_factory=TowerSize)
    steps: int = 500
    batch_size: int = 2048
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    paraphrases: int = 1
    folds: int = 5
    patience: int = 8
    error_rate: float = 0.10
    seed: int = 0

    def check(self) -> None:
        """Raises InputError where a setting cannot be used."""
        for name, low, high in (
            ("steps", 1, 10**7),
            ("batch_size", 1, 10**7),
            ("learning_rate", 1e-9, 10),
            ("paraphrases", 1, 12),
            ("folds", 2, 100),
            ("patience", 1, 10**6),
            ("error_rate", 0.01, 0.5),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value}")
        if self.objective != "attribute":
            raise InputError(f"the objective must be 'attribute', not {self.objective!r}")


def fit(
    templates: Templates | str | Path,
    labels: Labels | str | Path,
    output: str | Path,
    *,
    train: Sequence[str] | str | Path | None = None,
    test: Sequence[str] | str | Path | None = None,
    config: FitConfig | None = None,
    feeding: str | Path | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Interpreter:
    """Fits an interpreter to one encoder's templates and writes it as a folder.

    Deterministic from the seed on one machine; killed and run again it goes on and ends with the same weights.

    Args:
        templates: a folder made by ``extract``, a file of templates, or templates in memory.
        labels: a csv in the MAAD form, or labels in memory.
        output: folder of the interpreter.
        train: names of the photos to fit on (a list, or a file with one name a line); default, all.
        test: names of photos whose identities do not occur in ``train``; the evidence is then measured on them.
        config: settings.
        feeding: JSON of ``clip-smu encoders check --json`` for these templates' encoder, kept with the evidence.
        name: of the interpreter; default, the folder's name.
        overwrite: replace what is in ``output``.
        progress: called with (stage, done, total).

    Raises:
        LabelError, TemplateError: the data cannot be read or joined, or hold too few faces.
        InputError: a setting, or an ``output`` that holds something else.

    Example:
        >>> import tempfile
        >>> from clip_smu.labels import Labels
        >>> rng = np.random.default_rng(0)  # made-up faces whose attributes show in their templates
        >>> vectors = rng.normal(size=(60, 8)).astype(np.float32)
        >>> values = np.where(vectors @ rng.normal(size=(8, 47)) > 0, 1, -1).astype(np.int8)
        >>> people = [f"person{row // 2}" for row in range(60)]
        >>> photos = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
        >>> faces = Templates(vectors, photos, np.zeros(60, np.int16), people, np.ones(60, np.float32), None)
        >>> small = FitConfig(size=TowerSize(16, 1, 2), steps=5, folds=2)
        >>> made = fit(faces, Labels(photos, people, values), tempfile.mkdtemp() + "/it", config=small)
        >>> made.dim, len(made.attributes)
        (8, 47)
    """
    config = config or FitConfig()
    config.check()
    output = Path(output)
    checked_feeding = None if feeding is None else _read_feeding(Path(feeding))
    table = templates if isinstance(templates, Templates) else read_templates(templates)
    rows = labels if isinstance(labels, Labels) else read_labels(labels)
    known, train_report = _labelled(table, rows, train)
    checked = _labelled(table, rows, test)[0] if test is not None else None
    if checked is not None:
        _refuse_overlap(known, checked)
    job = {
        "command": "fit",
        "config": asdict(config),
        "data": _fingerprint(known, checked),
        "version": _recipe(),
        "feeding": checked_feeding,
    }
    if (output / "interpreter.json").is_file() and not overwrite:
        done = load_interpreter(output)
        if done.provenance.get("job") == _digest(job):
            return done
        raise InputError(
            f"{output} already holds an interpreter of another fit: choose another folder, or pass --overwrite"
        )
    started = time.time()
    work = output / ".fit"
    if output.is_dir() and not work.is_dir() and any(output.iterdir()) and not overwrite:
        raise InputError(f"{output} is not empty and holds no unfinished fit: choose another output folder")
    claim_folder(work, job, overwrite=overwrite)
    with _deterministic():
        training = _Training(config, known, work, progress or (lambda *_: None))
        out_of_fold, steps = training.cross_fit()
        tower, _ = training.run("all identities", np.arange(len(known.labels)), None, steps)
        positive, negative = training.prompt_vectors(tower, None)
        export_tower(tower, training.tokenizer, output, [prompts(row)[0] for row in ATTRIBUTES])
    calibration = calibrate(out_of_fold, known.labels, config.error_rate, known.templates.identities)
    reader = Interpreter(
        name or output.resolve().name,
        table.card.name if table.card else "unknown",
        NAMES,
        positive,
        negative,
        training.centre(np.arange(len(known.labels))),
        calibration,
        (),
        config.error_rate,
        vocabulary(),
        {},
        output,
    )
    if checked is not None:
        measured, scores = checked, reader.read(checked.templates.vectors)[0].astype(np.float64)
        source = f"{len(checked.labels)} faces of the test list, whose persons do not occur in training"
    else:
        measured, scores = known, out_of_fold
        source = (
            f"{len(known.labels)} training faces, each scored by a text encoder that did not see its person"
        )
    evidence = gather_evidence(calibration, scores, measured.labels, measured.templates.identities)
    provenance = {
        "job": _digest(job),
        "objective": config.objective,
        "text_encoder": "mini",
        "config": asdict(config),
        "trained_on": {
            "faces": len(known.labels),
            "persons": len(set(known.templates.identities)),
            **train_report,
        },
        "steps": steps,
        "evidence_from": source,
        "feeding": checked_feeding,
        "verdicts": verdict_errors(calibration, scores, measured.labels, config.error_rate),
        "versions": {package: version(package) for package in ("clip-smu", "torch", "transformers", "numpy")},
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "seconds": round(time.time() - started, 1),
        "prompts_sha256": hashlib.sha256(positive.tobytes() + negative.tobytes()).hexdigest(),
    }
    interpreter = replace(reader, evidence=evidence, provenance=provenance)
    write_model_card(interpreter, output)
    interpreter.save(output)  # interpreter.json last: its presence says that the folder is whole
    shutil.rmtree(work, ignore_errors=True)
    return load_interpreter(output)


class _Training:
    """The trainings of one fit: shared data, prompts and settings; each run saves its state as it goes."""

    def __init__(self, config: FitConfig, known: Labelled, work: Path, progress: Progress) -> None:
        self.config, self.known, self.work, self.progress = config, known, work, progress
        self.units = known.templates.vectors / np.linalg.norm(known.templates.vectors, axis=1, keepdims=True)
        self.tokenizer: Tokenizer = mini_tokenizer()
        sentences = [[prompts(row, side) for row in ATTRIBUTES] for side in (True, False)]
        self.counts = np.array([[len(group) for group in side] for side in sentences])  # (2, K)
        self.offsets = np.concatenate([[0], np.cumsum(self.counts.reshape(-1))[:-1]]).reshape(
            self.counts.shape
        )
        self.ids = padded_ids(
            self.tokenizer, [text for side in sentences for group in side for text in group]
        )

    def cross_fit(self) -> tuple[NDArray[np.float64], int]:
        """(N, K) scores of every face by a text encoder that did not see its person; the median best step."""
        config, labels = self.config, self.known.labels
        fold_of = identity_folds(self.known.templates.identities, config.folds, config.seed)
        scores = np.zeros(labels.shape, dtype=np.float64)
        best_steps = []
        for fold in range(config.folds):
            inside, outside = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
            tower, best = self.run(f"fold {fold + 1} of {config.folds}", inside, outside, config.steps)
            positive, negative = self.prompt_vectors(tower, None)
            scores[outside] = self.centred(outside, inside) @ (positive - negative).T
            best_steps.append(best)
        return scores, int(np.median(best_steps))

    def centre(self, rows: NDArray[np.intp]) -> Floats:
        """(d,) mean of unit templates."""
        return np.asarray(self.units[rows].mean(axis=0, dtype=np.float64), dtype=np.float32)

    def centred(self, rows: NDArray[np.intp], centre_of: NDArray[np.intp]) -> Floats:
        """(M, d) unit templates less the centre of ``centre_of``, made unit again."""
        moved = self.units[rows] - self.centre(centre_of)
        return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)

    def run(
        self, stage: str, rows: NDArray[np.intp], held_out: NDArray[np.intp] | None, steps: int
    ) -> tuple[TextTower, int]:
        """Trains on ``rows``; with ``held_out`` faces keeps the step of best mean AUC on them.

        Returns the text encoder and its step. The state is saved on the way and taken up again.
        """
        config = self.config
        file = self.work / f"{stage.replace(' ', '-')}.pt"
        x = torch.from_numpy(self.centred(rows, rows))
        y = torch.from_numpy(self.known.labels[rows].astype(np.float32))
        weights = balance_weights(y)
        tower = mini_tower(x.shape[1], config.size, config.seed)
        log_scale = torch.nn.Parameter(torch.full((y.shape[1],), math.log(_FIRST_SCALE)))
        bias = torch.nn.Parameter(torch.zeros(y.shape[1]))
        optimiser = torch.optim.AdamW(
            [
                {"params": list(tower.parameters()), "weight_decay": config.weight_decay, "speed": 1.0},
                {"params": [log_scale, bias], "weight_decay": 0.0, "speed": _SCALE_RATE},
            ],
            lr=config.learning_rate,
        )
        state: dict[str, Any] = {"step": 0, "best_auc": -1.0, "best_step": 0, "waited": 0, "best": None}
        if file.is_file():
            saved = torch.load(file, weights_only=True)
            state = saved["state"]
            tower.load_state_dict(saved["tower"])
            optimiser.load_state_dict(saved["optimiser"])
            with torch.no_grad():
                log_scale.copy_(saved["log_scale"])
                bias.copy_(saved["bias"])
        watched = None if held_out is None else self.centred(held_out, rows)
        while state["step"] < steps and state["waited"] < config.patience:
            tower.train()
            rng = np.random.default_rng([config.seed, len(rows), state["step"]])
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * group["speed"] * _rate(state["step"], config.steps)
            batch = (
                slice(None)
                if len(rows) <= config.batch_size
                else torch.from_numpy(rng.choice(len(rows), config.batch_size, replace=False))
            )
            drawn = self.offsets[..., None] + rng.integers(
                0, self.counts[..., None], (*self.counts.shape, config.paraphrases)
            )
            vectors = tower(self.ids[torch.from_numpy(drawn.reshape(-1))]).reshape(
                *drawn.shape, -1
            )  # (2, K, P, d)
            loss = attribute_loss(x[batch], y[batch], vectors[0], vectors[1], log_scale.exp(), bias, weights)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            state["step"] += 1
            last = state["step"] == steps
            if watched is not None and (state["step"] % EVALUATE_EVERY == 0 or last):
                positive, negative = self.prompt_vectors(tower, WATCHED_PROMPTS)
                assert held_out is not None
                mean = float(
                    np.nanmean(auc(watched @ (positive - negative).T, self.known.labels[held_out]).value)
                )
                if mean > state["best_auc"]:
                    best = {key: value.clone() for key, value in tower.state_dict().items()}
                    state |= {"best_auc": mean, "best_step": state["step"], "waited": 0, "best": best}
                else:
                    state["waited"] += 1
            if state["step"] % SAVE_EVERY == 0 or last:
                saved = {
                    "state": state,
                    "tower": tower.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "log_scale": log_scale.detach(),
                    "bias": bias.detach(),
                }
                with atomic(file) as temporary:
                    buffer = io.BytesIO()  # a full disk is then an OSError like any other
                    torch.save(saved, buffer)
                    temporary.write_bytes(buffer.getbuffer())
            self.progress(stage, state["step"], steps)
        self.progress(stage, steps, steps)
        if state["best"] is not None:
            tower.load_state_dict(state["best"])
            return tower, state["best_step"]
        return tower, state["step"]

    @torch.no_grad()
    def prompt_vectors(self, tower: TextTower, most: int | None) -> tuple[Floats, Floats]:
        """(K, d) unit vectors of positive and negative prompts: means over (``most``) paraphrases."""
        tower.eval()
        limit = self.counts if most is None else np.minimum(self.counts, most)
        chosen = [
            np.linspace(0, count - 1, take).round().astype(np.int64) + offset
            for count, take, offset in zip(self.counts.flat, limit.flat, self.offsets.flat, strict=True)
        ]
        ids = self.ids[torch.from_numpy(np.concatenate(chosen))]
        vectors = torch.cat([tower(part) for part in torch.split(ids, _BATCH_SENTENCES)]).numpy()
        starts = np.concatenate([[0], np.cumsum(limit.reshape(-1))[:-1]])
        means = np.add.reduceat(vectors, starts, axis=0)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        positive, negative = means.astype(np.float32).reshape(2, len(NAMES), -1)
        return np.ascontiguousarray(positive), np.ascontiguousarray(negative)


def _rate(step: int, steps: int) -> float:
    """Warm-up over the first tenth, then a cosine to zero."""
    warm = max(1, round(_WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _labelled(
    table: Templates, labels: Labels, names: Sequence[str] | str | Path | None
) -> tuple[Labelled, dict[str, int]]:
    only = read_list(names) if isinstance(names, str | Path) else names
    joined = join(table, labels, only)
    good = usable(joined.templates.vectors)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise TemplateError(
            f"the template of {joined.templates.images[row]} is {why_unusable(joined.templates.vectors[row])} "
            f"({int((~good).sum())} of {len(good)} such): remove it"
        )
    return joined, {"without_label": joined.unlabelled, "without_template": joined.without_template}


def _read_feeding(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        kept = {key: values[key] for key in ("encoder", "figures", "photos", "rejected", "misfed")}
        return kept | {"tried": [variant["name"] for variant in values["variants"]]}
    except FileNotFoundError:
        raise InputError(f"no such feeding check: {path}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is not what clip-smu encoders check --json prints") from None


def _refuse_overlap(known: Labelled, checked: Labelled) -> None:
    both = set(known.templates.identities) & set(checked.templates.identities) - {""}
    if both:
        raise LabelError(
            f"{len(both)} persons are in both the training and the test list, the first is {min(both)}: "
            "evidence needs lists of different persons"
        )


def _fingerprint(*parts: Labelled | None) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if part is not None:
            digest.update(np.ascontiguousarray(part.templates.vectors).tobytes())
            digest.update(np.ascontiguousarray(part.labels).tobytes())
            digest.update("\n".join([*part.templates.images, *part.templates.identities]).encode())
        digest.update(b"|")
    return digest.hexdigest()


def _recipe() -> str:
    """Hash of the sentences trained on, so that a resumed fit never mixes two vocabularies."""
    sentences = [text for row in ATTRIBUTES for side in (True, False) for text in prompts(row, side)]
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()


def _digest(job: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
