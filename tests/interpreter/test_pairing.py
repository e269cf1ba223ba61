"""Two faces: likelihood ratios against brute force, thresholds against slow counts, and the command on a real photo."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from clip_smu.cli import app
from clip_smu.encoders.locate import card
from clip_smu.errors import ClipSmuError, InputError, TemplateError
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.interpreter.intra_class import ICC
from clip_smu.interpreter.likelihood_ratio import base_rates
from clip_smu.interpreter.pairing import pair
from clip_smu.interpreter.thresholds import THRESHOLDS, Threshold
from clip_smu.photos.example import example_photo
from clip_smu.templates.shards import save_templates
from clip_smu.words.agreement import asserted_by_default
from clip_smu.words.attributes import NAMES, resolve
from faces import dlib_like
from places import LFW_READER

DLIB = card("dlib")


def test_pair_of_templates() -> None:
    interpreter = load_interpreter(LFW_READER)
    rng = np.random.default_rng(3)
    found_any = {"agree": 0, "disagree": 0, "cannot tell": 0}
    base = base_rates(interpreter)
    for _ in range(20):
        a, b = dlib_like(rng.normal(size=(2, 128)))
        found = pair(interpreter, a, b)
        assert found.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
        assert found.threshold is THRESHOLDS["dlib"]
        assert found.match == (found.cosine >= THRESHOLDS["dlib"].cosine)
        both = interpreter.interpret(np.stack([a, b]))
        for one in found.attributes:
            k = NAMES.index(one.attribute)
            p, q = both.probabilities[:, k].astype(float)
            assert one.probabilities == pytest.approx((p, q), abs=1e-6)
            rho, pi = ICC[one.attribute], base[k]
            slow = np.log10(1 - rho + rho * (p * q / pi + (1 - p) * (1 - q) / (1 - pi)))
            assert one.llr == pytest.approx(slow, abs=1e-5)
            told = both.verdicts[:, k].tolist()
            assert one.outcome == (
                "cannot tell" if 0 in told else "agree" if told[0] == told[1] else "disagree"
            )
            found_any[one.outcome] += 1
        sizes = [abs(one.llr) for one in found.attributes]
        assert sizes == sorted(sizes, reverse=True)
        unasked = [one for one in found.of("disagree") if asserted_by_default(one.attribute)]
        for one in unasked[:6]:
            assert one.label in found.sentence
        assert not re.search("attractive|oval|pointy|cheekbones", found.sentence)
        backward = pair(interpreter, 3 * b, a)
        weights = {one.attribute: one.llr for one in found.attributes}
        assert {one.attribute: one.llr for one in backward.attributes} == pytest.approx(weights, abs=1e-5)
    assert all(found_any.values())


def test_thresholds_and_hiding() -> None:
    interpreter = load_interpreter(LFW_READER)
    a, b = dlib_like(np.random.default_rng(0).normal(size=(2, 128)))
    hidden = resolve("sensitive")
    found = pair(interpreter, a, b, 0.1, hide="sensitive")
    assert len(found.attributes) == 47 - len(hidden)
    assert found.match
    assert "threshold 0.100)." in found.sentence
    for word in (" man", "woman", "white", "Black", "young", "attractive"):
        assert word not in found.sentence
    assert not pair(interpreter, a, b, Threshold(0.99, 0.001, 0.5, "here")).match
    stranger = replace(interpreter, encoder="mbf")
    unknown = pair(stranger, a, b)
    assert unknown.match is None
    assert "without a threshold for mbf nobody can say" in unknown.sentence
    assert json.loads(json.dumps(unknown.to_dict()))["threshold"] is None
    for bad, message in (
        (np.zeros(128), "is zero"),
        (np.full(128, np.nan), "NaN"),
        (np.ones(128), "the second template does not look like a template of dlib"),
        (np.ones(64), "length 64"),
    ):
        with pytest.raises(TemplateError, match=message):
            pair(interpreter, a, bad)
    with pytest.raises(TemplateError, match=r"expected the first template as \(128,\)"):
        pair(interpreter, np.ones((2, 128)), b)
    with pytest.raises(InputError, match="between -1 and 1"):
        pair(interpreter, a, b, 1.5)


def test_sentences() -> None:
    """Templates along prompts: two women with glasses; a man and a woman."""
    interpreter = load_interpreter(LFW_READER)

    def face(**attributes: int) -> np.ndarray:
        x = sum(
            sign * (interpreter.positive - interpreter.negative)[NAMES.index(name)]
            for name, sign in attributes.items()
        )
        return dlib_like(x)

    woman, man = face(Male=-2, Eyeglasses=4), face(Male=2, Eyeglasses=4)
    alike = pair(interpreter, woman, woman)
    assert "Both read as" in alike.sentence
    assert "woman" in alike.sentence
    assert "eyeglasses" in alike.sentence
    assert "disagree on nothing" in alike.sentence
    assert "template reads" not in alike.sentence
    apart = pair(interpreter, man, woman)
    assert "Male" in {one.attribute for one in apart.of("disagree")}
    assert next(one for one in apart.attributes if one.attribute == "Male").llr < -1
    assert "they disagree on" in apart.sentence
    assert "male" in apart.sentence.split("disagree on")[1]
    assert "man" not in apart.sentence.split("disagree on")[0]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 photos of 20 persons as a store, and their pairs."""
    folder, rng = tmp_path_factory.mktemp("pair"), np.random.default_rng(0)
    vectors = dlib_like(np.repeat(rng.normal(size=(20, 128)), 2, axis=0) + 0.1 * rng.normal(size=(40, 128)))
    images = [f"p{row // 2}/{row}.jpg" for row in range(40)]
    save_templates(folder / "part-0.parquet", vectors.astype(np.float32), images, DLIB)
    lines = ["a,b,same", *(f"p{k}/{2 * k}.jpg,p{k}/{2 * k + 1}.jpg,1" for k in range(20))]
    lines += [
        f"p{k}/{2 * k}.jpg,p{(k + s) % 20}/{2 * ((k + s) % 20)}.jpg,0" for k in range(20) for s in (1, 2)
    ]
    (folder / "pairs.csv").write_text("\n".join(lines))
    np.save(folder / "one.npy", vectors[0].astype(np.float32))
    return folder


def invoke(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_command_on_templates(photos: Path) -> None:
    calibrated = ["--calibration", photos, "--pairs", photos / "pairs.csv", "--far", "0.05"]
    done = invoke("pair", f"{photos}::p3/6.jpg", f"{photos}::p3/7.jpg", *calibrated, "--json", "--top", "5")
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["match"]
    assert values["threshold"]["far"] == 0.05
    assert values["threshold"]["tar"] == 1
    assert len(values["attributes"]) == 5
    assert {"attribute", "outcome", "llr", "probabilities", "base_rate", "icc"} <= set(
        values["attributes"][0]
    )
    other = json.loads(
        invoke("pair", photos / "one.npy", f"{photos}::p4/8.jpg", *calibrated, "--json").stdout
    )
    assert not other["match"]
    spelt = invoke("pair", f"{photos}::x\\P3\\6.PNG", f"{photos}::7.jpg", *calibrated, "--json", "--top", "5")
    for key in ("cosine", "match", "attributes"):  # names match by the one rule
        assert json.loads(spelt.stdout)[key] == values[key]
    shown = invoke(
        "pair", photos / "one.npy", f"{photos}::p0/1.jpg", "--threshold", "0.9", "--hide", "race,gender"
    )
    assert shown.exit_code == 0
    text = " ".join(shown.stdout.split())
    assert "These two templates match (cosine" in text
    assert "LLR" in text
    for word in ("Asian", " male ", "white"):
        assert word not in text


def test_command_on_a_folder_with_a_film(tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    shutil.copy(example_photo(), tmp_path / "a.jpg")
    (tmp_path / "film.mp4").write_bytes(bytes(100))
    done = invoke("pair", tmp_path, example_photo())
    assert done.exit_code == 0, done.output
    assert "1 file that is no photo was left out (1 .mp4)" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{}", "{}/one.npy"], "holds templates of several photos: name one, as .*::p0/0.jpg"),
        (["{}::p9/99.jpg", "{}/one.npy"], "holds no template of p9/99.jpg: its first photo is p0/0.jpg"),
        (
            ["{}/one.npy", "{}/one.npy", "--pairs", "{}/pairs.csv"],
            "--calibration and --pairs belong together",
        ),
        (
            [
                "{}/one.npy",
                "{}/one.npy",
                "--pairs",
                "{}/pairs.csv",
                "--calibration",
                "{}",
                "--threshold",
                ".5",
            ],
            "exclude each other",
        ),
        (
            ["{}/one.npy", "{}/one.npy", "--pairs", "{}/pairs.csv", "--calibration", "{}"],
            "at least 1000 pairs",
        ),
        (["{}/one.npy", "{}/one.npy", "--hide", "nonsense"], "expected attributes, groups or categories"),
        (["{}/one.npy", "{}/none.jpg"], "none.jpg"),
        (["{}/one.npy", "{}/one.npy", "-m", "nowhere"], "no interpreter at nowhere"),
    ],
)
def test_refusals(photos: Path, words: list[str], message: str) -> None:
    if words[-1] == "{}/none.jpg":
        pytest.importorskip("dlib")
    done = invoke("pair", *(word.replace("{}", str(photos)) for word in words))
    assert isinstance(done.exception, ClipSmuError), done.output
    assert re.search(message, str(done.exception))
    assert "\n" not in str(done.exception)


def test_a_photo_with_itself(astronaut: Path) -> None:
    pytest.importorskip("dlib")
    done = invoke("pair", astronaut, astronaut, "--json")
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["cosine"] == 1
    assert values["match"]
    assert "woman" in values["sentence"]
    assert {one["outcome"] for one in values["attributes"]} <= {"agree", "cannot tell"}


def test_several_faces_are_said(astronaut: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    from PIL import Image

    photo = Image.open(astronaut).convert("RGB")
    both = Image.new("RGB", (3 * photo.width // 2, photo.height))
    both.paste(photo, (0, 0))
    both.paste(photo.resize((photo.width // 2, photo.height // 2)), (photo.width, 0))
    both.save(tmp_path / "two.png")
    done = invoke("pair", tmp_path / "two.png", astronaut, "--json")
    assert done.exit_code == 0, done.output
    assert re.search(r"two.png shows \d faces; the main one", done.stderr)
    assert json.loads(done.stdout)["cosine"] > 0.97
