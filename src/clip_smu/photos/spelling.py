"""Spellings of photos' names: written in one way, and what all spellings of one photo's name have in common."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clip_smu.arrays import Int64s
from clip_smu.storage.escaping import uncelled

PICTURE_SUFFIXES = (
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif", "heic", "heif", "avif", "jp2", "pgm",
    "ppm", "pnm",
)  # fmt: skip
"""Endings that say how a picture is stored, not which photo it is."""

_UNTIDY = (
    r"[^\x20-\x7e]|\\|^[ /']|[ /]$|^\./|^\.$|//|/\./|/\.$"  # all that `clean` changes, and a little more
)


def clean(name: str) -> str:
    """A name written in one way: NFC, ``/`` between parts, without blanks around it, ``./``, or a ``/`` in front.

    The apostrophe that our csv files put before ``=`` and the like is taken off: see :mod:`clip_smu.storage.escaping`.

    Example:
        >>> clean(".\\\\ann\\\\1.jpg")
        'ann/1.jpg'
    """
    text = unicodedata.normalize("NFC", uncelled(name.strip()).strip().replace("\\", "/"))
    return "/".join(part for part in text.split("/") if part not in ("", ".")) or text


def folded(name: str) -> str:
    """What all spellings of one photo's name have in common: clean, no picture suffix, no letter case.

    Example:
        >>> folded("./Ann/0001.JPG") == folded("ann/0001.png") == "ann/0001"
        True
    """
    text = clean(name)
    stem, _, suffix = text.rpartition(".")
    if suffix.lower() in PICTURE_SUFFIXES and stem and not stem.endswith("/"):
        text = stem
    return unicodedata.normalize("NFC", text.casefold())


def folder_of(name: str) -> str:
    """The last folder of a name, "" without one: the photo's person, where nobody says otherwise.

    Example:
        >>> folder_of("train\\\\ann\\\\1.jpg")
        'ann'
    """
    return clean(name).rpartition("/")[0].rpartition("/")[2]


def file_of(name: str) -> str:
    """The last part of the folded name: two names that differ here never match."""
    return folded(name).rpartition("/")[2]


def distinct(names: Sequence[str]) -> tuple[Any, Int64s, Int64s]:
    """The distinct names as an Arrow array of clean texts in the order they come, the row at which each comes first,
    and (N,) the place of each row's name among them."""
    encoded = all_clean(names).dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int64)
    before = np.maximum.accumulate(codes) if len(codes) else codes
    return encoded.dictionary, np.flatnonzero(np.diff(before, prepend=-1) > 0), codes


def all_clean(names: Sequence[str]) -> Any:
    """:func:`clean` of N names, as an Arrow array."""
    import pyarrow as pa
    from pyarrow import compute

    texts = (
        names.cast(pa.large_string()) if isinstance(names, pa.Array) else pa.array(names, pa.large_string())
    )
    return _replaced(texts, compute.match_substring_regex(texts, _UNTIDY), texts, clean)


def all_folded(names: Any) -> Any:
    """:func:`folded` of an Arrow array of clean names."""
    import pyarrow as pa
    from pyarrow import compute

    lower = compute.ascii_lower(names).cast(pa.large_binary())
    plain = lower
    for suffix in (f".{kind}".encode() for kind in PICTURE_SUFFIXES):
        ends = compute.ends_with(lower, suffix)
        if compute.any(ends, min_count=0).as_py():
            no_stem = compute.or_(compute.ends_with(lower, b"/" + suffix), compute.equal(lower, suffix))
            cut = compute.binary_slice(lower, 0, -len(suffix))
            plain = compute.if_else(compute.and_not(ends, no_stem), cut, plain)
    return _replaced(
        plain.cast(pa.large_string()), compute.invert(compute.string_is_ascii(names)), names, folded
    )


def _replaced(texts: Any, where: Any, names: Any, change: Callable[[str], str]) -> Any:
    """The texts, with those that ``where`` marks replaced by the changed names."""
    from pyarrow import compute

    if not compute.any(where, min_count=0).as_py():
        return texts
    return compute.replace_with_mask(texts, where, mapped(names.filter(where), change))


def mapped(names: Any, change: Callable[[str], str]) -> Any:
    import pyarrow as pa

    return pa.array([change(name) for name in names.to_pylist()], pa.large_string())
