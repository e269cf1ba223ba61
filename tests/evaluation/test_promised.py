"""The promised rate stands beside the found one, and a broken promise is told first."""

from __future__ import annotations

import doctest
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_smu.evaluation import EvaluationConfig, evaluate, promised
from clip_smu.report import report
from faces import toy_data
from toy_readers import toy_probe


def evaluated(tmp_path: Path, error_rate: float):
    faces, labels = toy_data(seed=0)
    method = replace(toy_probe(), error_rate=error_rate)
    return evaluate([method], faces, labels, tmp_path / "e", EvaluationConfig(rounds=40))


@pytest.mark.parametrize(("error_rate", "broken"), [(0.49, False), (0.01, True)])
def test_terminal_and_report_say_it(tmp_path: Path, command, error_rate: float, broken: bool) -> None:
    made = evaluated(tmp_path, error_rate)
    told = made.methods["toy-probe"].verdicts
    known = (told != 0) & (made.labels != 0)
    wrong = float((told != made.labels)[known].mean())
    assert (wrong > error_rate) == broken
    content = report(tmp_path / "e", tmp_path / "r.json").content
    lead = content["lead"]
    assert (lead["promised"], lead["error"]) == (error_rate, pytest.approx(wrong))
    assert lead["error_low"] < wrong < lead["error_high"]
    assert content["finding"][0].startswith("The promise is BROKEN") == broken
    assert f"{100 * wrong:.1f} % of the single verdicts were wrong" in content["finding"][-1]
    assert f"of at most {100 * error_rate:.1f} % promised" in content["finding"][-1]
    page = report(tmp_path / "e", tmp_path / "r.html").path.read_text(encoding="utf-8")
    assert ("The promise is BROKEN" in page) == broken


def test_the_terminal_says_it(tmp_path: Path, command) -> None:
    faces, labels = toy_data(seed=0)
    method = replace(toy_probe(), error_rate=0.01)
    method.save(tmp_path / "probe")
    np.savez(tmp_path / "t.npz", templates=faces.vectors, names=np.array(faces.images))
    rows = ["Filename,Identity," + ",".join(toy_probe().attributes)]
    rows += [
        f"{image},{person}," + ",".join(map(str, row))
        for image, person, row in zip(labels.images, labels.identities, labels.values.tolist(), strict=True)
    ]
    (tmp_path / "l.csv").write_text("\n".join(rows) + "\n")
    code, out, err = command(
        "evaluate", tmp_path / "probe", "-t", tmp_path / "t.npz", "-l", tmp_path / "l.csv", "-o", tmp_path / "e",
        "--rounds", "0",
    )  # fmt: skip
    assert code == 0, err
    assert "The promise is BROKEN: at most 1.0 % of the verdicts were to be wrong" in " ".join(out.split())


def test_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(promised).failed == 0
