"""Photos a second of `clip_smu`'s MTCNN against facenet-pytorch's algorithm in PyTorch, photo by photo.

    python benchmarks/mtcnn.py --photos 200 --threads 1

Both take the same weights, thresholds, photos and number of threads, in turns within one run; beside them the search
for the main face alone, which facenet-pytorch's ``keep_all=False`` gives too, after finding all. The share of
the PyTorch loop's time that goes into its suppression (NumPy here, C++ in torchvision) is printed too.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tarfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from clip_smu.faces.detection import order
from clip_smu.faces.mtcnn import MTCNN
from clip_smu.faces.mtcnn_nets import weights

THRESHOLDS, FACTOR, MIN_FACE = (0.6, 0.7, 0.7), 0.709, 20
POOLS = {"pnet": (2,), "rnet": (3, 3), "onet": (3, 3, 2)}


class Net(torch.nn.Module):
    """P-, R- or O-net as facenet-pytorch writes them; forward gives (offsets[, points], probabilities)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        arrays = [torch.from_numpy(a) for a in weights(name)]
        heads = 3 if name == "onet" else 2
        body, tail = arrays[: -2 * heads], arrays[-2 * heads :]
        layers: list[torch.nn.Module] = []
        pools = iter(POOLS[name])
        for kernel, bias, slope in zip(body[::3], body[1::3], body[2::3], strict=True):
            if kernel.ndim == 2:
                layers.append(_Columns())
            layers += [_layer(kernel, bias), torch.nn.PReLU(slope.numel())]
            layers[-1].weight.data = slope.reshape(-1)
            if kernel.ndim == 4 and (k := next(pools, None)):
                layers.append(torch.nn.MaxPool2d(k, 2, ceil_mode=True))
        self.body = torch.nn.Sequential(*layers)
        self.heads = torch.nn.ModuleList(_layer(k, b) for k, b in zip(tail[::2], tail[1::2], strict=True))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.body(x)
        *rest, classes = [head(x) for head in self.heads]
        return [*rest, classes.softmax(1)]


class Loop:
    """facenet-pytorch's ``detect_face`` for one photo; `nms_seconds` adds up its suppression."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.dtype, self.nms_seconds = dtype, 0.0
        self.pnet, self.rnet, self.onet = (Net(n).eval().to(dtype) for n in ("pnet", "rnet", "onet"))

    @torch.inference_mode()
    def detect(self, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (N, 4), probabilities (N,) and landmarks (N, 5, 2), the largest box first."""
        image = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].to(self.dtype)
        boxes = self._propose(image)
        (offsets, scores), boxes = self._stage(self.rnet, image, boxes, 24)
        ok = scores[:, 1] > THRESHOLDS[1]
        boxes, offsets, scores = boxes[ok], offsets[ok], scores[ok, 1]
        pick = self._nms(boxes, scores, 0.7)
        boxes = _square(_regress(boxes[pick], offsets[pick]))
        (offsets, points, scores), boxes = self._stage(self.onet, image, boxes, 48)
        ok = scores[:, 1] > THRESHOLDS[2]
        boxes, offsets, points, scores = boxes[ok], offsets[ok], points[ok], scores[ok, 1]
        width, height = boxes[:, 2:3] - boxes[:, :1] + 1, boxes[:, 3:4] - boxes[:, 1:2] + 1
        x, y = width * points[:, :5] + boxes[:, :1] - 1, height * points[:, 5:] + boxes[:, 1:2] - 1
        boxes = _regress(boxes, offsets)
        pick = self._nms(boxes, scores, 0.7, smaller=True)
        boxes, scores, landmarks = boxes[pick], scores[pick], torch.stack([x, y], 2)[pick]
        by_area = torch.argsort(-(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
        return boxes[by_area].numpy(), scores[by_area].numpy(), landmarks[by_area].numpy()

    def _propose(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[2:]
        scale, side, levels = (
            12 / MIN_FACE,
            min(height, width) * 12 / MIN_FACE,
            [torch.empty(0, 9, dtype=self.dtype)],
        )
        while side >= 12:
            data = interpolate(image, (int(height * scale + 1), int(width * scale + 1)), mode="area")
            offsets, probability = self.pnet((data - 127.5) * 0.0078125)
            mask = probability[0, 1] >= THRESHOLDS[0]
            cell = mask.nonzero().flip(1).to(self.dtype)
            corners = [((2 * cell + 1) / scale).floor(), ((2 * cell + 12) / scale).floor()]
            found = torch.cat([*corners, probability[0, 1][mask][:, None], offsets[0][:, mask].T], 1)
            levels.append(found[self._nms(found[:, :4], found[:, 4], 0.5)])
            scale, side = scale * FACTOR, side * FACTOR
        found = torch.cat(levels)
        found = found[self._nms(found[:, :4], found[:, 4], 0.7)]
        extent = (found[:, 2:4] - found[:, :2]).repeat(1, 2)
        return _square(found[:, :4] + found[:, 5:] * extent)

    def _stage(
        self, net: Net, image: torch.Tensor, boxes: torch.Tensor, side: int
    ) -> tuple[Any, torch.Tensor]:
        height, width = image.shape[2:]
        corners = boxes.trunc().int().numpy()
        x, y = np.maximum(corners[:, 0], 1), np.maximum(corners[:, 1], 1)
        ex, ey = np.minimum(corners[:, 2], width), np.minimum(corners[:, 3], height)
        inside = np.flatnonzero((ey > y - 1) & (ex > x - 1))
        pieces = [
            interpolate(image[:, :, y[k] - 1 : ey[k], x[k] - 1 : ex[k]], (side, side), mode="area")
            for k in inside
        ]
        data = torch.cat(pieces) if pieces else image.new_empty(0, 3, side, side)
        return net((data - 127.5) * 0.0078125), boxes[torch.from_numpy(inside)]

    def _nms(
        self, boxes: torch.Tensor, scores: torch.Tensor, threshold: float, smaller: bool = False
    ) -> torch.Tensor:
        started = time.perf_counter()
        last = 1 if smaller else 0  # facenet-pytorch counts the last pixel in here alone
        x1, y1, x2, y2 = boxes.numpy().T
        area = (x2 - x1 + last) * (y2 - y1 + last)
        queue, kept = np.argsort(-scores.numpy(), kind="stable"), []
        while queue.size:
            best, rest = queue[0], queue[1:]
            kept.append(best)
            wide = np.maximum(0, np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + last)
            high = np.maximum(0, np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + last)
            both = wide * high
            whole = np.minimum(area[best], area[rest]) if smaller else area[best] + area[rest] - both
            queue = rest[both / whole <= threshold]
        self.nms_seconds += time.perf_counter() - started
        return torch.tensor(kept, dtype=torch.long)


class _Columns(torch.nn.Module):
    """Flattens maps in (column, row, channel) order, as the original's dense layers expect."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 3, 2, 1).flatten(1)


def _layer(kernel: torch.Tensor, bias: torch.Tensor) -> torch.nn.Module:
    if kernel.ndim == 4:
        layer: Any = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[0])
        layer.weight.data = kernel.permute(3, 2, 0, 1).contiguous()
    else:
        layer = torch.nn.Linear(*kernel.shape)
        layer.weight.data = kernel.T.contiguous()
    layer.bias.data = bias
    return layer


def _square(boxes: torch.Tensor) -> torch.Tensor:
    extent = boxes[:, 2:] - boxes[:, :2]
    side = extent.max(1, keepdim=True).values if len(boxes) else extent[:, :1]
    corner = boxes[:, :2] + extent * 0.5 - side * 0.5
    return torch.cat([corner, corner + side], 1)


def _regress(boxes: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    return boxes + offsets * (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)


def lfw_photos(shared: Path, count: int) -> list[np.ndarray]:
    """`count` photos spread evenly over LFW, decoded: each (250, 250, 3) uint8."""
    with tarfile.open(shared / "data" / "lfw" / "images.tar") as tar:
        members = [m for m in tar if m.name.endswith(".jpg")]
        chosen = members[:: max(1, len(members) // count)][:count]
        return [np.asarray(Image.open(io.BytesIO(tar.extractfile(m).read())).convert("RGB")) for m in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--block", type=int, default=40, help="photos a turn")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    photos = lfw_photos(options.shared, options.photos)
    detector, loop = MTCNN(threads=options.threads), Loop()
    main_face = MTCNN(main_face=True, threads=options.threads)
    detector.detect(photos[:8])
    for photo in photos[:8]:
        loop.detect(photo)

    loop.nms_seconds = 0.0
    turns: list[tuple[float, float, float, float]] = []
    agree = total = same = 0
    for start in range(0, len(photos), options.block):
        block = photos[start : start + options.block]
        batched, ours = _timed(lambda block=block: detector.detect(block))
        single, _ = _timed(lambda block=block: [detector.detect([p])[0] for p in block])
        alone, mains = _timed(lambda block=block: main_face.detect(block))
        plain, theirs = _timed(lambda block=block: [loop.detect(p) for p in block])
        turns.append(tuple(len(block) / taken for taken in (batched, single, plain, alone)))
        same += sum(
            len(a) == len(b[:1]) and all(x.box == y.box for x, y in zip(a, b, strict=False))
            for a, b in zip(mains, (order(faces, *block[0].shape[:2]) for faces in ours), strict=True)
        )
        for faces, (boxes, _, landmarks) in zip(ours, theirs, strict=True):
            total += 1
            agree += len(faces) == len(boxes) and all(
                np.abs(np.array(face.box) - box).max() < 0.05 and np.abs(face.landmarks - points).max() < 0.05
                for face, box, points in zip(faces, boxes, landmarks, strict=True)
            )
    batched_rate, single_rate, plain_rate, main_rate = (
        statistics.median(column) for column in zip(*turns, strict=True)
    )
    ratios = sorted(b / p for b, _, p, _ in turns)
    singles = sorted(s / p for _, s, p, _ in turns)
    mains_faster = statistics.median(m / p for _, _, p, m in turns)
    share = loop.nms_seconds / sum(options.block / p for _, _, p, _ in turns)
    print(f"photos {total}, threads {options.threads}, {len(turns)} turns; medians of photos/s")
    print(f"PyTorch loop            {plain_rate:7.1f}   (suppression {share:.1%} of its time)")
    print(f"MTCNN, one photo a call {single_rate:7.1f}   ratio {statistics.median(singles):.2f}")
    print(
        f"MTCNN, {options.block} photos a call {batched_rate:6.1f}   ratio {statistics.median(ratios):.2f}"
        f" ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )
    print(
        f"  its main face alone {main_rate:9.1f}   ratio {mains_faster:.2f}; the same face in {same} of {total} photos"
    )
    print(f"same faces, every box and landmark within 0.05 px: {agree} of {total} photos")


def _timed(run: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
