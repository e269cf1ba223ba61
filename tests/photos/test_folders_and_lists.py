"""Photos of folders, files, globs and lists."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from clip_smu.errors import InputError
from clip_smu.photos import count_photos, iter_photos
from photo_inputs import BYTES, ORDER, jpeg, names, pack, reason

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
