"""CelebA and VGGFace2 in their own forms, made here by hand: read, mapped, refused, converted."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from clip_smu.cli import app
from clip_smu.errors import ClipSmuError, InputError, LabelError
from clip_smu.labels.datasets import celeba, convert, vggface2
from clip_smu.labels.datasets.celeba import read_celeba
from clip_smu.labels.datasets.rules import Rule
from clip_smu.labels.datasets.vggface2 import (
    photo_name,
    read_boxes,
    read_people,
    read_vggface2,
    vggface2_labels,
)
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.labels.writing import write_labels
from clip_smu.words.attributes import INDEX, NAMES
from places import ROOT

HEADER_LINE = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair "
    "Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair "
    "Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face "
    "Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair "
    "Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
)
HEADER = HEADER_LINE.split()
# The first photo of CelebA, and its labels there.
FIRST = "-1 1 1 -1 -1 -1 -1 -1 -1 -1 -1 1 -1 -1 -1 -1 -1 -1 1 1 -1 1 -1 -1 1 -1 -1 1 -1 -1 -1 1 1 -1 1 -1 1 -1 -1 1"


@pytest.fixture
def rows() -> dict[str, list[int]]:
    """Photo → 40 labels."""
    rng = np.random.default_rng(0)
    drawn = {f"{k:06d}.jpg": rng.choice([-1, 1], 40).tolist() for k in range(2, 40)}
    return {"000001.jpg": [int(value) for value in FIRST.split()]} | drawn


def write_celeba(folder: Path, rows: dict[str, list[int]], form: str) -> Path:
    """CelebA as released (padded with spaces, Windows line ends), or as on Kaggle."""
    ending = "csv" if form == "kaggle" else "txt"
    below = folder if form == "kaggle" else folder / "Anno"
    (folder / "Eval").mkdir(parents=True)
    below.mkdir(exist_ok=True)
    parts = [f"{image} {k % 3}" for k, image in enumerate(rows)]
    if form == "kaggle":
        lines = [",".join(["image_id", *HEADER])]
        lines += [",".join([image, *map(str, labels)]) for image, labels in rows.items()]
        parts = ["image_id,partition", *(line.replace(" ", ",") for line in parts)]
    else:
        lines = [str(len(rows)), " ".join(HEADER) + " "]
        lines += [image + " " + " ".join(f"{value:2d}" for value in labels) for image, labels in rows.items()]
    newline = "\r\n" if form == "windows" else "\n"
    (below / f"list_attr_celeba.{ending}").write_text(newline.join(lines) + newline)
    ((folder if form == "kaggle" else folder / "Eval") / f"list_eval_partition.{ending}").write_text(
        "\n".join(parts) + "\n"
    )
    identities = [f"{image} {k // 2 + 5}" for k, image in enumerate(rows)]
    (below / "identity_CelebA.txt").write_text("\n".join(identities) + "\n")
    return folder


def test_celeba_header_is_the_tables() -> None:
    assert list(celeba.ATTRIBUTES) == HEADER


@pytest.mark.parametrize("form", ["released", "windows", "kaggle"])
def test_celeba_as_a_slow_reader_maps_it(tmp_path: Path, rows: dict[str, list[int]], form: str) -> None:
    data = read_celeba(write_celeba(tmp_path / "celeba", rows, form))
    assert data.labels.images == list(rows)
    assert data.labels.identities == [str(k // 2 + 5) for k in range(len(rows))]
    for got, given in zip(data.labels.values, rows.values(), strict=True):
        was = dict(zip(HEADER, given, strict=True))
        want = {name: was.get(name, 0) for name in NAMES}
        want["Mouth_Closed"] = -was["Mouth_Slightly_Open"]
        want["No_Eyewear"] = -1 if was["Eyeglasses"] == 1 else 0
        want["Senior"] = -1 if was["Young"] == 1 else 0
        want["Fully_Visible_Forehead"] = -1 if was["Bangs"] == 1 else 0
        assert dict(zip(NAMES, got.tolist(), strict=True)) == want
    images = list(rows)
    assert data.lists == {"train": images[::3], "val": images[1::3], "test": images[2::3]}
    assert [re.sub(r"\d+", "N", note) for note in data.notes] == [
        "N persons are in both train and test: evidence needs lists of different persons"
    ]


def test_celebas_first_photo(tmp_path: Path, rows: dict[str, list[int]]) -> None:
    labels = read_celeba(write_celeba(tmp_path, rows, "released")).labels
    yes = {name for name, value in zip(NAMES, labels.values[0].tolist(), strict=True) if value == 1}
    assert yes == {
        "Arched_Eyebrows",
        "Attractive",
        "Brown_Hair",
        "Heavy_Makeup",
        "High_Cheekbones",
        "No_Beard",
        "Pointy_Nose",
        "Smiling",
        "Wearing_Earrings",
        "Wearing_Lipstick",
        "Young",
    }


def test_every_rule_names_what_there_is() -> None:
    for rules, known in ((celeba.RULES, HEADER), (vggface2.RULES, list(VGG_FILES))):
        for rule in rules:
            assert rule.target in NAMES
            assert rule.label in (1, -1)
            assert all(name in known and label in (1, -1) for name, label in rule.when)
    mapped = {rule.target for rule in celeba.RULES}
    assert len(mapped) == 38
    assert {name for rule in celeba.RULES for name, _ in rule.when} == set(HEADER) - {
        "Blurry", "Narrow_Eyes", "Pale_Skin", "Straight_Hair", "Wearing_Necklace"
    }  # fmt: skip


def test_celeba_without_its_other_files(tmp_path: Path, rows: dict[str, list[int]]) -> None:
    folder = write_celeba(tmp_path / "c", rows, "released")
    (folder / "Anno/identity_CelebA.txt").unlink()
    (folder / "Eval/list_eval_partition.txt").unlink()
    data = read_celeba(folder / "Anno/list_attr_celeba.txt")
    assert (set(data.labels.identities), data.lists) == ({""}, {})
    assert [note.partition(":")[0] for note in data.notes] == [
        "no identity_CelebA.txt", "no list_eval_partition.txt"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("Anno/list_attr_celeba.txt", "39\n", "40\n", "says 40 photos and has 39: it is cut off"),
        (
            "Anno/list_attr_celeba.txt",
            "39\n",
            "",
            "begins with '5_o_Clock_Shadow.*expected the number of photos",
        ),
        ("Anno/list_attr_celeba.txt", "Young", "Yung", "lacks the column Young"),
        (
            "Anno/list_attr_celeba.txt",
            "000001.jpg -1",
            "000001.jpg  0",
            "000001.jpg, column 5_o_Clock.*found 0",
        ),
        ("Anno/list_attr_celeba.txt", "000001.jpg -1", "000001.jpg  x", "not CelebA's list of attributes"),
        ("Anno/list_attr_celeba.txt", "000001.jpg -1", "000001.jpg", "not CelebA's list of attributes"),
        ("Anno/list_attr_celeba.txt", "000002.jpg", "000001.jpg", "has the photo 000001.jpg twice"),
        ("Anno/identity_CelebA.txt", ".jpg", ".x", "names none of the photos .* 000001.x, .* 000001.jpg"),
        (
            "Anno/identity_CelebA.txt",
            "000001.jpg 5",
            "000001.jpg",
            "its identity on each line, found '000001.jpg'",
        ),
        ("Anno/identity_CelebA.txt", "000002.jpg", "000001.jpg", "has the photo 000001.jpg twice"),
        (
            "Eval/list_eval_partition.txt",
            "000001.jpg 0",
            "000001.jpg 3",
            "0 .train., 1 .val. or 2 .test., found '3'",
        ),
    ],
)
def test_celeba_refuses(
    tmp_path: Path, rows: dict[str, list[int]], name: str, old: str, new: str, words: str
) -> None:
    folder = write_celeba(tmp_path / "c", rows, "released")
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    with pytest.raises(LabelError, match=words) as caught:
        read_celeba(folder)
    assert "\n" not in str(caught.value)


def test_celeba_reports_what_does_not_match(tmp_path: Path, rows: dict[str, list[int]]) -> None:
    folder = write_celeba(tmp_path / "c", rows, "released")
    for name in ("Anno/identity_CelebA.txt", "Eval/list_eval_partition.txt"):
        text = (folder / name).read_text().replace("000001.jpg", "999999.jpg")
        (folder / name).write_text(text)
    data = read_celeba(folder)
    assert data.labels.identities[0] == ""
    assert not any("000001.jpg" in names for names in data.lists.values())
    assert data.notes[:4] == (
        "1 photos have no identity: each counts as a person of its own",
        "1 photos of identity_CelebA.txt have no labels",
        "1 photos are in no part of list_eval_partition.txt",
        "1 photos of list_eval_partition.txt have no labels",
    )
    with pytest.raises(LabelError, match="no list_attr_celeba"):
        read_celeba(tmp_path / "nowhere")


# ---------------------------------------------------------------- VGGFace2

VGG_FILES = {
    "Male": "01-Male.txt",
    "Black_Hair": "02-Black_Hair.txt",
    "Brown_Hair": "03-Brown_Hair.txt",
    "Gray_Hair": "04-Gray_Hair.txt",
    "Blond_Hair": "05-Blond_Hair.txt",
    "Long_Hair": "06-Long_Hair.txt",
    "Mustache_or_Beard": "07-Mustache_or_Beard.txt",
    "Wearing_Hat": "08-Wearing_Hat.txt",
    "Eyeglasses": "09-Eyeglasses.txt",
    "Sunglasses": "10-Sunglasses.txt",
    "Mouth_Open": "11-Mouth_Open.txt",
}  # as in the repository ox-vgg/vgg_face2
LISTED = {
    "train": ["n000002/0001_01.jpg", "n000002/0002_01.jpg", "n000003/0001_01.jpg", "n000003/0009_02.jpg"],
    "test": ["n000001/0001_01.jpg", "n000001/0002_01.jpg"],
}


@pytest.fixture
def vgg(tmp_path: Path) -> Path:
    """A tiny copy of VGGFace2 in which n000003/0009_02.jpg is not on disk, and n000003/0005_01.jpg on no list."""
    root = tmp_path / "VGGFace2"
    (root / "bb_landmark").mkdir(parents=True)
    (root / "attributes").mkdir()
    for part, names in LISTED.items():
        (root / f"{part}_list.txt").write_text("\n".join(names) + "\n")
        extra = ["n000003/0005_01.jpg"] if part == "train" else []
        for name in [*names, *extra]:
            if name != "n000003/0009_02.jpg":
                (root / part / name).parent.mkdir(parents=True, exist_ok=True)
                (root / part / name).write_bytes(b"")
        boxes = ["NAME_ID,X,Y,W,H"] + [f'"{name[:-4]}",60,61,79,109' for name in names]
        (root / f"bb_landmark/loose_bb_{part}.csv").write_text("\n".join(boxes) + "\n")
        points = ",".join(f"P{k}{axis}" for k in range(1, 6) for axis in "XY")
        lines = [f"NAME_ID,{points}"] + [
            f'"{name[:-4]}",' + ",".join(f"{k}.5" for k in range(10)) for name in names
        ]
        (root / f"bb_landmark/loose_landmark_{part}.csv").write_text("\n".join(lines) + "\n")
    (root / "identity_meta.csv").write_text(
        "Class_ID, Name, Sample_Num, Flag, Gender,\n"
        'n000001, "14th_Dalai_Lama", 424, 1, m,\n'
        'n000002, "A_Fine_Frenzy", 315, 0, f,\n'
        'n000003, "Smith,_Jr.", 205, 0, m\n'
    )
    for name, file in VGG_FILES.items():
        label = int(name in ("Eyeglasses", "Long_Hair"))
        (root / "attributes" / file).write_text(
            f"n000002/0001_01.jpg\t{label}\nn000001/0001_01.jpg\t{1 - label}\nn009999/0001_01.jpg\t1\n"
        )
    return root


def test_vggface2_is_looked_through(vgg: Path) -> None:
    data = read_vggface2(vgg)
    train, test = data.parts["train"], data.parts["test"]
    assert (train.listed, test.listed) == (LISTED["train"], LISTED["test"])
    assert (train.present, train.missing) == (LISTED["train"][:3], LISTED["train"][3:])
    assert train.unlisted == ["n000003/0005_01.jpg"]
    assert (test.present, test.missing, test.unlisted) == (LISTED["test"], [], [])
    assert train.folder == vgg / "train"
    assert train.read_landmarks()["n000003/0001_01"].tolist() == [[k + 0.5, k + 1.5] for k in range(0, 10, 2)]
    assert test.read_boxes()["n000001/0002_01"].tolist() == [60, 61, 139, 170]
    assert data.people["n000003"] == vggface2.Person("Smith,_Jr.", 205, False, "m")
    assert data.people["n000001"].test
    assert list(data.attributes) == list(VGG_FILES)
    assert data.notes == (
        "1 of 4 photos of train are not on disk, the first is n000003/0009_02.jpg",
        "1 photos in train/ are on no list, the first is n000003/0005_01.jpg",
    )


def test_vggface2_lists_may_have_folders_and_lack_endings(vgg: Path) -> None:
    (vgg / "train_list.txt").write_text("\n".join(f"train/{name[:-4]}" for name in LISTED["train"]))
    assert read_vggface2(vgg).parts["train"].present == LISTED["train"][:3]
    assert (
        photo_name('"n000002/0001_01"')
        == photo_name("VGG/train\\n000002\\0001_01.jpg")
        == "n000002/0001_01.jpg"
    )


def test_vggface2_of_which_little_is_there(vgg: Path, tmp_path: Path) -> None:
    for name in ("train_list.txt", "identity_meta.csv", "bb_landmark/loose_bb_test.csv", "test_list.txt"):
        (vgg / name).unlink()
    shutil.rmtree(vgg / "test")
    data = read_vggface2(vgg)
    assert data.parts["train"].listed == [*LISTED["train"][:3], "n000003/0005_01.jpg"]
    assert [note.partition(":")[0] for note in data.notes] == [
        "no train_list.txt",
        "no test_list.txt and no photos in test/",
        "no identity_meta.csv",
    ]
    (tmp_path / "empty").mkdir()
    for folder, words in (
        (tmp_path / "empty", "holds no train_list.txt"),
        (tmp_path / "no", "no such folder"),
    ):
        with pytest.raises(LabelError, match=words):
            read_vggface2(folder)
    shutil.rmtree(vgg / "attributes")
    with pytest.raises(LabelError, match=r"neither identity_meta.csv nor attributes/"):
        vggface2_labels(read_vggface2(vgg))
    (vgg / "bb_landmark/loose_bb_train.csv").unlink()
    with pytest.raises(InputError, match=r"no bb_landmark/loose_bb_train.csv"):
        read_vggface2(vgg).parts["train"].read_boxes()


def test_vggface2_labels(vgg: Path) -> None:
    labels = vggface2_labels(read_vggface2(vgg))
    assert labels.images == LISTED["train"] + LISTED["test"]
    said = [
        {name: value for name, value in zip(NAMES, row.tolist(), strict=True) if value}
        for row in labels.values
    ]
    no_hair = {f"{color}_Hair": -1 for color in ("Black", "Brown", "Gray", "Blond")}
    assert said[0] == no_hair | {  # eyeglasses and long hair
        "Male": -1, "Eyeglasses": 1, "No_Eyewear": -1, "Wearing_Hat": -1, "Mouth_Closed": 1,
        "Mustache": -1, "Goatee": -1, "No_Beard": 1,
    }  # fmt: skip
    assert said[1] == {"Male": -1}
    assert said[2] == said[3] == said[5] == {"Male": 1}
    assert said[4] == dict.fromkeys(no_hair, 1) | {  # all but these two
        "Male": 1, "Eyeglasses": -1, "No_Eyewear": -1, "Wearing_Hat": 1, "Mouth_Closed": -1,
    }  # fmt: skip
    for name in ("Eyeglasses", "Sunglasses"):
        (vgg / "attributes" / VGG_FILES[name]).write_text("n000003/0001_01.jpg\t0\n")
    again = vggface2_labels(read_vggface2(vgg))
    assert again.values[2, INDEX["No_Eyewear"]] == 1


def test_a_photos_own_label_of_male_counts(vgg: Path) -> None:
    (vgg / "attributes" / VGG_FILES["Male"]).write_text("n000002/0001_01.jpg\t1\n")
    male = vggface2_labels(read_vggface2(vgg)).values[:, INDEX["Male"]]
    assert male.tolist() == [1, -1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("attributes/01-Male.txt", "n000002/0001_01.jpg\t2\n", "line 1: expected a photo's name and 0 or 1"),
        ("identity_meta.csv", "n000001, x, 3\n", "line 1: expected Class_ID, Name"),
        ("identity_meta.csv", "Class_ID, Name, Sample_Num, Flag, Gender,\n", "has no row"),
        ("train_list.txt", "\n", "is empty"),
        ("bb_landmark/loose_bb_train.csv", "NAME_ID,X\n", "to have the columns NAME_ID, X, Y, W, H"),
        (
            "bb_landmark/loose_bb_train.csv",
            "NAME_ID,X,Y,W,H\na,1,2,3,nan\n",
            "found 1 rows without, the first for 'a'",
        ),
        ("bb_landmark/loose_bb_train.csv", "NAME_ID,X,Y,W,H\na,1,2,3,4\na,1,2,3,4\n", "found 'a' twice"),
    ],
)
def test_vggface2_refuses(vgg: Path, name: str, text: str, words: str) -> None:
    (vgg / name).write_text(text)
    with pytest.raises(ClipSmuError, match=words) as caught:
        if "bb" in name:
            read_boxes(vgg / name)
        else:
            vggface2_labels(read_vggface2(vgg))
    assert "\n" not in str(caught.value)


def test_the_dalai_lama_is_in_both_lists(vgg: Path) -> None:
    (vgg / "train_list.txt").write_text("n000001/0001_01.jpg\n")
    assert "1 persons are in both train and test, the first is n000001" in read_vggface2(vgg).notes


def test_people_keep_commas_and_unknown_genders(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('n000001, "A, B, C", 12, 0, ?,\nn000002, D, 1, 1, F,\n')
    people = read_people(tmp_path / "m.csv")
    assert people["n000001"] == vggface2.Person("A, B, C", 12, False, "")
    assert people["n000002"].gender == "f"


# ---------------------------------------------------------------- conversion


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_celeba_converts_to_what_every_command_reads(
    tmp_path: Path, rows: dict[str, list[int]], ending: str
) -> None:
    folder = write_celeba(tmp_path / "c", rows, "released")
    done = convert(folder, "celeba", tmp_path / f"out/celeba.{ending}")
    back, data = read_labels(done.labels), read_celeba(folder)
    assert (back.images, back.identities) == (data.labels.images, data.labels.identities)
    np.testing.assert_array_equal(back.values, data.labels.values)
    assert {part: read_list(file) for part, file in done.lists.items()} == data.lists
    assert {file.name for file in done.lists.values()} == {f"celeba.{part}.txt" for part in celeba.PARTS}
    assert (done.photos, done.persons, done.sizes) == (39, 20, {"train": 13, "val": 13, "test": 13})


def test_the_command_converts_and_shows(vgg: Path, tmp_path: Path) -> None:
    out = tmp_path / "out/vgg.parquet"
    done = CliRunner().invoke(app, ["labels", "convert", str(vgg), "--from", "vggface2", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "vgg.parquet: 6 photos of 3 persons" in done.stdout
    assert "1 of 4 photos of train are not on disk" in done.stderr
    assert read_list(out.with_name("vgg.train.txt")) == LISTED["train"][:3]
    shown = CliRunner().invoke(app, ["labels", "show", str(out)])
    assert re.search(r"^Male +4 +2 +0 +66\.7%$", shown.stdout, re.MULTILINE)
    assert re.search(r"^Young +0 +0 +6 +-$", shown.stdout, re.MULTILINE)
    values = json.loads(CliRunner().invoke(app, ["labels", "show", str(out), "--json"]).stdout)
    assert values["attributes"]["Male"] == {"yes": 4, "no": 2, "unknown": 0}
    assert (values["photos"], values["persons"], values["join"]) == (6, 3, None)


def test_maad_converts_between_csv_and_parquet(tmp_path: Path) -> None:
    labels = Labels(["p/a.jpg"], ["p"], np.arange(47, dtype=np.int8)[None] % 3 - 1)
    write_labels(labels, tmp_path / "a.csv")
    convert(tmp_path / "a.csv", "maad", tmp_path / "a.parquet")
    convert(tmp_path / "a.parquet", "maad", tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_conversion_refuses(tmp_path: Path) -> None:
    write_labels(Labels(["p/a.jpg"], ["p"], np.ones((1, 47), np.int8)), tmp_path / "a.csv")
    for form, output, words in (
        ("lfw", "b.csv", "a form of celeba, vggface2, maad, found 'lfw'"),
        ("maad", "a.csv", "is the source itself"),
        ("maad", "b.txt", "written as .csv or .parquet"),
    ):
        with pytest.raises(InputError, match=words):
            convert(tmp_path / "a.csv", form, tmp_path / output)


@pytest.mark.parametrize("rules", [celeba.RULES, vggface2.RULES], ids=["celeba", "vggface2"])
def test_the_document_has_every_rule(rules: tuple[Rule, ...]) -> None:
    text = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    for rule in rules:
        if rule.why:
            when = " and ".join(f"{name} is {label}" for name, label in rule.when)
            assert f"| {when} | {rule.target} is {rule.label} | {rule.why} |" in text
    mapped = {rule.target for rule in celeba.RULES}
    assert f"Always unknown: {', '.join(name for name in NAMES if name not in mapped)}." in text
