"""clip_smu.photos.decode against arrays built by hand, OpenCV and tifffile; and against damage of every kind."""

from __future__ import annotations

import io
import re
import resource
import struct
import subprocess
import sys
import time
import warnings
import zlib
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from clip_smu.errors import ImageError
from clip_smu.photos.decode import MAX_PIXELS, decode, image_format

Pixels = np.ndarray

RGB = np.random.default_rng(0).integers(0, 256, (31, 47, 3), np.uint8)
SMOOTH = cv2.resize(cv2.resize(RGB, (6, 4)), (94, 62), interpolation=cv2.INTER_CUBIC)
GREY16 = np.random.default_rng(1).integers(0, 65536, (31, 47), np.uint16)


def encode(pixels: Pixels | Image.Image, form: str, **options: object) -> bytes:
    photo = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    photo.save(file, form, **options)
    return file.getvalue()


def tiff(pixels: Pixels, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def png16(pixels: Pixels) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def grey(values: Pixels) -> Pixels:
    return np.repeat(np.asarray(values, np.uint8)[..., None], 3, axis=2)


def failure(data: bytes, **options: int) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(data, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("expected ")
    return caught.value


FORMATS = {
    "jpeg": encode(SMOOTH, "JPEG", quality=95),
    "jpeg, progressive": encode(SMOOTH, "JPEG", progressive=True),
    "jpeg, cmyk": encode(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG"),
    "png": encode(RGB, "PNG"),
    "png, palette": encode(Image.fromarray(RGB).quantize(16), "PNG", transparency=3),
    "png, 16 bits": png16(GREY16),
    "webp": encode(SMOOTH, "WEBP"),
    "webp, animated": encode(SMOOTH, "WEBP", save_all=True, append_images=[Image.fromarray(SMOOTH[::-1])]),
    "bmp": encode(RGB, "BMP"),
    "gif": encode(RGB, "GIF"),
    "tiff": encode(RGB, "TIFF"),
    "tiff, lzw": encode(RGB, "TIFF", compression="tiff_lzw"),
    "tiff, jpeg": encode(SMOOTH, "TIFF", compression="jpeg"),
    "tiff, tiles": tiff(GREY16, tile=(16, 16)),
    "tiff, float": tiff(GREY16.astype(np.float32)),
    "avif": encode(SMOOTH, "AVIF", quality=90),
    "jpeg2000": encode(SMOOTH, "JPEG2000"),
    "jpeg2000, bare": encode(SMOOTH, "JPEG2000", no_jp2=True),
    "ppm": encode(RGB, "PPM"),
    "ppm, grey of 16 bits": cv2.imencode(".pgm", GREY16)[1].tobytes(),
    "ppm, text": cv2.imencode(".ppm", RGB, [cv2.IMWRITE_PXM_BINARY, 0])[1].tobytes(),
}
if find_spec("pillow_heif"):
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS["heif"] = encode(SMOOTH, "HEIF", quality=90)


# ---- whole photos


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("JPEG2000", {}),
        ("PPM", {}),
    ],
)
def test_a_lossless_photo_keeps_every_pixel(form: str, options: dict[str, object]) -> None:
    pixels = decode(encode(RGB, form, **options))
    np.testing.assert_array_equal(pixels, RGB)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize(
    "form",
    ["jpeg", "jpeg, progressive", "webp", "tiff, jpeg", "avif", "jpeg2000", "ppm", "ppm, text"],
)
def test_a_lossy_photo_is_what_opencv_decodes(form: str) -> None:
    expected = cv2.imdecode(np.frombuffer(FORMATS[form], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    difference = np.abs(decode(FORMATS[form]).astype(int) - expected)
    assert difference.mean() < 1.5
    assert difference.max() <= 16


def test_a_photo_larger_than_one_strip_keeps_every_pixel() -> None:
    large = np.random.default_rng(2).integers(0, 256, (701, 903, 3), np.uint8)  # seven strips and a rest
    np.testing.assert_array_equal(decode(encode(large, "BMP")), large)
    wide = large.reshape(1, -1, 3)
    np.testing.assert_array_equal(decode(encode(wide, "BMP")), wide)


def test_the_first_frame_of_an_animation_is_taken() -> None:
    first, second = np.zeros((8, 9, 3), np.uint8), np.full((8, 9, 3), 255, np.uint8)
    first[2:4] = 255, 0, 0
    for form, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("PNG", {})):
        data = encode(first, form, save_all=True, append_images=[Image.fromarray(second)], **options)
        np.testing.assert_array_equal(decode(data), first)


@pytest.mark.parametrize("name", FORMATS)
def test_the_form_is_told_from_its_first_bytes(name: str) -> None:
    assert image_format(FORMATS[name][:64]) == name.split(",")[0].upper()
    assert image_format(b"people/a.jpg") is None


# ---- orientation

# EXIF 2.32, tag 0x0112: the side of the upright photo that row 0 and column 0 of the stored one show.
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("JPEG", {"quality": 100, "subsampling": 0}),
    ],
)
def test_every_orientation_is_made_upright(form: str, options: dict[str, object], orientation: int) -> None:
    row, column = SIDES[orientation]
    stored = SMOOTH if row in ("top", "bottom") else SMOOTH.swapaxes(0, 1)
    stored = stored[::-1] if row in ("bottom", "right") else stored
    stored = stored[:, ::-1] if column in ("bottom", "right") else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encode(np.ascontiguousarray(stored), form, exif=exif, **options))
    assert pixels.shape == SMOOTH.shape
    assert np.abs(pixels.astype(int) - SMOOTH).max() <= (4 if form == "JPEG" else 0)
    assert pixels.flags.c_contiguous


@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning")
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0no TIFF at all",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0",
    ],
)
def test_damaged_or_senseless_exif_does_not_spoil_a_photo(exif: bytes) -> None:
    np.testing.assert_array_equal(decode(encode(RGB, "PNG", exif=exif)), RGB)


# ---- kinds of pixels


def test_grey_palette_and_one_bit_become_rgb() -> None:
    np.testing.assert_array_equal(decode(encode(RGB[..., 0], "PNG")), grey(RGB[..., 0]))
    palette = Image.fromarray(RGB).quantize(16)
    np.testing.assert_array_equal(decode(encode(palette, "PNG")), np.asarray(palette.convert("RGB")))
    np.testing.assert_array_equal(decode(encode(palette, "GIF")), np.asarray(palette.convert("RGB")))
    bits = RGB[..., 0] > 127
    for form, options in (("PNG", {}), ("BMP", {}), ("TIFF", {"compression": "group4"})):
        np.testing.assert_array_equal(decode(encode(bits, form, **options)), grey(bits * 255))


@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})]
)
def test_transparency_is_laid_on_white(form: str, options: dict[str, object]) -> None:
    alpha = np.random.default_rng(3).integers(0, 256, (*RGB.shape[:2], 1), np.uint8)
    expected = np.rint(RGB * (alpha / 255.0) + 255.0 * (1 - alpha / 255.0))
    pixels = decode(encode(np.dstack([RGB, alpha]), form, **options))
    assert np.abs(pixels - expected).max() <= 1
    if form != "WEBP":
        pixels = decode(encode(np.dstack([RGB[..., :1], alpha]), form))
        assert np.abs(pixels - expected[..., :1]).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_transparent_palette_entry_is_white(form: str) -> None:
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    photo = Image.fromarray(indices, "L").convert("P")
    photo.putdata(indices.ravel().tolist())
    photo.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    expected = np.array([[255, 0, 0], [255, 255, 255], [0, 0, 255]], np.uint8)[indices]
    np.testing.assert_array_equal(decode(encode(photo, form, transparency=1)), expected)


def test_cmyk_keeps_its_colours() -> None:
    colours = np.zeros((32, 96, 3), np.uint8)
    colours[:, :32], colours[:, 32:64], colours[:, 64:] = (200, 30, 30), (30, 200, 30), (240, 240, 240)
    for form in ("JPEG", "TIFF"):  # in a JPEG Pillow writes Adobe's inverted kind
        pixels = decode(encode(Image.fromarray(colours).convert("CMYK"), form))
        assert np.abs(pixels.astype(int) - colours).mean() < 3


@pytest.mark.parametrize(
    "data",
    [
        png16(GREY16),
        tiff(GREY16),
        tiff(GREY16, byteorder=">"),
        tiff(GREY16, compression="zlib"),
        tiff(65535 - GREY16, photometric="miniswhite"),
    ],
    ids=["png", "tiff", "tiff, big-endian", "tiff, deflate", "tiff, 0 is white"],
)
def test_sixteen_bit_grey_is_scaled_not_clipped(data: bytes) -> None:
    np.testing.assert_array_equal(decode(data), grey(np.rint(GREY16 / 257)))


def test_the_transparent_level_of_a_sixteen_bit_png_is_white() -> None:
    data = png16(GREY16)
    level = int(GREY16[5, 7])
    transparent = np.equal(GREY16, level)
    keyed = data[:33] + chunk(b"tRNS", struct.pack(">H", level)) + data[33:]  # after the 8 + 25 bytes of IHDR
    expected = np.where(transparent, 255, np.rint(GREY16 / 257))
    np.testing.assert_array_equal(decode(keyed), grey(expected))


def test_sixteen_bit_colour_is_scaled() -> None:
    colour = np.random.default_rng(4).integers(0, 65536, (31, 47, 3), np.uint16)
    for data in (png16(colour[..., ::-1]), tiff(colour, photometric="rgb")):
        assert np.abs(decode(data) - colour / 257).max() <= 1
    planes = tiff(np.moveaxis(colour, 2, 0), photometric="rgb", planarconfig="separate")
    assert failure(planes).reason == "unreadable"  # Pillow alone would return wrong pixels


def test_twelve_bit_grey_is_scaled() -> None:
    values = [0, 4095, 2048, 1000]
    packed = bytes.fromhex("".join(f"{value:03x}" for value in values))
    tags = {
        256: (4, 2),
        257: (4, 2),
        258: (3, 12),
        259: (3, 1),
        262: (3, 1),
        273: (4, 8),
        277: (3, 1),
        278: (4, 2),
    }
    tags |= {279: (4, len(packed)), 256: (4, 2), 257: (4, 2)}
    entries = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items())
    )
    data = (
        struct.pack("<4sI", b"II*\0", 8 + len(packed))
        + packed
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )
    np.testing.assert_array_equal(decode(data), grey(np.rint(np.reshape(values, (2, 2)) / 4095 * 255)))


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (np.linspace(0, 1, 48, dtype=np.float32), 0, 1),
        (np.linspace(0, 255, 48, dtype=np.float32), 0, 255),
        (np.linspace(3, 3000, 48, dtype=np.float32), 0, 3000),
        (np.linspace(-2, 2, 48, dtype=np.float32), -2, 2),
        (np.linspace(0, 200, 48).astype(np.int32), 0, 255),
        (np.linspace(-30000, 30000, 48).astype(np.int16), -30000, 30000),
        (np.zeros(48, np.float32), 0, 1),
    ],
)
def test_float_and_integer_tiffs_are_brought_to_eight_bits(values: Pixels, low: float, high: float) -> None:
    values = values.reshape(6, 8)
    expected = (values.astype(float) - low) / (high - low) * 255
    assert np.abs(decode(tiff(values)) - expected[..., None]).max() <= 0.501


def test_not_a_number_is_black() -> None:
    values = np.full((4, 4), 0.5, np.float32)
    values[0] = np.nan, np.inf, -np.inf, 1.0
    pixels = decode(tiff(values))
    assert pixels[0, :, 0].tolist() == [0, 0, 0, 255]
    assert (pixels[1:] == 128).all()


# ---- the limit of size

HUGE = 100_000


def png_header(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def bmp_header(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(info), 0, 0, 54) + info + b"\0" * 100


@pytest.mark.parametrize("header", [png_header, bmp_header])
def test_a_huge_photo_is_refused_from_its_header(header: object) -> None:
    data = header(HUGE, HUGE)  # type: ignore[operator]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    error = failure(data)
    assert error.reason == "too-large"
    assert "100000 x 100000 (10,000.0 megapixels)" in str(error)
    assert f"at most {MAX_PIXELS / 1e6:.1f} megapixels" in str(error)
    assert time.process_time() - start < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50_000  # kilobytes


@pytest.mark.parametrize("name", FORMATS)
def test_the_limit_holds_for_every_format(name: str) -> None:
    height, width = decode(FORMATS[name]).shape[:2]
    assert decode(FORMATS[name], max_pixels=height * width).shape == (height, width, 3)
    assert failure(FORMATS[name], max_pixels=height * width - 1).reason == "too-large"


@pytest.mark.parametrize("name", FORMATS)
def test_pillows_own_limit_never_warns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    height, width = decode(FORMATS[name]).shape[:2]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", height * width * 2 // 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert decode(FORMATS[name]).shape == (height, width, 3)
    assert not caught


def test_pillows_own_refusal_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    gif = FORMATS["gif"][:6] + struct.pack("<HH", 1, 1) + FORMATS["gif"][10:]  # the frame exceeds the screen
    assert decode(gif).shape == RGB.shape
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert decode(gif).shape == RGB.shape  # Pillow would warn
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert failure(gif).reason == "too-large"


def test_lack_of_memory_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("clip_smu.photos.decode.rgb", refuse)
    assert failure(FORMATS["png"]).reason == "too-large"


# ---- netpbm's forms, HEIC


@pytest.mark.parametrize("binary", [0, 1])
@pytest.mark.parametrize(
    ("suffix", "pixels"),
    [("pbm", RGB[..., 0] // 128 * 255), ("pgm", RGB[..., 0]), ("ppm", RGB), ("pgm", GREY16)],
    ids=["pbm", "pgm", "ppm", "pgm of 16 bits"],
)
def test_netpbm_is_what_opencv_wrote(suffix: str, pixels: Pixels, binary: int) -> None:
    data = cv2.imencode(f".{suffix}", pixels[..., ::-1] if pixels.ndim == 3 else pixels,
                        [cv2.IMWRITE_PXM_BINARY, binary])[1].tobytes()  # fmt: skip
    expected = np.rint(pixels / 257.0) if pixels.dtype == np.uint16 else pixels
    np.testing.assert_array_equal(decode(data), expected if pixels.ndim == 3 else grey(expected))


def test_netpbm_of_any_greatest_level_with_comments() -> None:
    levels = np.array([[0, 500, 1000], [1023, 1, 2]], ">u2")
    head = b"P5 # a scanner's\n3 2 #1023\n#\n1023\n"
    expected = grey(np.rint(levels / 1023 * 255))
    np.testing.assert_array_equal(decode(head + levels.tobytes()), expected)
    text = b"P2\n3 2\n1023\n0 500 # half\n1000 1023 1 2\n"
    np.testing.assert_array_equal(decode(text), expected)
    np.testing.assert_array_equal(decode(b"P1 3 2 011\n100"), grey([[255, 0, 0], [0, 255, 255]]))
    for wrong, why in (
        (b"P5 3 2 1023 abc", "truncated"),
        (b"P2 3 2 255 1 2 3 4 5", "truncated"),
        (b"P2 3 2 255 1 2 3 4 5 six", "unreadable"),
        (b"P5 3 2 70000 abcdef", "unreadable"),
        (b"P5 99999 99999 255 ", "too-large"),
        (b"P5 0 2 255 abc", "truncated"),
    ):
        assert failure(wrong).reason == why, wrong
    assert image_format(b"P5x is no photo") is None


def test_heic_is_decoded_or_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif")
    assert np.abs(decode(FORMATS["heif"]).astype(int) - SMOOTH).mean() < 3
    exif = Image.Exif()
    exif[0x0112] = 6  # as a phone held upright writes it
    turned = encode(np.ascontiguousarray(np.rot90(SMOOTH)), "HEIF", quality=95, exif=exif.tobytes())
    assert np.abs(decode(turned).astype(int) - SMOOTH).mean() < 3
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    error = failure(FORMATS["heif"])
    assert error.reason == "needs-heif"
    assert "pip install 'clip-smu[heif]'" in str(error)


# ---- harmless faults: a missing end mark (face_recognition's pull request 638), large texts in a PNG

ENDLESS = {
    "baseline": {},
    "all colours": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "progressive restarts": {"progressive": True, "restart_marker_blocks": 3},
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_jpeg_without_its_end_mark_is_read_if_all_pixels_are_there(kind: str) -> None:
    whole = encode(SMOOTH, "JPEG", quality=90, **ENDLESS[kind])
    pixels = decode(whole)
    for ended in (whole[:-2], whole[:-1], whole[:-2] + bytes(700), whole + bytes(700)):
        np.testing.assert_array_equal(decode(ended), pixels)
    for missing in (*range(3, 30), *range(30, len(whole) - 700, 37)):
        for padding in (b"", bytes(700)):
            assert failure(whole[:-missing] + padding).reason == "truncated", (missing, len(padding))


def test_a_photo_with_data_after_it_is_read() -> None:
    film = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 9 + b"\xff\xda" + bytes(9)  # as phones' motion photos
    np.testing.assert_array_equal(decode(FORMATS["jpeg"] + film), decode(FORMATS["jpeg"]))


@pytest.mark.parametrize("place", ["before the pixels", "after the pixels"])
def test_a_png_with_large_texts_is_read(place: str) -> None:
    data = encode(RGB, "PNG")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000)))
    text += chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(5_000_000)))
    at = 33 if place == "before the pixels" else len(data) - 12
    np.testing.assert_array_equal(decode(data[:at] + text + data[at:]), RGB)


# ---- what takes minutes or gigabytes


def test_thousands_of_scans_are_refused() -> None:
    photo = encode(np.zeros((3000, 3000, 3), np.uint8), "JPEG", progressive=True)
    last = photo.rfind(b"\xff\xda")
    start = time.process_time()
    error = failure(photo[:last] + photo[last:-2] * 1000 + b"\xff\xd9")
    assert error.reason == "unreadable"
    assert "scans over 3000 x 3000 pixels" in str(error)
    assert time.process_time() - start < 2


def test_a_tiny_tiff_with_huge_tiles_is_refused() -> None:
    data = tiff(np.zeros((16, 16), np.uint8), tile=(16, 16), compression="zlib")
    for tag in (322, 323):
        entry = struct.pack("<HHII", tag, 4, 1, 16)
        assert data.count(entry) == 1
        data = data.replace(entry, struct.pack("<HHII", tag, 4, 1, 40_000))
    assert failure(data).reason == "too-large"


def test_a_file_too_large_for_a_photo_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clip_smu.photos.decode.MAX_BYTES", 1000)
    assert failure(bytes(1001)).reason == "too-large"


# ---- damage


def test_nothing_and_what_is_no_photo() -> None:
    assert failure(b"").reason == "empty"
    assert failure(b"<!DOCTYPE html><html>").reason == "not-an-image"
    assert failure(b"RIFF\x24\0\0\0WAVEfmt ").reason == "not-an-image"
    assert failure(b"\x89PN").reason == "truncated"


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:5945dee6478abdab\nsize 435852734\n"


@pytest.mark.parametrize(
    ("data", "why", "words"),
    [
        (LFS, "git-lfs-pointer", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "not-an-image", r"web page \(HTML\)"),
        (b"<html><body>403 Forbidden", "not-an-image", r"web page \(HTML\)"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "not-an-image", "video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "not-an-image", "camera's raw"),
        (b"%PDF-1.7", "not-an-image", "PDF"),
        (b'{"error": "quota"}', "not-an-image", "JSON"),
        (b"<svg xmlns=", "not-an-image", "SVG"),
    ],
)
def test_what_is_no_photo_is_called_by_its_name(data: bytes, why: str, words: str) -> None:
    error = failure(data)
    assert error.reason == why
    assert re.search(words, str(error))


def test_a_cameras_raw_file_is_not_read_as_its_thumbnail() -> None:
    for tag, value in ((50706, b"\1\4\0\0"), (330, 8)):
        thumbnail = TiffImagePlugin.ImageFileDirectory_v2()
        thumbnail[254], thumbnail[tag] = 1, value
        error = failure(encode(RGB[:9, :9], "TIFF", tiffinfo=thumbnail))
        assert error.reason == "unreadable"
        assert "raw file" in str(error)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", FORMATS)
def test_a_photo_cut_off_is_truncated(name: str, part: float) -> None:
    data = FORMATS[name]
    reasons = (
        {"truncated", "unreadable"} if name == "tiff, jpeg" else {"truncated"}
    )  # its tables lie at the end
    assert failure(data[: int(len(data) * part)]).reason in reasons


def test_a_damaged_photo_is_unreadable() -> None:
    data = bytearray(FORMATS["png"])
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    assert failure(bytes(data)).reason == "unreadable"
    broken = FORMATS["bmp"][:28] + b"\x11" + FORMATS["bmp"][29:]  # 17 bits a pixel
    assert failure(broken).reason == "unreadable"


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_damage_gives_pixels_or_an_image_error(name: str, data: st.DataObject) -> None:
    photo = bytearray(FORMATS[name])
    positions = st.integers(0, len(photo) - 1) | st.integers(0, min(200, len(photo) - 1))
    for position, value in data.draw(st.lists(st.tuples(positions, st.integers(0, 255)), max_size=20)):
        photo[position] = value
    cut = data.draw(st.none() | positions)
    try:
        pixels = decode(bytes(photo[:cut]), max_pixels=1_000_000)
    except ImageError as error:
        assert error.reason in {
            "empty", "not-an-image", "git-lfs-pointer", "needs-heif", "truncated", "too-large", "unreadable"
        }  # fmt: skip
        assert "\n" not in str(error)
    else:
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
        assert pixels.dtype == np.uint8


def test_the_import_is_light() -> None:
    heavy = "{'cv2', 'PIL.TiffImagePlugin', 'PIL.JpegImagePlugin', 'pyarrow', 'torch'}"
    code = f"import sys, clip_smu.photos.decode, clip_smu.photos; print(*{heavy} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
