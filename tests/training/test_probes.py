"""Fitting probes: batched as one by one, masks, every kind finds what is there, refusals, the command."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from clip_smu.errors import InputError, LabelError, TemplateError
from clip_smu.interpreter.load import load_reader
from clip_smu.labels.join import join
from clip_smu.labels.labels import Labels
from clip_smu.metrics import auc
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import fit_logistic
from clip_smu.templates import Templates
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import NAMES
from faces import DIM, toy_card, toy_data

torch = pytest.importorskip("torch")

from clip_smu.training import probes  # noqa: E402
from clip_smu.training.classifiers import TRAIN, Rows, Training, forward  # noqa: E402
from clip_smu.training.probe_config import KINDS, ProbeConfig  # noqa: E402
from clip_smu.training.probes import fit_probe  # noqa: E402

FAST = {
    "multi-label": ProbeConfig("multi-label", learning_rate=0.02, epochs=15, standardise=True, folds=2),
    "binary": ProbeConfig("binary", learning_rate=0.02, epochs=3, standardise=True, folds=2),
    "logistic-regression": ProbeConfig(folds=2, strengths=(0.01, 0.1)),
    "mlp": ProbeConfig("mlp", epochs=12, hidden=24, batch_size=64, networks=2, folds=2, learning_rate=0.01),
}


def silent(done: int, total: int) -> None:
    """No progress."""


def rows(n: int = 120, seed: int = 0) -> Rows:
    table, labels = toy_data(n, seed)
    return Rows(table.vectors, labels.values)


def task(kind: str, data: Rows, epochs: int = 3, held_out: Rows | None = None) -> Training:
    return Training(data, held_out, FAST[kind].resolved(), epochs, np.full(47, 0.1), silent)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_unknown_labels_take_no_part(kind: str) -> None:
    """A column without known labels, and rows without any, change nothing that is learnt of the others."""
    data = rows(60)
    data.labels[:, 5] = 0
    layers = TRAIN[kind](task(kind, data)).layers
    if len(layers) == 1 and kind != "multi-label":
        assert not layers[0][0][:, 5].any()
    moved = Rows(data.x.copy(), data.labels.copy())
    moved.labels[7] = 0
    moved.x[7] += 5  # a face of which nothing is known
    still = Rows(data.x.copy(), moved.labels)
    for one, other in zip(
        itertools.chain(*TRAIN[kind](task(kind, moved)).layers),
        itertools.chain(*TRAIN[kind](task(kind, still)).layers),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-3 if kind == "logistic-regression" else 1e-6)


def test_mlp_stops_early_at_the_best_epoch() -> None:
    """The same training without anyone watching passes through the same weights; none is better held out."""
    table, labels = toy_data(200)
    fold_of = identity_folds(table.identities, 2, 0)
    inside, outside = (Rows(table.vectors[fold_of == f], labels.values[fold_of == f]) for f in (0, 1))
    config = replace(FAST["mlp"].resolved(), patience=2, epochs=400, learning_rate=0.05)
    trained = TRAIN["mlp"](Training(inside, outside, config, 400, None, silent))
    assert 2 < trained.epoch < 100
    areas = {}
    for epoch in range(1, trained.epoch + 3):
        unwatched = TRAIN["mlp"](Training(inside, None, config, epoch, None, silent))
        assert unwatched.epoch == epoch
        areas[epoch] = np.nanmean(auc(forward(unwatched.layers, outside.x), outside.labels).value)
        if epoch == trained.epoch:
            for one, other in zip(
                itertools.chain(*unwatched.layers), itertools.chain(*trained.layers), strict=True
            ):
                np.testing.assert_array_equal(one, other)
    assert max(areas, key=lambda epoch: areas[epoch]) == trained.epoch


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("probes")
    table, labels = toy_data()
    for kind, config in FAST.items():
        fit_probe(table, labels, folder / kind, config=config)
    return {kind: folder / kind for kind in FAST}


@pytest.mark.parametrize("kind", sorted(FAST))
def test_finds_what_is_there(fitted: dict[str, Path], kind: str) -> None:
    made = load_reader(fitted[kind])
    assert (made.dim, made.encoder, made.name, made.attributes) == (DIM, "toy", kind, NAMES)
    assert np.mean([row.auc for row in made.evidence]) > 0.8  # on folds whose persons training did not see
    table, labels = toy_data()
    scores, probabilities, verdicts = made.read(table.vectors)
    assert np.nanmean(auc(scores, labels.values).value) > 0.85
    for k in (0, 10, 20):
        known = labels.values[:, k] != 0
        assert abs(probabilities[known, k].mean() - (labels.values[known, k] > 0).mean()) < 0.08
    assert verdicts.any()
    assert made.provenance["trained_on"]["persons"] == 100
    assert len(made.provenance.get("strength", NAMES)) == 47


def test_same_seed_same_weights_and_another_fit_is_refused(fitted: dict[str, Path], tmp_path: Path) -> None:
    table, labels = toy_data()
    for kind in ("binary", "mlp"):
        fit_probe(table, labels, tmp_path / kind, config=FAST[kind])
        for file in ("weights.safetensors",):
            assert (tmp_path / kind / file).read_bytes() == (fitted[kind] / file).read_bytes()
    done, other = tmp_path / "binary", replace(FAST["binary"], seed=1)
    before = (done / "probe.json").stat().st_mtime_ns
    fit_probe(table, labels, done, config=FAST["binary"])
    assert (done / "probe.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="already holds a probe of another fit"):
        fit_probe(table, labels, done, config=other)
    fit_probe(table, labels, done, config=other, overwrite=True)
    assert (done / "weights.safetensors").read_bytes() != (
        fitted["binary"] / "weights.safetensors"
    ).read_bytes()


def coins(seed: int, persons: int = 60, photos: int = 10) -> tuple[Templates, Labels]:
    """Ten photos a person that are alike, and labels that are a coin a person: nothing can be told of a stranger."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(persons), photos)
    vectors = rng.normal(size=(persons, 16))[who] + 0.3 * rng.normal(size=(len(who), 16))
    values = rng.choice(np.int8([-1, 1]), (persons, 47))[who]
    people = [f"p{one}" for one in who]
    images = [f"p{one}/{row}.jpg" for row, one in enumerate(who)]
    table = Templates(
        vectors.astype(np.float32), images, np.zeros(len(who), np.int16), people, np.ones(len(who), np.float32), None,
    )  # fmt: skip
    return table, Labels(images, people, values)


def areas_of_coins(seed: int, output: Path) -> np.ndarray:
    """(47,) AUCs that a probe claims without a test list."""
    made = fit_probe(*coins(seed), output, config=ProbeConfig())
    return np.array([row.auc for row in made.evidence])


def test_coins_cannot_be_told(tmp_path: Path) -> None:
    """Strengths, standardising, folds and the ranking of their scores: any leak lifts the mean, any offset moves it."""
    areas = np.concatenate([areas_of_coins(seed, tmp_path / str(seed)) for seed in range(2)])
    error = areas.std(ddof=1) / np.sqrt(len(areas))
    assert error < 0.015
    assert abs(areas.mean() - 0.5) < 3 * error


def test_coins_are_told_where_folds_part_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above sees the leak that it is there for."""
    by_photo = lambda identities, folds, _: np.arange(len(identities)) % folds  # noqa: E731
    monkeypatch.setattr(probes, "identity_folds", by_photo)
    assert areas_of_coins(0, tmp_path / "probe").mean() > 0.6


def test_held_out_scores_have_the_whole_probes_intercept() -> None:
    """Less each fold's mean training score, plus the whole probe's: by hand for logistic regression."""
    table, labels = toy_data(60, 3)
    known = join(table, labels, None)
    config = FAST["logistic-regression"]
    probe, scores, note = probes._fit(known, config.resolved(), "x", "toy", None)
    units = table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
    people = known.templates.identities
    fold_of = identity_folds(people, config.folds, config.seed)
    for fold in range(config.folds):
        inside, outside = fold_of != fold, fold_of == fold
        mean, spread = units[inside].mean(axis=0), units[inside].std(axis=0)
        weights, _ = fit_logistic((units[inside] - mean) / spread, known.labels[inside], note["strength"])
        expected = (units[outside] - mean) / spread @ weights.T + probe.layers[0][1]
        np.testing.assert_allclose(scores[outside], expected, atol=2e-3)


def test_unknown_as_negative_trains_on_no(tmp_path: Path) -> None:
    table, labels = toy_data(200)
    config = replace(FAST["multi-label"], unknown="negative")
    made = fit_probe(table, labels, tmp_path / "negative", config=config)
    as_no = np.where(labels.values == 0, -1, labels.values)
    same = fit_probe(
        table, Labels(labels.images, labels.identities, as_no), tmp_path / "no", config=FAST["multi-label"]
    )
    for one, other in zip(made.layers[0], same.layers[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert made.evidence[0].n_negative == (labels.values[:, 0] < 0).sum()  # evidence leaves them out
    masked = fit_probe(table, labels, tmp_path / "mask", config=FAST["multi-label"])
    assert not np.array_equal(masked.layers[0][0], made.layers[0][0])


def test_evidence_on_a_test_list(tmp_path: Path) -> None:
    table, labels = toy_data(200)
    config = FAST["logistic-regression"]
    made = fit_probe(
        table, labels, tmp_path / "it", train=table.images[:160], test=table.images[160:], config=config
    )
    assert "40 faces of the test list" in made.provenance["evidence_from"]
    scores = made.read(table.vectors[160:])[0]
    areas = auc(scores, labels.values[160:]).value
    np.testing.assert_allclose([row.auc for row in made.evidence], areas, atol=1e-6)
    with pytest.raises(LabelError, match="1 persons are in both the training and the test list"):
        fit_probe(
            table, labels, tmp_path / "no", train=table.images[:158], test=table.images[158:], config=config
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"kind": "forest"},
            "the kind must be one of multi-label, binary, logistic-regression, mlp, not 'forest'",
        ),
        ({"unknown": "yes"}, "the unknown must be one of mask, negative"),
        ({"epochs": 0}, "epochs must be between 1 and"),
        ({"folds": 1}, "folds must be between 2 and 100, not 1"),
        ({"strengths": (1.0, -1.0)}, "strengths must be positive"),
        ({"dropout": 1.0}, r"dropout must be between 0 and 0\.95"),
    ],
)
def test_refuses_settings(change: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        fit_probe(*toy_data(20), tmp_path / "it", config=replace(ProbeConfig(), **change))
    assert not (tmp_path / "it").exists()


def test_refuses_data_and_folders(tmp_path: Path) -> None:
    table, labels = toy_data(20)
    with pytest.raises(LabelError, match="expected at least 6 persons, one a fold, found 5"):
        fit_probe(table, labels, tmp_path / "it", config=ProbeConfig(folds=6))
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is not empty and holds no probe"):
            fit_probe(table, labels, foreign, overwrite=overwrite)
    with pytest.raises(InputError, match=r"expected a folder to write at .*, found a file"):
        fit_probe(table, labels, foreign / "thesis.txt")
    assert (foreign / "thesis.txt").read_text() == "mine"
    table.vectors[:] = 0
    with pytest.raises(TemplateError, match=r"none of 20 labelled templates can be used \(20 zero\)"):
        fit_probe(table, labels, tmp_path / "it")


def test_the_command(tmp_path: Path) -> None:
    from clip_smu.cli import app

    table, labels = toy_data(80)
    save_templates(tmp_path / "t.parquet", table.vectors, table.images, toy_card())
    lines = [
        ",".join([image, person, *map(str, row)])
        for image, person, row in zip(table.images, labels.identities, labels.values, strict=True)
    ]
    (tmp_path / "labels.csv").write_text(
        "\n".join([",".join(["Filename", "Identity", *NAMES]), *lines]) + "\n"
    )
    words = ["probe", str(tmp_path / "t.parquet"), "--labels", str(tmp_path / "labels.csv"), "--folds", "2"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "it")])
    assert done.exit_code == 0, done.output
    assert "it (logistic-regression): mean AUC 0." in done.output
    assert "wrong verdicts" in done.output
    assert load_reader(tmp_path / "it").error_rate == 0.1
    refused = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "it"), "--kind", "forest"])
    assert isinstance(refused.exception, InputError)
