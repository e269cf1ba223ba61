"""What has no end, or takes all memory or time."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from clip_smu.errors import InputError
from clip_smu.photos import count_photos, iter_photos
from photo_inputs import BYTES, ORDER, jpeg, names, pack, reason


def test_pipes_and_devices_are_refused(people: Path) -> None:
    os.mkfifo(people / "pipe.jpg")
    (people / "pipes.txt").write_text("pipe.jpg\n/dev/zero\n")
    for wrong in (people / "pipe.jpg", "/dev/zero", "/dev/stdin" if not sys.stdin.isatty() else "/dev/zero"):
        if Path(wrong).is_file():
            continue
        with pytest.raises(InputError, match=r"expected photos at .*, found a pipe or device"):
            iter_photos([wrong])
    os.mkfifo(people / "pipe.txt")
    with pytest.raises(InputError, match=r"expected a list of photos at .*, found a pipe or device"):
        iter_photos([people / "pipe.txt"])
    assert [reason(photo) for photo in iter_photos([people / "pipes.txt"])] == ["unreadable"] * 2
    assert {photo.name: photo for photo in iter_photos([people])}["pipe.jpg"].name == "pipe.jpg"


class Endless(io.RawIOBase):
    """A pipe without end: a beginning, then the same bytes for ever."""

    def __init__(self, first: bytes, then: bytes) -> None:
        self._first, self._then, self.given = first, then * (1 + (1 << 16) // len(then)), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._first[: len(buffer)] or self._then[: len(buffer) - len(buffer) % 2]
        self._first = self._first[len(buffer) :]
        buffer[: len(part)] = part
        self.given += len(part)
        assert self.given < 50_000_000, "no end to it"
        return len(part)


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (b"", b"y\n", "found none of its first 1,000 lines to be one"),  # yes | clip-smu interpret -
        (b"", b"\0\0", "found binary data"),  # clip-smu interpret - < /dev/zero
        (b"", b"xy", "found binary data"),
        (b"", b"#\n", "lines in a row without one"),
        (b"b/2.jpg\n", b"b/2.jpg\n", "expected a list that ends, found 100 lines in a row"),
    ],
)
def test_standard_input_without_end(
    people: Path, monkeypatch: pytest.MonkeyPatch, first: bytes, then: bytes, message: str
) -> None:
    monkeypatch.chdir(people)
    monkeypatch.setattr("clip_smu.photos.inputs._REPEATS", 100)
    with pytest.raises(InputError, match=message):
        names("-", stdin=io.BufferedReader(Endless(first, then)))


def test_a_photo_without_end_is_too_large(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    for module in ("streams", "tars", "photo"):
        monkeypatch.setattr(f"clip_smu.photos.{module}.MAX_BYTES", 5_000_000)
    (photo,) = iter_photos(["-"], stdin=io.BufferedReader(Endless(jpeg(1), b"\0\0")))
    assert reason(photo) == "too-large"
    with (people / "0.webp").open("wb") as file:
        file.truncate(5_000_001)  # a hole
    tar = people.parent / "large.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(people, ".")
    for found in (
        iter_photos([people]),
        iter_photos([tar]),
        iter_photos(["-"], stdin=io.BytesIO(tar.read_bytes())),
    ):
        assert {photo.name: photo for photo in found}["0.webp"].size != 0
    assert reason(next(iter_photos([people]))) == "too-large"
    for found in (iter_photos([tar]), iter_photos(["-"], stdin=io.BytesIO(tar.read_bytes()))):
        by_name = {photo.name: photo for photo in found}
        assert reason(by_name.pop("0.webp")) == "too-large"
        assert {name: photo.read() for name, photo in by_name.items()} == {
            name: BYTES[name] for name in ORDER[1:]
        }


def _bomb(kind: str) -> bytes:
    """A tar with one photo, and then a member or header that claims a gigabyte."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        member = tarfile.TarInfo("1.jpg")
        member.size = len(jpeg(1))
        tar.addfile(member, io.BytesIO(jpeg(1)))
    head = tarfile.TarInfo("x.jpg")
    head.size = 1 << 30
    if kind == "long name":
        head.type = tarfile.GNUTYPE_LONGNAME
    elif kind == "extended header":
        head.type = tarfile.XHDTYPE
    elif kind == "negative size":
        head.size = -1 << 20
    elif kind == "negative size in an extended header":
        head.size, head.pax_headers = 0, {"size": "-1024"}
        return file.getvalue()[:1536] + head.tobuf(tarfile.PAX_FORMAT)
    return file.getvalue()[:1536] + head.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "kind", ["long name", "extended header", "negative size", "negative size in an extended header"]
)
def test_headers_that_claim_too_much_end_a_tar(tmp_path: Path, kind: str) -> None:
    (tmp_path / "bomb.tar").write_bytes(_bomb(kind))
    with (tmp_path / "bomb.tar").open("r+b") as file:
        file.truncate(2 << 30)  # a hole, which costs nothing on the disk
    packed = io.BytesIO(gzip.compress(_bomb(kind) + bytes(30_000_000), 1, mtime=0))
    tracemalloc.start()
    try:
        for found in (iter_photos([tmp_path / "bomb.tar"]), iter_photos(["-"], stdin=packed)):
            photo, broken = found
            assert photo.read() == jpeg(1)
            assert reason(broken) == "truncated"
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_member_with_holes_is_too_large(tmp_path: Path) -> None:
    """A sparse member of GNU tar: a few bytes that claim to be a terabyte."""
    head = tarfile.TarInfo("x.jpg")
    head.size, head.type = 512, tarfile.GNUTYPE_SPARSE
    buffer = bytearray(head.tobuf(tarfile.GNU_FORMAT))
    buffer[386:410] = b"%011o\0" % 0 + b"%011o\0" % 512  # one piece: offset, bytes
    buffer[483:495] = b"%011o\0" % (8 << 30 - 1)  # the real size
    buffer[148:156] = b" " * 8
    buffer[148:156] = b"%06o\0 " % sum(buffer)
    data = bytes(buffer) + bytes(512) + bytes(1024)
    (tmp_path / "x.tar").write_bytes(data)
    for found in (iter_photos([tmp_path / "x.tar"]), iter_photos(["-"], stdin=io.BytesIO(data))):
        (photo,) = found
        assert reason(photo) == "too-large"


@pytest.mark.parametrize("pack_bytes", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_bomb_ends_with_its_reason(
    tmp_path: Path, pack_bytes: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clip_smu.photos.unpacked._FREE_BYTES", 1_000_000)
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "zeros.bin").write_bytes(bytes(12_000_000))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("1.jpg", "zeros.bin", "1.jpg"):
            tar.add(tmp_path / name, name)
    (tmp_path / "bomb.tar.any").write_bytes(pack_bytes(file.getvalue()))
    photo, bomb = iter_photos(["-"], stdin=io.BytesIO(pack_bytes(file.getvalue())))
    assert photo.read() == jpeg(1)
    assert reason(bomb) == "too-large"
    assert "grows beyond all measure" in str(bomb.problem)


def test_streams_packed_one_after_another_are_one(tmp_path: Path) -> None:
    whole = pack(tmp_path / "x.tar", {f"{k}.jpg": jpeg(k) for k in range(9)}).read_bytes()
    for pack_bytes in (gzip.compress, bz2.compress, lzma.compress):
        parts = b"".join(pack_bytes(whole[start : start + 900]) for start in range(0, len(whole), 900))
        found = list(iter_photos(["-"], stdin=io.BytesIO(parts + bytes(100))))
        assert [photo.read() for photo in found] == [jpeg(k) for k in range(9)]


def test_circles_of_links_end(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "xyz":
        (people / "a" / name).symlink_to(people, target_is_directory=True)
    assert names(people) == ORDER
    monkeypatch.chdir(people)
    assert [name for name in names("**/*.jpg") if name.count("/") < 3] == ["b/2.jpg"]


def test_folders_may_be_deeper_than_functions_may_call(tmp_path: Path) -> None:
    deep = str(tmp_path)
    for _ in range(sys.getrecursionlimit() + 50):
        deep += "/d"
        os.mkdir(deep)  # noqa: PTH102 (paths so long are slow)
    Path(deep, "1.jpg").write_bytes(jpeg(1))
    try:
        assert [photo.read() for photo in iter_photos([tmp_path])] == [jpeg(1)]
    finally:
        Path(deep, "1.jpg").unlink()
        os.removedirs(deep)  # shutil.rmtree could not
        tmp_path.mkdir(exist_ok=True)


def test_wrong_inputs_are_refused_before_any_photo(people: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "page.tar").write_text("<html>" * 200)
    (tmp_path / "zero.tar").write_bytes(b"")
    pack(tmp_path / "none.tar", {"notes.txt": b"x"})
    pack(tmp_path / "none.tgz", {"notes.txt": b"x"}, "w:gz")
    for wrong, message in (
        ("nobody.jpg", 'expected a file or folder at ".*nobody.jpg", found nothing'),
        ("x" * 300, "expected a file or folder at .*, found nothing"),
        ("nobody*.jpg", "expected photos, tars or folders like .*, found none"),
        ("empty", 'expected photos in the folder ".*empty", found none: check it'),
        ("empty.txt", "expected photos in the list .*, found none"),
        ("none.tar", "expected photos in the tar .*, found none"),
        ("none.tgz", "expected photos in the compressed tar .*, found none"),
        ("page.tar", "expected a tar in .*page.tar.*, found something else"),
        ("zero.tar", "expected a tar in .*zero.tar.*, found something else"),
    ):
        for call in (iter_photos, count_photos):
            if call is count_photos and wrong == "none.tgz":
                continue
            with pytest.raises(InputError, match=message) as caught:
                call([people, tmp_path / wrong])
            assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"expected a file, folder, glob, list, tar or - .*, found none"):
        iter_photos([])
    with pytest.raises(InputError, match='expected a file or folder at "", found nothing'):
        iter_photos([""])


def test_counting_gives_up_in_time(people: Path) -> None:
    many = people / "many"
    many.mkdir()
    for k in range(600):
        (many / f"{k}.jpg").touch()
    assert count_photos([many]) == 600
    assert count_photos([many], seconds=0) is None
