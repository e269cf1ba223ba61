"""A plan → a run: stage by stage, each once."""

from __future__ import annotations

import itertools
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clip_smu.encoders.card_files import own_card, write_card
from clip_smu.encoders.kept_check import in_words, kept_check
from clip_smu.encoders.load import load_encoder
from clip_smu.encoders.locate import CARD, card
from clip_smu.encoders.preprocessing_check import check_preprocessing
from clip_smu.evaluation import Evaluation, EvaluationConfig, evaluate, read_evaluation
from clip_smu.evaluation.compare import compare
from clip_smu.evaluation.comparison import Comparison
from clip_smu.evaluation.confounds import ConfoundsConfig, ControlData, confounds
from clip_smu.evaluation.erasure import ErasureConfig, erase
from clip_smu.interpreter.load import load_reader
from clip_smu.labels.join import join_rows
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.metrics.pairs import Pairs, pairs_of_identities, read_pairs
from clip_smu.photos import count_photos, iter_photos
from clip_smu.reproduction.checks import check_plan, config_of, is_for, options_of
from clip_smu.reproduction.data import PHOTOS, Data, clear_photos, open_data
from clip_smu.reproduction.plan import Method, Plan, PlannedEncoder, reference_of
from clip_smu.reproduction.stages import Progress, Stages, content_hash, jsonable
from clip_smu.reproduction.tables import write_figures, write_results
from clip_smu.storage.documents import read_json, write_json
from clip_smu.storage.job_folders import JOB, claim_folder, writes_folder
from clip_smu.templates import iter_templates
from clip_smu.templates.extraction import extract
from clip_smu.templates.shards import read_rejected
from clip_smu.training.fit import fit
from clip_smu.training.fit_config import FitConfig
from clip_smu.training.probe_config import ProbeConfig
from clip_smu.training.probes import fit_probe
from clip_smu.training.zero_shot import zero_shot

FORMAT = 1
MANIFEST = "run.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run.

    Attributes:
        folder: of everything.
        results: encoder, method, mean AUC, its interval, attributes counted; one row each.
        seconds: of this call. done, kept: stages that it ran, and that were there already.
    """

    folder: Path
    results: tuple[dict[str, Any], ...]
    seconds: float
    done: int
    kept: int


@writes_folder
def reproduce(
    plan: Plan,
    output: str | Path,
    *,
    smoke: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Runs a plan from photos and labels to tables and figures; killed and run again, it goes on.

    Args:
        smoke: the whole on a few hundred photos with short trainings: it shows that everything works, and its figures
            mean nothing.
        progress: called with (stage, done, total).

    Raises:
        ClipSmuError: a stage cannot be done; what is finished is kept.
    """
    started = time.time()
    output, tell = Path(output), progress or (lambda *_: None)
    claim_folder(output, {"command": "reproduce", "plan": plan.name, "smoke": smoke}, overwrite=overwrite)
    check_plan(plan, smoke=smoke)
    clear_photos(output / PHOTOS)
    stages = Stages(output, tell)
    manifest: dict[str, Any] = {"format": FORMAT, "name": plan.name, "smoke": smoke, "finished": False}
    manifest |= {"labels_are": plan.labels_are, "plan": jsonable(asdict(plan))}
    write_json(output / MANIFEST, manifest)
    with open_data(plan, output, smoke, stages) as data:
        for row in plan.encoders:
            _one_encoder(plan, row, data, stages, output, smoke)
    evaluations = {
        row.name: _named(read_evaluation(output / row.name / "evaluation"), row) for row in plan.encoders
    }
    comparisons = _comparisons(plan, evaluations, output, stages)
    results = write_results(plan, evaluations, comparisons, output, smoke)
    write_figures(plan, evaluations, output, stages)
    manifest |= {
        "finished": True,
        "encoders": [_encoder_row(row, evaluations[row.name], output) for row in plan.encoders],
        "results": list(results),
        "stages": stages.notes,
        "versions": {
            package: version(package)
            for package in ("clip-smu", "numpy", "torch", "transformers", "onnxruntime")
        },
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "seconds": round(sum(note["seconds"] for note in stages.notes.values()), 1),
    }
    write_json(output / MANIFEST, manifest)
    return Run(output, results, time.time() - started, stages.done, stages.kept)


def _one_encoder(
    plan: Plan, row: PlannedEncoder, data: Data, stages: Stages, output: Path, smoke: bool
) -> None:
    home = output / row.name
    templates, extracted = _templates(row, data, stages, home)
    check, checked = _check(plan, row, data, templates, extracted, stages, home, smoke)
    lists: dict[str, Any] = {"train": data.train, "test": data.test}
    keys, folders = {}, {}

    def progress(stage: str) -> Progress:
        return lambda part, done, total: stages.tell(f"{row.name}/{stage}: {part}", done, total)

    for method in plan.methods:
        if not is_for(method, row):
            continue
        settings, config = config_of(plan, method, row, smoke=smoke)
        folder = home / ("probes" if method.kind == "probe" else "interpreters") / method.name
        folders[method.name] = folder
        keys[method.name] = stages.run(
            f"{row.name}/{method.name}",
            {
                "templates": extracted,
                "labels": data.labels_key,
                "kind": method.kind,
                "what": method.what,
                "settings": settings,
                "seed": plan.seed,
                "preprocessing_check": checked if method.kind == "objective" else "",
            },
            folder,
            lambda method=method, config=config, folder=folder: _train(  # type: ignore[misc]
                method, config, templates, data, check, folder, stages.tell, row
            ),
            "probe.json" if method.kind == "probe" else "interpreter.json",
        )
    evaluated = stages.run(
        f"{row.name}/evaluation", {"templates": extracted, "methods": keys, "preprocessing_check": checked},
        home / "evaluation",
        lambda: evaluate(
            list(folders.values()), templates, data.labels, home / "evaluation",
            EvaluationConfig(data.test, data.train, list(folders), check), progress=progress("evaluation"),
        ),
        "evaluation.json",
    )  # fmt: skip
    reference = reference_of(plan, folders)
    if plan.within:
        stages.run(
            f"{row.name}/confounds", {"evaluation": evaluated, "method": reference, "within": plan.within},
            home / "confounds",
            lambda: confounds(
                home / "evaluation", reference, home / "confounds",
                ConfoundsConfig(plan.within, control=ControlData(templates, data.labels, data.train)),
                progress=progress("confounds"),
            ),
            "confounds.json",
        )  # fmt: skip
    if plan.erase:
        stages.run(
            f"{row.name}/erasure", {"methods": keys, "erase": plan.erase}, home / "erasure",
            lambda: erase(
                plan.erase, templates, data.labels, home / "erasure", **lists,
                methods=[load_reader(folders[reference])], config=ErasureConfig(pairs=data.pairs),
                progress=progress("erasure"),
            ),
            "erasure.json",
        )  # fmt: skip


def _templates(row: PlannedEncoder, data: Data, stages: Stages, home: Path) -> tuple[Path, str]:
    """The encoder's templates and the key of how they came: extracted, or as they were given."""
    if row.templates is not None:
        return row.templates, content_hash(row.templates)
    encoder, stored = _with_card(row, home), home / "templates"
    photos = 0

    def progress(count: int) -> None:
        nonlocal photos
        photos += count
        stages.tell(f"{row.name}/templates", photos, total)

    options, total = options_of(row), count_photos([str(one) for one in data.photos]) or 0

    def take() -> None:
        extract(data.photos, stored, encoder, options, progress=progress)

    described = {"photos": data.photos_key, "card": card(encoder).to_dict(), "options": row.options}
    return stored, stages.run(f"{row.name}/templates", described, stored, take, JOB)


def _check(
    plan: Plan, row: PlannedEncoder, data: Data, templates: Path, extracted: str, stages: Stages, home: Path,
    smoke: bool,
) -> tuple[Path | None, str]:  # fmt: skip
    """Whether the encoder's preprocessing is right, on some pairs, as a file; and the key of how that was found."""
    count = plan.smoke.get("check_pairs", plan.check_pairs) if smoke else plan.check_pairs
    if row.templates is not None or not count:
        return None, ""
    encoder, options = _with_card(row, home), replace(options_of(row), main_face=True)
    file = home / "preprocessing_check.json"

    def check() -> None:
        pairs = _some_pairs(data, templates, count, plan.seed)
        if pairs is None:
            write_json(file, None)
            return
        loaded = load_encoder(encoder, options, threads=os.cpu_count() or 1)
        found = check_preprocessing(loaded, iter_photos(data.photos), pairs, variant_pairs=count)
        write_json(file, found.to_dict())

    described = {"templates": extracted, "pairs": data.pairs_key, "count": count, "seed": plan.seed}
    key = stages.run(f"{row.name}/preprocessing_check", described, file, check)
    return file if read_json(file, "a preprocessing check") else None, key


def _some_pairs(data: Data, templates: Path, count: int, seed: int) -> Pairs | None:
    """Of the plan's pairs, or else drawn from the test list's photos that gave a template; ``None``: there are none."""
    if data.pairs is not None:
        return read_pairs(data.pairs).sample(count)
    images: list[str] = []
    faces = [np.empty(0, np.int16)]
    for batch in iter_templates(templates):
        images += batch.images
        faces.append(batch.faces)
    labels = read_labels(data.labels)
    joined = join_rows(images, np.concatenate(faces), labels, read_list(data.test))
    rows = zip(joined.rows.tolist(), joined.label_rows.tolist(), strict=True)
    known = [(images[row], labels.identities[at]) for row, at in rows if labels.identities[at]]
    several = len(known) > len({person for _, person in known}) > 1
    return pairs_of_identities(known, count, seed) if several else None


def _train(
    method: Method, config: FitConfig | ProbeConfig | None, templates: Path, data: Data, check: Path | None,
    folder: Path, tell: Progress, row: PlannedEncoder,
) -> None:  # fmt: skip
    lists: dict[str, Any] = {"train": data.train, "test": data.test}

    def progress(stage: str, done: int, total: int) -> None:
        tell(f"{row.name}/{method.name}: {stage}", done, total)

    if isinstance(config, FitConfig):
        lists["preprocessing_check"] = check
        fit(templates, data.labels, folder, config=config, name=method.name, progress=progress, **lists)
    elif isinstance(config, ProbeConfig):
        fit_probe(templates, data.labels, folder, config=config, name=method.name, progress=progress, **lists)
    else:
        zero_shot(method.what, folder, encoder=row.encoder, templates=templates, labels=data.labels, **lists)


def _named(evaluation: Evaluation, row: PlannedEncoder) -> Evaluation:
    """The evaluation under the plan's name of its encoder; bare templates do not know theirs."""
    column = evaluation.table.schema.get_field_index("encoder")
    names = pa.array([row.name] * evaluation.table.num_rows)
    table = evaluation.table.set_column(column, evaluation.table.schema.field(column), names)
    return replace(evaluation, encoder=row.name, table=table)


def _comparisons(
    plan: Plan, evaluations: dict[str, Evaluation], output: Path, stages: Stages
) -> dict[str, Comparison]:
    """Encoder against encoder by the reference method, and every method of an encoder against the reference."""
    made = {}
    for a, b in itertools.combinations([row.name for row in plan.encoders], 2):
        both = [name for name in evaluations[a].methods if name in evaluations[b].methods]
        if not both:
            continue
        method = reference_of(plan, both)
        made[f"{a}-vs-{b}"] = compare(evaluations[a], evaluations[b], method_a=method, method_b=method)
    for name, evaluation in evaluations.items():
        reference = reference_of(plan, list(evaluation.methods))
        for method in evaluation.methods:
            if method != reference:
                made[f"{name}-{method}-vs-{reference}"] = compare(
                    evaluation, evaluation, method_a=method, method_b=reference
                )
    for pair, comparison in made.items():
        stages.tell(f"comparison {pair}", 1, 1)
        comparison.save(output / "comparisons" / f"{pair}.json")
    return made


def _encoder_row(row: PlannedEncoder, evaluation: Evaluation, output: Path) -> dict[str, Any]:
    templates = output / row.name / "templates" if row.templates is None else row.templates
    return {
        "name": row.name,
        "encoder": evaluation.encoder,
        "methods": list(evaluation.methods),
        "photos": len(evaluation),
        "templates": str(templates),
        "fed": in_words(kept_check(evaluation.manifest)),
        "rejected": len(read_rejected(templates)) if templates.is_dir() else 0,
    }


def _with_card(row: PlannedEncoder, home: Path) -> str:
    """The encoder's name as jobs take it; a card of the plan is written beside the templates."""
    if not row.card:
        return row.encoder
    file = home / "card.toml"
    write_card(file, own_card({"name": row.name, **row.card}))
    return f"{row.encoder}{CARD}{file}"
