"""A store in, the same store erased out: part by part, each kept as soon as it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import InputError, LabelError, TemplateError
from clip_smu.evaluation.erasure.eraser import Eraser
from clip_smu.photos.names import match
from clip_smu.photos.spelling import clean
from clip_smu.storage.digests import bytes_digest
from clip_smu.storage.job_folders import claim_folder
from clip_smu.templates import Store, Templates, iter_templates, usable
from clip_smu.templates.shards import FORMAT, read_note, shard, shard_note, template_schema
from clip_smu.templates.table import joined

Progress = Callable[[str, int, int], None]


def gather(store: Store, wanted: Sequence[str], tell: Progress) -> Templates:
    """The main faces of the wanted photos; the store passes by once for names, once for templates."""
    mains = [
        image
        for part in iter_templates(store)
        for image, face in zip(part.images, part.faces.tolist(), strict=True)
        if face == 0
    ]
    found = match(wanted, mains)
    images = {clean(mains[row]) for row in found.at[found.at >= 0]}
    parts: list[Templates] = []
    done, total = 0, store.count() or 0
    for part in iter_templates(store):
        rows = [
            row
            for row, (image, face) in enumerate(zip(part.images, part.faces.tolist(), strict=True))
            if face == 0 and clean(image) in images
        ]
        parts.append(part.take(np.array(rows, dtype=np.intp)))
        done += len(part)
        tell("templates read", done, max(total, done))
    if not any(len(part) for part in parts):
        raise LabelError(
            f"no photo of {store} is on the training or test list: the lists say {min(wanted)}; "
            "extract from the folder that those names start in"
            f"{f' (ambiguous: {found.first})' if found.first else ''}"
        )
    return joined(parts)


def write_erased(
    eraser: Eraser, store: Store, output: Path, overwrite: bool, tell: Progress
) -> tuple[int, int]:
    """Writes the parts that are not there yet, or were made of other templates; gives rows, and those unusable."""
    path, files, keys = store.path, store.files, store.contents()
    if output.resolve() == (path if path.is_dir() else path.parent).resolve():
        raise InputError(f"{output} holds the templates themselves: choose another output folder")
    factors = bytes_digest(eraser.left.tobytes(), eraser.right.tobytes())
    job = {
        "command": "erase",
        "attributes": list(eraser.attributes),
        "eraser": factors,
        "templates": [file.name for file in files],
        "column": store.column,
    }
    claim_folder(output, job, overwrite=overwrite, private=True)
    rows = bad = 0
    for number, (file, key) in enumerate(zip(files, keys, strict=True)):
        part = output / f"{file.stem}.parquet"
        done = _finished(part, key)
        if done is None:
            with shard(part) as temporary:
                _write_part(eraser, store, file, temporary, key)
            done = read_note(part)
        note, count = done
        rows, bad = rows + count, bad + note["unusable"]
        tell("parts written", number + 1, len(files))
    return rows, bad


def _finished(part: Path, key: list[str]) -> tuple[dict[str, Any], int] | None:
    """Note and rows of a part that is whole and was made of templates of this content, else ``None``."""
    if not part.exists():
        return None
    try:
        note, rows = read_note(part)
    except TemplateError:  # damaged: made anew
        return None
    return (note, rows) if note.get("source") == key else None


def _write_part(eraser: Eraser, store: Store, source: Path, target: Path, key: list[str]) -> None:
    writer, bad = None, 0
    try:
        for part in store.part(source):
            schema = _schema(part.card, eraser)
            writer = writer or pq.ParquetWriter(target, schema, compression="none", write_page_checksum=True)
            bad += int((~usable(part.vectors)).sum())
            erased = eraser.apply(part.vectors)
            columns = [
                pa.array(part.images, pa.string()),
                pa.array(part.faces),
                pa.array(part.identities, pa.string()),
                pa.nulls(len(part), pa.float32()),
                pa.FixedSizeListArray.from_arrays(pa.array(erased.reshape(-1)), eraser.dim),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        if writer is None:
            writer = pq.ParquetWriter(target, _schema(None, eraser))
        writer.add_key_value_metadata(shard_note({"unusable": bad, "source": key}))
    finally:
        if writer is not None:
            writer.close()


def _schema(card: EncoderCard | None, eraser: Eraser) -> pa.Schema:
    """A shard's columns without box, landmarks and detection score; the norm is null, and what was erased is said."""
    fields = [
        ("image", pa.string()),
        ("face", pa.int16()),
        ("identity", pa.string()),
        ("norm", pa.float32()),
        ("template", pa.list_(pa.float32(), eraser.dim)),
    ]
    metadata = {b"clip_smu.format": FORMAT.encode()} if card is None else dict(template_schema(card).metadata)
    metadata[b"clip_smu.erased"] = json.dumps(list(eraser.attributes)).encode()
    return pa.schema(fields, metadata=metadata)
