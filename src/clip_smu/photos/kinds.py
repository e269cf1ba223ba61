"""Which files of a folder or tar are photos: by their suffix, else by their first bytes; and what is left out."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Mapping

from clip_smu.photos.decode import image_format

PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".hif",
    ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".pbm", ".pgm", ".ppm", ".pnm",
)  # fmt: skip
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
LIST_SUFFIXES = (".txt", ".lst")

LeftOut = Counter[str]
"""Suffix → number of files that are no photos."""

_NO_PHOTOS = frozenset(  # what lies beside photos by the thousand is not opened
    (
        *TAR_SUFFIXES, *LIST_SUFFIXES, ".gz", ".bz2", ".xz", ".zip", ".7z", ".csv", ".tsv", ".json", ".jsonl", ".xml",
        ".yaml", ".yml", ".toml", ".md", ".html", ".htm", ".pdf", ".parquet", ".npy", ".npz", ".pkl", ".pickle", ".h5",
        ".hdf5", ".mat", ".pts", ".cls", ".db", ".ini", ".log", ".lock", ".py", ".mp4", ".mov", ".avi", ".mkv", ".webm",
        ".m4v", ".3gp", ".mp3", ".m4a", ".wav", ".aae", ".xmp",
    )
)  # fmt: skip
_NO_FILES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
)  # systems' own; nobody misses them
_NO_FOLDERS = frozenset({"__macosx", "@eadir"})
_KINDS_SHOWN = 5


def passed_over(name: str) -> bool:
    """Whether a part of a path is hidden, or a file or folder that the operating system makes for itself."""
    return name.startswith(".") or name.lower() in _NO_FILES or name.lower() in _NO_FOLDERS


def is_photo(name: str, head: Callable[[], bytes]) -> bool:
    """Whether a file is a photo; ``head`` gives its first bytes, and is asked only where the suffix does not tell."""
    suffix = suffix_of(name)
    if suffix in PHOTO_SUFFIXES:
        return True
    return suffix not in _NO_PHOTOS and image_format(head()) is not None


def suffix_of(name: str) -> str:
    """The suffix in small letters, ``.tar.gz`` whole; "" if there is none."""
    name = posixpath.basename(name).lower()
    whole = next((suffix for suffix in TAR_SUFFIXES if name.endswith(suffix)), None)
    return whole or posixpath.splitext(name)[1]


def left_out_line(left_out: Mapping[str, int]) -> str:
    """What is said of the files that were left out; "" if there are none.

    Example:
        >>> left_out_line({".json": 2, "": 1})
        '3 files that are no photos were left out (2 .json, 1 without suffix)'
    """
    total = sum(left_out.values())
    if not total:
        return ""
    common = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    kinds = [f"{count} {suffix or 'without suffix'}" for suffix, count in common[:_KINDS_SHOWN]]
    if rest := sum(count for _, count in common[_KINDS_SHOWN:]):
        kinds.append(f"{rest} others")
    files = "file that is no photo was" if total == 1 else "files that are no photos were"
    return f"{total:,} {files} left out ({', '.join(kinds)})"
