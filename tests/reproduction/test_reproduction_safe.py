"""`reproduce`: plans are checked before anything runs, photos stay inside the run, kills are gone on from."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from clip_smu.errors import ClipSmuError, InputError, LabelError
from clip_smu.evaluation import EvaluationConfig
from clip_smu.reproduction import read_plan, reproduce
from clip_smu.reproduction.data import PHOTOS, _inside
from clip_smu.reproduction.stages import Stages
from clip_smu.storage.job_folders import claim_folder
from faces import toy_card, toy_data
from toy_network import RIGHT, make_network, make_people

PLAN = """
name = "made-up"
within = ["Male"]
[data]
labels = "labels.csv"
train = "train.txt"
test = "test.txt"
[[encoders]]
name = "one"
templates = "one.parquet"
[[methods]]
name = "logistic-regression"
probe = "logistic-regression"
folds = 2
[[methods]]
name = "attribute"
objective = "attribute"
steps = 5
folds = 2
size = { width = 16, layers = 1, heads = 2 }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from clip_smu.labels.lists import write_list
    from clip_smu.labels.writing import write_labels
    from clip_smu.templates.shards import save_templates

    folder = tmp_path_factory.mktemp("data")
    table, labels = toy_data(240)
    save_templates(folder / "one.parquet", table.vectors, table.images, toy_card())
    write_labels(labels, folder / "labels.csv")
    write_list(table.images[:120], folder / "train.txt")
    write_list(table.images[120:], folder / "test.txt")
    (folder / "empty.txt").touch()
    return folder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "logistic-regression"', 'name = "../x"', "can be a folder's"),
        ('name = "one"', 'name = "/tmp/x"', "can be a folder's"),
        ('name = "one"', 'name = ".."', "can be a folder's"),
        ('name = "one"', 'name = ".git"', "can be a folder's"),
        ('name = "one"', 'name = "a\\nb"', "can be a folder's"),
        ('name = "one"', 'name = "_photos"', "can be a folder's"),
        ('name = "one"', f'name = "{"x" * 300}"', "can be a folder's"),
        ('name = "one"', 'name = "Stages"', "keeps other files there"),
        ('name = "one"', 'name = "Attribute"', "names of their own"),
        ("steps = 5", "steps = 0", "settings of attribute do not fit: steps must be between"),
        ("steps = 5", 'steps = "five"', "settings of attribute do not fit"),
        ("steps = 5", "stepz = 5", "settings of attribute do not fit: expected .*; found stepz"),
        ("layers = 1", "floors = 1", "settings of attribute do not fit"),
        ('objective = "attribute"', 'objective = "magic"', "settings of attribute do not fit: .*magic"),
        ('probe = "logistic-regression"', 'probe = "magic"', "do not fit: .*magic"),
        ('objective = "attribute"', 'objective = "attribute"\nencoders = ["two"]', "is for two, expected"),
        (
            'templates = "one.parquet"',
            'templates = "one.parquet"\nother = { steps = 1 }',
            "settings of other",
        ),
        ('within = ["Male"]', 'within = ["Mail"]', "the plan's within: .*Mail"),
        ('within = ["Male"]', 'erase = ["Mail"]', "the plan's erase: .*Mail"),
        ('train = "train.txt"', 'train = "empty.txt"', "empty.txt is empty"),
        ('labels = "labels.csv"', 'labels = "train.txt"', "train.txt"),
        ('templates = "one.parquet"', 'encoder = "dlib"', "needs photos"),
    ],
)
def test_a_bad_plan_leaves_nothing(data: Path, tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace(old, new, 1))
    seen: list[str] = []
    with pytest.raises(ClipSmuError, match=words):
        plan = read_plan(tmp_path / "plan.toml", data=data)
        reproduce(plan, tmp_path / "runs" / "run", progress=lambda stage, *_: seen.append(stage))
    assert [file.name for file in tmp_path.rglob("*")] == ["plan.toml"]
    assert not seen  # nothing was begun


@pytest.mark.parametrize("unknown", [False, True])
def test_somebody_on_both_lists_is_found_before_anything_is_run(
    data: Path, tmp_path: Path, unknown: bool
) -> None:
    from clip_smu.labels.lists import read_list, write_list
    from clip_smu.labels.reading import read_labels
    from clip_smu.labels.writing import write_labels

    for file in ("one.parquet", "train.txt"):
        shutil.copy(data / file, tmp_path)
    labels, train = read_labels(data / "labels.csv"), read_list(data / "train.txt")
    person = labels.identities[labels.images.index(train[3])]
    if unknown:
        labels = replace(labels, identities=[""] * len(labels.images))
    write_labels(labels, tmp_path / "labels.csv")
    write_list([*read_list(data / "test.txt"), train[3]], tmp_path / "test.txt")
    (tmp_path / "plan.toml").write_text(PLAN)
    words = f"1 photos are in both .*{train[3]}" if unknown else f"1 persons are in both .*{person}"
    with pytest.raises(LabelError, match=words):
        reproduce(read_plan(tmp_path / "plan.toml", data=tmp_path), tmp_path / "run")
    assert not (tmp_path / "run/stages").exists()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('encoder = "nobody"', "no encoder is called 'nobody'"),
        ('encoder = "onnx:toy.onnx"\ncard = { dim = 3 }', "dim|misses|missing|expected"),
        ('encoder = "onnx:broken.onnx"\ncard = CARD', "ONNX"),
        (
            'encoder = "onnx:toy.onnx"\ncard = CARD\noptions = { eyes = 2 }',
            "options of one do not fit: .*eyes",
        ),
        ('encoder = "onnx:toy.onnx"\ncard = CARD\noptions = { detector = "owl" }', "owl"),
    ],
)
def test_encoders_are_loaded_before_any_photo(data: Path, tmp_path: Path, entry: str, words: str) -> None:
    pytest.importorskip("onnx")
    make_network(tmp_path / "toy.onnx")
    (tmp_path / "broken.onnx").write_text("this is no network")
    (tmp_path / "photos").mkdir()
    for file in ("labels.csv", "train.txt", "test.txt"):
        shutil.copy(data / file, tmp_path)
    plan = PLAN.replace("[data]", '[data]\nphotos = "photos"')
    plan = plan.replace('templates = "one.parquet"', entry.replace("CARD", toy_row()))
    (tmp_path / "plan.toml").write_text(plan)
    with pytest.raises(ClipSmuError, match=words):
        reproduce(read_plan(tmp_path / "plan.toml", data=tmp_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def toy_row() -> str:
    kept = ("family", "dim", "input_size", "channels", "mean", "std", "alignment", "normalised", "licence_code",
            "licence_weights", "sources")  # fmt: skip
    values = RIGHT.to_dict()
    return "{ " + ", ".join(f"{key} = {json.dumps(values[key])}" for key in kept) + " }"


def test_lfw_with_one_encoder_needs_no_file_of_the_others(tmp_path: Path) -> None:
    for file in ("images.tar", "lfw_maad47.csv", "train_list.txt", "test_list.txt", "pairs.txt"):
        (tmp_path / file).touch()
    plan = read_plan("lfw", data=tmp_path, encoders=["dlib"])
    assert [row.name for row in plan.encoders] == ["dlib"]
    with pytest.raises(InputError, match="esp_mfn"):
        read_plan("lfw", data=tmp_path, encoders=["mfn"])


def test_without_strata_there_are_no_confounds(data: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN.replace('within = ["Male"]', ""))
    plan = read_plan(tmp_path / "plan.toml", data=data, methods=["logistic-regression"])
    assert reproduce(plan, tmp_path / "run").done == 2
    assert not (tmp_path / "run/one/confounds").exists()


# ---------------------------------------------------------------- photos of a smoke run


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("../../up.jpg", "up.jpg"),
        ("ann/../../1.jpg", "ann/1.jpg"),
        ("C:\\ann\\1.jpg", "C:/ann/1.jpg"),
        ("./ann//1.jpg", "ann/1.jpg"),
        ("..", "photo"),
    ],
)
def test_no_name_leads_outside(name: str, inside: str) -> None:
    assert _inside(name) == inside


@pytest.fixture
def photos(data: Path, tmp_path: Path) -> Path:
    """A plan on photos whose lists begin with slashes; its run's folder is ``run``."""
    pytest.importorskip("onnx")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "people").mkdir()
    make_people(folder / "people")
    make_network(folder / "toy.onnx")
    names = [f"{file.parent.name}/{file.name}" for file in sorted((folder / "people").rglob("*.png"))]
    rows = (data / "labels.csv").read_text().splitlines()[: 1 + len(names)]
    rows[1:] = [
        ",".join([name, name[:3], *old.split(",")[2:]]) for name, old in zip(names, rows[1:], strict=True)
    ]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "train.txt").write_text("".join(f"/{name}\n" for name in names[:60]))
    (folder / "test.txt").write_text("".join(f"{name}\n" for name in names[60:]))
    entry = f'encoder = "onnx:toy.onnx"\noptions = {{ align = "none" }}\ncard = {toy_row()}'
    plan = PLAN.replace("[data]", '[data]\nphotos = "people"').replace('templates = "one.parquet"', entry)
    plan += "[smoke]\nphotos = 90\ncheck_pairs = 0\n"
    (tmp_path / "plan.toml").write_text(plan)
    return tmp_path


SMOKE = """
import sys, time
from pathlib import Path
from clip_smu.reproduction import read_plan, reproduce
from clip_smu.reproduction import run
if __name__ == "__main__":
    home = Path(sys.argv[1])
    plain = run.extract
    def slow(*args, **kwargs):
        print("copied", flush=True)
        time.sleep(60)
    if sys.argv[2] == "slow":
        run.extract = slow
    plan = read_plan(home / "plan.toml", data=home / "data", methods=["logistic-regression"])
    reproduce(plan, home / "run", smoke=True)
    print("done", flush=True)
"""


def test_killed_a_smoke_run_leaves_its_photos_inside_and_the_next_one_clears_them(photos: Path) -> None:
    (photos / "smoke.py").write_text(SMOKE)
    (photos / "tmp").mkdir()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(photos / "tmp")}
    line = [sys.executable, str(photos / "smoke.py"), str(photos)]
    process = subprocess.Popen([*line, "slow"], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "copied\n"
    process.kill()
    process.wait()
    process.stdout.close()
    left = photos / "run" / PHOTOS
    copied = len(list(left.rglob("*.png")))
    assert copied >= 90  # whole persons
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    assert not list((photos / "tmp").rglob("*.png"))
    (left / "old.png").write_text("of an earlier kill")
    done = subprocess.run([*line, "plain"], capture_output=True, text=True, env=env)
    assert done.stdout == "done\n", done.stderr
    assert not left.exists()
    assert not list((photos / "tmp").iterdir())
    from clip_smu.templates import read_templates

    assert len(read_templates(photos / "run" / "one" / "templates").images) == copied


# ---------------------------------------------------------------- stages


def test_a_stage_killed_while_the_old_result_is_removed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "run" / "one" / "evaluation"

    def work(number: int) -> None:
        claim_folder(place, {"number": number})  # as jobs do: another job's folder is refused
        (place / "result.json").write_text(str(number))
        (place / f"part-{number}").write_text("x" * number)

    def run(number: int) -> Stages:
        stages = Stages(tmp_path / "run", lambda *_: None)
        stages.run("one/evaluation", {"number": number}, place, lambda: work(number), "result.json")
        return stages

    assert run(1).done == 1
    assert run(1).kept == 1

    def killed(path: Path) -> None:
        (path / "_job.json").unlink()  # half of it
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(SystemExit):
            run(2)
    assert run(2).done == 1
    assert sorted(file.name for file in place.iterdir()) == ["_job.json", "part-2", "result.json"]
    (place / "part-2").write_text("cut")  # a damaged part of a finished stage
    assert run(2).done == 1
    assert (place / "part-2").read_text() == "xx"
    (place / "part-2").write_text("xy")  # of the same size
    assert run(2).done == 1
    assert (place / "part-2").read_text() == "xx"
    assert run(2).kept == 1
    monkeypatch.setattr("clip_smu.reproduction.stages.MOST_BYTES", 1)
    (place / "part-2").write_text("xy")  # of a large file its ends
    assert run(2).done == 1
    note = tmp_path / "run/stages/one-evaluation.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "contents": None}))
    (place / "part-2").write_text("xy")  # a run of before: names and sizes
    assert run(2).kept == 1
    (tmp_path / "run/stages/one-evaluation.json").write_text("{ cut off")
    assert run(3).done == 1  # nobody knows any more what was there


def test_a_damaged_evaluation_is_made_again(data: Path, tmp_path: Path) -> None:
    from clip_smu.evaluation import evaluate, read_evaluation
    from clip_smu.training.probe_config import ProbeConfig
    from clip_smu.training.probes import fit_probe

    table, labels = toy_data(240)
    fit_probe(table, labels, tmp_path / "probe", config=ProbeConfig(folds=2))
    first = evaluate(
        [tmp_path / "probe"], table, labels, tmp_path / "evaluation", config=EvaluationConfig(rounds=0)
    )
    scores = tmp_path / "evaluation" / "scores.parquet"
    scores.write_bytes(scores.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        read_evaluation(tmp_path / "evaluation")
    again = evaluate(
        [tmp_path / "probe"], table, labels, tmp_path / "evaluation", config=EvaluationConfig(rounds=0)
    )
    np.testing.assert_array_equal(again.methods["probe"].scores, first.methods["probe"].scores)
    read_evaluation(tmp_path / "evaluation")
