"""Runs hostile inputs through the command line and counts what must not happen: tracebacks, hangs, memory over 2 GiB.

    python tests/hostile/run.py [--source SRC] [--kind KIND ...] [--every N]

Each case is one command in a process of its own: it has 20 s and 2 GiB, may end well or with one line and exit code 1
(2: a wrong option), and never with a traceback. Prints a table by kind, and each failure. ``--source`` runs another checkout's ``src``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cases import Case, all_cases

MIB = 2048
_MAIN = (
    "try:\n from clip_smu.__main__ import main\nexcept ImportError:\n from clip_smu.cli import main\nmain()"
)
_ENDED = {0, 1, 2, 130, 141, 143}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case ended: ``""`` where it ended well, else what went wrong."""

    case: Case
    wrong: str
    seconds: float
    mib: int
    said: str


def run_case(case: Case, source: Path | None, work: Path) -> Outcome:
    """Builds a case in an empty folder and runs it."""
    folder = Path(tempfile.mkdtemp(dir=work))
    arguments = case.build(folder)
    environment = {
        **os.environ,
        **case.environment,
        "HOME": str(folder),
        "CLIP_SMU_CACHE": str(folder / "cache"),
    }
    if source is not None:
        environment["PYTHONPATH"] = str(source.resolve())
    command = [sys.executable, "-c", _MAIN, *map(str, arguments)]
    if case.shell:  # a pipe or a device around the command
        quoted = " ".join("'" + part.replace("'", "'\\''") + "'" for part in command)
        command = ["bash", "-c", case.shell.replace("COMMAND", quoted)]
    errors = (folder / "stderr").open("w+b")
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=(folder / "stdout").open("wb"),
        stderr=errors,
        start_new_session=True,
    )
    wrong, peak, signalled = "", 0, False
    while True:
        resident, peak = _resident(process.pid), max(peak, _peak(process.pid))
        done, status = os.waitpid(process.pid, os.WNOHANG)
        if done:
            process.returncode = os.waitstatus_to_exitcode(status)
            break
        if case.signal is not None and not signalled and time.monotonic() - started > case.signal[0]:
            signalled = True
            os.kill(process.pid, signal.Signals[case.signal[1]])
        if time.monotonic() - started > case.seconds:
            wrong = "hang"
            os.killpg(process.pid, signal.SIGKILL)
            process.returncode = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
            break
        if resident > 2 * MIB:  # far over: do not take the machine down with it
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.02)
    seconds = time.monotonic() - started
    errors.seek(0)
    said = errors.read(1 << 20).decode("utf-8", "replace")
    if not wrong and "Traceback (most recent call last)" in said:
        wrong = "traceback"
    elif not wrong and peak > MIB:
        wrong = "memory"
    elif not wrong and process.returncode not in _ENDED and not (case.signal and process.returncode < 0):
        wrong = f"exit {process.returncode}"
    elif not wrong and case.fails and process.returncode == 0:
        wrong = "taken for good"
    elif not wrong and case.check is not None:
        wrong = case.check(folder)
    last = [line for line in said.splitlines() if line.strip()][-1:] or [""]
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(case, wrong, seconds, peak, last[0])


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _peak(pid: int) -> int:
    """MiB at most until now; not wait4's figure, which a process inherits from the one that started it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:")), 0)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path)
    parser.add_argument("--kind", nargs="*")
    parser.add_argument("--every", type=int, default=1, help="only each Nth case of a kind")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        cases = [
            case for case in all_cases(work, options.source) if not options.kind or case.kind in options.kind
        ]
        by_kind: dict[str, list[Case]] = {}
        for case in cases:
            by_kind.setdefault(case.kind, []).append(case)
        if options.list:
            print("\n".join(f"{kind:28} {len(some):4d}" for kind, some in by_kind.items()), len(cases))
            return 0
        table: dict[str, Counter[str]] = {}
        for kind, some in by_kind.items():
            counts = table[kind] = Counter()
            for case in some[:: options.every]:
                outcome = run_case(case, options.source, work)
                if outcome.wrong == "hang":  # once more: the machine may have been busy
                    outcome = run_case(case, options.source, work)
                counts["cases"] += 1
                if outcome.wrong:
                    counts[
                        "exit or result"
                        if outcome.wrong.split()[0] not in ("traceback", "hang", "memory")
                        else outcome.wrong
                    ] += 1
                    print(
                        f"{outcome.wrong:10} {kind}: {case.name} ({outcome.seconds:.1f} s, {outcome.mib} MiB) {outcome.said[:200]}",
                        flush=True,
                    )
    titles = ("cases", "traceback", "hang", "memory", "exit or result")
    print(f"\n{'kind':28}" + "".join(f"{title:>16}" for title in titles))
    total: Counter[str] = Counter()
    for kind, counts in table.items():
        total += counts
        print(f"{kind:28}" + "".join(f"{counts[title]:16d}" for title in titles))
    print(f"{'all':28}" + "".join(f"{total[title]:16d}" for title in titles))
    return int(any(total[title] for title in titles[1:]))


if __name__ == "__main__":
    sys.exit(main())
