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

from clip_smu.encoders.cards import card
from clip_smu.encoders.preprocessing import in_words
from clip_smu.errors import EncoderError, InputError, LabelError, TemplateError
from clip_smu.evaluation import (
    METRICS,
    TABLE_SCHEMA,
    Evaluation,
    Scored,
    evaluate,
    metric_table,
    read_evaluation,
    resample_auc,
    resampling,
    table_of,
    write_evaluation,
)
from clip_smu.evaluation import (
    run as running,
)
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.labels.labels import Labels
from clip_smu.metrics import clustered_bootstrap
from clip_smu.templates import Templates, save_templates
from clip_smu.words.attributes import ATTRIBUTES, NAMES
from faces import DIM, toy_card, toy_data
from toy_readers import toy_probe


def toy_interpreter(name: str = "toy") -> Interpreter:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=(2, 47, DIM)).astype(np.float32)
    calibration = Calibration(np.full(47, 4.0), np.zeros(47), np.full(47, 0.8), np.full(47, 0.3))
    return Interpreter(
        name,
        "toy",
        NAMES,
        positive,
        negative,
        np.zeros(DIM, np.float32),
        calibration,
        (),
        0.1,
        frozenset(),
        {},
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


def test_resampled_auc_is_the_metrics_rooms_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    (labels, persons), scored = toy_evaluation()
    areas = resample_auc(scored.scores[:, 3:], labels[:, 3:], persons, 100, 5)
    other = clustered_bootstrap(scored.scores[:, 3:], labels[:, 3:], persons, rounds=100, seed=5)
    low, high = np.quantile(areas, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(low, other.low)
    np.testing.assert_allclose(high, other.high)
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
        [tmp_path / "probe", reader], templates, csv_file, tmp_path / "e",
        only=tmp_path / "list.txt", rounds=40, progress=lambda *step: stages.append(step),
    )  # fmt: skip
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
        evaluate([toy_probe()], templates, csv_file, tmp_path / name, rounds=40)
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
    monkeypatch.setattr(running, "_CHUNK", chunk)
    made = evaluate([toy_probe()], tmp_path / "t.parquet", labels, tmp_path / "e", only=only, rounds=0)
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
    made = evaluate([toy_probe()], store, labels, tmp_path / "e", rounds=0)
    assert len(made) == 58
    assert made.manifest["unusable"] == {"not a number (NaN)": 1, "zero": 1}
    assert made.manifest["join"]["unusable templates"] == 2
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
        names=["a", "b"],
        hide=["Male", "Asian"],
        rounds=0,
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
    made = evaluate([tmp_path / "early", tmp_path / "late"], faces, labels, tmp_path / "e", rounds=0)
    assert list(made.methods) == ["early", "late"]


def test_the_same_evaluation_is_read_back_another_is_refused(tmp_path: Path) -> None:
    faces, labels = toy_data(80)
    evaluate([toy_probe()], faces, labels, tmp_path / "e", rounds=0)
    before = (tmp_path / "e/scores.parquet").stat().st_mtime_ns
    again = evaluate([toy_probe()], faces, labels, tmp_path / "e", rounds=0)
    assert (tmp_path / "e/scores.parquet").stat().st_mtime_ns == before
    assert len(again) == 80
    with pytest.raises(InputError, match=r"another job \(it differs in: methods\)"):
        evaluate([toy_probe(seed=2)], faces, labels, tmp_path / "e", rounds=0)
    other = evaluate([toy_probe(seed=2)], faces, labels, tmp_path / "e", rounds=0, overwrite=True)
    assert not np.array_equal(other.methods["toy-probe"].scores, again.methods["toy-probe"].scores)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    with pytest.raises(InputError, match="not made by this command"):
        evaluate([toy_probe()], faces, labels, tmp_path / "mine", overwrite=True)


def test_how_the_encoder_was_fed_is_kept(tmp_path: Path, command) -> None:
    faces, labels = toy_data(80)
    (tmp_path / "check.json").write_text(json.dumps(CHECK))
    kept = {key: value for key, value in CHECK.items() if key != "variants"} | {"tried": ["BGR"]}
    given = evaluate([toy_probe()], faces, labels, tmp_path / "e", rounds=0, feeding=tmp_path / "check.json")
    assert given.manifest["feeding"] == kept
    knows = replace(toy_interpreter(), provenance={"feeding": kept})  # as clip-smu fit --feeding leaves it
    taken_over = evaluate([toy_probe(), knows], faces, labels, tmp_path / "f", rounds=0).manifest["feeding"]
    assert taken_over == kept | {"kept_by": knows.name}
    whose = f"encoder check that came with {knows.name}, on {kept['photos']:,} photos of whoever fitted it and not on"
    assert in_words(taken_over).startswith(whose)
    assert in_words(taken_over).endswith(in_words(kept).removeprefix("encoder check"))
    assert evaluate([toy_probe()], faces, labels, tmp_path / "g", rounds=0).manifest["feeding"] is None
    (tmp_path / "other.json").write_text(json.dumps(CHECK | {"encoder": "mbf"}))
    with pytest.raises(InputError, match=r"a feeding check of toy, whose templates these are; .* is of mbf"):
        evaluate([toy_probe()], faces, labels, tmp_path / "h", rounds=0, feeding=tmp_path / "other.json")
    assert not (tmp_path / "h").exists()


def test_refusals(tmp_path: Path) -> None:
    faces, labels = toy_data(80)
    probe = toy_probe()

    def refused(
        match: str, error: type[Exception], methods=(probe,), store=faces, known=labels, **more
    ) -> None:
        with pytest.raises(error, match=match):
            evaluate(methods, store, known, tmp_path / "never", rounds=0, **more)
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
        evaluate([probe], faces, labels, tmp_path / "never", rounds=3)
    fine = evaluate(
        [probe], faces, labels, tmp_path / "e", only=labels.images[40:], train=labels.images[:40], rounds=0
    )
    assert fine.manifest["training_persons"] == "none of the training list is evaluated on"


def test_unfinished_and_damaged_evaluations(tmp_path: Path) -> None:
    faces, labels = toy_data(40)
    evaluate([toy_probe()], faces, labels, tmp_path / "e", rounds=0)
    with pytest.raises(
        InputError, match=r"holds no evaluation\.json: expected a folder made by clip-smu evaluate"
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
    (tmp_path / "train.txt").write_text("\n".join(labels.images[:40]))
    for more, said in (
        (("--json", "--csv"), "exclude each other"),
        (("--train", tmp_path / "train.txt", "--overwrite"), "10 persons of the training list"),
        (("--hide", "nonsense"), "nonsense"),
    ):
        code, _, err = command(*base, *more)
        assert code == 1
        assert said in err.splitlines()[-1]
