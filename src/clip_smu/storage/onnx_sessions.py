"""The one place that imports ONNX Runtime, and makes its sessions: encoders, detectors, text encoders.

From 1.32 on its wheels for Linux tell their maker about the process (path, device, system) when a session is made.
``clip_smu/__init__.py`` switches that off before anything can be imported; here it is switched off once more, for a
process that had imported ONNX Runtime by itself before. From 1.24.1 on it refuses weights that a network would take
from outside its own folder.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

_NEVER_LOG = 4  # its severity "fatal": what goes wrong is raised, and told by the caller


def onnx_session(model: Path | bytes, threads: int | None = None) -> Any:
    """An ONNX Runtime session on the processor.

    Args:
        model: a file, or a serialised network.
        threads: of ONNX Runtime, which then do not spin while they wait; default, as many as it likes.

    Raises:
        Exception: ONNX Runtime's own, bare: the caller says what was expected.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NEVER_LOG
    if threads is not None:
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # workers share the cores
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def eight_bits(network: bytes) -> bytes:
    """An ONNX network whose matrices and word vectors are kept in eight bits; the rest is computed as before.

    Weights are unsigned: on processors without VNNI signed ones can overflow, and answers would depend on the machine.
    """
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    onnxruntime.disable_telemetry_events()  # it makes a session too
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, small = (Path(folder) / f"{name}.onnx" for name in ("plain", "prepared", "small"))
        plain.write_bytes(network)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        kinds: dict[str, Any] = {"weight_type": QuantType.QUInt8, "per_channel": True}
        quantize_dynamic(prepared, small, op_types_to_quantize=["MatMul", "Gather"], **kinds)
        return small.read_bytes()
