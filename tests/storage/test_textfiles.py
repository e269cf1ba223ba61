"""Text files as editors and spreadsheets write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clip_smu.errors import InputError, LabelError
from clip_smu.storage.textfiles import read_lines, read_text, separator_of

TEXT = "Žižek/1.jpg\nann b/2.jpg\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_with_a_mark_reads_alike(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "list.txt"
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    file.write_bytes(mark + TEXT.encode(encoding))
    assert read_lines(file, "a list") == ["Žižek/1.jpg", "ann b/2.jpg"]


@pytest.mark.parametrize("content", ["Müller/1.jpg\n".encode("latin-1"), TEXT.encode("utf-16-le")])
def test_what_cannot_be_told_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"ok/1.jpg\n" + content)
    with pytest.raises(LabelError, match="UTF-8") as refused:
        read_text(file, "a list", LabelError)
    assert "\n" not in str(refused.value) and "list.txt" in str(refused.value)


def test_old_and_windows_line_ends_but_no_others(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes("a.jpg\r\nb.jpg\rc\u2028d\x0c.jpg\n\n".encode())
    assert read_lines(file, "a list") == ["a.jpg", "b.jpg", "c\u2028d\x0c.jpg"]


def test_pipes_devices_folders_and_nothing_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), tmp_path, tmp_path / "none", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="expected a list at"):
            read_text(path, "a list")


def test_a_line_without_end_is_one_short_line(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("a.jpg\n" + "a" * 65_536)
    assert len(read_lines(file, "a list")) == 2
    file.write_text("a.jpg\n" + "a" * 65_537)
    with pytest.raises(InputError, match="65,537 characters on line 2") as caught:
        read_lines(file, "a list")
    assert len(str(caught.value)) < 400


def test_separators() -> None:
    assert [separator_of(line) for line in ("a,b", "a;b;c", "a\tb", "a")] == [",", ";", "\t", ","]
