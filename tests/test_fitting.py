"""Fitting: finds what is there, repeats itself, survives kill -9, refuses what cannot be used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu.attributes import ATTRIBUTES, NAMES
from clip_smu.captions import paper_caption, prompts
from clip_smu.errors import InputError, LabelError, TemplateError
from clip_smu.interpreter import load_interpreter
from clip_smu.labels import Labels
from faces import DIM, slow_scores, toy_card, toy_data

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from clip_smu import towers, training  # noqa: E402
from clip_smu.fitting import FitConfig, fit  # noqa: E402
from clip_smu.text import TextEncoder  # noqa: E402
from clip_smu.towers import TowerSize  # noqa: E402

TINY = FitConfig(size=TowerSize(16, 1, 2), steps=75, folds=2, learning_rate=1e-2, device="cpu")
SMALL = {
    "attribute": TINY,
    "clip": replace(TINY, objective="clip", batch_size=32, steps=60),
    "multipositive": replace(TINY, objective="multipositive", captions=48, steps=60),
}


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
    tower, tokenizer = towers.mini_tower(DIM, TowerSize(16, 1, 2), 0).eval(), towers.mini_tokenizer()
    texts = ["a hat", "A photo of a face with a 5 o'clock shadow and a rather long tail of words."]
    with torch.no_grad():
        together = tower(towers.padded_ids(tokenizer, texts))
        alone = torch.cat([tower(towers.padded_ids(tokenizer, [text])) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("objective", list(SMALL))
def test_same_seed_same_weights_and_killed_and_resumed_too(
    objective: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    """Killed on the way; the weights' bytes are those of the run without a break."""
    output = tmp_path / "it"
    code = (
        "from faces import toy_data; from test_fitting import SMALL; from clip_smu import fitting\n"
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
    asked = made.ask("A photo of a smiling face.", table.vectors)
    np.testing.assert_allclose(asked.scores, read.scores[:, NAMES.index("Smiling")], atol=1e-4)
    assert asked.unseen == ()
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


def test_evidence_on_a_test_list(tmp_path: Path) -> None:
    table, labels = toy_data(200)
    made = fit(table, labels, tmp_path / "it", train=table.images[:160], test=table.images[160:], config=TINY)
    assert made.evidence[0].n_positive + made.evidence[0].n_negative <= 40
    assert "40 faces of the test list" in made.provenance["evidence_from"]
    with pytest.raises(
        LabelError, match="1 persons are in both the training and the test list, the first is p39"
    ):
        fit(table, labels, tmp_path / "no", train=table.images[:158], test=table.images[158:], config=TINY)


def test_a_feeding_check_is_kept_with_the_evidence(tmp_path: Path) -> None:
    check = {
        "encoder": "toy",
        "figures": {"accuracy": 0.987},
        "photos": 9,
        "rejected": {},
        "misfed": ["swap the channels"],
    }
    (tmp_path / "check.json").write_text(json.dumps(check | {"variants": [{"name": "BGR"}]}))
    made = fit(*toy_data(120), tmp_path / "it", config=TINY, feeding=tmp_path / "check.json")
    assert made.provenance["feeding"] == check | {"tried": ["BGR"]}
    assert "accuracy 98.70%; swap the channels" in (tmp_path / "it/README.md").read_text()
    (tmp_path / "check.json").write_text(json.dumps(check | {"encoder": "mbf", "variants": []}))
    with pytest.raises(InputError, match=r"a feeding check of toy, whose templates these are; .* is of mbf"):
        fit(*toy_data(120), tmp_path / "it", config=TINY, feeding=tmp_path / "check.json")
    (tmp_path / "check.json").write_text("[]")
    with pytest.raises(InputError, match="is not what clip-smu encoders check --json prints"):
        fit(*toy_data(120), tmp_path / "it", config=TINY, feeding=tmp_path / "check.json")


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
