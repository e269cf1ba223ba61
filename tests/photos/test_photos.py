"""clip_smu.photos on real files: standard input, several inputs, what is left out, real data."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clip_smu.errors import ImageError, InputError
from clip_smu.photos import count_photos, iter_photos, left_out_line
from clip_smu.photos.decode import decode
from photo_inputs import BYTES, ORDER, jpeg, names, pack, read_all, reason

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


def test_two_photos_of_one_name_are_both_kept(people: Path, tmp_path: Path) -> None:
    """webdataset's issue 157: shards whose members share names."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "0.webp").write_bytes(jpeg(3))
    found = read_all(people, tmp_path / "other")
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
        found = read_all(tmp_path / f"x/0{suffix}", tmp_path / f"y/0{suffix}")
        both = {f"x/0{suffix}/p/1.jpg": jpeg(ord("x")), f"y/0{suffix}/p/1.jpg": jpeg(ord("y"))}
        assert found == {"x.jpg": jpeg(1), "y.jpg": jpeg(1), **both}


def test_a_telling_name_is_nobody_elses(tmp_path: Path) -> None:
    files = {"r/x/1.jpg": 1, "r/y/1.jpg": 2, "s/x/1.jpg": 3, "s/r/x/1.jpg": 4}
    for name, shade in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(shade))
    found = read_all(tmp_path / "r/x", tmp_path / "r/y", tmp_path / "s")
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
    assert read_all(*two) == {
        **{name[2:]: data for name, data in expected.items()} | {"1.jpg": (folder / "a/0.jpg").read_bytes()},
        "00000.tar/2.jpg": (folder / "a/2.jpg").read_bytes(),
        "00001.tar/2.jpg": (folder / "b/2.jpg").read_bytes(),
    }
    assert read_all(folder / "updated.tar")["1.jpg"] == (folder / "a/1.jpg").read_bytes()


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
