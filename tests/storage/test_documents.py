"""Files that are read: whatever one holds, loading and one reading work, or a ClipSmuError says what is wrong."""

from __future__ import annotations

import copy
import itertools
import json
import shutil
import struct
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from clip_smu.encoders.card_files import card_toml, read_card
from clip_smu.encoders.kept_check import in_words, read_check
from clip_smu.encoders.locate import card
from clip_smu.errors import ClipSmuError, EncoderError, InputError, InterpreterError
from clip_smu.evaluation import read_evaluation
from clip_smu.evaluation.confounds import read_confounds
from clip_smu.evaluation.erasure import Eraser, load_eraser
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.interpreter.load import load_reader
from clip_smu.interpreter.probe import Probe, load_probe
from clip_smu.report.content import gather
from clip_smu.report.sources import read_source
from clip_smu.storage.documents import DEEPEST, read_json, read_toml, write_json
from clip_smu.storage.job_folders import claim_folder
from made_run import made_evaluation, write_run
from places import LFW_READER

HUGE = 10**400
WRONG: list[Any] = [None, [], {}, "x", -1, HUGE, float("nan"), True, [[1]], {"a": None}]
"""What takes the place of each field in turn: another type, a number out of range, or none."""


def mutations(values: Any, most: int = 3) -> Iterator[tuple[str, Any]]:
    """Copies of JSON or TOML values with one field replaced; of a list only the first ``most`` entries are."""

    def paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        keys = (
            value
            if isinstance(value, dict)
            else range(min(len(value), most))
            if isinstance(value, list)
            else ()
        )
        for key in keys:
            yield (*path, key)
            yield from paths(value[key], (*path, key))

    for path in list(paths(values, ())):
        for wrong in WRONG:
            changed = copy.deepcopy(values)
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = wrong
            yield f"{'.'.join(map(str, path))} = {str(wrong)[:20]}", changed


def works_or_says_why(name: str, action: Callable[[], object], refused: list[str]) -> None:
    """Runs it; an error that is ours must be one line, any other fails the test."""
    try:
        action()
    except ClipSmuError as error:
        assert "\n" not in str(error), name
        refused.append(name)
    except Exception as error:
        pytest.fail(f"{name}: {type(error).__name__}: {error}")


def toy_probe(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    names = ("Male", "Young", "Eyeglasses")
    layers = (
        (rng.normal(size=(4, 5)).astype("f4"), np.zeros(5, "f4")),
        (rng.normal(size=(5, 3)).astype("f4"), np.zeros(3, "f4")),
    )
    known = Evidence(0.9, 0.8, 0.95, 50, 60, 0.1, float("nan"), 0.7, 0.9, "")
    calibration = Calibration(np.ones(3), np.zeros(3), np.full(3, 0.8), np.full(3, 0.3))
    made = {"job": "x", "verdicts": {"error": 0.1, "ece_mean": float("nan")}, "trained_on": {"faces": 5}}
    probe = Probe(
        name="toy",
        encoder="toy",
        kind="mlp",
        attributes=names,
        centre=np.zeros(4, "f4"),
        scale=np.ones(4, "f4"),
        layers=layers,
        calibration=calibration,
        evidence=(known,) * 3,
        error_rate=0.1,
        provenance=made,
    )
    probe.save(folder)
    return folder


def test_any_field_of_an_interpreter(tmp_path: Path) -> None:
    folder, shipped = tmp_path / "it", load_interpreter(LFW_READER)
    two = replace(
        shipped,
        attributes=shipped.attributes[:2],
        positive=shipped.positive[:2],
        negative=shipped.negative[:2],
        calibration=Calibration(*(part[:2] for part in astuple(shipped.calibration))),
        evidence=shipped.evidence[:2],
        known_words=frozenset({"a", "hat"}),
        provenance={
            key: value for key, value in shipped.provenance.items() if key not in ("config", "settings")
        },
    )
    two.save(folder)
    values = json.loads((folder / "interpreter.json").read_text())
    del values["checksum"]  # or every change would end at it
    rows, refused = np.random.default_rng(0).normal(size=(2, two.dim)), list[str]()

    def read() -> None:
        load_interpreter(folder).interpret(rows)[0].readings[0].to_dict(evidence=True)
        gather(read_source(folder))

    read()
    for name, changed in mutations(values, most=1):
        (folder / "interpreter.json").write_text(json.dumps(changed))
        works_or_says_why(name, read, refused)
    assert {"dim = -1", "attributes.0.name = x", "attributes.0.evidence.auc = nan", "error_rate = x"} <= set(
        refused
    )
    assert {"provenance.feeding.misfed = None", "provenance.verdicts.error = x", "files = []"} <= set(refused)


def test_any_field_of_a_probe(tmp_path: Path) -> None:
    folder = toy_probe(tmp_path / "it")
    values, refused = json.loads((folder / "probe.json").read_text()), list[str]()
    del values["checksum"]
    assert values["provenance"]["verdicts"]["ece_mean"] is None  # JSON has no NaN

    def read() -> None:
        load_probe(folder).read(np.ones((2, 4), "f4"))
        gather(read_source(folder))

    for name, changed in mutations(values, most=1):
        (folder / "probe.json").write_text(json.dumps(changed))
        works_or_says_why(name, read, refused)
    assert "layers.0.0 = -1" in refused
    assert "attributes.0.slope = nan" in refused


def test_any_field_of_a_card(tmp_path: Path) -> None:
    file, refused = tmp_path / "card.toml", list[str]()
    for name, changed in mutations(tomllib.loads(card_toml(card("adaface-ir50")))):
        text = "".join(f"{key} = {_toml(value)}\n" for key, value in changed.items() if value is not None)
        file.write_text(text)
        works_or_says_why(name, lambda: read_card(file), refused)
    assert {"dim = -1", "mean.0 = nan", "std.1 = x", "sources.0 = -1", "sha256 = x"} <= set(refused)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value if one is not None) + "]"
    return "nan" if isinstance(value, float) and np.isnan(value) else json.dumps(value)


def test_any_field_of_a_plan(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from clip_smu.reproduction.plan import read_plan

    for name in ("images.tar", "labels.csv", "train.txt", "test.txt", "pairs.txt", "mine.onnx"):
        (tmp_path / name).touch()
    own = tomllib.loads(card_toml(card("adaface-ir50")))
    values = {
        "name": "plan", "labels_are": "made up", "seed": 1, "erase": ["Male"], "within": ["Male"], "check_pairs": 5,
        "data": {"photos": ["images.tar"], "labels": "labels.csv", "train": "train.txt", "test": "test.txt",
                 "pairs": "pairs.txt", "form": "maad"},
        "encoders": [{"name": "mine", "encoder": "onnx:mine.onnx", "card": {"dim": own["dim"]},
                      "options": {"main_face": True}, "attribute": {"steps": 5}}],
        "methods": [{"name": "attribute", "objective": "attribute", "steps": 3, "encoders": ["mine"]}],
        "smoke": {"photos": 5, "attribute": {"steps": 1}},
    }  # fmt: skip
    file, refused = tmp_path / "plan.toml", list[str]()

    def read() -> None:
        read_plan(file, data=tmp_path)

    file.write_text(_plan_toml(values))
    read()
    for name, changed in mutations(values):
        file.write_text(_plan_toml(changed))
        works_or_says_why(name, read, refused)
    assert {"seed = -1", "encoders = x", "methods.0.name = []", "data.photos = -1", "erase = x"} <= set(
        refused
    )


def _plan_toml(values: dict[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items() if value is not None)


def test_any_field_of_a_preprocessing_check(tmp_path: Path) -> None:
    values = {
        "encoder": "toy", "figures": {"accuracy": 0.99}, "photos": 4, "rejected": {"no-face": 1},
        "misfed": ["toy is mis-fed"], "variants": [{"name": "channels BGR"}],
    }  # fmt: skip
    file, refused = tmp_path / "check.json", list[str]()
    for name, changed in mutations(values):
        file.write_text(json.dumps(changed))
        works_or_says_why(name, lambda: in_words(read_check(file)), refused)
    assert {"figures.accuracy = nan", "misfed.0 = []", "variants = None", "rejected.no-face = -1"} <= set(
        refused
    )


def test_any_note_of_a_job(tmp_path: Path) -> None:
    """A note that says another job, or nothing that can be read, never lets a job into the folder."""
    job = {"command": "extract", "encoder": {"name": "dlib"}}
    folder = tmp_path / "out"
    claim_folder(folder, job)
    for name, changed in [*mutations(job), ("all", [1]), ("all", "x"), ("all", None), ("all", 5)]:
        (folder / "_job.json").write_text(json.dumps(changed))
        if changed == job:
            continue
        with pytest.raises(InputError, match="another job"):
            claim_folder(folder, job)
        assert name
    (folder / "_job.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="another job"):
        claim_folder(folder, job)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(
        tmp_path_factory.mktemp("run"), made_evaluation("dlib", photos=60), made_evaluation("mbf", photos=60)
    )


@pytest.mark.parametrize(("name", "reader"), [("evaluation", read_evaluation), ("confounds", read_confounds)])
def test_any_field_of_evidence(
    run: Path, tmp_path: Path, name: str, reader: Callable[[Path], object]
) -> None:
    folder = tmp_path / name
    shutil.copytree(run / "dlib" / name, folder)
    file, refused = folder / f"{name}.json", list[str]()
    values = json.loads(file.read_text())
    step = 1 if name == "evaluation" else 23  # the confounds' file is large, and its fields of few kinds
    for change, changed in itertools.islice(mutations(values, most=1), 0, None, step):
        file.write_text(json.dumps(changed))
        works_or_says_why(change, lambda: reader(folder), refused)
    assert refused
    for text in ("", "{", "[" * 100_000, "[1]", "null"):
        file.write_text(text)
        with pytest.raises(InputError):
            reader(folder)


def test_any_field_of_an_eraser(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Eraser(("Male",), "toy", rng.normal(size=(4, 1)), rng.normal(size=(4, 1)), {"faces": 5}).save(tmp_path)
    file, refused = tmp_path / "eraser.json", list[str]()
    values = json.loads(file.read_text())
    for name, changed in mutations(values):
        file.write_text(json.dumps(changed))
        works_or_says_why(name, lambda: load_eraser(tmp_path).apply(np.ones((2, 4))), refused)
    assert {"dim = -1", "attributes.0 = x", "encoder = None"} <= set(refused)
    file.write_text(json.dumps(values))
    _flip(tmp_path / "eraser.safetensors", -1)
    with pytest.raises(InputError, match="is not the file that was written with it"):
        load_eraser(tmp_path)


_JUST_TOO_DEEP = "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a":' * 100_000, _JUST_TOO_DEEP, "\0", "9" * 9999, '["\\ud800"]']
)
def test_documents_that_are_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "any.json"
    file.write_text(text)
    with pytest.raises(InputError, match="expected a note"):
        read_json(file, "a note")
    with pytest.raises(InputError, match=r"expected (TOML in )?a note"):
        read_toml(file, "a note") if text else read_toml(tmp_path, "a note")


def test_a_document_may_be_large_but_not_endless(tmp_path: Path) -> None:
    file = tmp_path / "any.json"
    with file.open("wb") as made:
        made.truncate(65 << 20)
    with pytest.raises(InputError, match="found 65 MiB"):
        read_json(file, "a note")
    with pytest.raises(InputError, match="a pipe or device"):
        read_json(Path("/dev/zero"), "a note")


def test_inputs_that_a_fuzzer_found(shared: Path, tmp_path: Path) -> None:
    """Each raised an error that is not ours: a kind, the JSON's length, the JSON, and the numbers beside it."""
    files = {"I": ("interpreter.json", "prompts.safetensors"), "P": ("probe.json", "weights.safetensors")}
    found = sorted((shared / "cases/fuzz/interpreter").iterdir())
    assert len(found) >= 8
    for number, case in enumerate(found):
        data = case.read_bytes()
        (size,) = struct.unpack("<I", data[1:5])
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, part in zip(files[chr(data[0])], (data[5 : 5 + size], data[5 + size :]), strict=True):
            (folder / name).write_bytes(part)
        with pytest.raises(InterpreterError, match="is damaged"):
            load_reader(folder)
    for case in (shared / "cases/fuzz/cards").iterdir():
        (tmp_path / "card.toml").write_bytes(case.read_bytes()[1:])
        with pytest.raises(EncoderError, match="nested deeper"):
            read_card(tmp_path / "card.toml")


def _flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["prompts.safetensors", "text_encoder.onnx", "tokenizer.json"])
def test_one_flipped_bit_of_an_interpreter_is_told(tmp_path: Path, name: str) -> None:
    shipped = load_interpreter().folder
    assert shipped is not None
    folder = tmp_path / "it"
    shutil.copytree(shipped, folder)
    _flip(folder / name, -1000)
    with pytest.raises(
        InterpreterError, match=f"is damaged: {name} is not the file that was written with it"
    ):
        load_interpreter(folder).ask("wears a gizmo", np.ones(128))


def test_one_flipped_bit_of_a_probe_is_told(tmp_path: Path) -> None:
    folder = toy_probe(tmp_path / "it")
    _flip(folder / "weights.safetensors", -1)
    with pytest.raises(InterpreterError, match=r"weights\.safetensors is not the file"):
        load_probe(folder)


@pytest.mark.parametrize("name", ["positive", "negative", "centre"])
@pytest.mark.parametrize("bad", ["nan", "inf", "missing", "short", "whole numbers"])
def test_prompts_that_are_none(tmp_path: Path, name: str, bad: str) -> None:
    """Without a checksum too, as folders of before had none: NaN is refused, and every array has its shape."""
    shipped = load_interpreter().folder
    assert shipped is not None
    values = json.loads((shipped / "interpreter.json").read_text())
    del values["files"], values["checksum"]
    write_json(tmp_path / "interpreter.json", values)
    arrays = load_file(shipped / "prompts.safetensors")
    if bad in ("nan", "inf"):
        arrays[name].flat[3] = float(bad)
    elif bad == "missing":
        del arrays[name]
    else:
        arrays[name] = arrays[name][..., 1:] if bad == "short" else np.ones(arrays[name].shape, np.int32)
    save_file(arrays, tmp_path / "prompts.safetensors")
    with pytest.raises(InterpreterError, match=f"damaged: .*{name}"):
        load_interpreter(tmp_path)


def test_damaged_folders(tmp_path: Path) -> None:
    """A file that is missing, empty, cut off, or a folder in its place."""
    interpreter = load_interpreter().folder
    assert interpreter is not None
    for source, number in ((interpreter, 0), (toy_probe(tmp_path / "probe"), 1)):
        names = [name for name in ("interpreter.json", "prompts.safetensors", "probe.json", "weights.safetensors")
                 if (source / name).is_file()]  # fmt: skip
        for name in names:
            for how in ("missing", "empty", "cut", "folder"):
                folder = tmp_path / f"{number}-{name}-{how}"
                folder.mkdir()
                for other in names:
                    shutil.copy(source / other, folder)
                data = (folder / name).read_bytes()
                (folder / name).unlink()
                if how == "folder":
                    (folder / name).mkdir()
                elif how != "missing":
                    (folder / name).write_bytes(data[: len(data) // 2] if how == "cut" else b"")
                with pytest.raises(InterpreterError) as error:
                    load_reader(folder)
                assert "\n" not in str(error.value)


def test_a_tokenizer_that_panics_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic of the native library is no ``Exception``."""
    import tokenizers

    from clip_smu.text.encoder import TextEncoder, token_ids

    panic = type("PanicException", (BaseException,), {})

    class Panics:
        @staticmethod
        def from_buffer(_: bytes) -> None:
            raise panic("index out of bounds")

        def encode(self, _: str) -> None:
            raise panic("index out of bounds")

    with pytest.raises(InterpreterError, match="index out of bounds"):
        token_ids(Panics(), ["a hat"])
    monkeypatch.setattr(tokenizers, "Tokenizer", Panics)
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(InterpreterError, match=r"expected a tokenizer\.json .* index out of bounds"):
        TextEncoder(tmp_path / "model.onnx", tmp_path / "tokenizer.json")


def test_a_text_encoder_that_gives_nothing(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    shipped = load_interpreter().folder
    assert shipped is not None
    from clip_smu.text.encoder import TextEncoder

    def model(value: float, width: int, name: str) -> Path:
        table = onnx.numpy_helper.from_array(np.full((1, width), value, np.float32), name)
        node = onnx.helper.make_node("Identity", ["table"], [name])
        table.name = "table"
        ids = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["b", "l"])
        out = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, width])
        graph = onnx.helper.make_graph([node], "g", [ids], [out], [table])
        opset = [onnx.helper.make_opsetid("", 17)]
        file = tmp_path / "m.onnx"
        onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), file)
        return file

    for value, width, output, words in (
        (float("nan"), 4, "text", "no usable vectors"),
        (0.0, 4, "text", "no usable vectors"),
        (1.0, 4, "other", "cannot be run"),
    ):
        file = model(value, width, output)
        with pytest.raises(InterpreterError, match=words):
            TextEncoder(file, shipped / "tokenizer.json").encode(["a hat"])
