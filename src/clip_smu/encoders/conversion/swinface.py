"""SwinFace (Qin et al., TCSVT 2023): a Swin transformer for templates, and 42 heads that read the face."""

from __future__ import annotations

from collections.abc import Sequence

from clip_smu.encoders.swinface_heads import BRANCHES, HEADS
from clip_smu.errors import MissingExtraError

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as missing:
    raise MissingExtraError("converting checkpoints", "train") from missing

IMAGE = 112
PATCH = 2
WIDTH = 96
DEPTHS = (2, 2, 6, 2)
ATTENTION_HEADS = (3, 6, 12, 24)
WINDOW = 7
DIM = 512
FEATURE_EPS = 2e-5  # of the BatchNorms after the backbone; the backbone's LayerNorms have 1e-5
MASKED = -100.0

SPLIT_IN = (192, 384, 768, 768)  # channels of the three merged stages and of the last one
SPLIT_OUT = (47, 93, 186, 186)


class SwinFace(nn.Module):
    """Backbone, attention branches, task subnets and heads, with the official keys.

    The keys are those of the checkpoint's four state dicts with ``backbone.``, ``fam.``, ``tss.`` and
    ``om.`` in front. Input (B, 3, 112, 112) float, channels **RGB**, values ``(x / 255 - 0.5) / 0.5``.
    Output ``(template, heads)``: (B, 512), **not** L2-normalised, and (B, 88), the heads' raw outputs in
    the order of :data:`clip_smu.encoders.swinface_heads.HEADS`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = SwinBackbone()
        self.fam = AttentionBranches()
        self.tss = TaskSubnets()
        self.om = Heads()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        local, last, template = self.backbone(image)
        branches = self.tss(self.fam(torch.cat([local, last], dim=1)))
        return template, self.om(branches)


class SwinBackbone(nn.Module):
    """Swin-T with patches of 2 pixels on 112x112 images: grids of 56, 28, 14 and 7 tokens a side.

    Output ``(local, last, template)``: (B, 1344, 7, 7), the outputs of the first three stages after
    merging, pooled to 7x7; (B, 768, 7, 7), the last stage before the final LayerNorm; (B, 512).
    """

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding()
        stages: list[nn.Module] = []
        for number, (depth, heads) in enumerate(zip(DEPTHS, ATTENTION_HEADS, strict=True)):
            grid = IMAGE // PATCH >> number
            stages.append(Stage(WIDTH << number, grid, depth, heads, merge=number < len(DEPTHS) - 1))
        self.layers = nn.ModuleList(stages)
        self.sides = (28, 14, 7, 7)  # of the grids that the stages give
        width = WIDTH << (len(DEPTHS) - 1)
        self.norm = nn.LayerNorm(width)
        self.feature = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width, eps=FEATURE_EPS),
            nn.Linear(width, DIM, bias=False),
            nn.BatchNorm1d(DIM, eps=FEATURE_EPS),
        )
        self.head = nn.Linear(width, DIM)  # stands in the official checkpoint and is never used

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        tokens = self.patch_embed(image)  # (B, 56 * 56, 96)
        maps = []
        for stage, side in zip(self.layers, self.sides, strict=True):
            tokens = stage(tokens)  # (B, side * side, C)
            as_map = tokens.transpose(1, 2).unflatten(2, (side, side))
            maps.append(functional.avg_pool2d(as_map, side // WINDOW))
        template = self.feature(self.norm(tokens).mean(dim=1))
        return torch.cat(maps[:-1], dim=1), maps[-1], template


class PatchEmbedding(nn.Module):
    """(B, 3, 112, 112) to tokens (B, 3136, 96)."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, image: Tensor) -> Tensor:
        tokens: Tensor = self.norm(self.proj(image).flatten(2).transpose(1, 2))
        return tokens


class Stage(nn.Module):
    """Blocks on one grid, then a merge of 2x2 tokens, except after the last stage."""

    def __init__(self, width: int, grid: int, depth: int, heads: int, merge: bool) -> None:
        super().__init__()
        shift = WINDOW // 2 if grid > WINDOW else 0
        self.blocks = nn.Sequential(
            *(Block(width, grid, heads, shift if number % 2 else 0) for number in range(depth))
        )
        self.downsample = Merge(width, grid) if merge else None

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.blocks(tokens)
        return tokens if self.downsample is None else self.downsample(tokens)


class Block(nn.Module):
    """A transformer block whose attention stays inside windows of 7x7 tokens, shifted or not."""

    def __init__(self, width: int, grid: int, heads: int, shift: int) -> None:
        super().__init__()
        self.grid, self.shift = grid, shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width)
        self.attn_mask: Tensor | None
        self.register_buffer("attn_mask", shift_mask(grid, shift) if shift else None)

    def forward(self, tokens: Tensor) -> Tensor:
        width = tokens.shape[-1]
        grid, shift, count = self.grid, self.shift, self.grid // WINDOW
        x = self.norm1(tokens).reshape(-1, grid, grid, width)
        if shift:
            x = torch.roll(x, (-shift, -shift), dims=(1, 2))
        x = x.reshape(-1, count, WINDOW, count, WINDOW, width).transpose(2, 3)
        x = x.reshape(-1, count * count, WINDOW * WINDOW, width)  # (B, windows, 49, C)
        x = self.attn(x, self.attn_mask)
        x = x.reshape(-1, count, count, WINDOW, WINDOW, width).transpose(2, 3)
        x = x.reshape(-1, grid, grid, width)
        if shift:
            x = torch.roll(x, (shift, shift), dims=(1, 2))
        tokens = tokens + x.reshape(-1, grid * grid, width)
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


class WindowAttention(nn.Module):
    """Multi-head attention in windows, with a learned bias for each relative position."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        self.relative_position_index: Tensor
        self.register_buffer("relative_position_index", relative_positions())

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, windows, 49, C); mask (windows, 49, 49), 0 where a pair may attend."""
        _, windows, length, width = x.shape
        each = width // self.heads
        qkv = self.qkv(x).reshape(-1, windows, length, 3, self.heads, each).permute(3, 0, 1, 4, 2, 5)
        q, k, v = qkv[0] * each**-0.5, qkv[1], qkv[2]  # (B, windows, heads, 49, C / heads)
        bias = self.relative_position_bias_table[self.relative_position_index.reshape(-1)]
        scores = q @ k.transpose(-2, -1) + bias.reshape(length, length, self.heads).permute(2, 0, 1)
        if mask is not None:
            scores = scores + mask.unsqueeze(1)
        mixed = (scores.softmax(dim=-1) @ v).transpose(2, 3).reshape(-1, windows, length, width)
        result: Tensor = self.proj(mixed)
        return result


class MLP(nn.Module):
    """Two dense layers with an exact GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return result


class Merge(nn.Module):
    """Tokens (B, g * g, C) to (B, g * g / 4, 2 C): 2x2 neighbours side by side, then one dense layer."""

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        half, width = self.grid // 2, tokens.shape[-1]
        x = tokens.reshape(-1, half, 2, half, 2, width)  # (B, row, row offset, column, column offset, C)
        x = x.permute(0, 1, 3, 4, 2, 5)  # official order of the four: (0,0) (1,0) (0,1) (1,1)
        result: Tensor = self.reduction(self.norm(x.reshape(-1, half * half, 4 * width)))
        return result


class AttentionBranches(nn.Module):
    """The 11 feature attention nets: maps (B, 2112, 7, 7) to (11, B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleList(AttentionBranch() for _ in BRANCHES)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.stack([net(maps) for net in self.nets])


class AttentionBranch(nn.Module):
    """Separate convolutions per stage, a gate on channels, ReLU, maximum over places, BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = SplitConvolution()
        self.channel_attention = ChannelGate()
        self.norm = nn.BatchNorm1d(DIM, eps=FEATURE_EPS)

    def forward(self, maps: Tensor) -> Tensor:
        gated = functional.relu(self.channel_attention(self.conv(maps)))
        result: Tensor = self.norm(gated.amax(dim=(2, 3)))
        return result


class SplitConvolution(nn.Module):
    """One 3x3 convolution for each stage's channels, their outputs side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(width, out, 3, 1, 1, bias=False) for width, out in zip(SPLIT_IN, SPLIT_OUT, strict=True)
        )

    def forward(self, maps: Tensor) -> Tensor:
        parts: Sequence[Tensor] = torch.split_with_sizes(maps, SPLIT_IN, dim=1)
        return torch.cat([conv(part) for conv, part in zip(self.convs, parts, strict=True)], dim=1)


class ChannelGate(nn.Module):
    """CBAM's channel attention: one small MLP on the average and on the maximum, added, sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(DIM, DIM // 16), nn.ReLU(), nn.Linear(DIM // 16, DIM)
        )

    def forward(self, x: Tensor) -> Tensor:
        gate = self.mlp(x.mean(dim=(2, 3))) + self.mlp(x.amax(dim=(2, 3)))
        result: Tensor = x * gate.sigmoid()[:, :, None, None]
        return result


class TaskSubnets(nn.Module):
    """Two dense layers for each branch: (11, B, 512) to (11, B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleList(TaskSubnet() for _ in BRANCHES)

    def forward(self, branches: Tensor) -> Tensor:
        return torch.stack([net(branches[number]) for number, net in enumerate(self.nets)])


class TaskSubnet(nn.Module):
    """Linear, ReLU, dropout, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.feature = nn.Sequential(
            *(nn.Linear(DIM, DIM), nn.ReLU(), nn.Dropout(0.5)),
            *(nn.Linear(DIM, DIM), nn.ReLU(), nn.Dropout(0.5)),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.feature(x)
        return result


class Heads(nn.Module):
    """The 42 dense heads: (11, B, 512) to (B, 88), in the order of the official result."""

    def __init__(self) -> None:
        super().__init__()
        stored = sorted(HEADS, key=lambda head: head.position)
        self.output_fcs = nn.ModuleList(nn.Linear(DIM, head.width) for head in stored)

    def forward(self, branches: Tensor) -> Tensor:
        return torch.cat([self.output_fcs[head.position](branches[head.branch]) for head in HEADS], dim=1)


def relative_positions() -> Tensor:
    """(49, 49) int64: the row of the bias table for each pair of places in a window."""
    place = torch.arange(WINDOW)
    rows, columns = (axis.flatten() for axis in torch.meshgrid(place, place, indexing="ij"))
    down = rows[:, None] - rows[None, :] + WINDOW - 1
    right = columns[:, None] - columns[None, :] + WINDOW - 1
    return down * (2 * WINDOW - 1) + right


def shift_mask(grid: int, shift: int) -> Tensor:
    """(windows, 49, 49): 0 for pairs that were neighbours before the shift, -100 for the others."""
    region = torch.zeros(grid, dtype=torch.long)
    region[grid - WINDOW : grid - shift] = 1
    region[grid - shift :] = 2
    labels = 3 * region[:, None] + region[None, :]
    count = grid // WINDOW
    windows = labels.reshape(count, WINDOW, count, WINDOW).transpose(1, 2).reshape(count * count, -1)
    return (windows[:, :, None] != windows[:, None, :]) * MASKED
