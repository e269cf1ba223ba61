"""Training persons are found in what is evaluated, however the training list names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clip_smu.errors import LabelError
from clip_smu.evaluation import Evaluation, EvaluationConfig, evaluate, table_of
from clip_smu.evaluation.overlap import refuse_trained
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.templates import Templates
from faces import dlib_like

PEOPLE = ["ann", "ann", "bob", "bob", "Žofie", "Žofie", "", ""]
IMAGES = ["ann/1.jpg", "ann/2.jpg", "bob/1.jpg", "bob/2.jpg", "z/1.jpg", "z/2.jpg", "s/8.jpg", "s/9.jpg"]
KNOWN = Labels(IMAGES, PEOPLE, np.ones((8, 47), np.int8))


def evaluated(*rows: int) -> Evaluation:
    few = [IMAGES[row] for row in rows], [PEOPLE[row] for row in rows]
    return Evaluation(
        "toy", (), *few, np.ones(len(rows)), np.ones((len(rows), 0), np.int8), {}, {}, table_of([])
    )


@pytest.mark.parametrize(
    ("names", "rows", "words"),
    [
        (["ann/1.jpg"], [1], "1 persons of the training list .* ann"),  # another photo of hers
        (["x/y/ann/1.PNG"], [1], "1 persons .* ann"),
        (["ann"], [0], "1 persons .* ann"),  # a list of persons
        (["nobody/1.jpg", "ann/777.jpg"], [1], "1 persons .* ann"),  # a photo without a label: its folder
        (["Z\u030cofie"], [4], "1 persons .* Žofie"),
        (["cat/5.jpg", "bob", "ann/1.jpg"], [0, 2], "2 persons .* ann"),  # photos and persons in one list
        (["s/8.jpg"], [6], r"1 photos of the training list .* s/8\.jpg"),  # a stranger: the photo itself
        (["who", "cat/1.jpg"], [0], "no name there is that of a labelled person: the list says who, the labels ann/1"),
        ([], [0], "the list says nothing"),
    ],
)  # fmt: skip
def test_found(names: list[str], rows: list[int], words: str) -> None:
    with pytest.raises(LabelError, match=words):
        refuse_trained(names, KNOWN, evaluated(*rows))


def test_strangers_are_nobody_else() -> None:
    assert (
        refuse_trained(["s/8.jpg", "ann/1.jpg"], KNOWN, evaluated(2, 7))
        == "none of the training list is evaluated on"
    )
    assert refuse_trained(["bob", "who.jpg"], KNOWN, evaluated(0)) == (
        "none of the training list is evaluated on; 1 of its 2 names are of no labelled photo or person"
    )


def test_a_name_that_is_a_photo_and_a_person() -> None:
    """CelebA's persons are numbers, as its photos are: a photo's whole name is a photo, else a person comes first."""
    known = Labels(
        ["000012.jpg", "000013.jpg", "000014.jpg"], ["000013", "7", "12"], np.ones((3, 47), np.int8)
    )
    one = Evaluation(
        "toy", (), ["000012.jpg"], ["000013"], np.ones(1), np.ones((1, 0), np.int8), {}, {}, table_of([])
    )
    with pytest.raises(LabelError, match=r"1 persons .* 000013"):
        refuse_trained(["000013"], known, one)
    assert refuse_trained(["000013.jpg"], known, one) == "none of the training list is evaluated on"


def test_another_person_s_photo_of_the_same_tail_is_not_hers() -> None:
    """Both names have other folders before ``s/1.jpg``, and ann is in one of hers."""
    known = Labels(["a/ann/s/1.jpg", "bob/2.jpg"], ["ann", "bob"], np.ones((2, 47), np.int8))
    one = Evaluation(
        "toy", (), ["a/ann/s/1.jpg"], ["ann"], np.ones(1), np.ones((1, 0), np.int8), {}, {}, table_of([])
    )
    assert refuse_trained(["b/bob/s/1.jpg", "bob"], known, one) == (
        "none of the training list is evaluated on; 1 of its 2 names are of no labelled photo or person"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_mark_before_the_first_name_hides_nobody(tmp_path: Path, encoding: str) -> None:
    """Before, a byte order mark became part of the first name, and its person was evaluated on unseen."""
    rng = np.random.default_rng(0)
    people = [f"p{row // 2}" for row in range(60)]
    images = [f"{person}/{row}.jpg" for row, person in enumerate(people)]
    faces = Templates(
        dlib_like(rng.normal(size=(60, 128))),
        images,
        np.zeros(60, np.int16),
        people,
        np.ones(60),
        None,
    )
    labels = Labels(images, people, rng.choice([-1, 1], size=(60, 47)).astype(np.int8))
    (tmp_path / "train.txt").write_bytes("p20/40.jpg\r\np0/0.jpg\r\n".encode(encoding))
    assert read_list(tmp_path / "train.txt") == ["p20/40.jpg", "p0/0.jpg"]
    with pytest.raises(
        LabelError, match="1 persons of the training list would be evaluated on, the first is p20"
    ):
        evaluate(
            ["dlib-faces"],
            faces,
            labels,
            tmp_path / "e",
            config=EvaluationConfig(only=images[20:], train=tmp_path / "train.txt", rounds=0),
        )
    (tmp_path / "people.txt").write_bytes("p0\r\np20\r\n".encode(encoding))
    with pytest.raises(LabelError, match="the first is p20"):
        evaluate(
            ["dlib-faces"],
            faces,
            labels,
            tmp_path / "e",
            config=EvaluationConfig(only=images[20:], train=tmp_path / "people.txt", rounds=0),
        )


def test_the_teams_lists(shared: Path) -> None:
    """The person who is on both of the team's lists is found in all their encodings."""
    folder = shared / "cases/lists_encoding"
    names = read_list(folder / "testA.txt")
    labels = Labels(names, [name.partition("/")[0] for name in names], np.ones((len(names), 47), np.int8))
    one = Evaluation(
        "toy",
        (),
        names,
        labels.identities,
        np.ones(len(names)),
        np.ones((len(names), 0), np.int8),
        {},
        {},
        table_of([]),
    )
    for train in ("tr.txt", "tr_bom.txt"):
        with pytest.raises(LabelError, match=r"persons of the training list .* Aaron_Tippin"):
            refuse_trained(read_list(folder / train), labels, one)
