"""What fit, probe and zero-shot say at their end, where figures are unknown too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clip_smu.cli.fitted import write_fitted
from clip_smu.interpreter.interpreter import load_interpreter
from places import LFW_READER


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_nothing_asserted_and_no_auc(unknown: float | None, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = load_interpreter()
    evidence = [replace(row, auc=float("nan")) for row in shipped.evidence]
    verdicts = {"error": unknown, "coverage": unknown, "ece_pooled": unknown}
    provenance = {"verdicts": verdicts, "evidence_from": "a test"}
    write_fitted("toy", evidence, provenance, 0.1, Path("out"))
    assert capsys.readouterr().out.splitlines() == [
        "toy: no AUC is defined, from a test",
        "wrong verdicts none asserted (chosen: at most 10%), coverage -, calibration error -; written to out",
    ]


def test_known_figures(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = load_interpreter(LFW_READER)
    write_fitted("dlib-lfw", shipped.evidence, shipped.provenance, 0.1, Path("out"))
    first, second = capsys.readouterr().out.splitlines()
    known = [row.auc for row in shipped.evidence if row.auc == row.auc]
    assert first.startswith(f"dlib-lfw: mean AUC {sum(known) / len(known):.4f} over {len(known)} attributes")
    assert f"wrong verdicts {shipped.provenance['verdicts']['error']:.1%} (chosen" in second


def test_what_was_left_out_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = load_interpreter()
    for part in ("trained_on", "calibrated_on"):
        provenance = {
            **shipped.provenance,
            "calibrated_on": None,
            part: {"notes": "2 templates cannot be used"},
        }
        write_fitted("toy", shipped.evidence, provenance, 0.1, Path("out"))
        assert capsys.readouterr().err == "clip-smu: 2 templates cannot be used\n"
