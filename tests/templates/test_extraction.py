"""Extraction: real faces, bad photos as rows, several processes, kill -9 and resume."""

from __future__ import annotations

import hashlib
import os
import shutil
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

import deadly
from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.encoders.encoding import encode_photos
from clip_smu.encoders.load import load_encoder
from clip_smu.errors import EncoderError, InputError
from clip_smu.photos import Photo
from clip_smu.photos.decode import decode
from clip_smu.templates import read_templates
from clip_smu.templates.extraction import extract
from clip_smu.templates.extraction.workers import Workers
from clip_smu.templates.shards import read_rejected
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
    code = f"from clip_smu.templates.extraction import extract; {call}"
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


@pytest.fixture
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One encoder for all extractions of a test."""
    encoder = load_encoder("dlib")
    monkeypatch.setattr("clip_smu.templates.extraction.load_encoder", lambda *_: encoder)


def _redone(folder: Path, photos: Path) -> tuple[int, dict[str, int]]:
    done = extract([photos], folder, processes=1, shard_photos=2)
    return done.resumed, done.rejected


@pytest.mark.usefixtures("loaded_once")
def test_a_photo_whose_bytes_changed_is_read_again_and_leaves_no_stale_row(
    photos: Path, tmp_path: Path
) -> None:
    """The same name, size and time: only the content tells (a photo that was cut off, then copied again)."""
    whole = (photos / "Eileen" / "01.png").read_bytes()
    folder = tmp_path / "photos"
    folder.mkdir()
    for row in range(4):
        (folder / f"{row}.png").write_bytes((photos / "Collins" / f"0{2 * row}.png").read_bytes())
    (folder / "1.png").write_bytes(bytes(len(whole)))
    output = tmp_path / "out"
    assert _redone(output, folder) == (0, {"not-an-image": 1})
    assert _redone(output, folder) == (4, {"not-an-image": 1})
    stamp = (folder / "1.png").stat()
    (folder / "1.png").write_bytes(whole)
    os.utime(folder / "1.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert _redone(output, folder) == (2, {})
    assert read_rejected(output) == []
    table = read_templates(output)
    ((face,),) = load_encoder("dlib").encode([decode(whole)])
    np.testing.assert_array_equal(table.vectors[table.images.index("1.png")], face.template)
    extract([folder], tmp_path / "new", processes=1, shard_photos=2)
    assert digest(output) == digest(tmp_path / "new")
    for damaged in (
        output / "part-00000.parquet",
        output / "part-00001.parquet",
    ):  # the same command heals it
        data = bytearray(damaged.read_bytes())
        data[len(data) // 2] ^= 1
        damaged.write_bytes(data[: -1 if damaged.name.endswith("1.parquet") else None])
        assert _redone(output, folder) == (2, {})
        assert digest(output) == digest(tmp_path / "new")
    (output / "_rejected").mkdir(exist_ok=True)
    (output / "_rejected" / "part-00007.parquet").write_bytes(
        b"of a run that was killed before its last shard"
    )
    assert _redone(output, folder) == (4, {})
    assert read_rejected(output) == []


@pytest.mark.usefixtures("loaded_once")
def test_a_missing_photo_that_came_back_is_read(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("1.png\n2.png\n")
    (tmp_path / "2.png").write_bytes((photos / "Eileen" / "01.png").read_bytes())
    assert _redone(tmp_path / "out", tmp_path / "list.txt") == (0, {"missing": 1})
    (tmp_path / "1.png").write_bytes((photos / "Eileen" / "01.png").read_bytes())
    assert _redone(tmp_path / "out", tmp_path / "list.txt") == (0, {})


@pytest.mark.usefixtures("loaded_once")
def test_compressed_tars_resume_too_however_little_may_be_held(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = shutil.make_archive(str(tmp_path / "photos"), "gztar", photos)
    once = extract([packed], tmp_path / "a", processes=1, shard_photos=5)
    assert once.photos == 26
    again = extract([packed], tmp_path / "a", processes=1, shard_photos=5)
    assert (again.resumed, again.templates, again.rejected) == (26, once.templates, once.rejected)
    before = digest(tmp_path / "a")
    monkeypatch.setattr("clip_smu.templates.extraction.shards._HELD_BYTES", 100_000)
    monkeypatch.setattr("clip_smu.templates.extraction.shards._CHUNK_BYTES", 100_000)
    little = extract([packed], tmp_path / "a", processes=1, shard_photos=5)
    assert (little.photos, little.templates) == (26, once.templates)
    assert 0 < little.resumed < 26  # what does not fit is made anew
    assert digest(tmp_path / "a") == before


@pytest.mark.usefixtures("loaded_once")
def test_what_is_no_photo_is_told(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos / "Eileen", tmp_path / "in")
    (tmp_path / "in" / "film.mp4").write_bytes(b"x")
    done = extract([tmp_path / "in"], tmp_path / "out", processes=1)
    assert done.left_out == {".mp4": 1}
    assert done.photos == 6


SCRIPT = """
import sys
import clip_smu
print("once")
done = clip_smu.extract([sys.argv[1]], sys.argv[2], processes=2, shard_photos=5)
print(done.photos, done.templates)
"""


@pytest.mark.parametrize("way", ["a file", "standard input"])
def test_a_plain_script_without_a_main_guard_may_extract(photos: Path, tmp_path: Path, way: str) -> None:
    """Processes of multiprocessing would run the script again, and die of it."""
    (tmp_path / "script.py").write_text(SCRIPT)
    name = str(tmp_path / "script.py") if way == "a file" else "-"
    ran = subprocess.run(
        [sys.executable, name, str(photos / "Eileen"), str(tmp_path / "out")],
        input=SCRIPT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "once\n6 6\n", "")


def test_a_photo_that_kills_its_worker_is_a_row(tmp_path: Path) -> None:
    photos = [
        Photo(f"{k}.png", "", write_photo(tmp_path / f"{k}.png", (32, 31 if k in (3, 20) else 32)))
        for k in range(24)
    ]
    with Workers(deadly.load, 2) as workers:
        found = list(workers.run((k, photos[4 * k : 4 * k + 4]) for k in range(6)))
    assert [number for number, _ in found] == list(range(6))
    outcomes = [outcome for _, chunk in found for outcome in chunk]
    assert [outcome.photo.name for outcome in outcomes] == [photo.name for photo in photos]
    for k, outcome in enumerate(outcomes):
        assert outcome.content == hashlib.sha256((tmp_path / f"{k}.png").read_bytes()).digest()
        assert outcome.error is not None
        assert outcome.error.reason == ("worker-died" if k in (3, 20) else "no-face")
    assert "was killed by signal 9" in str(outcomes[3].error)


def test_workers_that_die_one_after_another_are_told_in_one_line(tmp_path: Path) -> None:
    photos = [Photo(f"{k}.png", "", write_photo(tmp_path / f"{k}.png", (32, 31))) for k in range(9)]
    with (
        pytest.raises(EncoderError, match="found 5 to die one after another"),
        Workers(deadly.load, 2) as workers,
    ):
        list(workers.run([(0, photos)]))
    with pytest.raises(EncoderError, match="expected a worker process to start, found that it ended with"):
        Workers(deadly.load_nothing, 2)


def test_an_encoder_that_raises_anything_gives_rows(tmp_path: Path) -> None:
    photos = [Photo(f"{k}.png", "", write_photo(tmp_path / f"{k}.png", (32, 32 + k % 3))) for k in range(7)]
    outcomes = encode_photos(deadly.Picky(), photos)
    assert [outcome.error.reason if outcome.error else "" for outcome in outcomes] == [
        "no-face", "encoder-failed", "no-face", "no-face", "encoder-failed", "no-face", "no-face",
    ]  # fmt: skip
    assert "33 rows are too many" in str(outcomes[1].error)


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
