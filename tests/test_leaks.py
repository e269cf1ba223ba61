"""Nothing is told of a person by what was learnt from that person: each job on coins, each transform on its own rows.

A coin test fails where folds are made by photo (:mod:`coins`). The others are exact: what is changed on held-out rows
may not change what was learnt without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_smu.evaluation import EvaluationConfig, erasure, evaluate
from clip_smu.evaluation.confounds import Photos, control_task, residual
from clip_smu.evaluation.confounds import control as control_room
from clip_smu.evaluation.confounds import readings as readings_room
from clip_smu.evaluation.erasure import rereading
from clip_smu.evaluation.generation import compare_strategies
from clip_smu.evaluation.generation import comparison as captions_room
from clip_smu.interpreter.calibration import calibrate
from clip_smu.interpreter.evidence import gather_evidence
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import write_list
from clip_smu.labels.writing import write_labels
from clip_smu.metrics import logistic
from clip_smu.metrics.folds import identity_folds
from clip_smu.metrics.logistic import choose_c
from clip_smu.templates import Templates
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import NAMES
from coins import SURE, coin_faces, is_chance, is_chance_in, is_chance_of
from places import LFW_READER


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Many small products: a second thread costs more than it gives, and far more on a busy machine."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Calls:
    """Stands in for a function and keeps what it was called with and what it gave."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.given, self.made = function, list[tuple[Any, ...]](), list[Any]()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.given.append(args)
        self.made.append(self.function(*args, **kwargs))
        return self.made[-1]


def watch(monkeypatch: pytest.MonkeyPatch, room: Any, name: str) -> Calls:
    calls = Calls(getattr(room, name))
    monkeypatch.setattr(room, name, calls)
    return calls


def moved(faces: Templates, rows: NDArray[Any]) -> Templates:
    """The same faces, those of ``rows`` turned round and made long."""
    vectors = faces.vectors.copy()
    vectors[rows] = -7 * vectors[rows][:, ::-1] + 3
    return Templates(vectors, faces.images, faces.faces, faces.identities, faces.norms, faces.card)


def told_of(calibration: Any) -> int:
    """Attributes of which a verdict is ever asserted."""
    return int(((calibration.encoded_at <= 1) | (calibration.not_encoded_at >= 0)).sum())


# A told coin is a false alarm: the lower end of its 95 % interval lies above .5, in 1 of 40. Of 47 coins more than
# 6 are told once in 3,000 times.
MOST_TOLD = 6


# ---------------------------------------------------------------- probes


def probe_settings() -> dict[str, Any]:
    from clip_smu.training.probe_config import ProbeConfig

    return {
        "multi-label": ProbeConfig("multi-label", learning_rate=0.02, epochs=10, standardise=True, folds=3),
        "binary": ProbeConfig("binary", learning_rate=0.02, epochs=3, standardise=True, folds=3),
        "logistic-regression": ProbeConfig(folds=3, strengths=(0.1, 1.0)),
        "mlp": ProbeConfig("mlp", epochs=10, hidden=48, batch_size=128, folds=3, learning_rate=0.01),
    }


@pytest.mark.parametrize("kind", ["multi-label", "binary", "logistic-regression", "mlp"])
def test_probe_tells_no_coin(kind: str, tmp_path: Path) -> None:
    """Evidence, calibration and verdicts of out-of-fold scores."""
    config = probe_settings()[kind]
    from clip_smu.training.probes import fit_probe

    made = fit_probe(*coin_faces(), tmp_path / "it", config=config)
    assert is_chance_in(made.evidence)
    assert told_of(made.calibration) <= MOST_TOLD


def test_probe_tells_no_coin_of_the_test_list(tmp_path: Path) -> None:
    """The test list takes no part in training; there the evidence is measured."""
    config = probe_settings()["logistic-regression"]
    from clip_smu.training.probes import fit_probe

    faces, labels = coin_faces(90)
    train, test = faces.images[:600], faces.images[600:]
    made = fit_probe(faces, labels, tmp_path / "it", train=train, test=test, config=config)
    assert made.evidence[0].n_positive + made.evidence[0].n_negative == 300
    assert is_chance_in(made.evidence)
    assert not is_chance_of(made.read(faces.vectors[:600])[0], labels.values[:600], faces.identities[:600])


@pytest.mark.parametrize("kind", ["multi-label", "binary", "logistic-regression"])
def test_held_out_faces_and_labels_change_no_weight_of_their_fold(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the centre and scale: a fold's classifiers are the same whatever its held-out persons look like."""
    config = replace(probe_settings()[kind], strengths=(1.0,))
    from clip_smu.training import classifiers, probes

    faces, labels = coin_faces(24)
    out = identity_folds(faces.identities, 3, config.seed) == 1
    other = Labels(labels.images, labels.identities, np.where(out[:, None], -labels.values, labels.values))
    layers, rows = [], []
    train = classifiers.TRAIN[kind]
    for number, (some, known) in enumerate(((faces, labels), (moved(faces, np.flatnonzero(out)), other))):
        calls = Calls(train)
        monkeypatch.setitem(classifiers.TRAIN, kind, calls)
        probes.fit_probe(some, known, tmp_path / str(number), config=config)
        task = calls.given[1][0]  # of the second fold
        layers.append(calls.made[1].layers[0])
        rows.append(task.rows.x)
        units = some.vectors / np.linalg.norm(some.vectors, axis=1, keepdims=True)
        mean, spread = units[~out].mean(axis=0), units[~out].std(axis=0)
        np.testing.assert_allclose(task.held_out.x, (units[out] - mean) / spread, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(rows[0], rows[1])
    for one, two in zip(*layers, strict=True):
        np.testing.assert_array_equal(one, two)


# ---------------------------------------------------------------- fit


def fit_settings() -> Any:
    from clip_smu.training.clip_encoder import EncoderSize
    from clip_smu.training.fit_config import FitConfig

    return FitConfig(size=EncoderSize(32, 1, 2), steps=50, folds=2, learning_rate=1e-2, device="cpu")


def test_fit_tells_no_coin(tmp_path: Path) -> None:
    config = fit_settings()
    from clip_smu.training.fit import fit

    made = fit(*coin_faces(), tmp_path / "it", config=config)
    assert is_chance_in(made.evidence)
    assert told_of(made.calibration) <= MOST_TOLD


def test_fit_centres_held_out_faces_by_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration gets cos(unit(t) - mean of the other folds' units, positive - negative), fold by fold."""
    config = replace(fit_settings(), folds=3)
    from clip_smu.training import fit as fitting
    from clip_smu.training import job
    from clip_smu.training.trainer import Trained, Trainer

    faces, labels = coin_faces(12)
    positive, negative = np.random.default_rng(1).normal(size=(2, 47, faces.vectors.shape[1])).astype("f4")
    asked: list[tuple[NDArray[Any], NDArray[Any] | None]] = []

    def train(self: Trainer, stage: str, rows: Any, held_out: Any, steps: int) -> Trained:
        asked.append((rows, held_out))
        self.curves.write()
        return Trained(self.new_text_encoder(), 1, {}, 0.0)

    monkeypatch.setattr(Trainer, "train", train)
    monkeypatch.setattr(Trainer, "prompt_vectors", lambda *_: (positive, negative))
    calls = watch(monkeypatch, fitting, "calibrate")
    evidence = watch(monkeypatch, job, "gather_evidence")
    fitting.fit(faces, labels, tmp_path / "it", config=config)
    np.testing.assert_array_equal(evidence.given[0][1], calls.given[0][0])
    scores, people = calls.given[0][0], np.array(faces.identities)
    fold_of = identity_folds(faces.identities, 3, config.seed)
    units = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
    for fold, (inside, outside) in enumerate(asked[:3]):
        assert outside is not None
        assert set(outside) == set(np.flatnonzero(fold_of == fold))
        assert set(inside) == set(np.flatnonzero(fold_of != fold))
        assert not set(people[inside]) & set(people[outside])
        for row in outside:
            x = units[row] - units[fold_of != fold].mean(axis=0)
            expected = (positive - negative) @ x / np.linalg.norm(x)
            np.testing.assert_allclose(scores[row], expected, atol=1e-4)
    assert len(asked[3][0]) == len(people)
    assert asked[3][1] is None


def test_early_stopping_watches_faces_centred_by_the_training_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clip_smu.training.trainer import Trainer

    faces, labels = coin_faces(6)
    seen: list[NDArray[Any]] = []
    monkeypatch.setattr(
        Trainer, "_mean_auc", lambda self, text_encoder, watched, known: seen.append(watched) or 0.5
    )
    settings = fit_settings().training("toy")
    trainer = Trainer(replace(settings, batch_size=8), faces.vectors, labels.values, tmp_path)
    inside, outside = np.arange(40), np.arange(40, 60)
    trainer.train("a fold", inside, outside, 1)
    units = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
    expected = units[outside] - units[inside].mean(axis=0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(seen[0], expected, atol=1e-5)


# ---------------------------------------------------------------- zero-shot


def test_zero_shot_measures_on_persons_it_was_not_calibrated_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from clip_smu.interpreter.interpreter import load_interpreter
    from clip_smu.training import job, zero_shot

    reader = load_interpreter(LFW_READER)
    coins, labels = coin_faces(20, dim=reader.dim)
    faces = replace(coins, card=None)
    calibrated = watch(monkeypatch, zero_shot, "calibrate")
    measured = watch(monkeypatch, job, "gather_evidence")
    zero_shot.zero_shot(reader.folder, tmp_path / "it", encoder="dlib", templates=faces, labels=labels)
    (scores, _, _, people), (_, new, _, others) = calibrated.given[0], measured.given[0]
    assert len(scores) == len(people)
    assert len(new) == len(others)
    assert len(people) + len(others) == len(faces)
    assert not set(people) & set(others)


# ---------------------------------------------------------------- the sweep of C


def test_sweep_does_not_choose_what_learns_persons_by_heart() -> None:
    """By photo the largest C is best for every coin, as it knows the other nine photos; by person it is for half."""
    rng = np.random.default_rng(5)
    faces = coin_faces(40, seed=5, dim=24)[0]
    x = (faces.vectors - faces.vectors.mean(axis=0)) / faces.vectors.std(axis=0)
    truth = x @ rng.normal(size=(24, 47)) / np.sqrt(24)
    of_person = truth.reshape(40, 10, 47).mean(axis=1) + rng.normal(size=(40, 47))
    known = np.where(of_person > 0, 1, -1).repeat(10, axis=0).astype(np.int8)
    tried = [0.0001, 0.001, 0.01, 0.1, 1.0]
    assert (choose_c(x, known, faces.identities, tried) == 1.0).mean() < 0.6
    assert (choose_c(x, known, [""] * len(x), tried) == 1.0).mean() > 0.9


def test_sweep_scores_no_coin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The AUCs that it chooses by, whatever their form (of a fold or of all), are those of chance."""
    faces, labels = coin_faces(60, seed=3)
    calls = watch(monkeypatch, logistic, "auc")
    choose_c(faces.vectors, labels.values, faces.identities, [0.01])
    areas = np.array([made.value for made in calls.made])
    errors = np.full(47, np.sqrt(61 / (12 * 30 * 30)))  # of 30 persons with and 30 without
    assert is_chance(np.nanmean(areas, axis=0).tolist(), errors.tolist())


# ---------------------------------------------------------------- evaluate, calibration, evidence


def test_evaluate_tells_no_coin_of_new_persons(tmp_path: Path) -> None:
    config = probe_settings()["logistic-regression"]
    from clip_smu.training.probes import fit_probe

    faces, labels = coin_faces(90, seed=1)
    made = fit_probe(faces, labels, tmp_path / "probe", train=faces.images[:600], config=config)
    found = evaluate(
        [made],
        faces,
        labels,
        tmp_path / "it",
        config=EvaluationConfig(only=faces.images[600:], train=faces.images[:600], rounds=0),
    )
    rows = [row for row in found.table.to_pylist() if row["metric"] == "auc" and row["n_attributes"] == 1]
    errors = [(row["high"] - row["low"]) / 3.92 for row in rows]
    assert len(rows) == 47
    assert is_chance([row["value"] for row in rows], errors)


def test_calibration_asserts_no_coin() -> None:
    """A score that differs from person to person, beside coins: photos of one person are one throw, not ten."""
    faces, labels = coin_faces(60, seed=2)
    scores = faces.vectors[:, :47]
    assert told_of(calibrate(scores, labels.values, 0.45, faces.identities)) <= MOST_TOLD
    assert told_of(calibrate(scores, labels.values, 0.45, None)) > MOST_TOLD  # taken for 600 persons


def test_evidence_counts_persons() -> None:
    """Of 47 coins the intervals of few lie off .5; by photos those of many would."""
    faces, labels = coin_faces(60, seed=2)
    scores = faces.vectors[:, :47]
    made = calibrate(scores, labels.values, 0.1, faces.identities)
    off = [
        row.low > 0.5 or row.high < 0.5
        for row in gather_evidence(made, scores, labels.values, faces.identities)
    ]
    assert sum(off) <= 2 * MOST_TOLD
    by_photo = gather_evidence(made, scores, labels.values, [""] * len(scores))
    assert sum(row.low > 0.5 or row.high < 0.5 for row in by_photo) > 2 * MOST_TOLD


# ---------------------------------------------------------------- confounds


def test_controls_foretell_no_reading_of_a_person_they_were_not_fitted_on() -> None:
    """With 20 persons, 10 controls fit any reading of these persons, and none of a new one."""
    faces, labels = coin_faces(20, seed=4)
    scores = faces.vectors[:, :47]
    found = residual(scores, labels.values, faces.identities)
    others = ~np.isin(NAMES, found.controls)
    assert others.sum() > 30
    assert np.mean(found.explained[others]) < 0
    leaky = residual(scores, labels.values, [""] * len(scores))
    assert np.mean(leaky.explained[others]) > 0.1
    after = found.after
    assert is_chance(after.auc[others].tolist(), after.se[others].tolist())


def test_a_reading_changes_no_residual_of_its_own_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither mean nor slopes come from the fold that they are taken off."""
    faces, labels = coin_faces(20, seed=4)
    fold_of = identity_folds(faces.identities, 5, 0)
    calls = watch(monkeypatch, readings_room, "areas")
    left = []
    one = int(np.flatnonzero(fold_of == 2)[0])
    same = (fold_of == 2) & (np.arange(len(fold_of)) != one)
    for far in (0, 50):
        scores = faces.vectors[:, :47].copy()
        scores[one] += far
        calls.given.clear()
        residual(scores, labels.values, faces.identities)
        left.append(calls.given[0][0].copy())
    np.testing.assert_array_equal(left[0][same], left[1][same])
    assert np.abs(left[0][fold_of != 2] - left[1][fold_of != 2]).max() > 0.1


def test_control_task_tells_no_coin_of_new_persons() -> None:
    faces, labels = coin_faces(90, seed=6)
    sides = [
        Photos(faces.vectors[part], labels.values[part], faces.identities[part])
        for part in (slice(600), slice(600, None))
    ]
    found = control_task(*sides, strength=1.0, rounds=2)
    assert is_chance(found.unseen.real.auc.tolist(), found.unseen.real.se.tolist())
    errors = found.unseen.real.se / np.sqrt(2)  # mean of two throws
    assert is_chance(found.unseen.control.tolist(), errors.tolist())
    assert found.shared is not None
    assert np.mean(found.shared.control) > 0.9  # of persons met before it knows the coin by heart


def test_control_task_standardises_by_the_photos_of_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    faces, labels = coin_faces(30, seed=6)
    fits = watch(monkeypatch, control_room, "fit_logistic")
    learnt = []
    for some in (faces, moved(faces, np.arange(200, 300))):
        sides = [
            Photos(some.vectors[part], labels.values[part], some.identities[part])
            for part in (slice(200), slice(200, None))
        ]
        fits.given.clear()
        control_task(*sides, strength=0.1, rounds=1)
        learnt.append([given[0] for given in fits.given])
    assert len(learnt[0]) == 4
    for one, two in zip(*learnt, strict=True):
        np.testing.assert_array_equal(one, two)


# ---------------------------------------------------------------- erase


def test_erase_reads_no_coin(tmp_path: Path) -> None:
    """Fresh probes, of the training persons and of other test persons, before and after erasing."""
    faces, labels = coin_faces(60, seed=7, dim=16)
    assert faces.card is not None
    (tmp_path / "t").mkdir()
    save_templates(tmp_path / "t/part-00000.parquet", faces.vectors, faces.images, faces.card)
    write_labels(labels, tmp_path / "labels.csv")
    write_list(faces.images[:300], tmp_path / "train.txt")
    write_list(faces.images[300:], tmp_path / "test.txt")
    found = erasure.erase(
        ["Male", "Young"], tmp_path / "t", tmp_path / "labels.csv", tmp_path / "out",
        train=tmp_path / "train.txt", test=tmp_path / "test.txt",
    )  # fmt: skip
    of_all = [r for r in found.readings if r.fitted_on == rereading.TRAINING]
    assert {r.reader for r in of_all} == {"linear probe", "non-linear probe"}
    for reading in of_all:
        keep = np.isfinite(reading.before.se)
        assert is_chance(reading.before.auc[keep].tolist(), reading.before.se[keep].tolist())
    (others,) = (r for r in found.readings if r.fitted_on == rereading.OTHERS)
    for side in (others.before, others.after):
        assert (np.abs(side.auc - 0.5) < SURE * side.se).all()


def test_probes_of_other_persons_read_no_coin() -> None:
    faces, labels = coin_faces(60, seed=8)
    scores = rereading.probe_of_others(faces.vectors, labels.values, faces.identities, 0)
    assert is_chance_of(scores, labels.values, faces.identities)
    by_photo = rereading.probe_of_others(faces.vectors, labels.values, [""] * len(scores), 0)
    assert not is_chance_of(by_photo, labels.values, faces.identities)


@pytest.mark.parametrize("probe", sorted(rereading.PROBES))
def test_features_are_of_the_training_rows(probe: str) -> None:
    """Changed test rows change no feature of another row."""
    features, _ = rereading.PROBES[probe]
    train, test = coin_faces(12)[0].vectors, coin_faces(6, seed=1)[0].vectors
    once = features(train, test, 0)
    other = test.copy()
    other[5:] = -9 * other[5:][:, ::-1] + 1
    again = features(train, other, 0)
    np.testing.assert_allclose(again[0], once[0], atol=1e-6)
    np.testing.assert_allclose(again[1][:5], once[1][:5], atol=1e-6)
    alone = features(train, test[:1], 0)
    np.testing.assert_allclose(alone[1], once[1][:1], atol=1e-5)


# ---------------------------------------------------------------- captions


def test_captions_are_chosen_on_other_persons_labels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is said of a person by thresholds or base rates is the same whatever that person's labels are."""
    from toy_readers import toy_probe

    faces, labels = coin_faces(9, seed=9, dim=16)
    calls = Calls(lambda *_, **__: None)  # the figures do not matter here
    monkeypatch.setattr(captions_room, "caption_scores", calls)

    def said(known: NDArray[np.int8]) -> list[NDArray[np.bool_]]:
        calls.given.clear()
        compare_strategies(
            toy_probe(),
            faces,
            Labels(labels.images, labels.identities, known),
            strategies=["likely"],
            folds=3,
        )
        return [given[0] for given in calls.given]

    before = said(labels.values)
    assert len(before) == 4
    people = np.array(faces.identities)
    changed = 0
    for person in sorted(set(people)):
        here = people == person
        after = said(np.where(here[:, None], -labels.values, labels.values).astype(np.int8))
        for one, two in zip(before, after, strict=True):
            np.testing.assert_array_equal(one[here], two[here])
            changed += int((one[~here] != two[~here]).sum())
    assert changed  # of others it is what they learn from
