"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clip_smu.errors import InputError

if TYPE_CHECKING:
    from clip_smu.templates import Store

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO|TEMPLATES...",
        help="Photos (files, folders, globs, lists, tar shards, -) or templates (folders of extract, .parquet, .npy, "
        ".npz, .csv, .jsonl, .h5).",
    ),
]
InterpreterName = Annotated[
    str, typer.Option("--interpreter", "-i", help="dlib-lfw, or a folder made by clip-smu fit.")
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", "-e", help="Encoder for photos, or onnx:PATH; default, the interpreter's."),
]
Example = Annotated[
    bool, typer.Option("--example", help="Read the photo of an astronaut that ships inside scikit-image.")
]
Upsample = Annotated[
    int | None,
    typer.Option(help="Double the photo this often before detection; default, only where no face is found."),
]
Jitter = Annotated[int, typer.Option(help="Average the templates of this many slightly moved crops.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what the output folder holds.")]
Card = Annotated[Path | None, typer.Option("--card", help="Card of an encoder given as onnx:PATH.")]
Detector = Annotated[
    str | None,
    typer.Option(
        help="mtcnn, hog, cnn, scrfd, retinaface, yolov5, yolov8 or none; default, the encoder's own: "
        "hog for dlib, mtcnn for all others."
    ),
]
Align = Annotated[str, typer.Option(help="default, or none: each photo is already the aligned crop.")]
Hide = Annotated[
    str, typer.Option(help="Leave out attributes or groups: race,gender,age,Eyeglasses,sensitive ...")
]
Landmarks = Annotated[
    str | None, typer.Option(help="csv in VGGFace2's loose_landmark form, instead of a detector.")
]
Column = Annotated[
    str | None,
    typer.Option(
        help="Column of the templates in files of others: of Parquet or JSON, an array of .npz, a dataset of HDF5, "
        "what numbered columns of a csv begin with; default, template, embedding, vector or the like."
    ),
]


AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="The rows as csv on standard output.")]


def store(templates: str, column: str | None) -> Store:
    """Stored templates, as the user named them."""
    from clip_smu.templates import Store

    return Store(templates, column)


def one_form(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other: choose one")
