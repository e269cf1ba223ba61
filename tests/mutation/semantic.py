"""Changes of meaning, each small, each a mistake that somebody could make: the tests must see every one.

    python tests/mutation/semantic.py [NAME ...]

``semantic.toml`` holds them: a file below ``src/clip_smu``, what stands there, what takes its place, and the tests of
which one must fail. A change whose text is no longer found is out of date, which is a failure too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Change:
    """One change: in ``file`` each (old, new) of ``swaps``, each old once; ``tests`` must not all pass."""

    name: str
    file: str
    swaps: Sequence[tuple[str, str]]
    tests: Sequence[str]

    def made(self, source: str) -> str:
        """The changed source.

        Raises:
            ValueError: an old text is not there exactly once.
        """
        for old, new in self.swaps:
            if source.count(old) != 1:
                raise ValueError(f"{self.file} holds {source.count(old)} times: {old!r}")
            source = source.replace(old, new)
        compile(source, self.file, "exec")
        return source


def changes() -> list[Change]:
    rows = tomllib.loads((HERE / "semantic.toml").read_text(encoding="utf-8"))["change"]
    return [
        Change(
            row["name"],
            row["file"],
            [(row["old"], row["new"]), *(tuple(pair) for pair in row.get("also", []))],
            row["tests"],
        )
        for row in rows
    ]


def main(names: Sequence[str]) -> int:
    chosen = [one for one in changes() if not names or one.name in names]
    unseen = []
    with tempfile.TemporaryDirectory() as made:
        tree = Path(made)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__", "corpus"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        for one in chosen:
            file = tree / "src/clip_smu" / one.file
            source = file.read_text(encoding="utf-8")
            try:
                file.write_text(one.made(source), encoding="utf-8")
                seen, said = _fails(tree, one.tests)
            except ValueError as error:
                seen, said = False, str(error)
            finally:
                file.write_text(source, encoding="utf-8")
            print(f"{'seen' if seen else 'UNSEEN':8}{one.name}: {said}", flush=True)
            if not seen:
                unseen.append(one.name)
    print(f"{len(chosen) - len(unseen)} of {len(chosen)} changes are seen")
    return f"unseen: {', '.join(unseen)}" if unseen else 0


def _fails(tree: Path, tests: Sequence[str]) -> tuple[bool, str]:
    """Whether a test fails, and which; tests that are not there, or all skipped, see nothing."""
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line"]
    done = subprocess.run(
        [*command, *(f"tests/{one}" for one in tests)],
        cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode == 1, (lines or done.stdout.splitlines()[-1:] or ["nothing was said"])[0][:150]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
