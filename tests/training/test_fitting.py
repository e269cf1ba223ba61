"""Fitting: finds what is there, repeats itself, survives kill -9, refuses what cannot be used."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu.errors import (
    ClipSmuError,
    InputError,
    InterpreterError,
    LabelError,
    StorageError,
    TemplateError,
)
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.labels.labels import Labels
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.captions import paper_caption
from clip_smu.words.prompts import prompts
from faces import DIM, slow_scores, toy_card, toy_data

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from clip_smu.text.encoder import TextEncoder  # noqa: E402
from clip_smu.training import trainer as training  # noqa: E402
from clip_smu.training.clip_encoder import EncoderSize, build_mini, mini_tokenizer  # noqa: E402
from clip_smu.training.fit import fit  # noqa: E402
from clip_smu.training.fit_config import FitConfig  # noqa: E402
from clip_smu.training.tokens import padded_ids  # noqa: E402

TINY = FitConfig(size=EncoderSize(16, 1, 2), steps=75, folds=2, learning_rate=1e-2, device="cpu")
SMALL = {
    "attribute": TINY,
    "clip": replace(TINY, objective="clip", batch_size=32, steps=60),
    "multipositive": replace(TINY, objective="multipositive", captions=48, steps=60),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums depend on how many threads share them, and other tests leave that as they need it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished fit of each objective."""
    made = {objective: tmp_path_factory.mktemp(objective) / "it" for objective in SMALL}
    for objective, folder in made.items():
        fit(*toy_data(), folder, config=SMALL[objective])
    return made


@pytest.fixture(scope="module")
def fitted(folders: dict[str, Path]) -> Path:
    return folders["attribute"]


def test_finds_what_is_there(fitted: Path) -> None:
    made = load_interpreter(fitted)
    aucs = [row.auc for row in made.evidence]
    assert np.mean(aucs) > 0.62  # 200 faces a training, d = 16; chance is 0.5
    fresh, labels = toy_data(seed=0)
    read = made.interpret(fresh.vectors)
    for k in (0, 10, 20):
        known = labels.values[:, k] != 0
        said, seen = read.probabilities[known, k].mean(), (labels.values[known, k] > 0).mean()
        assert abs(said - seen) < 0.08
    assert made.provenance["trained_on"] == {
        "faces": 400,
        "persons": 100,
        "without_label": 0,
        "without_template": 0,
    }
    assert not (fitted / ".fit").exists()


def test_onnx_repeats_pytorch(fitted: Path) -> None:
    made = load_interpreter(fitted)
    encoder = TextEncoder(fitted / "text_encoder.onnx", fitted / "tokenizer.json")
    for k in (0, 21, 46):
        mean = encoder.encode(prompts(ATTRIBUTES[k], True)).mean(axis=0)
        np.testing.assert_allclose(mean / np.linalg.norm(mean), made.positive[k], atol=1e-4)


def test_padding_does_not_matter() -> None:
    text_encoder, tokenizer = (
        build_mini(DIM, EncoderSize(16, 1, 2), 0).eval(),
        mini_tokenizer(),
    )
    texts = ["a hat", "A photo of a face with a 5 o'clock shadow and a rather long tail of words."]
    with torch.no_grad():
        together = text_encoder(padded_ids(tokenizer, texts))
        alone = torch.cat([text_encoder(padded_ids(tokenizer, [text])) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("objective", list(SMALL))
def test_same_seed_same_weights_and_killed_and_resumed_too(
    objective: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    """Killed on the way; the weights' bytes are those of the run without a break."""
    output = tmp_path / "it"
    code = (
        "import torch; torch.set_num_threads(1)\n"
        "from faces import toy_data; from test_fitting import SMALL; "
        "from clip_smu.training import fit as fitting, checkpoints\n"
        "checkpoints.SAVE_EVERY = 0.05\n"
        f"fitting.fit(*toy_data(), {str(output)!r}, config=SMALL[{objective!r}])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    killed_in = {"attribute": ("fold-1-of-2.pt", "all-identities.pt"), "clip": ("fold-1-of-2.pt",)}
    for state in killed_in.get(objective, ("all-identities.pt",)):
        job = subprocess.Popen([sys.executable, "-c", code], env=environment)
        deadline = time.monotonic() + 120
        while not (output / ".fit" / state).exists() and job.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        job.send_signal(signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL, "it was over before it could be killed"
    fit(*toy_data(), output, config=SMALL[objective])
    for file in ("prompts.safetensors", "text_encoder.onnx", "curves.csv"):
        assert (output / file).read_bytes() == (folders[objective] / file).read_bytes()


def test_clip_reads_by_the_positive_prompt_alone(folders: dict[str, Path]) -> None:
    made, (table, _) = load_interpreter(folders["clip"]), toy_data(20)
    assert not made.negative.any()
    assert not made.centre.any()
    encoder = TextEncoder(folders["clip"] / "text_encoder.onnx", folders["clip"] / "tokenizer.json")
    words = encoder.encode([paper_caption({name: 1}) for name in NAMES])
    vectors = table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
    read = made.interpret(table.vectors)
    np.testing.assert_allclose(read.scores, vectors @ words.T, atol=1e-4)
    np.testing.assert_allclose(read.scores[3], slow_scores(made, table.vectors[3]), atol=1e-5)
    unknown = "A photo of a smiling gizmo."  # no table holds it: the text encoder reads it as a whole
    asked = made.ask(unknown, table.vectors)
    np.testing.assert_allclose(asked.scores, vectors @ encoder.encode([unknown])[0], atol=1e-4)
    assert asked.unseen == ("gizmo",)
    assert np.isnan(asked.probabilities).all()
    assert made.unseen_words("wears spectacles") == ("wears", "spectacles")


def test_the_other_objectives_find_what_is_there_too(folders: dict[str, Path]) -> None:
    for objective, least in (("clip", 0.52), ("multipositive", 0.6)):
        made = load_interpreter(folders[objective])
        assert np.mean([row.auc for row in made.evidence]) > least
        assert made.provenance["objective"] == objective
        assert made.provenance["captions"]["shortened"] > 0


def test_finished_fit_is_not_repeated_nor_overwritten(fitted: Path) -> None:
    before = (fitted / "interpreter.json").stat().st_mtime_ns
    table, labels = toy_data()
    fit(table, labels, fitted, config=TINY)
    assert (fitted / "interpreter.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="another fit"):
        fit(table, labels, fitted, config=FitConfig(seed=1))


def test_an_overwrite_that_is_killed_leaves_the_old_interpreter_and_goes_on(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    seen: list[tuple[str, int]] = []
    deadly: set[tuple[str, int]] = set()

    def progress(stage: str, done: int, total: int) -> None:
        seen.append((stage, done))
        if (stage, done) in deadly:
            raise KilledError

    output, (table, labels) = tmp_path / "it", toy_data()
    shutil.copytree(fitted, output)
    old = {file.name: file.read_bytes() for file in output.iterdir()}
    other = replace(TINY, seed=1, steps=30)
    for last in (("fold 2 of 2", 20), ("all identities", 10)):
        deadly = {last}
        with pytest.raises(KilledError):
            fit(table, labels, output, config=other, overwrite=True, progress=progress)
        assert {file.name: file.read_bytes() for file in output.iterdir() if file.is_file()} == old
        load_interpreter(output)

    move, moved = Path.replace, []

    def full(file: Path, target: Path) -> Path:
        if target.parent == output:
            moved.append(file.name)
            if len(moved) == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
        return move(file, target)

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="the disk is full"):
        patch.setattr(Path, "replace", full)
        fit(table, labels, output, config=other, overwrite=True)
    with pytest.raises(InterpreterError, match="missing"):  # never half of one, half of another
        load_interpreter(output)
    seen.clear()
    deadly = set()
    fit(table, labels, output, config=other, overwrite=True, progress=progress)
    assert ("fold 1 of 2", 30) in seen
    assert ("fold 1 of 2", 29) not in seen  # the trainings were kept, though told to overwrite
    assert max(done for stage, done in seen if stage == "all trainings") == 90
    assert not (output / ".fit").exists()
    fresh = tmp_path / "fresh"
    fit(table, labels, fresh, config=other)
    for file in ("prompts.safetensors", "text_encoder.onnx", "curves.csv"):
        assert (output / file).read_bytes() == (fresh / file).read_bytes()


def test_progress_of_another_fit_is_refused_or_overwritten_and_half_begun_taken_over(tmp_path: Path) -> None:
    output, (table, labels) = tmp_path / "it", toy_data(80)
    (output / ".fit").mkdir(parents=True)
    (output / ".fit/fold-1-of-2.pt").write_bytes(b"what a kill in the middle of a removal leaves")
    few = replace(TINY, steps=4)

    def killed(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(table, labels, output, config=few, progress=killed)
    with pytest.raises(InputError, match=r"holds another job \(it differs in: config, text_encoder\)"):
        fit(table, labels, output, config=replace(few, seed=3))
    made = fit(table, labels, output, config=replace(few, seed=3), overwrite=True)
    assert made.provenance["config"]["seed"] == 3


@pytest.mark.parametrize("objective", sorted(SMALL))
def test_strangers_can_be_fitted_to(objective: str, tmp_path: Path) -> None:
    """Persons unknown: each photo is of a person of its own, and counts so in every interval."""
    table, labels = toy_data(120)
    apart = fit(
        replace(table, identities=[f"q{row}" for row in range(120)]),
        labels, tmp_path / "apart", config=replace(SMALL[objective], steps=30),
    )  # fmt: skip
    unknown = fit(
        replace(table, identities=[""] * 120),
        replace(labels, identities=[""] * 120), tmp_path / "unknown", config=replace(SMALL[objective], steps=30),
    )  # fmt: skip
    assert unknown.provenance["trained_on"]["persons"] == 120
    assert all(row.low <= row.auc <= row.high for row in unknown.evidence)
    widths = [[row.high - row.low for row in made.evidence] for made in (apart, unknown)]
    assert abs(np.nanmean(widths[0]) - np.nanmean(widths[1])) < 0.05


@pytest.mark.parametrize(
    ("photos", "change"),
    [
        (12, {}),  # three persons
        (3, {}),  # of one photo each
        (40, {"only": 7}),  # one attribute labelled
        (40, {"same": True}),  # faces that are all alike
    ],
)
@pytest.mark.parametrize("objective", sorted(SMALL))
def test_little_to_learn_from_is_a_result_or_one_line(
    objective: str, photos: int, change: dict[str, int], tmp_path: Path
) -> None:
    table, labels = toy_data(40)
    values, persons = labels.values[:photos].copy(), [f"p{row % 3}" for row in range(photos)]
    if "only" in change:
        values = np.where(np.arange(47) == change["only"], values, 0).astype(np.int8)
    few = replace(table.take(np.arange(photos)), identities=persons)
    if "same" in change:
        few.vectors[:] = few.vectors[0]
    rows = Labels(labels.images[:photos], persons, values)
    try:
        made = fit(few, rows, tmp_path / "it", config=replace(SMALL[objective], steps=4, folds=3))
    except ClipSmuError as error:
        assert isinstance(error, LabelError)
        assert "nan" not in str(error)
        return
    read = made.interpret(few.vectors)
    assert np.isfinite(read.probabilities).all()
    if photos < 40 or change:
        assert not read.verdicts.any()  # nothing was shown on so few
    assert "Mean AUC over" in (tmp_path / "it/README.md").read_text()


@pytest.mark.parametrize("value", [0, 1, -1])
def test_labels_of_one_kind_are_refused_before_any_training(value: int, tmp_path: Path) -> None:
    table, labels = toy_data(40)
    same = Labels(labels.images, labels.identities, np.full((40, 47), value, dtype=np.int8))

    def never(*_: object) -> None:
        raise AssertionError("a training began")

    with pytest.raises(
        LabelError, match=r"photos with \(1\) and photos without \(-1\) at least one attribute"
    ):
        fit(table, same, tmp_path / "it", config=TINY, progress=never)
    assert not (tmp_path / "it").exists()
    with pytest.raises(LabelError, match="expected at least 5 persons, one a fold, found 2"):
        fit(
            table,
            labels,
            tmp_path / "it",
            train=table.images[:8],
            config=replace(TINY, folds=5),
            progress=never,
        )


def test_evidence_on_a_test_list(tmp_path: Path) -> None:
    table, labels = toy_data(200)
    made = fit(table, labels, tmp_path / "it", train=table.images[:160], test=table.images[160:], config=TINY)
    assert made.evidence[0].n_positive + made.evidence[0].n_negative <= 40
    assert "40 faces of the test list" in made.provenance["evidence_from"]
    with pytest.raises(
        LabelError, match="1 persons are in both the training and the test list, the first is p39"
    ):
        fit(table, labels, tmp_path / "no", train=table.images[:158], test=table.images[158:], config=TINY)


def test_a_preprocessing_check_is_kept_with_the_evidence(tmp_path: Path) -> None:
    check = {
        "encoder": "toy",
        "figures": {"accuracy": 0.987},
        "photos": 9,
        "rejected": {},
        "misfed": ["swap the channels"],
    }
    (tmp_path / "check.json").write_text(json.dumps(check | {"variants": [{"name": "BGR"}]}))
    made = fit(*toy_data(120), tmp_path / "it", config=TINY, preprocessing_check=tmp_path / "check.json")
    assert made.provenance["preprocessing_check"] == check | {"tried": ["BGR"]}
    assert "accuracy 98.70%; swap the channels" in (tmp_path / "it/README.md").read_text()
    (tmp_path / "check.json").write_text(json.dumps(check | {"encoder": "mbf", "variants": []}))
    with pytest.raises(
        InputError, match=r"a preprocessing check of toy, whose templates these are; .* is of mbf"
    ):
        fit(*toy_data(120), tmp_path / "it", config=TINY, preprocessing_check=tmp_path / "check.json")
    (tmp_path / "check.json").write_text("[]")
    with pytest.raises(InputError, match="is not what clip-smu encoders check --json prints"):
        fit(*toy_data(120), tmp_path / "it", config=TINY, preprocessing_check=tmp_path / "check.json")


def test_refuses(tmp_path: Path) -> None:
    table, labels = toy_data(40)
    table.vectors[:, 3] = np.nan
    with pytest.raises(TemplateError, match=r"none of 40 labelled templates can be used \(40 not a number"):
        fit(table, labels, tmp_path / "it", config=TINY)
    for setting in ({"folds": 1}, {"error_rate": 0.9}, {"steps": 0}, {"objective": "magic"}):
        with pytest.raises(InputError, match="must be"):
            fit(table, labels, tmp_path / "it", config=FitConfig(**setting))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/photo.jpg").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        fit(*toy_data(40), tmp_path / "full", config=TINY)


def test_an_attribute_without_labels_gets_no_verdict(tmp_path: Path) -> None:
    table, labels = toy_data(200)
    values = labels.values.copy()
    values[:, 5] = 0
    values[:, 6] = -1
    made = fit(table, Labels(labels.images, labels.identities, values), tmp_path / "it", config=TINY)
    assert made.evidence[5].reason == "no labels"
    assert made.evidence[6].reason == "no positives"
    read = made.interpret(table.vectors)
    assert not read.verdicts[:, 5:7].any()
    assert np.isfinite(read.probabilities).all()
    assert NAMES[5] in made.attributes
    assert toy_card().name == made.encoder
    assert TINY.steps >= training.EVALUATE_EVERY
