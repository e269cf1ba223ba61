"""The command line: each command parses, calls one public function, and shows the result."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clip_smu.encoders_cli import Align, Card, Detector, Landmarks
from clip_smu.encoders_cli import app as encoders_app
from clip_smu.errors import ClipSmuError, ImageError, InputError, TemplateError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clip_smu.encoders import EncoderOptions
    from clip_smu.interpreter import Interpretation, Interpreter

app = typer.Typer(
    help="Reads face recognition templates and says in plain language which facial attributes they give away.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(encoders_app, name="encoders")

EVIDENCE = (
    "AUC, its 95 % interval and the numbers of yes and no are from persons that training did not see; labels: how "
    "often MAAD-Face's labels of this attribute agree with humans."
)
REMINDER = "What this template gives away, by an interpreter trained on machine-made labels; not a fact about a person."
_STYLES = {"encoded": "green", "not encoded": "red", "cannot tell": "bright_black"}

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO|TEMPLATES...",
        help="Photos (files, folders, globs, lists, tar shards, -) or templates (.parquet, .npy, folders of extract).",
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


@app.command()
def interpret(
    inputs: Inputs = None,
    interpreter: InterpreterName = "dlib-lfw",
    encoder: EncoderName = None,
    card: Card = None,
    example: Example = False,
    top: Annotated[int | None, typer.Option(min=0, help="Show this many attributes of each face.")] = None,
    hide: Annotated[
        str, typer.Option(help="Leave out attributes or groups: race,gender,age,Eyeglasses,sensitive ...")
    ] = "",
    attributes: Annotated[str, typer.Option(help="Show only these attributes or groups.")] = "",
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show the figures behind each reading.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a face, a line each.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One row a face and attribute.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write readings of stored templates to this folder, as Parquet."),
    ] = None,
    detector: Detector = None,
    align: Align = "default",
    landmarks: Landmarks = None,
    upsample: Upsample = None,
    jitter: Jitter = 0,
    overwrite: Overwrite = False,
) -> None:
    """Say what each face's template gives away."""
    from clip_smu.encoders import EncoderOptions
    from clip_smu.interpreter import load_interpreter

    reader = load_interpreter(interpreter)
    hidden = _hidden(reader, hide, attributes)
    if output is not None:
        _interpret_store(reader, inputs or [], output, hidden, overwrite)
        return
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other: choose one")
    layout = _Layout(top, evidence)
    show = {"json": _show_json, "csv": _csv_writer(), "text": _show_text}[
        "json" if as_json else "csv" if as_csv else "text"
    ]
    options = EncoderOptions(detector, upsample, jitter, align=align, landmarks=landmarks)
    faces = rejected = 0
    for batch in _batches(reader, inputs, encoder, card, example, options):
        for image, error in batch.rejected:
            rejected += 1
            _report(image, error, as_json)
        if len(batch.vectors):
            for (image, face), interpretation in zip(
                batch.names, reader.interpret(batch.vectors, hide=hidden), strict=True
            ):
                show(image, face, interpretation, layout)
                faces += 1
    if faces and evidence and not (as_json or as_csv):
        _print(f"[dim]{EVIDENCE}[/dim]")
    if faces and not (as_json or as_csv):
        _print(f"[dim]{REMINDER}[/dim]")
    _finish(faces, rejected)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help='A phrase or sentence, such as "wears spectacles".')],
    inputs: Inputs = None,
    interpreter: InterpreterName = "dlib-lfw",
    encoder: EncoderName = None,
    card: Card = None,
    example: Example = False,
    top: Annotated[int, typer.Option(min=1, help="Show this many faces, the best first.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a face, a line each.")] = False,
    detector: Detector = None,
    align: Align = "default",
    landmarks: Landmarks = None,
    upsample: Upsample = None,
    jitter: Jitter = 0,
) -> None:
    """Rank faces by how well their templates fit a question in free words."""
    import heapq

    from clip_smu.encoders import EncoderOptions
    from clip_smu.interpreter import load_interpreter

    reader = load_interpreter(interpreter)
    unseen = reader.unseen_words(question)
    if unseen:
        _note(
            f"the text encoder was not trained on: {', '.join(unseen)}; the order may mean little. "
            "Words that it knows: see clip-smu words"
        )
    best: list[tuple[float, int, str, int]] = []
    options = EncoderOptions(detector, upsample, jitter, align=align, landmarks=landmarks)
    faces = rejected = 0
    for batch in _batches(reader, inputs, encoder, card, example, options):
        for image, error in batch.rejected:
            rejected += 1
            _report(image, error, as_json)
        if not len(batch.vectors):
            continue
        for (image, face), score in zip(batch.names, reader.ask(question, batch.vectors).scores, strict=True):
            entry = (float(score), -faces, image, face)
            (heapq.heappush if len(best) < top else heapq.heappushpop)(best, entry)
            faces += 1
    for rank, (score, _, image, face) in enumerate(sorted(best, reverse=True), 1):
        if as_json:
            _write(
                json.dumps(
                    {"rank": rank, "image": image, "face": face, "score": round(score, 6)}, ensure_ascii=False
                )
            )
        else:
            _write(f"{rank:4d}  {score:+.4f}  {_name(image, face)}")
    _finish(faces, rejected)


@app.command()
def words(interpreter: InterpreterName = "dlib-lfw") -> None:
    """List the words that an interpreter's text encoder was trained on."""
    from clip_smu.interpreter import load_interpreter

    _write("\n".join(sorted(load_interpreter(interpreter).known_words)))


@app.command()
def extract(
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO...", help="Files, folders, globs, list files, tar shards, or -."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the templates.")],
    encoder: Annotated[
        str, typer.Option("--encoder", "-e", help="A name of clip-smu encoders list, or onnx:PATH.")
    ] = "dlib",
    card: Card = None,
    detector: Detector = None,
    align: Align = "default",
    landmarks: Landmarks = None,
    upsample: Upsample = None,
    jitter: Jitter = 0,
    main_face: Annotated[
        bool, typer.Option("--main-face", help="Keep one face a photo: the large and central one.")
    ] = False,
    processes: Annotated[int | None, typer.Option(help="Worker processes; default, one a core.")] = None,
    shard_photos: Annotated[
        int, typer.Option(help="Photos a shard: the most that a killed job repeats.")
    ] = 1000,
    overwrite: Overwrite = False,
) -> None:
    """Turn photos into templates, on all cores; killed and run again, it goes on."""
    from clip_smu.encoders import EncoderOptions
    from clip_smu.encoders.cards import own_encoder
    from clip_smu.extraction import extract as run
    from clip_smu.photos import count_photos

    options = EncoderOptions(detector, upsample, jitter, main_face, align, landmarks)
    total = count_photos(photos)
    with _progress("photos", total) as advance:
        done = run(
            photos, output, own_encoder(encoder, card), options,
            processes=processes, shard_photos=shard_photos, overwrite=overwrite, progress=advance,
        )  # fmt: skip
    resumed = f" ({done.resumed} of them done before)" if done.resumed else ""
    _write(f"{done.photos} photos{resumed}: {done.templates} templates in {output}, {done.seconds:.1f} s")
    if done.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
        _write(
            f"{sum(done.rejected.values())} photos gave nothing ({reasons}); each is listed in {output / '_rejected'}"
        )
    if not done.templates:
        raise InputError(f"no photo gave a template; the reasons are listed in {output / '_rejected'}")


@app.command()
def fit(
    templates: Annotated[
        str, typer.Argument(help="Folder made by clip-smu extract, or a file of templates.")
    ],
    labels: Annotated[str, typer.Option("--labels", "-l", help="csv in the MAAD form.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the interpreter.")],
    train: Annotated[str | None, typer.Option(help="List of the photos to fit on; default, all.")] = None,
    test: Annotated[
        str | None, typer.Option(help="List of photos of other persons to measure the evidence on.")
    ] = None,
    feeding: Annotated[
        str | None, typer.Option(help="JSON of clip-smu encoders check --json, kept with the evidence.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the interpreter; default, the folder's.")] = None,
    objective: Annotated[str, typer.Option(help="Training objective.")] = "attribute",
    error_rate: Annotated[
        float, typer.Option(help="Share of wrong verdicts that the thresholds are chosen for.")
    ] = 0.10,
    steps: Annotated[int, typer.Option(help="Most optimiser steps of one training.")] = 500,
    batch_size: Annotated[int, typer.Option(help="Templates a step.")] = 2048,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    folds: Annotated[int, typer.Option(help="Identity folds for early stopping and calibration.")] = 5,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit an interpreter to the templates of one encoder."""
    import clip_smu

    run, config = clip_smu.fit, clip_smu.FitConfig
    settings = config(
        objective=objective, steps=steps, batch_size=batch_size, learning_rate=learning_rate,
        folds=folds, error_rate=error_rate, seed=seed,
    )  # fmt: skip
    with _stages() as progress:
        made = run(
            templates, labels, output,
            train=train, test=test, config=settings, feeding=feeding, name=name,
            overwrite=overwrite, progress=progress,
        )  # fmt: skip
    verdicts = made.provenance["verdicts"]
    aucs = [row.auc for row in made.evidence if row.auc == row.auc]
    _write(
        f"{made.name}: mean AUC {sum(aucs) / len(aucs):.4f} over {len(aucs)} attributes, "
        f"from {made.provenance['evidence_from']}"
    )
    _write(
        f"wrong verdicts {verdicts['error']:.1%} (chosen: at most {error_rate:.0%}), "
        f"coverage {verdicts['coverage']:.1%}, "
        f"calibration error {verdicts['ece_pooled']:.3f}; written to {output}"
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    top: int | None
    evidence: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Some faces: names (image, face) and (N, d) vectors; and inputs that gave nothing."""

    names: list[tuple[str, int]]
    vectors: NDArray[np.float32]
    rejected: list[tuple[str, ClipSmuError]]


def _batches(
    reader: Interpreter,
    inputs: list[str] | None,
    encoder: str | None,
    card_file: Path | None,
    example: bool,
    options: EncoderOptions,
) -> Iterator[_Batch]:
    """Faces of templates and photos alike, in the order of the command line (templates first)."""
    import numpy as np

    from clip_smu.example import example_photo

    given = [*(inputs or []), *([str(example_photo())] if example else [])]
    if not given:
        raise InputError("nothing to read: give photos or templates, or --example")
    stored = [one for one in given if one != "-" and _is_templates(Path(one))]
    photos = [one for one in given if one not in stored]
    for one in stored:
        yield from _stored(reader, one)
    if not photos:
        return
    from clip_smu.encoders import card, load_encoder
    from clip_smu.encoders.cards import own_encoder
    from clip_smu.encoding import encode_photos
    from clip_smu.photos import iter_photos

    name = own_encoder(encoder or reader.encoder, card_file)
    reader.check_templates(card(name), None)
    stream = iter_photos(photos)
    first = next(stream)  # a wrong path is said before a model is loaded
    model = load_encoder(name, options)
    for photo in _chain(first, stream):
        (outcome,) = encode_photos(model, [photo])
        rejected = [(photo.name, outcome.error)] if outcome.error else []
        vectors = np.array([face.template for face in outcome.faces], dtype=np.float32).reshape(
            -1, reader.dim
        )
        yield _Batch([(photo.name, index) for index in range(len(vectors))], vectors, list(rejected))


def _stored(reader: Interpreter, path: str) -> Iterator[_Batch]:
    from clip_smu.interpreter import usable, why_unusable
    from clip_smu.templates import iter_templates

    for part in iter_templates(path):
        reader.check_templates(part.card, part.vectors.shape[1])
        names = list(zip(part.images, part.faces.tolist(), strict=True))
        good = usable(part.vectors)
        rejected: list[tuple[str, ClipSmuError]] = [
            (_name(*name), TemplateError(f"the template is {why_unusable(row)}"))
            for name, row, fine in zip(names, part.vectors, good, strict=True)
            if not fine
        ]
        yield _Batch(
            [name for name, fine in zip(names, good, strict=True) if fine], part.vectors[good], rejected
        )


def _is_templates(path: Path) -> bool:
    """Whether an input is stored templates; decided without importing PyArrow, for a quick start with photos."""
    if path.is_dir():
        return any(path.glob("*.parquet"))
    return path.suffix.lower() in (".parquet", ".npy")


def _interpret_store(
    reader: Interpreter, inputs: list[str], output: Path, hidden: list[int], overwrite: bool
) -> None:
    from clip_smu.readings import interpret_store

    if len(inputs) != 1 or not _is_templates(Path(inputs[0])) or inputs[0].endswith(".npy"):
        raise InputError(
            "--output writes the readings of one store of templates (a .parquet file or folder): give exactly one"
        )
    with _progress("templates", None) as advance:
        done = interpret_store(reader, inputs[0], output, hide=hidden, overwrite=overwrite, progress=advance)
    _write(f"{done.rows} templates read into {output}")
    if done.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
        _finish(
            done.rows - sum(done.rejected.values()),
            sum(done.rejected.values()),
            f" ({reasons}); see column rejected",
        )


def _hidden(reader: Interpreter, hide: str, only: str) -> list[int]:
    """Columns of the interpreter to leave out."""
    from clip_smu.attributes import ATTRIBUTES, resolve

    def names(text: str) -> set[str]:
        return {ATTRIBUTES[row].name for row in resolve([part for part in text.split(",") if part.strip()])}

    hidden, shown = names(hide), names(only) if only else set(reader.attributes)
    columns = [k for k, name in enumerate(reader.attributes) if name in hidden or name not in shown]
    if len(columns) == len(reader.attributes):
        raise InputError("no attribute is left to show: loosen --hide or --attributes")
    return columns


def _show_text(image: str, face: int, interpretation: Interpretation, layout: _Layout) -> None:
    from rich.table import Table
    from rich.text import Text

    _print(Text(_name(image, face), style="bold"))
    _print(Text(interpretation.sentence))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("attribute")  # the only column that wraps in a narrow terminal
    for title in ("probability", "score", *(("AUC", "95 %", "yes/no", "labels") if layout.evidence else ())):
        table.add_column(title, justify="right", no_wrap=True)
    for reading in interpretation.readings[: layout.top]:
        figures = [f"{reading.probability:.0%}", f"{reading.score:+.3f}"]
        if layout.evidence:
            known = reading.evidence
            figures += [
                f"{known.auc:.3f}",
                f"{known.low:.3f}-{known.high:.3f}",
                f"{known.n_positive}/{known.n_negative}",
                f"{known.label_accuracy:.0%}",
            ]
        table.add_row(Text(reading.verdict, style=_STYLES[reading.verdict]), reading.label, *figures)
    if layout.top != 0:
        _print(table)
    _print("")


def _show_json(image: str, face: int, interpretation: Interpretation, layout: _Layout) -> None:
    readings = [
        reading.to_dict(evidence=layout.evidence) for reading in interpretation.readings[: layout.top]
    ]
    _write(
        json.dumps(
            {"image": image, "face": face, "sentence": interpretation.sentence, "readings": readings},
            ensure_ascii=False,
        )
    )


def _csv_writer() -> Callable[[str, int, Interpretation, _Layout], None]:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    header: list[str] = []

    def show(image: str, face: int, interpretation: Interpretation, layout: _Layout) -> None:
        for reading in interpretation.readings[: layout.top]:
            row = {"image": image, "face": face, **reading.to_dict()}
            if layout.evidence:
                known = reading.evidence
                row |= {"auc": known.auc, "low": known.low, "high": known.high}
            if not header:
                header.extend(row)
                writer.writerow(header)
            writer.writerow(row.values())

    return show


def _report(image: str, error: ClipSmuError, as_json: bool) -> None:
    """Says what gave nothing, and why: to standard error, and in JSON as a row of its own."""
    reason = error.reason if isinstance(error, ImageError) else "unusable-template"
    if as_json:
        _write(json.dumps({"image": image, "rejected": reason, "message": str(error)}, ensure_ascii=False))
    _note(f"{image}: {error}")


def _finish(done: int, rejected: int, more: str = "") -> None:
    if rejected:
        if done + rejected > 1:
            _note(f"{rejected} of {done + rejected} gave nothing{more}")
        raise typer.Exit(1)


def _name(image: str, face: int) -> str:
    return image if face == 0 else f"{image} (face {face + 1})"


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error with rate and time left; only where someone watches."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:,.1f} {what}/s" if task.speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def _stages() -> Iterator[Callable[[str, int, int], None]]:
    """Bars on standard error, one for each stage of a fit."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        yield update


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _print(what: Any) -> None:
    from rich.console import Console

    Console(highlight=False).print(what)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")


def _note(line: str) -> None:
    sys.stderr.write(f"clip-smu: {_one_line(line)}\n")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    """Runs the command line; an expected error is one line and exit code 1."""
    import os

    try:
        app()
    except ClipSmuError as error:
        _note(str(error))
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        _note("stopped; run the same command again to go on")
        sys.exit(130)


if __name__ == "__main__":
    main()
