"""``clip-smu reproduce``: from photos and labels to tables and figures, by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.options import Overwrite
from clip_smu.cli.show import stage_bars, write
from clip_smu.errors import MissingExtraError


def reproduce(
    plan: Annotated[str, typer.Argument(help="lfw, paper-vggface2, celeba, or a TOML file like them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the run.")],
    data: Annotated[Path, typer.Option(help="Folder that the plan's file names start in.")] = Path(),
    weights: Annotated[
        Path | None, typer.Option(help="Folder of the plan's ONNX files; default, --data.")
    ] = None,
    encoders: Annotated[str, typer.Option(help="Only these of the plan's encoders: dlib,mbf ...")] = "",
    methods: Annotated[str, typer.Option(help="Only these of the plan's methods: attribute,mlp ...")] = "",
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
    """Repeat the paper's experiment: templates, fits, probes, evaluation, confounds, erasure, tables, figures."""
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
        encoders=_names(encoders),
        methods=_names(methods),
        text_encoder=text_encoder,
    )
    with stage_bars(log=True) as progress:
        made = run(chosen, output, smoke=smoke, overwrite=overwrite, progress=progress)
    write((made.folder / "results.md").read_text(encoding="utf-8").rstrip())
    write(f"{made.done} stages run, {made.kept} kept, {made.seconds:.0f} s; all of it in {made.folder}")


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
