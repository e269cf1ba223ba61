"""Images: the bytes of one photo become RGB pixels, or one ImageError that says why not."""

from __future__ import annotations

import contextlib
import importlib
import io
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clip_smu.errors import ImageError

MAX_PIXELS = 100_000_000
"""Largest photo that is decoded, in pixels: 100 megapixels, 300 MB as an array."""

_STRIP_BYTES = 1 << 18
"""A large photo is copied out of Pillow in strips of about this size, which stay in the processor's cache."""

_PNG_SIZE = slice(16, 24)  # width and height in a PNG's header, big-endian


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode one photo, upright, to RGB.

    JPEG, PNG, WebP, BMP, TIFF and GIF (first frame or page). The EXIF orientation is applied; transparency
    is laid on white; grey, palette, CMYK, 1-bit, 16-bit, 32-bit and float photos become 8-bit RGB. Colour
    profiles are not applied.

    Args:
        data: the whole file.
        max_pixels: width x height above which nothing is decoded; the header alone decides.

    Returns:
        (H, W, 3) uint8, 0 to 255, channels R, G, B, C-contiguous, writable.

    Raises:
        ImageError: with reason ``empty``, ``not-an-image``, ``truncated``, ``too-large`` or ``unreadable``;
            nothing else, whatever the bytes are.

    Example:
        >>> from clip_smu import example_photo
        >>> decode(example_photo().read_bytes()).shape
        (512, 512, 3)
    """
    if not data:
        raise ImageError("empty", "expected a photo, found 0 bytes: save or download it again")
    form = _form(data)
    if form is None:
        raise _unknown(data)
    if (
        form.name == "PNG" and len(data) >= _PNG_SIZE.stop
    ):  # Pillow wants more than the header to tell the size
        width, height = struct.unpack(">2I", data[_PNG_SIZE])
        _check_size((width, height), max_pixels)
    try:
        with _silenced() if form.warns else contextlib.nullcontext():
            importlib.import_module(f"PIL.{form.plugin}")
            # The plugin is called directly: Image.open would add its own size limit and its warnings.
            photo = Image.OPEN[form.name][0](io.BytesIO(data), "")
            _check_size(photo.size, max_pixels)
            photo.load()
            return _pixels(_rgb(photo), turn=_TURNS.get(_orientation(photo)))
    except ImageError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise ImageError(
            "too-large", f"expected a {form.name} that fits in memory: {_line(error)}"
        ) from error
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more
        if "truncated" in str(error).lower() or not form.ends(data):
            message = f"expected a whole {form.name}, found its end missing after {len(data)} bytes"
            raise ImageError("truncated", f"{message} ({_line(error)}): copy or download it again") from error
        message = f"expected a {form.name} that can be decoded, found damage or an unsupported kind"
        raise ImageError("unreadable", f"{message} ({_line(error)}): save it again as JPEG or PNG") from error


def image_format(head: bytes) -> str | None:
    """Name the format of a photo (``JPEG``, ``PNG``, ...) from its first 12 bytes; None if it is no photo."""
    form = _form(head)
    return None if form is None else form.name


@dataclass(frozen=True, slots=True)
class _Form:
    name: str  # Pillow's name
    plugin: str  # the module of PIL that reads it
    magics: tuple[bytes, ...]  # the first bytes
    ends: Callable[[bytes], bool]  # does the file go as far as its format says? Asked when decoding failed.
    warns: bool = False  # the plugin checks sizes by itself, with warnings


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


_FORMS = (
    _Form("JPEG", "JpegImagePlugin", (b"\xff\xd8\xff",), _jpeg_ends),
    _Form("PNG", "PngImagePlugin", (b"\x89PNG\r\n\x1a\n",), _png_ends),
    _Form("WEBP", "WebPImagePlugin", (b"RIFF",), _riff_ends),
    _Form("BMP", "BmpImagePlugin", (b"BM",), _bmp_ends),
    _Form("GIF", "GifImagePlugin", (b"GIF87a", b"GIF89a"), _gif_ends, warns=True),
    _Form("TIFF", "TiffImagePlugin", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff_ends, warns=True),
)


def _form(head: bytes) -> _Form | None:
    for form in _FORMS:
        if head.startswith(form.magics) and (form.name != "WEBP" or head[8:12] == b"WEBP"):
            return form
    return None


def _unknown(data: bytes) -> ImageError:
    expected = "expected a JPEG, PNG, WebP, BMP, TIFF or GIF photo"
    if data[4:8] == b"ftyp":
        return ImageError("unreadable", f"{expected}, found HEIF, AVIF or a video: save it as JPEG")
    if any(magic.startswith(data) for form in _FORMS for magic in form.magics):
        return ImageError("truncated", f"{expected}, found {len(data)} bytes: copy or download it again")
    return ImageError("not-an-image", f"{expected}, found a file that begins with {data[:8]!r}")


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        found = f"{width} x {height} ({width * height / 1e6:,.1f} megapixels)"
        limit = f"expected a photo of at most {max_pixels / 1e6:,.1f} megapixels"
        raise ImageError(
            "too-large", f"{limit}, found {found}: make it smaller (from Python, max_pixels can be raised)"
        )


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    # Only for TIFF and GIF: their plugins warn of sizes that `max_pixels` has already allowed.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _rgb(photo: Image.Image) -> Image.Image:
    tags = getattr(photo, "tag_v2", {})  # TIFF only
    if tags.get(284) == 2 and max(tags.get(258, (8,))) > 8:
        raise ValueError("16-bit samples in separate planes")  # Pillow would give wrong pixels in silence
    if photo.mode in ("I", "F") or photo.mode.startswith("I;"):
        photo = _eight_bit(photo)
    if photo.has_transparency_data:
        if photo.mode == "La":  # Pillow has no way straight to RGBA
            photo = photo.convert("LA")
        photo = photo.convert("RGBA")
        ground = Image.new("RGB", photo.size, "white")
        ground.paste(photo, mask=photo)
        return ground
    return photo if photo.mode == "RGB" else photo.convert("RGB")


def _eight_bit(photo: Image.Image) -> Image.Image:
    """Grey of 12, 16 or 32 bits, or float, in full depth -> grey of 8 bits. Pillow's own convert() clips."""
    raw = np.asarray(photo)
    values = raw.astype(np.float32)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    tags = getattr(photo, "tag_v2", {})  # TIFF only
    low, high = _range(photo, values, bits=tags.get(258, (16,))[0])
    values -= low
    values *= 255.0 / ((high - low) or 1.0)
    grey = np.clip(np.rint(values, out=values), 0, 255, out=values).astype(np.uint8)
    if tags.get(262) == 0:  # PhotometricInterpretation: 0 is white
        grey = 255 - grey
    transparent = photo.info.get("transparency")
    if isinstance(transparent, int):  # the one grey level that a PNG declares transparent
        grey[raw == transparent] = 255
    return Image.fromarray(grey)


def _range(photo: Image.Image, values: NDArray[np.float32], *, bits: int) -> tuple[float, float]:
    """The values of black and white: the format's own where it has them, else guessed from the data."""
    if photo.mode.startswith("I;") or photo.format == "PNG":
        return 0.0, 4095.0 if bits == 12 else 65535.0
    low, high = min(0.0, float(values.min())), float(values.max())
    if low == 0.0 and high <= 255.0:
        return 0.0, 1.0 if high <= 1.0 else 255.0
    return low, high


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the photo upright (EXIF 2.32, tag 0x0112). 1 and unknown values: nothing."""


def _orientation(photo: Image.Image) -> int:
    try:
        return int(photo.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata do not spoil a photo whose pixels are whole
        return 1


def _pixels(photo: Image.Image, *, turn: Image.Transpose | None) -> NDArray[np.uint8]:
    if turn is not None:
        photo = photo.transpose(turn)
    width, height = photo.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_BYTES // (3 * width))
    for top in range(0, height, rows):
        strip = photo if rows >= height else photo.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(strip)
    return pixels


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
