"""Images: the bytes of one photo become RGB pixels, or one ImageError that says why not."""

from __future__ import annotations

import contextlib
import importlib
import io
import struct
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image

from clip_smu.arrays import Pixels
from clip_smu.errors import ImageError
from clip_smu.photos.formats import jpeg, png, pnm
from clip_smu.photos.formats.depth import rgb
from clip_smu.photos.formats.forms import (
    HEAD_BYTES,
    READ,
    Form,
    begins_a_form,
    form_of,
    is_lfs_pointer,
    what_else,
)

__all__ = ["HEAD_BYTES", "MAX_BYTES", "MAX_PIXELS", "decode", "image_format", "is_lfs_pointer"]

MAX_PIXELS = 100_000_000
"""Largest photo that is decoded, in pixels: 100 megapixels, 300 MB as an array."""

MAX_BYTES = 640 << 20
"""Largest file that is read as a photo: 100 megapixels of three numbers of 16 bits, and some more."""

_JPEG2000_PIXELS = 50_000_000  # 12 bytes a pixel while it is decoded, and .3 microseconds

_STRIP_BYTES = 1 << 18
"""A large photo is copied out of Pillow in strips of about this size, which stay in the processor's cache."""

_PNG_SIZE = slice(16, 24)  # width and height in a PNG's header, big-endian


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode one photo, upright, to RGB.

    JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF, JPEG 2000, PBM/PGM/PPM and, with the extra [heif], HEIC (first frame or
    page), whatever the file is called. The EXIF orientation is applied; transparency is laid on white; grey, palette,
    CMYK, 1-bit, 16-bit, 32-bit and float photos become 8-bit RGB. Colour profiles are not applied. A JPEG that only
    lacks its end mark (or is padded with zeros) is read: all its pixels are there.

    Args:
        data: the whole file.
        max_pixels: width x height above which nothing is decoded; the header alone decides.

    Returns:
        (H, W, 3) uint8, 0 to 255, channels R, G, B, C-contiguous, writable.

    Raises:
        ImageError: with reason ``empty``, ``not-an-image``, ``git-lfs-pointer``, ``needs-heif``, ``truncated``,
            ``too-large`` or ``unreadable``; nothing else, whatever the bytes are.

    Example:
        >>> from clip_smu import example_photo
        >>> decode(example_photo().read_bytes()).shape
        (512, 512, 3)
    """
    if not data:
        raise ImageError("empty", "expected a photo, found 0 bytes: save or download it again")
    if len(data) > MAX_BYTES:
        raise too_many_bytes(len(data))
    form = form_of(data[:HEAD_BYTES])
    if form is None:
        raise _unknown(data)
    try:
        return _read(form, data, max_pixels)
    except ImageError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise ImageError(
            "too-large", f"expected a {form.name} that fits in memory: {_line(error)}"
        ) from error
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more
        repaired = _repaired(form, data, max_pixels)
        if repaired is not None:
            return repaired
        if "truncated" in str(error).lower() or not form.ends(data):
            message = f"expected a whole {form.name}, found its end missing after {len(data)} bytes"
            raise ImageError("truncated", f"{message} ({_line(error)}): copy or download it again") from error
        message = f"expected a {form.name} that can be decoded, found damage or an unsupported kind"
        raise ImageError("unreadable", f"{message} ({_line(error)}): save it again as JPEG or PNG") from error


def image_format(head: bytes) -> str | None:
    """Name the form of a photo (``JPEG``, ``PNG``, ...) from its first 64 bytes; None if it is no photo."""
    form = form_of(head)
    return None if form is None else form.name


def too_many_bytes(found: int) -> ImageError:
    """The refusal of a file that is too large to be a photo, made before it is read."""
    return ImageError(
        "too-large",
        f"expected a photo of at most {MAX_BYTES >> 20} MiB, found {found / (1 << 20):,.0f} MiB: make it smaller",
    )


def _read(form: Form, data: bytes, max_pixels: int, *, ended: bool = False) -> Pixels:
    if form.name == "PPM":
        _check_size(pnm.size_of(data), max_pixels)
        return pnm.read(data)
    if (
        form.name == "PNG" and len(data) >= _PNG_SIZE.stop
    ):  # Pillow wants more than the header to tell the size
        width, height = struct.unpack(">2I", data[_PNG_SIZE])
        _check_size((width, height), max_pixels)
    with _silenced() if form.warns else contextlib.nullcontext():
        photo = _opened(form, data)
        _check_size(photo.size, max_pixels)
        if form.name == "TIFF":
            _check_tiff(photo, max_pixels)
        elif form.name == "JPEG":
            jpeg.check_scans(data, photo.size)
            if not ended and data.endswith(b"\0") and not form.ends(data):
                raise ValueError("truncated")  # to Pillow zeros at the end would be pixels
        elif form.name == "JPEG2000":
            if not form.ends(data):
                raise ValueError("truncated")  # Pillow would fill what is missing, in silence
            _check_size(photo.size, min(max_pixels, _JPEG2000_PIXELS))
        photo.load()
        return _pixels(rgb(photo), turn=_TURNS.get(_orientation(photo)))


def _opened(form: Form, data: bytes) -> Image.Image:
    """The photo, its header read. Plugins are called directly: Image.open would add its own limits and warnings."""
    file = io.BytesIO(data)
    if form.name != "HEIF":
        importlib.import_module(form.plugin)
        return Image.OPEN[form.name][0](file, "")
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise ImageError(
            "needs-heif",
            "expected a form of photo that can be read here, found HEIC: install the extra [heif] "
            "(pip install 'clip-smu[heif]')",
        ) from None
    photo: Image.Image = HeifImageFile(file, "")
    return photo


def _repaired(form: Form, data: bytes, max_pixels: int) -> Pixels | None:
    """The pixels of a photo with a harmless fault; None if it has another one."""

    def read(changed: bytes) -> Pixels:
        return _read(form, changed, max_pixels, ended=True)

    try:
        if form.name == "JPEG" and not form.ends(data):
            return jpeg.read_without_end(data, read)
        if form.name == "PNG" and (bare := png.without_text(data)) != data:
            return read(bare)
    except Exception:  # the first error tells more
        return None
    return None


def _unknown(data: bytes) -> ImageError:
    known = what_else(data[:HEAD_BYTES])
    if known is not None:
        return ImageError(known[0], f"expected a photo ({READ}), found {known[1]}")
    if begins_a_form(data):
        return ImageError(
            "truncated", f"expected a photo ({READ}), found {len(data)} bytes: copy or download it again"
        )
    return ImageError(
        "not-an-image", f"expected a photo ({READ}), found a file that begins with {data[:8]!r}: check it"
    )


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        found = f"{width} x {height} ({width * height / 1e6:,.1f} megapixels)"
        limit = f"expected a photo of at most {max_pixels / 1e6:,.1f} megapixels"
        raise ImageError(
            "too-large", f"{limit}, found {found}: make it smaller (from Python, max_pixels can be raised)"
        )


_TILE_WIDTH, _TILE_LENGTH, _SUBFILE, _SUB_DIRECTORIES, _DNG_VERSION = 322, 323, 254, 330, 50706  # TIFF tags


def _check_tiff(photo: Image.Image, max_pixels: int) -> None:
    """Refuses tiles larger than any photo, and the thumbnail that stands first in a camera's raw file."""
    tags = getattr(photo, "tag_v2", {})
    tile = tags.get(_TILE_WIDTH, 1), tags.get(_TILE_LENGTH, 1)
    if all(isinstance(side, int) for side in tile):
        _check_size(tile, max(max_pixels, 1 << 20))
    reduced = isinstance(tags.get(_SUBFILE), int) and tags[_SUBFILE] & 1
    if _DNG_VERSION in tags or (reduced and _SUB_DIRECTORIES in tags):
        raise ImageError(
            "unreadable",
            "expected a photo, found a camera's raw file (DNG, NEF, ARW ...): develop it and save it as JPEG",
        )


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    # Only for TIFF and GIF: their plugins warn of sizes that `max_pixels` has already allowed.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


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


def _pixels(photo: Image.Image, *, turn: Image.Transpose | None) -> Pixels:
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
