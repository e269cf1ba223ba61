"""``clip-smu reproduce``: from photos and labels to tables and figures, by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.options import Overwrite, method_option, output_option
from clip_smu.cli.progress import stage_bars
from clip_smu.cli.show import write
from clip_smu.errors import MissingExtraError


def reproduce(
    plan: Annotated[str, typer.Argument(help="lfw, paper-vggface2, celeba, or a TOML file like them.")],
    output: Annotated[Path, output_option("Folder for the run.")],
    data: Annotated[Path, typer.Option(help="Folder that the plan's file names start in.")] = Path(),
    weights: Annotated[
        Path | None, typer.Option(help="Folder of the plan's ONNX files; default, --data.")
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option("--encoder", "-e", help="Only this one of the plan's encoders; may be repeated."),
    ] = None,
    method: Annotated[
        list[str] | None, method_option("Only this one of the plan's methods; may be repeated.")
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(help="In place of the plan's CLIP: a name on the Hugging Face Hub, or a local folder."),
    ] = None,
    smoke: Annotated[
        bool,
        typer.Option(
            "--smoke", help="Everything on a few hundred photos with short trainings: shows that it works."
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Repeat the paper's experiment, from photos to figures.

    Templates, fits, probes, evaluation, confounds, erasure, tables, figures.

    Example: clip-smu reproduce lfw --data lfw/ -o run/
    """
    from importlib.util import find_spec

    for package, extra in (("torch", "train"), ("matplotlib", "report")):
        if find_spec(package) is None:
            raise MissingExtraError("reproduce", extra)
    from clip_smu.reproduction import read_plan
    from clip_smu.reproduction import reproduce as run

    chosen = read_plan(
        plan,
        data=data,
        weights=weights,
        encoders=encoder or [],
        methods=method or [],
        text_encoder=text_encoder,
    )
    with stage_bars(log=True) as progress:
        made = run(chosen, output, smoke=smoke, overwrite=overwrite, progress=progress)
    write((made.folder / "results.md").read_text(encoding="utf-8").rstrip())
    write(f"{made.done} stages run, {made.kept} kept, {made.seconds:.0f} s; all of it in {made.folder}")
