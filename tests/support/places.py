"""Where the tests' own files lie."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
DAMAGED = TESTS / "damaged"
LFW_READER = TESTS / "support" / "dlib-lfw"
"""The interpreter that shipped before `dlib-faces`: no adapter, no homes, 128 numbers a sentence, made of LFW alone."""
