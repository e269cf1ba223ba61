"""Labels that look wrong: flips are found, persons stay apart, unknown labels stay out; the command and its files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from clip_smu.errors import InputError, LabelError
from clip_smu.evaluation import doubt as room
from clip_smu.evaluation.doubt import DOUBT_SCHEMA, cross_fitted, doubt
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list, write_list
from clip_smu.labels.reading import read_labels
from clip_smu.labels.writing import write_labels
from clip_smu.metrics import auc
from clip_smu.templates import Templates
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import NAMES
from faces import DIM, toy_card

MALE, YOUNG, BALD = (NAMES.index(name) for name in ("Male", "Young", "Bald"))


def flipped(n: int = 1200, seed: int = 0) -> tuple[Templates, Labels, np.ndarray]:
    """``n`` faces, three a person, with 10 % of the labels flipped, 10 % unknown; and (n, 47) which are flipped.

    Male is read easily, Bald is rarer, Young is not to be read at all; of all others there is no label.
    """
    rng = np.random.default_rng(seed)
    true = np.ones((n, 47), np.int8)
    true[:, MALE] = np.where(rng.random(n) < 0.5, 1, -1)
    true[:, BALD] = np.where(rng.random(n) < 0.4, 1, -1)
    true[:, YOUNG] = np.where(rng.random(n) < 0.5, 1, -1)
    vectors = rng.normal(size=(n, DIM)).astype(np.float32)
    vectors[:, 0] += 3 * true[:, MALE]
    vectors[:, 1] += 3 * true[:, BALD]
    wrong = rng.random((n, 47)) < 0.1
    values = np.where(wrong, -true, true)
    values[rng.random((n, 47)) < 0.1] = 0
    labelled = [MALE, YOUNG, BALD]
    values[:, [k for k in range(47) if k not in labelled]] = 0
    people = [f"p{row // 3}" for row in range(n)]
    images = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
    faces = Templates(vectors, images, np.zeros(n, np.int16), people, np.ones(n, np.float32), toy_card())
    return faces, Labels(images, people, values.astype(np.int8)), wrong & (values != 0)


@pytest.fixture(scope="module")
def found() -> tuple[room.Doubt, Labels, np.ndarray]:
    faces, labels, wrong = flipped()
    return doubt(faces, labels), labels, wrong


def test_most_flips_are_found_and_few_others(found) -> None:
    made, labels, wrong = found
    listed = {(row["Filename"], row["attribute"]) for row in made.labels.to_pylist()}
    for k in (MALE, BALD):
        flips = {labels.images[row] for row in np.flatnonzero(wrong[:, k])}
        own = {photo for photo, attribute in listed if attribute == NAMES[k]}
        assert len(own & flips) > 0.8 * len(flips)  # recall
        assert len(own & flips) > 0.85 * len(own)  # precision
        row = made.attributes[k]
        assert row.doubted_yes + row.doubted_no == len(own)
    male = made.attributes[MALE]
    assert male.reason == ""
    assert 0.06 < male.yes_looks_no < 0.14
    assert 0.06 < male.no_looks_yes < 0.14
    bald = made.attributes[BALD]  # of 42 of 100 faces that say yes 6 are flipped, of 58 that say no 4
    assert 0.1 < bald.yes_looks_no < 0.2
    assert 0.04 < bald.no_looks_yes < 0.1


def test_the_list_is_by_margin_and_says_what_the_labels_say(found) -> None:
    made, labels, _ = found
    rows = made.labels.to_pylist()
    assert made.labels.schema == DOUBT_SCHEMA
    margins = [row["margin"] for row in rows]
    assert margins == sorted(margins)
    assert margins[-1] < 0
    place = {image: row for row, image in enumerate(labels.images)}
    for row in rows:
        k = NAMES.index(row["attribute"])
        assert row["label"] == labels.values[place[row["Filename"]], k] != 0
        assert row["margin"] == pytest.approx(row["label"] * (2 * row["probability"] - 1))
        assert row["Identity"] == row["Filename"].split("/")[0]


def test_what_cannot_be_read_says_so(found) -> None:
    made, _, _ = found
    young, smiling = made.attributes[YOUNG], made.attributes[NAMES.index("Smiling")]
    assert young.reason == "read too poorly"
    assert young.yes_looks_no is young.no_looks_yes is None
    assert young.doubted_yes == young.doubted_no == 0
    assert (smiling.n_yes, smiling.auc, smiling.reason) == (0, None, "no labels")


def test_no_person_is_read_by_what_saw_the_person() -> None:
    """Labels that are a coin a person: only who has seen the person could know them."""
    rng = np.random.default_rng(5)
    coins, faces = rng.choice(np.int8([-1, 1]), size=(150, 6)), rng.normal(size=(150, 200))
    of = np.repeat(np.arange(150), 6)
    vectors = (faces[of] + 0.1 * rng.normal(size=(900, 200))).astype(np.float32)
    people = [f"p{one}" for one in of]
    apart = auc(cross_fitted(vectors, coins[of], people, 5, 0), coins[of]).value
    leaked = auc(cross_fitted(vectors, coins[of], [""] * 900, 5, 0), coins[of]).value  # folds by photo
    assert np.abs(apart.mean() - 0.5) < 0.08
    assert leaked.mean() > 0.9


def test_a_list_and_the_most(found) -> None:
    faces, labels, _ = flipped()
    some = doubt(faces, labels, labels.images[:600], most=7)
    assert some.photos == 600
    assert some.persons == 200
    assert some.labels.num_rows == 7
    assert set(some.labels["Filename"].to_pylist()) <= set(labels.images[:600])
    assert some.attributes[MALE].doubted_yes > 7  # the counts are of all
    assert some.join["templates not on the list"] == 600


def test_flips_among_celebas_labels_are_found(shared: Path) -> None:
    """Human labels of Male, a tenth of them flipped here: the list is these, and few others."""
    folder = shared / "data/celeba"
    labels, listed = read_labels(folder / "celeba_maad47.csv"), read_list(folder / "train_list.txt")
    wrong = np.random.default_rng(0).random(len(labels.images)) < 0.1
    values = np.zeros_like(labels.values)
    values[:, MALE] = np.where(wrong, -labels.values[:, MALE], labels.values[:, MALE])
    made = doubt(folder / "templates-dlib", Labels(labels.images, labels.identities, values), listed)
    flips = {image for image, flip in zip(labels.images, wrong, strict=True) if flip} & set(listed)
    own = set(made.labels["Filename"].to_pylist())
    assert len(own & flips) > 0.8 * len(flips)
    assert len(own & flips) > 0.9 * len(own)


def test_refusals() -> None:
    faces, labels, _ = flipped(12)
    with pytest.raises(InputError, match="at least 2 folds, found 1: 5 are usual"):
        doubt(faces, labels, folds=1)
    with pytest.raises(LabelError, match=r"at least 5 persons, one a fold, found 4"):
        doubt(faces, labels)


def test_the_command(tmp_path: Path, command) -> None:
    faces, labels, _ = flipped(300)
    save_templates(tmp_path / "t.parquet", faces.vectors, [f"db/{one}" for one in faces.images], toy_card())
    write_labels(labels, tmp_path / "l.csv")
    write_list(labels.images[:240], tmp_path / "train.txt")
    line = [
        "labels",
        "doubt",
        tmp_path / "t.parquet",
        "-l",
        tmp_path / "l.csv",
        "--train",
        tmp_path / "train.txt",
    ]
    code, out, err = command(*line, "-o", tmp_path / "doubt.csv", "--most", 5)
    with (tmp_path / "doubt.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert code == 0, err
    assert len(rows) == 5
    assert {row["Filename"] for row in rows} <= set(labels.images)  # as the labels spell them
    assert "240 photos of 80 persons; 5 labels look wrong" in out
    assert rows[0]["Filename"] in out
    code, out, _ = command(*line, "--json")
    said = json.loads(out)
    assert code == 0
    assert said["photos"] == 240
    assert [one["attribute"] for one in said["attributes"]] == list(NAMES)
    assert said["rows"][0]["Filename"] == rows[0]["Filename"]
