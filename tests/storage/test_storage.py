"""Atomic files, full disks, and folders that belong to one job."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from clip_smu.errors import InputError, StorageError
from clip_smu.storage.files import atomic
from clip_smu.storage.job_folders import claim_folder


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission")]
)
def test_a_full_or_closed_disk_is_one_line(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(StorageError, match=words), atomic(tmp_path / "a"):
        raise OSError(number, "no")


def test_a_folder_belongs_to_one_job(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    claim_folder(folder, {"encoder": "dlib"})
    (folder / "part").write_text("done")
    claim_folder(folder, {"encoder": "dlib"})
    assert (folder / "part").exists()
    with pytest.raises(InputError, match=r"another job .*encoder"):
        claim_folder(folder, {"encoder": "adaface"})
    claim_folder(folder, {"encoder": "adaface"}, overwrite=True)
    assert not (folder / "part").exists()


def test_a_strangers_folder_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        claim_folder(tmp_path, {}, overwrite=True)
    with pytest.raises(InputError, match="found a file"):
        claim_folder(tmp_path / "photo.jpg", {})
    assert (tmp_path / "photo.jpg").read_text() == "mine"
