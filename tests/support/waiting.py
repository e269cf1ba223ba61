"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(true: Callable[[], bool], most_s: float = 60.0) -> None:
    """Fails if it has not come true after so many seconds."""
    end = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
