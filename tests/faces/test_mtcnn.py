"""MTCNN against the official networks' numbers, facenet-pytorch's algorithm, and slow loops."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from clip_smu.errors import EncoderError, InputError, MissingExtraError
from clip_smu.faces import mtcnn, mtcnn_boxes, mtcnn_nets, mtcnn_pyramid, mtcnn_resampling
from clip_smu.faces.detection import Detection, order
from clip_smu.faces.mtcnn import MTCNN
from places import ROOT


@pytest.fixture(scope="module")
def detector() -> MTCNN:
    try:
        return MTCNN()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def photo(astronaut: Path) -> np.ndarray:
    return np.asarray(Image.open(astronaut).convert("RGB"))


@pytest.fixture(scope="module")
def plain_loop() -> Iterator[ModuleType]:
    """The benchmark's facenet-pytorch algorithm in PyTorch."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    path = ROOT / "benchmarks" / "mtcnn.py"
    spec = importlib.util.spec_from_file_location("mtcnn_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    torch.set_num_threads(before)


def table(faces: list[Detection]) -> np.ndarray:
    return np.array([[*f.box, f.score, *f.landmarks.ravel()] for f in faces]).reshape(-1, 15)


# --- networks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_networks_give_the_official_numbers(
    golden: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    pytest.importorskip("torch")  # the rule that fills them is written with it
    pytest.importorskip("onnx")
    from fill_rule import filled, numbers

    shapes = json.loads((golden / "mtcnn_golden.json").read_text())["state_dict_shapes"]
    mine = {k.removeprefix(f"{name}."): tuple(v) for k, v in shapes.items() if k.startswith(f"{name}.")}
    state = {k: v.numpy() for k, v in filled(mine, 1.0).items()}
    arrays = []
    # the package `mtcnn` keeps the state dict's layers, its classes' head last: convolutions as
    # (row, column, in, out), dense layers as (in, out)
    heads = {
        "pnet": ["conv4_2", "conv4_1"],
        "rnet": ["dense5_2", "dense5_1"],
        "onet": ["dense6_2", "dense6_3", "dense6_1"],
    }
    bodies = list(dict.fromkeys(k.rsplit(".", 1)[0] for k in state))
    for layer in [b for b in bodies if b not in heads[name]] + heads[name]:
        weight = state[f"{layer}.weight"]
        arrays.append(weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T)
        if f"{layer}.bias" in state:
            arrays.append(state[f"{layer}.bias"])
    official = np.load(golden / "mtcnn_nets_golden.npz")
    key = {"pnet": "PNet", "rnet": "RNet", "onet": "ONet"}[name]
    size = {"pnet": (23, 31), "rnet": (24, 24), "onet": (48, 48)}[name]
    x = numbers(f"mtcnn/{key}", 6 * size[0] * size[1]).reshape(2, 3, *size).astype(np.float32)

    session = onnxruntime.InferenceSession(mtcnn_nets.graph(name, arrays), providers=["CPUExecutionProvider"])
    out = session.run(None, {"pixels": x * 128 + np.float32(127.5)})[0]
    face = 1 / (1 + np.exp(-out[:, -1:].astype(np.float64)))
    points = [out[:, 4:14]] if name == "onet" else []
    ours = [out[:, :4], *points, np.concatenate([1 - face, face], axis=1)]
    for bits in ("f32", "f64"):
        for i, part in enumerate(ours):
            expected = official[f"{key}_{bits}_out{i}"]
            assert part.shape == expected.shape
            difference = float(np.abs(part - expected).max() / np.abs(expected).max())
            record_property(f"mtcnn-{name} {bits} output {i}", difference)
            assert difference <= 1e-5


def test_weights_are_checked_before_they_are_unpickled(
    detector: MTCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpickle(*_: Any) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(joblib, "load", unpickle)
    monkeypatch.setitem(mtcnn_nets.SHA256, "pnet", "0" * 64)
    with pytest.raises(EncoderError, match=r"expected sha256 0{64} .* found ea6b0c3e.* mtcnn==1\.0\.0"):
        MTCNN()


def test_package_without_its_weights(
    detector: MTCNN, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Elsewhere:
        def locate_file(self, path: str) -> Path:
            return tmp_path / path

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Elsewhere())
    with pytest.raises(
        EncoderError, match=r"expected MTCNN's weights at .*pnet\.lz4, found none .*reinstall"
    ):
        MTCNN()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'clip-smu\[mtcnn\]'"):
        MTCNN()


@pytest.mark.parametrize("package", ["onnx", "joblib"])
def test_without_a_package_of_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"\[mtcnn\]"):
        MTCNN()


def test_neither_torch_nor_tensorflow_is_imported(detector: MTCNN) -> None:
    code = (
        "import sys, numpy; from clip_smu.faces.mtcnn import MTCNN; "
        "MTCNN().detect([numpy.zeros((40, 40, 3), 'uint8')]); "
        "print(*{'torch', 'tensorflow', 'mtcnn'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        == "\n"
    )


# --- detection ------------------------------------------------------------------------------------------


def test_face_of_the_astronaut_is_the_official_one(detector: MTCNN, photo: np.ndarray, golden: Path) -> None:
    official = json.loads((golden / "mtcnn_golden.json").read_text())["images"]["skimage:data.astronaut()"]
    (faces,) = detector.detect([photo])
    assert len(faces) == official["n"] == 1
    np.testing.assert_allclose(faces[0].box, official["boxes_xyxy"][0], rtol=0, atol=0.01)
    np.testing.assert_allclose(faces[0].landmarks, official["landmarks"][0], rtol=0, atol=0.01)
    np.testing.assert_allclose(faces[0].score, official["probs"][0], rtol=0, atol=1e-4)
    assert faces[0].landmarks is not None
    assert faces[0].landmarks.dtype == np.float32


def close(ours: list[Detection], theirs: tuple[np.ndarray, np.ndarray, np.ndarray], pixels: float) -> bool:
    boxes, scores, landmarks = theirs
    if len(ours) != len(boxes):
        return False
    mine, official = table(ours), np.concatenate([boxes, scores[:, None], landmarks.reshape(-1, 10)], axis=1)
    difference = np.abs(mine - official)
    return bool((difference <= np.where(np.arange(15) == 4, 1e-3, pixels)).all())


def test_many_faces_as_the_plain_loop_finds_them(
    detector: MTCNN, plain_loop: ModuleType, photo: np.ndarray
) -> None:
    face = Image.fromarray(photo[20:220, 130:320])
    crowd = Image.new("RGB", (900, 560), (90, 120, 150))
    for i in range(12):
        side = 60 + 17 * i
        tile = face.resize((side, side + 4 * i)).rotate(4 * i - 20, fillcolor=(90, 120, 150))
        crowd.paste(tile, (230 * (i % 4) - 20, 190 * (i // 4) - 30))  # some reach over the photo's edge
    pixels = np.asarray(crowd)
    (faces,) = detector.detect([pixels])
    assert len(faces) >= 8
    assert close(faces, plain_loop.Loop().detect(pixels), 0.05)
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (f.box for f in faces)]
    assert areas == sorted(areas, reverse=True)


def test_lfw_photos_as_the_plain_loop_reads_them(
    detector: MTCNN, plain_loop: ModuleType, shared: Path
) -> None:
    agreement(detector, plain_loop, plain_loop.lfw_photos(shared, 16))


@pytest.mark.slow
def test_more_lfw_photos(detector: MTCNN, plain_loop: ModuleType, shared: Path) -> None:
    agreement(detector, plain_loop, plain_loop.lfw_photos(shared, 400))


def main_faces_agree(detector: MTCNN, photos: list[np.ndarray]) -> float:
    """Checks that the main face is the same without a search for small ones; gives the share of P-net's pixels."""
    pixels = {"all": 0, "main": 0}

    def counting(net: Callable[[np.ndarray], np.ndarray], key: str) -> Callable[[np.ndarray], np.ndarray]:
        def run(x: np.ndarray) -> np.ndarray:
            pixels[key] += x[:, 0].size
            return net(x)

        return run

    main, whole = MTCNN(main_face=True), MTCNN()
    main._pnet, whole._pnet = counting(main._pnet, "main"), counting(whole._pnet, "all")
    for faces, alone, photo in zip(whole.detect(photos), main.detect(photos), photos, strict=True):
        expected = order(faces, *photo.shape[:2])[:1]
        np.testing.assert_allclose(table(alone), table(expected), rtol=0, atol=1e-3)
    return pixels["main"] / pixels["all"]


def test_the_main_face_alone_is_the_first_of_all_faces(detector: MTCNN, photo: np.ndarray) -> None:
    face = photo[20:220, 130:320]
    large, middling, small = (
        np.asarray(Image.fromarray(face).resize((side, side))) for side in (220, 130, 60)
    )
    crowd = np.full((400, 700, 3), 100, np.uint8)
    crowd[:220, :220], crowd[250:380, 400:530], crowd[170:230, 320:380] = large, middling, small
    photos = [photo, photo[::2, ::2], face, crowd, crowd[:, ::-1], crowd[150:], crowd[:240, 300:]]
    photos += [np.full((90, 90, 3), 100, np.uint8), crowd[:9, :9]]
    main_faces_agree(detector, photos)


def test_a_large_central_face_ends_the_search(detector: MTCNN, photo: np.ndarray) -> None:
    portrait = np.asarray(Image.fromarray(photo[20:220, 130:320]).resize((760, 800)))
    assert main_faces_agree(detector, [portrait]) < 0.02


def test_main_faces_of_lfw_photos(detector: MTCNN, plain_loop: ModuleType, shared: Path) -> None:
    photos = plain_loop.lfw_photos(shared, 24)
    resized = [
        np.asarray(Image.fromarray(photo).resize((side, side)))
        for side, photo in zip(range(110, 590, 20), photos, strict=True)
    ]
    assert main_faces_agree(detector, photos) < 0.2
    main_faces_agree(detector, resized)


@pytest.mark.slow
def test_main_faces_of_more_lfw_photos(detector: MTCNN, plain_loop: ModuleType, shared: Path) -> None:
    assert main_faces_agree(detector, plain_loop.lfw_photos(shared, 2000)) < 0.2


def agreement(detector: MTCNN, plain_loop: ModuleType, photos: list[np.ndarray]) -> None:
    """Within 0.05 px of the loop, but for photos where the loop's own rounding decides.

    Where two candidates score alike, their order hangs on the last bit of float32: there the loop in
    float64 finds another box than in float32, and ours may be either.
    """
    import torch

    single, double = plain_loop.Loop(), plain_loop.Loop(torch.float64)
    undecided = 0
    for faces, pixels in zip(detector.detect(photos), photos, strict=True):
        if not close(faces, single.detect(pixels), 0.05):
            undecided += 1
            assert close(faces, double.detect(pixels), 0.05)
    assert undecided <= len(photos) // 25


def test_a_batch_of_all_sizes_equals_one_by_one(detector: MTCNN, photo: np.ndarray) -> None:
    turned = np.rot90(photo)
    photos = [photo, photo[:300], photo[:, ::-1], turned, photo[:300, ::-1], photo[::2, ::2], photo[400:]]
    together = detector.detect(photos)
    assert [len(f) for f in together] == [1, 1, 1, 0, 1, 1, 0]
    for faces, pixels in zip(together, photos, strict=True):
        np.testing.assert_allclose(table(faces), table(detector.detect([pixels])[0]), rtol=0, atol=1e-3)


@pytest.mark.parametrize(("pixels", "rows"), [(10**9, 32), (1000, 3), (8000, 1)])
def test_pieces_of_a_level_change_nothing(
    detector: MTCNN, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch, pixels: int, rows: int
) -> None:
    odd = photo[20:431, 33:340]
    usual = detector.detect([odd, odd[:, ::-1]])
    monkeypatch.setattr(mtcnn, "_P_PIXELS", pixels)
    monkeypatch.setattr(mtcnn, "_P_ROWS", rows)
    for faces, expected in zip(detector.detect([odd, odd[:, ::-1]]), usual, strict=True):
        assert len(faces) == 1
        np.testing.assert_allclose(table(faces), table(expected), rtol=0, atol=1e-3)


def test_a_large_photo_is_searched_for_larger_faces(
    detector: MTCNN, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert max(mtcnn_pyramid.scales_of(3000, 4000, 20, 0.709)) == pytest.approx(
        (4_000_000 / 12_000_000) ** 0.5
    )
    assert max(mtcnn_pyramid.scales_of(2000, 3000, 20, 0.709)) == 12 / 20
    monkeypatch.setattr(mtcnn_pyramid, "_LEVEL_PIXELS", 90 * 90)  # as if 512 were large: faces from 68 pixels
    (face,) = detector.detect([photo])[0]
    assert np.abs(np.array(face.box) - [181.05, 62.16, 267.75, 172.05]).max() < 10


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (1, 1), (11, 11), (12, 12), (19, 500), (20, 20), (900, 20)])
def test_tiny_photos_show_no_face(detector: MTCNN, size: tuple[int, int]) -> None:
    assert detector.detect([np.full((*size, 3), 128, np.uint8)] * 2) == [[], []]


def test_no_photos(detector: MTCNN) -> None:
    assert detector.detect([]) == []


def test_noise_shows_no_face(detector: MTCNN) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 260, 3), dtype=np.uint8)
    assert detector.detect([noise]) == [[]]


def test_options(detector: MTCNN, photo: np.ndarray) -> None:
    assert MTCNN(min_face=300).detect([photo]) == [[]]  # the face is 110 pixels high
    assert MTCNN(thresholds=(0.6, 0.7, 0.9999999)).detect([photo[::3, ::3]]) == [[]]
    for options, message in (
        ({"min_face": 0}, "min_face of at least 1 pixel, found 0"),
        ({"thresholds": (0.6, 0.7)}, "three MTCNN thresholds"),
        ({"thresholds": (0.6, 0.7, 1.0)}, "three MTCNN thresholds"),
        ({"factor": 1.0}, "factor between 0 and 1, found 1.0"),
        ({"threads": 0}, "at least 1 thread, found 0"),
    ):
        with pytest.raises(InputError, match=message):
            MTCNN(**options)


def test_photos_of_another_form(detector: MTCNN, photo: np.ndarray) -> None:
    for wrong in (photo[..., 0], photo.astype(np.float32), np.concatenate([photo, photo[..., :1]], axis=2)):
        with pytest.raises(InputError, match=r"expected RGB photos \(height, width, 3\) of uint8, found"):
            detector.detect([photo, wrong])


# --- its parts against slow loops -----------------------------------------------------------------------


def bin_means(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """torch's adaptive average pooling by its definition: bins of whole pixels that may overlap."""
    out = np.empty((3, height, width))
    for i in range(height):
        rows = slice(i * len(pixels) // height, -(-(i + 1) * len(pixels) // height))
        for j in range(width):
            columns = slice(j * pixels.shape[1] // width, -(-(j + 1) * pixels.shape[1] // width))
            out[:, i, j] = pixels[rows, columns].mean((0, 1))
    return out


def test_resampling_is_the_mean_over_whole_pixels(photo: np.ndarray) -> None:
    photos = [photo[:67, :90], photo[200:267, 200:290]]
    sums = mtcnn_resampling.cumulative(photos)
    for height, width in ((41, 55), (13, 12), (67, 90), (80, 130)):
        small = mtcnn_resampling.shrink(
            sums, mtcnn_resampling.bins(67, height), mtcnn_resampling.bins(90, width)
        )
        for ours, pixels in zip(small, photos, strict=True):
            np.testing.assert_allclose(ours, bin_means(pixels, height, width), rtol=1e-5)
    owner = np.array([0, 1, 1, 0])
    y1, y2, x1, x2 = np.array([[0, 67, 0, 90], [5, 29, 11, 35], [60, 67, 3, 9], [66, 67, 89, 90]]).T
    for side in (24, 48):
        crops = mtcnn_resampling.crops(sums, owner, y1, y2, x1, x2, side)
        assert crops.dtype == np.float32
        for i, ours in enumerate(crops):
            box = photos[owner[i]][y1[i] : y2[i], x1[i] : x2[i]]
            np.testing.assert_allclose(ours, bin_means(box, side, side), rtol=1e-5)


def test_sums_that_pass_32_bits_still_give_means() -> None:
    white = np.full((2900, 3000, 3), 255, np.uint8)
    white[2800:2850, 2900:2950] = 40
    sums = mtcnn_resampling.cumulative([white])
    assert sums[0, -1, -1, 0] != 255 * 2900 * 3000 - 215 * 50 * 50  # wrapped around
    box = [np.array([k]) for k in (0, 2800, 2850, 2900, 2950)]
    np.testing.assert_allclose(mtcnn_resampling.crops(sums, *box, 24), 40, rtol=1e-6)


@pytest.mark.parametrize("block", [7, 512])
@pytest.mark.parametrize("kind", ["iou", "smaller"])
def test_suppression_equals_the_slow_loop(kind: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn_boxes, "_NMS_BLOCK", block)
    rng = np.random.default_rng(5)
    corner = rng.integers(0, 60, (300, 2)) / 2
    boxes = np.concatenate([corner, corner + rng.integers(10, 60, (300, 2)) / 2], axis=1).astype(np.float32)
    scores, owner = rng.permutation(300).astype(np.float32), rng.integers(0, 3, 300)
    last = 0 if kind == "iou" else 1

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        wide = min(a[2], b[2]) - max(a[0], b[0]) + last
        high = min(a[3], b[3]) - max(a[1], b[1]) + last
        both = max(wide, 0) * max(high, 0)
        areas = [(box[2] - box[0] + last) * (box[3] - box[1] + last) for box in (a, b)]
        return both / (sum(areas) - both if kind == "iou" else min(areas))

    expected: list[int] = []
    for i in sorted(range(300), key=lambda i: (owner[i], -scores[i])):
        if all(owner[i] != owner[k] or overlap(boxes[i], boxes[k]) <= 0.5 for k in expected):
            expected.append(i)
    measure = mtcnn_boxes.iou if kind == "iou" else mtcnn_boxes.overlap_of_smaller
    assert mtcnn_boxes.suppress(boxes, scores, owner, 0.5, measure).tolist() == expected
    assert 10 < len(expected) < 200


# --- which face -----------------------------------------------------------------------------------------


def test_the_main_face_is_large_and_central() -> None:
    def face(x: float, y: float, side: float) -> Detection:
        return Detection((x - side / 2, y - side / 2, x + side / 2, y + side / 2), 0.9, None)

    central, corner, small, twin = face(100, 50, 40), face(20, 20, 60), face(100, 50, 10), face(100, 50, 10)
    # areas 1600, 3600, 100; twice the squared distance from (100, 50): 0, 14600, 0
    assert order([corner, small, central, twin], height=100, width=200) == [central, small, twin, corner]
    # the photo's height and width are not mixed up: (20, 20) is the centre of a 40 x 40 photo
    assert order([central, corner], height=40, width=40)[0] is corner
    assert order([], 10, 10) == []
