"""A toy network that knows persons by their red channel, saturates, and can be fed right or wrong; and its persons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from clip_smu.encoders.locate import card

SIDE = 16
RIGHT = replace(
    card("arcface-mbf"), name="toy", dim=64, input_size=(SIDE, SIDE), alignment="none", sha256="", filename=""
)


def make_people(folder: Path) -> Path:
    """Thirty persons, four photos each: patterns in red; green and blue are noise. Crops of 16x16."""
    rng = np.random.default_rng(0)
    for person in range(30):
        pattern = rng.normal(0, 1, (SIDE, SIDE))
        (folder / f"p{person:02d}").mkdir()
        for i in range(4):
            pixels = rng.normal(0, 1, (SIDE, SIDE, 3))
            pixels[:, :, 0] = pattern + 0.8 * pixels[:, :, 0]
            image = Image.fromarray(np.clip(128 + 40 * pixels, 0, 255).astype(np.uint8))
            image.save(folder / f"p{person:02d}" / f"{i}.png")
    return folder


def make_network(path: Path) -> Path:
    """tanh of 64 random projections, red most: wants (pixels - 127.5) / 127.5 in RGB."""
    import onnx
    from onnx import helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.3, (3, SIDE, SIDE, 64)) * np.array([1.0, 0.4, 0.1])[:, None, None, None]
    matrix = numpy_helper.from_array(weights.reshape(-1, 64).astype(np.float32), "w")
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["projected"]),
        helper.make_node("Tanh", ["projected"], ["template"]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", 1, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("template", 1, ["N", 64])],
        [matrix],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
