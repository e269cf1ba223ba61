"""AdaFace (Kim et al., CVPR 2022): the improved residual network that gives a template and its norm."""

from __future__ import annotations

from clip_smu.errors import EncoderError, MissingExtraError

try:
    import torch
    from torch import Tensor, nn
except ImportError as missing:
    raise MissingExtraError("converting checkpoints", "train") from missing

UNITS: dict[str, tuple[int, int, int, int]] = {
    "ir_18": (2, 2, 2, 2),
    "ir_34": (3, 4, 6, 3),
    "ir_50": (3, 4, 14, 3),
    "ir_101": (3, 13, 30, 3),
}
"""Residual units in the four stages."""

WIDTHS = (64, 128, 256, 512)
DIM = 512
GRID = 7  # 112 pixels, halved by each of the four stages


class AdaFace(nn.Module):
    """The backbone with the keys of the official ``net.build_model(name).state_dict()``.

    Input (B, 3, 112, 112) float, channels **BGR**, values ``(x / 255 - 0.5) / 0.5``.
    Output ``(feature, norm)``: unit vectors (B, 512), and (B, 1) the length that was divided out, which
    AdaFace reads as image quality.

    Args:
        name: a key of :data:`UNITS`.

    Raises:
        EncoderError: the name is not one of them.

    Example:
        >>> network = AdaFace("ir_18").eval()
        >>> feature, norm = network(torch.zeros(2, 3, 112, 112))
        >>> feature.shape, norm.shape
        (torch.Size([2, 512]), torch.Size([2, 1]))
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in UNITS:
            raise EncoderError(f"expected an AdaFace network, one of {', '.join(UNITS)}; found {name!r}")
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.PReLU(WIDTHS[0])
        )
        units: list[nn.Module] = []
        width = WIDTHS[0]
        for out, count in zip(WIDTHS, UNITS[name], strict=True):
            for position in range(count):
                units.append(Unit(width, out, stride=2 if position == 0 else 1))
                width = out
        self.body = nn.Sequential(*units)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(width * GRID * GRID, DIM),
            nn.BatchNorm1d(DIM, affine=False),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return split_norm(self.raw(image))

    def raw(self, image: Tensor) -> Tensor:
        """(B, 512): the vector whose direction is the feature and whose length is the norm."""
        vector: Tensor = self.output_layer(self.body(self.input_layer(image)))
        return vector


class Unit(nn.Module):
    """One residual unit: BN, 3x3, BN, PReLU, 3x3 with the stride, BN; beside it a shortcut."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if width == out:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Conv2d(width, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.PReLU(out),
            nn.Conv2d(out, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return result


class FlipFusion(nn.Module):
    """AdaFace's official test-time fusion: the vectors of image and mirror image, added, then normalised.

    Input and output as :class:`AdaFace`; the norm is that of the sum. Both run as one batch, so that an
    exported graph holds the network once.
    """

    def __init__(self, network: AdaFace) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        both = self.network.raw(torch.cat([image, image.flip(3)]))  # (2 B, 512)
        return split_norm(both.reshape(2, -1, DIM).sum(dim=0))


class LinearPReLU(nn.Module):
    """PReLU as ``slope * x + (1 - slope) * relu(x)``: the same function in operators that run faster.

    ONNX Runtime's own PReLU leaves the memory layout of the convolutions: with it ir_50 at batch 32 took
    about a tenth longer (onnxruntime 1.32, two threads).
    """

    def __init__(self, original: nn.PReLU) -> None:
        super().__init__()
        self.register_buffer("slope", original.weight.detach().reshape(1, -1, 1, 1).clone())
        self.slope: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x + (1 - self.slope) * x.relu()


def replace_prelu(network: nn.Module) -> None:
    """Puts :class:`LinearPReLU` in the place of every PReLU, before an export to ONNX."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.PReLU):
                setattr(module, name, LinearPReLU(child))


def split_norm(raw: Tensor) -> tuple[Tensor, Tensor]:
    """(B, d) vectors to unit vectors (B, d) and their lengths (B, 1)."""
    norm = torch.linalg.vector_norm(raw, dim=1, keepdim=True)
    return raw / norm, norm
