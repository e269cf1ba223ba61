"""For whom: how faces are parted, figures of each group against slow loops, few persons, the folder, the command."""

from __future__ import annotations

import csv
import json
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from clip_smu.errors import InputError, LabelError
from clip_smu.evaluation import EvaluationConfig, Scored, evaluate, metric_table, read_evaluation
from clip_smu.evaluation.folder import GROUP_SCHEMA
from clip_smu.evaluation.groupings import groupings, names_of
from clip_smu.evaluation.groups import GROUP_METRICS, LEAST_PERSONS, group_table, worst_group
from clip_smu.labels.columns import read_column
from clip_smu.labels.writing import write_labels
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import INDEX, NAMES
from faces import toy_card, toy_data
from toy_readers import toy_probe

MALE, YOUNG, MIDDLE, SENIOR = (INDEX[name] for name in ("Male", "Young", "Middle_Aged", "Senior"))


def labels_of(*rows: dict[str, int]) -> np.ndarray:
    return np.array([[row.get(name, 0) for name in NAMES] for row in rows], np.int8)


# ---------------------------------------------------------------- who is in which group


def test_groups_are_what_the_labels_say() -> None:
    labels = labels_of(
        {"Male": 1, "Young": 1, "Senior": -1},
        {"Male": -1, "Young": -1, "Senior": 1},
        {"Male": -1, "Young": -1},  # neither young nor known to be anything else
        {"Male": 0, "Middle_Aged": 1},
        {"Male": 1, "Young": 1, "Middle_Aged": 1},  # two at once
        {"Male": 1},
    )
    gender, age, both = groupings(labels, ("gender", "age"))
    assert [gender.groups[place] for place in gender.of] == [
        "male", "not male", "not male", "unknown gender", "male", "male",
    ]  # fmt: skip
    assert [age.groups[place] for place in age.of] == [
        "young", "senior", "other age", "middle-aged", "other age", "unknown age",
    ]  # fmt: skip
    assert both.by == "gender × age"
    assert [both.groups[place] for place in both.of] == [
        "male, young", "not male, senior", "not male, other age", "unknown gender × age", "male, other age",
        "unknown gender × age",
    ]  # fmt: skip
    assert both.defining == (MALE, YOUNG, MIDDLE, SENIOR)


def test_every_combination_is_a_group() -> None:
    parted = groupings(
        toy_data(8)[1].values, ("Male", "race"), {"band": ["a", "b", "", "a", "b", "a", "a", "a"]}
    )
    assert [one.by for one in parted] == [
        "Male", "race", "band", "Male × race", "Male × band", "race × band", "Male × race × band",
    ]  # fmt: skip
    male, race, band = (one.groups[:-1] for one in parted[:3])
    assert band == ("a", "b")
    assert parted[-1].groups[:-1] == tuple(", ".join(names) for names in product(male, race, band))
    for one in parted:
        assert sum(one.rows(group).sum() for group in one.groups) == 8
        for row, place in enumerate(one.of):
            singles = [
                parted[k].groups[parted[k].of[row]] for k in range(3) if parted[k].by in one.by.split(" × ")
            ]
            known = not any(name.startswith("unknown") for name in singles)
            assert one.groups[place] == (", ".join(singles) if known else one.unknown)


def test_refuses_what_parts_no_faces() -> None:
    assert names_of("gender, age,hair color") == ("gender", "age", "hair color")
    with pytest.raises(
        InputError, match="expected an attribute or an exclusive group to part faces by, found 'Beard'"
    ):
        names_of("gender,Beard")
    with pytest.raises(InputError, match="found 'gendre'; did you mean"):
        names_of(["gendre"])
    with pytest.raises(InputError, match="parted by age twice: name it once"):
        names_of("age,age")
    with pytest.raises(InputError, match="parted by race twice"):
        groupings(np.zeros((1, 47), np.int8), ("race",), {"race": ["x"]})


# ---------------------------------------------------------------- figures


def made_up(n: int = 900, seed: int = 1) -> tuple[np.ndarray, np.ndarray, Scored]:
    """(n, 47) labels, three photos a person, and what a method that errs more with women reads."""
    rng = np.random.default_rng(seed)
    persons = np.array([f"p{row // 3}" for row in range(n)])
    labels = rng.choice(np.int8([-1, 0, 1]), p=[0.5, 0.1, 0.4], size=(n, 47))
    labels[:, MALE] = np.repeat(rng.choice([-1, 1], size=n // 3), 3)
    old = np.repeat(rng.random(n // 3) < 0.03, 3)  # some ten persons
    labels[:, YOUNG], labels[:, MIDDLE], labels[:, SENIOR] = np.where(old, -1, 1), -1, np.where(old, 1, -1)
    noise = np.where(labels[:, [MALE]] > 0, 0.8, 1.6)
    scores = (labels + noise * rng.normal(size=labels.shape)).astype(np.float32)
    probabilities = (1 / (1 + np.exp(-2 * scores))).astype(np.float32)
    verdicts = ((probabilities > 0.7) * 1 - (probabilities < 0.3) * 1).astype(np.int8)
    return labels, persons, Scored(scores, probabilities, verdicts)


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], dict[str, object]]:
    labels, persons, scored = made_up()
    parted = groupings(labels, ("gender", "age"))
    table = group_table("toy", NAMES, labels, persons, {"m": scored}, parted, rounds=60)
    assert table.schema == GROUP_SCHEMA
    found = table.to_pylist()
    assert len(found) == sum(len(one.groups) for one in parted) * len(GROUP_METRICS)  # none is dropped
    return {(row["group"], row["metric"]): row for row in found}


def test_figures_are_slow_loops_over_the_group(rows) -> None:
    labels, persons, scored = made_up()
    inside = np.flatnonzero((labels[:, MALE] < 0) & (labels[:, YOUNG] > 0))
    others = [k for k in range(47) if k not in (MALE, YOUNG, MIDDLE, SENIOR)]  # which are constant here
    asserted = {1: [0, 0], -1: [0, 0]}  # verdict → how many, and wrong
    known = 0
    for row in inside:
        for k in others:
            if labels[row, k]:
                known += 1
                verdict = int(scored.verdicts[row, k])
                if verdict:
                    asserted[verdict][0] += 1
                    asserted[verdict][1] += verdict != labels[row, k]
    areas = []
    for k in others:
        kept = inside[labels[inside, k] != 0]
        areas.append(roc_auc_score(labels[kept, k] > 0, scored.scores[kept, k]))
    total, wrong = (asserted[1][place] + asserted[-1][place] for place in (0, 1))
    expected = {
        "auc": np.mean(areas),
        "verdict_error": wrong / total,
        "encoded_error": asserted[1][1] / asserted[1][0],
        "not_encoded_error": asserted[-1][1] / asserted[-1][0],
        "coverage": total / known,
    }
    for metric, value in expected.items():
        row = rows["not male, young", metric]
        assert row["value"] == pytest.approx(value), metric
        assert row["low"] < row["value"] < row["high"]
        assert row["n_attributes"] == len(others)
        assert (row["faces"], row["persons"]) == (len(inside), len(set(persons[inside])))


def test_intervals_count_persons() -> None:
    labels, persons, scored = made_up(360)
    parted = groupings(labels, ("gender",))
    widths = []
    for people in (persons, np.arange(360).astype(str)):
        table = group_table("toy", NAMES, labels, people, {"m": scored}, parted, rounds=60, seed=4)
        inside = labels[:, MALE] > 0
        kept = np.array([name != "Male" for name in NAMES])
        part = Scored(
            *(one[inside][:, kept] for one in (scored.scores, scored.probabilities, scored.verdicts))
        )
        names = [name for name in NAMES if name != "Male"]
        alone = metric_table(
            "toy", names, labels[inside][:, kept], people[inside], {"m": part}, rounds=60, seed=4
        )
        (expected,) = (
            row for row in alone.to_pylist() if (row["attribute"], row["metric"]) == ("all", "verdict_error")
        )
        (row,) = (
            row for row in table.to_pylist() if (row["group"], row["metric"]) == ("male", "verdict_error")
        )
        assert (row["value"], row["low"], row["high"]) == tuple(
            expected[end] for end in ("value", "low", "high")
        )
        widths.append(row["persons"])
    assert widths[0] * 3 == widths[1]


def test_what_says_the_group_is_left_out_only_where_it_is_constant(rows) -> None:
    labels, _, scored = made_up()
    male = labels[:, MALE] > 0
    assert rows["male", "verdict_error"]["n_attributes"] == 46
    assert rows["young", "verdict_error"]["n_attributes"] == 44
    misread = scored.verdicts[male, MALE]
    assert rows["male", "own_error"]["value"] == pytest.approx((misread < 0).sum() / (misread != 0).sum())
    assert rows["male", "own_error"]["n_attributes"] == 1
    parted = groupings(np.where(np.arange(47) == MALE, labels, 0), ("Male",), {"Young": ["x"] * len(labels)})
    table = group_table(
        "toy", NAMES, labels, np.arange(len(labels)).astype(str), {"m": scored}, parted, rounds=0
    )
    of_column = [row for row in table.to_pylist() if row["group"] == "x"]
    assert {row["n_attributes"] for row in of_column if row["metric"] == "verdict_error"} == {
        47
    }  # Young varies in it
    assert (
        next(row for row in of_column if row["metric"] == "own_error")["reason"] == "not said by attributes"
    )


def test_few_persons_are_a_row_with_a_reason(rows) -> None:
    labels, persons, _ = made_up()
    old = len(set(persons[labels[:, SENIOR] > 0]))
    assert 0 < old < LEAST_PERSONS
    for metric in GROUP_METRICS:
        row = rows["senior", metric]
        assert (row["value"], row["low"], row["persons"]) == (None, None, old)
        assert row["reason"] == "under 20 persons"
        assert rows["middle-aged", metric]["reason"] == "no face"
        assert rows["unknown gender", metric]["reason"] == "no face"


def test_the_worst_group_is_named() -> None:
    labels, persons, scored = made_up()
    labels[:90, MALE] = 0  # of whom nobody knows it, and who are read worst
    scored.verdicts[:90] = -labels[:90]
    parted = groupings(labels, ("gender",))
    table = group_table("toy", NAMES, labels, persons, {"m": scored}, parted, rounds=0)
    worst = worst_group(table, "m")
    assert (worst["group"], worst["metric"]) == ("not male", "verdict_error")
    assert worst_group(table.slice(0, 0), "m") is None


# ---------------------------------------------------------------- a column, the folder, the command


def test_a_column_is_read(tmp_path: Path) -> None:
    text = 'Filename;age band;n\na/1.jpg; 18-39;1\n"b/2.jpg";;2\na/1.jpg;18-39;1\n'
    (tmp_path / "a.csv").write_text(text)
    assert read_column(tmp_path / "a.csv", "age band") == {"a/1.jpg": "18-39", "b/2.jpg": ""}
    assert read_column(tmp_path / "a.csv", "n") == {"a/1.jpg": "1", "b/2.jpg": "2"}
    with pytest.raises(
        LabelError, match=r"expected the column race once in .*a.csv, found it 0 times: its columns"
    ):
        read_column(tmp_path / "a.csv", "race")
    (tmp_path / "a.csv").write_text("Filename,x\na/1.jpg,1\na/1.jpg,2\n")
    with pytest.raises(LabelError, match="once '1' and once '2' in the column x: keep one row"):
        read_column(tmp_path / "a.csv", "x")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Templates, labels with a column ``band``, and a probe."""
    faces, labels = toy_data(160)
    save_templates(tmp_path / "t.parquet", faces.vectors, faces.images, toy_card())
    write_labels(labels, tmp_path / "plain.csv")
    with (tmp_path / "plain.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    with (tmp_path / "l.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*lines[0], "band"])
        writer.writerows([*line, "old" if row % 3 else "young"] for row, line in enumerate(lines[1:]))
    toy_probe().save(tmp_path / "probe")
    return tmp_path


def test_the_folder_holds_the_groups(stored: Path) -> None:
    def run(folder: str, **more: object):
        config = EvaluationConfig(rounds=40, **more)
        return evaluate([stored / "probe"], stored / "t.parquet", stored / "l.csv", stored / folder, config)

    made = run("e", by="gender", by_column=["band"])
    again = read_evaluation(stored / "e")
    assert made.groups.equals(again.groups)
    assert pq.read_table(stored / "e/groups.parquet").schema.equals(GROUP_SCHEMA)
    assert len((stored / "e/groups.csv").read_text().splitlines()) == 1 + made.groups.num_rows
    assert json.loads((stored / "e/groups.json").read_text()) == made.groups.to_pylist()
    assert again.manifest["groups"]["by"] == ["gender", "band", "gender × band"]
    assert again.manifest["groups"]["worst"] == [worst_group(made.groups, next(iter(made.methods)))]
    old = [row for row in made.groups.to_pylist() if (row["group"], row["metric"]) == ("old", "coverage")]
    assert old[0]["faces"] == sum(row % 3 > 0 for row in range(160))
    assert made.table.equals(run("plain").table)  # the figures of everyone are what they were
    assert run("plain").groups is None
    with pytest.raises(InputError, match="differs in: groups"):
        run("e", by="age")


def test_refusals(stored: Path) -> None:
    faces, labels = toy_data(160)
    for config, words in (
        (EvaluationConfig(by="gender", hide="gender"), "cannot be parted by gender, which is hidden"),
        (
            EvaluationConfig(by_column=["band"]),
            "the column band is read from a labels file, found labels in memory",
        ),
        (EvaluationConfig(by="Hair"), "expected an attribute or an exclusive group"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate([toy_probe()], faces, labels, stored / "none", config)
        assert not (stored / "none").exists()


def test_the_command(stored: Path, command) -> None:
    line = ["evaluate", stored / "probe", "-t", stored / "t.parquet", "-l", stored / "l.csv", "--rounds", 40]
    line += ["-o", stored / "e", "--by", "gender,age", "--by-column", "band"]
    code, out, err = command(*line)
    assert code == 0, err
    made = read_evaluation(stored / "e")
    worst = made.manifest["groups"]["worst"][0]
    told = " ".join(out.split())
    assert f"most wrong: {worst['group']}, {worst['value'] * 100:.1f} % of verdicts" in told
    assert "no figures for groups of under 20 persons (their number): " in told
    for group in set(made.groups["group"].to_pylist()):
        assert all(word in told for word in group.split())
    code, out, _ = command(*line, "--json")
    assert json.loads(out)["group_rows"] == made.groups.to_pylist()
    code, out, _ = command(*line, "--csv")
    assert next(iter(csv.DictReader(out.splitlines())))["group"] == "male"
