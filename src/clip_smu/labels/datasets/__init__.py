"""Public data sets in their own forms → labels in the MAAD form and lists of photos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clip_smu.errors import InputError
from clip_smu.labels.datasets.celeba import read_celeba
from clip_smu.labels.datasets.vggface2 import read_vggface2, vggface2_labels
from clip_smu.labels.labels import Labels
from clip_smu.labels.lists import write_list
from clip_smu.labels.reading import read_labels
from clip_smu.labels.writing import check_ending, write_labels
from clip_smu.metrics.persons import known_persons
from clip_smu.storage.output_paths import require_output

__all__ = ["FORMS", "Converted", "convert"]


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion wrote.

    Attributes:
        labels: the file of labels.
        lists: part ("train", "val", "test") → list file, one photo name a line.
        photos, persons: numbers in ``labels``.
        sizes: part → names in its list.
        notes: what was not there or did not match, in sentences.
    """

    labels: Path
    lists: dict[str, Path]
    photos: int
    persons: int
    sizes: dict[str, int]
    notes: tuple[str, ...]


def convert(source: str | Path, form: str, output: str | Path) -> Converted:
    """Writes the labels of a data set in the MAAD form, and its lists beside them.

    Args:
        source: CelebA's or VGGFace2's folder, or a csv or Parquet in the MAAD form.
        form: ``celeba``, ``vggface2`` or ``maad``.
        output: file for the labels, ``.csv`` or ``.parquet``; lists go beside it, ``labels.train.txt`` and so on.
            VGGFace2's lists name the photos that are on disk.

    Raises:
        InputError: no such form, an output of another ending, or one that is the source itself.
        LabelError: the source cannot be read; the message says what it lacks.
        StorageError: the output cannot be written.
    """
    if form not in FORMS:
        raise InputError(f"expected a form of {', '.join(FORMS)}, found {form!r}")
    source, output = Path(source), Path(output)
    check_ending(output)
    require_output(output, folder=False)
    if output.exists() and source.exists() and output.samefile(source):
        raise InputError(f"{output} is the source itself: choose another output")
    labels, parts, notes = FORMS[form](source)
    write_labels(labels, output)
    lists = {part: output.with_name(f"{output.stem}.{part}.txt") for part, names in parts.items() if names}
    for part, file in lists.items():
        write_list(parts[part], file)
    return Converted(
        labels=output,
        lists=lists,
        photos=len(labels.images),
        persons=len(known_persons(labels.identities)),
        sizes={part: len(parts[part]) for part in lists},
        notes=notes,
    )


_Read = tuple[Labels, dict[str, list[str]], tuple[str, ...]]


def _celeba(source: Path) -> _Read:
    data = read_celeba(source)
    return data.labels, data.lists, data.notes


def _vggface2(source: Path) -> _Read:
    data = read_vggface2(source)
    return vggface2_labels(data), {name: part.present for name, part in data.parts.items()}, data.notes


def _maad(source: Path) -> _Read:
    labels = read_labels(source)
    twice = f"{labels.duplicates} rows repeated another and were left out"
    return labels, {}, (twice,) if labels.duplicates else ()


FORMS: dict[str, Callable[[Path], _Read]] = {"celeba": _celeba, "vggface2": _vggface2, "maad": _maad}
"""Name of a form → its reader."""
