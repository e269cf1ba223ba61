"""Fuzzes the doors, and says how many executions found what.

    python tests/fuzz [DOOR ...] --seconds 60 [--seed 1]

Each door runs in a process of its own (atheris: libFuzzer, which keeps what reaches new lines of ``clip_smu``), in
memory, with at most 2 GiB and 10 seconds an execution. An input that raises what is not ours is written to
``build/fuzz/DOOR``, named after the error and the line; put it, once mended, into ``tests/fuzz/corpus/DOOR``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

SECONDS, MIB = 10, 2048  # of one execution
MOST_BYTES = 1 << 17
FOUND = ROOT / "build/fuzz"


def main() -> int:
    from fuzz.doors import DOORS

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("doors", nargs="*", default=list(DOORS))
    parser.add_argument("--seconds", type=int, default=60, help="for each door")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        _fuzz(given.one, given.seconds, given.seed, Path(given.doors[0]))
        return 0
    if unknown := [door for door in given.doors if door not in DOORS]:
        parser.error(f"no door is called {', '.join(unknown)}: choose from {', '.join(DOORS)}")
    total = findings = 0
    for door in given.doors:
        done = _door(door, given.seconds, given.seed)
        found = sorted(file.name for file in (FOUND / door).glob("*")) if (FOUND / door).is_dir() else []
        total, findings = total + done, findings + len(found)
        print(f"{door:12}{done:10} executions, {len(found)} findings {' '.join(found[:5])}", flush=True)
    print(f"{'all':12}{total:10} executions, {findings} findings, see {FOUND}")
    return 1 if findings else 0


def _door(door: str, seconds: int, seed: int) -> int:
    """Runs until the time is over; where an execution ends the process, it is kept and the next one begins."""
    (FOUND / door).mkdir(parents=True, exist_ok=True)
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    end, done = time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory(dir=memory) as work:
        while (left := int(end - time.monotonic())) > 0:
            count = Path(work) / "count"
            count.write_text("0")
            command = [
                sys.executable,
                str(HERE),
                work,
                "--one",
                door,
                "--seconds",
                str(left),
                "--seed",
                str(seed),
            ]
            with (FOUND / f"{door}.log").open("ab") as log:
                subprocess.run(command, stdout=log, stderr=log, check=False)
            done += int(count.read_text() or 0)
            seed += 1
    return done


def _fuzz(door: str, seconds: int, seed: int, work: Path) -> None:
    import hashlib
    import traceback

    import atheris

    with atheris.instrument_imports(include=["clip_smu"], enable_loader_override=False):
        from fuzz.doors import knock
        from fuzz.seeds import seeds

        corpus, room = work / "corpus", work / "room"
        for folder in (corpus, room):
            folder.mkdir(exist_ok=True)
        for number, data in enumerate(seeds(door)):
            (corpus / f"seed{number}").write_bytes(data)
            knock(door, data, room)  # what a door imports at need is imported here
    from fuzz.mutate import mutated

    kept = HERE / "corpus" / door
    seen = {file.name for file in (FOUND / door).glob("*")}
    done = 0

    def one(data: bytes) -> None:
        nonlocal done
        done += 1
        if done % 200 == 0:
            (work / "count").write_text(str(done))
        try:
            knock(door, data, room)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of a native library is no Exception
            frames = [
                frame for frame in traceback.extract_tb(error.__traceback__) if "clip_smu" in frame.filename
            ]
            at = f"{Path(frames[-1].filename).name}_{frames[-1].lineno}" if frames else "harness"
            name = f"{type(error).__name__}_{at}"
            if name not in seen:
                seen.add(name)
                (FOUND / door / name).write_bytes(data)
                print(f"FOUND {name}: {error!r}", flush=True)

    def change(data: bytes, most: int, number: int) -> bytes:
        if number % 2:
            return bytes(atheris.Mutate(data, most))
        return mutated(door, data, number)[:most]

    options = [
        f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-rss_limit_mb={MIB}", f"-max_len={MOST_BYTES}",
        f"-seed={seed}", f"-artifact_prefix={FOUND / door}/stuck-{hashlib.sha256(str(seed).encode()).hexdigest()[:6]}-",
        "-print_final_stats=1", "-len_control=0", "-reload=0",
    ]  # fmt: skip
    places = [str(corpus), *([str(kept)] if kept.is_dir() else [])]
    atheris.Setup([sys.argv[0], *options, *places], one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
