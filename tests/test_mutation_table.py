"""The table of small changes of meaning fits the code: a change whose text is gone would see nothing any more."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutation.semantic import Change, changes

import clip_smu

TESTS = Path(__file__).parent


@pytest.mark.parametrize("change", changes(), ids=lambda change: change.name)
def test_a_change_can_be_made_and_its_tests_are_there(change: Change) -> None:
    source = (Path(clip_smu.__file__).parent / change.file).read_text(encoding="utf-8")
    assert change.made(source) != source
    assert all((TESTS / one.split("::")[0]).exists() for one in change.tests)
