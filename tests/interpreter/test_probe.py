"""Reading with a probe: the arithmetic against its definition, saving and loading, refusals; methods of either kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu.encoders.locate import card
from clip_smu.errors import EncoderError, InterpreterError, TemplateError
from clip_smu.interpreter.calibration import Calibration
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.interpreter import load_interpreter
from clip_smu.interpreter.load import load_reader
from clip_smu.interpreter.probe import Probe, load_probe
from clip_smu.words.attributes import NAMES
from faces import DIM

HIDDEN = 9


@pytest.fixture
def toy() -> Probe:
    rng = np.random.default_rng(0)
    calibration = Calibration(np.full(47, 1.5), rng.normal(size=47), np.full(47, 0.8), np.full(47, 0.3))
    known = Evidence(0.9, 0.8, 0.95, 50, 60, 0.1, float("nan"), 0.7, 0.9, "")
    layers = tuple(
        (rng.normal(size=size).astype(np.float32), rng.normal(size=size[1]).astype(np.float32))
        for size in ((DIM, HIDDEN), (HIDDEN, 47))
    )
    return Probe(
        name="toy",
        encoder="toy",
        kind="mlp",
        attributes=NAMES,
        centre=(rng.normal(size=DIM) / 9).astype(np.float32),
        scale=rng.uniform(0.5, 2, DIM).astype(np.float32),
        layers=layers,
        calibration=calibration,
        evidence=(known,) * 47,
        error_rate=0.1,
        provenance={"job": "x"},
    )


def slow_scores(probe: Probe, template: np.ndarray) -> list[float]:
    """The definition, one number at a time."""
    t = template.astype(np.float64) / np.sqrt(sum(float(v) ** 2 for v in template))
    values = [(v - c) / s for v, c, s in zip(t, probe.centre, probe.scale, strict=True)]
    for number, (weight, bias) in enumerate(probe.layers):
        if number:
            values = [max(v, 0.0) for v in values]
        values = [
            sum(v * float(w) for v, w in zip(values, column, strict=True)) + float(b)
            for column, b in zip(weight.T, bias, strict=True)
        ]
    return values


@pytest.mark.parametrize("kept", [1, 2])
def test_scores_are_the_definition(toy: Probe, kept: int) -> None:
    linear = (toy.layers[0][0][:, [0] * 47], toy.layers[0][1][[0] * 47])
    probe = replace(toy, layers=toy.layers if kept == 2 else (linear,))
    templates = np.random.default_rng(1).normal(size=(6, DIM)).astype(np.float32) * 3
    scores, probabilities, verdicts = probe.read(templates)
    np.testing.assert_allclose(scores, [slow_scores(probe, row) for row in templates], rtol=1e-4, atol=1e-4)
    z = probe.calibration.slope * scores + probe.calibration.intercept
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-z)), atol=1e-6)
    np.testing.assert_array_equal(verdicts, (probabilities >= 0.8) * 1 - (probabilities <= 0.3) * 1)
    np.testing.assert_allclose(probe.read(templates * 50)[0], scores, atol=1e-4)  # scale does not matter
    assert (scores.dtype, probabilities.dtype, verdicts.dtype) == (np.float32, np.float32, np.int8)


def test_unusable_rows_tell_nothing(toy: Probe) -> None:
    rows = np.ones((4, DIM), np.float32)
    rows[1], rows[2, 0], rows[3, 0] = 0, np.nan, np.inf
    scores, _, verdicts = toy.read(rows)
    assert np.isfinite(scores[0]).all()
    assert np.isnan(scores[1:]).all()
    assert not verdicts[1:].any()


def test_save_and_load(toy: Probe, tmp_path: Path) -> None:
    toy.save(tmp_path / "it")
    read = load_probe(tmp_path / "it")
    templates = np.random.default_rng(3).normal(size=(5, DIM)).astype(np.float32)
    for one, other in zip(read.read(templates), toy.read(templates), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (read.kind, read.encoder, read.dim, read.attributes) == ("mlp", "toy", DIM, NAMES)
    assert read.evidence[0].auc == 0.9
    assert np.isnan(read.evidence[0].not_encoded_error)
    assert read.folder == tmp_path / "it"


def test_refuses_other_templates(toy: Probe) -> None:
    with pytest.raises(
        EncoderError, match="the probe toy reads templates of toy, these are of dlib: use a probe"
    ):
        toy.check_templates(card("dlib"), 128)
    with pytest.raises(TemplateError, match=r"the probe toy reads templates of length 16 .* found length 17"):
        toy.check_templates(None, 17)
    toy.check_templates(None, DIM)


def test_keeps_its_encoders_card(toy: Probe, tmp_path: Path) -> None:
    own = replace(card("dlib"), dim=DIM)
    replace(toy, encoder="dlib", card=own).save(tmp_path / "it")
    probe = load_probe(tmp_path / "it")
    probe.check_templates(own, DIM)
    with pytest.raises(EncoderError, match=r"another dlib \(channels RGB, not BGR\): use a probe"):
        probe.check_templates(replace(own, channels="BGR"), DIM)


def test_refuses_broken_folders(toy: Probe, tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match=r"is not a probe: probe\.json is missing"):
        load_probe(tmp_path)
    folder = tmp_path / "it"
    toy.save(folder)
    file, weights = folder / "probe.json", folder / "weights.safetensors"
    text, whole = file.read_text(), weights.read_bytes()
    for broken, words in (
        (text[:100], "damaged"),
        (text.replace('"slope"', '"slop"'), "damaged"),
        (text.replace('"format": 1', '"format": 9'), "format 9, this version reads 1"),
        (
            text.replace('"error_rate": 0.', '"error_rate": 0.0'),
            "probe.json was changed after it was written",
        ),
        (text.replace('"dim": 16', '"dim": 17'), "damaged: expected layers from 17 to 47"),
        ("[1]", "damaged"),
    ):
        file.write_text(broken)
        with pytest.raises(InterpreterError, match=words):
            load_probe(folder)
    file.write_text(text)
    weights.write_bytes(whole[:200])
    with pytest.raises(InterpreterError, match="damaged"):
        load_probe(folder)
    weights.unlink()
    with pytest.raises(InterpreterError, match=r"weights\.safetensors is missing"):
        load_probe(folder)
    with pytest.raises(InterpreterError, match="is not a probe"):
        load_probe(file)


def test_a_method_is_an_interpreter_or_a_probe(toy: Probe, tmp_path: Path) -> None:
    toy.save(tmp_path / "it")
    assert load_reader(tmp_path / "it").name == "toy"
    assert isinstance(load_reader(tmp_path / "it"), Probe)
    assert load_reader("dlib-faces").encoder == "dlib"
    assert load_reader(load_interpreter().folder or "").name == "dlib-faces"
    with pytest.raises(InterpreterError, match=r"holds neither interpreter\.json nor probe\.json"):
        load_reader(tmp_path)
    with pytest.raises(InterpreterError, match="no interpreter at nowhere"):
        load_reader("nowhere")
