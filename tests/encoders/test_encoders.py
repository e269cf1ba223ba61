"""Cards, tiny ONNX encoders built here (channel order, normalisation, alignment, batches), and bad models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clip_smu.encoders.card import EncoderCard, differences
from clip_smu.encoders.card_files import read_card, write_card
from clip_smu.encoders.converted import checkpoint_name, converted_card
from clip_smu.encoders.crops import box_crop, centre_crop
from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.encoders.encoding import encode_photos
from clip_smu.encoders.known import CARDS
from clip_smu.encoders.load import load_encoder
from clip_smu.encoders.locate import card, locate, own_encoder
from clip_smu.encoders.network import Network
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.encoders.preprocessing import preprocess
from clip_smu.errors import EncoderError, ImageError, MissingExtraError
from clip_smu.faces.alignment import crops as aligned_crops
from clip_smu.photos import Photo, iter_photos
from clip_smu.photos.decode import decode

onnx = pytest.importorskip("onnx")

SIDE = 112
BASE: dict[str, Any] = {
    "name": "toy",
    "dim": 3,
    "input_size": [SIDE, SIDE],
    "channels": "RGB",
    "mean": 0,
    "std": 1,
    "alignment": "five-point-112",
    "normalised": False,
}


def net(
    path: Path,
    *,
    shape: tuple[Any, ...] = ("N", 3, SIDE, SIDE),
    kind: int = 1,
    norm: bool = False,
    twice: bool = False,
    fixed_inside: bool = False,
    axes: tuple[int, ...] | None = (3,),
    broken: str = "",
) -> Path:
    """A network whose template is the mean of each channel, in other ``axes`` where they are given.

    ``broken`` names an output that is NaN for a black photo.
    """
    helper = onnx.helper
    nodes = [helper.make_node("ReduceMean", ["image"], ["pooled"], axes=[-2, -1], keepdims=1)]
    if fixed_inside:  # says that the batch is free, and is not
        shape_of = onnx.numpy_helper.from_array(np.array([1, 3], np.int64), "shape")
        nodes.append(helper.make_node("Reshape", ["pooled", "shape"], ["template"]))
    elif axes == (3,):
        nodes.append(helper.make_node("Flatten", ["pooled"], ["template"]))
    elif axes == (3, 4):
        nodes.append(helper.make_node("Concat", ["pooled"] * 4, ["template"], axis=3))
    else:
        new = (3,) if axes is None else (shape[0] if isinstance(shape[0], int) else -1, *axes)
        shape_of = onnx.numpy_helper.from_array(np.array(new, np.int64), "shape")
        nodes.append(helper.make_node("Reshape", ["pooled", "shape"], ["template"]))
    outputs = ["template"]
    if norm:
        nodes.append(helper.make_node("ReduceMax", ["template"], ["norm"], axes=[1], keepdims=1))
        outputs.append("norm")
    if twice:
        nodes.append(helper.make_node("Neg", ["template"], ["other"]))
        outputs.append("other")
    if broken:  # x / x * x is NaN at 0
        last = next(node for node in nodes if broken in node.output)
        last.output[:] = ["before"]
        nodes += [
            helper.make_node("Div", ["before", "before"], ["one"]),
            helper.make_node("Mul", ["one", "before"], [broken]),
        ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [shape_of] if fixed_inside or axes not in ((3,), (3, 4)) else [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def toml(path: Path, **changes: Any) -> Path:
    values = {**BASE, **changes}
    path.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items() if v is not None))
    return path


def toy_card(**changes: Any) -> EncoderCard:
    return replace(
        card("arcface-mbf"), name="toy", dim=3, mean=(0.0,) * 3, std=(1.0,) * 3, sha256="", **changes
    )


@pytest.fixture
def crop() -> NDArray[np.uint8]:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3))
    return np.asarray(pixels * [1.0, 0.5, 0.25], np.uint8)


CROPPED = EncoderOptions(align="none")


def test_table() -> None:
    assert len({row.name for row in CARDS}) == len(CARDS)
    for row in CARDS:
        assert EncoderCard.from_dict(json.loads(json.dumps(row.to_dict()))) == row
        assert card(row.name).dim == row.dim
    assert {card(f"adaface-ir{depth}").channels for depth in (18, 34, 50, 101)} == {"BGR"}
    assert card("swinface").channels == "RGB"
    assert not card("swinface").normalised
    assert [row.name for row in CARDS if row.restricted] == ["arcface-mbf", "arcface-r50"]
    with pytest.raises(EncoderError, match=r"no encoder is called 'x': choose one of dlib, .*, or onnx:PATH"):
        card("x")


def test_card_files(tmp_path: Path) -> None:
    made = read_card(toml(tmp_path / "a.toml"))
    assert (made.mean, made.std, made.input_size) == ((0.0,) * 3, (1.0,) * 3, (112, 112))
    for row in CARDS:
        write_card(tmp_path / "b.toml", row)
        assert read_card(tmp_path / "b.toml") == row


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": None}, "missing dim"),
        ({"colour": "RGB"}, "unknown colour"),
        ({"channels": "GBR"}, "channels must be RGB or BGR; found 'GBR'"),
        ({"std": [1, 0, 1]}, "std must be three numbers other than 0"),
        ({"mean": [1, 2]}, "mean must be three numbers"),
        ({"input_size": 112}, r"input_size must be \[height, width\]"),
        ({"input_size": [112, 96]}, "five-point-112 gives square crops"),
        ({"alignment": "eyes"}, "alignment must be one of"),
        ({"dim": 0}, "dim must be a positive"),
        ({"normalised": "yes"}, "normalised must be true or false"),
        ({"fit": "other"}, "fit must be one of"),
    ],
)
def test_bad_cards(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        read_card(toml(tmp_path / "a.toml", **change))


def test_bad_card_files(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"found none; give --card CARD\.toml"):
        read_card(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("name = ")
    with pytest.raises(EncoderError, match="expected TOML"):
        read_card(tmp_path / "a.toml")


def test_own_model_travels_as_one_string(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    path, file = net(tmp_path / "toy.onnx"), toml(tmp_path / "x.toml")
    name = own_encoder(f"onnx:{path}", file)
    assert name == f"onnx:{path}?card={file}"
    row, weights = locate(name)
    assert weights == path
    assert len(row.sha256) == 64
    assert card(name) == row
    one, two = (
        load_encoder(name, CROPPED),
        load_encoder(f"onnx:{path}", CROPPED, card_file=file),
    )
    assert one.card == two.card == row
    file.rename(tmp_path / "toy.toml")  # beside the model
    assert card(f"onnx:{path}") == row
    toml(tmp_path / "toy.toml", sha256="0" * 64)
    with pytest.raises(EncoderError, match="give the right file, or correct the card"):
        card(f"onnx:{path}")
    with pytest.raises(EncoderError, match="expected an ONNX file"):
        card(f"onnx:{tmp_path / 'none.onnx'}")
    with pytest.raises(EncoderError, match="belongs to an encoder given as onnx:PATH"):
        own_encoder("dlib", file)


def test_feed(crop: NDArray[np.uint8]) -> None:
    row = toy_card()
    row = replace(row, mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 8.0))
    for channels in ("RGB", "BGR"):
        pixels = preprocess(crop[None], replace(row, channels=channels))
        assert pixels.shape == (1, 3, SIDE, SIDE)
        assert pixels.dtype == np.float32
        ordered = crop if channels == "RGB" else crop[:, :, ::-1]
        for c in range(3):
            np.testing.assert_allclose(pixels[0, c], (ordered[:, :, c] - row.mean[c]) / row.std[c], rtol=1e-6)


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
@pytest.mark.parametrize("normalised", [False, True])
def test_templates(tmp_path: Path, crop: NDArray[np.uint8], channels: str, normalised: bool) -> None:
    path = net(tmp_path / "toy.onnx")
    encoder = OnnxEncoder(toy_card(channels=channels, normalised=normalised), path, CROPPED)
    photos = [crop, crop // 2, crop // 3]
    expected = np.stack([photo.reshape(-1, 3).mean(axis=0) for photo in photos])
    expected = expected if channels == "RGB" else expected[:, ::-1]
    norms = np.linalg.norm(expected, axis=1)
    faces = [face for (face,) in encoder.encode(photos)]
    found = np.stack([face.template for face in faces])
    np.testing.assert_allclose(found, expected / norms[:, None] if normalised else expected, rtol=1e-5)
    np.testing.assert_allclose([face.norm for face in faces], norms, rtol=1e-5)
    assert found.dtype == np.float32
    assert np.isnan(faces[0].landmarks).all()


@pytest.mark.parametrize(
    "how",
    [{}, {"shape": (1, 3, SIDE, SIDE)}, {"shape": (4, 3, SIDE, SIDE)}, {"fixed_inside": True}],
    ids=["free", "one", "four", "free in name only"],
)
def test_batches(tmp_path: Path, crop: NDArray[np.uint8], how: dict[str, Any]) -> None:
    encoder = OnnxEncoder(toy_card(), net(tmp_path / "toy.onnx", **how), CROPPED)
    photos = [np.asarray(crop // (i + 1), np.uint8) for i in range(37)]
    found = np.stack([faces[0].template for faces in encoder.encode(photos)])
    np.testing.assert_allclose(
        found, [photo.reshape(-1, 3).mean(axis=0) for photo in photos], rtol=1e-4, atol=1e-3
    )
    assert encoder.encode([]) == []


def test_norm_output(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    path = net(tmp_path / "toy.onnx", norm=True)
    ((face,),) = OnnxEncoder(toy_card(norm_output="norm", normalised=True), path, CROPPED).encode([crop])
    assert face.norm == pytest.approx(crop.reshape(-1, 3).mean(axis=0).max(), rel=1e-5)
    with pytest.raises(EncoderError, match=r"expected an output 'quality' \(N, 1\)"):
        Network(path, toy_card(norm_output="quality"))


@pytest.mark.parametrize(
    ("how", "change", "message"),
    [
        ({"shape": ("N", 1, SIDE, SIDE)}, {}, r"expected an input \(N, 3, 112, 112\)"),
        ({"shape": ("N", SIDE, SIDE, 3)}, {}, "channels last: export it channels first"),
        ({"shape": ("N", 3, SIDE, 96)}, {}, "correct input_size in the card"),
        ({"shape": ("N", 3, SIDE)}, {}, r"found \['N', 3, 112\]"),
        ({"kind": 11}, {}, "float32"),
        ({}, {"dim": 512}, r"expected one output \(N, 512\).* found template \(N, 3\)"),
        (
            {"twice": True},
            {},
            r'found template \(N, 3\), other \(N, 3\): say in the card .* output = "template"',
        ),
        (
            {"twice": True},
            {"output": "third"},
            r"\(N, 3\) called 'third', as its card says, in .*: correct the card",
        ),
        ({"axes": (3, 1)}, {"dim": 512}, r"expected one output \(N, 512\).* found template \(N, 3\)"),
        ({"axes": (3, 4)}, {}, r"expected one output \(N, 3\).* found none"),
    ],
)
def test_wrong_networks(tmp_path: Path, how: dict[str, Any], change: dict[str, Any], message: str) -> None:
    path = net(tmp_path / "toy.onnx", **how)
    with pytest.raises(EncoderError, match=message):
        Network(path, replace(toy_card(), **change))


@pytest.mark.parametrize("axes", [(3, 1, 1), (1, 3), (1, 1, 3), (3, 1)])
@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_axes_of_one_count_for_nothing(
    tmp_path: Path, crop: NDArray[np.uint8], axes: tuple[int, ...], batch: int | str
) -> None:
    """insightface's issue 2406 and many exports: (N, d, 1, 1) of a last convolution, (N, 1, d) of a sequence."""
    path = net(tmp_path / "toy.onnx", shape=(batch, 3, SIDE, SIDE), axes=axes)
    network = Network(path, toy_card())
    assert network.outputs == {"template": 3}
    photos = np.stack([crop, crop // 2, crop // 3])
    found, norms = network.templates(preprocess(photos, toy_card()))
    expected = photos.mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(norms, np.linalg.norm(expected, axis=1), rtol=1e-4)


def test_a_network_for_one_face_may_leave_out_its_axis(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    path = net(tmp_path / "toy.onnx", shape=(1, 3, SIDE, SIDE), axes=None)
    found, _ = Network(path, toy_card()).templates(preprocess(np.stack([crop, crop // 2]), toy_card()))
    np.testing.assert_allclose(found, [crop.mean(axis=(0, 1)), (crop // 2).mean(axis=(0, 1))], rtol=1e-4)


def test_the_card_says_which_of_several_outputs_is_the_template(
    tmp_path: Path, crop: NDArray[np.uint8]
) -> None:
    path = net(tmp_path / "toy.onnx", twice=True)
    file = toml(tmp_path / "toy.toml", output="other")
    assert read_card(file).output == "other"
    for name, sign in (("template", 1), ("other", -1)):
        found, _ = Network(path, toy_card(output=name)).templates(preprocess(crop[None], toy_card()))
        np.testing.assert_allclose(found[0], sign * crop.mean(axis=(0, 1)), rtol=1e-5)
    first, second, either = (toy_card(output=name) for name in ("template", "other", ""))
    assert differences(first, second) == ["output template, not other"]
    assert differences(first, either) == differences(first, first) == []


def test_half_precision(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    path = net(tmp_path / "toy.onnx", kind=onnx.TensorProto.FLOAT16)
    unit = toy_card(normalised=True)
    found, _ = Network(path, unit).templates(preprocess(crop[None], unit))
    assert found.dtype == np.float32
    mean = crop.mean(axis=(0, 1))
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), rtol=2e-3)


@pytest.mark.parametrize("norm", [False, True])
def test_what_is_not_finite_is_a_rejected_row(tmp_path: Path, crop: NDArray[np.uint8], norm: bool) -> None:
    """deepface's issues 710 and 1152: NaN that nobody notices until a comparison gives nonsense."""
    path = net(tmp_path / "toy.onnx", norm=norm, broken="norm" if norm else "template")
    encoder = OnnxEncoder(toy_card(norm_output="norm" if norm else ""), path, CROPPED)
    photos = []
    for k, pixels in enumerate((crop, np.zeros_like(crop), crop // 2)):  # the network divides by the mean
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
        photos.append(Photo(f"{k}.png", "", tmp_path / f"{k}.png"))
    outcomes = encode_photos(encoder, photos)
    assert [outcome.error.reason if outcome.error else "" for outcome in outcomes] == [
        "",
        "encoder-failed",
        "",
    ]
    assert "not finite" in str(outcomes[1].error)


def test_no_network(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"hello")
    with pytest.raises(EncoderError, match="ONNX Runtime cannot load it"):
        Network(tmp_path / "a.onnx", toy_card())
    (tmp_path / "a.onnx").write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:5945dee6\nsize 9\n"
    )
    with pytest.raises(EncoderError, match="found a Git LFS pointer: run git lfs pull"):  # netron's issue 463
        Network(tmp_path / "a.onnx", toy_card())
    with pytest.raises(EncoderError, match="expected sha256 0000"):
        OnnxEncoder(replace(toy_card(), sha256="0" * 64), net(tmp_path / "a.onnx"), CROPPED)


def test_weights_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP_SMU_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match="run clip-smu encoders pull adaface-ir50, or put the file there"):
        load_encoder("adaface-ir50")
    with pytest.raises(EncoderError, match="encoders convert CHECKPOINT --architecture swinface"):
        load_encoder("swinface")


def test_converted_weights_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crop: NDArray[np.uint8]
) -> None:
    monkeypatch.setenv("CLIP_SMU_CACHE", str(tmp_path))
    from clip_smu.storage.digests import file_digest

    def converted(checkpoint: str) -> str:
        called = checkpoint_name("adaface-ir50", checkpoint * 64)
        folder = tmp_path / "encoders" / called
        folder.mkdir(parents=True)
        path = net(folder / "adaface-ir50.onnx", norm=True)
        made = converted_card("adaface-ir50", called, path, file_digest(path), f"{checkpoint}.ckpt", "RGB")
        assert made is not None
        assert (made.channels, made.norm_output, made.normalised) == ("RGB", "norm", True)
        write_card(folder / "card.toml", replace(made, dim=3))
        return called

    first = converted("a")
    assert first == "adaface-ir50-aaaaaaaa"
    for name in (first, "adaface-ir50"):  # the only checkpoint of it, so its architecture is enough
        encoder = load_encoder(name, CROPPED)
        assert encoder.card.filename == "adaface-ir50.onnx"
        assert encoder.card.name == first  # what templates are said to be of
        ((face,),) = encoder.encode([crop])
        assert np.linalg.norm(face.template) == pytest.approx(1, abs=1e-6)
    assert converted_card("clip-vit-b32-text", "x", Path("x"), "", "a.pt") is None
    second = converted("b")
    assert load_encoder(second, CROPPED).card.name == second
    with pytest.raises(EncoderError, match=f"several checkpoints of adaface-ir50 .* {first}, {second}"):
        load_encoder("adaface-ir50", CROPPED)
    with pytest.raises(EncoderError, match=f"no encoder is called 'none': choose one of .*{second}"):
        load_encoder("none", CROPPED)


_OTHER: list[tuple[dict[str, Any], str]] = [
    ({"channels": "RGB"}, "channels BGR, not RGB"),
    ({"mean": (127.5, 127.5, 0.0)}, "mean 127.5 127.5 127.5, not 127.5 127.5 0"),
    ({"std": (1.0, 1.0, 1.0)}, "std 127.5 127.5 127.5, not 1 1 1"),
    ({"input_size": (96, 96)}, "input_size 112 112, not 96 96"),
    ({"alignment": "box"}, "alignment five-point-112, not box"),
    ({"fit": "umeyama"}, "fit adaface, not umeyama"),
    ({"normalised": False}, "normalised True, not False"),
    ({"dim": 128}, "dim 512, not 128"),
    ({"sha256": "ab" * 32}, "sha256 9c0ae385d736..., not abababababab..."),
    ({"sha256": "", "name": "mine"}, "name adaface-ir50, not mine"),
]


@pytest.mark.parametrize(("change", "told"), _OTHER)
def test_cards_that_make_other_templates(change: dict[str, Any], told: str) -> None:
    own = card("adaface-ir50")
    assert differences(own, replace(own, **change)) == [told]


def test_cards_that_make_the_same_templates() -> None:
    own = card("adaface-ir50")
    same = [
        {"paper": "x", "licence_weights": "x", "sources": ("x",), "family": "x", "filename": "x"},
        {"name": "mine"},  # the same file by another name
        {"sha256": ""},
        {"mean": (127.5 + 1e-9,) * 3},
    ]
    assert all(differences(own, replace(own, **change)) == [] for change in same)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (EncoderOptions(detector="yolo"), "expected a detector, one of mtcnn"),
        (EncoderOptions(jitter=2), "jitter is dlib's alone"),
        (EncoderOptions(align="eyes"), "align must be default or none"),
        (EncoderOptions(upsample=9), "upsample must be 0 to 4"),
    ],
)
def test_wrong_options(tmp_path: Path, options: EncoderOptions, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        OnnxEncoder(toy_card(), net(tmp_path / "toy.onnx"), options)


def test_photo_that_is_no_crop(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    encoder = OnnxEncoder(toy_card(), net(tmp_path / "toy.onnx"), EncoderOptions(detector="none"))
    with pytest.raises(ImageError, match=r"expected a crop of 112x112 pixels.*found 50x60"):
        encoder.encode([crop, crop[:60, :50]])
    Image.fromarray(crop).save(tmp_path / "a.png")
    Image.fromarray(crop[:60, :50]).save(tmp_path / "b.png")
    outcomes = encode_photos(encoder, iter_photos([tmp_path / "a.png", tmp_path / "b.png"]))
    assert [len(outcome.faces) for outcome in outcomes] == [1, 0]
    assert outcomes[1].error is not None
    assert outcomes[1].error.reason == "not-a-crop"


def test_landmarks_file(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    photo = np.asarray(np.random.default_rng(1).integers(0, 256, (200, 180, 3)), np.uint8)
    points = np.array([[60, 70], [110, 72], [85, 100], [65, 130], [105, 131]], np.float32)
    columns = ",".join(f"P{i}{axis}" for i in range(1, 6) for axis in "XY")
    csv = tmp_path / "loose_landmark_test.csv"
    csv.write_text(f'NAME_ID,{columns}\n"n000001/0001_01",{",".join(map(str, points.reshape(-1)))}\n')
    encoder = OnnxEncoder(toy_card(), net(tmp_path / "toy.onnx"), EncoderOptions(landmarks=str(csv)))
    ((face,),) = encoder.encode([photo], ["test/n000001/0001_01.jpg"])
    expected = aligned_crops(photo, points[None])[0].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(face.template, expected, rtol=1e-5)
    np.testing.assert_array_equal(face.landmarks, points)
    assert face.box == (60, 70, 110, 131)
    with pytest.raises(ImageError, match=r"expected five points of 'n000001/0002_01\.jpg' in .* found none"):
        encoder.encode([photo], ["n000001/0002_01.jpg"])
    for name in ("n000001/0001_01.png", "VGG\\train\\N000001\\0001_01.JPEG", "./n000001/0001_01"):
        np.testing.assert_array_equal(encoder.encode([photo], [name])[0][0].landmarks, points)
    with pytest.raises(ImageError, match="found none"):  # another person's photo of the same number
        encoder.encode([photo], ["n000002/0001_01.jpg"])
    with pytest.raises(EncoderError, match="need the name of each photo"):
        encoder.encode([photo])


def test_box_and_centre_crops() -> None:
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[20:60, 50:90] = 255
    assert box_crop(photo, (50, 20, 90, 60), (8, 8))[1:-1, 1:-1].min() == 255
    assert box_crop(photo, (50, 30, 90, 50), (8, 8))[1:-1, 1:-1].min() == 255  # grown to a square
    assert box_crop(photo, (-40, 20, 0, 60), (8, 8)).max() == 0  # outside is black
    assert centre_crop(photo, (50, 50)).shape == (50, 50, 3)


def test_clip_preprocessing_is_the_official_one(golden: Path, astronaut: Path) -> None:
    reference = np.load(golden / "clip_preprocess_golden.npz")
    row = card("clip-vit-b32")
    photo = decode(astronaut.read_bytes())
    tall = photo[:512, 100:420]
    for name, image in (("astronaut_every8", photo), ("astronaut_crop_100_0_420_512_every8", tall)):
        pixels = preprocess(centre_crop(image, row.input_size)[None], row)[0]
        np.testing.assert_allclose(pixels[:, ::8, ::8], reference[name], atol=1e-5)
        if image is photo:
            found = [pixels.mean(axis=(1, 2)), pixels.std(axis=(1, 2))]
            np.testing.assert_allclose(found, reference["mean_std"], atol=1e-4)


def with_mtcnn(path: Path) -> OnnxEncoder:
    try:
        return OnnxEncoder(toy_card(), path, EncoderOptions(main_face=True))
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_mtcnn_by_default(tmp_path: Path, astronaut: Path) -> None:
    photo = decode(astronaut.read_bytes())
    encoder = with_mtcnn(net(tmp_path / "toy.onnx"))
    ((face,),) = encoder.encode([photo])
    assert face.landmarks.shape == (5, 2)
    expected = aligned_crops(photo, face.landmarks[None])[0].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(face.template, expected, rtol=1e-5)
    assert encoder.encode([np.zeros((80, 80, 3), np.uint8)]) == [[]]


def test_dlib_detector_gives_the_same_face(tmp_path: Path, astronaut: Path) -> None:
    pytest.importorskip("dlib")
    photo = decode(astronaut.read_bytes())
    path = net(tmp_path / "toy.onnx")
    ((by_mtcnn,),) = with_mtcnn(path).encode([photo])
    ((by_hog,),) = OnnxEncoder(toy_card(), path, EncoderOptions("hog", main_face=True)).encode([photo])
    assert np.abs(by_mtcnn.landmarks - by_hog.landmarks).max() < 12  # the eyes are 50 pixels apart


def test_extraction_by_one_string_in_two_processes(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    from clip_smu.templates import read_templates
    from clip_smu.templates.extraction import extract

    path, file = net(tmp_path / "toy.onnx"), toml(tmp_path / "toy.toml")
    (tmp_path / "photos").mkdir()
    for i in range(5):
        Image.fromarray(crop // (i + 1)).save(tmp_path / "photos" / f"{i}.png")
    name = f"onnx:{path}?card={file}"
    done = extract([tmp_path / "photos"], tmp_path / "out", name, CROPPED, processes=2, shard_photos=3)
    assert (done.photos, done.templates, done.rejected) == (5, 5, {})
    table = read_templates(tmp_path / "out")
    assert table.card == card(name)
    expected = [(crop // (i + 1)).reshape(-1, 3).mean(axis=0) for i in range(5)]
    np.testing.assert_allclose(table.vectors, expected, rtol=1e-5)


@pytest.mark.slow
def test_checkpoint_to_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Path, crop: NDArray[np.uint8]
) -> None:
    """AdaFace's Lightning checkpoint → convert → ``-e adaface-ir18``; the norm is the network's own."""
    torch = pytest.importorskip("torch")
    from typer.testing import CliRunner

    import fill_rule
    from clip_smu.cli.encoders import app
    from clip_smu.encoders.conversion.adaface import AdaFace

    monkeypatch.setenv("CLIP_SMU_CACHE", str(tmp_path))
    network = AdaFace("ir_18")
    fill_rule.fill(network, fill_rule.GAIN["adaface"])
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    done = CliRunner().invoke(app, ["convert", str(tmp_path / "a.ckpt"), "--architecture", "adaface-ir18"])
    assert done.exit_code == 0, done.output
    assert "use it with -e adaface-ir18" in done.output
    ((face,),) = load_encoder("adaface-ir18", CROPPED).encode([crop])
    bgr = torch.from_numpy(crop[:, :, ::-1].astype(np.float32).transpose(2, 0, 1) / 127.5 - 1)[None]
    with torch.inference_mode():
        unit, norm = network.eval()(bgr)
    np.testing.assert_allclose(face.template, unit[0].numpy(), atol=1e-5)
    assert face.norm == pytest.approx(float(norm[0, 0]), rel=1e-5)


@pytest.mark.slow
def test_swinface_heads_from_a_checkpoint(tmp_path: Path, crop: NDArray[np.uint8]) -> None:
    torch = pytest.importorskip("torch")
    from typer.testing import CliRunner

    import fill_rule
    from clip_smu.cli.encoders import app
    from clip_smu.encoders.conversion.swinface import SwinFace

    network = SwinFace()
    fill_rule.fill(network, fill_rule.GAIN["swinface"])
    parts = {
        f"state_dict_{part}": getattr(network, part).state_dict() for part in ("backbone", "fam", "tss", "om")
    }
    torch.save({**parts, "state_dict_softmax_fc": {}}, tmp_path / "a.pt")
    Image.fromarray(crop).save(tmp_path / "a.png")
    out = tmp_path / "out"
    run = CliRunner().invoke
    done = run(app, ["convert", str(tmp_path / "a.pt"), "--architecture", "swinface-heads", "-o", str(out)])
    assert done.exit_code == 0, done.output
    read = run(
        app, ["heads", f"onnx:{out / 'swinface-heads.onnx'}", str(tmp_path / "a.png"), "--align", "none"]
    )
    assert read.exit_code == 0, read.output
    heads = json.loads(read.stdout)["heads"]
    assert len(heads) == 42
    with torch.inference_mode():
        rgb = torch.from_numpy(crop.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1)[None]
        raw = network.eval()(rgb)[1][0].numpy()
    from clip_smu.encoders.heads import named

    expected = named(raw)
    assert heads["Age"] == pytest.approx(expected["Age"], abs=0.02)
    assert heads["Gender"] == pytest.approx(expected["Gender"], abs=2e-4)


def test_uniface_detectors_get_bgr_and_give_five_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's interface, spelled out: its weights cannot be fetched in a test."""
    import sys
    from types import ModuleType, SimpleNamespace

    from clip_smu.errors import MissingExtraError
    from clip_smu.faces.uniface import KINDS, UnifaceDetector

    seen = []

    class Fake:
        def detect(self, image: np.ndarray) -> list[SimpleNamespace]:
            seen.append(image)
            points = np.arange(10.0).reshape(5, 2)
            return [SimpleNamespace(bbox=np.array([1.0, 2.0, 3.0, 4.0]), confidence=0.75, landmarks=points)]

    class Offline:
        def __init__(self) -> None:
            raise ConnectionError("no network\nat all")

    package, module = ModuleType("uniface"), ModuleType("uniface.detection")
    for name in KINDS.values():
        setattr(module, name, Fake)
    monkeypatch.setitem(sys.modules, "uniface", package)
    monkeypatch.setitem(sys.modules, "uniface.detection", module)
    photo = np.zeros((4, 4, 3), np.uint8)
    photo[..., 0] = 200
    ((face,),) = UnifaceDetector("scrfd").detect([photo])
    assert seen[0][..., 2].max() == 200
    assert seen[0][..., 0].max() == 0
    assert (face.box, face.score) == ((1, 2, 3, 4), 0.75)
    np.testing.assert_array_equal(face.landmarks, np.arange(10).reshape(5, 2))
    module.SCRFD = Offline
    with pytest.raises(EncoderError, match=r"could not load scrfd \(no network\)"):
        UnifaceDetector("scrfd")
    monkeypatch.setitem(sys.modules, "uniface.detection", None)
    with pytest.raises(MissingExtraError, match=r"clip-smu\[uniface\]"):
        UnifaceDetector("scrfd")
