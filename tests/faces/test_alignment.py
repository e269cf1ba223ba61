"""Alignment against AdaFace's port, scikit-image, the official crops; landmark files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clip_smu.errors import ImageError, InputError
from clip_smu.faces.alignment import TEMPLATE_112, crops, similarity, warp
from clip_smu.faces.landmarks import COLUMNS, read_landmarks


@pytest.fixture(scope="module")
def official(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "alignment_golden.json").read_text())


def some_points(count: int = 300) -> np.ndarray:
    rng = np.random.default_rng(7)
    noisy = TEMPLATE_112 + rng.normal(0, 1, (count, 5, 2)) * rng.uniform(1, 40, (count, 1, 1))
    mirrored = noisy[: count // 3] * [-1, 1] + [112, 0]
    return np.concatenate([noisy, mirrored, rng.uniform(0, 300, (count, 5, 2))])


def cp2tform(points: np.ndarray, in_place: bool) -> tuple[np.ndarray, bool]:
    """AdaFace's findSimilarity step by step; `in_place` is its flip of the template before both errors."""
    uv, xy = np.float32(points), np.float32(TEMPLATE_112)

    def plain_fit(xy: np.ndarray) -> np.ndarray:
        x, y, one, nil = xy[:, :1], xy[:, 1:], np.ones((5, 1)), np.zeros((5, 1))
        system = np.vstack([np.hstack([x, y, one, nil]), np.hstack([y, -x, nil, one])])
        sc, ss, tx, ty = np.linalg.lstsq(system, np.concatenate([uv[:, 0], uv[:, 1]]), rcond=None)[0]
        return np.linalg.inv([[sc, -ss, 0], [ss, sc, 0], [tx, ty, 1]])

    plain = plain_fit(xy)
    flipped = xy if in_place else xy.copy()
    flipped[:, 0] *= -1
    mirrored = plain_fit(flipped) @ np.diag([-1.0, 1.0, 1.0])
    rows = np.hstack([uv, np.ones((5, 1))])
    errors = [np.linalg.norm((rows @ t)[:, :2] - xy) for t in (plain, mirrored)]
    chosen = plain if errors[0] <= errors[1] else mirrored
    return chosen[:, :2].T, bool(errors[0] > errors[1])


def test_adaface_fit_gives_the_official_matrices(official: dict[str, Any]) -> None:
    cases = [
        (official[k]["src"], official[k]["matrix_2x3"])
        for k in ("mirrored_points_test", "irregular_points_test")
    ]
    for photo in official["images"].values():
        cases.append((photo["facenet_landmarks_used"], photo["matrix_2x3_from_facenet_landmarks"]))
        cases.append((photo["adaface_mtcnn"]["landmarks"][0], photo["matrix_2x3_from_adaface_landmarks"]))
    assert len(cases) == 10
    for points, matrix in cases:
        np.testing.assert_allclose(similarity(points, fit="adaface"), matrix, rtol=0, atol=1e-9)


def test_adaface_fit_equals_its_port_with_its_flip_in_place() -> None:
    points = some_points()
    ours = similarity(points, fit="adaface")
    expected = [cp2tform(p, in_place=True) for p in points]
    for mine, (matrix, _) in zip(ours, expected, strict=True):
        np.testing.assert_allclose(mine, matrix, rtol=1e-6, atol=1e-6 * np.abs(matrix).max())
    mirrors = [mirrored for _, mirrored in expected]
    assert 0 < sum(mirrors) < len(points)
    # the flip decides: without it some of these points would be fitted the other way
    assert mirrors != [cp2tform(p, in_place=False)[1] for p in points]


def test_umeyama_fit_equals_scikit_image_and_the_official_matrices(official: dict[str, Any]) -> None:
    transform = pytest.importorskip("skimage.transform").SimilarityTransform
    for points in [*some_points(60), np.linspace([0.0, 5.0], [90.0, 50.0], 5)]:  # the last: on one line
        if hasattr(transform, "from_estimate"):
            fitted = transform.from_estimate(points, TEMPLATE_112)
        else:
            fitted = transform()
            fitted.estimate(points, TEMPLATE_112)
        np.testing.assert_allclose(similarity(points), fitted.params[:2], rtol=0, atol=1e-9)
    for photo in official["images"].values():  # those were fitted in float32
        matrix = similarity(photo["facenet_landmarks_used"])
        np.testing.assert_allclose(matrix, photo["umeyama_matrix_2x3"], rtol=0, atol=1e-4)


def test_template_lands_on_itself_and_faces_are_fitted_one_by_one() -> None:
    np.testing.assert_allclose(TEMPLATE_112, np.float32(TEMPLATE_112), atol=4e-6)
    np.testing.assert_allclose(similarity(TEMPLATE_112), [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    points = some_points(10)
    for fit in ("umeyama", "adaface"):
        many = similarity(points, fit=fit)
        assert many.shape == (len(points), 2, 3)
        assert many.dtype == np.float64
        np.testing.assert_allclose(many, [similarity(p, fit=fit) for p in points], rtol=1e-12)
    assert (np.linalg.det(similarity(points)[:, :, :2]) > 0).all()  # never mirrors


def test_crop_of_the_astronaut_is_the_official_one(official: dict[str, Any], astronaut: Path) -> None:
    photo = np.asarray(Image.open(astronaut).convert("RGB"))
    expected = official["images"]["skimage:data.astronaut()"]
    crop = crops(photo, [expected["facenet_landmarks_used"]], fit="adaface")
    assert crop.shape == (1, 112, 112, 3)
    assert crop.dtype == np.uint8
    np.testing.assert_allclose(crop[0].mean((0, 1)), expected["crop_mean_rgb"], atol=0.1)
    cv2 = pytest.importorskip("cv2")
    if cv2.__version__.startswith("5."):  # older versions interpolate with fewer bits
        assert hashlib.sha256(crop.tobytes()).hexdigest() == expected["crop_sha256_rgb_bytes"]


def test_crop_of_the_astronaut_pixel_by_pixel(
    official: dict[str, Any], astronaut: Path, shared: Path
) -> None:
    photo = np.asarray(Image.open(astronaut).convert("RGB"))
    case = official["images"]["skimage:data.astronaut()"]
    crop = warp(photo, similarity(case["facenet_landmarks_used"], fit="adaface"))
    expected = np.asarray(Image.open(shared / "golden" / case["crop_file"]).convert("RGB"))
    assert np.abs(crop.astype(int) - expected).max() <= 2


def test_warp_is_bilinear_and_black_outside() -> None:
    ramp = np.repeat(np.arange(0, 200, 4, dtype=np.uint8)[None, :, None], 50, 0).repeat(3, 2)
    crop = warp(ramp, np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 10.0]]), (60, 30))
    assert crop.shape == (30, 60, 3)
    assert (crop[:9] == 0).all()  # the tenth row lies half outside
    np.testing.assert_array_equal(crop[10:, :, 0], np.tile(np.arange(60) * 2, (20, 1)))


@pytest.mark.parametrize("fit", ["umeyama", "adaface"])
def test_points_that_cannot_be_aligned(fit: Any) -> None:
    for points in (np.full((5, 2), 31.0), np.full((5, 2), np.nan), TEMPLATE_112 * [1, np.inf]):
        with pytest.raises(ImageError, match="five") as caught:
            similarity(points, fit=fit)
        assert caught.value.reason == "no-alignment"
    with pytest.raises(InputError, match=r"found an array of shape \(4, 2\)"):
        similarity(TEMPLATE_112[:4], fit=fit)
    assert crops(np.zeros((9, 9, 3), np.uint8), [], fit=fit).shape == (0, 112, 112, 3)


def test_unknown_fit() -> None:
    with pytest.raises(InputError, match="found 'procrustes'"):
        similarity(TEMPLATE_112, fit="procrustes")  # type: ignore[arg-type]


def landmarks_file(folder: Path, rows: list[str], header: str = ",".join(COLUMNS)) -> Path:
    path = folder / "loose_landmark_test.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_landmarks_of_vggface2(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    names = [
        f"n{person:06d}/{photo:04d}_{face:02d}"
        for person in (9, 1, 400)
        for photo in (2, 1)
        for face in (2, 1)
    ]
    points = rng.uniform(0, 300, (len(names), 5, 2)).round(4)
    rows = [f'"{n}",{",".join(f"{v:.4f}" for v in p.ravel())}' for n, p in zip(names, points, strict=True)]
    rows.append(f'"Grüße/é.JPG",{",".join("1.5" for _ in range(10))}')
    landmarks = read_landmarks(landmarks_file(tmp_path, rows))
    assert len(landmarks) == len(names) + 1
    assert sorted(landmarks) == list(landmarks) == sorted([*names, "Grüße/é"])
    for name, expected in zip(names, points, strict=True):
        assert landmarks[name].dtype == np.float32
        np.testing.assert_array_equal(landmarks[name], expected.astype(np.float32))
    assert "n000001/0001_01.jpg" not in landmarks
    assert "z" not in landmarks
    assert landmarks.get("n000001/0001_03") is None
    with pytest.raises(KeyError):
        landmarks["a"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_landmarks_in_other_encodings(tmp_path: Path, separator: str, encoding: str) -> None:
    lines = [f" {separator} ".join(COLUMNS), separator.join(["Žofie/1.jpg", *"1234567890"])]
    (tmp_path / "l.csv").write_text("\n".join(lines), encoding)
    landmarks = read_landmarks(tmp_path / "l.csv")
    assert list(landmarks) == ["Žofie/1"]
    np.testing.assert_array_equal(landmarks["Žofie/1"].ravel(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
    (tmp_path / "l.csv").write_bytes("\n".join(lines).encode("iso-8859-2"))
    with pytest.raises(
        InputError, match=r"a csv in the form of VGGFace2's loose_landmark at .* found byte 0xae on line 2"
    ):
        read_landmarks(tmp_path / "l.csv")


def test_landmarks_are_found_by_the_rule_of_names(tmp_path: Path) -> None:
    rows = [
        f'"{name}",{k},{"1," * 8}1'
        for k, name in enumerate(["n1/0001_01", "n2/0001_01", "n2/0002_01", "a/n2/7"])
    ]
    landmarks = read_landmarks(landmarks_file(tmp_path, rows))
    for name, k in (
        ("n2/0001_01", 1), ("train/n2/0001_01.jpg", 1), ("TRAIN\\N1\\0001_01.JPG", 0), ("b/n2/7.png", 3),
        ("./n2/0002_01.jpeg", 2), ("0002_01.jpg", 2),
    ):  # fmt: skip
        found = landmarks.find(name)
        assert not isinstance(found, str) and int(found[0, 0]) == k, name
    assert landmarks.find("n3/0001_01.jpg") == "found none"  # another person's photo of that number
    assert "several names that it may be" in str(landmarks.find("0001_01.jpg"))


def test_landmarks_file_with_a_header_only(tmp_path: Path) -> None:
    assert len(read_landmarks(landmarks_file(tmp_path, []))) == 0


ROW = "1,2,3,4,5,6,7,8,9,10"


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([f"a,{ROW}"], None, "P5Y"),
        ([f"a,{ROW}", f"b,{ROW}".replace("7", "seven")], "", "seven"),
        ([f"a,{ROW}", f"b,{ROW}".replace("7", "")], "", "1 rows without, the first for 'b'"),
        ([f"a,{ROW}", f"b,{ROW}".replace("7", "nan")], "", "1 rows without, the first for 'b'"),
        ([f"b,{ROW}", f"a,{ROW}", f"b.jpg,{ROW}"], "", "found 'b' twice"),
        ([f"a,{ROW},11"], "", "Expected 11 columns"),
    ],
)
def test_broken_landmarks_files(tmp_path: Path, rows: list[str], header: str | None, message: str) -> None:
    path = landmarks_file(
        tmp_path, rows, ",".join(COLUMNS) if header == "" else ",".join(COLUMNS[:-1]) + ",Other"
    )
    with pytest.raises(InputError, match=message) as caught:
        read_landmarks(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_or_empty_landmarks_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a csv .* found none \(No such file"):
        read_landmarks(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match="Empty CSV"):
        read_landmarks(tmp_path / "empty.csv")
