"""AdaFace ir_50: ONNX Runtime on the converted file against PyTorch eager on the same weights.

    python benchmarks/adaface_onnx.py --rounds 7 --threads 2

The weights are those of the golden fill rule; both get the same batches and number of threads, in turns
within one run, and the ratio is the median over rounds of PyTorch's time by ONNX Runtime's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from clip_smu.encoders.conversion.adaface import AdaFace
from clip_smu.encoders.conversion.convert import convert

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
import fill_rule

BATCHES = (1, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds of each batch size")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads of either")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    network = AdaFace("ir_50").eval()
    fill_rule.fill(network, fill_rule.GAIN["adaface"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    with tempfile.TemporaryDirectory() as folder:
        torch.save(network.state_dict(), Path(folder) / "ir_50.pt")
        converted = convert(Path(folder) / "ir_50.pt", "adaface-ir50", Path(folder))
        session = onnxruntime.InferenceSession(
            str(converted.path), options, providers=["CPUExecutionProvider"]
        )
    print(f"largest difference from PyTorch {converted.largest_difference:.1e}, {arguments.threads} threads")
    print(f"{'batch':>5}{'PyTorch ms':>12}{'ONNX ms':>10}{'ratio':>8}")
    for batch in BATCHES:
        eager, onnx = rounds(network, session, batch, arguments.rounds)
        ratio = statistics.median(a / b for a, b in zip(eager, onnx, strict=True))
        times = f"{1e3 * statistics.median(eager):12.1f}{1e3 * statistics.median(onnx):10.1f}"
        print(f"{batch:5}{times}{ratio:8.2f}")


def rounds(
    network: AdaFace, session: onnxruntime.InferenceSession, batch: int, count: int
) -> tuple[list[float], list[float]]:
    """Seconds of each round, PyTorch's and ONNX Runtime's, after one round to warm up."""
    image = fill_rule.image("benchmark", (batch, 3, 112, 112))
    array = np.ascontiguousarray(image.numpy())
    eager, onnx = [], []
    with torch.inference_mode():
        for _ in range(count + 1):
            eager.append(seconds(lambda: network(image)))
            onnx.append(seconds(lambda: session.run(["template", "norm"], {"image": array})))
    return eager[1:], onnx[1:]


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
