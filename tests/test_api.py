"""The public surface: a dozen names, light to import, floors that only look down, examples that run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import clip_smu

SOURCE = Path(clip_smu.__file__).parent

# Each floor may import from floors above it in this list, and from its own.
FLOORS = [
    {
        "errors",
        "attributes",
        "captions",
        "hiding",
        "documents",
        "storage",
        "names",
        "persons",
        "sampling",
        "textfiles",
        "example",
        "outputs",
        "harmless",
        "onnx_sessions",
    },
    {"metrics", "images", "landmarks", "calibrate", "logistic", "likeness", "tensors", "records"},
    {"photos", "detect", "align", "text"},
    {"encoders"},
    {"templates", "encoding", "workers", "verification", "downloads"},
    {"labels", "datasets", "interpreter", "probe", "methods", "feeding"},
    {"preparation", "joined", "readings", "extraction", "evidence", "model_card"},
    {"evaluation", "comparison", "confounds", "erasure", "pairing", "generation"},
    {"figures"},
    {"report"},
    {"nets", "losses", "towers", "objectives", "checkpoints", "convert"},
    {"training", "probes", "zero_shot"},
    {"fitting", "heads"},
    {"reproduction"},
    {"cli"},
]
TRAINING = {
    "nets",
    "losses",
    "towers",
    "objectives",
    "checkpoints",
    "convert",
    "training",
    "probes",
    "zero_shot",
    "fitting",
    "reproduction",
}


def modules() -> dict[str, ast.Module]:
    return {
        ".".join(file.relative_to(SOURCE).with_suffix("").parts): ast.parse(file.read_text(encoding="utf-8"))
        for file in SOURCE.rglob("*.py")
    }


def imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_every_module_stands_on_one_floor() -> None:
    rooms = {name.split(".")[0] for name in modules()} - {"__init__"}
    assert rooms <= set().union(*FLOORS)


def test_floors_only_look_down() -> None:
    level = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    for name, tree in modules().items():
        room = name.split(".")[0]
        if room == "__init__":
            continue
        for imported in imports(tree):
            if imported.startswith("clip_smu."):
                assert level[imported.split(".")[1]] <= level[room], (
                    f"{name} imports {imported} from a floor below it"
                )


def test_only_training_imports_torch() -> None:
    for name, tree in modules().items():
        if name.split(".")[0] not in TRAINING:
            heavy = {one.split(".")[0] for one in imports(tree)} & {"torch", "transformers"}
            assert not heavy, f"{name} imports {heavy}"


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
    module = importlib.import_module("clip_smu.extraction")
    found = {test.name for test in _Examples().find(module, module.__name__) if test.examples}
    assert "clip_smu.extraction.extract" in found


@pytest.mark.parametrize(
    "name",
    sorted(m.name for m in pkgutil.walk_packages([str(SOURCE)], "clip_smu.") if m.name != "clip_smu.cli"),
)
def test_examples_in_docstrings_run(name: str) -> None:
    room = name.split(".")[1]
    if room in TRAINING:
        pytest.importorskip("torch")
    if name == "clip_smu.encoders" or room == "extraction":
        pytest.importorskip("dlib")
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
