"""Checkpoints of every form are read as weights alone; a pickle that would run something is refused."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import types
import warnings
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from clip_smu.encoders.conversion.checkpoints import check_keys, match_keys, read_state_dict  # noqa: E402
from clip_smu.errors import EncoderError, InputError  # noqa: E402


def small() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))


def shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def same(found: dict, expected: dict) -> bool:
    return set(found) == set(expected) and all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.fixture
def lightning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Lightning checkpoint: weights, the head, optimiser state, and classes of the framework."""
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")

    class ModelCheckpoint:
        pass

    class AttributeDict(dict):
        pass

    for each in (ModelCheckpoint, AttributeDict):
        each.__module__, each.__qualname__ = module.__name__, each.__name__
        setattr(module, each.__name__, each)
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    state = {f"model.{key}": value for key, value in small().state_dict().items()}
    state |= {"head.kernel": torch.ones(4, 9), "head.t": torch.zeros(1), "head.batch_mean": torch.ones(1)}
    path = tmp_path / "adaface.ckpt"
    torch.save(
        {
            "epoch": 25,
            "pytorch-lightning_version": "1.4.4",
            "state_dict": state,
            "callbacks": {
                ModelCheckpoint: {"best_model_score": torch.tensor(0.9), "made_by": ModelCheckpoint()}
            },
            "optimizer_states": [{"state": {0: {"momentum_buffer": torch.ones(3)}}}],
            "hyper_parameters": AttributeDict(lr=0.1, lr_milestones=[12, 20]),
        },
        path,
    )
    for name in (module.__name__, "pytorch_lightning.callbacks", "pytorch_lightning"):
        monkeypatch.delitem(sys.modules, name)
    return path


def test_lightning_checkpoint_without_lightning(lightning: Path) -> None:
    assert same(read_state_dict(lightning, prefix="model."), small().state_dict())
    assert read_state_dict(lightning, prefix="head.")["kernel"].shape == (4, 9)
    assert not any(name.startswith("pytorch_lightning") for name in sys.modules)


def test_prefix_is_found_and_the_head_left_out(lightning: Path) -> None:
    found = match_keys(shapes(small()), read_state_dict(lightning), "a small network")
    assert same(found, small().state_dict())


def test_swinface_dictionary(tmp_path: Path) -> None:
    parts = {part: torch.nn.Linear(2, 3).state_dict() for part in ("backbone", "fam", "tss", "om")}
    others = {
        "epoch": 3,
        "state_dict_softmax_fc": {"weight": torch.ones(1)},
        "state_lr_scheduler": {"base_lrs": [1]},
    }
    torch.save({f"state_dict_{part}": state for part, state in parts.items()} | others, tmp_path / "c.pt")
    expected = {f"{part}.{key}": value for part, state in parts.items() for key, value in state.items()}
    assert same(read_state_dict(tmp_path / "c.pt"), expected)


@pytest.mark.parametrize("prefix", ["", "net.", "model.net.", "module."])
def test_safetensors_under_any_prefix(tmp_path: Path, prefix: str) -> None:
    state = {f"{prefix}{key}": value for key, value in small().state_dict().items()}
    save_file(state, tmp_path / "model.safetensors")
    found = match_keys(shapes(small()), read_state_dict(tmp_path / "model.safetensors"), "a small network")
    assert same(found, small().state_dict())


class Inner(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(2)))
        self.scale = torch.nn.Parameter(torch.tensor(0.5))
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x) * self.scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_torchscript_archive(tmp_path: Path, dtype: torch.dtype) -> None:
    network = Inner().to(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; OpenAI's file is of that form
        torch.jit.script(network).save(str(tmp_path / "ViT.pt"))
    found = read_state_dict(tmp_path / "ViT.pt")
    assert same(found, network.state_dict())
    assert found["blocks.1.weight"].dtype == dtype


def test_views_and_types_survive(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.int64).reshape(4, 6)
    state = {
        "whole": base,
        "transposed": base.t(),
        "part": base[1:3, 2:],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(True),
        "brain": torch.ones(3, dtype=torch.bfloat16),
    }
    torch.save(state, tmp_path / "a.pt")
    found = read_state_dict(tmp_path / "a.pt")
    assert same(found, {key: value.detach() for key, value in state.items()})
    assert found["brain"].dtype == torch.bfloat16


class Runs:
    """Pickles into a call of ``function(*arguments)``."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def hostile(sentinel: Path) -> dict[str, Runs]:
    return {
        "system": Runs(os.system, f"touch {sentinel}"),
        "exec": Runs(exec, f"import pathlib; pathlib.Path({str(sentinel)!r}).touch()"),
        "popen": Runs(subprocess.Popen, ["touch", str(sentinel)]),
        "getattr": Runs(getattr, "text", "upper"),
    }


@pytest.mark.parametrize("kind", ["system", "exec", "popen", "getattr"])
@pytest.mark.parametrize("form", ["inside", "whole", "raw"])
def test_a_pickle_that_executes_is_refused(tmp_path: Path, kind: str, form: str) -> None:
    sentinel = tmp_path / "executed"
    attack = hostile(sentinel)[kind]
    path = tmp_path / "model.ckpt"
    if form == "raw":
        path.write_bytes(pickle.dumps(attack))
    else:
        torch.save({"state_dict": {"a": torch.ones(2), "b": attack}} if form == "inside" else attack, path)
    with pytest.raises(EncoderError) as refused:
        read_state_dict(path)
    assert not sentinel.exists()
    message = str(refused.value)
    assert "\n" not in message
    assert str(path) in message
    if form != "raw":
        assert "could run code; nothing was run" in message


def test_the_attacks_above_are_real(tmp_path: Path) -> None:
    sentinel = tmp_path / "executed"
    for kind in ("system", "exec"):
        pickle.loads(pickle.dumps(hostile(sentinel)[kind]))
        assert sentinel.exists()
        sentinel.unlink()


def test_names_of_allowed_packages_are_not_called(tmp_path: Path) -> None:
    sentinel = tmp_path / "executed"
    attack = Runs(torch.save, [1], str(sentinel))
    torch.save({"a": torch.ones(2), "b": attack}, tmp_path / "model.pt")
    assert list(read_state_dict(tmp_path / "model.pt")) == ["a"]
    assert not sentinel.exists()


def write_archive(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(f"archive/{name}", content)


def rewritten(
    source: Path, target: Path, change: dict[str, bytes], compression: int = zipfile.ZIP_STORED
) -> None:
    with zipfile.ZipFile(source) as archive:
        files = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    write_archive(target, files | change, compression)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    torch.save({"a": torch.ones(1000)}, tmp_path / "good.pt")
    return tmp_path / "good.pt"


def test_damaged_files(tmp_path: Path, good: Path) -> None:
    bad = tmp_path / "bad.pt"
    content = good.read_bytes()
    bad.write_bytes(content[: len(content) // 2])  # an interrupted download: the directory is at the end
    with pytest.raises(EncoderError, match="another format"):
        read_state_dict(bad)
    rewritten(good, bad, {"data/0": b"\x00" * 40})
    with pytest.raises(
        EncoderError, match=r"expected 1000 numbers in archive/data/0, found 10; fetch it again"
    ):
        read_state_dict(bad)
    rewritten(good, bad, {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(EncoderError, match="found a compressed one"):
        read_state_dict(bad)
    rewritten(good, bad, {"byteorder": b"big"})
    with pytest.raises(EncoderError, match="little-endian"):
        read_state_dict(bad)
    rewritten(good, bad, {"data.pkl": b"\x80\x02}q\x00X"})
    with pytest.raises(EncoderError, match="damaged checkpoint"):
        read_state_dict(bad)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("photo.txt", "hello")
    with pytest.raises(EncoderError, match=r"found no data\.pkl in it"):
        read_state_dict(bad)


def test_a_view_larger_than_its_storage_is_refused(tmp_path: Path) -> None:
    huge = torch.ones(1).expand(10**7)
    torch.save({"a": huge}, tmp_path / "a.pt")
    with pytest.raises(EncoderError, match="expected 10000000 numbers"):
        read_state_dict(tmp_path / "a.pt")


def test_a_tree_that_contains_itself(tmp_path: Path) -> None:
    tree: dict = {}
    tree["self"] = tree
    torch.save(tree, tmp_path / "a.pt")
    with pytest.raises(EncoderError, match="damaged checkpoint"):
        read_state_dict(tmp_path / "a.pt")


def test_truncated_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(EncoderError, match="no complete safetensors file"):
        read_state_dict(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found nothing at .*gone\.pt; check the path"):
        read_state_dict(tmp_path / "gone.pt")


def test_differences_are_named() -> None:
    expected = {f"body.{number}.weight": (2, 2) for number in range(6)} | {"body.9.bias": (4,)}
    found = {"body.0.weight": torch.ones(2, 2), "body.7.weight": torch.ones(1), "body.9.bias": torch.ones(3)}
    with pytest.raises(EncoderError) as error:
        check_keys(expected, found, "AdaFace ir_50")
    assert str(error.value) == (
        "the checkpoint does not fit AdaFace ir_50, which has 7 keys:"
        " 5 missing (body.1.weight, body.2.weight, body.3.weight, …);"
        " 1 unexpected (body.7.weight);"
        " 1 of another shape (body.9.bias expected (4,) found (3,));"
        " name the network that it was trained as, or fetch the right file"
    )


def test_a_deeper_network_is_unexpected_not_cut() -> None:
    deeper = torch.nn.Sequential(*small(), torch.nn.Linear(2, 2))
    with pytest.raises(EncoderError, match=r"2 unexpected \(3\.weight, 3\.bias\)"):
        check_keys(shapes(small()), deeper.state_dict(), "a small network")
    named = torch.nn.Module()
    named.body = deeper
    expected = {f"body.{key}": shape for key, shape in shapes(small()).items()}
    with pytest.raises(EncoderError, match=r"2 unexpected \(body\.3\.weight, body\.3\.bias\)"):
        match_keys(expected, named.state_dict(), "a small network")


def test_counters_may_be_absent() -> None:
    state = {key: value for key, value in small().state_dict().items() if "num_batches" not in key}
    assert same(match_keys(shapes(small()), state, "a small network"), state)


def test_nothing_found() -> None:
    with pytest.raises(EncoderError, match="8 missing"):
        match_keys(shapes(small()), {}, "a small network")
