"""The files of a run: labels brought into MAAD's form, and the few persons of a smoke run."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clip_smu.errors import ImageError
from clip_smu.labels.datasets import convert
from clip_smu.labels.lists import read_list
from clip_smu.labels.reading import read_labels
from clip_smu.photos import Photo, iter_photos
from clip_smu.photos.spelling import clean
from clip_smu.photos.wanted import find_photos
from clip_smu.reproduction.checks import refuse_shared
from clip_smu.reproduction.plan import Plan
from clip_smu.reproduction.stages import Stages, content_hash
from clip_smu.storage.digests import file_digest, json_digest
from clip_smu.storage.files import atomic

PHOTOS = "_photos"  # in a run's folder: copies of a smoke run's photos, while it runs


@dataclass(frozen=True, slots=True)
class Data:
    """The files of a run, as its stages take them, and hashes of their content."""

    photos: tuple[Path, ...]
    labels: Path
    train: Path
    test: Path
    pairs: Path | None
    photos_key: str
    labels_key: str
    pairs_key: str


@contextmanager
def open_data(plan: Plan, output: Path, smoke: bool, stages: Stages) -> Iterator[Data]:
    """The plan's files; labels of another form are brought into MAAD's, a smoke run takes some persons only."""
    labels, train, test = plan.labels, plan.train, plan.test
    if plan.form == "celeba":
        labels, train, test = _celeba(plan, output / "labels", stages)
        refuse_shared(read_list(train), read_list(test), read_labels(labels))
    assert train is not None and test is not None
    named = (labels, train, test, *([plan.pairs] if plan.pairs else []))
    labelled = {file.name: file_digest(file) for file in named}
    paired = file_digest(plan.pairs) if plan.pairs else labelled[test.name]
    seen = {file.name: content_hash(file) for file in plan.photos}
    if not smoke:
        yield Data(
            plan.photos,
            labels,
            train,
            test,
            plan.pairs,
            json_digest(seen),
            json_digest(labelled),
            json_digest(paired),
        )
        return
    count = int(plan.smoke.get("photos", 300))
    chosen_train = _some(read_list(train), count * 2 // 3)
    chosen_test = _some(read_list(test), count - len(chosen_train))
    folder = output / "labels"
    lists = [folder / "smoke_train.txt", folder / "smoke_test.txt"]
    for file, names in zip(lists, (chosen_train, chosen_test), strict=True):
        with atomic(file) as temporary:
            temporary.write_text("\n".join(names) + "\n", encoding="utf-8")
    with _some_photos(plan, output / PHOTOS, [*chosen_train, *chosen_test]) as photos:
        keys = (
            json_digest({**one, "smoke": count}) for one in (seen, labelled, {"test": labelled[test.name]})
        )
        yield Data((photos,), labels, lists[0], lists[1], None, *keys)


@contextmanager
def _some_photos(plan: Plan, folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Copies of the named photos in a folder that only its owner may enter, gone when the run ends.

    A run that was killed leaves them: they are cleared when the next one starts.
    """
    clear_photos(folder)
    folder.mkdir(mode=0o700, parents=True)
    try:
        found, _ = find_photos(iter_photos(plan.photos) if plan.photos else (), list(dict.fromkeys(names)))
        for name, photo in found.items():
            file = folder / _inside(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_bytes_of(photo))
        yield folder
    finally:
        clear_photos(folder)


def clear_photos(folder: Path) -> None:
    """Removes the copies that a killed run left behind."""
    shutil.rmtree(folder, ignore_errors=True)


def _inside(name: str) -> str:
    """A name as a path that stays below the folder it is put in, whatever a list says."""
    return "/".join(part for part in clean(name).split("/") if part not in ("", ".", "..")) or "photo"


def _bytes_of(photo: Photo) -> bytes:
    """Nothing of a photo that cannot be read: extraction then lists it with its reason."""
    try:
        return photo.read()
    except ImageError:
        return b""


def _some(names: list[str], count: int) -> list[str]:
    """Photos of the first persons of a list, about ``count``; in a list without folders, the first photos."""
    taken: list[str] = []
    for _, photos in itertools.groupby(names, key=lambda name: name.rpartition("/")[0] or name):
        if len(taken) >= count:
            break
        taken += photos
    return taken


def _celeba(plan: Plan, folder: Path, stages: Stages) -> tuple[Path, Path, Path]:
    """CelebA's labels in MAAD's form, and its partition as lists."""
    result = folder / "labels.parquet"
    source = {file.name: content_hash(file) for file in sorted(plan.labels.glob("*.[ct][sx][vt]"))}
    stages.run(
        "labels", {"source": source}, folder, lambda: convert(plan.labels, "celeba", result), result.name
    )
    return result, folder / "labels.train.txt", folder / "labels.test.txt"
