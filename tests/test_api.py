"""The public surface: a dozen names, light to import, floors that only look down, examples that run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import clip_smu
from places import ROOT

SOURCE = Path(clip_smu.__file__).parent

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]
ROOMS: list[str] = CONTRACTS[0]["layers"]


def room_of(module: str) -> str:
    return module.split(".")[1]


def modules() -> dict[str, ast.Module]:
    return {
        ".".join(file.relative_to(SOURCE).with_suffix("").parts): ast.parse(file.read_text(encoding="utf-8"))
        for file in SOURCE.rglob("*.py")
    }


def test_the_floors_hold() -> None:
    """Imports look down, in no circle, and only training and conversion import PyTorch: as pyproject.toml says it."""
    pytest.importorskip("importlinter")
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(SOURCE.parent)},
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS)} kept" in done.stdout


def test_contributing_lists_the_same_rooms_in_the_same_order() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == ROOMS


def test_no_file_reaches_into_the_private_names_of_another() -> None:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clip_smu"):
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                assert not private, f"{name} imports {private} from {node.module}"


def test_a_dozen_names() -> None:
    assert clip_smu.__all__ == sorted(clip_smu.__all__)
    assert len(clip_smu.__all__) <= 12
    for name in clip_smu.__all__:
        assert getattr(clip_smu, name) is not None
        assert name in dir(clip_smu)
    with pytest.raises(AttributeError):
        clip_smu.nothing  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, clip_smu; assert not {'numpy', 'torch', 'pyarrow', 'PIL'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


class _Examples(doctest.DocTestFinder):
    """Sees through decorators that keep ``__wrapped__``."""

    def _from_module(self, module: object, object: object) -> bool:
        return super()._from_module(module, inspect.unwrap(object))  # type: ignore[misc,arg-type]


def test_examples_of_decorated_jobs_are_found() -> None:
    module = importlib.import_module("clip_smu.templates.extraction")
    found = {test.name for test in _Examples().find(module, module.__name__) if test.examples}
    assert "clip_smu.templates.extraction.extract" in found


@pytest.mark.parametrize(
    "name",
    sorted(m.name for m in pkgutil.walk_packages([str(SOURCE)], "clip_smu.") if m.name != "clip_smu.cli"),
)
def test_examples_in_docstrings_run(name: str) -> None:
    if room_of(name) in {"training", "reproduction"} or name.startswith("clip_smu.encoders.conversion"):
        pytest.importorskip("torch")
    if name == "clip_smu.encoders.load" or name.startswith("clip_smu.templates.extraction"):
        pytest.importorskip("dlib")
    if name == "clip_smu.sklearn":
        pytest.importorskip("sklearn")
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for example in _Examples().find(module, name):
        runner.run(example)
    assert runner.summarize().failed == 0


def test_every_public_name_has_an_example() -> None:
    for name in clip_smu.__all__:
        thing = getattr(clip_smu, name)
        module = clip_smu._MODULES[name]
        documented = importlib.import_module(f"clip_smu.{module}") if isinstance(thing, tuple) else thing
        own = documented.__doc__ or ""
        methods = [
            getattr(thing, method).__doc__ or "" for method in dir(thing) if not method.startswith("_")
        ]
        assert any(">>>" in text for text in [own, *methods]), name


def test_the_package_example_runs() -> None:
    pytest.importorskip("dlib")
    pytest.importorskip("skimage")
    assert doctest.testmod(clip_smu).failed == 0
