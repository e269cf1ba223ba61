"""Each option once: its type, its name and its help; and those that belong together, as bundles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clip_smu.errors import InputError

if TYPE_CHECKING:
    from clip_smu.encoders.encoder import EncoderOptions
    from clip_smu.templates import Store
    from clip_smu.training.sources import SourceSpec

# ---------------------------------------------------------------- one by one


def output_option(what: str) -> Any:
    """``-o``, with what is written there."""
    return typer.Option("--output", "-o", help=what)


def method_option(what: str) -> Any:
    """``-m``, with what kind of method it takes, and which."""
    return typer.Option("--method", "-m", help=what)


def templates_option(what: str) -> Any:
    """``-t``, with what the templates are for."""
    return typer.Option("--templates", "-t", help=what)


def labels_option(what: str) -> Any:
    """``-l``, with what the labels are for."""
    return typer.Option("--labels", "-l", help=what)


Card = Annotated[Path | None, typer.Option("--card", help="Card of an encoder given as onnx:PATH.")]
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO|TEMPLATES...",
        help="Photos (files, folders, globs, lists, tar shards, -) or templates (folders of extract, .parquet, .npy, "
        ".npz, .csv, .jsonl, .h5).",
    ),
]
Photos = Annotated[
    list[str],
    typer.Argument(metavar="PHOTO...", help="Files, folders, globs, list files, tar shards, or -."),
]
Templates = Annotated[str, typer.Argument(help="Folder made by clip-smu extract, or a file of templates.")]
MaybeTemplates = Annotated[
    str | None,
    typer.Argument(help="Folder made by clip-smu extract, or a file of templates; or give --data."),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="NAME=TEMPLATES,LABELS[,TRAIN[,TEST]]",
        help="One of several data sets of one encoder, in place of TEMPLATES and its options; or a .toml file of them. "
        "A path with a comma stands in double quotes.",
    ),
]
EncoderArgument = Annotated[
    str, typer.Argument(metavar="ENCODER", help="A name of clip-smu encoders list, or onnx:PATH.")
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", "-e", help="Encoder for photos, or onnx:PATH; default, the method's."),
]
InterpreterName = Annotated[str, method_option("Interpreter: dlib-faces, or a folder made by clip-smu fit.")]
MethodName = Annotated[
    str, method_option("Interpreter or probe: dlib-faces, or a folder made by clip-smu fit or probe.")
]
Example = Annotated[
    bool, typer.Option("--example", help="Read the photo of an astronaut that ships inside scikit-image.")
]
Labels = Annotated[str, labels_option("csv or Parquet in the MAAD form.")]
MaybeLabels = Annotated[str | None, labels_option("csv or Parquet in the MAAD form.")]
Only = Annotated[str | None, typer.Option("--only", help="List of the photos that count; default, all.")]
Train = Annotated[
    str | None, typer.Option("--train", help="List of the photos to fit or calibrate on; default, all.")
]
Test = Annotated[
    str | None, typer.Option("--test", help="List of photos of other persons to measure the evidence on.")
]
Column = Annotated[
    str | None,
    typer.Option(
        help="Column of the templates in files of others: of Parquet or JSON, an array of .npz, a dataset of HDF5, "
        "what numbered columns of a csv begin with; default, template, embedding, vector or the like."
    ),
]
Hide = Annotated[
    str, typer.Option(help="Leave out attributes or groups: race,gender,age,Eyeglasses,sensitive ...")
]
Style = Annotated[
    str,
    typer.Option(
        help="Of the sentences: short, full (all that is asserted), technical, or paper (its caption)."
    ),
]
Check = Annotated[
    str | None,
    typer.Option(
        help="JSON of clip-smu encoders check --json, kept with the evidence; evaluate's default, an interpreter's own."
    ),
]
Name = Annotated[str | None, typer.Option("--name", help="Its name; default, the folder's.")]
ErrorRate = Annotated[float, typer.Option(help="Share of wrong verdicts that the thresholds are chosen for.")]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what the output folder holds.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a face, a line each.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="The rows as csv on standard output.")]
EvidenceSource = Annotated[
    str, typer.Argument(help="Folder of reproduce, evaluate, fit or probe; or dlib-faces, which ships.")
]
AllowUnfinished = Annotated[
    bool, typer.Option("--allow-unfinished", help="Take what an unfinished run has so far.")
]

# ---------------------------------------------------------------- bundles


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where a photo's faces are, and how each is cut out for an encoder."""

    card: Card = None
    detector: Annotated[
        str | None,
        typer.Option(
            help="mtcnn, hog, cnn, scrfd, retinaface, yolov5, yolov8 or none; default, the encoder's own: "
            "hog for dlib, mtcnn for all others."
        ),
    ] = None
    align: Annotated[str, typer.Option(help="default, or none: each photo is already the aligned crop.")] = (
        "default"
    )
    landmarks: Annotated[
        str | None, typer.Option(help="csv in VGGFace2's loose_landmark form, instead of a detector.")
    ] = None

    def encoder_options(self, *, main_face: bool = False) -> EncoderOptions:
        from clip_smu.encoders.encoder import EncoderOptions

        return EncoderOptions(self.detector, main_face=main_face, align=self.align, landmarks=self.landmarks)


@dataclass(frozen=True, slots=True)
class Faces(Alignment):
    """As :class:`Alignment`, where the templates are kept or read."""

    upsample: Annotated[
        int | None,
        typer.Option(
            help="Double the photo this often before detection; default, only where no face is found."
        ),
    ] = None
    jitter: Annotated[int, typer.Option(help="Average the templates of this many slightly moved crops.")] = 0

    def encoder_options(self, *, main_face: bool = False) -> EncoderOptions:
        return replace(
            Alignment.encoder_options(self, main_face=main_face), upsample=self.upsample, jitter=self.jitter
        )


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Labelled templates of one encoder, of one data set or several, and which photos of them train and test."""

    templates: MaybeTemplates = None
    labels: MaybeLabels = None
    train: Train = None
    test: Test = None
    data: Sources = None
    column: Column = None

    @property
    def store(self) -> Store | None:
        return None if self.templates is None else store(self.templates, self.column)

    @property
    def sources(self) -> list[SourceSpec]:
        from clip_smu.training.sources import named_sources

        named = named_sources(self.data or [])
        return [replace(one, templates=store(str(one.templates), self.column)) for one in named]


def store(templates: str, column: str | None) -> Store:
    """Stored templates, as the user named them."""
    from clip_smu.templates import Store

    return Store(templates, column)


def one_form(as_json: bool, as_csv: bool) -> None:
    """Refuses both."""
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other: choose one")
