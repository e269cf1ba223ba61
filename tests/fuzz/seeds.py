"""Small valid inputs of each door, made here: what the fuzzer starts from, beside the kept corpus."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import tempfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from clip_smu.encoders.card_files import card_toml
from clip_smu.encoders.locate import card
from clip_smu.interpreter.adapter import Adapter
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.home import measure_home
from clip_smu.interpreter.interpreter import Interpreter
from clip_smu.interpreter.places import Places, marks
from clip_smu.interpreter.probe import Probe
from clip_smu.labels.labels import Labels
from clip_smu.labels.writing import write_labels
from clip_smu.templates.shards import save_templates
from clip_smu.words.attributes import NAMES
from fuzz.doors import JOB

_FEW = 4  # rows, and numbers of a template


def seeds(door: str) -> list[bytes]:
    """At least one input of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        return _OF[door](Path(folder))


def _labels(folder: Path) -> list[bytes]:
    images = [f"p{row}/{row}.jpg" for row in range(_FEW)]
    values = np.resize(np.array([1, -1, 0], np.int8), (_FEW, 47))
    made = []
    for name in ("l.csv", "l.parquet"):
        write_labels(Labels(images, [f"p{row}" for row in range(_FEW)], values), folder / name)
        made.append(b"l" + (folder / name).read_bytes())
    texts = {
        b"t": "\n".join(images) + "\n",
        b"p": "2\t1\nann\t1\t2\nann\t1\tbob\t1\nbob\t1\t2\neve\t1\tbob\t2\n",
        b"c": "a,b,same\na/1.jpg,a/2.jpg,1\na/1.jpg,b/1.jpg,0\n",
        b"m": "NAME_ID,P1X,P1Y,P2X,P2Y,P3X,P3Y,P4X,P4Y,P5X,P5Y\nn1/1_01,1,2,3,4,5,6,7,8,9,10\n",
    }
    return [*made, *(first + text.encode() for first, text in texts.items())]


def _templates(folder: Path) -> list[bytes]:
    vectors = np.arange(_FEW * _FEW, dtype=np.float32).reshape(_FEW, _FEW) + 1
    images = [f"p{row}/{row}.jpg" for row in range(_FEW)]
    npy, npz, bare = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, vectors)
    np.savez(npz, template=vectors, image=np.array(images))
    save_templates(folder / "t.parquet", vectors, images, replace(card("dlib"), name="toy", dim=_FEW))
    columns = {"image": images, "embedding": pa.array(vectors.tolist(), pa.list_(pa.float32()))}
    pq.write_table(pa.table(columns), bare)
    lines = [
        json.dumps({"image": image, "template": row.tolist()})
        for image, row in zip(images, vectors, strict=True)
    ]
    csv = "image,e0,e1,e2,e3\n" + "\n".join(
        f"{image},{','.join(map(str, row))}" for image, row in zip(images, vectors.tolist(), strict=True)
    )
    return [
        b"P" + (folder / "t.parquet").read_bytes(), b"P" + bare.getvalue(), b"N" + npy.getvalue(),
        b"Z" + npz.getvalue(), b"C" + csv.encode(), b"J" + "\n".join(lines).encode(),
    ]  # fmt: skip


def _cards(_: Path) -> list[bytes]:
    check = {
        "encoder": "toy", "figures": {"accuracy": 0.9}, "photos": 9, "rejected": {"no-face": 1}, "misfed": [],
        "variants": [{"name": "BGR", "accuracy": 0.5}],
    }  # fmt: skip
    plan = (files("clip_smu") / "data/configs/lfw.toml").read_text(encoding="utf-8")
    return [
        b"T" + card_toml(card("dlib")).encode(), b"F" + json.dumps(check).encode(), b"L" + plan.encode(),
        b"j" + json.dumps(JOB).encode(),
    ]  # fmt: skip


def _interpreter(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(size=(2, 47, _FEW)).astype(np.float32)
    positive /= np.linalg.norm(positive, axis=1, keepdims=True)
    negative /= np.linalg.norm(negative, axis=1, keepdims=True)
    flat = np.ones(47)
    evidence = (Evidence(0.9, 0.8, 0.95, 50, 60, 0.1, float("nan"), 0.7, 0.9, ""),) * 47
    calibration = Calibration(4 * flat, 0 * flat, 0.8 * flat, 0.3 * flat)
    origin = {"objective": "attribute", "trained_on": {"faces": 4, "persons": 4}, "verdicts": {"error": 0.1}}
    nothing, one = np.zeros(_FEW, np.float32), np.ones(_FEW, np.float32)
    plain = Interpreter(
        name="toy",
        encoder="toy",
        attributes=NAMES,
        positive=positive,
        negative=negative,
        centre=nothing,
        calibration=calibration,
        evidence=evidence,
        error_rate=0.1,
        known_words=frozenset({"hat"}),
        provenance=origin,
    )
    plain.save(folder)
    faces = rng.normal(size=(80, _FEW)).astype(np.float32) + 2
    axes = rng.normal(size=(_FEW, 47)).astype(np.float32)
    home = measure_home("a", faces, marks(faces, axes), [f"p{row}" for row in range(80)])
    at_home = folder / "homes"
    at_home.mkdir()
    adapter = Adapter(rng.normal(size=(_FEW, _FEW)).astype(np.float32), nothing)
    replace(plain, adapter=adapter, places=Places((home,), (calibration,), axes)).save(at_home)
    layers = ((positive.T.copy(), np.zeros(47, np.float32)),)
    Probe(
        name="toy",
        encoder="toy",
        kind="binary",
        attributes=NAMES,
        centre=nothing,
        scale=one,
        layers=layers,
        calibration=calibration,
        evidence=evidence,
        error_rate=0.1,
        provenance=origin,
    ).save(folder)
    made = []
    for first, manifest, tensors in (
        (b"I", "interpreter.json", "prompts.safetensors"),
        (b"I", "homes/interpreter.json", "homes/prompts.safetensors"),
        (b"P", "probe.json", "weights.safetensors"),
    ):
        values = json.loads((folder / manifest).read_text())
        del values["checksum"]  # or every change would end at it
        text = json.dumps(values).encode()
        made.append(first + struct.pack("<I", len(text)) + text + (folder / tensors).read_bytes())
    return made


def _images(_: Path) -> list[bytes]:
    photo = Image.fromarray(np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3))
    made = []
    for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"):
        kept = io.BytesIO()
        photo.save(kept, form)
        made.append(b"i" + kept.getvalue())
    for mode in ("L", "LA", "P", "I;16", "CMYK", "1"):
        kept = io.BytesIO()
        photo.convert("L" if mode == "I;16" else mode).save(kept, "TIFF" if mode == "CMYK" else "PNG")
        made.append(b"i" + kept.getvalue())
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as out:
        for number, data in enumerate(made[:2]):
            member = tarfile.TarInfo(f"p/{number}.jpg")
            member.size = len(data) - 1
            out.addfile(member, io.BytesIO(data[1:]))
    return [*made, b"t" + tar.getvalue()]


_OF = {
    "labels": _labels,
    "templates": _templates,
    "cards": _cards,
    "interpreter": _interpreter,
    "images": _images,
}
