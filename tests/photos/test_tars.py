"""Photos of tars, whole, cut off and damaged."""

from __future__ import annotations

import gzip
import io
import multiprocessing
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_smu.errors import InputError
from clip_smu.photos import count_photos, iter_photos
from photo_inputs import TARS, jpeg, pack, read_names, reason


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


def test_photos_of_a_tar_travel_to_other_processes(tmp_path: Path) -> None:
    members = {f"p{k % 50:02}/{k:04}.jpg": jpeg(k % 256) for k in range(2000)}
    tar = pack(tmp_path / "shard.tar", members)
    found = list(iter_photos([tar]))
    assert [photo.name for photo in found] == list(members)
    assert max(len(pickle.dumps(photo)) for photo in found) < 500
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert dict(pool.apply(read_names, (found,))) == members


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
