"""A fit's plumbing on 48 faces, with trainings that take no time: what goes where, and what is said of it."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_smu.errors import InputError, LabelError, StorageError
from clip_smu.interpreter.calibration import calibrate
from clip_smu.interpreter.evidence import gather_evidence
from clip_smu.interpreter.interpreter import Interpreter, load_interpreter
from clip_smu.labels.labels import Labels
from clip_smu.metrics.folds import identity_folds
from clip_smu.words.attribute_table import ATTRIBUTES
from clip_smu.words.attributes import NAMES
from clip_smu.words.prompts import prompts
from faces import DIM, toy_data

torch = pytest.importorskip("torch")

from clip_smu.training import fit as fitting  # noqa: E402
from clip_smu.training.clip_encoder import EncoderSize  # noqa: E402
from clip_smu.training.fit import fit  # noqa: E402
from clip_smu.training.fit_config import FitConfig  # noqa: E402
from clip_smu.training.objectives import OBJECTIVES  # noqa: E402
from clip_smu.training.trainer import Trainer  # noqa: E402

TINY = FitConfig(size=EncoderSize(8, 1, 1), steps=30, folds=3, device="cpu", seed=2)
STEPS = (7, 21, 12, 9, 30, 8)  # the best ones of the folds
SECONDS = 1.7  # of the first training; the second takes twice as long, and so on


@dataclass
class Trainings:
    """What was trained: (stage, rows, held-out rows, most steps)."""

    asked: list[tuple[str, Any, Any, int]] = field(default_factory=list)


@pytest.fixture(autouse=True)
def trainings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainings]:
    """In the place of trainings: the text_encoder as it is, and prompt vectors that the stage's seed gives."""
    seen = Trainings()
    whole = Trainer.train

    def train(self: Trainer, stage: str, rows: Any, held_out: Any, steps: int) -> Any:
        seen.asked.append((stage, rows, held_out, steps))
        made = whole(self, stage, rows, None, 0)  # no step
        fold = int(stage.split()[1]) - 1 if held_out is not None else None
        return replace(made, step=steps if fold is None else STEPS[fold], seconds=SECONDS * len(seen.asked))

    def prompt_vectors(self: Trainer, text_encoder: Any, most: int | None = None) -> Any:
        return prompts_of(len(seen.asked))

    monkeypatch.setattr(Trainer, "train", train)
    monkeypatch.setattr(Trainer, "prompt_vectors", prompt_vectors)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield seen
    torch.set_num_threads(before)


def prompts_of(number: int) -> Any:
    vectors = np.random.default_rng(number).normal(size=(2, 47, DIM))
    return (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)


def made(folder: Path, config: FitConfig = TINY, n: int = 48, **more: Any) -> Interpreter:
    return fit(*toy_data(n), folder, config=config, **more)


def cosines(vectors: Any, centre: Any, prompts: Any) -> Any:
    """cos(unit(t) - centre, positive) - cos(..., negative), one face at a time."""
    rows = []
    for vector in np.asarray(vectors, dtype=np.float64):
        moved = vector / np.linalg.norm(vector) - centre
        rows.append((prompts[0] - prompts[1]).astype(np.float64) @ moved / np.linalg.norm(moved))
    return np.array(rows)


def test_a_fit_by_hand(tmp_path: Path, trainings: Trainings) -> None:
    """Folds of persons, each scored by its own text encoder about the others' mean; then one of everybody."""
    reader = made(tmp_path / "it")
    faces, labels = toy_data(48)
    units = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
    fold_of = identity_folds(faces.identities, 3, 2)
    assert [one[0] for one in trainings.asked] == [
        "fold 1 of 3", "fold 2 of 3", "fold 3 of 3", "all identities",
    ]  # fmt: skip
    assert [one[3] for one in trainings.asked] == [30, 30, 30, 12]  # the median of 7, 21, 12
    scores = np.zeros((48, 47))
    for fold in range(3):
        _, rows, held_out, _ = trainings.asked[fold]
        assert rows.tolist() == np.flatnonzero(fold_of != fold).tolist()
        assert held_out.tolist() == np.flatnonzero(fold_of == fold).tolist()
        centre = units[fold_of != fold].mean(axis=0)
        scores[fold_of == fold] = cosines(faces.vectors[fold_of == fold], centre, prompts_of(fold + 1))
    assert trainings.asked[3][1].tolist() == list(range(48))
    assert trainings.asked[3][2] is None
    expected = calibrate(scores, labels.values, 0.1, faces.identities)
    for name in ("slope", "intercept", "encoded_at", "not_encoded_at"):
        np.testing.assert_allclose(
            getattr(reader.calibration, name), getattr(expected, name), rtol=1e-3, atol=1e-4
        )
    np.testing.assert_allclose(reader.positive, prompts_of(4)[0], atol=1e-6)
    np.testing.assert_allclose(reader.negative, prompts_of(4)[1], atol=1e-6)
    np.testing.assert_allclose(reader.centre, units.mean(axis=0), atol=1e-6)
    evidence = gather_evidence(expected, scores, labels.values, faces.identities)
    np.testing.assert_allclose([row.auc for row in reader.evidence], [row.auc for row in evidence], atol=1e-3)
    np.testing.assert_allclose([row.low for row in reader.evidence], [row.low for row in evidence], atol=1e-3)


def test_provenance_says_what_was_done(tmp_path: Path) -> None:
    reader = made(tmp_path / "it")
    said = reader.provenance
    assert said["objective"] == "attribute"
    assert said["text_encoder"] == "mini"
    assert said["config"] == json.loads(json.dumps(asdict(TINY)))
    settings = asdict(TINY.training("toy")) | {"folds": 3}
    assert said["settings"] == json.loads(json.dumps(settings))
    assert said["trained_on"] == {"faces": 48, "persons": 12, "without_label": 0, "without_template": 0}
    assert said["steps"] == 12
    assert said["context"] > 10
    assert said["evidence_from"].startswith("48 training faces, each scored by a text encoder")
    assert said["preprocessing_check"] is None
    assert said["verdicts"]["chosen_error_rate"] == 0.1
    assert set(said["versions"]) == {"clip-smu", "torch", "transformers", "numpy"}
    assert (
        said["versions"]["torch"] == torch.__version__.partition("+")[0] or "+" in said["versions"]["torch"]
    )
    assert ", Python 3." in said["machine"]
    assert said["seconds"] == pytest.approx(SECONDS * (1 + 2 + 3 + 4))
    of_prompts = reader.positive.tobytes() + reader.negative.tobytes()
    assert said["prompts_sha256"] == hashlib.sha256(of_prompts).hexdigest()
    assert (reader.name, reader.encoder, reader.attributes, reader.error_rate) == ("it", "toy", NAMES, 0.1)
    names = {file.name for file in (tmp_path / "it").iterdir()}
    assert {
        "interpreter.json",
        "prompts.safetensors",
        "text_encoder.onnx",
        "tokenizer.json",
        "README.md",
    } <= names
    assert ".fit" not in names
    assert reader.known_words == OBJECTIVES["attribute"].reading.words()


def test_a_name_and_no_card(tmp_path: Path) -> None:
    faces, labels = toy_data(48)
    reader = fit(replace(faces, card=None), labels, tmp_path / "it", config=TINY, name="mine")
    assert (reader.name, reader.encoder) == ("mine", "unknown")


def test_evidence_is_of_the_test_list(tmp_path: Path, trainings: Trainings) -> None:
    faces, labels = toy_data(72)
    reader = fit(faces, labels, tmp_path / "it", train=faces.images[:48], test=faces.images[48:], config=TINY)
    assert trainings.asked[3][1].tolist() == list(range(48))
    scores = reader.read(faces.vectors[48:])[0]
    expected = gather_evidence(
        reader.calibration, scores.astype(np.float64), labels.values[48:], faces.identities[48:]
    )
    assert [row.n_positive for row in reader.evidence] == [row.n_positive for row in expected]
    np.testing.assert_allclose([row.auc for row in reader.evidence], [row.auc for row in expected])
    said = reader.provenance
    assert said["evidence_from"] == "24 faces of the test list, whose persons do not occur in training"
    assert said["trained_on"]["faces"] == 48
    assert (said["trained_on"]["not_listed"], said["trained_on"]["without_label"]) == (24, 0)
    with pytest.raises(
        LabelError, match="1 persons are in both the training and the test list, the first is p11"
    ):
        fit(faces, labels, tmp_path / "no", train=faces.images[:48], test=faces.images[47:], config=TINY)


@pytest.mark.parametrize("change", ["vectors", "values", "identities", "images", "config", "test", "nothing"])
def test_another_job_is_another_digest(change: str, tmp_path: Path) -> None:
    """Whatever of the data or the settings differs, a finished fit is not taken for it."""
    faces, labels = toy_data(64)
    lists: dict[str, Any] = {"train": faces.images[:48]}
    first = fit(faces, labels, tmp_path / "it", config=TINY, **lists)
    written = (tmp_path / "it/interpreter.json").stat().st_mtime_ns
    config = TINY
    if change == "vectors":
        faces.vectors[5, 3] += 1e-3
    elif change == "values":
        labels.values[5, 3] = -1 if labels.values[5, 3] >= 0 else 1
    elif change == "identities":
        labels.identities[3] = faces.identities[3] = "someone"
    elif change == "images":
        faces.images[5] = labels.images[5] = "p1/other.jpg"
        lists = {"train": faces.images[:48]}
    elif change == "config":
        config = replace(TINY, error_rate=0.2)
    elif change == "test":
        lists["test"] = faces.images[48:]
    else:
        again = fit(faces, labels, tmp_path / "it", config=config, **lists)
        assert again.provenance["job"] == first.provenance["job"]
        assert (tmp_path / "it/interpreter.json").stat().st_mtime_ns == written
        return
    with pytest.raises(InputError, match="already holds an interpreter of another fit"):
        fit(faces, labels, tmp_path / "it", config=config, **lists)
    other = fit(faces, labels, tmp_path / "it", config=config, overwrite=True, **lists)
    assert other.provenance["job"] != first.provenance["job"]
    assert load_interpreter(tmp_path / "it").provenance["job"] == other.provenance["job"]


def test_fewer_persons_than_folds_is_refused_before_any_training(
    tmp_path: Path, trainings: Trainings
) -> None:
    with pytest.raises(LabelError, match="expected at least 13 persons, one a fold, found 12"):
        made(tmp_path / "it", replace(TINY, folds=13))
    faces, labels = toy_data(48)
    nobody = ["same"] * 48
    alike = Labels(labels.images, nobody, labels.values)
    with pytest.raises(LabelError, match="found 1"):
        fit(replace(faces, identities=nobody), alike, tmp_path / "it", config=TINY)
    assert not trainings.asked
    assert not (tmp_path / "it").exists()


def test_the_objectives_own_folds(tmp_path: Path, trainings: Trainings) -> None:
    config = replace(TINY, folds=None)
    folds = OBJECTIVES["attribute"].folds
    assert made(tmp_path / "it", config).provenance["settings"]["folds"] == folds
    assert len(trainings.asked) == folds + 1


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it/thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no unfinished fit: choose another"):
        made(tmp_path / "it")
    assert (tmp_path / "it/thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("steps", 1, 10**7),
        ("batch_size", 1, 10**7),
        ("captions", 1, 10**6),
        ("learning_rate", 1e-9, 10),
        ("weight_decay", 0, 10),
        ("paraphrases", 1, 12),
        ("folds", 2, 100),
        ("patience", 1, 10**6),
        ("accumulate", 1, 10**6),
        ("error_rate", 0.01, 0.5),
    ],
)
def test_settings_end_where_they_say(name: str, low: float, high: float) -> None:
    for value in (low, high):
        replace(FitConfig(), **{name: value}).check()
    for value in (low - 1e-10 if low else -1e-9, high * 1.01):
        with pytest.raises(InputError, match=f"{name} must be between {low} and {high}, not {value}"):
            replace(FitConfig(), **{name: value}).check()


def test_choices_are_checked() -> None:
    for setting, words in (
        ({"objective": "CLIP"}, "the objective must be one of .*attribute.*, not 'CLIP'"),
        ({"precision": "float16"}, "the precision must be one of float32, bf16, fp16, not 'float16'"),
        ({"device": "gpu"}, "the device must be one of cpu, cuda, not 'gpu'"),
    ):
        with pytest.raises(InputError, match=words):
            replace(FitConfig(), **setting).check()
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="the device cuda must be there, PyTorch finds none"):
            FitConfig(device="cuda").check()
        with pytest.raises(InputError, match="the precision must be float32 on a CPU, not bf16"):
            FitConfig(precision="bf16").check()
        assert FitConfig().resolved_device == "cpu"
    for objective in OBJECTIVES:
        FitConfig(objective=objective, device="cpu").check()


def test_tensorboard_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clip_smu.training.fit_config.find_spec", lambda name: None)
    FitConfig(device="cpu").check()
    with pytest.raises(
        InputError, match="needs the package tensorboard, which is not installed: pip install"
    ):
        FitConfig(device="cpu", tensorboard=True).check()
    monkeypatch.setattr("clip_smu.training.fit_config.find_spec", lambda name: name == "tensorboard" or None)
    FitConfig(device="cpu", tensorboard=True).check()


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("encoder", ["toy", "clip-vit-b32"])
def test_what_stands_where_nothing_is_given(objective: str, encoder: str) -> None:
    """The objective's own, other ones for a CLIP's templates, and a low rate for a text encoder that knows words."""
    row, bare = OBJECTIVES[objective], FitConfig(objective, device="cpu").training(encoder)
    assert (bare.objective, bare.steps, bare.weight_decay) == (objective, row.steps, row.weight_decay)
    assert bare.batch_size == (row.batch_size_clip if encoder.startswith("clip") else row.batch_size)
    assert (bare.captions, bare.paraphrases, bare.patience, bare.accumulate) == (128, 1, 8, 1)
    assert (bare.text_encoder, bare.precision, bare.device, bare.seed) == ("mini", "float32", "cpu", 0)
    assert bare.size == EncoderSize()
    assert bare.learning_rate == row.learning_rate
    assert (
        FitConfig(objective, text_encoder="openai/clip", device="cpu").training(encoder).learning_rate == 1e-5
    )
    given = FitConfig(
        objective, "openai/clip", EncoderSize(8, 1, 1), 3, 4, 5, 0.25, 0.125, 2, 2, 6, 0.2, "float32", 7, False,
        "cpu", 9,
    )  # fmt: skip
    own = given.training(encoder)
    assert asdict(own) == {
        "objective": objective, "text_encoder": "openai/clip", "size": asdict(EncoderSize(8, 1, 1)), "steps": 3,
        "batch_size": 4, "captions": 5, "learning_rate": 0.25, "weight_decay": 0.125, "paraphrases": 2, "patience": 6,
        "precision": "float32", "accumulate": 7, "device": "cpu", "seed": 9,
    }  # fmt: skip


def test_the_recipe_is_of_the_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fitting._recipe()
    assert len(before) == 64
    real = fitting.prompts
    monkeypatch.setattr(
        fitting, "prompts", lambda row, side=True: [*real(row, side)[:-1], "Another sentence."]
    )
    assert fitting._recipe() != before
    monkeypatch.setattr(fitting, "prompts", lambda row, side=True: real(row, side) if side else ["No."])
    assert fitting._recipe() != before


# ---------------------------------------------------------------- what a fit is made of


def test_all_trainings_are_told_in_steps() -> None:
    """The one at hand, and before it all together; a training that stops early counts as whole."""
    told: list[tuple[str, int, int]] = []
    tell = fitting._overall(lambda *one: told.append(one), 3, 10)
    for stage, done, total in (
        ("fold 1 of 2", 1, 10), ("fold 1 of 2", 10, 10), ("fold 2 of 2", 5, 10), ("all identities", 2, 4),
        ("all identities", 4, 4), ("fold 2 of 2", 10, 10), ("nothing", 0, 0), ("nothing", 1, 1),
    ):  # fmt: skip
        tell(stage, done, total)
    assert told[1::2] == [
        ("fold 1 of 2", 1, 10), ("fold 1 of 2", 10, 10), ("fold 2 of 2", 5, 10), ("all identities", 2, 4),
        ("all identities", 4, 4), ("fold 2 of 2", 10, 10), ("nothing", 0, 0), ("nothing", 1, 1),
    ]  # fmt: skip
    assert told[::2] == [("all trainings", done, 30) for done in (1, 10, 15, 20, 25, 30, 30, 40)]


def test_labels_must_be_of_both_kinds_in_one_attribute() -> None:
    labels = np.zeros((6, 47), np.int8)
    labels[:3, 4], labels[3:, 9] = 1, -1  # each kind, but not of the same
    with pytest.raises(
        LabelError,
        match=r"photos with \(1\) and photos without \(-1\) .* found none among 6 labelled photos",
    ):
        fitting._require_both_kinds(labels, "attribute")
    fitting._require_both_kinds(labels, "clip")  # which only says what is there
    labels[5, 4] = -1
    for objective in OBJECTIVES:
        fitting._require_both_kinds(labels, objective)


def test_progress_is_of_one_fit(tmp_path: Path) -> None:
    """Its own is kept, another's refused or replaced, and what a kill left half begun is taken over."""
    work = tmp_path / ".fit"
    fitting._claim(work, {"command": "fit", "a": 1}, False)
    assert json.loads((work / "_job.json").read_text()) == {"command": "fit", "a": 1}
    (work / "fold-1-of-2.pt").write_text("mine")
    for overwrite in (False, True):
        fitting._claim(work, {"command": "fit", "a": 1}, overwrite)
        assert (work / "fold-1-of-2.pt").read_text() == "mine"
    with pytest.raises(InputError, match=r"holds another job \(it differs in: a\)"):
        fitting._claim(work, {"command": "fit", "a": 2}, False)
    assert (work / "fold-1-of-2.pt").exists()
    fitting._claim(work, {"command": "fit", "a": 2}, True)
    assert not (work / "fold-1-of-2.pt").exists()
    assert json.loads((work / "_job.json").read_text())["a"] == 2
    (work / "_job.json").unlink()
    (work / "half").write_text("begun")
    fitting._claim(work, {"command": "fit", "a": 3}, False)
    assert [file.name for file in work.iterdir()] == ["_job.json"]


def test_a_folder_is_whole_when_its_last_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the names: never the manifest of one fit beside files of another."""
    new, output = tmp_path / "made", tmp_path / "it"
    names = ["README.md", "a.onnx", "interpreter.json", "prompts.safetensors", "z.txt"]
    for folder in (new, output):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(folder.name)
    (output / "mine.txt").write_text("mine")
    seen: list[str] = []
    move = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        assert not (output / "interpreter.json").exists()
        seen.append(self.name)
        return move(self, target)

    monkeypatch.setattr(Path, "replace", replaced)
    fitting._publish(new, output)
    assert sorted(seen) == names
    assert seen[-1] == "interpreter.json"
    assert {name: (output / name).read_text() for name in names} == dict.fromkeys(names, "made")
    assert (output / "mine.txt").read_text() == "mine"
    (new / "interpreter.json").write_text("again")
    fitting._publish(new, tmp_path / "it")
    assert (output / "interpreter.json").read_text() == "again"

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    (new / "interpreter.json").write_text("again")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match=f"the disk is full: {output} was not written"):
        fitting._publish(new, output)
    assert not (output / "interpreter.json").exists()
    (output / "z.txt").unlink()
    monkeypatch.setattr(Path, "replace", move)
    fitting._publish(new, output)
    assert (output / "interpreter.json").read_text() == "again"


def test_the_recipe_tells_sentences_and_sides_apart() -> None:
    """All attributes' sentences, with and without, one a line."""
    lines = []
    for row in ATTRIBUTES:
        lines += [*prompts(row, True), *prompts(row, False)]
    assert fitting._recipe() == hashlib.sha256("\n".join(lines).encode()).hexdigest()
