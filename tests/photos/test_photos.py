"""clip_smu.photos on real files: every kind of input, and everything that can be wrong with it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import multiprocessing
import os
import pickle
import shutil
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clip_smu.errors import ImageError, InputError
from clip_smu.photos import Photo, count_photos, iter_photos, left_out_line
from clip_smu.photos.decode import decode


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


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A folder with four photos in three folders, and much that is none."""
    folder = tmp_path / "people"
    others = ["readme.txt", "labels.csv", ".hidden.jpg", ".git/4.jpg", "b/shard.tar", "b/._1.JPG"]
    for name, data in BYTES.items() | dict.fromkeys(others, b"x").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


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


# ---- folders


def test_a_folder_is_walked_in_order(people: Path) -> None:
    found = list(iter_photos([people]))
    assert [photo.name for photo in found] == ORDER
    assert [photo.identity for photo in found] == ["", "c", "b", "b"]
    assert [photo.read() for photo in found] == [BYTES[name] for name in ORDER]
    assert [photo.path for photo in found] == [people / name for name in ORDER]
    assert count_photos([people]) == 4


def test_a_relative_folder_gives_absolute_paths(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(people.parent)
    found = list(iter_photos(["./people/"]))
    monkeypatch.chdir("/")  # as a worker elsewhere
    assert [photo.name for photo in found] == ORDER
    assert [photo.read() for photo in found] == [BYTES[name] for name in ORDER]


def test_links_are_followed_but_not_back_up(people: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "5.jpg").write_bytes(jpeg(50))
    (people / "a" / "up").symlink_to(people, target_is_directory=True)
    (people / "a" / "self").symlink_to(people / "a" / "self")
    (people / "d").symlink_to(tmp_path / "more", target_is_directory=True)
    (tmp_path / "more" / "back").symlink_to(people, target_is_directory=True)
    assert names(people) == [*ORDER, "d/5.jpg"]


def test_a_dangling_link_is_a_missing_photo(people: Path) -> None:
    (people / "9.jpg").symlink_to(people / "gone.jpg")
    found = {photo.name: photo for photo in iter_photos([people])}
    assert set(found) == {*ORDER, "9.jpg"}
    assert reason(found["9.jpg"]) == "missing"


def test_a_folder_that_cannot_be_listed_is_counted(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path) == str(people / "b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list(iter_photos([people]))
    assert [photo.name for photo in found] == ["0.webp", "a/c/3.png", "b"]
    assert reason(found[-1]) == "unreadable"
    with pytest.raises(InputError, match=r"expected a folder that can be read, found: .*Permission denied"):
        iter_photos([people / "b"])


def test_names_beyond_ascii_and_beyond_utf8(tmp_path: Path) -> None:
    folder = tmp_path / "Štruc"
    for name in ("Žiga/naïve 写真.jpg", "Øre/1.jpg"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(jpeg(1))
    (folder / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(jpeg(2))
    found = list(iter_photos([folder]))
    assert [(photo.name, photo.identity) for photo in found] == [
        ("Øre/1.jpg", "Øre"),
        ("Žiga/naïve 写真.jpg", "Žiga"),
        (r"\xff\xfe.jpg", ""),
    ]
    assert found[2].read() == jpeg(2)
    tar = tmp_path / "ž.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(folder, ".")
    assert {photo.name: photo.read() for photo in iter_photos([tar])} == {p.name: p.read() for p in found}


# ---- files and globs


def test_files_are_named_as_typed(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(people)
    (people / "no-suffix").write_bytes(jpeg(7))
    found = list(iter_photos(["b/2.jpg", Path("no-suffix"), "./0.webp", str(people / "b" / "1.JPG")]))
    assert [photo.name for photo in found] == [
        "b/2.jpg",
        "no-suffix",
        "0.webp",
        (people / "b/1.JPG").as_posix(),
    ]
    assert {photo.identity for photo in found} == {""}
    assert found[1].read() == jpeg(7)
    assert names("0.webp") == ["0.webp"]
    assert [photo.name for photo in iter_photos("0.webp")] == ["0.webp"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("people/b/*", ["people/b/1.JPG", "people/b/2.jpg"]),
        ("people/**/*.[jp]*", ["people/a/c/3.png", "people/b/2.jpg"]),
        ("people/**", ["people/0.webp", "people/a/c/3.png", "people/b/1.JPG", "people/b/2.jpg"]),
        ("people/b/?.jpg", ["people/b/2.jpg"]),
        ("peop*", ORDER),
    ],
)
def test_globs(people: Path, pattern: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (people / "b" / "shard.tar").unlink()
    monkeypatch.chdir(people.parent)
    assert names(pattern) == expected
    assert count_photos([pattern]) == len(expected)


def test_a_glob_takes_tars(tmp_path: Path) -> None:
    pack(tmp_path / "s-0.tar", {"1.jpg": jpeg(1)})
    pack(tmp_path / "s-1.tar.gz", {"2.jpg": jpeg(2)}, "w:gz")
    assert names(tmp_path / "s-*.tar*") == ["1.jpg", "2.jpg"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "me [1].jpg").write_bytes(jpeg(1))
    (tmp_path / "me 1.jpg").write_bytes(jpeg(2))
    assert next(iter_photos([tmp_path / "me [1].jpg"])).read() == jpeg(1)


# ---- lists


def test_a_list_is_read_line_by_line(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = people.parent / "elsewhere"
    (elsewhere / "x").mkdir(parents=True)
    (elsewhere / "x" / "6.jpg").write_bytes(jpeg(6))
    monkeypatch.chdir(elsewhere)
    lines = ["\ufeff# faces", "b/2.jpg\r", "", "  ./a/c/3.png ", "x/6.jpg", str(people / "b" / "1.JPG")]
    lines += [
        "b/2.jpg",
        "gone/7.jpg",
        "../elsewhere/x/6.jpg",
        f"{elsewhere}/8.jpg",
        "b",
        "../elsewhere/9.jpg",
    ]
    (people / "faces.lst").write_text("\n".join(lines), encoding="utf-8")
    found = list(iter_photos([people / "faces.lst"]))
    assert [(photo.name, photo.identity) for photo in found] == [
        ("b/2.jpg", "b"),
        ("a/c/3.png", "c"),
        ("x/6.jpg", "x"),  # relative to the current folder
        ((people / "b/1.JPG").as_posix(), "b"),
        ("gone/7.jpg", "gone"),
        (f"{elsewhere.as_posix()}/8.jpg", ""),  # not below the list
        ("b", ""),
        ("../elsewhere/9.jpg", ""),
    ]
    assert [photo.read() for photo in found[:4]] == [jpeg(20), jpeg(30), jpeg(6), jpeg(10)]
    assert [reason(photo) for photo in found[4:]] == ["missing", "missing", "unreadable", "missing"]
    assert count_photos([people / "faces.lst"]) == 8


def test_a_list_as_editors_write_it(people: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (people / "list.txt").write_bytes("b/2.jpg\r\nb/1.JPG\r\n".encode(encoding))
        assert names(people / "list.txt") == ["b/2.jpg", "b/1.JPG"]
        with (people / "list.txt").open("rb") as stdin:
            assert names("-", stdin=stdin) == ["b/2.jpg", "b/1.JPG"]
    (people / "list.txt").write_bytes("b/Jörg.jpg\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"expected a list of photos at .* in UTF-8, found byte 0xf6"):
        iter_photos([people / "list.txt"])
    with (people / "list.txt").open("rb") as stdin, pytest.raises(InputError, match=r'UTF-8 .* in "-"'):
        names("-", stdin=stdin)


def test_a_list_of_which_nothing_exists_is_refused(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clip_smu.photos.lists._LOOKED_FOR", 3)
    (people / "few.txt").write_text("gone/1.jpg\ngone/2.jpg\n")
    assert [reason(photo) for photo in iter_photos([people / "few.txt"])] == ["missing", "missing"]
    (people / "many.txt").write_text("".join(f"gone/{k}.jpg\n" for k in range(9)))
    with pytest.raises(
        InputError, match=r'found none of its first 3 lines to be one .the first: "gone/0.jpg"'
    ):
        iter_photos([people / "many.txt"])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_photo_without_permission_is_unreadable(people: Path) -> None:
    (people / "0.webp").chmod(0)
    assert reason(next(iter_photos([people]))) == "unreadable"


def test_a_photo_that_the_system_refuses_is_unreadable(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = next(iter_photos([people]))

    def refuse(*_: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert reason(photo) == "unreadable"


# ---- tars


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_a_tar_keeps_its_order(tmp_path: Path, suffix: str) -> None:
    mode = {".tar": "w", ".tgz": "w:gz"}.get(suffix, f"w:{suffix[5:]}")
    members = {
        "./b/2.jpg": jpeg(2),
        "b/notes.txt": b"x",
        "./.x/1.jpg": b"x",
        "b/._2.jpg": b"x",
        "a/c/1.jpg": jpeg(1),
    }
    tar = pack(tmp_path / f"shard{suffix}", {**members, "./0.png": jpeg(0)}, mode)
    found = list(iter_photos([tar]))
    assert [(photo.name, photo.identity) for photo in found] == [
        ("b/2.jpg", "b"),
        ("a/c/1.jpg", "c"),
        ("0.png", ""),
    ]
    assert [photo.read() for photo in found] == [jpeg(2), jpeg(1), jpeg(0)]
    plain = suffix == ".tar"
    assert [(photo.path, photo.data is None) for photo in found] == [(tar if plain else None, plain)] * 3
    assert count_photos([tar]) == (3 if plain else None)


def test_a_tar_that_is_compressed_without_saying_so(tmp_path: Path) -> None:
    tar = pack(tmp_path / "shard.tar", {"1.jpg": jpeg(1)}, "w:gz")
    assert [photo.read() for photo in iter_photos([tar])] == [jpeg(1)]


def test_a_tar_with_folders_long_names_and_links(people: Path, tmp_path: Path) -> None:
    long = "n" * 120 + "/" + "p" * 180 + ".jpg"
    with tarfile.open(tmp_path / "all.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(people / "b", "b")
        os.link(people / "b" / "2.jpg", people / "b2.jpg")
        tar.add(people / "b2.jpg", "b/twin.jpg")
        member = tarfile.TarInfo(long)
        member.size = len(jpeg(5))
        tar.addfile(member, io.BytesIO(jpeg(5)))
    found = {photo.name: photo.read() for photo in iter_photos([tmp_path / "all.tar"])}
    assert found == {"b/1.JPG": jpeg(10), "b/2.jpg": jpeg(20), "b/twin.jpg": b"", long: jpeg(5)}


def _read_names(found: list[Photo]) -> list[tuple[str, bytes]]:
    return [(photo.name, photo.read()) for photo in found]


def test_photos_of_a_tar_travel_to_other_processes(tmp_path: Path) -> None:
    members = {f"p{k % 50:02}/{k:04}.jpg": jpeg(k % 256) for k in range(2000)}
    tar = pack(tmp_path / "shard.tar", members)
    found = list(iter_photos([tar]))
    assert [photo.name for photo in found] == list(members)
    assert max(len(pickle.dumps(photo)) for photo in found) < 500
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert dict(pool.apply(_read_names, (found,))) == members


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz"])
def test_a_tar_cut_off_gives_what_it_has_and_is_counted(tmp_path: Path, suffix: str) -> None:
    noise = {f"{k}.jpg": np.random.default_rng(k).bytes(5000) for k in range(4)}
    whole = pack(tmp_path / f"whole{suffix}", noise, "w:" + suffix[5:]).read_bytes()
    for keep in (0.45, 0.7, 0.85):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(whole[: int(23_000 * keep)])
        *good, last = iter_photos([cut])
        assert [photo.read() for photo in good] == list(noise.values())[: len(good)]
        assert 1 <= len(good) <= 3
        assert last.name == cut.as_posix()
        assert reason(last) == "truncated"
        assert reason(pickle.loads(pickle.dumps(last))) == "truncated"


def test_every_cut_of_a_tar_is_noticed(tmp_path: Path) -> None:
    members = {f"{k}.jpg": jpeg(k) for k in range(3)}
    whole = pack(tmp_path / "whole.tar", members).read_bytes()
    end = whole.rstrip(b"\0")
    cut = tmp_path / "cut.tar"
    for keep in range(512, len(end), 97):
        for data, kind in (
            (whole[:keep], "plain"),
            (gzip.compress(whole[:keep], 0, mtime=0)[:-8], "compressed"),
        ):
            cut.write_bytes(data)
            *good, last = iter_photos([cut])
            assert [photo.read() for photo in good] == list(members.values())[: len(good)], (keep, kind)
            assert reason(last) == "truncated", (keep, kind)


def test_a_damaged_header_in_a_tar_is_noticed(tmp_path: Path) -> None:
    tar = pack(tmp_path / "shard.tar", {f"{k}.jpg": jpeg(k) for k in range(4)})
    found = list(iter_photos([tar]))
    data = bytearray(tar.read_bytes())
    data[found[2].offset - 400] ^= 0xFF  # within the header before the third photo
    tar.write_bytes(data)
    *good, last = iter_photos([tar])
    assert [photo.name for photo in good] == ["0.jpg", "1.jpg"]
    assert reason(last) == "truncated"


def test_a_tar_cut_off_after_it_was_listed(tmp_path: Path) -> None:
    tar = pack(tmp_path / "shard.tar", {"1.jpg": jpeg(1)})
    photo = next(iter_photos([tar]))
    tar.write_bytes(tar.read_bytes()[:700])
    assert reason(photo) == "truncated"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_tar_gives_photos_or_an_input_error(data: st.DataObject) -> None:
    tar = bytearray(data.draw(st.sampled_from(TARS)))
    position = st.integers(0, len(tar) - 1)
    for place, value in data.draw(st.lists(st.tuples(position, st.integers(0, 255)), max_size=9)):
        tar[place] = value
    for block in range(0, len(tar) - 511, 512) if data.draw(st.booleans()) else ():
        if tar[block + 257 : block + 262] == b"ustar":  # with a valid checksum more of the damage is read
            tar[block + 148 : block + 156] = b" " * 8
            tar[block + 148 : block + 156] = b"%06o\0 " % sum(tar[block : block + 512])
    stream = io.BytesIO(tar[: data.draw(st.none() | position)])
    reasons = ("truncated", "missing", "unreadable")  # the last two where damage makes it look like a list
    try:
        found = list(iter_photos(["-"], stdin=stream))
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(photo.data is not None or reason(photo) in reasons for photo in found)
        assert all(photo.name.encode("utf-8") for photo in found)


# ---- standard input


class Trickle(io.RawIOBase):
    """A pipe that hands over few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part, self._data = self._data[:100], self._data[100:]
        buffer[: len(part)] = part
        return len(part)


@pytest.fixture(params=["at once", "in pieces"])
def pipe(request: pytest.FixtureRequest) -> Iterator[object]:
    whole = request.param == "at once"
    return lambda data: io.BytesIO(data) if whole else io.BufferedReader(Trickle(data))


def test_standard_input_may_be_a_photo(pipe: object) -> None:
    (photo,) = iter_photos(["-"], stdin=pipe(jpeg(9)))
    assert (photo.name, photo.identity, photo.read()) == ("-", "", jpeg(9))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_standard_input_may_be_a_tar(tmp_path: Path, mode: str, pipe: object) -> None:
    members = {"a/1.jpg": jpeg(1), "a/2.jpg": jpeg(2)}
    data = pack(tmp_path / "any", members, mode).read_bytes()
    assert {photo.name: photo.read() for photo in iter_photos(["-"], stdin=pipe(data))} == members
    assert count_photos(["-"]) is None


def test_standard_input_may_be_a_list(people: Path, monkeypatch: pytest.MonkeyPatch, pipe: object) -> None:
    monkeypatch.chdir(people)
    many = "".join(f"gone/{k}.jpg\n" for k in range(300))
    found = list(iter_photos(["-"], stdin=pipe(f"b/2.jpg\n# no\n{many}a/c/3.png".encode())))
    assert [photo.name for photo in found] == ["b/2.jpg", *many.split(), "a/c/3.png"]
    assert [found[0].identity, found[-1].identity] == ["b", "c"]
    assert [found[0].read(), found[-1].read()] == [jpeg(20), jpeg(30)]


def test_standard_input_is_the_default_of_the_dash(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(jpeg(9))))
    assert names("-", people, "-") == ["-", *ORDER]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", 'expected photos in the standard input "-", found none'),
        (b"\n# only a comment\n", 'expected photos in the standard input "-", found none'),
        (b"PK\x03\x04\0\0\0\0", 'expected UTF-8 text, one path a line, found binary data in "-"'),
        (gzip.compress(b"no tar", mtime=0), 'expected a tar in "-", found something else'),
    ],
)
def test_standard_input_without_photos(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        names("-", stdin=io.BytesIO(data))


# ---- several inputs, and wrong ones


def test_the_same_file_is_taken_once(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(people)
    (people / "l.txt").write_text("b/1.JPG\n./b/../b/2.jpg\n")
    assert names("b/2.jpg", people, "b/../0.webp", f"{people}/", "l.txt", "b/*.jpg") == [
        "b/2.jpg",
        "0.webp",
        "a/c/3.png",
        "b/1.JPG",
    ]
    tar = pack(people.parent / "s.tar", {"1.jpg": jpeg(1)})
    assert names(tar, tar.parent / "people" / ".." / "s.tar") == ["1.jpg"]


def _read_all(*inputs: str | Path, stdin: BinaryIO | None = None) -> dict[str, bytes]:
    found = list(iter_photos(inputs, stdin=stdin))
    assert len({photo.name for photo in found}) == len(found)
    return {photo.name: photo.read() for photo in found}


def test_two_photos_of_one_name_are_both_kept(people: Path, tmp_path: Path) -> None:
    """webdataset's issue 157: shards whose members share names."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "0.webp").write_bytes(jpeg(3))
    found = _read_all(people, tmp_path / "other")
    both = {"people/0.webp": jpeg(0), "other/0.webp": jpeg(3)}
    assert found == {**{name: BYTES[name] for name in ORDER[1:]}, **both}
    for suffix, mode in ((".tar", "w"), (".tgz", "w:gz")):
        for folder in ("x", "y"):
            (tmp_path / folder).mkdir(exist_ok=True)
            pack(
                tmp_path / folder / f"0{suffix}",
                {"p/1.jpg": jpeg(ord(folder)), f"{folder}.jpg": jpeg(1)},
                mode,
            )
        found = _read_all(tmp_path / f"x/0{suffix}", tmp_path / f"y/0{suffix}")
        both = {f"x/0{suffix}/p/1.jpg": jpeg(ord("x")), f"y/0{suffix}/p/1.jpg": jpeg(ord("y"))}
        assert found == {"x.jpg": jpeg(1), "y.jpg": jpeg(1), **both}


def test_a_telling_name_is_nobody_elses(tmp_path: Path) -> None:
    files = {"r/x/1.jpg": 1, "r/y/1.jpg": 2, "s/x/1.jpg": 3, "s/r/x/1.jpg": 4}
    for name, shade in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(shade))
    found = _read_all(tmp_path / "r/x", tmp_path / "r/y", tmp_path / "s")
    assert sorted(found.values()) == sorted(map(jpeg, files.values()))
    assert found["x/1.jpg"] == jpeg(3)  # its own name, so that it is no other photo's


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_name_twice_in_a_tar_is_the_later_member(tmp_path: Path, mode: str) -> None:
    """As tar itself unpacks it, after `tar -r` or `-u`; webdataset's issue 205."""
    tar = tmp_path / f"updated.tar{mode[1:].replace(':', '.')}"
    with tarfile.open(tar, mode) as archive:
        for name, shade in (("1.jpg", 1), ("2.jpg", 2), ("./1.jpg", 3), ("3.jpg", 4), ("1.jpg", 5)):
            member = tarfile.TarInfo(name)
            member.size = len(jpeg(shade))
            archive.addfile(member, io.BytesIO(jpeg(shade)))
    found = [(photo.name, photo.read()) for photo in iter_photos([tar])]
    assert found == [("2.jpg", jpeg(2)), ("3.jpg", jpeg(4)), ("1.jpg", jpeg(5))]
    assert count_photos([tar]) == (3 if mode == "w" else None)
    with tarfile.open(tar) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert dict(found) == {name: (tmp_path / "unpacked" / name).read_bytes() for name, _ in found}
    streamed = list(iter_photos(["-"], stdin=io.BytesIO(tar.read_bytes())))
    assert [photo.name for photo in streamed] == ["1.jpg", "2.jpg", "1.jpg", "3.jpg", "1.jpg"]
    assert [reason(streamed[k]) for k in (2, 4)] == ["repeated", "repeated"]


def test_cases_of_tars(shared: Path) -> None:
    folder = shared / "cases" / "tar_same_names"
    expected = {name: (folder / name).read_bytes() for name in ("a/0.jpg", "a/1.jpg", "b/3.jpg", "b/4.jpg")}
    two = [folder / "00000.tar", folder / "00001.tar"]
    assert _read_all(*two) == {
        **{name[2:]: data for name, data in expected.items()} | {"1.jpg": (folder / "a/0.jpg").read_bytes()},
        "00000.tar/2.jpg": (folder / "a/2.jpg").read_bytes(),
        "00001.tar/2.jpg": (folder / "b/2.jpg").read_bytes(),
    }
    assert _read_all(folder / "updated.tar")["1.jpg"] == (folder / "a/1.jpg").read_bytes()


# ---- photos by their bytes, and what is left out


def test_photos_are_told_by_their_bytes_and_the_rest_is_counted(people: Path) -> None:
    """photoprism's issue 4421 and the like: pictures with an odd suffix, or none, must not be lost in silence."""
    odd = {
        "a/portrait": jpeg(1),
        "a/x.jpg_large": jpeg(2),
        "a/y.HEIC": b"",
        "a/z.pgm": b"P5 1 1 255 x",
        "a/IMG.1": jpeg(3),
    }
    others = {
        "a/film.mp4": b"\0\0\0\x18ftypmp42",
        "a/film.MP4": b"x",
        "a/notes": b"text",
        "a/x.odd": b"y",
        "a/fifo": b"",
    }
    system = ("Thumbs.db", ".DS_Store", "._1.JPG", "desktop.ini", "__MACOSX/1.jpg", "@eaDir/1.jpg/thumb.jpg")
    for name, data in (odd | others | dict.fromkeys(system, jpeg(9))).items():
        (people / name).parent.mkdir(parents=True, exist_ok=True)
        (people / name).write_bytes(data)
    (people / "a/fifo").unlink()
    os.mkfifo(people / "a/fifo")
    left = {".txt": 1, ".csv": 1, ".tar": 1, ".mp4": 2, ".odd": 1, "": 2}
    stream = iter_photos([people])
    assert {photo.name for photo in stream} == {*ORDER, *odd}
    assert stream.left_out == left
    assert count_photos([people]) == 9
    tar = people.parent / "all.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(people, ".")
    for packed in (tar, Path(shutil.make_archive(str(people.parent / "packed"), "gztar", people))):
        stream = iter_photos([packed])
        assert {photo.name: photo.read() for photo in stream} == {**BYTES, **odd}
        assert stream.left_out == left
    stream = iter_photos([f"{people}/a/*"])
    assert len(list(stream)) == 6  # with the folder a/c
    assert stream.left_out == {".mp4": 2, ".odd": 1, "": 2}
    (people / "none").mkdir()
    (people / "none" / "film.mp4").touch()
    with pytest.raises(InputError, match=r"found none .1 file that is no photo was left out .1 .mp4.."):
        iter_photos([people / "none"])


def test_what_was_left_out_is_said_shortly() -> None:
    assert left_out_line({}) == ""
    assert left_out_line({".mp4": 1}) == "1 file that is no photo was left out (1 .mp4)"
    many = {f".{letter}": 1 for letter in "hgfedcba"} | {"": 2000}
    assert left_out_line(many) == (
        "2,008 files that are no photos were left out (2000 without suffix, 1 .a, 1 .b, 1 .c, 1 .d, 4 others)"
    )


def test_a_folder_of_tars_stands_for_them(tmp_path: Path) -> None:
    """img2dataset's issue 31: tars, with Parquet and JSON of metadata beside them."""
    for shard in range(2):
        members = {f"{shard}{k}.{suffix}": data for k in range(2) for suffix, data in
                   (("jpg", jpeg(10 * shard + k)), ("json", b"{}"), ("txt", b"a caption"))}  # fmt: skip
        pack(tmp_path / f"0000{shard}.tar", members)
        (tmp_path / f"0000{shard}.parquet").write_bytes(b"PAR1")
        (tmp_path / f"0000{shard}_stats.json").write_bytes(b"{}")
    stream = iter_photos([tmp_path])
    assert [(photo.name, photo.read()) for photo in stream] == [
        (f"{shard}{k}.jpg", jpeg(10 * shard + k)) for shard in range(2) for k in range(2)
    ]
    assert stream.left_out == {".json": 6, ".txt": 4, ".parquet": 2}
    assert count_photos([tmp_path]) == 4
    (tmp_path / "1.jpg").write_bytes(
        jpeg(1)
    )  # beside loose photos tars are no photos: they may be the same ones
    stream = iter_photos([tmp_path])
    assert [photo.name for photo in stream] == ["1.jpg"]
    assert stream.left_out[".tar"] == 2


def test_a_pointer_of_git_lfs_is_called_that(tmp_path: Path) -> None:
    """img2dataset's shards on the Hub, cloned without git lfs; netron's issue 463."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:5945dee6\nsize 435852734\n"
    (tmp_path / "0.tar").write_bytes(pointer)
    with pytest.raises(InputError, match="found a Git LFS pointer: run git lfs pull"):
        iter_photos([tmp_path / "0.tar"])
    (tmp_path / "1.jpg").write_bytes(pointer)
    with pytest.raises(ImageError, match="git lfs pull"):
        decode(next(iter_photos([tmp_path / "1.jpg"])).read())


def test_a_phones_folder(shared: Path) -> None:
    stream = iter_photos([shared / "cases" / "heic_skipped" / "phone"])
    assert [photo.name for photo in stream] == [
        "IMG_0001.JPG", "IMG_0002.HEIC", "IMG_0003.heic", "IMG_0004.avif", "photo.jpg_large", "portrait", "x.jp2",
        "x.pgm",
    ]  # fmt: skip
    assert not stream.left_out


# ---- what has no end, or takes all memory


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


# ---- real data


def test_lfw_is_listed_quickly_and_reads_back(shared: Path) -> None:
    tar = shared / "data" / "lfw" / "images.tar"
    start = time.process_time()
    found = list(iter_photos([tar]))
    seconds = time.process_time() - start
    assert len(found) == 13_233
    assert seconds < 3
    by_name = {photo.name: photo for photo in found}
    photo = by_name["Aaron_Eckhart/Aaron_Eckhart_0001.jpg"]
    assert photo.identity == "Aaron_Eckhart"
    assert len({photo.identity for photo in found}) == 5749
    listed = {
        name for part in ("train", "test") for name in (tar.parent / f"{part}_list.txt").read_text().split()
    }
    assert listed <= by_name.keys()
    with tarfile.open(tar) as reference:
        for photo in found[::1500]:
            data = reference.extractfile(f"./{photo.name}").read()
            assert photo.read() == data
            np.testing.assert_array_equal(
                decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            )


def test_closed_standard_input_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="found it closed"):
        list(iter_photos(["-"]))
