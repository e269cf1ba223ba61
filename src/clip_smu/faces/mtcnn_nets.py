"""MTCNN's three networks: weights from the package `mtcnn`, graphs for ONNX Runtime built in memory."""

from __future__ import annotations

import importlib.metadata
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Float32s, Float64s
from clip_smu.errors import EncoderError, MissingExtraError
from clip_smu.storage.digests import bytes_digest
from clip_smu.storage.onnx_sessions import onnx_session

Layer = tuple[Float64s, Float64s, Float64s]  # kernel, bias, PReLU slope

SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
_MAP_SIDE = 3  # R- and O-net flatten 3x3 maps
_POOLS = {"pnet": (2,), "rnet": (3, 3), "onet": (3, 3, 2)}  # kernel of the max pool after each conv; stride 2
_MEAN, _STD = 127.5, 128.0  # pixels 0..255 become (x - 127.5) / 128 inside the first convolution
_OPSET, _IR_VERSION = 13, 8
_BLOCK = 16  # channels that ONNX Runtime computes together on AVX-512
_LEAST_REST = 0.05  # 1 - slope below this: no division by it


def sessions(threads: int = 1) -> dict[str, Any]:
    """ONNX Runtime sessions of the three networks, by name.

    Each takes ``pixels`` (N, 3, H, W) float32 in 0..255, RGB, and returns ``out``: (N, 5, H', W') for
    ``pnet`` (any H, W >= 12), (N, 5) for ``rnet`` (24x24), (N, 15) for ``onet`` (48x48). Channels: 4 box
    offsets, (``onet`` only) 5 landmark x and 5 landmark y, and last the logit of "face": its probability
    is 1 / (1 + exp(-logit)), the softmax of the original's two outputs.

    Raises:
        MissingExtraError: `mtcnn` or `onnx` is not installed.
        EncoderError: the weights are not those of mtcnn 1.0.0.
    """
    return {name: onnx_session(graph(name, weights(name)), threads) for name in SHA256}


def weights(name: str) -> list[Float32s]:
    """The arrays of one network (``pnet``, ``rnet`` or ``onet``) in layer order, from the package `mtcnn`.

    Convolutions are (row, column, in, out), dense layers (in, out), each followed by its bias and, before
    the heads, its PReLU slopes. They are pickled: nothing is unpickled before its sha256 is right.
    """
    try:
        import joblib

        file = importlib.metadata.distribution("mtcnn").locate_file(f"mtcnn/assets/weights/{name}.lz4")
    except (ImportError, importlib.metadata.PackageNotFoundError):
        raise MissingExtraError("MTCNN detection", "mtcnn") from None
    try:
        with open(str(file), "rb") as stream:  # noqa: PTH123 - a file of a package, by its own path type
            packed = stream.read()
    except OSError as error:
        raise EncoderError(
            f"expected MTCNN's weights at {file}, found none ({error.strerror}): "
            "reinstall with pip install --force-reinstall mtcnn==1.0.0"
        ) from error
    found = bytes_digest(packed)
    if found != SHA256[name]:
        raise EncoderError(
            f"expected sha256 {SHA256[name]} for MTCNN's weights {file}, found {found}: "
            "reinstall with pip install --force-reinstall mtcnn==1.0.0"
        )
    arrays: list[Float32s] = joblib.load(io.BytesIO(packed))
    return arrays


def graph(name: str, arrays: list[Float32s]) -> bytes:
    """One network as a serialised ONNX model; `arrays` as `weights` gives them.

    The pixels' normalisation is folded into the first convolution, and the two class outputs into their
    difference. PReLU is written with Relu and channel-wise convolutions, and channels are filled up to
    sixteens with zeros: so ONNX Runtime stays in its blocked layout, which halves the time of its PRelu.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise MissingExtraError("MTCNN detection", "mtcnn") from None

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(array: NDArray[Any]) -> str:
        constants.append(
            numpy_helper.from_array(np.ascontiguousarray(array, dtype=np.float32), f"c{len(constants)}")
        )
        return f"c{len(constants) - 1}"

    def node(operator: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [f"t{len(nodes)}"], **attributes))
        return f"t{len(nodes) - 1}"

    def convolution(x: str, kernel: NDArray[Any], bias: NDArray[Any]) -> str:
        return node("Conv", x, constant(kernel.transpose(3, 2, 0, 1)), constant(bias))

    def prelu(x: str, kernel: NDArray[Any], bias: NDArray[Any], slope: NDArray[Any]) -> str:
        """prelu(x) = a x + (1 - a) relu(x); with y = (1 - a) x it is a / (1 - a) y + relu(y)."""
        a, rest = slope.reshape(-1, 1, 1, 1), 1 - slope
        if (rest > _LEAST_REST).all():
            x = convolution(x, kernel * rest, bias * rest)
            return node("Add", node("Conv", x, constant(a / (1 - a)), group=len(a)), node("Relu", x))
        x = convolution(x, kernel, bias)
        above = node("Conv", node("Relu", x), constant(1 - a), group=len(a))
        return node("Add", node("Conv", x, constant(a), group=len(a)), above)

    layers, head, head_bias = _folded(name, arrays)
    x, pools = "pixels", iter(_POOLS[name])
    for kernel, bias, slope in layers:
        if kernel.ndim == 2:
            x = node(
                "PRelu", node("Gemm", node("Flatten", x), constant(kernel), constant(bias)), constant(slope)
            )
            continue
        x = prelu(x, kernel, bias, slope)
        if k := next(pools, None):
            x = node("MaxPool", x, kernel_shape=[k, k], strides=[2, 2], ceil_mode=1)
    x = (
        convolution(x, head, head_bias)
        if head.ndim == 4
        else node("Gemm", x, constant(head), constant(head_bias))
    )
    nodes.append(helper.make_node("Identity", [x], ["out"]))

    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, "h", "w"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(nodes, name, [pixels], [out], constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    serialised: bytes = model.SerializeToString()
    return serialised


def _folded(name: str, arrays: list[Float32s]) -> tuple[list[Layer], Float64s, Float64s]:
    """The layers for raw pixels, and one head (kernel, bias) in place of two or three; float64."""
    whole = [np.asarray(a, dtype=np.float64) for a in arrays]
    heads = 3 if name == "onet" else 2
    body, tail = whole[: -2 * heads], whole[-2 * heads :]
    # the first layer takes pixels: kernel * (x - mean) / std + bias
    body[1] = body[1] - body[0].sum((0, 1, 2)) * (_MEAN / _STD)
    body[0] = body[0] / _STD
    # softmax over [no face, face] is the logistic function of their difference
    tail[-2:] = [np.diff(tail[-2]), np.diff(tail[-1])]

    layers: list[Layer] = []
    channels = 3
    for kernel, bias, slope in zip(body[::3], body[1::3], body[2::3], strict=True):
        if kernel.ndim == 4:
            missing = -kernel.shape[3] % _BLOCK
            grow = [(0, 0), (0, 0), (0, channels - kernel.shape[2]), (0, missing)]
            channels = kernel.shape[3] + missing
            layers.append(
                (np.pad(kernel, grow), np.pad(bias, (0, missing)), np.pad(slope.ravel(), (0, missing)))
            )
        else:  # flattened maps come as (column, row, channel) there and as (channel, row, column) here
            units = kernel.shape[1]
            maps = kernel.reshape(_MAP_SIDE, _MAP_SIDE, channels, units)
            layers.append((maps.transpose(2, 1, 0, 3).reshape(-1, units), bias, slope))
    return layers, np.concatenate(tail[::2], axis=-1), np.concatenate(tail[1::2])
