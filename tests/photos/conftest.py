"""A folder of photos for all tests of the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from photo_inputs import BYTES


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
