"""Turns an official checkpoint into an ONNX file and accepts it only if both give the same numbers."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from clip_smu.encoders.conversion.adaface import AdaFace, FlipFusion, replace_prelu
from clip_smu.encoders.conversion.checkpoints import match_keys, read_state_dict
from clip_smu.encoders.conversion.swinface import SwinFace
from clip_smu.errors import EncoderError, InputError, MissingExtraError, StorageError
from clip_smu.storage.digests import file_digest
from clip_smu.storage.onnx_sessions import onnx_session
from clip_smu.storage.output_paths import require_output

try:
    import onnx  # noqa: F401  (the exporter needs it)
    import torch
    from torch import Tensor, nn
except ImportError as missing:
    raise MissingExtraError("converting checkpoints", "train") from missing

OPSET = 17
TOLERANCE = 1e-4  # largest difference from PyTorch, relative to the largest number; 2e-6 is usual
TINY = 1e-30  # keeps a division from 0 / 0 when all outputs are 0
BATCHES = (1, 3)  # compared at both; the graph is traced at 2
TRACED_BATCH = 2
SEED = 0

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Architecture:
    """A network that can be converted.

    Attributes:
        name: as the command line and the encoder cards call it.
        dim: length of the first output.
        input_name: ``image``, float32 (B, 3, side, side), or ``input_ids``, int64 (B, L).
        side: image side in pixels; 0 for text.
        outputs: names, in order.
        build: makes the network from a checkpoint's arrays.
    """

    name: str
    dim: int
    input_name: str
    side: int
    outputs: tuple[str, ...]
    build: Callable[[State], nn.Module]


@dataclass(frozen=True)
class Converted:
    """An accepted ONNX file.

    Attributes:
        path: the file.
        sha256: of its bytes.
        architecture: a name in :data:`ARCHITECTURES`.
        dim: length of its first output.
        largest_difference: from PyTorch on random inputs, over all outputs, each relative to its largest
            number.
        opset: of the ONNX operators.
    """

    path: Path
    sha256: str
    architecture: str
    dim: int
    largest_difference: float
    opset: int


def convert(checkpoint: Path, architecture: str, out_folder: Path, *, flip_fusion: bool = False) -> Converted:
    """Writes ``<architecture>.onnx`` (``<architecture>-flip.onnx``) from an official checkpoint.

    Inputs are what the official network takes: pixels already normalised, for AdaFace in BGR, for SwinFace
    and CLIP in RGB. Every axis of the batch is free, and the length of ``input_ids`` up to 77. Outputs:
    ``template`` (B, 512); beside it ``norm`` (B, 1) for AdaFace, ``heads`` (B, 88) for
    ``swinface-heads`` (columns in :mod:`clip_smu.encoders.swinface_heads`); ``text`` (B, 512) for CLIP's text tower.

    Args:
        checkpoint: AdaFace's Lightning .ckpt or CVLFace's safetensors, SwinFace's .pt, OpenAI's TorchScript
            .pt or the safetensors of transformers.
        architecture: a name in :data:`ARCHITECTURES`.
        out_folder: made if it is not there.
        flip_fusion: AdaFace only: add the mirror image's vector before normalising.

    Raises:
        InputError: unknown architecture, no such file, or flip fusion of another network than AdaFace.
        EncoderError: the checkpoint is refused, does not fit, or ONNX Runtime computes something else.
        StorageError: the folder cannot be written.

    Example:
        >>> convert(Path("adaface_ir50_ms1mv2.ckpt"), "adaface-ir50", Path("."))  # doctest: +SKIP
    """
    wanted = _find(architecture)
    require_output(out_folder, folder=True)
    if flip_fusion and not architecture.startswith("adaface"):
        raise InputError(f"flip fusion is AdaFace's; {architecture} has none: leave the option out")
    name = f"{architecture}-flip.onnx" if flip_fusion else f"{architecture}.onnx"
    try:
        out_folder.mkdir(parents=True, exist_ok=True)
        network = wanted.build(read_state_dict(checkpoint))
        if flip_fusion:
            network = FlipFusion(network)  # type: ignore[arg-type]
        network.eval()
        expected = [(inputs, _outputs(network, inputs, checkpoint)) for inputs in _random_inputs(wanted)]
        replace_prelu(network)
        with tempfile.TemporaryDirectory(dir=out_folder, prefix=".convert-") as scratch:
            written = Path(scratch) / name
            _export(network, wanted, written)
            difference = _largest_difference(written, wanted, expected)
            digest = file_digest(written)
            path = written.replace(out_folder / name)
    except OSError as failed:
        raise StorageError(
            f"expected to write {name} in {out_folder}, found: {failed}; choose another folder"
        ) from failed
    return Converted(path, digest, architecture, wanted.dim, difference, OPSET)


def _find(name: str) -> Architecture:
    for architecture in ARCHITECTURES:
        if architecture.name == name:
            return architecture
    known = ", ".join(each.name for each in ARCHITECTURES)
    raise InputError(f"expected an architecture, one of {known}; found {name!r}")


def _random_inputs(wanted: Architecture) -> list[Tensor]:
    """A batch of one and a batch of three; captions also in two lengths."""
    generator = torch.Generator().manual_seed(SEED)
    if wanted.side:
        shape = (3, wanted.side, wanted.side)
        return [torch.rand(batch, *shape, generator=generator) * 2 - 1 for batch in BATCHES]
    from clip_smu.encoders.conversion import clip

    inputs = []
    for batch, length in zip(BATCHES, (clip.CONTEXT // 4, clip.CONTEXT), strict=True):
        tokens = torch.randint(1, clip.END_OF_TEXT, (batch, length), generator=generator)
        ends = torch.randint(1, length, (batch,), generator=generator)
        tokens[torch.arange(batch), ends] = clip.END_OF_TEXT
        inputs.append(tokens)
    return inputs


def _outputs(network: nn.Module, inputs: Tensor, checkpoint: Path) -> list[np.ndarray]:
    with torch.inference_mode():
        outputs = network(inputs)
    arrays = [each.numpy() for each in (outputs if isinstance(outputs, tuple) else (outputs,))]
    if not all(np.isfinite(each).all() for each in arrays):
        raise EncoderError(
            f"expected finite outputs, found NaN or infinity with the weights of {checkpoint}; fetch it again"
        )
    return arrays


def _export(network: nn.Module, wanted: Architecture, path: Path) -> None:
    inputs = _random_inputs(wanted)[-1][:TRACED_BATCH]
    axes = {name: {0: "batch"} for name in (wanted.input_name, *wanted.outputs)}
    if not wanted.side:
        axes[wanted.input_name][1] = "length"
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter's own: it is deprecated, and traces Python numbers
        torch.onnx.export(
            network,
            (inputs,),
            str(path),
            dynamo=False,  # the newer exporter needs one more package, onnxscript
            opset_version=OPSET,
            input_names=[wanted.input_name],
            output_names=list(wanted.outputs),
            dynamic_axes=axes,
        )


def _largest_difference(
    path: Path, wanted: Architecture, expected: list[tuple[Tensor, list[np.ndarray]]]
) -> float:
    session = onnx_session(path)
    largest = 0.0
    for inputs, references in expected:
        found = session.run(list(wanted.outputs), {wanted.input_name: inputs.numpy()})
        for name, ours, reference in zip(wanted.outputs, found, references, strict=True):
            difference = float(np.abs(ours - reference).max() / max(np.abs(reference).max(), TINY))
            if not difference <= TOLERANCE:  # also when it is not a number
                raise EncoderError(
                    f"expected ONNX Runtime within {TOLERANCE} of PyTorch for {name} of {wanted.name}, found"
                    f" {difference:.1e} at batch {len(inputs)}; nothing was written; report this"
                )
            largest = max(largest, difference)
    return largest


def _adaface(name: str, state: State) -> nn.Module:
    network = AdaFace(name)
    _load(network, state, f"AdaFace {name}")
    return network


def _swinface(state: State, *, heads: bool) -> nn.Module:
    network = SwinFace()
    _load(network, state, "SwinFace")
    return network if heads else _TemplateOnly(network)


class _TemplateOnly(nn.Module):
    """SwinFace without its branches: (B, 512)."""

    def __init__(self, network: SwinFace) -> None:
        super().__init__()
        self.backbone = network.backbone

    def forward(self, image: Tensor) -> Tensor:
        template: Tensor = self.backbone(image)[2]
        return template


def _clip(patch: int, state: State, *, text: bool) -> nn.Module:
    from clip_smu.encoders.conversion import clip  # transformers takes seconds to import

    what, shapes = f"CLIP ViT-B/{patch}", clip.official_shapes(patch)
    if any(key.endswith("visual.conv1.weight") for key in state):
        renamed = clip.to_transformers(match_keys(shapes, state, what))
    else:
        nameless = clip.to_transformers(
            {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
        )
        renamed = match_keys({key: tuple(value.shape) for key, value in nameless.items()}, state, what)
    model = clip.clip_model(patch)
    model.load_state_dict(renamed)  # casts to float32
    return clip.TextTower(model) if text else clip.ImageTower(model)


def _load(network: nn.Module, state: State, what: str) -> None:
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(match_keys(shapes, state, what), strict=False)  # casts to float32; counters apart


ARCHITECTURES = (
    *(
        Architecture(
            f"adaface-{name.replace('_', '')}",
            512,
            "image",
            112,
            ("template", "norm"),
            partial(_adaface, name),
        )
        for name in ("ir_18", "ir_34", "ir_50", "ir_101")
    ),
    Architecture("swinface", 512, "image", 112, ("template",), partial(_swinface, heads=False)),
    Architecture("swinface-heads", 512, "image", 112, ("template", "heads"), partial(_swinface, heads=True)),
    Architecture("clip-vit-b32", 512, "image", 224, ("template",), partial(_clip, 32, text=False)),
    Architecture("clip-vit-b16", 512, "image", 224, ("template",), partial(_clip, 16, text=False)),
    Architecture("clip-vit-b32-text", 512, "input_ids", 0, ("text",), partial(_clip, 32, text=True)),
    Architecture("clip-vit-b16-text", 512, "input_ids", 0, ("text",), partial(_clip, 16, text=True)),
)
"""All that can be converted."""
