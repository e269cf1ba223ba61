"""The documents are true: their Python runs, their commands and options exist, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from clip_smu.cli import app

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(language: str) -> list[tuple[str, str]]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [(file.name, text) for file in DOCS for text in pattern.findall(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("name", "code"), blocks("python"), ids=lambda value: value if value.endswith(".md") else "code"
)
def test_python_runs(name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "load_encoder" in code:
        pytest.importorskip("dlib")
    if "FitConfig" in code:
        pytest.importorskip("torch")
    if "sklearn" in code:
        pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {})


def test_commands_exist() -> None:
    root = typer.main.get_command(app)
    shown = [
        (name, line[2:])
        for name, text in blocks("console")
        for line in text.splitlines()
        if line.startswith("$ clip-smu")
    ]
    assert len(shown) >= 10
    for name, line in shown:
        command, words = root, shlex.split(line, comments=True)[1:]
        while words and hasattr(command, "commands") and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), f"{name}: no such command: {line}"
        known = {option for parameter in command.params for option in parameter.opts}
        unknown = [word for word in words if word.startswith("-") and word != "-" and word not in known]
        assert not unknown, f"{name}: {line}: no such option {unknown}"


def test_links_lead_somewhere() -> None:
    for file in DOCS:
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text(encoding="utf-8")):
            assert (file.parent / target).exists(), f"{file.name} links to {target}"


def test_no_figure_is_left_to_fill_in() -> None:
    for file in DOCS:
        assert not re.search(r"@[A-Z]+@|TODO|TBD|XXX", file.read_text(encoding="utf-8")), file.name
