"""Folders, tars and lists of small photos, and what is read of them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest
from PIL import Image

from clip_smu.errors import ImageError
from clip_smu.photos import Photo, iter_photos


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(file, "JPEG")
    return file.getvalue()


BYTES = {
    "b/2.jpg": jpeg(20),
    "b/1.JPG": jpeg(10),
    "a/c/3.png": jpeg(30),
    "0.webp": jpeg(0),
}
ORDER = ["0.webp", "a/c/3.png", "b/1.JPG", "b/2.jpg"]


def pack(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def long_tar(form: int, mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=form) as tar:
        for name in ("a/1.jpg", "ž" * 80 + "/" + "q" * 90 + ".jpg", "b/3.jpg"):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = 700, 1.5
            tar.addfile(member, io.BytesIO(bytes(700)))
    return file.getvalue()


TARS = [
    long_tar(form, mode)
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
    for mode in ("w", "w:gz", "w:xz")
]


def names(*inputs: str | Path, stdin: BinaryIO | None = None) -> list[str]:
    return [photo.name for photo in iter_photos(inputs, stdin=stdin)]


def reason(photo: Photo) -> str:
    with pytest.raises(ImageError) as caught:
        photo.read()
    assert str(caught.value).startswith("expected ")
    assert "\n" not in str(caught.value)
    return caught.value.reason


def read_all(*inputs: str | Path, stdin: BinaryIO | None = None) -> dict[str, bytes]:
    found = list(iter_photos(inputs, stdin=stdin))
    assert len({photo.name for photo in found}) == len(found)
    return {photo.name: photo.read() for photo in found}


def read_names(found: list[Photo]) -> list[tuple[str, bytes]]:
    return [(photo.name, photo.read()) for photo in found]
