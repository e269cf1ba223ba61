"""Official checkpoints become ONNX files that give the official numbers, or nothing is written."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from safetensors.torch import save_file  # noqa: E402

import fill_rule  # noqa: E402
from clip_smu.encoders.conversion import convert as room  # noqa: E402
from clip_smu.encoders.conversion.convert import ARCHITECTURES, Converted, convert  # noqa: E402
from clip_smu.errors import EncoderError, InputError  # noqa: E402
from places import GOLDEN  # noqa: E402

BAR = 1e-5


def relative(found: np.ndarray, reference: np.ndarray) -> float:
    return float(np.abs(found - reference).max() / np.abs(reference).max())


def run(path: Path, inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: inputs}), strict=True))


def adaface_state(name: str) -> dict[str, torch.Tensor]:
    shapes = json.loads((GOLDEN / "adaface_state_dict_shapes.json").read_text())[name]
    state = fill_rule.filled({key: tuple(shape) for key, shape in shapes.items()}, fill_rule.GAIN["adaface"])
    return state | {key: torch.tensor(7) for key in shapes if key.endswith("num_batches_tracked")}


@pytest.fixture(scope="module")
def lightning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AdaFace ir_18 as the official Lightning checkpoint has it, with the rule's weights."""
    path = tmp_path_factory.mktemp("adaface") / "adaface_ir18.ckpt"
    state = {f"model.{key}": value for key, value in adaface_state("ir_18").items()}
    torch.save({"epoch": 25, "state_dict": state | {"head.kernel": torch.ones(512, 10)}}, path)
    return path


@pytest.fixture(scope="module")
def converted(lightning: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return convert(lightning, "adaface-ir18", tmp_path_factory.mktemp("encoders") / "new")


def test_adaface_gives_the_official_numbers(converted: Converted) -> None:
    image = fill_rule.image("input", (2, 3, 112, 112)).numpy()
    found = run(converted.path, image)
    with np.load(GOLDEN / "adaface_golden.npz") as golden:
        feature = relative(found["template"], golden["ir_18_f32_feature"])
        norm = relative(found["norm"], golden["ir_18_f32_norm"])
    assert feature <= BAR and norm <= BAR, (feature, norm)


def test_what_is_handed_back(converted: Converted) -> None:
    assert converted.path.name == "adaface-ir18.onnx"
    assert converted.sha256 == hashlib.sha256(converted.path.read_bytes()).hexdigest()
    assert (converted.architecture, converted.dim, converted.opset) == ("adaface-ir18", 512, 17)
    assert 0 < converted.largest_difference < 1e-5
    assert [each.name for each in converted.path.parent.iterdir()] == ["adaface-ir18.onnx"]


def test_the_file_is_valid_and_of_the_stated_opset(converted: Converted) -> None:
    import onnx

    model = onnx.load(str(converted.path))
    onnx.checker.check_model(model)
    assert {each.domain: each.version for each in model.opset_import} == {"": 17}
    session = onnxruntime.InferenceSession(str(converted.path), providers=["CPUExecutionProvider"])
    assert [(each.name, each.shape) for each in session.get_inputs()] == [("image", ["batch", 3, 112, 112])]
    outputs = [(each.name, each.shape) for each in session.get_outputs()]
    assert outputs == [("template", ["batch", 512]), ("norm", ["batch", 1])]


def test_flip_fusion_equals_fusing_by_hand(lightning: Path, converted: Converted, tmp_path: Path) -> None:
    fused = convert(lightning, "adaface-ir18", tmp_path, flip_fusion=True)
    assert fused.path.name == "adaface-ir18-flip.onnx"
    assert fused.path.stat().st_size < 1.01 * converted.path.stat().st_size  # the weights stand in it once
    image = fill_rule.image("input", (2, 3, 112, 112)).numpy()[:1]
    plain, mirrored = run(converted.path, image), run(converted.path, np.ascontiguousarray(image[..., ::-1]))
    total = plain["template"] * plain["norm"] + mirrored["template"] * mirrored["norm"]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    found = run(fused.path, image)
    assert relative(found["template"], total / length) <= BAR
    assert relative(found["norm"], length) <= BAR


@pytest.mark.slow
def test_safetensors_of_cvlface_form_give_the_same_file(converted: Converted, tmp_path: Path) -> None:
    state = {f"model.net.{key}": value for key, value in adaface_state("ir_18").items()}
    save_file(state, tmp_path / "model.safetensors")
    again = convert(tmp_path / "model.safetensors", "adaface-ir18", tmp_path / "out")
    assert again.sha256 == converted.sha256


def test_wrong_network_names_the_keys(lightning: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"does not fit AdaFace ir_34, which has .* missing \(body"):
        convert(lightning, "adaface-ir34", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_adaface_is_not_clip(lightning: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(EncoderError, match=r"does not fit CLIP ViT-B/32"):
        convert(lightning, "clip-vit-b32", tmp_path)


def test_unknown_architecture(lightning: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one of adaface-ir18, .*; found 'facenet'"):
        convert(lightning, "facenet", tmp_path)


def test_flip_fusion_is_adafaces(lightning: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="flip fusion is AdaFace's; swinface has none"):
        convert(lightning, "swinface", tmp_path, flip_fusion=True)


def test_a_difference_is_refused_and_nothing_stays(
    lightning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "replace_prelu", lambda network: network.output_layer[3].weight.data.mul_(1.01))
    with pytest.raises(EncoderError, match=r"expected ONNX Runtime within 0\.0001 of PyTorch for template"):
        convert(lightning, "adaface-ir18", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    state = adaface_state("ir_18")
    state["output_layer.3.bias"][0] = float("nan")
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        EncoderError, match=r"found NaN or infinity with the weights of .*a\.pt; fetch it again"
    ):
        convert(tmp_path / "a.pt", "adaface-ir18", tmp_path / "out")


def test_a_folder_that_cannot_be_written(lightning: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"expected a folder to write at .*file, found a file"):
        convert(lightning, "adaface-ir18", tmp_path / "file")


@pytest.mark.parametrize("module", ["convert", "checkpoints", "adaface", "swinface", "clip"])
def test_without_torch_the_extra_is_named(module: str) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
try:
    import clip_smu.encoders.conversion.{module}
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingExtraError converting checkpoints needs the extra [train]")


def test_names_are_unique() -> None:
    names = [each.name for each in ARCHITECTURES]
    assert len(set(names)) == len(names) == 10


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["swinface", "swinface-heads"])
def test_swinface_gives_the_official_numbers(architecture: str, tmp_path: Path) -> None:
    network = room.SwinFace()
    fill_rule.fill(network, fill_rule.GAIN["swinface"])
    parts = {
        f"state_dict_{part}": getattr(network, part).state_dict() for part in ("backbone", "fam", "tss", "om")
    }
    torch.save({"epoch": 1, "state_dict_softmax_fc": {}, **parts}, tmp_path / "checkpoint.pt")
    converted = convert(tmp_path / "checkpoint.pt", architecture, tmp_path / "out")
    found = run(converted.path, fill_rule.image("input", (2, 3, 112, 112)).numpy())
    with np.load(GOLDEN / "swinface_golden.npz") as golden:
        assert relative(found["template"], golden["f32_embedding"]) <= BAR
        if architecture == "swinface-heads":
            assert relative(found["heads"], golden["f32_heads"]) <= BAR


@pytest.fixture(scope="module")
def openai(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ViT-B/32 as OpenAI's TorchScript archive has it, with the rule's weights in float32."""
    from clip_smu.encoders.conversion import clip

    network = Nested()
    for key, value in fill_rule.filled(clip.official_shapes(32), fill_rule.GAIN["clip"]).items():
        network.put(key.split("."), value)
    network.register_buffer("input_resolution", torch.tensor(224))
    network.register_buffer("context_length", torch.tensor(77))
    network.register_buffer("vocab_size", torch.tensor(49408))
    path = tmp_path_factory.mktemp("clip") / "ViT-B-32.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; OpenAI's file is of that form
        torch.jit.script(network).save(str(path))
    return path


class Nested(torch.nn.Module):
    """A module tree made from dotted keys."""

    def put(self, path: list[str], value: torch.Tensor) -> None:
        if len(path) == 1:
            self.register_parameter(path[0], torch.nn.Parameter(value))
            return
        if path[0] not in self._modules:
            self.add_module(path[0], Nested())
        self._modules[path[0]].put(path[1:], value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.slow
def test_clip_image_tower_gives_the_official_numbers(openai: Path, tmp_path: Path) -> None:
    found = run(
        convert(openai, "clip-vit-b32", tmp_path).path,
        fill_rule.image("clip_input", (2, 3, 224, 224)).numpy(),
    )
    with np.load(GOLDEN / "clip_vitb32_golden.npz") as golden:
        assert relative(found["template"], golden["f32_image"]) <= BAR


@pytest.mark.slow
def test_clip_text_tower_gives_the_official_numbers(openai: Path, tmp_path: Path) -> None:
    path = convert(openai, "clip-vit-b32-text", tmp_path).path
    with np.load(GOLDEN / "clip_vitb32_golden.npz") as golden:
        tokens = golden["tokens"].astype(np.int64)
        assert relative(run(path, tokens)["text"], golden["f32_text"]) <= BAR
        longest = int(tokens.argmax(axis=1).max()) + 1
        assert longest < 77 or len(tokens) > 1
        for ids, expected in zip(tokens, golden["f32_text"], strict=True):
            cut = ids[None, : int(ids.argmax()) + 1]  # nothing after the end of the text
            assert relative(run(path, cut)["text"][0], expected) <= BAR


@pytest.mark.slow
def test_clip_from_transformers_weights(tmp_path: Path) -> None:
    from clip_smu.encoders.conversion import clip

    official = fill_rule.filled(clip.official_shapes(32), fill_rule.GAIN["clip"])
    state = {key: value.contiguous() for key, value in clip.to_transformers(official).items()}
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]  # stored by older versions
    save_file(state, tmp_path / "model.safetensors")
    found = run(
        convert(tmp_path / "model.safetensors", "clip-vit-b32", tmp_path).path,
        fill_rule.image("clip_input", (2, 3, 224, 224)).numpy(),
    )
    with np.load(GOLDEN / "clip_vitb32_golden.npz") as golden:
        assert relative(found["template"], golden["f32_image"]) <= BAR
