"""The official networks in PyTorch, for conversion only: AdaFace, SwinFace, CLIP.

Each module keeps the state-dict keys and shapes of the official checkpoint. They need the extra
``[train]``; the runtime reads the ONNX files that :mod:`clip_smu.encoders.conversion.convert` makes of them.
:mod:`clip_smu.encoders.swinface_heads` is a plain table and needs nothing.
"""
