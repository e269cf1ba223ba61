"""Figures as they stand in a terminal; what is not known is ``-``."""

from __future__ import annotations


def number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def interval(low: float | None, high: float | None, digits: int = 3, *, signed: bool = False) -> str:
    if low is None or high is None:
        return "-"
    return f"{low:+.{digits}f} {high:+.{digits}f}" if signed else f"{low:.{digits}f}-{high:.{digits}f}"


def short(value: float) -> str:
    """``.694`` rather than 0.694, for a terminal of 80 columns."""
    return "-" if value != value else f"{value:.3f}".removeprefix("0")
