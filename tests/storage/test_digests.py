"""SHA-256 of files, bytes, lines and JSON values against coreutils' sha256sum."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from clip_smu.storage.digests import bytes_digest, file_digest, json_digest, lines_digest

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def test_the_standards_own_example(tmp_path: Path) -> None:
    (tmp_path / "abc").write_text("abc")
    assert {bytes_digest(b"abc"), bytes_digest(b"a", b"", b"bc"), file_digest(tmp_path / "abc")} == {ABC}


def test_lines_and_values_against_sha256sum() -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")

    def peer(text: str) -> str:
        return subprocess.run(["sha256sum"], input=text, capture_output=True, text=True, check=True).stdout[
            :64
        ]

    assert lines_digest(["Å/1.jpg", "b"]) == peer("Å/1.jpg\nb")
    assert lines_digest(["a", "b"]) != lines_digest(["ab"])
    assert json_digest({"b": (1, 2), "a": None}) == peer('{"a": null, "b": [1, 2]}')
    assert json_digest({"at": Path("x")}) == peer('{"at": "x"}')
