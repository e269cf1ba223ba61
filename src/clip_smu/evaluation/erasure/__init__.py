"""Encoded or used? What recognition still does, and what can still be read, once an attribute is erased."""

from clip_smu.evaluation.erasure.eraser import Eraser, fit_eraser, load_eraser
from clip_smu.evaluation.erasure.rereading import Reread
from clip_smu.evaluation.erasure.run import Erasure, ErasureConfig, erase

__all__ = ["Eraser", "Erasure", "ErasureConfig", "Reread", "erase", "fit_eraser", "load_eraser"]
