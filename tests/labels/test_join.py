"""Templates with labels: a template that cannot be used is a counted row in every job; test persons are strangers."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu import cli
from clip_smu.encoders.locate import card
from clip_smu.errors import InputError, LabelError, TemplateError
from clip_smu.evaluation import EvaluationConfig, evaluate
from clip_smu.evaluation.confounds import ConfoundsConfig, ControlData, confounds
from clip_smu.evaluation.generation import compare_strategies
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.labels.join import join
from clip_smu.labels.labelled import refuse_overlap
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import write_list
from clip_smu.labels.preparation import prepare
from clip_smu.labels.summary import summarise
from clip_smu.labels.writing import write_labels
from clip_smu.templates import Templates
from clip_smu.templates.shards import save_templates
from faces import dlib_like
from places import LFW_READER

DIM = 128


def faces(n: int = 80) -> tuple[Templates, Labels]:
    """Four photos a person; attributes show in the templates. Row 5 is zero, row 9 NaN, row 70 infinite."""
    rng = np.random.default_rng(0)
    vectors = dlib_like(rng.normal(size=(n, DIM)))
    values = np.where((vectors - vectors.mean(axis=0)) @ rng.normal(size=(DIM, 47)) > 0, 1, -1).astype(
        np.int8
    )
    people = [f"p{row // 4}" for row in range(n)]
    images = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
    vectors[5], vectors[9], vectors[70, 3] = 0, np.nan, np.inf
    table = Templates(vectors, images, np.zeros(n, np.int16), people, np.ones(n, np.float32), None)
    return table, Labels(images, people, values)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    table, labels = faces()
    save_templates(tmp_path / "templates/part.parquet", table.vectors, table.images, card("dlib"))
    write_labels(labels, tmp_path / "labels.csv")
    write_list(labels.images[:40], tmp_path / "train.txt")
    write_list(labels.images[40:], tmp_path / "test.txt")
    return tmp_path


def test_they_leave_and_are_told() -> None:
    table, labels = faces()
    joined = join(table, labels, labels.images[:60])
    said = joined.for_provenance()
    assert len(joined.labels) == len(joined.templates) == 58
    assert not {"p1/5.jpg", "p2/9.jpg"} & set(joined.templates.images)
    for row, image in enumerate(joined.templates.images):
        np.testing.assert_array_equal(joined.labels[row], labels.values[labels.images.index(image)])
    assert joined.report()["unusable templates"] == joined.unusable == 2
    assert joined.notes == (
        "2 labelled templates cannot be used (1 not a number (NaN), 1 zero); the first is that of p1/5.jpg",
    )
    counts = {"without_label": 0, "without_template": 0, "not_listed": 20, "unusable": 2}
    assert said == counts | {"notes": joined.notes[0]}
    with pytest.raises(TemplateError, match=r"none of 1 labelled templates can be used \(1 zero\)"):
        join(table, labels, ["p1/5.jpg"])


def test_labels_count_them() -> None:
    table, labels = faces()
    found = summarise(labels, table).joined
    assert found is not None and found.unusable == 3
    steps = {row["step"]: row["removed"] for row in prepare(table, labels, unique=False).report.rows()}
    assert steps == {"photo came before": 0, "no label": 0, "unusable template": 3}


def test_fit_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from clip_smu.training.clip_encoder import EncoderSize
    from clip_smu.training.fit import fit
    from clip_smu.training.fit_config import FitConfig

    table, labels = faces()
    small = FitConfig(size=EncoderSize(16, 1, 2), steps=2, folds=2)
    made = fit(
        table, labels, tmp_path / "it", train=labels.images[:40], test=labels.images[40:], config=small
    )
    assert made.provenance["trained_on"] | {"unusable": 2, "not_listed": 40} == made.provenance["trained_on"]
    assert made.provenance["trained_on"]["faces"] == 38
    assert made.provenance["evidence_from"].startswith("39 faces of the test list")
    text = (tmp_path / "it/README.md").read_text()
    assert (
        "left out: 40 labelled templates that are not on the training list, 2 templates that are zero or"
        in text
    )


def test_probe_and_zero_shot_go_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from clip_smu.training.probe_config import ProbeConfig
    from clip_smu.training.probes import fit_probe
    from clip_smu.training.zero_shot import zero_shot

    table, labels = faces()
    made = fit_probe(table, labels, tmp_path / "it", config=ProbeConfig(kind="logistic-regression", folds=2))
    assert made.provenance["trained_on"] | {"unusable": 3, "faces": 77} == made.provenance["trained_on"]
    shipped = load_interpreter(LFW_READER).folder
    assert shipped is not None
    for name in ("text_encoder.onnx", "tokenizer.json"):
        (tmp_path / "text").mkdir(exist_ok=True)
        shutil.copy(shipped / name, tmp_path / "text" / name)
    read = zero_shot(tmp_path / "text", tmp_path / "zero", encoder="dlib", templates=table, labels=labels)
    counted = read.provenance["calibrated_on"]
    assert counted["unusable"] == 3
    assert counted["faces"] < 77  # a fold is measured on


def test_captions_go_on() -> None:
    table, labels = faces()
    fine = [row for row in range(80) if row not in (5, 9, 70)]
    read = load_interpreter(LFW_READER)
    with_them = compare_strategies(read, table, labels, strategies=["calibrated"])
    without = compare_strategies(read, table.take(np.array(fine)), labels, strategies=["calibrated"])
    assert with_them["calibrated"].micro == without["calibrated"].micro


def test_evaluate_and_confounds_go_on(store: Path) -> None:
    made = evaluate(
        [LFW_READER],
        store / "templates",
        store / "labels.csv",
        store / "e",
        config=EvaluationConfig(only=store / "test.txt", rounds=0),
    )
    assert made.manifest["join"]["unusable templates"] == 1
    assert made.manifest["left_out"] == [
        "1 templates cannot be used (1 infinite or too large); the first is that of p17/70.jpg"
    ]
    assert len(made) == 39
    found = confounds(
        made,
        None,
        store / "c",
        config=ConfoundsConfig(
            control=ControlData(store / "templates", store / "labels.csv", store / "train.txt"),
            C=0.1,
            rounds=1,
        ),
    )
    assert found.control is not None
    assert found.control.unseen.train_photos == 38
    assert found.manifest["left_out"] == [
        "2 labelled templates cannot be used (1 not a number (NaN), 1 zero); the first is that of p1/5.jpg"
    ]


def test_confounds_are_keyed_by_content(store: Path) -> None:
    """The same templates at another path are the same job; other ones at the same path are another."""
    made = evaluate(
        ["dlib-faces"],
        store / "templates",
        store / "labels.csv",
        store / "e",
        config=EvaluationConfig(only=store / "test.txt", rounds=0),
    )

    def run(folder: Path) -> float:
        found = confounds(
            made,
            None,
            store / "c",
            config=ConfoundsConfig(
                control=ControlData(folder, store / "labels.csv", store / "train.txt"), C=0.1, rounds=1
            ),
        )
        assert found.control is not None
        return float(np.nanmean(found.control.unseen.real.auc))

    first, written = run(store / "templates"), (store / "c/confounds.json").stat().st_mtime_ns
    shutil.copytree(store / "templates", store / "copy")
    assert run(store / "copy") == first
    assert (store / "c/confounds.json").stat().st_mtime_ns == written
    table, labels = faces()
    other = dlib_like(np.random.default_rng(5).normal(size=table.vectors.shape))
    save_templates(store / "templates/part.parquet", other, table.images, card("dlib"))
    with pytest.raises(InputError, match=r"another job \(it differs in: control\)"):
        run(store / "templates")
    write_labels(replace(labels, values=-labels.values), store / "labels.csv")
    with pytest.raises(InputError, match=r"another job \(it differs in: control\)"):
        run(store / "copy")


def test_strangers_photos_on_both_lists_are_refused() -> None:
    table, labels = faces()
    unknown = Labels(labels.images, [""] * 80, labels.values)
    one, other = (join(table, unknown, rows) for rows in (labels.images[:41], labels.images[40:]))
    with pytest.raises(
        LabelError, match=r"1 photos are in both the training and the test list, .* p10/40\.jpg"
    ):
        refuse_overlap(one, other)
    refuse_overlap(join(table, unknown, labels.images[:40]), other)


def test_a_person_is_one_however_the_name_is_composed() -> None:
    table, labels = faces()
    people = [
        "Z\u030c" if row == 3 else "\u017d" if row == 60 else person
        for row, person in enumerate(labels.identities)
    ]
    named = replace(labels, identities=people)
    one, other = (join(table, named, rows) for rows in (labels.images[:40], labels.images[40:]))
    with pytest.raises(LabelError, match="1 persons are in both"):
        refuse_overlap(one, other)


def test_commands_say_it(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["clip-smu", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as stop:
            assert not stop.code
        said = capsys.readouterr()
        return said.out, " ".join(said.err.split())

    out, err = run("labels", "show", store / "labels.csv", "--templates", store / "templates")
    assert "3 unusable templates" in out
    assert "3 labelled templates cannot be used" in err and "p1/5.jpg" in err
    out, err = run("labels", "prepare", store / "templates", "--labels", store / "labels.csv", "--all")
    assert "unusable template" in out and "77 of 80 photos remain" in out
    write_list(["p1/4.jpg", "nobody/1.jpg", "x/cat/7.png"], store / "some.txt")
    out, err = run(
        "captions",
        store / "templates",
        "--only",
        store / "some.txt",
        "-o",
        store / "captions.csv",
    )
    assert "2 names on the list have no template, the first is nobody/1.jpg" in err
    out, err = run(
        "evaluate",
        "dlib-faces",
        "-t",
        store / "templates",
        "-l",
        store / "labels.csv",
        "-o",
        store / "e",
        "--rounds",
        0,
    )
    assert "3 unusable templates" in err and "the first is that of p1/5.jpg" in err
    assert json.loads((store / "e/evaluation.json").read_text())["photos"] == 77
