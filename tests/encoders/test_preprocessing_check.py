"""A toy network with right or wrong preprocessing: what is wrong is found, what gave nothing counted; heads by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clip_smu.cli.encoders import app
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.card_files import write_card
from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.encoders.heads import HeadReading, named
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.encoders.preprocessing_check import check_preprocessing
from clip_smu.encoders.swinface_heads import HEAD_COLUMNS, HEADS
from clip_smu.errors import InputError
from clip_smu.metrics.pairs import Pairs, pairs_of_identities
from clip_smu.photos import iter_photos
from clip_smu.photos.wanted import find_photos
from toy_network import RIGHT, SIDE, make_network, make_people


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    return make_network(tmp_path_factory.mktemp("net") / "toy.onnx")


def pairs_in(people: Path) -> Pairs:
    return pairs_of_identities([(photo.name, photo.identity) for photo in iter_photos([people])], 300)


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        (RIGHT, []),
        (replace(RIGHT, channels="BGR"), ["card says channels BGR, but with channels RGB"]),
        (replace(RIGHT, mean=(0.0,) * 3, std=(1.0,) * 3), ["set mean and std to 127.5 and 127.5"]),
    ],
    ids=["right", "swapped", "scale"],
)
def test_misfed_is_found(people: Path, network: Path, row: EncoderCard, advice: list[str]) -> None:
    encoder = OnnxEncoder(row, network, EncoderOptions(align="none"))
    seen: list[int] = []
    found = check_preprocessing(encoder, iter_photos([people]), pairs_in(people), progress=seen.append)
    assert sum(seen) == found.photos == 120
    assert found.rejected == {}
    assert found.figures.n_same == 150
    if not advice:
        assert found.misfed == ()
        assert found.figures.accuracy > 0.95
    for words in advice:
        assert any(words in line for line in found.misfed), found.misfed
    assert "alignment" not in {variant.field for variant in found.variants}  # nothing was aligned
    assert json.loads(json.dumps(found.to_dict()))["encoder"] == "toy"
    plain = check_preprocessing(encoder, iter_photos([people]), pairs_in(people), variant_pairs=0)
    assert plain.variants == ()
    assert plain.figures == found.figures


def test_photos_of_pairs_are_found_by_the_rule_of_names(people: Path) -> None:
    photos = list(iter_photos([people]))
    found, how = find_photos(photos, ["x/p00/0.jpg", ".\\p01\\2.PNG", "1.png", "p99/3.png"])
    assert {name: photo.name for name, photo in found.items()} == {
        "x/p00/0.jpg": "p00/0.png", ".\\p01\\2.PNG": "p01/2.png"
    }  # fmt: skip
    assert how.first == "1.png: 30 known and 1 given names end in 1.png"


def test_check_counts_what_gave_nothing(people: Path, network: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(people, tmp_path / "people")
    (tmp_path / "people" / "p00" / "0.png").write_bytes(b"")
    Image.new("RGB", (SIDE, SIDE + 1)).save(tmp_path / "people" / "p01" / "1.png")
    encoder = OnnxEncoder(RIGHT, network, EncoderOptions(align="none"))
    pairs = pairs_in(people)
    found = check_preprocessing(encoder, iter_photos([tmp_path / "people"]), pairs, variant_pairs=100)
    assert found.rejected == {"empty": 1, "not-a-crop": 1}
    lost = {"p00/0.png", "p01/1.png"}
    gone = sum(bool(lost & {a, b}) for a, b in zip(pairs.first, pairs.second, strict=True))
    assert found.pairs_left_out == gone
    (tmp_path / "people" / "p02" / "2.png").unlink()
    with pytest.raises(InputError, match=r"1 of 120 are not there, the first: p02/2\.png"):
        check_preprocessing(encoder, iter_photos([tmp_path / "people"]), pairs)


def test_commands(people: Path, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP_SMU_CACHE", str(tmp_path))
    run = CliRunner().invoke
    listed = run(app, ["list"])
    assert listed.exit_code == 0
    assert "swinface" in listed.output
    assert json.loads(run(app, ["list", "--json"]).output)[1]["name"] == "adaface-ir18"
    assert 'channels = "BGR"' in run(app, ["show", "adaface-ir50"]).output
    write_card(tmp_path / "toy.toml", replace(RIGHT, channels="BGR"))
    check = ["check", f"onnx:{network}", str(people), "--card", str(tmp_path / "toy.toml")]
    check += ["--identities", "--count", "300", "--align", "none", "--threads", "1"]
    found = run(app, check)
    assert found.exit_code == 1, found.output
    assert "toy is mis-fed: its card says channels BGR" in found.output
    assert json.loads(run(app, [*check, "--json"]).stdout)["misfed"]
    both = run(app, [*check, "--pairs", "pairs.txt"])
    assert isinstance(both.exception, InputError)
    refused = run(app, ["pull", "arcface-r50"])
    assert "--accept-licence" in str(refused.exception)
    no_heads = run(
        app,
        ["heads", f"onnx:{network}", str(people), "--card", str(tmp_path / "toy.toml"), "--align", "none"],
    )
    assert "expected an output 'heads'" in str(no_heads.exception)


def test_commands_say_what_they_left_out(
    people: Path, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film beside the photos, as ``extract`` and ``interpret`` tell it."""
    shutil.copytree(people, tmp_path / "people")
    (tmp_path / "people/film.mp4").write_bytes(bytes(100))
    monkeypatch.setattr(
        "clip_smu.encoders.heads.read_heads",
        lambda _, photos: (HeadReading(one.name, 0, {}) for one in photos),
    )
    write_card(tmp_path / "toy.toml", RIGHT)
    given = [
        f"onnx:{network}",
        str(tmp_path / "people"),
        "--card",
        str(tmp_path / "toy.toml"),
        "--align",
        "none",
    ]
    for command in (
        ["check", *given, "--identities", "--count", "100", "--variant-pairs", "0"],
        ["heads", *given],
    ):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        assert done.stderr == "clip-smu: 1 file that is no photo was left out (1 .mp4)\n"


def test_heads_by_name() -> None:
    logits = np.zeros(HEAD_COLUMNS, np.float32)
    for head in HEADS:
        if head.task in ("Gender", "Eyeglasses"):
            logits[head.columns] = (0, 3)
        if head.task == "Age":
            logits[head.columns] = 41.5
        if head.task == "Expression":
            logits[head.columns.start + 3] = 9
    found = named(logits)
    assert len(found) == 42
    assert found["Gender"] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-4)
    assert found["Eyeglasses"] > 0.95
    assert found["Bald"] == 0.5
    assert found["Age"] == 41.5
    assert max(found["Expression"], key=found["Expression"].get) == "Happy"
