"""The front doors: bytes → what a user's command does with a file of these bytes.

The first byte says what kind of file the rest is (``KINDS``), so that one corpus serves every form of a door. What a
door lets out is an error of ours; anything else is a finding.
"""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from clip_smu.errors import ClipSmuError

Door = Callable[[bytes, Path], None]

KINDS: dict[str, dict[bytes, str]] = {
    "labels": {b"l": "labels", b"t": "list.txt", b"p": "pairs.txt", b"c": "pairs.csv", b"m": "landmarks.txt"},
    "templates": {
        b"P": "t.parquet",
        b"N": "t.npy",
        b"Z": "t.npz",
        b"C": "t.csv",
        b"J": "t.jsonl",
        b"H": "t.h5",
    },
    "cards": {b"T": "card.toml", b"F": "check.json", b"L": "plan.toml", b"j": "_job.json"},
    "interpreter": {b"I": "interpreter.json", b"P": "probe.json", b"K": "tokenizer.json"},
    "images": {b"i": "photo", b"t": "photos.tar"},
}
"""Door → first byte → the file that it stands for."""
JOB = {"command": "fuzz", "data": ["a", 1]}
PLANNED = ("images.tar", "lfw_maad47.csv", "train_list.txt", "test_list.txt", "pairs.txt", "esp_mbf_512d_float.onnx",
           "esp_mfn_512d_float.onnx")  # fmt: skip


def kind_of(door: str, data: bytes) -> tuple[str, bytes]:
    """The name of the file, and its bytes; an unknown first byte stands for one of the kinds too."""
    kinds = KINDS[door]
    first = data[:1]
    if first not in kinds:
        first = sorted(kinds)[(data[0] if data else 0) % len(kinds)]
    return kinds[first], data[1:]


def labels(data: bytes, folder: Path) -> None:
    from clip_smu.faces.landmarks import read_landmarks
    from clip_smu.labels.lists import read_list
    from clip_smu.labels.reading import read_labels
    from clip_smu.metrics.pairs import read_pairs

    name, rest = kind_of("labels", data)
    file = _written(folder / name, rest)
    if name == "labels":
        read_labels(file)
    elif name == "list.txt":
        read_list(file)
    elif name == "landmarks.txt":
        read_landmarks(file)
    else:
        read_pairs(file)


def templates(data: bytes, folder: Path) -> None:
    from clip_smu.templates import is_templates, read_templates

    name, rest = kind_of("templates", data)
    file = _written(folder / name, rest)
    is_templates(file)
    read_templates(file)


def cards(data: bytes, folder: Path) -> None:
    from clip_smu.encoders.card_files import card_toml, read_card
    from clip_smu.encoders.kept_check import in_words, read_check
    from clip_smu.reproduction.plan import read_plan
    from clip_smu.storage.job_folders import claim_folder

    name, rest = kind_of("cards", data)
    file = _written(folder / name, rest)
    if name == "card.toml":
        card_toml(read_card(file))
    elif name == "check.json":
        in_words(read_check(file))
    elif name == "plan.toml":
        for needed in PLANNED:
            _written(folder / needed, b"")
        read_plan(file, data=folder)
    else:
        claim_folder(folder, JOB)


def interpreter(data: bytes, folder: Path) -> None:
    """``interpreter.json`` or ``probe.json``: its length (4 bytes, little-endian), it, and the tensors beside it."""
    from clip_smu.interpreter.interpreter import Interpreter
    from clip_smu.interpreter.load import load_reader

    name, rest = kind_of("interpreter", data)
    if name == "tokenizer.json":
        _ask(rest, folder)
        return
    size = struct.unpack("<I", rest[:4].ljust(4, b"\0"))[0] % (1 << 20)
    _written(folder / name, rest[4 : 4 + size])
    tensors = "prompts.safetensors" if name == "interpreter.json" else "weights.safetensors"
    _written(folder / tensors, rest[4 + size :])
    made = load_reader(folder)
    made.check_templates(None, made.dim)
    made.read(np.ones((2, made.dim), dtype=np.float32))
    faces = np.random.default_rng(0).normal(
        2, 1, (60, min(made.dim, 512))
    )  # enough to ask where they are from
    if faces.shape[1] == made.dim:
        made.for_batch(faces.astype(np.float32))[0].read(faces.astype(np.float32))
    if isinstance(made, Interpreter):
        read = made.interpret(np.ones((1, made.dim)))[0]
        assert isinstance(read.sentence, str)
        for reading in read.readings:
            reading.to_dict(evidence=True)
    made.save(folder)


def _ask(tokenizer: bytes, folder: Path) -> None:
    """The shipped interpreter with another tokenizer."""
    from clip_smu.interpreter.interpreter import load_interpreter

    shipped = load_interpreter().folder
    assert shipped is not None
    for file in shipped.iterdir():
        if file.name != "tokenizer.json" and not (folder / file.name).exists():
            (folder / file.name).symlink_to(file)
    _written(folder / "tokenizer.json", tokenizer)
    made = load_interpreter(folder)
    made.ask("wears a gizmo", np.ones((1, made.dim)))


def images(data: bytes, folder: Path) -> None:
    from clip_smu.photos import iter_photos
    from clip_smu.photos.decode import decode

    name, rest = kind_of("images", data)
    if name == "photo":
        decode(rest, max_pixels=1_000_000)
        return
    for photo in iter_photos(
        ["-"] if rest[:1] == b"-" else [_written(folder / name, rest)], stdin=io.BytesIO(rest)
    ):
        try:
            photo.read()
        except ClipSmuError:
            continue


DOORS: dict[str, Door] = {
    "labels": labels,
    "templates": templates,
    "cards": cards,
    "interpreter": interpreter,
    "images": images,
}


def knock(door: str, data: bytes, folder: Path) -> None:
    """One execution in an empty ``folder``; lets out what is no error of ours."""
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
    try:
        DOORS[door](data, folder)
    except ClipSmuError as error:
        line = str(error)
        if not line.strip() or "\n" in line:
            raise AssertionError(f"expected an error of one line, found {line!r}") from error


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file
