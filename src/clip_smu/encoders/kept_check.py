"""A preprocessing check as evidence keeps it: typed, read from what the command printed, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from clip_smu.errors import InputError
from clip_smu.storage.documents import Count, Share, checked, read_json


class FiguresForm(msgspec.Struct):
    """Of a preprocessing check."""

    accuracy: Share


class PreprocessingCheckForm(msgspec.Struct):
    """What evidence keeps of such a check; see :func:`read_check`."""

    encoder: str
    figures: FiguresForm
    photos: Count
    rejected: dict[str, Count]
    misfed: list[str]
    tried: list[str]


class KeepsCheck(msgspec.Struct):
    """Evidence on disk that keeps such a check, or ``None``; before 2026-11-25 its key was ``feeding``."""

    preprocessing_check: PreprocessingCheckForm | None = None
    feeding: PreprocessingCheckForm | None = None


def kept_check(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """The preprocessing check that a provenance or an ``evaluation.json`` keeps, under its new or its old key."""
    return evidence.get("preprocessing_check") or evidence.get("feeding")


def read_check(path: str | Path, encoder: str | None = None) -> dict[str, Any]:
    """What evidence keeps of a check: encoder, figures, photos, rejected, misfed, and the names of what was tried.

    Args:
        path: of what ``clip-smu encoders check --json`` printed.
        encoder: whose templates the evidence is about; ``None``: not known.

    Raises:
        InputError: no such file, another content, or a check of another encoder.
    """
    values = read_json(Path(path), "a preprocessing check")
    form = checked(values, _Printed, f"{path} is not what clip-smu encoders check --json prints")
    kept = {key: values[key] for key in ("encoder", "figures", "photos", "rejected", "misfed")}
    kept["tried"] = [variant.name for variant in form.variants]
    if encoder is not None and kept["encoder"] != encoder:
        raise InputError(
            f"expected a preprocessing check of {encoder}, whose templates these are; {path} is of {kept['encoder']}: "
            f"run clip-smu encoders check on {encoder}"
        )
    return kept


class _Tried(msgspec.Struct):
    name: str


class _Printed(msgspec.Struct):
    """What ``clip-smu encoders check --json`` prints, as far as it is kept."""

    encoder: str
    figures: FiguresForm
    photos: Count
    rejected: dict[str, Count]
    misfed: list[str]
    variants: list[_Tried]


def in_words(check: dict[str, Any] | None) -> str:
    """What was found of an encoder's preprocessing, and on whose photos; ``None``: nothing was.

    Args:
        check: as :func:`read_check` gives it; with ``kept_by``, the method that it came with, where an evaluation took
            over a check that was made on other photos.

    Example:
        >>> in_words(None)
        "the encoder's preprocessing was not checked (`clip-smu encoders check`)"
    """
    if check is None:
        return "the encoder's preprocessing was not checked (`clip-smu encoders check`)"
    right = "no better preprocessing was found" if check["tried"] else "it has only one preprocessing"
    verdict = "; ".join(check["misfed"]) or right
    of = ""
    if check.get("kept_by"):  # an evaluation on other photos than the interpreter's
        of = (
            f" that came with {check['kept_by']}, on {check['photos']:,} photos of whoever fitted it and not on those "
            "evaluated here (--check gives one of these)"
        )
    return f"encoder check{of}: verification accuracy {check['figures']['accuracy']:.2%}; {verdict}"
