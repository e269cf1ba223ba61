"""Runs every benchmark in turn, each in a process of its own: `make bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NEEDS_ARGUMENTS = {"clip_epoch", "language_vs_probe", "pipeline", "questions"}


def main() -> None:
    folder = Path(__file__).parent
    failed = []
    for file in sorted(folder.glob("[!_]*.py")):
        if file.stem not in NEEDS_ARGUMENTS:
            print(f"== {file.stem}", flush=True)
            if subprocess.run([sys.executable, str(file)], check=False).returncode:
                failed.append(file.stem)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
