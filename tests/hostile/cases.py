"""Hostile inputs by kind: what a person with bad files, bad luck or bad intentions may hand to the command line."""

from __future__ import annotations

import contextlib
import copy
import csv
import gzip
import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Arguments = list[Any]
SHIPPED = "dlib-faces"
WITHOUT_HOMES = Path(__file__).parents[1] / "support" / "dlib-lfw"


@dataclass(frozen=True, slots=True)
class Case:
    """One command.

    Attributes:
        build: makes the files in an empty folder (also the working folder) and gives the arguments.
        fails: whether exit code 0 would be wrong.
        shell: a bash line in which COMMAND stands for the command, for pipes and devices.
        signal: seconds after which the process gets which signal.
        check: looks at the folder afterwards; says what is wrong, or "".
        seconds: that it may take; a small fit, which nothing refuses, trains that long.
    """

    kind: str
    name: str
    build: Callable[[Path], Arguments]
    fails: bool = False
    shell: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    signal: tuple[float, str] | None = None
    check: Callable[[Path], str] | None = None
    seconds: float = 20


def all_cases(work: Path, source: Path | None = None) -> Iterator[Case]:
    """Every case; what they share is made once in ``work``, by the code under test."""
    kit = _kit(work / "kit", source)
    yield from _json_cases(kit)
    yield from _toml_cases(kit)
    yield from _damage_cases(kit)
    yield from _output_cases(kit)
    yield from _endless_cases(kit)
    yield from _bomb_cases(kit)
    yield from _template_cases(kit)
    yield from _label_cases(kit)
    yield from _photo_cases(kit)
    yield from _terminal_cases(kit)


# ---------------------------------------------------------------- what cases share


def _kit(folder: Path, source: Path | None) -> Path:
    """Templates that look like real ones (an astronaut's, slightly moved), labels, a probe, an evaluation, an eraser."""
    from clip_smu import example_photo
    from clip_smu.words.attributes import NAMES

    folder.mkdir(parents=True)
    shutil.copy(example_photo(), folder / "face.png")
    _run(source, folder, "extract", "face.png", "-o", "one", "--processes", "1")
    import pyarrow.parquet as pq

    (part,) = (folder / "one").glob("part-*.parquet")
    real = np.array(pq.read_table(part)["template"].to_pylist()[0], dtype=np.float32)
    rng = np.random.default_rng(0)
    rows = 280
    vectors = (real + 0.004 * rng.normal(size=(rows, len(real)))).astype(np.float32)
    np.save(folder / "t.npy", vectors)
    names = [f"p{row // 4}/{row}.jpg" for row in range(rows)]
    table = pq.read_table(part)
    import pyarrow as pa

    store = pa.table(
        {
            "image": names,
            "face": pa.array(np.zeros(rows, np.int16)),
            "identity": [name.split("/")[0] for name in names],
            "template": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), len(real)),
        }
    ).replace_schema_metadata(table.schema.metadata)
    pq.write_table(store, folder / "t.parquet")
    values = np.where(rng.random((rows, 47)) < 0.5, 1, -1)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Filename", "Identity", *NAMES])
        writer.writerows(
            [name, name.split("/")[0], *row] for name, row in zip(names, values.tolist(), strict=True)
        )
    (folder / "train.txt").write_text("\n".join(names[:160]) + "\n")
    (folder / "test.txt").write_text("\n".join(names[160:]) + "\n")
    _run(
        source,
        folder,
        "probe",
        "t.parquet",
        "-l",
        "labels.csv",
        "-o",
        "probe",
        "--folds",
        "2",
        "--train",
        "train.txt",
    )
    _run(source, folder, "evaluate", SHIPPED, "probe", "-t", "t.parquet", "-l", "labels.csv", "-o", "evaluation",
         "--rounds", "40", "--only", "test.txt")  # fmt: skip
    _run(source, folder, "erase", "Male", "t.parquet", "-l", "labels.csv", "--train", "train.txt", "--test", "test.txt",
         "-o", "erased", must=False)  # fmt: skip
    import clip_smu

    shutil.copytree(WITHOUT_HOMES, folder / "it")
    shutil.copytree(
        (source or Path(clip_smu.__file__).parents[1]) / "clip_smu" / "data" / SHIPPED, folder / "homes"
    )
    return folder


def _run(source: Path | None, folder: Path, *arguments: str, must: bool = True) -> None:
    environment = dict(os.environ) | ({"PYTHONPATH": str(source)} if source else {})
    done = subprocess.run(
        [sys.executable, "-c", "from clip_smu.cli import main; main()", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode and must:
        raise SystemExit(f"the kit could not be made: {arguments}: {done.stderr}")


# ---------------------------------------------------------------- wrong values in files of ours

WRONG: tuple[Any, ...] = (None, [], {}, "x", -1, 1e308, float("nan"), True, [[]], "9" * 400, [None], 0)


def _places(value: Any, path: tuple[Any, ...] = (), depth: int = 4) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON values, the first of each list."""
    if depth == 0:
        return
    items = (
        value.items()
        if isinstance(value, dict)
        else list(enumerate(value))[:1]
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key), depth - 1)


def _with(values: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    changed = copy.deepcopy(values)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    return changed


def _json_cases(kit: Path) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    sources = (
        ("interpreter.json", "it/interpreter.json", ("interpret", "T", "-m", "it", "--evidence", "--top", "1"), 150),
        ("interpreter.json, homes", "homes/interpreter.json", ("interpret", "T", "-m", "homes", "-o", "r"), 100),
        ("interpreter.json, report", "it/interpreter.json", ("report", "it", "-o", "r.html"), 60),
        ("probe.json", "probe/probe.json", ("captions", "T", "-m", "probe", "-o", "c.csv"), 70),
        ("evaluation.json", "evaluation/evaluation.json", ("report", "evaluation", "-o", "r.html"), 60),
        ("eraser.json", "erased/eraser.json", ("report", "erased", "-o", "r.json"), 10),
        ("job file", "erased/_job.json", ("erase", "Male", "T", "-l", "L", "--train", "A", "--test", "B", "-o", "erased"), 12),
    )  # fmt: skip
    for kind, name, command, count in sources:
        file = kit / name
        if not file.is_file():
            continue
        values = json.loads(file.read_text())
        places = list(_places(values))
        pairs = [(place, wrong) for place in places for wrong in WRONG]
        for at in rng.permutation(len(pairs))[:count]:
            place, wrong = pairs[at]
            yield Case(
                kind,
                f"{'.'.join(map(str, place))} = {str(wrong)[:20]}",
                _changed(kit, name, place, wrong, command),
            )
        folder = name.split("/")[0]
        for label, content in (("empty", b""), ("no JSON", b"\xff\xfe\0"), ("deep", b"[" * 100_000), ("a list", b"[]"),
                               ("cut", file.read_bytes()[: file.stat().st_size // 2])):  # fmt: skip
            yield Case(kind, label, _replaced(kit, folder, name.split("/")[1], content, command))


def _arguments(kit: Path, command: tuple[str, ...]) -> Arguments:
    letters = {
        "T": kit / "t.parquet",
        "L": kit / "labels.csv",
        "A": kit / "train.txt",
        "B": kit / "test.txt",
        "N": kit / "t.npy",
    }
    return [letters.get(part, part) for part in command]


def _changed(
    kit: Path, name: str, place: tuple[Any, ...], wrong: Any, command: tuple[str, ...]
) -> Callable[[Path], Arguments]:
    def build(folder: Path) -> Arguments:
        where, file = name.split("/")
        shutil.copytree(kit / where, folder / where)
        values = json.loads((kit / name).read_text())
        (folder / where / file).write_text(json.dumps(_with(values, place, wrong)))
        return _arguments(kit, command)

    return build


def _replaced(
    kit: Path, where: str, file: str, content: bytes, command: tuple[str, ...]
) -> Callable[[Path], Arguments]:
    def build(folder: Path) -> Arguments:
        shutil.copytree(kit / where, folder / where)
        (folder / where / file).write_bytes(content)
        return _arguments(kit, command)

    return build


CARD = """name = "mine"
family = "made up"
dim = 512
input_size = [112, 112]
channels = "RGB"
mean = 127.5
std = 127.5
alignment = "five-point-112"
normalised = false
licence_code = "MIT"
licence_weights = "MIT"
sources = ["nowhere"]
"""
PLAN = """name = "p"
seed = 0
erase = ["Male"]
within = ["Male"]
[data]
photos = "t.npy"
labels = "labels.csv"
train = "train.txt"
test = "test.txt"
[[encoders]]
name = "dlib"
templates = "t.parquet"
[[methods]]
name = "lr"
probe = "logistic-regression"
[[methods]]
name = "attribute"
objective = "attribute"
"""


def _toml_cases(kit: Path) -> Iterator[Case]:
    wrongs = ('""', '"x"', "-1", "[]", "{}", "true", "1e400", "nan", '"../x"', '"/x"', "[[]]", "9" * 40)

    def lines(text: str) -> list[tuple[int, str]]:
        return [(n, line) for n, line in enumerate(text.splitlines()) if " = " in line]

    for n, line in lines(CARD):
        for wrong in wrongs[::2]:
            yield Case(
                "card",
                f"{line.split(' = ')[0]} = {wrong}",
                _toml(CARD, n, wrong, _card_arguments(kit)),
                fails=True,
            )
    for label, content in (
        ("empty", ""),
        ("deep", "a = " + "[" * 50_000),
        ("latin-1", "name = 'M\udcfc'"),
        ("no TOML", "\0\1"),
    ):
        yield Case("card", label, _whole_toml(content, _card_arguments(kit)), fails=True)
    for n, line in lines(PLAN):
        for wrong in wrongs:
            yield Case(
                "plan",
                f"{line.split(' = ')[0]} ({n}) = {wrong}",
                _toml(PLAN, n, wrong, _plan_arguments(kit)),
                check=_nothing_outside,
            )
    for label, content in (
        ("empty", ""),
        ("deep", "a = " + "[" * 50_000),
        ("no TOML", "\0\1"),
        ("a directory", ""),
    ):
        yield Case("plan", label, _whole_toml(content, _plan_arguments(kit)), fails=True)


def _card_arguments(kit: Path) -> Callable[[Path], Arguments]:
    def arguments(folder: Path) -> Arguments:
        (folder / "m.onnx").write_bytes(b"no model")
        return [
            "extract",
            kit / "face.png",
            "-e",
            "onnx:m.onnx",
            "--card",
            "file.toml",
            "-o",
            "out",
            "--processes",
            "1",
        ]

    return arguments


def _plan_arguments(kit: Path) -> Callable[[Path], Arguments]:
    def arguments(folder: Path) -> Arguments:
        (folder / "file.toml").rename(folder / "p.toml")
        # a list that names nobody stops every plan before its first training
        data = folder / "data"
        data.mkdir()
        for name in ("t.parquet", "t.npy", "labels.csv", "test.txt"):
            (data / name).symlink_to(kit / name)
        (data / "train.txt").write_text("nobody/1.jpg\n")
        return ["reproduce", "p.toml", "--data", "data", "-o", "runs/out"]

    return arguments


def _nothing_outside(folder: Path) -> str:
    known = {"p.toml", "data", "runs", "stderr", "stdout", "cache", ".cache", ".config"}
    strange = {path.name for path in folder.iterdir()} - known
    strange |= (
        {path.name for path in (folder / "runs").glob("*")} - {"out"} if (folder / "runs").is_dir() else set()
    )
    return f"wrote outside: {strange}" if strange else ""


def _toml(
    text: str, line: int, wrong: str, arguments: Callable[[Path], Arguments]
) -> Callable[[Path], Arguments]:
    rows = text.splitlines()
    rows[line] = f"{rows[line].split(' = ')[0]} = {wrong}"
    return _whole_toml("\n".join(rows), arguments)


def _whole_toml(content: str, arguments: Callable[[Path], Arguments]) -> Callable[[Path], Arguments]:
    def build(folder: Path) -> Arguments:
        (folder / "file.toml").write_bytes(content.encode("utf-8", "surrogateescape"))
        return arguments(folder)

    return build


def _damage_cases(kit: Path) -> Iterator[Case]:
    rng = np.random.default_rng(2)
    ask = ("ask", "wears a gizmo", "T", "-m", "it")  # read by the text encoder
    read = ("interpret", "T", "-m", "it", "--top", "1")
    for file, command in (("prompts.safetensors", read), ("text_encoder.onnx", ask), ("tokenizer.json", ask)):
        content = (kit / "it" / file).read_bytes()
        for part in (0, 1, 8, len(content) // 2, len(content) - 1):
            yield Case(
                "damaged interpreter",
                f"{file} cut to {part}",
                _replaced(kit, "it", file, content[:part], command),
                fails=True,
            )
        for at in rng.integers(len(content), size=6):
            flipped = bytearray(content)
            flipped[at] ^= 1 << int(rng.integers(8))
            yield Case(
                "damaged interpreter",
                f"{file}, one bit at {at}",
                _replaced(kit, "it", file, bytes(flipped), command),
                fails=True,
            )
        yield Case("damaged interpreter", f"{file} missing", _missing(kit, "it", file, command), fails=True)
    for file in ("weights.safetensors",):
        content = (kit / "probe" / file).read_bytes()
        for part in (0, 8, len(content) // 2):
            yield Case(
                "damaged probe",
                f"{file} cut to {part}",
                _replaced(kit, "probe", file, content[:part], ("captions", "T", "-m", "probe")),
                fails=True,
            )
        for at in rng.integers(len(content), size=6):
            flipped = bytearray(content)
            flipped[at] ^= 1 << int(rng.integers(8))
            yield Case(
                "damaged probe",
                f"one bit at {at}",
                _replaced(kit, "probe", file, bytes(flipped), ("captions", "T", "-m", "probe")),
                fails=True,
            )
        yield Case(
            "damaged probe",
            "weights missing",
            _missing(kit, "probe", file, ("captions", "T", "-m", "probe")),
            fails=True,
        )
    for path in sorted((kit / "evaluation").glob("*.parquet")):
        content = path.read_bytes()
        for part in (0, 4, len(content) // 2, len(content) - 4):
            yield Case(
                "damaged evaluation",
                f"{path.name} cut to {part}",
                _replaced(
                    kit, "evaluation", path.name, content[:part], ("report", "evaluation", "-o", "r.html")
                ),
                fails=True,
            )
        yield Case(
            "damaged evaluation",
            f"{path.name} missing",
            _missing(
                kit,
                "evaluation",
                path.name,
                ("compare", "evaluation", "evaluation", "-m", "probe", "-m", "probe"),
            ),
        )
    (part,) = (kit / "one").glob("part-*.parquet")
    content = part.read_bytes()
    data_end = len(content) - struct.unpack("<I", content[-8:-4])[0] - 8
    for at in rng.integers(4, data_end, size=40):
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(rng.integers(8))
        yield Case(
            "flipped bit in a shard",
            f"byte {at}",
            _replaced(kit, "one", part.name, bytes(flipped), ("interpret", "one", "--json")),
            check=_same_or_refused(kit),
        )


def _same_or_refused(kit: Path) -> Callable[[Path], str]:
    def check(folder: Path) -> str:
        said = (folder / "stdout").read_text()
        right = kit / "right.json"
        if not right.is_file():
            right.write_text(subprocess.run([sys.executable, "-c", "from clip_smu.cli import main; main()", "interpret", str(kit / "one"), "--json"],
                                            capture_output=True, text=True).stdout)  # fmt: skip
        if not said or '"rejected"' in said:
            return ""
        return "" if _readings(said) == _readings(right.read_text()) else "other readings, silently"

    return check


def _readings(text: str) -> list[Any]:
    return [json.loads(line).get("readings") for line in text.splitlines()]


def _missing(kit: Path, where: str, file: str, command: tuple[str, ...]) -> Callable[[Path], Arguments]:
    def build(folder: Path) -> Arguments:
        shutil.copytree(kit / where, folder / where)
        (folder / where / file).unlink()
        return _arguments(kit, command)

    return build


# ---------------------------------------------------------------- outputs


def _output_cases(kit: Path) -> Iterator[Case]:
    commands = (
        ("extract", kit / "face.png", "--processes", "1", "-o"),
        ("interpret", "T", "-o"),
        ("probe", "T", "-l", "L", "--folds", "2", "-o"),
        ("fit", "T", "-l", "L", "--steps", "1", "--folds", "2", "-o"),
        ("evaluate", SHIPPED, "-t", "T", "-l", "L", "--rounds", "40", "-o"),
        ("calibrate", SHIPPED, "T", "-l", "L", "-o"),
        ("confounds", kit / "evaluation", "-m", "probe", "-o"),
        ("erase", "Male", "T", "-l", "L", "--train", "A", "--test", "B", "-o"),
        ("captions", "T", "-o"),
        ("report", kit / "evaluation", "-o"),
        ("figures", kit / "evaluation", "-o"),
        ("labels", "convert", "L", "--from", "maad", "-o"),
        ("compare", kit / "evaluation", "-m", SHIPPED, "-m", "probe", "-o"),
    )
    for command in commands:
        for place in (
            "null",
            "full",
            "/proc/x",
            "/proc/self/mem",
            "file/below",
            "dangling",
            "loop",
            "x" * 300,
            "fifo",
            "a\nb/\x1b[31mc",
            "file",
        ):
            if command[0] in ("captions", "report", "labels", "compare") and place == "file":
                continue  # these write files: an old one is replaced
            suffix = {"captions": ".csv", "report": ".html", "labels": ".csv", "compare": ".csv"}.get(
                str(command[0]), ""
            )
            hard = place not in ("a\nb/\x1b[31mc", "dangling")
            yield Case(
                "output",
                f"{command[0]} -o {place[:20]!r}",
                _output(kit, command, place, suffix),
                fails=hard and not place.startswith("x"),
                check=_still_there,
                seconds=90 if command[0] == "fit" and not hard else 20,
            )


def _output(kit: Path, command: tuple[Any, ...], place: str, suffix: str) -> Callable[[Path], Arguments]:
    def build(folder: Path) -> Arguments:
        (folder / "file").write_text("mine\n")
        (folder / "dangling").symlink_to(folder / "nowhere" / "deep")
        (folder / "loop").symlink_to(folder / "loop")
        os.mkfifo(folder / "fifo")
        for name, minor in (("null", 3), ("full", 7)):  # devices of our own: the real ones are everybody's
            with contextlib.suppress(PermissionError):  # only root makes devices; others get a missing name
                os.mknod(folder / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        ends = suffix if place in ("file/below", "/proc/x") or place.startswith(("x", "a\n")) else ""
        return [*_arguments(kit, tuple(map(str, command))), place + ends]

    return build


def _still_there(folder: Path) -> str:
    if (folder / "full").exists() and not (
        (folder / "null").is_char_device() and (folder / "full").is_char_device()
    ):
        return "a device was replaced"
    return "" if (folder / "file").read_text() == "mine\n" else "somebody's file was replaced"


# ---------------------------------------------------------------- what never ends


def _endless_cases(kit: Path) -> Iterator[Case]:
    read = (
        ("interpret", "X"), ("extract", "X", "-o", "out", "--processes", "1"), ("ask", "a hat", "X"), ("interpret", "T", "-m", "X"),
        ("interpret", kit / "face.png", "--landmarks", "X"), ("labels", "show", "X"), ("labels", "show", "L", "--only", "X"),
        ("labels", "show", "L", "--templates", "X"), ("probe", "X", "-l", "L", "-o", "o"), ("probe", "T", "-l", "X", "-o", "o"),
        ("probe", "T", "-l", "L", "--train", "X", "-o", "o"), ("evaluate", SHIPPED, "-t", "X", "-l", "L", "-o", "o"),
        ("evaluate", SHIPPED, "-t", "T", "-l", "L", "-o", "o", "--check", "X"), ("reproduce", "X", "-o", "o"), ("pair", "X", "N"),
        ("pair", "N", "N", "--pairs", "X", "--calibration", "T"), ("report", "X", "-o", "r.html"),
        ("extract", kit / "face.png", "-e", "onnx:X", "-o", "o"), ("extract", kit / "face.png", "-e", "onnx:m.onnx", "--card", "X", "-o", "o"),
        ("encoders", "convert", "X", "--architecture", "adaface-ir50", "-o", "o"),
    )  # fmt: skip
    for command in read:
        for place in ("fifo", "/dev/zero", "fifo.parquet", "zero.npy", "zero.txt", "zero.tar"):
            if command[0] == "encoders" and place != "fifo":
                continue
            yield Case(
                "never ends",
                f"{' '.join(map(str, command[:4]))[:60]} X={place}",
                _endless(kit, command, place),
                fails=True,
            )
    for what, shell in (
        ("yes", "yes | COMMAND"), ("zeros", "cat /dev/zero | COMMAND"), ("JPEG and then zeros", "(printf '\\xff\\xd8\\xff'; cat /dev/zero) | COMMAND"),
        ("a tar and then zeros", "(head -c 512 /dev/urandom; cat /dev/zero) | COMMAND"), ("silence", "sleep 30 | COMMAND"),
        ("nothing", "COMMAND < /dev/null"), ("closed", "COMMAND <&-"), ("gzip bomb", "(python3 -c 'import gzip,sys; sys.stdout.buffer.write(gzip.compress(bytes(1<<28)))') | COMMAND"),
    ):  # fmt: skip
        for command in (("interpret", "-"), ("extract", "-", "-o", "out", "--processes", "1")):
            if what == "silence":
                continue  # a person may be typing
            yield Case(
                "never ends",
                f"{command[0]} - of {what}",
                lambda _, command=command: list(command),
                fails=True,
                shell=shell,
            )


def _endless(kit: Path, command: tuple[Any, ...], place: str) -> Callable[[Path], Arguments]:
    def build(folder: Path) -> Arguments:
        for name in ("fifo", "fifo.parquet"):
            os.mkfifo(folder / name)
        for name in ("zero.npy", "zero.txt", "zero.tar"):
            (folder / name).symlink_to("/dev/zero")
        arguments = _arguments(kit, tuple(map(str, command)))
        return [str(part).replace("X", place) if str(part) in ("X", "onnx:X") else part for part in arguments]

    return build


# ---------------------------------------------------------------- bombs


def _npy(shape: str, dtype: str = "<f4", data: bytes = b"") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def _sparse(path: Path, head: bytes, size: int) -> None:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)


def _bomb_cases(kit: Path) -> Iterator[Case]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    def file(name: str, make: Callable[[Path], None], *command: str, fails: bool = True) -> Case:
        def build(folder: Path) -> Arguments:
            make(folder / name)
            return [part if part != "X" else name for part in (command or ("interpret", "X"))]

        return Case("bomb", f"{name} {' '.join(command)}", build, fails=fails)

    yield file("huge.npy", lambda p: p.write_bytes(_npy("(1000000000000, 128)")))
    yield file("sparse.npy", lambda p: _sparse(p, _npy("(200000000, 128)"), 200_000_000 * 512 + 128))
    yield file("wide.npy", lambda p: _sparse(p, _npy("(1, 10000000000)"), 40_000_000_128))
    yield file("negative.npy", lambda p: p.write_bytes(_npy("(-1, 128)")))
    yield file("deep.npy", lambda p: p.write_bytes(_npy("(" + "1, " * 70 + ")")))
    yield file("object.npy", lambda p: p.write_bytes(_npy("(1,)", "|O", b"\x80\x04.")))
    yield file("code.npy", lambda p: p.write_bytes(_npy("__import__('os').system('touch hacked')")))
    yield file("nested.npy", lambda p: p.write_bytes(_npy("(" * 9000)))
    yield file("zip.npy", lambda p: _zip(p, {"a": b"x"}))
    yield file("bomb.npz", lambda p: _zip(p, {"arr_0.npy": _npy("(3000000, 128)") + bytes(1 << 30)}))
    yield file("many.npz", lambda p: _zip(p, {f"a{n}.npy": _npy("(1, 2)", data=bytes(8)) for n in range(3)}))

    def parquet_bomb(path: Path) -> None:
        values = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(4_000_000, np.int32)), pa.array(["x" * 1000])
        )
        pq.write_table(
            pa.table(
                {
                    "image": values,
                    "template": pa.FixedSizeListArray.from_arrays(
                        pa.array(np.zeros(4_000_000, np.float32)), 1
                    ),
                }
            ),
            path,
        )

    yield file("names.parquet", parquet_bomb, fails=False)

    def long_lists(path: Path) -> None:
        values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(60_000_000, np.float32)), 30_000_000)
        pq.write_table(pa.table({"template": values}), path, compression="zstd")

    yield file("wide.parquet", long_lists)

    def one_group(path: Path) -> None:
        rows = 3_000_000
        values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * 128, np.float32)), 128)
        pq.write_table(pa.table({"template": values}), path, compression="zstd", row_group_size=rows)

    yield file("zeros.parquet", one_group)
    yield file("zeros.parquet", one_group, "ask", "a hat", "X")

    def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> None:
        with tarfile.open(path, "w", format=form) as packed:
            for info, data in members:
                info.size = len(data)
                packed.addfile(info, io.BytesIO(data))

    def sparse_tar(path: Path) -> None:
        header = tarfile.TarInfo("a.jpg")
        header.size = 1 << 40
        path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))

    yield file("sparse.tar", sparse_tar)

    def pax(path: Path) -> None:
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = tarfile.XHDTYPE, 3 << 30
        _sparse(path, info.tobuf(tarfile.USTAR_FORMAT), (3 << 30) + 2048)

    yield file("pax.tar", pax)

    def longname(path: Path) -> None:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
        _sparse(path, info.tobuf(tarfile.GNU_FORMAT), (3 << 30) + 2048)

    yield file("longname.tar", longname)

    def zeros(path: Path) -> None:
        with gzip.open(path, "wb", 1) as out:
            for _ in range(3000):
                out.write(bytes(1 << 20))

    yield file("zeros.tar.gz", zeros)

    def member(path: Path) -> None:
        info = tarfile.TarInfo("a.jpg")
        info.size = 3 << 30
        with gzip.open(path, "wb", 1) as out:
            out.write(info.tobuf())
            for _ in range(3072):
                out.write(bytes(1 << 20))

    yield file("member.tar.gz", member)
    yield file(
        "dots.tar",
        lambda p: tar(p, (tarfile.TarInfo("../../x.jpg"), b"x"), (tarfile.TarInfo("/etc/x.jpg"), b"y")),
    )
    for size in ((20_000, 20_000), (10_000, 10_000), (65_000, 100), (1, 60_000)):
        yield file(
            f"{size[0]}x{size[1]}.png",
            lambda p, size=size: Image.new("1", size).save(p),
            "interpret",
            "X",
            "--upsample",
            "1",
        )
        yield file(
            f"{size[0]}x{size[1]}.jpg",
            lambda p, size=size: Image.new("L", size).save(p, quality=20),
            "interpret",
            "X",
            "--upsample",
            "3",
        )
    yield file("text.png", _png_with_text, "interpret", "X", fails=False)
    yield file(
        "huge.gif",
        lambda p: p.write_bytes(
            b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\0;"
        ),
    )
    yield file(
        "huge.bmp",
        lambda p: p.write_bytes(
            b"BM"
            + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 1 << 30, 1 << 30, 1, 24, 0, 0, 0, 0, 0, 0)
        ),
    )
    yield file(
        "huge.tif",
        lambda p: p.write_bytes(
            b"II*\0\x08\0\0\0\x03\0\0\x01\x04\0\x01\0\0\0\xff\xff\xff\x7f\x01\x01\x04\0\x01\0\0\0\xff\xff\xff\x7f\x03\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0"
        ),
    )
    yield file("lines.txt", lambda p: p.write_text("nowhere.jpg\n" * 2_000_000))
    yield file("long.txt", lambda p: p.write_text("a" * 200_000_000))
    yield file("labels.csv", lambda p: p.write_text("Filename," + "a" * 200_000_000), "labels", "show", "X")


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)


def _png_with_text(path: Path) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("comment", "x" * (3 << 20), zip=True)
    Image.new("RGB", (100, 100)).save(path, pnginfo=info)


# ---------------------------------------------------------------- odd tables


def _template_cases(kit: Path) -> Iterator[Case]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    real = np.load(kit / "t.npy")[:3]
    lists = pa.array(real.tolist(), pa.list_(pa.float32()))
    vectors: dict[str, Any] = {
        "list": lists, "double": pa.array(real.tolist(), pa.list_(pa.float64())), "large list": pa.array(real.tolist(), pa.large_list(pa.float32())),
        "half": pa.array(real.astype(np.float16).tolist(), pa.list_(pa.float16())), "null": pa.nulls(3), "null lists": pa.nulls(3, pa.list_(pa.float32())),
        "strings": pa.array(["a", "b", "c"]), "json": pa.array([json.dumps(row.tolist()) for row in real]), "binary": pa.array([row.tobytes() for row in real]),
        "odd binary": pa.array([b"abc", b"", b"abcd"]), "struct": pa.array([{"v": row.tolist()} for row in real]), "int": pa.array([1, 2, 3]),
        "map": pa.array([[("a", 1.0)]] * 3, pa.map_(pa.string(), pa.float32())), "nested": pa.array([[row.tolist()] for row in real]),
        "text lists": pa.array([["a"]] * 3), "empty lists": pa.array([[]] * 3, pa.list_(pa.float32())), "ragged": pa.array([[1.0], [1.0, 2.0], []]),
        "bool lists": pa.array([[True] * 128] * 3), "int lists": pa.array(np.ones((3, 128), int).tolist()), "fixed of zero": pa.array([[]] * 3, pa.list_(pa.float32(), 0)),
        "null inside": pa.array([[None] * 128] * 3, pa.list_(pa.float32())), "decimal": pa.array([[1] * 128] * 3).cast(pa.list_(pa.decimal128(30, 2))),
        "dictionary": pa.array(["a", "b", "a"]).dictionary_encode(), "timestamps": pa.array([1, 2, 3], pa.timestamp("s")), "views": pa.array([b"a", b"b", b"c"], pa.binary_view()),
        "zeros": pa.array([[0.0] * 128] * 3), "nan": pa.array([[float("nan")] * 128] * 3), "huge": pa.array([[1e38] * 128] * 3), "tiny": pa.array([[1e-45] * 128] * 3, pa.list_(pa.float32())),
    }  # fmt: skip
    for label, column in vectors.items():
        yield _table(f"template of {label}", {"image": pa.array(["a", "b", "c"]), "template": column}, pq)
    names: dict[str, Any] = {
        "int": pa.array([1, 2, 3]), "null": pa.nulls(3), "some null": pa.array(["a", None, "c"]), "struct": pa.array([{"bytes": b"x", "path": "a"}] * 3),
        "float": pa.array([1.0, 2.0, None]), "bytes": pa.array([b"\xff", b"a", b"b"]), "list": pa.array([["a"], [], None]), "same": pa.array(["a"] * 3),
        "escape": pa.array(["\x1b[2Ja", "a\nb", "\u202egpj.a"]), "dictionary": pa.array(["a", "b", "c"]).dictionary_encode(), "surrogate": pa.array(["\U0001f468\u200d\U0001f469", "", " "]),
        "timestamp": pa.array([1, 2, 3], pa.timestamp("s")), "map": pa.array([[("a", 1)]] * 3, pa.map_(pa.string(), pa.int32())), "bool": pa.array([True, False, None]),
    }  # fmt: skip
    for label, column in names.items():
        for key in ("image", "identity"):
            yield _table(f"{key} of {label}", {key: column, "template": lists}, pq)
    for label, column in (
        ("float null", pa.array([0.0, None, 1.0])),
        ("text", pa.array(["0", "1", "x"])),
        ("huge", pa.array([0, 1, 1 << 40])),
        ("negative", pa.array([-1, 0, 0])),
        ("struct", pa.array([{"a": 1}] * 3)),
    ):
        yield _table(
            f"face of {label}", {"image": pa.array(["a", "b", "c"]), "face": column, "template": lists}, pq
        )

    def twice(path: Path) -> None:
        pq.write_table(pa.Table.from_arrays([lists, lists], names=["template", "template"]), path)

    yield Case("odd templates", "column twice", _file("t.parquet", twice))
    for dtype in (
        "float16",
        "float64",
        ">f4",
        "int8",
        "uint8",
        "int64",
        "complex64",
        "bool",
        "S4",
        "U4",
        "datetime64[s]",
        "float128",
    ):
        yield Case(
            "odd templates",
            f"npy of {dtype}",
            _file("t.npy", lambda p, dtype=dtype: np.save(p, np.ones((2, 128)).astype(dtype))),
        )
    for shape in ((0, 128), (128,), (), (2, 3, 128), (2, 0), (1, 1), (2, 127)):
        yield Case(
            "odd templates",
            f"npy of shape {shape}",
            _file("t.npy", lambda p, shape=shape: np.save(p, np.ones(shape, np.float32))),
        )
    contents = {
        "empty": b"", "text": b"hello", "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "html": b"<html>", "PAR1": b"PAR1", "PAR1 twice": b"PAR1PAR1",
        "zip": b"PK\x03\x04", "pickle": b"\x80\x04N.", "hdf5": b"\x89HDF\r\n\x1a\n",
    }  # fmt: skip
    for suffix in (".parquet", ".npy", ".npz", ".csv", ".jsonl", ".h5", ".tsv"):
        for label, content in contents.items():
            yield Case(
                "odd templates",
                f"{label} as {suffix}",
                _file("t" + suffix, lambda p, content=content: p.write_bytes(content)),
                fails=True,
            )
    for label, text in (
        ("numbers", "1,2,3\n4,5,6\n"), ("ragged", "1,2\n3\n"), ("words", "a,b\nc,d\n"), ("one long line", "1," * 500_000), ("nul", "1,\0\n"), ("quotes", '"' * 999),
        ("infinite", "inf,nan\n1,2\n"), ("many columns", ",".join("1" * 70_000)),
    ):  # fmt: skip
        yield Case(
            "odd templates", f"csv of {label}", _file("t.csv", lambda p, text=text: p.write_text(text))
        )
    for label, text in (
        ("deep", "[" * 100_000), ("list", "[1,2]\n"), ("object", '{"template": [1, 2]}\n'), ("nulls", '{"template": null}\n'), ("ragged", '{"template": [1]}\n{"template": [1,2]}\n'),
        ("huge number", '{"template": [1e999]}\n'), ("words", '{"template": "a"}\n'), ("duplicate", '{"template": [1], "template": [2]}\n'), ("no JSON", "{\n"), ("big", '{"template": [' + "1," * 2_000_000 + "1]}"),
    ):  # fmt: skip
        yield Case(
            "odd templates", f"jsonl of {label}", _file("t.jsonl", lambda p, text=text: p.write_text(text))
        )


def _table(label: str, columns: dict[str, Any], pq: Any) -> Case:
    import pyarrow as pa

    return Case("odd templates", label, _file("t.parquet", lambda p: pq.write_table(pa.table(columns), p)))


def _file(
    name: str, make: Callable[[Path], Any], command: tuple[str, ...] = ("interpret", "X", "--top", "1")
) -> Callable[[Path], Arguments]:
    def build(folder: Path) -> Arguments:
        make(folder / name)
        return [name if part == "X" else part for part in command]

    return build


# ---------------------------------------------------------------- labels, lists, pairs


def _label_cases(kit: Path) -> Iterator[Case]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    text = (kit / "labels.csv").read_text()
    header, first, *rest = text.splitlines()
    cells = first.split(",")
    changed: dict[str, bytes] = {
        "utf-16": text.encode("utf-16"), "utf-16 without mark": text.encode("utf-16-le"), "bom": text.encode("utf-8-sig"), "latin-1": text.replace("p0/0", "pé/0").encode("latin-1"),
        "semicolons": text.replace(",", ";").encode(), "tabs": text.replace(",", "\t").encode(), "pipes": text.replace(",", "|").encode(), "header spaces": text.replace(",", ", ", 48).encode(),
        "header only": header.encode(), "header twice": (header + "\n" + text).encode(), "column twice": text.replace("Young", "Male", 1).encode(), "column missing": text.replace("Young", "Yung", 1).encode(),
        "windows ends": text.replace("\n", "\r\n").encode(), "old ends": text.replace("\n", "\r").encode(), "short row": (header + "\n" + ",".join(cells[:-1])).encode(),
        "long row": (header + "\n" + first + ",1").encode(), "quotes": text.replace("p0/0.jpg", '"p0/0.jpg').encode(), "nul": text.replace("p0/0", "p0\0").encode(), "blank": b"\n\n\n", "empty": b"",
        "cell of a gigabyte's start": (header + "\n" + "a" * 20_000_000 + "," + first).encode(),
    }  # fmt: skip
    for label, value in {
        "-128": "-128",
        "2": "2",
        "300": "300",
        "1e0": "1e0",
        "1.0": "1.0",
        "True": "True",
        "+1": "+1",
        "yes": "yes",
        "nothing": "",
        "nan": "nan",
        "x1b": "\x1b[1m",
    }.items():
        changed[f"cell of {label}"] = "\n".join(
            [header, ",".join([*cells[:5], value, *cells[6:]]), *rest]
        ).encode()
    for label, content in changed.items():
        for command in (("labels", "show", "X"), ("captions", str(kit / "t.parquet"), "-l", "X")):
            yield Case(
                "labels",
                f"{label}: {command[0]}",
                _file("l.csv", lambda p, content=content: p.write_bytes(content), command),
            )
    table = pa.csv.read_csv(kit / "labels.csv")

    def retyped(kind: Any) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            column = pa.array([None] * len(table)) if kind is None else pa.array([kind] * len(table))
            pq.write_table(table.set_column(table.column_names.index("Male"), "Male", column), path)

        return make

    for label, kind in (
        ("null", None),
        ("text", "1"),
        ("list", [1]),
        ("struct", {"a": 1}),
        ("bytes", b"1"),
        ("float", 1.0),
        ("half", 0.5),
        ("bool", True),
        ("huge", 1 << 60),
    ):
        yield Case(
            "labels", f"Parquet, Male of {label}", _file("l.parquet", retyped(kind), ("labels", "show", "X"))
        )
    content = (kit / "t.parquet").read_bytes()
    for label, data in (("templates", content), ("cut", content[:-9]), ("PAR1", b"PAR1")):
        yield Case(
            "labels",
            f"Parquet of {label}",
            _file("l.parquet", lambda p, data=data: p.write_bytes(data), ("labels", "show", "X")),
            fails=True,
        )
    lines = (kit / "train.txt").read_text()
    lists: dict[str, bytes] = {
        "bom": lines.encode("utf-8-sig"), "utf-16": lines.encode("utf-16"), "utf-16 without mark": lines.encode("utf-16-le"), "latin-1": b"p\xe9/1.jpg\n", "empty": b"", "blank": b"\n \n", "nul": b"p0/0.jpg\0\n",
        "strangers": b"nobody/1.jpg\n", "windows": lines.replace("\n", "\r\n").encode(), "backslashes": lines.replace("/", "\\").encode(), "dots": b"./" + lines.replace("\n", "\n./").encode(),
        "absolute": b"/data/" + lines.replace("\n", "\n/data/").encode(), "capitals": lines.upper().encode(), "binary": bytes(range(256)) * 40,
    }  # fmt: skip
    for label, content in lists.items():
        command = (
            "evaluate",
            SHIPPED,
            "-t",
            str(kit / "t.parquet"),
            "-l",
            str(kit / "labels.csv"),
            "-o",
            "o",
            "--rounds",
            "40",
        )
        yield Case(
            "lists",
            f"--only, {label}",
            _file("l.txt", lambda p, content=content: p.write_bytes(content), (*command, "--only", "X")),
        )
        yield Case(
            "lists",
            f"--train, {label}",
            _file(
                "l.txt",
                lambda p, content=content: p.write_bytes(content),
                (*command, "--only", str(kit / "test.txt"), "--train", "X"),
            ),
        )
    pairs = {
        "empty": "", "one fold": "1 2\np0 0 1\np1 4 5\np0 0 p1 4\np0 1 p2 8\n", "no header": "p0 0 1\np0 0 p1 4\n", "bad count": "10 300\np0 0 1\n", "letters": "1 1\np0 a b\np0 a p1 b\n", "csv": "a,b,same\np0/0.jpg,p0/1.jpg,1\n",
        "csv of words": "a,b,same\np0/0.jpg,p0/1.jpg,maybe\n", "strangers": "1 1\nx 1 2\nx 1 y 2\n", "negative": "-1 -5\n", "huge": "99999999999 99999999999\n", "long": "1 1\n" + "p0 " * 100_000,
    }  # fmt: skip
    for label, content in pairs.items():
        command = (
            "pair",
            str(kit / "t.npy"),
            str(kit / "t.npy"),
            "--calibration",
            str(kit / "t.parquet"),
            "--pairs",
            "X",
        )
        yield Case("pairs", label, _file("p.txt", lambda p, content=content: p.write_text(content), command))
    for label, content in {
        "empty": "",
        "header": "NAME_ID,P1X\n",
        "words": "NAME_ID,"
        + ",".join(f"P{n}{a}" for n in range(1, 6) for a in "XY")
        + "\nface,"
        + "a," * 9
        + "a\n",
        "utf-16": "NAME_ID",
    }.items():
        yield Case(
            "pairs",
            f"landmarks, {label}",
            _file(
                "l.csv",
                lambda p, content=content, label=label: p.write_text(
                    content, encoding="utf-16" if label == "utf-16" else "utf-8"
                ),
                ("interpret", str(kit / "face.png"), "--landmarks", "X"),
            ),
        )


# ---------------------------------------------------------------- photos


def _photo_cases(kit: Path) -> Iterator[Case]:
    from PIL import Image

    face = Image.open(kit / "face.png").convert("RGB").resize((256, 256))
    encoded: dict[str, bytes] = {}
    for form in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "PPM", "AVIF", "TGA", "ICO", "PCX"):
        try:
            out = io.BytesIO()
            face.save(out, form)
            encoded[form] = out.getvalue()
        except (KeyError, OSError, ValueError):
            continue
    rng = np.random.default_rng(3)
    for form, content in encoded.items():
        for share in (0, 0.01, 0.3, 0.99):
            yield Case(
                "photos",
                f"{form} cut to {share:.0%}",
                _file("a.jpg", lambda p, c=content[: int(len(content) * share)]: p.write_bytes(c)),
            )
        for _ in range(4):
            broken = bytearray(content)
            for at in rng.integers(len(content), size=20):
                broken[at] = int(rng.integers(256))
            yield Case(
                "photos",
                f"{form} with 20 wrong bytes",
                _file("a.jpg", lambda p, c=bytes(broken): p.write_bytes(c)),
            )
        yield Case("photos", f"{form} without suffix", _file("photo", lambda p, c=content: p.write_bytes(c)))
    for mode in ("1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16"):

        def save(path: Path, mode: str = mode) -> None:
            suffix = "TIFF" if mode not in ("PA",) else "PNG"
            try:
                image = face.convert(mode)
            except ValueError:
                image = Image.new(mode, (64, 64))
            image.save(path, suffix)

        yield Case(
            "photos",
            f"mode {mode}",
            _file("a.tif", save if mode != "PA" else lambda p: face.convert("P").save(p, "PNG")),
        )
    others = {
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "html": b"<!DOCTYPE html><html>", "pdf": b"%PDF-1.7", "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "mp4": b"\0\0\0\x18ftypmp42" + bytes(99),
        "zeros": bytes(5000), "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50),
    }  # fmt: skip
    for label, content in others.items():
        yield Case(
            "photos",
            f"{label} called .jpg",
            _file("a.jpg", lambda p, content=content: p.write_bytes(content)),
            fails=True,
        )
        yield Case(
            "photos",
            f"{label} in a folder",
            _file(
                "a.jpg",
                lambda p, content=content: p.write_bytes(content),
                ("extract", ".", "-o", "../extracted" if False else "out", "--processes", "1"),
            ),
            fails=True,
        )


# ---------------------------------------------------------------- terminals, pipes, signals


def _terminal_cases(kit: Path) -> Iterator[Case]:
    commands: dict[str, tuple[str, ...]] = {
        "interpret": ("interpret", "T", "--top", "2"), "json": ("interpret", "T", "--json"), "csv": ("interpret", "T", "--csv"), "ask": ("ask", "a hat", "T"), "words": ("words",),
        "captions": ("captions", "T"), "labels": ("labels", "show", "L"), "list": ("encoders", "list"), "compare": ("compare", str(kit / "evaluation"), "-m", SHIPPED, "-m", "probe"),
        "help": ("--help",), "pair": ("pair", "N", "N"),
    }  # fmt: skip
    shells = {
        "/dev/full": ("COMMAND > /dev/full", True), "closed pipe": ("COMMAND | head -c 1 > /dev/null; exit ${PIPESTATUS[0]}", False), "closed stdout": ("COMMAND >&-", False), "closed stderr": ("COMMAND 2>&-", False),
        "stderr full": ("COMMAND 2> /dev/full", False), "both closed": ("COMMAND >&- 2>&-", False),
    }  # fmt: skip
    for label, command in commands.items():
        for way, (shell, fails) in shells.items():
            yield Case(
                "terminal",
                f"{label}, {way}",
                lambda _, command=command: _arguments(kit, command),
                fails=fails and label != "help",
                shell=shell,
            )
        for encoding in ("ascii", "cp1252", "latin-1", "utf-16"):
            if encoding == "utf-16" and label != "interpret":
                continue
            yield Case(
                "terminal",
                f"{label}, {encoding}",
                lambda _, command=command: _arguments(kit, command),
                environment={"PYTHONIOENCODING": encoding},
            )
        yield Case(
            "terminal",
            f"{label}, LC_ALL=C",
            lambda _, command=command: _arguments(kit, command),
            environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        )
    for name in (
        "J\u00f6rg M\u00fcller \u674e.png",
        "\x1b[31mred\x07.png",
        "a\nb.png",
        "=cmd.png",
        "\u202egnp.png",
        "--help.png",
        "a b'c\"d.png",
        b"\xff\xfe.png",
    ):
        for form in ("--top=1", "--json", "--csv"):

            def build(folder: Path, name: Any = name, form: str = form) -> Arguments:
                path = os.fsencode(folder) + b"/" + (name if isinstance(name, bytes) else name.encode())
                shutil.copy(kit / "face.png", path)
                return ["interpret", ".", form]

            yield Case(
                "names",
                f"{name!r} {form}",
                build,
                environment={"PYTHONIOENCODING": "ascii"},
                check=_harmless(form),
            )
    for after in (0.05, 0.2, 0.5, 1.0, 2.0, 4.0):
        for signal in ("INT", "TERM"):
            for label, command in {"interpret -o": ("interpret", "T", "-o", "out"), "probe": ("probe", "T", "-l", "L", "-o", "out"), "fit": ("fit", "T", "-l", "L", "-o", "out"),
                                   "evaluate": ("evaluate", SHIPPED, "-t", "T", "-l", "L", "-o", "out"), "extract": ("extract", str(kit / "face.png"), "-o", "out")}.items():  # fmt: skip
                yield Case(
                    "signals",
                    f"SIG{signal} after {after} s, {label}",
                    lambda _, command=command: _arguments(kit, command),
                    signal=(after, f"SIG{signal}"),
                    check=_no_litter,
                )


def _harmless(form: str) -> Callable[[Path], str]:
    def check(folder: Path) -> str:
        said = (folder / "stderr").read_text("utf-8", "replace")
        if form != "--csv":  # a csv in a file holds the names as they are; on a terminal it does not
            said += (folder / "stdout").read_text("ascii", "surrogateescape")
        if any(sign in said for sign in ("\x1b[31mred", "\x07", "\u202e")):
            return "a name's control characters reached the terminal"
        cells = (
            [
                row[0]
                for row in csv.reader(io.StringIO((folder / "stdout").read_text("ascii", "replace")))
                if row
            ]
            if form == "--csv"
            else []
        )
        return (
            "a cell that a spreadsheet computes"
            if any(cell.startswith(("=", "+", "@")) for cell in cells)
            else ""
        )

    return check


def _no_litter(folder: Path) -> str:
    left = [path.name for path in folder.rglob("*.tmp")]
    return f"litter: {left}" if left else ""
