"""Detectors on photos too large to be looked at whole: bounded memory, a reason, and the same face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clip_smu.arrays import Pixels
from clip_smu.encoders.crops import centre_crop
from clip_smu.encoders.encoding import encode_photos
from clip_smu.errors import ImageError
from clip_smu.faces.detection import Detection
from clip_smu.photos import Photo
from clip_smu.photos.decode import decode


@pytest.fixture
def photo(astronaut: Path) -> Pixels:
    return decode(astronaut.read_bytes())


def overlap(a: Detection, b: Detection) -> float:
    """Intersection over union of two boxes."""
    wide = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    high = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    both = max(0.0, wide) * max(0.0, high)
    areas = [(one.box[2] - one.box[0]) * (one.box[3] - one.box[1]) for one in (a, b)]
    return both / (sum(areas) - both)


def test_hog_refuses_more_doublings_than_memory_allows(
    photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dlib")
    from clip_smu.faces import dlib as module

    (usual,) = module.DlibDetector(module.Dlib(), upsample=0, landmarks=False).detect([photo])
    monkeypatch.setattr(module, "_HOG_PIXELS", 2 * photo.shape[0] * photo.shape[1])
    (found,) = module.DlibDetector(module.Dlib(), upsample=0, landmarks=False).detect([photo])
    assert [face.box for face in found] == [face.box for face in usual]
    with pytest.raises(ImageError, match=r"at most 1 megapixels .* after 1 doublings, found 1") as caught:
        module.DlibDetector(module.Dlib(), upsample=1, landmarks=False).detect([photo])
    assert caught.value.reason == "too-large"
    by_itself = module.DlibDetector(module.Dlib(), landmarks=False)
    assert by_itself.detect([photo[:60]]) == [[]]  # doubles where nothing is found
    assert by_itself.detect([np.zeros_like(photo)]) == [[]]  # and where it cannot, nothing was found


def test_hog_refuses_sides_that_dlib_writes_beyond() -> None:
    """At 130,000 pixels across dlib corrupts the heap and the process dies."""
    pytest.importorskip("dlib")
    from clip_smu.faces.dlib import Dlib, DlibDetector

    strip = np.zeros((100, 65_000, 3), np.uint8)
    with pytest.raises(ImageError, match=r"65,535 pixels a side after 1 doublings, found 130,000 x 200"):
        DlibDetector(Dlib(), upsample=1, landmarks=False).detect([strip])
    assert DlibDetector(Dlib(), landmarks=False).detect([strip]) == [[]]  # by itself it does not double it


def test_a_photo_too_large_to_be_doubled_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dlib")
    from PIL import Image as Pillow

    from clip_smu.encoders.encoder import EncoderOptions
    from clip_smu.encoders.load import load_encoder
    from clip_smu.faces import dlib as module

    monkeypatch.setattr(module, "_HOG_PIXELS", 64 * 64 * 4)
    photos = []
    for k, side in enumerate((64, 65, 64)):
        Pillow.new("RGB", (side, 64)).save(tmp_path / f"{k}.png")
        photos.append(Photo(f"{k}.png", "", tmp_path / f"{k}.png"))
    outcomes = encode_photos(load_encoder("dlib", EncoderOptions(upsample=1)), photos)
    assert [outcome.error and outcome.error.reason for outcome in outcomes] == [
        "no-face",
        "too-large",
        "no-face",
    ]


def test_the_cnn_looks_at_a_smaller_copy(photo: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dlib")
    from clip_smu.faces import dlib as module

    small = photo[:300, 100:400]
    ((usual,),) = module.DlibDetector(module.Dlib(), cnn=True, upsample=0).detect([small])
    monkeypatch.setattr(module, "_CNN_PIXELS", 250 * 250)
    for upsample in (0, 1, None):
        ((found,),) = module.DlibDetector(module.Dlib(), cnn=True, upsample=upsample).detect([small])
        assert overlap(found, usual) > 0.6
        assert found.landmarks is not None
        np.testing.assert_allclose(found.landmarks, usual.landmarks, atol=8)


def test_mtcnn_halves_what_it_cannot_sum(photo: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    from clip_smu.faces import mtcnn_resampling
    from clip_smu.faces.mtcnn import MTCNN

    detector = MTCNN()
    ((usual,),) = detector.detect([photo])
    monkeypatch.setattr(mtcnn_resampling, "_WHOLE_PIXELS", photo.shape[0] * photo.shape[1] - 1)
    ((found,), (face,)) = detector.detect([photo, photo[:400]])  # the second is small enough
    assert overlap(found, usual) > 0.8
    np.testing.assert_allclose(found.landmarks, usual.landmarks, atol=4)
    assert overlap(face, usual) > 0.9


def test_thin_strips_are_no_bombs() -> None:
    pytest.importorskip("onnx")
    from clip_smu.faces.mtcnn import MTCNN

    assert MTCNN().detect([np.zeros((1, 9_000_000, 3), np.uint8), np.zeros((9_000_000, 3, 3), np.uint8)]) == [
        [],
        [],
    ]
    rng = np.random.default_rng(0)
    strip = rng.integers(0, 256, (3, 2_000_000, 3), np.uint8)
    crop = centre_crop(strip, (64, 64))
    assert crop.shape == (64, 64, 3)
    middle = 1_000_000
    np.testing.assert_array_equal(crop, centre_crop(strip[:, middle - 24 : middle + 24], (64, 64)))
