"""Mutation score of the rooms that figures rest on: mutmut's mutants, each against the tests of its own module.

    python tests/mutation/score.py [ROOM ...] [--digits 0123456789]

Texts of messages are not mutated. Of a large room only the mutants whose number ends in one of its digits are tried: a
fixed sample over all functions. Survivors are written to ``build/mutation``; those that no test can see, as they
compute the same, are in ``equivalent.txt`` with the reason and are taken out of the count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUT = ROOT / "build/mutation"
LEAST = 0.90
ALL = "0123456789"


@dataclass(frozen=True)
class Room:
    """Source files (globs below ``src/clip_smu``), the tests that speak of them, and which mutants are tried."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    digits: str = ALL


ROOMS = {
    "persons": Room(("metrics/persons.py",), ("metrics/test_persons.py",)),
    "sampling": Room(("metrics/folds.py",), ("metrics/test_folds.py",)),
    "names": Room(("photos/names.py", "photos/spelling.py"), ("photos/test_names.py",), "147"),
    "calibrate": Room(("interpreter/calibration.py",), ("interpreter/test_calibration.py",), "0258"),
    "probes": Room(
        ("training/probes.py", "training/probe_config.py", "training/classifiers.py"),
        ("training/test_probes_small.py",),
        "37",
    ),
    "fitting": Room(
        ("training/fit.py", "training/fit_config.py", "training/data.py", "training/job.py"),
        ("training/test_fitting_small.py",),
        "37",
    ),
    "evaluation": Room(
        tuple(
            f"evaluation/{one}.py"
            for one in ("folder", "measures", "methods", "overlap", "photos_read", "resampling", "run")
        ),
        ("evaluation/test_evaluation.py", "evaluation/test_overlap.py"),
        "6",
    ),
}

SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
process_isolation = "forkserver"
use_git_change_detection = false
timeout_constant = 20.0
timeout_multiplier = 5.0
do_not_mutate_patterns = ['^\\s*f?"', '\\w*Error\\($', '\\w*Error\\(f?"']
"""


def equivalents() -> set[tuple[str, str, str]]:
    """(file, line, line of the mutant) of the mutants that compute the same."""
    rows = [
        line.split(" || ") for line in (HERE / "equivalent.txt").read_text().splitlines() if " || " in line
    ]
    return {(row[0], row[1].strip(), row[2].strip()) for row in rows}


def tried(name: str, room: Room, digits: str) -> tuple[int, int, int, int]:
    """Mutants made, tried, killed, and of those left the equivalent ones."""
    with tempfile.TemporaryDirectory() as made:
        tree = Path(made)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__", "corpus"))
        settings = SETTINGS.format(
            files=json.dumps([f"src/clip_smu/{one}" for one in room.files]),
            tests=json.dumps([f"tests/{one}" for one in room.tests]),
        )
        (tree / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + settings)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        mutmut = str(Path(sys.executable).parent / "mutmut")
        run = [mutmut, "run", "--max-children", "2", *(f"*__mutmut_*{digit}" for digit in digits)]
        done = subprocess.run(run, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: mutmut failed\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        codes: dict[str, int | None] = {}
        for meta in (tree / "mutants/src").rglob("*.meta"):
            codes |= json.loads(meta.read_text())["exit_code_by_key"]
        known, same, lines = equivalents(), 0, []
        of = [key for key, code in codes.items() if code is not None]
        left = [key for key in of if codes[key] in (0, 33)]  # passed; no test calls it
        for key in left:
            shown = subprocess.run(
                [mutmut, "show", key], cwd=tree, env=environment, capture_output=True, text=True, check=False
            ).stdout
            text = shown.splitlines()
            file = next(
                (line.removeprefix("--- src/clip_smu/") for line in text if line.startswith("--- ")), key
            )
            minus = "".join(line[1:] for line in text if line.startswith("-") and not line.startswith("---"))
            plus = "".join(line[1:] for line in text if line.startswith("+") and not line.startswith("+++"))
            if (file, minus.strip(), plus.strip()) in known:
                same += 1
            else:
                lines.append(f"{file} || {minus.strip()} || {plus.strip()} || {key.rpartition('.')[2]}")
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{name}.txt").write_text("\n".join(lines) + "\n")
        return len(codes), len(of), len(of) - len(left), same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--digits", help="last digits of the mutants' numbers")
    given = parser.parse_args()
    weak = []
    print(f"{'room':12}{'mutants':>9}{'tried':>7}{'killed':>8}{'same':>6}{'score':>8}")
    for name in given.rooms:
        made, of, killed, same = tried(name, ROOMS[name], given.digits or ROOMS[name].digits)
        score = killed / max(of - same, 1)
        print(f"{name:12}{made:9}{of:7}{killed:8}{same:6}{score:8.1%}", flush=True)
        if score < LEAST:
            weak.append(name)
    print(f"survivors are listed in {OUT}")
    return f"below {LEAST:.0%}: {', '.join(weak)}" if weak else 0


if __name__ == "__main__":
    sys.exit(main())
