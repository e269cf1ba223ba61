"""Training (PyTorch, here and in encoders.conversion alone): text encoders, losses, objectives, probes."""
