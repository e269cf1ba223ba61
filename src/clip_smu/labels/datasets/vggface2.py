"""VGGFace2: which photos its lists name and its folders hold, its persons, boxes, landmarks and 11 attributes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Int8s
from clip_smu.errors import InputError, LabelError
from clip_smu.faces.landmarks import Landmarks, read_landmarks, read_numbers
from clip_smu.labels.datasets.rules import Rule, same, translate
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import read_list
from clip_smu.metrics.persons import in_both
from clip_smu.photos.names import match
from clip_smu.photos.spelling import clean
from clip_smu.storage.textfiles import read_text

PARTS = ("train", "test")
BOX_COLUMNS = ("NAME_ID", "X", "Y", "W", "H")

RULES: tuple[Rule, ...] = (
    *same("Male", "Black_Hair", "Brown_Hair", "Gray_Hair", "Blond_Hair", "Wearing_Hat", "Eyeglasses"),
    Rule((("Mouth_Open", 1),), "Mouth_Closed", -1, "an open mouth is not closed"),
    Rule((("Mouth_Open", -1),), "Mouth_Closed", 1, "a mouth that is not open is closed"),
    Rule((("Mustache_or_Beard", -1),), "Mustache", -1, "neither mustache nor beard"),
    Rule((("Mustache_or_Beard", -1),), "Goatee", -1, "a goatee is a beard"),
    Rule((("Mustache_or_Beard", -1),), "No_Beard", 1, "neither mustache nor beard"),
    Rule((("Eyeglasses", 1),), "No_Eyewear", -1, "eyeglasses are eyewear"),
    Rule((("Sunglasses", 1),), "No_Eyewear", -1, "sunglasses are eyewear"),
    Rule((("Eyeglasses", -1), ("Sunglasses", -1)), "No_Eyewear", 1, "neither eyeglasses nor sunglasses"),
)
"""How ``attributes/NN-Name.txt`` (0 is no, 1 is yes) become MAAD-Face's labels. Long_Hair has no counterpart."""


@dataclass(frozen=True, slots=True)
class Person:
    """A row of identity_meta.csv.

    Attributes:
        name: as written there ("14th_Dalai_Lama").
        photos: their number, as written there.
        test: whether the person belongs to the test part (the column Flag).
        gender: "m", "f", or "" where it says neither.
    """

    name: str
    photos: int
    test: bool
    gender: str


@dataclass(frozen=True, eq=False)
class Part:
    """One half of VGGFace2. Names are ``n000002/0001_01.jpg``.

    Attributes:
        folder: of the photos; it need not be there.
        listed: names of train_list.txt or test_list.txt; without a list, those on disk.
        present: of them, those on disk: what ``extract`` and ``fit`` can use.
        missing: of them, those that are not.
        unlisted: photos on disk that the list does not name.
        boxes, landmarks: the files, where they are there.
    """

    folder: Path
    listed: list[str]
    present: list[str]
    missing: list[str]
    unlisted: list[str]
    boxes: Path | None
    landmarks: Path | None

    def read_landmarks(self) -> Landmarks:
        """Photo (``n000002/0001_01``) → (5, 2) float32 x, y, in pixels of the released photos.

        Raises:
            InputError: no such file, or it cannot be used.
        """
        return read_landmarks(_there(self.landmarks, self.folder, "loose_landmark"))

    def read_boxes(self) -> Landmarks:
        """Photo (``n000002/0001_01``) → (4,) float32 x1, y1, x2, y2, in pixels of the released photos.

        Raises:
            InputError: no such file, or it cannot be used.
        """
        return read_boxes(_there(self.boxes, self.folder, "loose_bb"))


@dataclass(frozen=True, eq=False)
class VggFace2:
    """What a copy of VGGFace2 holds.

    Attributes:
        root: the folder.
        parts: "train" and "test"; a part of which there is nothing is left out.
        people: identity (``n000002``) → person; empty without identity_meta.csv.
        attributes: the files of ``attributes/``, name (``Male``) → path.
        notes: what is not there, in sentences.
    """

    root: Path
    parts: dict[str, Part]
    people: dict[str, Person]
    attributes: dict[str, Path]
    notes: tuple[str, ...]


def read_vggface2(root: str | Path) -> VggFace2:
    """Looks through a copy of VGGFace2; no photo is read.

    Expected below ``root`` (or ``root/meta``, ``root/data``): ``train/``, ``test/``, ``train_list.txt``,
    ``test_list.txt``, ``identity_meta.csv``, ``bb_landmark/loose_bb_train.csv`` and the like, ``attributes/``.
    Everything may be missing, save that there must be a list or a folder of photos.

    Raises:
        LabelError: there is neither a list nor a folder of photos, or a file is not in its form.
    """
    root = Path(root)
    if not root.is_dir():
        raise LabelError(
            f"no such folder: {root}; give the folder that holds VGGFace2's train/ and train_list.txt"
        )
    parts, notes = {}, []
    for name in PARTS:
        part, said = _read_part(root, name)
        notes += said
        if part is not None:
            parts[name] = part
    if not parts:
        raise LabelError(
            f"{root} holds no train_list.txt, test_list.txt, train/ or test/: give VGGFace2's folder"
        )
    both = in_both(*({name.partition("/")[0] for name in parts.get(part, _NOTHING).listed} for part in PARTS))
    if both:
        notes.append(f"{len(both)} persons are in both train and test, the first is {min(both)}")
    meta = _find(root, "identity_meta.csv")
    people = {} if meta is None else read_people(meta)
    if meta is None:
        notes.append("no identity_meta.csv: no names and no gender of persons")
    files = [
        file for below in _BELOW for file in sorted((root / below / "attributes").glob("[0-9][0-9]-*.txt"))
    ]
    return VggFace2(root, parts, people, {file.stem[3:]: file for file in files}, tuple(notes))


def photo_name(name: str) -> str:
    """``n000002/0001_01.jpg`` of a name with or without a folder before it and ``.jpg`` behind it.

    Example:
        >>> photo_name("train/n000002/0001_01")
        'n000002/0001_01.jpg'
    """
    name = "/".join(clean(name.strip().strip('"')).split("/")[-2:])
    return name if name.lower().endswith((".jpg", ".jpeg", ".png")) else f"{name}.jpg"


def vggface2_labels(data: VggFace2) -> Labels:
    """VGGFace2's own labels in the MAAD form: Male from identity_meta.csv, and its 11 attributes of 30,000 photos.

    Photos are those of the lists (train, then test). MAAD_Face.csv knows far more of them; this is for those
    who have only VGGFace2. Where an attribute file says otherwise of a photo than its person's row, it counts.

    Raises:
        LabelError: there is neither identity_meta.csv nor an attribute file, or one is not in its form.
    """
    if not data.people and not data.attributes:
        raise LabelError(
            f"{data.root} has neither identity_meta.csv nor attributes/: it says nothing of its photos; "
            "take MAAD_Face.csv for labels"
        )
    images = [name for part in data.parts.values() for name in part.listed]
    identities = [name.partition("/")[0] for name in images]
    columns: dict[str, Int8s] = {}
    for name, file in data.attributes.items():
        columns[name] = np.zeros(len(images), dtype=np.int8)
        rows = _read_attribute(file)
        at = match([image for image, _ in rows], images).at
        for row, (_, label) in zip(at.tolist(), rows, strict=True):
            if row >= 0:
                columns[name][row] = label
    sexes = {"m": 1, "f": -1}
    known = {identity: sexes.get(person.gender, 0) for identity, person in data.people.items()}
    male = np.array([known.get(identity, 0) for identity in identities], dtype=np.int8)
    columns["Male"] = np.where(columns.get("Male", np.zeros_like(male)) != 0, columns.get("Male", male), male)
    return Labels(images, identities, translate(columns, RULES, len(images)))


def read_people(path: Path) -> dict[str, Person]:
    """Identity → person of an identity_meta.csv; a name may hold commas.

    Raises:
        LabelError: a row lacks a field or its numbers.
    """
    people = {}
    lines = read_text(path, "identity_meta.csv", LabelError).splitlines()
    for number, line in enumerate(lines, 1):
        text = line.strip().rstrip(",").rstrip()
        if not text or (number == 1 and text.lower().startswith("class_id")):
            continue
        identity, _, rest = text.partition(",")
        fields = rest.rsplit(",", 3)
        if len(fields) != 4 or not fields[1].strip().isdigit():
            raise LabelError(
                f"{path}, line {number}: expected Class_ID, Name, Sample_Num, Flag, Gender, found {line[:60]!r}"
            )
        name, photos, flag, gender = (field.strip() for field in fields)
        gender = gender.lower() if gender.lower() in ("m", "f") else ""
        people[identity.strip()] = Person(name.strip('" '), int(photos), flag == "1", gender)
    if not people:
        raise LabelError(f"{path} has no row: expected Class_ID, Name, Sample_Num, Flag, Gender")
    return people


def read_boxes(path: Path) -> Landmarks:
    """Reads a ``loose_bb_*.csv``: photo (without ``.jpg``) → (4,) float32 x1, y1, x2, y2.

    Raises:
        InputError: no such file, a column is missing, a name comes twice, or a number is none.
    """
    names, corners = read_numbers(path, BOX_COLUMNS, "loose_bb")
    x, y, width, height = corners.T
    return Landmarks(names, np.stack([x, y, x + width, y + height], axis=1))


_BELOW = ("", "meta", "data")
_NOTHING = Part(Path(), [], [], [], [], None, None)


def _find(root: Path, name: str) -> Path | None:
    return next((file for below in _BELOW if (file := root / below / name).is_file()), None)


def _there(path: Path | None, folder: Path, what: str) -> Path:
    if path is None:
        raise InputError(
            f"no bb_landmark/{what}_{folder.name}.csv beside {folder}: fetch VGGFace2's bb_landmark"
        )
    return path


def _read_part(root: Path, name: str) -> tuple[Part | None, list[str]]:
    folder = next((root / below / name for below in _BELOW if (root / below / name).is_dir()), root / name)
    file = _find(root, f"{name}_list.txt")
    on_disk = _on_disk(folder)
    if file is None and not on_disk:
        return None, [f"no {name}_list.txt and no photos in {folder.name}/: no {name} part"]
    notes = []
    if file is None:
        notes.append(f"no {name}_list.txt: all photos of {folder.name}/ count as listed")
        listed = sorted(on_disk)
    else:
        listed = list(dict.fromkeys(photo_name(line) for line in read_list(file)))
    there = sorted(on_disk)
    at = match(listed, there).at.tolist()
    present = [photo for photo, row in zip(listed, at, strict=True) if row >= 0]
    missing = [photo for photo, row in zip(listed, at, strict=True) if row < 0]
    unlisted = [there[row] for row in sorted(set(range(len(there))) - set(at))]
    if missing:
        notes.append(
            f"{len(missing)} of {len(listed)} photos of {name} are not on disk, the first is {missing[0]}"
        )
    if unlisted:
        notes.append(f"{len(unlisted)} photos in {folder.name}/ are on no list, the first is {unlisted[0]}")
    extras: dict[str, Any] = {}
    for key, what in (("boxes", "loose_bb"), ("landmarks", "loose_landmark")):
        extras[key] = _find(root, f"bb_landmark/{what}_{name}.csv") or _find(root, f"{what}_{name}.csv")
        if extras[key] is None:
            notes.append(f"no {what}_{name}.csv: no {key} of {name}")
    return Part(folder, listed, present, missing, unlisted, extras["boxes"], extras["landmarks"]), notes


def _on_disk(folder: Path) -> set[str]:
    """Names of the photos one folder deep."""
    found: set[str] = set()
    if not folder.is_dir():
        return found
    with os.scandir(folder) as people:
        for person in people:
            if person.is_dir():
                with os.scandir(person.path) as photos:
                    found.update(
                        f"{person.name}/{photo.name}"
                        for photo in photos
                        if photo.name.lower().endswith((".jpg", ".jpeg", ".png"))
                    )
    return found


def _read_attribute(path: Path) -> list[tuple[str, int]]:
    """(photo, 1 or -1) of a file of lines ``n000002/0032_01.jpg<TAB>0``."""
    rows = []
    for number, line in enumerate(read_text(path, "labels of photos", LabelError).splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or fields[1] not in ("0", "1"):
            raise LabelError(
                f"{path}, line {number}: expected a photo's name and 0 or 1, found {line[:60]!r}"
            )
        rows.append((photo_name(fields[0]), 1 if fields[1] == "1" else -1))
    return rows
