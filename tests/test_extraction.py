"""Extraction: real faces, bad photos as rows, several processes, kill -9 and resume."""

from __future__ import annotations

import hashlib
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from clip_smu.encoders import EncoderOptions, load_encoder
from clip_smu.errors import EncoderError, InputError
from clip_smu.extraction import extract
from clip_smu.images import decode
from clip_smu.templates import read_rejected, read_templates
from faces import write_photo

pytest.importorskip("dlib")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """26 photos: twelve moved faces of two persons, two faces in one photo, and every kind of bad one."""
    folder = tmp_path_factory.mktemp("photos")
    face = Image.open(astronaut).convert("RGB").crop((130, 20, 330, 220))
    for row in range(12):
        person = folder / ("Eileen" if row % 2 else "Collins")
        person.mkdir(exist_ok=True)
        face.rotate(row - 6, Image.Resampling.BILINEAR).save(person / f"{row:02d}.png")
    pair = Image.new("RGB", (440, 300), "gray")
    pair.paste(face.resize((120, 120)), (0, 30))
    pair.paste(face, (220, 50))
    pair.save(folder / "pair.png")
    for row in range(9):
        write_photo(folder / "empty" / f"{row}.png")
    (folder / "zero.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    whole = (folder / "Eileen" / "01.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    chunk = b"IHDR" + struct.pack(">2I5B", 100_000, 100_000, 8, 2, 0, 0, 0)
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (folder / "huge.png").write_bytes(header)
    return folder


def digest(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def once(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "once"
    done = extract([photos], folder, processes=1, shard_photos=5)
    assert done.photos == 26
    assert done.templates == 14
    assert done.rejected == {"empty": 1, "no-face": 9, "not-an-image": 1, "too-large": 1, "truncated": 1}
    return folder


def test_rows(once: Path, photos: Path) -> None:
    table = read_templates(once)
    assert table.card is not None
    assert table.card.name == "dlib"
    assert set(table.identities) == {"Eileen", "Collins", ""}
    assert [face for image, face in zip(table.images, table.faces, strict=True) if image == "pair.png"] == [
        0,
        1,
    ]
    encoder = load_encoder("dlib")
    (faces,) = encoder.encode([decode((photos / "Eileen/03.png").read_bytes())])
    row = table.images.index("Eileen/03.png")
    np.testing.assert_array_equal(table.vectors[row], faces[0].template)
    rejected = read_rejected(once)
    assert len(rejected) == 13
    assert all(len(row["message"]) > 10 and "\n" not in row["message"] for row in rejected)
    columns = pq.read_table(once / "part-00000.parquet").to_pylist()[0]
    x1, y1, x2, y2 = columns["box"]
    assert 0 < x1 < x2 < 200
    assert 0 < y1 < y2 < 200
    assert x1 < columns["landmarks"][0] < columns["landmarks"][2] < x2  # left eye, then right eye
    assert columns["norm"] == pytest.approx(np.linalg.norm(columns["template"]), rel=1e-5)


def test_same_as_the_face_recognition_library(astronaut: Path) -> None:
    """Its calls, spelled out: HOG, five points, descriptor of the photo and the shape."""
    import importlib.metadata

    import dlib

    models = {
        file.name: str(file.locate()) for file in importlib.metadata.files("face_recognition_models") or []
    }
    image = decode(astronaut.read_bytes())
    rectangle = dlib.get_frontal_face_detector()(image, 0)[0]
    shape = dlib.shape_predictor(models["shape_predictor_5_face_landmarks.dat"])(image, rectangle)
    network = dlib.face_recognition_model_v1(models["dlib_face_recognition_resnet_model_v1.dat"])
    expected = np.array(network.compute_face_descriptor(image, shape))
    ((face,),) = load_encoder("dlib").encode([image])
    np.testing.assert_allclose(face.template, expected, atol=1e-6)
    assert face.box == (rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1)


def test_several_processes_give_the_same_bytes(once: Path, photos: Path, tmp_path: Path) -> None:
    extract([photos], tmp_path / "two", processes=2, shard_photos=5)
    assert digest(tmp_path / "two") == digest(once)


def test_kill_9_and_resume_give_the_same_bytes(once: Path, photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    call = f"extract([{str(photos)!r}], {str(output)!r}, processes=1, shard_photos=5)"
    code = f"from clip_smu.extraction import extract; {call}"
    for shard in (0, 2):  # killed early, and again in the middle
        job = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        deadline = time.monotonic() + 60
        while not (output / f"part-{shard:05d}.parquet").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        os.killpg(job.pid, signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL, "it was over before it could be killed"
    done = extract([photos], output, processes=1, shard_photos=5)
    assert done.resumed >= 15
    assert (done.photos, done.templates, sum(done.rejected.values())) == (26, 14, 13)
    assert digest(output) == digest(once)


def test_another_job_is_refused(once: Path, photos: Path) -> None:
    with pytest.raises(InputError, match=r"another job \(it differs in: options\)"):
        extract([photos], once, options=EncoderOptions(main_face=True), processes=1, shard_photos=5)
    with pytest.raises(InputError, match="other photos"):
        extract([photos / "empty"], once, processes=1, shard_photos=5)
    with pytest.raises(EncoderError, match="takes the detectors"):
        extract([photos], once.parent / "wrong", options=EncoderOptions(detector="yolo"), processes=2)
    assert not (once.parent / "wrong").exists()
    with pytest.raises(InputError, match="at least 1"):
        extract([photos], once, processes=0)


def test_options(astronaut: Path, photos: Path) -> None:
    image = decode(astronaut.read_bytes())
    pair = decode((photos / "pair.png").read_bytes())
    plain, jittered = (load_encoder("dlib", EncoderOptions(jitter=count)) for count in (0, 5))
    template, moved = plain.encode([image])[0][0].template, jittered.encode([image])[0][0].template
    np.testing.assert_array_equal(moved, jittered.encode([image])[0][0].template)  # repeats itself
    assert 0.01 < np.linalg.norm(moved - template) < 0.3  # the same person to dlib, whose threshold is 0.6
    assert len(load_encoder("dlib", EncoderOptions(main_face=True)).encode([pair])[0]) == 1
    for wrong in (EncoderOptions(detector="yolo"), EncoderOptions(upsample=9), EncoderOptions(jitter=-1)):
        with pytest.raises(EncoderError):
            load_encoder("dlib", wrong)


@pytest.mark.slow
def test_cnn_detector(astronaut: Path) -> None:
    (faces,) = load_encoder("dlib", EncoderOptions(detector="cnn", upsample=0)).encode(
        [decode(astronaut.read_bytes())]
    )
    assert len(faces) == 1
