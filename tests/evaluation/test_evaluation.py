"""Evaluating methods: figures against scikit-learn and slow loops, the join, the folder, refusals, the command."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from clip_smu.encoders.kept_check import in_words, kept_check
from clip_smu.encoders.locate import card
from clip_smu.errors import EncoderError, InputError, LabelError, TemplateError
from clip_smu.evaluation import (
    METRICS,
    TABLE_SCHEMA,
    Evaluation,
    EvaluationConfig,
    Scored,
    evaluate,
    measures,
    metric_table,
    photos_read,
    read_evaluation,
    resample_auc,
    resampling,
    table_of,
    write_evaluation,
    write_table,
)
from clip_smu.evaluation import (
    folder as folders,
)
from clip_smu.evaluation import (
    methods as methods_of,
)
from clip_smu.evaluation import (
    run as running,
)
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.labels.labels import Labels
from clip_smu.templates import Templates
from clip_smu.templates.shards import save_templates
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from faces import DIM, toy_card, toy_data
from toy_readers import toy_probe


def toy_interpreter(name: str = "toy") -> Interpreter:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=(2, 47, DIM)).astype(np.float32)
    calibration = Calibration(np.full(47, 4.0), np.zeros(47), np.full(47, 0.8), np.full(47, 0.3))
    return Interpreter(
        name=name,
        encoder="toy",
        attributes=NAMES,
        positive=positive,
        negative=negative,
        centre=np.zeros(DIM, np.float32),
        calibration=calibration,
        evidence=(),
        error_rate=0.1,
        known_words=frozenset(),
        provenance={},
    )


CHECK = {
    "encoder": "toy",
    "figures": {"accuracy": 0.987},
    "photos": 9,
    "rejected": {},
    "misfed": ["toy is mis-fed: swap the channels"],
    "variants": [{"name": "BGR"}],
}


def toy_evaluation(n: int = 240, seed: int = 3) -> tuple[NDArrays, Scored]:
    """(labels, persons) and scores with ties; the first attributes have few or no positives."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.int8([-1, 0, 1]), p=[0.55, 0.1, 0.35], size=(n, 6))
    labels[:, 0] = np.where(np.arange(n) < 9, 1, -1)  # nine positives: too few
    labels[:, 1] = -np.abs(labels[:, 1])  # none
    labels[:, 2] = np.where(np.arange(n) < 10, -1, 1)  # ten negatives: enough
    scores = (labels * 0.5 + rng.normal(size=labels.shape)).round(1).astype(np.float32)
    probabilities = (1 / (1 + np.exp(-scores))).astype(np.float32)
    verdicts = ((probabilities > 0.7) * 1 - (probabilities < 0.3) * 1).astype(np.int8)
    persons = np.array([f"p{row // 3}" for row in range(n)])
    return (labels, persons), Scored(scores, probabilities, verdicts)


NDArrays = tuple[np.ndarray, np.ndarray]
SIX = NAMES[:6]


@pytest.fixture(scope="module")
def figures() -> dict[tuple[str, str], dict[str, object]]:
    (labels, persons), scored = toy_evaluation()
    table = metric_table("toy", SIX, labels, persons, {"m": scored}, rounds=200)
    assert table.schema == TABLE_SCHEMA
    return {(row["attribute"], row["metric"]): row for row in table.to_pylist()}


def test_figures_are_scikit_learns_and_slow_loops(figures) -> None:
    (labels, _), scored = toy_evaluation()
    for k in range(2, 6):
        kept = labels[:, k] != 0
        yes, s, p = labels[kept, k] > 0, scored.scores[kept, k], scored.probabilities[kept, k].astype(float)
        verdict = scored.verdicts[kept, k]
        fpr, tpr, _ = sk.roc_curve(yes, s, drop_intermediate=False)
        green, red = verdict > 0, verdict < 0
        eers = [  # where the line between two points crosses fpr = 1 - tpr
            x0 + (x1 - x0) * (1 - y0 - x0) / ((x1 - x0) + (y1 - y0))
            for x0, x1, y0, y1 in zip(fpr, fpr[1:], tpr, tpr[1:], strict=False)
            if x0 + y0 <= 1 <= x1 + y1
        ]
        bins = np.ceil(p * 15).clip(1, 15)
        expected = {
            "auc": sk.roc_auc_score(yes, s),
            "average_precision": sk.average_precision_score(yes, s),
            "tpr_at_fpr_0.01": tpr[fpr <= 0.01].max(),
            "tpr_at_fpr_0.1": tpr[fpr <= 0.1].max(),
            "eer": eers[0],
            "balanced_accuracy": sk.balanced_accuracy_score(yes, p >= 0.5),
            "f1": sk.f1_score(yes, p >= 0.5),
            "brier": sk.brier_score_loss(yes, p),
            "verdict_error": (green & ~yes | red & yes).sum() / (green | red).sum(),
            "coverage": (green | red).mean(),
            "encoded_error": (~yes[green]).mean(),
            "encoded_share": green.mean(),
            "not_encoded_error": yes[red].mean() if red.sum() >= 10 else None,
            "not_encoded_share": red.mean(),
            "ece": sum(
                abs(p[bins == b].sum() - yes[bins == b].sum()) for b in range(1, 16)
            ) / len(p),
        }  # fmt: skip
        assert tuple(expected) == METRICS
        for metric, value in expected.items():
            row = figures[SIX[k], metric]
            assert row["value"] == pytest.approx(value, abs=1e-9), (SIX[k], metric)
            assert (row["n_positive"], row["n_negative"]) == (yes.sum(), (~yes).sum())
            assert row["label_accuracy"] == ATTRIBUTES[k].label_accuracy
            assert row["n_attributes"] == 1
            if row["low"] is not None and metric != "eer":
                assert row["low"] <= row["value"] <= row["high"], (SIX[k], metric)
            if metric == "ece":
                assert row["low"] is None


def test_too_few_is_said_and_is_not_a_number(figures) -> None:
    for metric in METRICS:
        few, none, ten = (figures[SIX[k], metric] for k in range(3))
        assert (few["value"], few["low"], few["high"], few["reason"]) == (
            None,
            None,
            None,
            "too few positives",
        )
        assert (few["n_positive"], few["n_negative"]) == (9, 231)
        assert (none["value"], none["low"], none["high"], none["reason"]) == (
            None,
            None,
            None,
            "no positives",
        )
        if metric not in ("verdict_error", "encoded_error", "not_encoded_error"):
            assert ten["value"] is not None
    (labels, persons), scored = toy_evaluation()
    quiet = replace(scored, verdicts=np.zeros_like(scored.verdicts))
    quiet.verdicts[:9, 3] = 1
    rows = metric_table("toy", SIX, labels, persons, {"m": quiet}, rounds=0).to_pylist()
    told = {(row["attribute"], row["metric"]): (row["value"], row["reason"]) for row in rows}
    assert told[SIX[4], "verdict_error"] == (None, "no verdicts")
    assert told[SIX[3], "encoded_error"] == (None, "too few verdicts")
    assert told["all", "verdict_error"] == (None, "too few verdicts")
    assert told["mean", "verdict_error"] == (None, "no attribute has this figure")


@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_every_interval_of_few_persons_says_so(count: int) -> None:
    """All metrics, each attribute, the means and all verdicts; from ten persons on of each kind nothing is said."""
    rng = np.random.default_rng(1)
    n = 600
    labels = rng.choice(np.int8([-1, 1]), (n, 2))
    persons = np.array([f"p{row % count}" for row in range(n)])
    scores = (rng.normal(size=(n, 2)) + labels).astype(np.float32)
    probabilities = 1 / (1 + np.exp(-scores))
    verdicts = np.where(np.abs(scores) > 0.3, np.sign(scores), 0).astype(np.int8)
    read = Scored(scores, probabilities, verdicts)
    rows = metric_table("toy", SIX[:2], labels, persons, {"m": read}, rounds=60).to_pylist()
    assert {row["metric"] for row in rows} == set(METRICS)
    for row in rows:
        assert row["value"] is not None, row
        if count == 1:
            assert row["reason"].endswith("of one identity"), row
            assert row["low"] is None
            assert row["high"] is None
        elif count < 10:
            assert row["reason"].endswith("of few identities"), row
        else:
            assert row["reason"] == "", row
        if count > 1 and row["metric"] != "ece":
            assert row["low"] <= row["value"] <= row["high"], row


def test_a_missing_interval_has_its_reason() -> None:
    """Photos of a class in two persons of twenty are missing in over 5 % of the resamples."""
    labels = np.full((200, 1), -1, np.int8)
    labels[:20] = 1
    persons = np.array([f"p{row // 10}" for row in range(200)])
    scores = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
    read = Scored(scores, 1 / (1 + np.exp(-scores)), np.zeros_like(labels))
    rows = {
        row["metric"]: row
        for row in metric_table("t", SIX[:1], labels, persons, {"m": read}).to_pylist()[:16]
    }
    assert rows["eer"]["low"] is None
    assert rows["eer"]["reason"] == "positives of few identities"
    assert rows["coverage"]["value"] == 0
    assert rows["coverage"]["low"] is None
    assert rows["coverage"]["reason"] == "no resample differs"


def test_means_and_all_verdicts_together(figures) -> None:
    (labels, _), scored = toy_evaluation()
    for metric in METRICS:
        known = [figures[name, metric]["value"] for name in SIX if figures[name, metric]["value"] is not None]
        mean = figures["mean", metric]
        assert mean["value"] == pytest.approx(np.mean(known))
        assert mean["n_attributes"] == len(known)
    assert figures["mean", "auc"]["n_attributes"] == 4
    assert figures["mean", "auc"]["n_positive"] == (labels[:, 2:] > 0).sum()
    kept = labels != 0
    wrong = (scored.verdicts != 0) & (scored.verdicts != labels) & kept
    asserted = (scored.verdicts != 0) & kept
    assert figures["all", "verdict_error"]["value"] == pytest.approx(wrong.sum() / asserted.sum())
    assert figures["all", "coverage"]["value"] == pytest.approx(asserted.sum() / kept.sum())
    p, yes = scored.probabilities[kept].astype(float), labels[kept] > 0
    bins = np.ceil(p * 15).clip(1, 15)
    gaps = [abs(p[bins == b].sum() - yes[bins == b].sum()) for b in range(1, 16)]
    assert figures["all", "ece"]["value"] == pytest.approx(sum(gaps) / len(p))
    assert figures["all", "ece"]["low"] is None
    squares = (scored.probabilities.astype(float) - (labels > 0)) ** 2
    assert figures["all", "brier"]["value"] == pytest.approx(squares[kept].mean())
    assert figures["all", "brier"]["low"] < figures["all", "brier"]["value"] < figures["all", "brier"]["high"]


def test_resamples_are_of_persons_and_as_if_photos_were_copied() -> None:
    """Each round's figures are scikit-learn's on the photos repeated as often as their person was drawn."""
    (labels, persons), scored = toy_evaluation(120)
    made = resampling.resample(scored, labels, persons, 40, 7)
    names = np.unique(persons)
    times = np.concatenate([part for _, part in resampling.draws(len(names), 40, 7, 9)])
    assert (times.sum(axis=1) == len(names)).all()
    for r in (0, 13, 39):
        copies = np.repeat(np.arange(120), times[r][np.searchsorted(names, persons)].astype(int))
        for k in (2, 4):
            rows = copies[labels[copies, k] != 0]
            yes, s = labels[rows, k] > 0, scored.scores[rows, k]
            if yes.all():
                assert np.isnan(made.rankings[r, k]).all()
                continue
            fpr, tpr, _ = sk.roc_curve(yes, s, drop_intermediate=False)
            auc, ap, at_1, at_10, eer = made.rankings[r, k]
            assert auc == pytest.approx(sk.roc_auc_score(yes, s))
            assert ap == pytest.approx(sk.average_precision_score(yes, s))
            assert (at_1, at_10) == pytest.approx((tpr[fpr <= 0.01].max(), tpr[fpr <= 0.1].max()))
            crossing = np.interp(0, fpr + tpr - 1, fpr)
            assert eer == pytest.approx(crossing, abs=1e-9)
            said = scored.probabilities[rows, k] >= 0.5
            balanced, f1, brier = resampling.rates(made.sums[r, k])[:3]
            assert balanced == pytest.approx(sk.balanced_accuracy_score(yes, said))
            assert f1 == pytest.approx(sk.f1_score(yes, said))
            assert brier == pytest.approx(
                sk.brier_score_loss(yes, scored.probabilities[rows, k].astype(float))
            )


def test_resampled_auc_is_that_of_copied_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    (labels, persons), scored = toy_evaluation()
    areas = resample_auc(scored.scores[:, 3:], labels[:, 3:], persons, 100, 5)
    people = np.unique(persons)
    for r, drawn in enumerate(np.random.default_rng(5).integers(len(people), size=(100, len(people)))):
        rows = np.concatenate([np.flatnonzero(persons == people[one]) for one in drawn])
        for k in range(3, labels.shape[1]):
            known = rows[labels[rows, k] != 0]
            assert areas[r, k - 3] == pytest.approx(
                sk.roc_auc_score(labels[known, k], scored.scores[known, k])
            )
    monkeypatch.setattr(resampling, "_BLOCK", 500)  # two rounds at a time: the same resamples
    np.testing.assert_array_equal(resample_auc(scored.scores[:, 3:], labels[:, 3:], persons, 100, 5), areas)
    np.testing.assert_allclose(resampling.resample(scored, labels, persons, 100, 5).rankings[:, 3:, 0], areas)


def test_photos_of_one_person_widen_the_interval() -> None:
    (labels, persons), scored = toy_evaluation(60)
    five = [
        np.repeat(array, 5, axis=0)
        for array in (labels, scored.scores, scored.probabilities, scored.verdicts)
    ]
    copies = Scored(*five[1:])
    alone = np.arange(300).astype(str)
    widths = []
    for who in (alone, np.repeat(persons, 5)):
        rows = metric_table("toy", SIX, five[0], who, {"m": copies}, rounds=200).to_pylist()
        kept = [row for row in rows if row["attribute"] == SIX[3] and row["metric"] in ("auc", "brier")]
        widths.append([row["high"] - row["low"] for row in kept])
    assert np.all(np.array(widths[1]) > 1.5 * np.array(widths[0]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Labels]:
    """Templates in two shards with a second face, labels as csv; photos on one side only."""
    faces, labels = toy_data()
    folder = tmp_path_factory.mktemp("data")
    save_templates(folder / "t/part-0.parquet", faces.vectors[:250], faces.images[:250], toy_card())
    images = [*faces.images[250:380], "strangers/1.jpg", "strangers/2.jpg"]
    vectors = np.concatenate([faces.vectors[250:380], faces.vectors[:2]])
    save_templates(folder / "t/part-1.parquet", vectors, images, toy_card())
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Filename", "Identity", *NAMES])
        for image, person, row in zip(labels.images, labels.identities, labels.values, strict=True):
            writer.writerow([image, person, *row.tolist()])
    return folder / "t", folder / "labels.csv", labels


def test_the_folder_and_what_it_says(data, tmp_path: Path) -> None:
    templates, csv_file, labels = data
    wanted = [*labels.images[100:], "nobody/7.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(wanted))
    stages: list[tuple[str, int, int]] = []
    probe, reader = toy_probe(), toy_interpreter()
    probe.save(tmp_path / "probe")
    made = evaluate(
        [tmp_path / "probe", reader],
        templates,
        csv_file,
        tmp_path / "e",
        progress=lambda *step: stages.append(step),
        config=EvaluationConfig(only=tmp_path / "list.txt", rounds=40),
    )
    assert list(made.methods) == ["toy-probe", "toy"]
    assert made.encoder == "toy"
    assert made.images == labels.images[100:380]
    assert made.identities == labels.identities[100:380]
    np.testing.assert_array_equal(made.labels, labels.values[100:380])
    faces, _ = toy_data()
    for one, method in (("toy-probe", probe), ("toy", reader)):
        for found, expected in zip(
            (made.methods[one].scores, made.methods[one].probabilities, made.methods[one].verdicts),
            method.read(faces.vectors[100:380]), strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(made.norms, faces.norms[100:380], rtol=1e-6)
    manifest = json.loads((tmp_path / "e/evaluation.json").read_text())
    assert manifest["join"] == {
        "photos with template and label": 280,
        "templates without label": 2,
        "templates not on the list": 100,
        "labels without template": 20,
        "names on the list without label": 1,
        "templates of a photo that came before": 0,
        "labels of a photo that came before": 0,
        "templates with an ambiguous name": 0,
        "ambiguous names on the list": 0,
        "unusable templates": 0,
    }
    assert manifest["left_out"] == []
    assert (manifest["photos"], manifest["persons"]) == (280, 70)
    assert [row["kind"] for row in manifest["methods"]] == ["binary", "interpreter"]
    assert manifest["methods"][0]["trained_on"] == {"faces": 400}
    assert "not checked" in manifest["training_persons"]
    assert stages[-1] == ("figures", 2, 2)
    assert ("templates", 382, 382) in stages
    back = read_evaluation(tmp_path / "e")
    assert back.manifest == made.manifest | {"format": 1}
    assert back.table.equals(made.table)
    assert (back.attributes, back.images, back.identities) == (made.attributes, made.images, made.identities)
    for one in made.methods:
        for name in ("scores", "probabilities", "verdicts"):
            found, expected = getattr(back.methods[one], name), getattr(made.methods[one], name)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    assert back.labels.dtype == np.int8
    columns = pq.read_schema(tmp_path / "e/scores.parquet")
    assert json.loads(columns.metadata[b"clip_smu.attributes"]) == list(NAMES)
    assert columns.metadata[b"clip_smu.encoder"] == b"toy"


def test_three_forms_of_the_table_are_equal_and_runs_are_equal_bytes(data, tmp_path: Path) -> None:
    templates, csv_file, _ = data
    for name in ("one", "two"):
        evaluate([toy_probe()], templates, csv_file, tmp_path / name, config=EvaluationConfig(rounds=40))
    for file in ("table.csv", "table.json", "table.parquet", "scores.parquet", "_job.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    rows = json.loads((tmp_path / "one/table.json").read_text(), parse_constant=refuse)
    assert pq.read_table(tmp_path / "one/table.parquet").to_pylist() == rows
    with (tmp_path / "one/table.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == len(rows) > 700
    for cell, row in zip(cells, rows, strict=True):
        for key, value in row.items():
            if isinstance(value, float):
                assert float(cell[key]) == value  # the same double, digit for digit
            else:
                assert cell[key] == ("" if value is None else str(value))
    assert not any(isinstance(value, float) and np.isnan(value) for row in rows for value in row.values())


def slow_join(templates: Templates, labels: Labels, only: list[str]) -> list[tuple[int, int]]:
    """Row of the template, row of the label; these names have two parts, and some a folder before them."""
    found: list[tuple[int, int]] = []
    for t, (image, face) in enumerate(zip(templates.images, templates.faces, strict=True)):
        for row, known in enumerate(labels.images):
            same = image.split("/")[-2:] == known.split("/")
            if face == 0 and same and row not in [one for _, one in found]:
                found.append((t, row))
    return [(t, row) for t, row in found if labels.images[row] in only]


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("prefix", ["", "train/", "late"])
def test_the_join_is_the_slow_one_whatever_the_batches(
    chunk: int, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``late``: the first rows match by their last parts only, later ones whole, and neither hinders the other."""
    faces, labels = toy_data(40)
    images = [f"train/{image}" if prefix == "train/" else image for image in faces.images]
    if prefix == "late":
        images[:10] = [f"elsewhere/{image}" for image in images[:10]]
    images[20] = images[19]  # a photo twice
    second = np.zeros(40, np.int16)
    second[5::9] = 1  # faces behind the main one
    only = labels.images[3:]
    store = replace_faces(faces, images, second)
    write_store(tmp_path / "t.parquet", store)
    monkeypatch.setattr(photos_read, "_CHUNK", chunk)
    made = evaluate(
        [toy_probe()],
        tmp_path / "t.parquet",
        labels,
        tmp_path / "e",
        config=EvaluationConfig(only=only, rounds=0),
    )
    pairs = slow_join(store, labels, only)
    assert made.images == [labels.images[row] for _, row in pairs]
    np.testing.assert_array_equal(made.labels, labels.values[[row for _, row in pairs]])
    scores = toy_probe().read(store.vectors[[t for t, _ in pairs]])[0]
    np.testing.assert_allclose(made.methods["toy-probe"].scores, scores, atol=1e-5)
    report = made.manifest["join"]
    assert report["templates of a photo that came before"] == 1
    assert report["photos with template and label"] == len(pairs)
    assert report["labels without template"] == len(only) - len(pairs)
    assert sum(count for what, count in report.items() if "template" in what and "labels" not in what) == 36


def replace_faces(faces: Templates, images: list[str], second: np.ndarray) -> Templates:
    return Templates(faces.vectors, images, second, faces.identities, faces.norms, faces.card)


def write_store(path: Path, faces: Templates) -> None:
    save_templates(path, faces.vectors, faces.images, toy_card())
    table = pq.read_table(path)
    column = table.schema.get_field_index("face")
    pq.write_table(table.set_column(column, table.schema.field("face"), pa.array(faces.faces)), path)


def test_unusable_templates_are_counted_not_scored(tmp_path: Path) -> None:
    faces, labels = toy_data(60)
    vectors = faces.vectors.copy()
    vectors[4], vectors[9, 2] = 0, np.nan
    store = Templates(vectors, faces.images, faces.faces, faces.identities, faces.norms, None)
    made = evaluate([toy_probe()], store, labels, tmp_path / "e", config=EvaluationConfig(rounds=0))
    assert len(made) == 58
    assert made.manifest["unusable"] == {"not a number (NaN)": 1, "zero": 1}
    assert made.manifest["join"]["unusable templates"] == 2
    assert made.manifest["left_out"] == [
        "2 templates cannot be used (1 not a number (NaN), 1 zero); the first is that of p1/4.jpg"
    ]
    assert faces.images[4] not in made.images
    assert made.encoder == "toy"  # bare vectors: what the method says
    assert np.isfinite(made.methods["toy-probe"].scores).all()
    with pytest.raises(TemplateError, match="none of 60 joined templates"):
        evaluate([toy_probe()], replace(store, vectors=vectors * 0), labels, tmp_path / "f")


def test_hidden_attributes_and_given_names(tmp_path: Path) -> None:
    faces, labels = toy_data(100)
    hidden = [k for k, name in enumerate(NAMES) if name in ("Male", "Asian")]
    made = evaluate(
        [toy_probe(), toy_probe(seed=2)],
        faces,
        labels,
        tmp_path / "e",
        config=EvaluationConfig(names=["a", "b"], hide=["Male", "Asian"], rounds=0),
    )
    assert made.attributes == tuple(name for name in NAMES if name not in ("Male", "Asian"))
    assert list(made.methods) == ["a", "b"]
    np.testing.assert_array_equal(made.labels, np.delete(labels.values, hidden, axis=1))
    full = toy_probe().read(faces.vectors)[1]
    np.testing.assert_allclose(made.methods["a"].probabilities, np.delete(full, hidden, axis=1), atol=1e-6)
    assert "Male" not in (tmp_path / "e/table.csv").read_text()


def test_two_methods_of_one_name_take_their_folders(tmp_path: Path) -> None:
    faces, labels = toy_data(80)
    for seed, folder in ((1, "early"), (2, "late")):
        toy_probe(seed=seed).save(tmp_path / folder)
    made = evaluate(
        [tmp_path / "early", tmp_path / "late"],
        faces,
        labels,
        tmp_path / "e",
        config=EvaluationConfig(rounds=0),
    )
    assert list(made.methods) == ["early", "late"]


def test_the_same_evaluation_is_read_back_another_is_refused(tmp_path: Path) -> None:
    faces, labels = toy_data(80)
    evaluate([toy_probe()], faces, labels, tmp_path / "e", config=EvaluationConfig(rounds=0))
    before = (tmp_path / "e/scores.parquet").stat().st_mtime_ns
    again = evaluate([toy_probe()], faces, labels, tmp_path / "e", config=EvaluationConfig(rounds=0))
    assert (tmp_path / "e/scores.parquet").stat().st_mtime_ns == before
    assert len(again) == 80
    with pytest.raises(InputError, match=r"another job \(it differs in: methods\)"):
        evaluate([toy_probe(seed=2)], faces, labels, tmp_path / "e", config=EvaluationConfig(rounds=0))
    other = evaluate(
        [toy_probe(seed=2)], faces, labels, tmp_path / "e", overwrite=True, config=EvaluationConfig(rounds=0)
    )
    assert not np.array_equal(other.methods["toy-probe"].scores, again.methods["toy-probe"].scores)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    with pytest.raises(InputError, match="not made by this command"):
        evaluate([toy_probe()], faces, labels, tmp_path / "mine", overwrite=True)


def test_a_preprocessing_check_is_kept(tmp_path: Path, command) -> None:
    faces, labels = toy_data(80)
    check = tmp_path / "check.json"
    check.write_text(json.dumps(CHECK))
    kept = {key: value for key, value in CHECK.items() if key != "variants"} | {"tried": ["BGR"]}
    given = evaluate(
        [toy_probe()],
        faces,
        labels,
        tmp_path / "e",
        config=EvaluationConfig(rounds=0, preprocessing_check=check),
    )
    assert given.manifest["preprocessing_check"] == kept
    knows = replace(
        toy_interpreter(), provenance={"preprocessing_check": kept}
    )  # as clip-smu fit --check leaves it
    taken_over = evaluate(
        [toy_probe(), knows], faces, labels, tmp_path / "f", config=EvaluationConfig(rounds=0)
    ).manifest["preprocessing_check"]
    assert taken_over == kept | {"kept_by": knows.name}
    whose = f"encoder check that came with {knows.name}, on {kept['photos']:,} photos of whoever fitted it and not on"
    assert in_words(taken_over).startswith(whose)
    assert in_words(taken_over).endswith(in_words(kept).removeprefix("encoder check"))
    manifest = tmp_path / "e/evaluation.json"
    manifest.write_text(
        manifest.read_text().replace('"preprocessing_check"', '"feeding"')
    )  # a folder of before
    assert kept_check(read_evaluation(tmp_path / "e").manifest) == kept
    before = replace(toy_interpreter(), provenance={"feeding": kept})
    from_before = evaluate(
        [before], faces, labels, tmp_path / "b", config=EvaluationConfig(rounds=0)
    ).manifest["preprocessing_check"]
    assert from_before == taken_over
    assert (
        evaluate([toy_probe()], faces, labels, tmp_path / "g", config=EvaluationConfig(rounds=0)).manifest[
            "preprocessing_check"
        ]
        is None
    )
    (tmp_path / "other.json").write_text(json.dumps(CHECK | {"encoder": "mbf"}))
    with pytest.raises(
        InputError, match=r"a preprocessing check of toy, whose templates these are; .* is of mbf"
    ):
        evaluate(
            [toy_probe()],
            faces,
            labels,
            tmp_path / "h",
            config=EvaluationConfig(rounds=0, preprocessing_check=tmp_path / "other.json"),
        )
    assert not (tmp_path / "h").exists()


def test_refusals(tmp_path: Path) -> None:
    faces, labels = toy_data(80)
    probe = toy_probe()

    def refused(
        match: str, error: type[Exception], methods=(probe,), store=faces, known=labels, **more
    ) -> None:
        with pytest.raises(error, match=match):
            evaluate(methods, store, known, tmp_path / "never", EvaluationConfig(**{"rounds": 0} | more))
        assert not (tmp_path / "never").exists()

    refused("no method to evaluate", InputError, methods=())
    refused("two methods are called toy-probe", InputError, methods=(probe, toy_probe(seed=2)))
    refused("expected 1 names, one a method, found 2", InputError, names=["a", "b"])
    refused("no attribute is left", InputError, hide=NAMES)
    other = replace(faces, card=card("dlib"))
    refused("the probe toy-probe reads templates of toy, these are of dlib", EncoderError, store=other)
    refused(
        "toy-probe reads templates of toy, far of mbf", EncoderError,
        methods=(probe, toy_probe("far", encoder="mbf")),
    )  # fmt: skip
    refused("length 16", TemplateError, store=replace(faces, vectors=np.ones((80, 8), np.float32), card=None))
    strangers = Labels([f"x/{row}.png" for row in range(80)], labels.identities, labels.values)
    refused("no photo has both a template and a label", LabelError, known=strangers)
    refused("no photo of the list has a label", LabelError, only=["nobody.jpg"])
    refused("20 persons of the training list would be evaluated on", LabelError, train=labels.images)
    refused("no photo of the training list has a label", LabelError, train=["nobody.jpg"])
    with pytest.raises(InputError, match="expected at least 40 rounds, or 0, found 3"):
        evaluate([probe], faces, labels, tmp_path / "never", config=EvaluationConfig(rounds=3))
    fine = evaluate(
        [probe],
        faces,
        labels,
        tmp_path / "e",
        config=EvaluationConfig(only=labels.images[40:], train=labels.images[:40], rounds=0),
    )
    assert fine.manifest["training_persons"] == "none of the training list is evaluated on"


def test_unfinished_and_damaged_evaluations(tmp_path: Path) -> None:
    faces, labels = toy_data(40)
    evaluate([toy_probe()], faces, labels, tmp_path / "e", config=EvaluationConfig(rounds=0))
    with pytest.raises(
        InputError, match=r"evaluation\.json is missing; give a folder made by clip-smu evaluate"
    ):
        read_evaluation(tmp_path)
    manifest = (tmp_path / "e/evaluation.json").read_text()
    (tmp_path / "e/evaluation.json").unlink()
    with pytest.raises(InputError, match="not finished: run its clip-smu evaluate again"):
        read_evaluation(tmp_path / "e")
    (tmp_path / "e/evaluation.json").write_text(manifest.replace('"format": 1', '"format": 9'))
    with pytest.raises(InputError, match="has format 9, this version reads 1"):
        read_evaluation(tmp_path / "e")
    (tmp_path / "e/evaluation.json").write_text(manifest[:-20])
    with pytest.raises(InputError, match="damaged"):
        read_evaluation(tmp_path / "e")
    (tmp_path / "e/evaluation.json").write_text(manifest.replace('"name": "toy-probe"', '"name": "other"'))
    with pytest.raises(InputError, match="damaged"):
        read_evaluation(tmp_path / "e")
    (tmp_path / "e/evaluation.json").write_text(manifest)
    whole = (tmp_path / "e/scores.parquet").read_bytes()
    (tmp_path / "e/scores.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_evaluation(tmp_path / "e")
    (tmp_path / "e/scores.parquet").unlink()
    with pytest.raises(InputError, match=r"lacks scores\.parquet"):
        read_evaluation(tmp_path / "e")


def test_an_evaluation_made_in_memory_is_written_and_read(tmp_path: Path) -> None:
    (labels, persons), scored = toy_evaluation(30)
    norms = np.full(30, np.nan, np.float32)
    made = Evaluation(
        "toy", SIX, [f"{row}.jpg" for row in range(30)], ["", *persons[1:].tolist()], norms, labels, {"m:1": scored},
        {"encoder": "toy", "methods": [{"name": "m:1"}]}, table_of([]),
    )  # fmt: skip
    write_evaluation(made, tmp_path / "e")
    back = read_evaluation(tmp_path / "e")
    np.testing.assert_array_equal(back.methods["m:1"].scores, scored.scores)
    assert np.isnan(back.norms).all()
    assert back.identities[0] == ""
    assert back.persons()[0] == "\x000"  # unknown: a person of his own
    assert len(set(back.persons().tolist())) == 11


def test_the_command(data, tmp_path: Path, command) -> None:
    templates, csv_file, labels = data
    toy_probe().save(tmp_path / "probe")
    base = (
        "evaluate",
        tmp_path / "probe",
        "-t",
        templates,
        "-l",
        csv_file,
        "-o",
        tmp_path / "e",
        "--rounds",
        40,
    )
    code, out, err = command(*base)
    assert code == 0, err
    value = next(
        row["value"]
        for row in read_evaluation(tmp_path / "e").table.to_pylist()
        if (row["attribute"], row["metric"]) == ("mean", "auc")
    )
    assert f"mean of 47 attributes: AUC {value:.4f}" in out
    assert "eyeglasses" in out
    assert "20 labels without template" in err
    assert "--train" in err
    code, out, err = command(*base, "--json")
    assert code == 0
    assert json.loads(out)["photos"] == 380
    assert len(json.loads(out)["rows"]) == 728
    code, out, _ = command(*base, "--csv")
    assert len(out.splitlines()) == 729
    code, out, _ = command(*base, "--csv", "--name", "mine", "--overwrite")
    assert {line.split(",")[0] for line in out.splitlines()[1:]} == {"mine"}
    (tmp_path / "train.txt").write_text("\n".join(labels.images[:40]))
    for more, said in (
        (("--json", "--csv"), "exclude each other"),
        (("--train", tmp_path / "train.txt", "--overwrite"), "10 persons of the training list"),
        (("--hide", "nonsense"), "nonsense"),
    ):
        code, _, err = command(*base, *more)
        assert code == 1
        assert said in err.splitlines()[-1]


# ---------------------------------------------------------------- parts, one by one


def test_ends_are_quantiles_and_missing_where_too_much_is_missing() -> None:
    draws = np.random.default_rng(0).normal(size=(40, 4))
    draws[:2, 1] = np.nan  # 5 % exactly: the interval is of the others
    draws[:3, 2] = np.nan  # above
    draws[:, 3] = 0.25  # none differs
    low, high = measures._ends(draws, 0.9)
    for k, rows in ((0, slice(None)), (1, slice(2, None))):
        assert (low[k], high[k]) == pytest.approx(tuple(np.quantile(draws[rows, k], [0.05, 0.95])))
    assert np.isnan([low[2:], high[2:]]).all()
    for end in measures._ends(np.empty((0, 3, 2)), 0.95):
        assert end.shape == (3, 2)
        assert np.isnan(end).all()


def test_why_there_is_no_interval() -> None:
    some, none = {"value": 0.5, "low": np.nan}, {"value": None, "low": None}
    drawn = np.full(40, 0.5)
    assert measures._no_interval(some, drawn) == "no resample differs"
    drawn[:2] = np.nan
    assert measures._no_interval(some, drawn) == "no resample differs"  # 5 % may be missing
    drawn[:3] = np.nan
    assert measures._no_interval(some, drawn) == "missing in resamples"
    assert measures._no_interval(some, np.empty(0)) == ""
    assert measures._no_interval(none, drawn) == ""
    assert measures._no_interval({"value": 0.5, "low": 0.4}, drawn) == ""


def test_means_by_a_loop() -> None:
    """A resample without a figure keeps that attribute at its value; attributes without the figure take no part."""
    rng = np.random.default_rng(2)
    width = len(METRICS)
    value, draws = rng.random((4, width)), rng.random((50, 4, width))
    draws[rng.random(draws.shape) < 0.1] = np.nan
    usable = rng.random((4, width)) < 0.7
    usable[:, 3] = False
    draws[:, :, 5] = np.nan
    for place, (row, kept) in enumerate(measures._means(value, draws, usable, 0.9, 50)):
        chosen = [k for k in range(4) if usable[k, place]]
        assert (row["attribute"], row["metric"], row["n_attributes"]) == ("mean", METRICS[place], len(chosen))
        assert np.flatnonzero(kept).tolist() == chosen
        if not chosen:
            assert (row["value"], row["reason"]) == (None, "no attribute has this figure")
            continue
        assert row["value"] == pytest.approx(np.mean([value[k, place] for k in chosen]))
        means = [
            np.mean([value[k, place] if np.isnan(draws[r, k, place]) else draws[r, k, place] for k in chosen])
            for r in range(50)
        ]
        if place == 5:
            assert np.isnan([row["low"], row["high"]]).all()
        else:
            assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(means, [0.05, 0.95])))
        assert row["reason"] == ""
    assert measures._means(value, draws, usable, 0.9, 9)[0][0]["reason"] == "photos of few identities"


def test_persons_behind_each_figure_by_a_loop() -> None:
    (labels, persons), scored = toy_evaluation(40)
    said = scored.verdicts
    for k, row in enumerate(measures._persons_of(scored, labels, persons)):
        for of, chosen in (
            ("positives", labels[:, k] == 1),
            ("negatives", labels[:, k] == -1),
            ("photos", labels[:, k] != 0),
            ("verdicts", (labels[:, k] != 0) & (said[:, k] != 0)),
            ("encoded verdicts", (labels[:, k] != 0) & (said[:, k] == 1)),
            ("not encoded verdicts", (labels[:, k] != 0) & (said[:, k] == -1)),
        ):
            assert row[of] == len(set(persons[chosen].tolist())), (k, of)
    (together,) = measures._persons_of(scored, labels[:, :1], persons, pooled=True)
    assert together["positives"] == len(set(persons[labels[:, 0] == 1].tolist()))
    assert together["photos"] == len(set(persons[(labels[:, 0] != 0)].tolist()))


def test_all_verdicts_are_of_all_persons() -> None:
    """The first attribute is known of three persons only, which says nothing of all attributes together."""
    (labels, persons), scored = toy_evaluation(120)
    labels[:, 0] = np.where(np.arange(120) < 9, labels[:, 0], 0)
    rows = metric_table("toy", SIX, labels, persons, {"m": scored}, rounds=40).to_pylist()
    reasons = {row["reason"] for row in rows if row["attribute"] == "all"}
    assert reasons == {""}


def test_a_positive_and_a_negative_are_enough_for_an_area() -> None:
    """Of two persons each round has both, an area of 1, or one of them twice, and none."""
    areas = resample_auc(np.float32([[0.9], [0.1]]), np.int8([[1], [-1]]), np.array(["a", "b"]), 60, 0)
    (times,) = (part for _, part in resampling.draws(2, 60, 0, 60))
    assert np.array_equal(areas[:, 0], np.where((times == 1).all(axis=1), 1.0, np.nan), equal_nan=True)


def test_figures_that_cannot_be_given_are_none() -> None:
    none = {"value": None, "low": None, "high": None}
    assert measures._figures(0.5, 0.4, 0.6, True) == none
    assert measures._figures(0.5, 0.4, 0.6, False) == {"value": 0.5, "low": 0.4, "high": 0.6}


def test_draws_are_whole_rounds_and_the_seed_alone_decides() -> None:
    whole = list(resampling.draws(5, 7, 3, 7))
    assert [(part.start, part.stop) for part, _ in whole] == [(0, 7)]
    drawn = np.random.default_rng(3).integers(5, size=(7, 5))
    expected = [[int((row == person).sum()) for person in range(5)] for row in drawn]
    assert whole[0][1].tolist() == expected
    assert whole[0][1].dtype == np.float64
    parts = list(resampling.draws(5, 7, 3, 3))
    assert [(part.start, part.stop) for part, _ in parts] == [(0, 3), (3, 6), (6, 7)]
    assert np.concatenate([times for _, times in parts]).tolist() == expected


def test_how_many_rounds_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty, or two beyond each end; 500 by default, 100 of many photos."""
    (labels, persons), scored = toy_evaluation(60)

    def made(**more: object) -> list[dict[str, object]]:
        told: list[int] = []
        table = metric_table(
            "toy", SIX, labels, persons, {"m": scored, "n": scored}, progress=told.append, **more
        )
        assert told == [1, 1]
        return table.to_pylist()

    for level, least in ((0.95, 40), (0.99, 200)):
        with pytest.raises(
            InputError, match=f"expected at least {least} rounds, or 0, found {least - 1}: 500 is"
        ):
            metric_table("toy", SIX, labels, persons, {"m": scored}, level=level, rounds=least - 1)
    with pytest.raises(InputError, match="at least 40 rounds, or 0, found 1"):
        metric_table("toy", SIX, labels, persons, {"m": scored}, rounds=1)
    assert made(rounds=40) != made(rounds=41)
    assert made(rounds=40) == made(rounds=40, level=0.95, seed=0)
    assert made(rounds=40) != made(rounds=40, seed=1)
    assert (measures.ROUNDS, measures.ROUNDS_LARGE, measures.LARGE) == (500, 100, 200_000)
    monkeypatch.setattr(measures, "ROUNDS", 45)
    monkeypatch.setattr(measures, "ROUNDS_LARGE", 44)
    for large, rounds in ((60, 45), (59, 44)):
        monkeypatch.setattr(measures, "LARGE", large)
        assert made() == made(rounds=rounds)


def test_the_three_forms_of_any_table(tmp_path: Path) -> None:
    rows = [
        {
            "method": "=1+1",
            "attribute": "é",
            "metric": "auc",
            "value": 0.1 + 0.2,
            "n_positive": 3,
            "reason": "",
        },
        {"method": "-0.5", "metric": "eer", "value": float("nan"), "low": float("inf"), "high": -0.0},
    ]
    table = table_of(rows)
    assert table.schema == TABLE_SCHEMA
    assert table.column("value").to_pylist() == [0.1 + 0.2, None]
    assert table.column("low").to_pylist() == [None, None]
    assert table_of([{"a": 1}], pa.schema([("a", pa.int64())])).to_pylist() == [{"a": 1}]
    for name in ("t.csv", "t.JSON", "t.parquet"):
        write_table(table, tmp_path / name)
    text = (tmp_path / "t.JSON").read_text("utf-8")
    assert json.loads(text) == table.to_pylist()
    assert "é" in text
    assert text.endswith("\n]\n")
    assert text.startswith('[\n {\n  "method"')
    assert pq.read_table(tmp_path / "t.parquet").equals(table)
    assert pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0).column(0).compression == "ZSTD"
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.reader(file))
    assert cells[0] == TABLE_SCHEMA.names
    assert [row[0] for row in cells[1:]] == ["'=1+1", "-0.5"]  # nothing for a spreadsheet to run
    assert (cells[1][2], cells[1][4], cells[2][4]) == ("é", repr(0.1 + 0.2), "")
    write_table(table, tmp_path / "more.json", {"level": 0.95})
    assert json.loads((tmp_path / "more.json").read_text("utf-8")) == {
        "level": 0.95,
        "rows": table.to_pylist(),
    }
    with pytest.raises(InputError, match=r"expected a file named \.csv, \.parquet or \.json, found t\.txt"):
        write_table(table, tmp_path / "t.txt")
    with pytest.raises(ValueError, match="JSON"):
        write_table(table, tmp_path / "bad.json", {"level": float("nan")})
    assert not (tmp_path / "bad.json").exists()


def in_memory(n: int = 30, names: tuple[str, ...] = ("m",), attributes: tuple[str, ...] = SIX) -> Evaluation:
    (labels, persons), scored = toy_evaluation(n)
    manifest = {"encoder": "toy", "methods": [{"name": name} for name in names]}
    return Evaluation(
        "toy", attributes, [f"{row}.jpg" for row in range(n)], persons.tolist(), np.ones(n, np.float32), labels,
        dict.fromkeys(names, scored), manifest, table_of([]),
    )  # fmt: skip


def test_row_groups_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = in_memory(names=("m", "n"))
    monkeypatch.setattr(folders, "_ROWS", 7)
    write_evaluation(made, tmp_path / "e")
    stored = pq.ParquetFile(tmp_path / "e/scores.parquet")
    assert stored.metadata.num_row_groups == 5
    assert stored.metadata.row_group(0).column(0).compression == "ZSTD"
    assert stored.schema_arrow.names == [
        "image", "identity", "norm", "labels", "scores:m", "probabilities:m", "verdicts:m", "scores:n",
        "probabilities:n", "verdicts:n",
    ]  # fmt: skip
    back = read_evaluation(tmp_path / "e")
    assert (back.images, back.identities, back.attributes) == (made.images, made.identities, SIX)
    np.testing.assert_array_equal(back.labels, made.labels)
    np.testing.assert_array_equal(back.norms, made.norms)
    assert back.norms.dtype == np.float32
    for name in ("m", "n"):
        for part in ("scores", "probabilities", "verdicts"):
            np.testing.assert_array_equal(
                getattr(back.methods[name], part), getattr(made.methods[name], part)
            )


def test_an_evaluation_of_no_photo_is_read(tmp_path: Path) -> None:
    made = in_memory()
    none = np.empty((0, 6))
    bare = Scored(none.astype(np.float32), none.astype(np.float32), none.astype(np.int8))
    empty = replace(
        made,
        images=[],
        identities=[],
        norms=np.empty(0, np.float32),
        labels=none.astype(np.int8),
        methods={"m": bare},
    )
    write_evaluation(empty, tmp_path / "e")
    back = read_evaluation(tmp_path / "e")
    assert len(back) == 0
    assert back.labels.shape == back.methods["m"].scores.shape == (0, 6)
    assert (back.labels.dtype, back.methods["m"].scores.dtype) == (np.int8, np.float32)


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    made = in_memory()
    twice = (*SIX[:5], SIX[0])
    for number, (bad, words) in enumerate(
        (
            (replace(made, attributes=("Beard?", *SIX[1:])), r"attributes Beard\?"),
            (replace(made, attributes=("Beard?", "Wig?", *SIX[2:])), r"attributes Beard\?, Wig\?"),
            (replace(made, attributes=twice), "attributes that are there twice"),
            (replace(made, labels=made.labels * np.int8(2)), "labels other than 1, -1 and 0"),
        )
    ):
        write_evaluation(bad, tmp_path / str(number))
        with pytest.raises(
            InputError, match=rf"is damaged \(ValueError: {words}\): run its clip-smu evaluate again"
        ):
            read_evaluation(tmp_path / str(number))
    narrow = Scored(*(part[:, :5] for part in (made.methods["m"].scores,) * 2), made.methods["m"].verdicts)
    for bad in (
        replace(made, labels=made.labels[:, :5]),
        replace(made, methods={"m": narrow}),
        replace(made, methods={"m": replace(made.methods["m"], verdicts=made.methods["m"].verdicts[:, :5])}),
        replace(made, images=made.images[:-1]),
    ):
        with pytest.raises(ValueError, match=r"expected .* photos and 6 attributes in all columns"):
            folders._refuse_misshapen(bad)
    folders._refuse_misshapen(made)


def test_names_of_methods(tmp_path: Path) -> None:
    one, two = toy_probe("a"), toy_probe("b")
    names = methods_of.called
    assert names([one, two], [one, two], None) == ["a", "b"]
    assert names([one, two], [one, two], ["x", "y"]) == ["x", "y"]
    assert names([one, two, one], ["k/early", two, Path("k/late")], None) == ["early", "b", "late"]
    assert names([one, one], ["k/early", one], None) == ["early", "a"]
    for given, called, words in (
        ([one, one], None, r"two methods are called a: give each a name of its own \(--name A --name B\)"),
        ([one, two], ["x", "x"], "two methods are called x"),
        (
            [one, two],
            ["", "x"],
            r"a method has an empty name: give each a name of its own \(--name A --name B\)",
        ),
        ([one, two], ["x"], "expected 2 names, one a method, found 1: x"),
        ([], None, "no method to evaluate: give one or more interpreters or probes"),
    ):
        with pytest.raises(InputError, match=words):
            names(given, given, called)


def test_methods_must_read_the_same_templates_and_attributes() -> None:
    one, two = (replace(toy_probe(name), card=toy_card()) for name in "ab")
    shown = methods_of.shown_of
    attributes, keep = shown([one, two], ["a", "b"], ())
    assert attributes == NAMES
    assert keep.tolist() == list(range(47))
    attributes, keep = shown([one], ["a"], ["Male"])
    assert attributes == tuple(name for name in NAMES if name != "Male")
    assert keep.tolist() == [k for k, name in enumerate(NAMES) if name != "Male"]
    assert keep.dtype == np.intp
    other = replace(two, card=replace(toy_card(), input_size=(96, 96)))
    assert shown([one, replace(two, card=None)], ["a", "b"], ())[0] == NAMES
    assert shown([replace(one, card=None), two], ["a", "b"], ())[0] == NAMES
    with pytest.raises(
        EncoderError, match=r"a reads templates of another toy than c \(.*\): evaluate each on its own"
    ):
        shown([one, two, other], ["a", "b", "c"], ())
    with pytest.raises(EncoderError, match="a reads templates of toy, b of mbf: evaluate each on its own"):
        shown([one, replace(two, encoder="mbf")], ["a", "b"], ())
    with pytest.raises(
        InputError, match="b reads 47 attributes, a 47, or in another order: evaluate them apart"
    ):
        shown([one, replace(two, attributes=NAMES[::-1])], ["a", "b"], ())


def test_what_is_kept_of_a_method() -> None:
    made = {"job": "j", "trained_on": {"faces": 5}, "objective": "attribute"}
    reader = replace(toy_interpreter(), provenance=made)
    assert methods_of.described(reader, {"name": "x", "sha256": "s"}) == {
        "name": "x", "kind": "interpreter", "encoder": "toy", "dim": DIM, "error_rate": 0.1, "objective": "attribute",
        "job": "j", "trained_on": {"faces": 5}, "sha256": "s",
    }  # fmt: skip
    zero = replace(reader, provenance={"objective": "zero-shot"})
    assert methods_of.described(zero, {"name": "x", "sha256": "s"})["kind"] == "zero-shot"
    assert methods_of.described(toy_probe(), {"name": "x", "sha256": "s"})["kind"] == "binary"
    assert methods_of.described(toy_probe(), {"name": "x", "sha256": "s"})["job"] is None


def test_progress_adds_up() -> None:
    told: list[tuple[str, int, int]] = []
    advance = running._counting(lambda *one: told.append(one), "figures", 5)
    assert advance is not None
    for count in (1, 3, 1):
        advance(count)
    assert told == [("figures", 1, 5), ("figures", 4, 5), ("figures", 5, 5)]
    assert running._counting(None, "figures", 5) is None


def test_digests_are_of_what_decides_a_reading() -> None:
    """Names and evidence do not; each number, shape and type does."""
    probe, reader = toy_probe(), toy_interpreter()
    for one in (probe, reader):
        same = replace(one, name="other", evidence=(), provenance={"job": 1}, error_rate=0.2)
        assert methods_of.method_digest(same) == methods_of.method_digest(one)
        assert len(methods_of.method_digest(one)) == 64
    first = probe.layers[0]
    changed = [
        replace(probe, centre=probe.centre + np.float32(1e-3)),
        replace(probe, centre=probe.scale, scale=probe.centre),
        replace(probe, scale=probe.scale.astype(np.float64)),
        replace(probe, scale=probe.scale[None]),
        replace(probe, layers=((first[0].T, first[1]),)),
        replace(probe, layers=(first, first)),
        replace(probe, attributes=NAMES[::-1]),
        replace(probe, encoder="toy2"),
        replace(probe, kind="mlp"),
        replace(probe, card=toy_card()),
        replace(
            probe, calibration=replace(probe.calibration, encoded_at=probe.calibration.encoded_at + 0.01)
        ),
        reader,
    ]
    digests = {methods_of.method_digest(one) for one in [probe, *changed]}
    assert len(digests) == 1 + len(changed)
    faces, labels = toy_data(20)
    changes = [
        replace(faces, vectors=faces.vectors * 2),
        replace(faces, faces=faces.faces + np.int16(1)),
        replace(faces, images=["x", *faces.images[1:]]),
        replace(faces, images=["".join(faces.images[:2]), "", *faces.images[2:]]),
    ]
    assert len({running._templates_digest(one) for one in [faces, *changes]}) == 5
    moved = replace(labels, images=[*labels.images[1:], labels.images[0]])
    others = [
        replace(labels, values=-labels.values), moved, replace(labels, identities=["x", *labels.identities[1:]]),
        replace(labels, images=labels.images[:19], identities=[labels.images[19], *labels.identities]),
    ]  # fmt: skip
    assert len({running._labels_digest(one) for one in [labels, *others]}) == 5
    unknown = replace(labels, identities=["", *labels.identities[1:]])
    nobody = replace(labels, identities=[None, *labels.identities[1:]])
    assert running._labels_digest(unknown) == running._labels_digest(nobody) != running._labels_digest(labels)


def test_stored_templates_digest_is_of_their_files(tmp_path: Path) -> None:
    faces, _ = toy_data(8)
    for name, vectors in (("one", faces.vectors), ("two", faces.vectors), ("three", faces.vectors * 2)):
        save_templates(tmp_path / name / "part.parquet", vectors, faces.images, toy_card())
    one, two, three = (running._templates_digest(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two != three
    assert len(one) == 64


def test_intervals_of_an_evaluation_count_persons(tmp_path: Path) -> None:
    """Four photos a person say less than four persons: the intervals are those of the persons, and wider."""
    faces, labels = toy_data(160)
    made = evaluate([toy_probe()], faces, labels, tmp_path / "e", EvaluationConfig(rounds=60, seed=2))
    of_persons, of_photos = (
        metric_table("toy", NAMES, made.labels, people, made.methods, rounds=60, seed=2)
        for people in (made.persons(), np.arange(len(made)).astype(str))
    )
    assert made.table.equals(of_persons)
    assert not made.table.equals(of_photos)
