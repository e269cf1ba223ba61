"""The three families of networks give the official code's numbers, key for key, with the official keys.

``pytest -s tests/test_nets_golden.py`` prints the table of the largest differences.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import fill_rule  # noqa: E402
from clip_smu.encoders.conversion import clip  # noqa: E402
from clip_smu.encoders.conversion.adaface import AdaFace, FlipFusion, LinearPReLU, replace_prelu  # noqa: E402
from clip_smu.encoders.conversion.swinface import SwinFace  # noqa: E402
from clip_smu.encoders.swinface_heads import BRANCHES, HEAD_COLUMNS, HEADS  # noqa: E402
from clip_smu.errors import EncoderError  # noqa: E402
from places import GOLDEN  # noqa: E402

BAR = {"f32": 1e-5, "f64": 1e-9}  # relative to the largest golden number
PRECISIONS = {"f32": torch.float32, "f64": torch.float64}
NETWORKS = ("ir_18", "ir_50", "ir_101", "swinface", "clip-vit-b32")


@dataclass(frozen=True)
class Row:
    """One golden array and how far we are from it, relative to its largest number."""

    network: str
    precision: str
    output: str
    difference: float


def largest_differences(network: str) -> list[Row]:
    """All golden arrays of one of :data:`NETWORKS`, in float32 and float64."""
    compute: dict[str, Callable[[], Iterator[Row]]] = {"swinface": _swinface, "clip-vit-b32": _clip}
    return list(compute[network]() if network in compute else _adaface(network))


def table(rows: list[Row]) -> str:
    """The rows as a table of plain text."""
    lines = [f"{row.network:14}{row.precision:5}{row.output:18}{row.difference:9.1e}" for row in rows]
    return "\n".join([f"{'network':14}{'type':5}{'output':18}{'largest':>9}", *lines])


@pytest.mark.parametrize("network", NETWORKS)
def test_golden(network: str, record_property: Callable[[str, object], None]) -> None:
    rows = largest_differences(network)
    print(f"\n{table(rows)}")
    for row in rows:
        record_property(f"{row.network} {row.precision} {row.output}", row.difference)
    assert len(rows) == {"swinface": 14, "clip-vit-b32": 6}.get(network, 6)
    assert all(row.difference <= BAR[row.precision] for row in rows), table(rows)


@pytest.mark.parametrize("name", ["ir_18", "ir_50", "ir_101"])
def test_adaface_has_the_official_keys_and_shapes(name: str) -> None:
    with torch.device("meta"):
        state = AdaFace(name).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == _shapes("adaface")[name]


def test_adaface_parameters_are_as_many_as_measured() -> None:
    expected = {"ir_18": 24_020_352, "ir_50": 43_585_600, "ir_101": 65_150_912}
    with torch.device("meta"):
        found = {name: sum(p.numel() for p in AdaFace(name).parameters()) for name in expected}
    assert found == expected


def test_adaface_unknown_name() -> None:
    with pytest.raises(EncoderError, match=r"one of ir_18, ir_34, ir_50, ir_101; found 'ir_se_50'"):
        AdaFace("ir_se_50")


def test_flip_fusion_adds_the_vectors_before_normalising() -> None:
    network = _filled_adaface("ir_18")
    image = fill_rule.image("input", (2, 3, 112, 112))
    with torch.inference_mode():
        feature, norm = network(image)
        mirrored, mirrored_norm = network(image.flip(3))
        fused, fused_norm = FlipFusion(network)(image)
    expected = (feature * norm + mirrored * mirrored_norm).numpy()
    length = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(fused.numpy(), expected / length, rtol=0, atol=2e-6)
    np.testing.assert_allclose(fused_norm.numpy(), length, rtol=1e-5)
    assert np.abs(fused.numpy() - feature.numpy()).max() > 1e-3


def test_linear_prelu_is_prelu() -> None:
    original = torch.nn.PReLU(3)
    with torch.no_grad():
        original.weight.copy_(torch.tensor([-0.5, 0.25, 1.75]))
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(LinearPReLU(original)(x), original(x))


def test_replace_prelu_leaves_none() -> None:
    network = AdaFace("ir_18")
    replace_prelu(network)
    kinds = [type(module) for module in network.modules()]
    assert torch.nn.PReLU not in kinds
    assert kinds.count(LinearPReLU) == 9


def test_swinface_has_the_official_keys_and_shapes() -> None:
    state = SwinFace().state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == _shapes("swinface")
    parameters = sum(value.numel() for name, value in SwinFace().named_parameters())
    assert (len(state), parameters) == (473, 67_809_266)


def test_heads_stand_in_the_official_order() -> None:
    columns = json.loads((GOLDEN / "swinface_heads.json").read_text())["heads_columns"]
    assert [(head.task, head.width) for head in HEADS] == [(each["task"], each["width"]) for each in columns]
    assert HEAD_COLUMNS == 88
    assert [column for head in HEADS for column in range(88)[head.columns]] == list(range(88))


def test_heads_read_the_official_branch_and_layer() -> None:
    heads = {head.task: head for head in HEADS}
    assert (heads["Gender"].branch, heads["Gender"].position) == (0, 0)
    assert (heads["Age"].branch, heads["Age"].position) == (1, 1)
    assert (heads["Expression"].branch, heads["Expression"].position) == (2, 3)
    assert (heads["Wearing Hat"].branch, heads["Wearing Hat"].position) == (4, 20)
    assert (heads["Wearing Necktie"].branch, heads["Wearing Necktie"].position) == (10, 41)
    assert [len(tasks) for tasks in BRANCHES] == [1, 2, 2, 6, 10, 5, 2, 4, 6, 2, 2]
    assert sorted(head.position for head in HEADS) == list(range(42))


def test_heads_polarity() -> None:
    classes = {head.task: head.classes for head in HEADS}
    assert classes["Gender"] == ("Female", "Male")
    assert classes["Expression"] == ("Surprise", "Fear", "Disgust", "Happy", "Sad", "Anger", "Neutral")
    assert classes["Age"] == ()
    assert all(
        value == ("No", "Yes") for key, value in classes.items() if len(value) == 2 and key != "Gender"
    )


def test_heads_need_no_torch() -> None:
    code = "import sys, clip_smu.encoders.swinface_heads; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_clip_official_keys_and_shapes() -> None:
    expected = {key: tuple(shape) for key, shape in _shapes("clip_vitb32")["shapes"].items()}
    assert clip.official_shapes(32) == expected


@pytest.mark.parametrize("patch", [32, 16])
def test_clip_keys_map_onto_transformers(patch: int) -> None:
    with torch.device("meta"):
        ours = clip.clip_model(patch).state_dict()
        official = {key: torch.empty(shape) for key, shape in clip.official_shapes(patch).items()}
    mapped = clip.to_transformers(official)
    assert {key: value.shape for key, value in mapped.items()} == {
        key: value.shape for key, value in ours.items()
    }


def test_fill_rule_gives_the_recorded_values() -> None:
    rule = json.loads((GOLDEN / "fill_rule.json").read_text())
    assert fill_rule.numbers("input", 6).tolist() == rule['u_("input",6)']
    assert fill_rule.numbers("x", 3).tolist() == rule['u_("x",3)']
    image = fill_rule.image("input", (2, 3, 112, 112))
    assert image[0, 0, 0, :4].tolist() == rule["input_()[0,0,0,:4]"]
    assert image[1, 2, 111, 108:].tolist() == rule["input_()[1,2,111,108:]"]
    assert float(image.double().sum()) == rule["input_().double().sum()"]
    toy = rule["fill_(toy_state_dict, gain=0.7)"]
    ours = fill_rule.filled({key: tuple(each["shape"]) for key, each in toy.items()}, gain=0.7)
    assert set(toy) - set(ours) == {"a.bn.num_batches_tracked"}
    for key, value in ours.items():
        assert value.flatten()[:4].tolist() == toy[key]["first"], key
        assert float(value.double().sum()) == pytest.approx(toy[key]["sum"], abs=1e-12), key


def test_fill_rule_equals_its_recorded_source() -> None:
    source: dict[str, Callable[..., object]] = {}
    exec(json.loads((GOLDEN / "fill_rule.json").read_text())["source"], source)
    theirs, ours = torch.nn.Module(), torch.nn.Module()
    for network in (theirs, ours):
        network.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.PReLU(4), torch.nn.Linear(4, 2)
        )
    source["fill_"](theirs.state_dict(), gain=0.7)
    fill_rule.fill(ours, gain=0.7)
    for key, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[key]), key
    shape = (2, 3, 224, 224)
    assert torch.equal(fill_rule.image("clip_input", shape), source["input_"]("clip_input", shape))


def _adaface(name: str) -> Iterator[Row]:
    network = _filled_adaface(name)
    image = fill_rule.image("input", (2, 3, 112, 112))
    with np.load(GOLDEN / "adaface_golden.npz") as golden:
        for precision, dtype in PRECISIONS.items():
            network.to(dtype)
            with _mean_magnitudes([network.input_layer, *network.body]) as probe, torch.inference_mode():
                feature, norm = network(image.to(dtype))
            found = {"feature": feature, "norm": norm, "probe": np.array(probe.values)}
            yield from _rows(name, precision, found, golden, f"{name}_{precision}_")


def _swinface() -> Iterator[Row]:
    network = SwinFace().eval()
    fill_rule.fill(network, fill_rule.GAIN["swinface"])
    backbone = network.backbone
    steps = [backbone.patch_embed]
    for stage in backbone.layers:
        steps += [*stage.blocks, *([stage.downsample] if stage.downsample is not None else [])]
    with np.load(GOLDEN / "swinface_golden.npz") as golden:
        for precision, dtype in PRECISIONS.items():
            network.to(dtype)
            image = fill_rule.image("input", (2, 3, 112, 112)).to(dtype)
            with _mean_magnitudes(steps) as probe, torch.inference_mode():
                local, last, embedding = backbone(image)
                values = np.array(probe.values)
                fam = network.fam(torch.cat([local, last], dim=1))
                tss = network.tss(fam)
                heads = network(image)[1]
            every = {"f32": 16, "f64": 64}[precision]  # the float64 arrays are thinned four times more
            thin = {"f32": 1, "f64": 8}[precision]
            found = {
                "embedding": embedding,
                "probe": values,
                "fam": fam[..., ::thin],
                "tss": tss[..., ::thin],
                "local_every16": local[:, ::every],
                "global_every16": last[:, ::every],
                "heads": heads,
            }
            yield from _rows("swinface", precision, found, golden, f"{precision}_")


def _clip() -> Iterator[Row]:
    official = fill_rule.filled(clip.official_shapes(32), fill_rule.GAIN["clip"])
    model = clip.clip_model(32)
    model.load_state_dict(clip.to_transformers(official))
    with np.load(GOLDEN / "clip_vitb32_golden.npz") as golden:
        tokens = torch.from_numpy(golden["tokens"]).long()
        image = fill_rule.image("clip_input", (2, 3, 224, 224))
        for precision, dtype in PRECISIONS.items():
            model.to(dtype)
            with torch.inference_mode():
                template = clip.ImageTower(model)(image.to(dtype))
                text = clip.TextTower(model)(tokens)
                logits = clip.logits_per_image(template, text, model.logit_scale)
            found = {"image": template, "text": text, "logits_per_image": logits}
            yield from _rows("clip-vit-b32", precision, found, golden, f"{precision}_")


def _rows(
    network: str, precision: str, found: dict, golden: np.lib.npyio.NpzFile, prefix: str
) -> Iterator[Row]:
    recorded = {key.removeprefix(prefix) for key in golden.files if key.startswith(prefix)}
    assert recorded == set(found)
    for output, value in found.items():
        reference = golden[prefix + output]
        ours = np.asarray(value)
        assert ours.shape == reference.shape, output
        difference = float(np.abs(ours - reference).max() / np.abs(reference).max())
        yield Row(network, precision, output, difference)


def _filled_adaface(name: str) -> AdaFace:
    network = AdaFace(name).eval()
    fill_rule.fill(network, fill_rule.GAIN["adaface"])
    return network


class _mean_magnitudes:  # noqa: N801 (a context, used like a function)
    """Collects, for each layer, the mean magnitude of its output for each image: the golden ``probe``."""

    def __init__(self, layers: list[torch.nn.Module]) -> None:
        self.layers, self.values = layers, []

    def __enter__(self) -> _mean_magnitudes:
        self.hooks = [layer.register_forward_hook(self._keep) for layer in self.layers]
        return self

    def _keep(self, layer: object, inputs: object, output: torch.Tensor) -> None:
        self.values.append(output.double().flatten(1).abs().mean(dim=1).tolist())

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()


def _shapes(family: str) -> dict:
    return json.loads((GOLDEN / f"{family}_state_dict_shapes.json").read_text())
