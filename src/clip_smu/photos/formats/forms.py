"""The forms of photos that are read, told by their first bytes, and the names of what is no photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

HEAD_BYTES = 64
"""How many of a file's first bytes tell its form."""

READ = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000, PGM/PPM or HEIC"


@dataclass(frozen=True, slots=True)
class Form:
    """One form of photos.

    Attributes:
        name: Pillow's name of it.
        plugin: the module that reads it; "" for what is read here.
        magics: the first bytes.
        ends: does a file go as far as its form says? Asked when decoding failed.
        warns: the plugin checks sizes by itself, with warnings.
    """

    name: str
    plugin: str
    magics: tuple[bytes, ...]
    ends: Callable[[bytes], bool]
    warns: bool = False


def form_of(head: bytes) -> Form | None:
    """The form of a photo by its first bytes; None if it is no photo."""
    if head[4:8] == b"ftyp":
        return _form_of_brands(head)
    for form in FORMS:
        if head.startswith(form.magics):
            if form.name == "WEBP" and head[8:12] != b"WEBP":
                continue
            if form.name == "PPM" and head[2:3] not in _PPM_AFTER:
                continue
            return form
    return None


def what_else(head: bytes) -> tuple[str, str] | None:
    """What a file is that is no photo: (reason, words with what to do); None if nobody knows."""
    if head[4:8] == b"ftyp":
        return "not-an-image", "a video (MP4, QuickTime) or a camera's raw file: save a picture of it as JPEG"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magics, reason, words in _OTHERS:
        if start.startswith(magics):
            return reason, words
    return None


def begins_a_form(data: bytes) -> bool:
    """Whether so few bytes may be the beginning of a photo."""
    return any(magic.startswith(data) for form in FORMS for magic in form.magics)


_LFS = b"version https://git-lfs.github.com/spec/"


def is_lfs_pointer(head: bytes) -> bool:
    """Whether a file is the small text that Git LFS leaves in place of a large one."""
    return head.startswith(_LFS)


_OTHERS = (
    ((_LFS,), "git-lfs-pointer", "a Git LFS pointer, not the file itself: run git lfs pull"),
    (
        (b"<!doctype html", b"<html", b"<head"),
        "not-an-image",
        "a web page (HTML) under a photo's name: download the photo again",
    ),
    ((b"<?xml", b"<svg"), "not-an-image", "XML or an SVG drawing: save it as PNG"),
    ((b"%pdf",), "not-an-image", "a PDF: save its pages as PNG"),
    ((b"pk\x03\x04",), "not-an-image", "a zip archive: unpack it"),
    ((b"\x1f\x8b",), "not-an-image", "gzip: unpack it"),
    ((b"8bps",), "not-an-image", "a Photoshop file: save it as PNG"),
    ((b"{", b"["), "not-an-image", "JSON text: an error message in place of a download, perhaps"),
)


_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}


def _form_of_brands(head: bytes) -> Form | None:
    """AVIF or HEIF (ISO/IEC 23008-12) by the brands in the first box; None for videos."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))}
    if brands & _AVIF_BRANDS:
        return _AVIF
    return _HEIF if brands & _HEIF_BRANDS else None


def _jpeg_ends(data: bytes) -> bool:
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")  # end of image after the last start of scan


def _png_ends(data: bytes) -> bool:
    return b"IEND" in data[-64:]


def _gif_ends(data: bytes) -> bool:
    return data.rstrip(b"\0").endswith(b";")


def _riff_ends(data: bytes) -> bool:
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _bmp_ends(data: bytes) -> bool:
    return len(data) >= max(26, int.from_bytes(data[2:6], "little"))


def _tiff_ends(data: bytes) -> bool:
    order: Literal["little", "big"] = "little" if data[:1] == b"I" else "big"
    if b"+" in data[2:4]:  # BigTIFF: 8-byte offset of the directory
        return len(data) >= int.from_bytes(data[8:16], order) + 8
    start = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[start : start + 2], order)
    return len(data) >= start + 2 + 12 * entries + 4


def _boxes_end(data: bytes) -> bool:
    """Whether the boxes of an ISO file lie within it."""
    position = 0
    while position + 16 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:  # 0: up to the end of the file; else damage
            return True
        position += size
    return position <= len(data)


def _jpeg2000_ends(data: bytes) -> bool:
    return data.rstrip(b"\0").endswith(b"\xff\xd9")  # end of codestream


def _always(_: bytes) -> bool:
    return True


_PPM_AFTER = (b" ", b"\t", b"\n", b"\v", b"\f", b"\r", b"#")
_AVIF = Form("AVIF", "PIL.AvifImagePlugin", (), _boxes_end)
_HEIF = Form("HEIF", "pillow_heif", (), _boxes_end)
FORMS = (
    Form("JPEG", "PIL.JpegImagePlugin", (b"\xff\xd8\xff",), _jpeg_ends),
    Form("PNG", "PIL.PngImagePlugin", (b"\x89PNG\r\n\x1a\n",), _png_ends),
    Form("WEBP", "PIL.WebPImagePlugin", (b"RIFF",), _riff_ends),
    Form("BMP", "PIL.BmpImagePlugin", (b"BM",), _bmp_ends),
    Form("GIF", "PIL.GifImagePlugin", (b"GIF87a", b"GIF89a"), _gif_ends, warns=True),
    Form(
        "TIFF",
        "PIL.TiffImagePlugin",
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        _tiff_ends,
        warns=True,
    ),
    Form(
        "JPEG2000",
        "PIL.Jpeg2KImagePlugin",
        (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        _jpeg2000_ends,
    ),
    Form("PPM", "", tuple(b"P%d" % kind for kind in range(1, 7)), _always),
)
