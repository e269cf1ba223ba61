"""Fixtures shared by all tests: golden numbers, and the team's real data where it is present."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clip_smu import cli, example_photo

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of golden numbers (outputs of the official networks), committed beside the tests."""
    return GOLDEN


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data beside the checkout; a user's clone does not have it."""
    folder = Path(os.environ.get("CLIP_SMU_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the project's shared data, which is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """The photo of an astronaut (public domain, NASA) that ships inside scikit-image."""
    pytest.importorskip("skimage")
    return example_photo()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A table of the largest differences from the golden numbers, relative to the largest of each output."""
    rows = sorted(
        (name, value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if isinstance(value, float)
    )
    if rows:
        terminalreporter.section("largest differences from the official networks' golden numbers")
        for name, value in rows:
            terminalreporter.write_line(f"{name:40} {value:.1e}")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command line in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clip-smu", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
