"""`reproduce` on made-up templates: every stage, caching, resuming, plans; the shipped plans can be read."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from clip_smu.errors import InputError
from clip_smu.reproduction import PLANS, read_plan, reproduce
from clip_smu.words.attributes import NAMES
from toy_network import RIGHT, make_network, make_people

PLAN = """
name = "made-up"
labels_are = "made-up labels"
erase = ["Male"]
within = ["Male"]
[data]
labels = "labels.csv"
train = "train.txt"
test = "test.txt"
[[encoders]]
name = "one"
templates = "one.npy.parquet"
[[encoders]]
name = "two"
templates = "two.npy.parquet"
[[methods]]
name = "attribute"
objective = "attribute"
steps = 10
folds = 2
size = { width = 16, layers = 1, heads = 2 }
[[methods]]
name = "logistic-regression"
probe = "logistic-regression"
folds = 2
[smoke]
photos = 240
attribute = { steps = 3 }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 photos of 80 persons, two encoders, 47 attributes that show in the templates."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    people = [f"n{row // 3:06d}" for row in range(240)]
    names = [f"{person}/{row % 3:04d}_01.jpg" for row, person in enumerate(people)]
    vectors = rng.normal(size=(240, 12)).astype(np.float32)
    values = np.where(vectors @ rng.normal(size=(12, 47)) + rng.normal(size=(240, 47)) > 0, 1, -1)
    values[rng.random(values.shape) < 0.2] = 0
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Filename", "Identity", *NAMES])
        writer.writerows(
            [name, person, *row] for name, person, row in zip(names, people, values, strict=True)
        )
    (folder / "train.txt").write_text("\n".join(names[:150]) + "\n")
    (folder / "test.txt").write_text("\n".join(names[150:]) + "\n")
    for encoder, noise in (("one", 0.1), ("two", 2.0)):
        seen = (vectors + noise * rng.normal(size=vectors.shape)).astype(np.float32)
        table = pa.table({"image": names, "template": list(seen)})
        pq.write_table(table, folder / f"{encoder}.npy.parquet")
    (folder / "plan.toml").write_text(PLAN)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "run"
    made = reproduce(read_plan(data / "plan.toml", data=data), output)
    assert made.kept == 0
    assert made.done == 2 * 5
    return output


def test_a_run_has_every_part(run: Path) -> None:
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["finished"] is True
    for encoder in ("one", "two"):
        for part in (
            "interpreters/attribute/interpreter.json",
            "probes/logistic-regression/probe.json",
            "evaluation/evaluation.json",
            "confounds/confounds.json",
            "erasure/erasure.json",
        ):
            assert (run / encoder / part).is_file(), part
    assert (run / "comparisons/one-vs-two.json").is_file()
    assert (run / "figures/roc-one.svg").is_file()
    assert "made-up labels" in (run / "results.md").read_text()


def test_the_table_is_that_of_the_evaluations(run: Path) -> None:
    from sklearn.metrics import roc_auc_score

    from clip_smu.evaluation import read_evaluation

    lines = (run / "results.csv").read_text().splitlines()
    rows = {(row["encoder"], row["method"]): row for row in csv.DictReader(lines)}
    assert len(rows) == 4
    for (encoder, method), row in rows.items():
        one = read_evaluation(run / encoder / "evaluation")
        scores, areas = one.methods[method].scores, []
        for k in range(47):
            known = one.labels[:, k] != 0
            yes = one.labels[known, k] > 0
            if min(yes.sum(), (~yes).sum()) >= 10:
                areas.append(roc_auc_score(yes, scores[known, k]))
        assert float(row["mean_auc"]) == pytest.approx(np.mean(areas), abs=1e-6)
    assert float(rows["one", "logistic-regression"]["mean_auc"]) > float(
        rows["two", "logistic-regression"]["mean_auc"]
    )


def test_again_nothing_is_run_twice(run: Path, data: Path) -> None:
    before = (run / "results.csv").read_bytes()
    made = reproduce(read_plan(data / "plan.toml", data=data), run)
    assert (made.done, made.kept) == (0, 10)
    assert (run / "results.csv").read_bytes() == before


def test_a_changed_setting_runs_what_depends_on_it(run: Path, data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (data / "other.toml").write_text(PLAN.replace("steps = 10", "steps = 11"))
    made = reproduce(read_plan(data / "other.toml", data=data), copy)
    # of each encoder: the fit, and after it evaluation, confounds and erasure; not the probe
    assert (made.done, made.kept) == (8, 2)


def test_a_run_cut_off_goes_on(run: Path, data: Path, tmp_path: Path) -> None:
    """A stage without its last word is done again, and the end is the same."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    note = copy / "stages/two-evaluation.json"
    values = json.loads(note.read_text())
    note.write_text(json.dumps(values | {"finished": False}))
    (copy / "run.json").unlink()
    made = reproduce(read_plan(data / "plan.toml", data=data), copy)
    assert made.done == 1
    assert (copy / "results.csv").read_bytes() == (run / "results.csv").read_bytes()


def test_smoke_says_so(data: Path, tmp_path: Path) -> None:
    plan = read_plan(data / "plan.toml", data=data, encoders=["one"], methods=["attribute"])
    reproduce(plan, tmp_path / "run", smoke=True)
    assert "mean nothing" in (tmp_path / "run/results.md").read_text()
    assert json.loads((tmp_path / "run/run.json").read_text())["smoke"] is True


def test_a_run_from_photos_finds_out_that_its_encoder_is_misfed(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    people = make_people(tmp_path)
    make_network(tmp_path / "toy.onnx")
    card = RIGHT.to_dict() | {"channels": "BGR", "mean": 127.5, "std": 127.5}
    kept = ("family", "dim", "input_size", "channels", "mean", "std", "alignment", "normalised", "licence_code",
            "licence_weights", "sources")  # fmt: skip
    row = ", ".join(f"{key} = {json.dumps(card[key])}" for key in kept)
    names = [
        f"{folder.name}/{file.name}"
        for folder in sorted(people.glob("p*"))
        for file in sorted(folder.iterdir())
    ]
    rows = (data / "labels.csv").read_text().splitlines()[: 1 + len(names)]
    rows[1:] = [
        ",".join([name, name[:3], *old.split(",")[2:]]) for name, old in zip(names, rows[1:], strict=True)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "train.txt").write_text("\n".join(names[:60]) + "\n")
    (tmp_path / "test.txt").write_text("\n".join(names[60:]) + "\n")
    start, end = PLAN.index("[[encoders]]"), PLAN.index("[[methods]]")
    encoder = '[[encoders]]\nname = "toy"\nencoder = "onnx:toy.onnx"\noptions = { align = "none" }\n'
    encoder += f"card = {{ {row} }}\n"
    plan = PLAN[:start].replace("[data]", '[data]\nphotos = "."') + encoder + PLAN[end:]
    (tmp_path / "plan.toml").write_text(plan.replace('erase = ["Male"]', "erase = []"))
    output = tmp_path.parent / f"{tmp_path.name}-run"
    made = reproduce(read_plan(tmp_path / "plan.toml", data=tmp_path, methods=["attribute"]), output)
    told = "card says channels BGR, but with channels RGB"
    for file in (
        "results.md",
        "run.json",
        "toy/interpreters/attribute/README.md",
        "toy/evaluation/evaluation.json",
    ):
        assert told in (output / file).read_text(), file
    assert made.done == 5  # templates, preprocessing check, the fit, evaluation, confounds


def test_a_check_of_photos_without_folders_takes_persons_from_the_labels(tmp_path: Path) -> None:
    from clip_smu.reproduction.data import Data, _some
    from clip_smu.reproduction.run import _some_pairs
    from clip_smu.templates.shards import save_templates

    names = [f"{number:06d}.jpg" for number in range(12)]  # as CelebA's
    assert _some(names, 5) == names[:5]
    save_templates(tmp_path / "templates.parquet", np.ones((12, 64), np.float32), names, RIGHT)
    (tmp_path / "test.txt").write_text("\n".join(names[2:]) + "\n")
    for photos_each in (3, 1):
        rows = [
            ",".join([name, str(row // photos_each), *["1"] * len(NAMES)]) for row, name in enumerate(names)
        ]
        (tmp_path / "labels.csv").write_text(
            "\n".join([",".join(["Filename", "Identity", *NAMES]), *rows]) + "\n"
        )
        test = tmp_path / "test.txt"
        data = Data((tmp_path,), tmp_path / "labels.csv", test, test, None, "", "", "")
        pairs = _some_pairs(data, tmp_path / "templates.parquet", 8, 0)
        if photos_each == 1:  # nobody twice: there is nothing to check by
            assert pairs is None
            continue
        assert pairs is not None
        assert {*pairs.first, *pairs.second} <= set(names[2:])
        for a, b, same in zip(pairs.first, pairs.second, pairs.same, strict=True):
            assert (names.index(a) // 3 == names.index(b) // 3) == same


@pytest.mark.parametrize("name", PLANS)
def test_shipped_plans_name_their_files(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        read_plan(name, data=tmp_path)


def test_the_lfw_plan_is_whole(tmp_path: Path) -> None:
    for file in ("images.tar", "lfw_maad47.csv", "train_list.txt", "test_list.txt", "pairs.txt"):
        (tmp_path / file).touch()
    with pytest.raises(InputError, match=r"esp_mbf_512d_float.onnx, which is not there.*--weights"):
        read_plan("lfw", data=tmp_path)
    for file in ("esp_mbf_512d_float.onnx", "esp_mfn_512d_float.onnx"):
        (tmp_path / file).touch()
    plan = read_plan("lfw", data=tmp_path)
    assert [row.name for row in plan.encoders] == ["dlib", "mbf", "mfn"]
    assert {row.what for row in plan.methods} == {
        "clip", "multipositive", "attribute", "multi-label", "binary", "logistic-regression", "mlp",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "made-up"', "", "no name"),
        ("[data]", "[data]\nform = 'other'", "maad or celeba"),
        ('objective = "attribute"', "", "must have one of"),
        ('name = "two"', 'name = "one"', "names of their own"),
        ('templates = "two.npy.parquet"', 'templates = "three"', "not there"),
        ("erase =", "erases =", "unknown erases"),
        ("[data]", "[data", "TOML"),
    ],
)
def test_bad_plans(data: Path, tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        read_plan(file, data=data)


def test_a_setting_that_there_is_not(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.replace("steps = 10", "stepz = 10"))
    with pytest.raises(InputError, match=r"settings of attribute.*stepz"):
        reproduce(read_plan(file, data=data, methods=["attribute"]), tmp_path / "run")


def test_the_command(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from clip_smu.cli import main

    arguments = [
        "reproduce",
        data / "plan.toml",
        "--data",
        data,
        "--encoder",
        "nobody",
        "-o",
        tmp_path / "run",
    ]
    monkeypatch.setattr(sys, "argv", ["clip-smu", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert "no encoder nobody: choose from one, two" in capsys.readouterr().err
    arguments[5:6] = ["one", "--method", "logistic-regression"]
    monkeypatch.setattr(sys, "argv", ["clip-smu", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    told = capsys.readouterr()
    assert "| logistic-regression |" in told.out
    for stage in (
        "one/logistic-regression",
        "one/evaluation",
        "one/confounds",
        "one/erasure",
    ):  # no terminal: a log
        assert re.search(rf"^\d\d:\d\d:\d\d {stage}$", told.err, re.MULTILINE), told.err


@pytest.mark.slow
def test_smoke_of_lfw(shared: Path, tmp_path: Path) -> None:
    """The shipped plan from photos to figures, on some 300 photos; about two minutes."""
    pytest.importorskip("dlib")
    plan = read_plan("lfw", data=shared / "data/lfw", weights=shared / "weights")
    made = reproduce(plan, tmp_path / "run", smoke=True)
    assert len(made.results) == len(plan.encoders) * len(plan.methods)
    assert all(0 <= row["mean_auc"] <= 1 for row in made.results)
    assert not list((tmp_path / "run").rglob("*.jpg"))
