"""CelebA: its 40 attributes under MAAD-Face's names, its persons, and its partition into train, val and test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from clip_smu.arrays import Int8s
from clip_smu.errors import LabelError
from clip_smu.labels.datasets.rules import Rule, same, translate
from clip_smu.labels.labels import Labels
from clip_smu.metrics.persons import in_both
from clip_smu.photos.names import match
from clip_smu.storage.textfiles import read_lines, read_text, separator_of
from clip_smu.words.attributes import NAMES

# fmt: off
ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache",
    "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks",
    "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick",
    "Wearing_Necklace", "Wearing_Necktie", "Young",
)
# fmt: on
"""CelebA's 40 columns, in the order of list_attr_celeba.txt."""

RULES: tuple[Rule, ...] = (
    *same(*(name for name in NAMES if name in ATTRIBUTES)),
    Rule((("Mouth_Slightly_Open", 1),), "Mouth_Closed", -1, "an open mouth is not closed"),
    Rule((("Mouth_Slightly_Open", -1),), "Mouth_Closed", 1, "a mouth that is not open is closed"),
    Rule((("Eyeglasses", 1),), "No_Eyewear", -1, "eyeglasses are eyewear; without them it may be sunglasses"),
    Rule((("Young", 1),), "Senior", -1, "a young person is not elderly; who is not young may be either"),
    Rule((("Bangs", 1),), "Fully_Visible_Forehead", -1, "bangs hide a part of the forehead"),
)
"""How CelebA's labels become MAAD-Face's: 34 attributes of one name, and what follows from others."""

PARTS = ("train", "val", "test")
FOLDERS = ("", "Anno", "Eval", "anno", "eval", "celeba")
FILES = ("list_attr_celeba", "identity_CelebA", "list_eval_partition")


@dataclass(frozen=True, eq=False)
class CelebA:
    """CelebA's labels and lists.

    Attributes:
        labels: in the MAAD form; identities are CelebA's numbers as text, "" where there is no identity file.
        lists: "train", "val" and "test" → photo names that have labels; empty where there is no partition file.
        notes: what is not there, or does not match, in sentences.
    """

    labels: Labels
    lists: dict[str, list[str]]
    notes: tuple[str, ...]


def read_celeba(source: str | Path) -> CelebA:
    """Reads ``list_attr_celeba``, ``identity_CelebA`` and ``list_eval_partition``, each .txt or .csv.

    Args:
        source: CelebA's folder (the files lie in it, or in ``Anno`` and ``Eval`` below it), or the attribute
            file itself, beside which the others are looked for. Only that one must be there.

    Raises:
        LabelError: there is no attribute file, its count or its columns are wrong, a label is none of 1 and -1,
            or photos come twice; the identity file names none of the photos.
    """
    source = Path(source)
    given = source if source.is_file() else None
    attributes, identities, partition = _find(source.parent if given else source)
    path = given or attributes
    if path is None:
        raise LabelError(
            f"no list_attr_celeba.txt or .csv in {source}, its Anno or its Eval: give CelebA's folder"
        )
    images, columns = _read_attributes(path)
    notes = []
    persons = [""] * len(images)
    if identities is None:
        notes.append("no identity_CelebA.txt: each photo counts as a person of its own")
    else:
        of_photo = _read_pairs(identities, "identity")
        persons = _of_each(images, of_photo)
        unknown = persons.count("")
        if unknown == len(images):
            raise LabelError(
                f"{identities} names none of the photos of {path}: it says {next(iter(of_photo))}, that one "
                f"{images[0]}; take both from one release"
            )
        if unknown:
            notes.append(f"{unknown} photos have no identity: each counts as a person of its own")
        if others := len(of_photo) - (len(images) - unknown):
            notes.append(f"{others} photos of {identities.name} have no labels")
    labels = Labels(images, persons, translate(columns, RULES, len(images)))
    lists: dict[str, list[str]] = {}
    if partition is None:
        notes.append("no list_eval_partition.txt: no lists")
    else:
        lists, more = _lists(partition, labels)
        notes += more
    return CelebA(labels, lists, tuple(notes))


def _find(folder: Path) -> list[Path | None]:
    """The files of `FILES`, ``None`` where one is not there."""
    places = [(folder / below, ending) for ending in (".txt", ".csv") for below in FOLDERS]
    return [
        next((file for place, ending in places if (file := place / f"{name}{ending}").is_file()), None)
        for name in FILES
    ]


def _read_attributes(path: Path) -> tuple[list[str], dict[str, Int8s]]:
    """Photo names, and CelebA attribute → (N,) int8 of 1 and -1."""
    import pyarrow as pa
    from pyarrow import csv

    data = read_text(path, "CelebA's list of attributes", LabelError).encode()
    first, _, rest = data.partition(b"\n")
    count: int | None = None
    separator = separator_of(first.decode())
    if separator.encode() not in first:  # the original: a count, the names, then rows with one or two spaces
        if not first.strip().isdigit():
            raise LabelError(
                f"{path} begins with {first[:40].decode('utf-8', 'replace').strip()!r}: expected the number of photos, "
                "as in CelebA's list_attr_celeba.txt, or a csv with the header image_id,5_o_Clock_Shadow,..."
            )
        count = int(first)
        data = b"image_id " + rest.lstrip()
        separator = ","
        data = re.sub(rb"[ \t]+", b",", re.sub(rb"[ \t\r]+\n", b"\n", data)).rstrip(b" \t\r\n,")
    types = {"image_id": pa.string()} | dict.fromkeys(ATTRIBUTES, pa.int8())
    try:
        table = csv.read_csv(
            BytesIO(data),
            parse_options=csv.ParseOptions(delimiter=separator),
            convert_options=csv.ConvertOptions(column_types=types),
        )
    except pa.ArrowException as error:
        raise LabelError(
            f"{path} is not CelebA's list of attributes ({str(error).splitlines()[0]})"
        ) from None
    missing = [name for name in types if name not in table.column_names]
    if missing:
        raise LabelError(f"{path} lacks the column {missing[0]}: expected CelebA's 40 attributes")
    if count is not None and count != table.num_rows:
        raise LabelError(
            f"{path} says {count} photos and has {table.num_rows}: it is cut off or changed; fetch it again"
        )
    if not table.num_rows:
        raise LabelError(f"{path} has no photo: expected one row a photo")
    images: list[str] = table["image_id"].to_pylist()
    _refuse_twice(images, path)
    columns = {}
    for name in ATTRIBUTES:
        column = table[name].fill_null(0).to_numpy()
        wrong = np.flatnonzero((column != 1) & (column != -1))
        if len(wrong):
            raise LabelError(
                f"{path}, photo {images[wrong[0]]}, column {name}: expected 1 or -1, found {table[name][wrong[0]]}"
            )
        columns[name] = column
    return images, columns


def _read_pairs(path: Path, what: str) -> dict[str, str]:
    """Photo name → the second column, as text; a csv has a header."""
    lines = read_lines(path, f"a photo's name and its {what} on each line", LabelError)
    rows = [re.split(r"[,;\s]+", line) for line in lines]
    if rows and rows[0][0] == "image_id":
        rows = rows[1:]
    wrong = next((row for row in rows if len(row) != 2), None)
    if wrong is not None or not rows:
        found = "nothing" if wrong is None else repr(" ".join(wrong))
        raise LabelError(
            f"{path}: expected a photo's name and its {what} on each line, found {found}: fetch it again"
        )
    _refuse_twice([row[0] for row in rows], path)
    return {row[0]: row[1] for row in rows}


def _lists(path: Path, labels: Labels) -> tuple[dict[str, list[str]], list[str]]:
    part_of = _read_pairs(path, "part")
    wrong = next((image for image, part in part_of.items() if part not in ("0", "1", "2")), None)
    if wrong is not None:
        raise LabelError(
            f"{path}, photo {wrong}: expected 0 (train), 1 (val) or 2 (test), found {part_of[wrong]!r}"
        )
    lists: dict[str, list[str]] = {name: [] for name in PARTS}
    persons: dict[str, set[str]] = {name: set() for name in PARTS}
    without = 0
    of_each = _of_each(labels.images, part_of)
    for image, person, part in zip(labels.images, labels.identities, of_each, strict=True):
        if not part:
            without += 1
            continue
        lists[PARTS[int(part)]].append(image)
        persons[PARTS[int(part)]].add(person)
    notes = []
    if without:
        notes.append(f"{without} photos are in no part of {path.name}")
    if others := len(part_of) - (len(labels.images) - without):
        notes.append(f"{others} photos of {path.name} have no labels")
    both = len(in_both(persons["train"], persons["test"]))
    if both:
        notes.append(f"{both} persons are in both train and test: evidence needs lists of different persons")
    return lists, notes


def _of_each(images: list[str], values: dict[str, str]) -> list[str]:
    """What another file says of each photo, "" where nothing."""
    at, known = match(images, list(values)).at, list(values.values())
    return [known[row] if row >= 0 else "" for row in at.tolist()]


def _refuse_twice(images: list[str], path: Path) -> None:
    if len(set(images)) != len(images):
        seen: set[str] = set()
        twice = next(image for image in images if image in seen or seen.add(image))  # type: ignore[func-returns-value]
        raise LabelError(f"{path} has the photo {twice} twice: keep one row")
