"""CLIP-SMU: reads a face recognition template and says in plain language which attributes it gives away.

    >>> import clip_smu
    >>> interpreter = clip_smu.load_interpreter()
    >>> faces = clip_smu.load_encoder().encode([clip_smu.decode(clip_smu.example_photo().read_bytes())])[0]
    >>> print(interpreter.interpret(faces[0].template)[0].sentence)
    This template reads almost certainly as a woman.

Names are loaded when they are first used, so that importing the package costs nothing; PyTorch is imported by
``fit`` alone.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clip_smu.encoders.encoder import EncoderOptions
    from clip_smu.encoders.load import load_encoder
    from clip_smu.errors import ClipSmuError
    from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
    from clip_smu.photos.decode import decode
    from clip_smu.photos.example import example_photo
    from clip_smu.templates import read_templates
    from clip_smu.templates.extraction import extract
    from clip_smu.training.fit import fit
    from clip_smu.training.fit_config import FitConfig
    from clip_smu.words.attribute_table import ATTRIBUTES

# Nothing leaves: read by these libraries when they are imported, so set before anything can import them.
os.environ |= {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's wheels for Linux tell their maker about the process
    "HF_HUB_DISABLE_TELEMETRY": "1",  # the Hub is told what is fetched, and no more
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # transformers would ask a service to convert a model of old form
}

__all__ = [
    "ATTRIBUTES",
    "ClipSmuError",
    "EncoderOptions",
    "FitConfig",
    "Interpreter",
    "decode",
    "example_photo",
    "extract",
    "fit",
    "load_encoder",
    "load_interpreter",
    "read_templates",
]

_MODULES = {
    "ATTRIBUTES": "words.attribute_table",
    "ClipSmuError": "errors",
    "EncoderOptions": "encoders.encoder",
    "FitConfig": "training.fit_config",
    "Interpreter": "interpreter.interpreter",
    "decode": "photos.decode",
    "example_photo": "photos.example",
    "extract": "templates.extraction",
    "fit": "training.fit",
    "load_encoder": "encoders.load",
    "load_interpreter": "interpreter.interpreter",
    "read_templates": "templates",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'clip_smu' has no attribute {name!r}")
    if _MODULES[name].startswith("training."):
        _need_training()
    return getattr(import_module(f"clip_smu.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__


def _need_training() -> None:
    from importlib.util import find_spec

    from clip_smu.errors import MissingExtraError

    if find_spec("torch") is None or find_spec("transformers") is None or find_spec("onnx") is None:
        raise MissingExtraError("fit", "train")
