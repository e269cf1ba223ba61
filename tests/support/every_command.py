"""Runs every command of the command line once, in one process, on small made-up inputs: for tests that watch it.

``python every_command.py FOLDER [--offline]`` writes into FOLDER; ``codes.json`` in it says how each command ended.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clip_smu import cli
from faces import toy_card, toy_data
from no_internet import forbid_internet
from places import LFW_READER

FACES = 280
QUICK = ("--steps", "1", "--folds", "2", "--batch-size", "8")
PLAN = """
name = "watched"
within = ["Male"]
[data]
labels = "labels.csv"
train = "train.txt"
test = "test.txt"
[[encoders]]
name = "toy"
templates = "toy.parquet"
[[methods]]
name = "logistic-regression"
probe = "logistic-regression"
folds = 2
"""


def commands(folder: Path) -> dict[str, list[list[str]]]:
    """Name → command lines; inputs are those of :func:`prepare`, outputs those of earlier commands."""
    f, shipped = str(folder), LFW_READER
    templates, labels, train, test = (
        f"{f}/{x}" for x in ("toy.parquet", "labels.csv", "train.txt", "test.txt")
    )
    split = ["--labels", labels, "--train", train, "--test", test]
    network = ["--card", f"{f}/card.toml", "--align", "none"]
    return {
        "encoders list": [["--json"]],
        "encoders show": [["dlib"]],
        "encoders convert": [[f"{f}/adaface.safetensors", "--architecture", "adaface-ir18", "-o", f"{f}/converted"]],
        "encoders check": [
            [f"onnx:{f}/toy.onnx", f"{f}/people", "--identities", "--count", "40", "--variant-pairs", "0", *network]
        ],
        "encoders heads": [[f"onnx:{f}/toy.onnx", f"{f}/people/p00", *network]],
        "extract": [
            [f"{f}/people", "-e", f"onnx:{f}/toy.onnx", "-o", f"{f}/t{n}", "--processes", str(n), *network]
            for n in (1, 2)
        ],
        "labels convert": [[labels, "--from", "maad", "-o", f"{f}/other.parquet"]],
        "labels show": [[labels, "--templates", templates]],
        "labels prepare": [[templates, "--labels", labels, "-o", f"{f}/kept.txt"]],
        "labels doubt": [[templates, "--labels", labels, "--train", train, "-o", f"{f}/doubt.csv"]],
        "fit": [[templates, *split, "-o", f"{f}/it", "--objective", "clip", *QUICK]],
        "calibrate": [[f"{f}/it", templates, "--labels", labels, "-o", f"{f}/home"]],
        "probe": [[templates, *split, "-o", f"{f}/probe", "--folds", "2"]],
        "zero-shot": [["--text-encoder", f"{shipped}/text_encoder.onnx", "-o", f"{f}/zero", "-e", "dlib"]],
        "interpret": [[templates, "-m", f"{f}/it"], [templates, "-m", f"{f}/it", "-o", f"{f}/readings"]],
        "ask": [["a hat", templates, "-m", f"{f}/it"]],
        "words": [[]],
        "evaluate": [
            [f"{f}/it", f"{f}/probe", "-t", templates, "-l", labels, "--only", test, "--train", train,
             "--rounds", "40", "--by", "gender", "-o", f"{f}/evaluation"]
        ],
        "compare": [[f"{f}/evaluation", "-m", "it", "-m", "probe", "--rounds", "40"]],
        "pair": [[f"{templates}::p0/0.jpg", f"{templates}::p1/4.jpg", "-m", f"{f}/it"]],
        "captions": [[templates, "-m", f"{f}/it", "-o", f"{f}/captions.csv"]],
        "confounds": [[f"{f}/evaluation", "-m", "it", "-o", f"{f}/confounds"]],
        "erase": [["Male", templates, *split, "-o", f"{f}/erased"]],
        "figures": [[f"{f}/evaluation", "-o", f"{f}/figures", "--kind", "dots"]],
        "report": [[f"{f}/evaluation", "-o", f"{f}/report.html"]],
        "reproduce": [[f"{f}/plan.toml", "--data", f, "-o", f"{f}/run"]],
    }  # fmt: skip


def prepare(folder: Path) -> None:
    """Templates, labels, lists, a plan, a toy network with its photos, and an official-looking checkpoint."""
    import torch
    from safetensors.torch import save_file

    from clip_smu.encoders.card_files import write_card
    from clip_smu.encoders.conversion.adaface import AdaFace
    from clip_smu.labels.lists import write_list
    from clip_smu.labels.writing import write_labels
    from clip_smu.templates.shards import save_templates
    from toy_network import RIGHT, make_network, make_people

    table, labels = toy_data(FACES)
    table.vectors[:] += 1  # a mean that its few faces are known by: none is taken for a stranger
    save_templates(folder / "toy.parquet", table.vectors, table.images, toy_card())
    write_labels(labels, folder / "labels.csv")
    write_list(table.images[: FACES // 2], folder / "train.txt")
    write_list(table.images[FACES // 2 :], folder / "test.txt")
    (folder / "plan.toml").write_text(PLAN)
    (folder / "people").mkdir()
    make_people(folder / "people")
    make_network(folder / "toy.onnx")
    write_card(folder / "card.toml", RIGHT)
    torch.manual_seed(0)
    save_file(
        {f"net.{k}": v for k, v in AdaFace("ir_18").state_dict().items()}, folder / "adaface.safetensors"
    )


def main(folder: Path, *, internet: bool = True) -> None:
    """Runs them all; without ``internet`` the process dies at the first socket of that family."""
    if not internet:
        forbid_internet()
    prepare(folder)
    codes: dict[str, list[object]] = {}
    for name, lines in commands(folder).items():
        for line in lines:
            sys.argv = ["clip-smu", *name.split(), *line]
            try:
                cli.main()
                code: object = 0
            except SystemExit as stop:
                code = stop.code or 0
            codes.setdefault(name, []).append(code)
    (folder / "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), internet="--offline" not in sys.argv)
