"""The training objectives: their definitions in slow loops, the golden numbers of CLIP's loss, and what is masked."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from clip_smu.training.losses import (  # noqa: E402
    FIRST_T,
    attribute_loss,
    balance_weights,
    clip_loss,
    match_captions,
    multipositive_loss,
)
from fill_rule import numbers  # noqa: E402


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_attribute_loss_is_the_definition() -> None:
    rng = np.random.default_rng(0)
    x, positive, negative = rng.normal(size=(5, 4)), rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, 4))
    labels = rng.choice([-1, 0, 1], (5, 3))
    scale, bias, weights = rng.random(3) * 5, rng.normal(size=3), rng.random((2, 3)) + 0.5
    total = weight = 0.0
    for n in range(5):
        for k in range(3):
            if labels[n, k]:
                w = weights[0 if labels[n, k] > 0 else 1, k]
                losses = [
                    np.log1p(np.exp(-labels[n, k] * (scale[k] * (x[n] @ p - x[n] @ q) + bias[k])))
                    for p, q in zip(positive[k], negative[k], strict=True)
                ]
                total, weight = total + w * np.mean(losses), weight + w
    tensors = [
        torch.tensor(a, dtype=torch.float64) for a in (x, labels, positive, negative, scale, bias, weights)
    ]
    assert attribute_loss(*tensors).item() == pytest.approx(total / weight, rel=1e-12)
    tensors[1][:] = 0
    assert attribute_loss(*tensors).item() == 0  # nothing known, nothing learnt


def test_weights_give_both_classes_the_same_total() -> None:
    labels = torch.tensor([[1, 1, 0], [-1, 1, 0], [-1, 1, 1], [-1, 1, -1]])
    weights = balance_weights(labels)
    torch.testing.assert_close(weights[:, 0] * torch.tensor([1, 3]), torch.tensor([2.0, 2.0]))
    assert weights[:, 1].tolist() == [0, 0]  # one class only: nothing to learn
    torch.testing.assert_close(weights[:, 2], torch.ones(2))


@pytest.mark.parametrize(("size", "dtype"), [(8, "f64"), (8, "f32"), (64, "f64"), (64, "f32")])
def test_clip_loss_is_the_official_one(golden: Path, size: int, dtype: str, record_property) -> None:  # type: ignore[no-untyped-def]
    """open_clip's ClipLoss, value and gradients, on the golden file's own input."""
    expected = json.loads((golden / "clip_loss_golden.json").read_text())["cases"][f"N{size}_{dtype}"]
    kind, tolerance = (np.float64, 1e-9) if dtype == "f64" else (np.float32, 1e-5)
    dim = 512
    image = unit(numbers("loss/image", size * dim).astype(kind).reshape(size, dim))
    other = unit(numbers("loss/text", size * dim).astype(kind).reshape(size, dim))
    text = unit((kind(0.05) * image + other).astype(kind))
    templates, captions, t = (
        torch.tensor(values, dtype=getattr(torch, f"float{dtype[1:]}"), requires_grad=True)
        for values in (image, text, FIRST_T)
    )
    loss = clip_loss(templates, captions, t)
    loss.backward()
    figures = {
        "loss": loss.item(),
        "dloss_dt": t.grad.item(),
        "scale": t.exp().item(),
        "grad_image_00_03": templates.grad[0, :4].tolist(),
        "grad_text_00_03": captions.grad[0, :4].tolist(),
        "grad_text_norm": captions.grad.norm().item(),
    }
    for name, value in figures.items():
        assert value == pytest.approx(expected[name], rel=tolerance, abs=tolerance * 0.1), name
    record_property(f"clip loss N{size} {dtype}", abs(loss.item() / expected["loss"] - 1))
    assert t.item() == pytest.approx(math.log(1 / 0.07))


def test_multipositive_of_own_captions_alone_is_the_clip_loss() -> None:
    rng = np.random.default_rng(1)
    templates, captions = (torch.tensor(unit(rng.normal(size=(6, 5))), requires_grad=True) for _ in range(2))
    t = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    inputs = (templates, captions, t)
    plain = torch.autograd.grad(clip_loss(*inputs), inputs)
    several = multipositive_loss(*inputs, 2 * torch.eye(6, dtype=torch.float64) - 1)
    assert several.item() == pytest.approx(clip_loss(*inputs).item(), rel=1e-12)
    torch.testing.assert_close(torch.autograd.grad(several, inputs), plain)


def test_multipositive_loss_is_the_definition() -> None:
    rng = np.random.default_rng(2)
    x, c = unit(rng.normal(size=(7, 4))), unit(rng.normal(size=(5, 4)))
    matches = rng.choice([-1, 0, 1], (7, 5))
    matches[3] = 0  # a photo of which nothing is decided
    matches[:, 2] = np.where(matches[:, 2] < 0, 0, matches[:, 2])  # a caption that all fit
    logits = math.exp(1.2) * x @ c.T
    sides = []
    for scores, fits in ((logits, matches), (logits.T, matches.T)):
        rows = []
        for row, match in zip(scores, fits, strict=True):
            if (match > 0).any() and (match < 0).any():
                total = sum(math.exp(value) for value, m in zip(row, match, strict=True) if m)
                own = [math.log(math.exp(v) / total) for v, m in zip(row, match, strict=True) if m > 0]
                rows.append(-sum(own) / len(own))
        sides.append(sum(rows) / len(rows))
    tensors = [torch.tensor(values, dtype=torch.float64) for values in (x, c, 1.2)]
    for tensor in tensors:
        tensor.requires_grad_()
    decided = torch.tensor(matches, dtype=torch.float64)
    loss = multipositive_loss(*tensors, decided)
    assert loss.item() == pytest.approx(sum(sides) / 2, rel=1e-12)
    assert torch.autograd.gradcheck(lambda *inputs: multipositive_loss(*inputs, decided), tensors)
    loss.backward()
    assert not tensors[0].grad[3].any()  # what is not decided moves nothing
    nothing = multipositive_loss(*tensors, torch.zeros(7, 5))
    assert nothing.item() == 0
    assert all(not grad.any() for grad in torch.autograd.grad(nothing, tensors))


def test_a_caption_fits_what_its_known_labels_contain() -> None:
    rng = np.random.default_rng(3)
    labels, worded = rng.choice([-1, 0, 1], (40, 6)), rng.choice([-1, 0, 0, 1], (30, 6))
    expected = np.empty((40, 30))
    for n, photo in enumerate(labels):
        for s, caption in enumerate(worded):
            pairs = [(a, b) for a, b in zip(photo, caption, strict=True) if b]
            if any(a and a != b for a, b in pairs):
                expected[n, s] = -1
            else:
                expected[n, s] = float(all(a == b for a, b in pairs))
    got = match_captions(*(torch.tensor(values, dtype=torch.float32) for values in (labels, worded)))
    np.testing.assert_array_equal(got.numpy(), expected)
    assert {-1, 0, 1} == set(expected.flat)
