"""Labels in the MAAD form: a csv of photos with 47 attributes, and lists of photos; joined with templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_smu.attributes import NAMES
from clip_smu.errors import LabelError
from clip_smu.templates import Templates


@dataclass(frozen=True, eq=False)
class Labels:
    """Attribute labels of photos.

    Attributes:
        images: N photo names, unique.
        identities: N persons.
        values: (N, 47) int8 in the order of :data:`clip_smu.attributes.NAMES`; 1 yes, -1 no,
            0 unknown (never no).
    """

    images: list[str]
    identities: list[str]
    values: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Labelled:
    """Templates that have labels, row by row, and what was left out.

    Attributes:
        templates: the main face of each photo that both sides know.
        labels: (N, 47) int8, of the same rows.
        unlabelled: photos with a template and no label (or not on the list).
        without_template: photos with a label (and on the list) but no template.
    """

    templates: Templates
    labels: NDArray[np.int8]
    unlabelled: int
    without_template: int


def read_labels(path: str | Path) -> Labels:
    """Reads a csv with the columns Filename, Identity and MAAD-Face's 47, in any order; others are ignored.

    Raises:
        LabelError: no such file, a missing column, a value other than 1, 0, -1, or a photo twice.
    """
    import pyarrow as pa
    from pyarrow import compute, csv

    path = Path(path)
    if not path.is_file():
        raise LabelError(f"no such labels file: {path}")
    types = {name: pa.string() for name in ("Filename", "Identity")} | {name: pa.string() for name in NAMES}
    try:
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=types))
    except pa.ArrowInvalid as error:
        raise LabelError(f"{path} is not a csv in the MAAD form ({str(error).splitlines()[0]})") from None
    missing = [name for name in ("Filename", *NAMES) if name not in table.column_names]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise LabelError(
            f"{path} lacks the column {shown}: expected Filename, Identity and MAAD-Face's 47 attributes"
        )
    images: list[str] = table["Filename"].to_pylist()
    values = np.empty((table.num_rows, len(NAMES)), dtype=np.int8)
    allowed = pa.array(["-1", "0", "1"])
    for column, name in enumerate(NAMES):
        index = compute.index_in(table[name], allowed)
        if index.null_count:
            row = np.flatnonzero(index.is_null().to_numpy())[0]
            raise LabelError(
                f"{path}, row {row + 2}, column {name}: expected 1, 0 or -1, found {str(table[name][row])!r}"
            )
        values[:, column] = index.to_numpy().astype(np.int8) - 1
    if len(set(images)) != len(images):
        seen: set[str] = set()
        twice = next(image for image in images if image in seen or seen.add(image))  # type: ignore[func-returns-value]
        raise LabelError(
            f"{path} has {len(images) - len(set(images))} photos twice, the first is {twice}: keep one row each"
        )
    if "Identity" in table.column_names:
        identities = table["Identity"].to_pylist()
    else:
        identities = [image.rpartition("/")[0].rpartition("/")[2] for image in images]
    return Labels(images, identities, values)


def read_list(path: str | Path) -> list[str]:
    """Photo names, one a line, as VGGFace2's train_list.txt.

    Raises:
        LabelError: no such file, or nothing in it.
    """
    path = Path(path)
    if not path.is_file():
        raise LabelError(f"no such list: {path}")
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not names:
        raise LabelError(f"the list {path} is empty: expected one photo name a line")
    return names


def join(templates: Templates, labels: Labels, only: Sequence[str] | None = None) -> Labelled:
    """Joins templates with labels by photo name; labels speak of a photo's main face.

    Names match whole, or, where none does, by their last two parts (``train/n000002/0001_01.jpg`` and
    ``n000002/0001_01.jpg``).

    Args:
        only: names of the photos to keep; all where ``None``.

    Raises:
        LabelError: no photo is on both sides, or on the list.
    """
    wanted = None if only is None else set(only)
    index = {image: row for row, image in enumerate(labels.images) if wanted is None or image in wanted}
    if not index:
        example = next(iter(only or ["?"]))
        raise LabelError(
            f"no photo of the list has a label: the list says {example}, the labels {labels.images[0]}"
        )
    main = np.flatnonzero(templates.faces == 0)
    keys = [templates.images[row] for row in main]
    if not any(key in index for key in keys):
        index = {_tail(image): row for image, row in index.items()}
        keys = [_tail(key) for key in keys]
    pairs = [(row, index[key]) for row, key in zip(main, keys, strict=True) if key in index]
    if not pairs:
        raise LabelError(
            f"no photo has both a template and a label: the templates say {templates.images[0]}, "
            f"the labels {labels.images[0]}; extract from the folder that those names start in"
        )
    rows, label_rows = np.array(pairs).T
    chosen = templates.take(rows)
    identities = [labels.identities[row] for row in label_rows]
    chosen = Templates(chosen.vectors, chosen.images, chosen.faces, identities, chosen.norms, chosen.card)
    return Labelled(chosen, labels.values[label_rows], len(main) - len(rows), len(index) - len(rows))


def _tail(image: str) -> str:
    return "/".join(image.split("/")[-2:])
