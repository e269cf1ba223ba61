"""``clip-smu extract``: photos into templates; a killed job goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.options import Faces, Overwrite, Photos, output_option
from clip_smu.cli.progress import progress_bar
from clip_smu.cli.show import note_left_out, write
from clip_smu.errors import InputError


def extract(
    *,
    photos: Photos,
    output: Annotated[Path, output_option("Folder for the templates.")],
    encoder: Annotated[
        str, typer.Option("--encoder", "-e", help="A name of clip-smu encoders list, or onnx:PATH.")
    ] = "dlib",
    faces: Faces,
    main_face: Annotated[
        bool, typer.Option("--main-face", help="Keep one face a photo: the large and central one.")
    ] = False,
    processes: Annotated[int | None, typer.Option(help="Worker processes; default, one a core.")] = None,
    shard_photos: Annotated[
        int, typer.Option(help="Photos a shard: the most that a killed job repeats.")
    ] = 1000,
    overwrite: Overwrite = False,
) -> None:
    """Turn photos into templates. On all cores; killed and run again, it goes on.

    Example: clip-smu extract photos/ -e dlib -o templates/
    """
    from clip_smu.encoders.locate import own_encoder
    from clip_smu.photos import count_photos
    from clip_smu.storage.output_paths import require_output
    from clip_smu.templates.extraction import extract as run

    require_output(output, folder=True)
    total = count_photos(photos)
    with progress_bar("photos", total) as advance:
        done = run(
            photos, output, own_encoder(encoder, faces.card), faces.encoder_options(main_face=main_face),
            processes=processes, shard_photos=shard_photos, overwrite=overwrite, progress=advance,
        )  # fmt: skip
    resumed = f" ({done.resumed} of them done before)" if done.resumed else ""
    write(f"{done.photos} photos{resumed}: {done.templates} templates in {output}, {done.seconds:.1f} s")
    if done.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in done.rejected.items())
        write(
            f"{sum(done.rejected.values())} photos gave nothing ({reasons}); each is listed in {output / '_rejected'}"
        )
    note_left_out(done.left_out)
    if not done.templates:
        raise InputError(f"no photo gave a template; the reasons are listed in {output / '_rejected'}")
