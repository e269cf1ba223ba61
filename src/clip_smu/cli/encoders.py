"""``clip-smu encoders``: list, show, pull, convert, check, heads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from clip_smu.cli.commands import commands
from clip_smu.cli.encoders_check import check
from clip_smu.cli.options import Alignment, AsJson, Card, EncoderArgument, Photos
from clip_smu.cli.progress import byte_bar
from clip_smu.cli.show import note_left_out, write
from clip_smu.errors import InputError


def list_encoders(as_json: AsJson = False) -> None:
    """List the encoders, and which of them are ready to use.

    Example: clip-smu encoders list
    """
    from clip_smu.encoders.converted import converted
    from clip_smu.encoders.known import CARDS
    from clip_smu.encoders.weights import weights_folder

    rows = [(row, weights_folder(row.name) / row.filename if row.filename else None) for row in CARDS]
    rows += [(row, weights_folder(row.name) / row.filename) for row in converted()]
    if as_json:
        values = [{**row.to_dict(), "ready": path is None or path.is_file()} for row, path in rows]
        write(json.dumps(values, ensure_ascii=False))
        return
    for row, path in rows:
        if path is None or path.is_file():
            state = "ready" if path else "with the extra [dlib]"
        else:
            state = f"pull{', --accept-licence' if row.restricted else ''}" if row.sha256 else "convert"
        write(f"{row.name:21} {row.dim:4d}  {state:24} {row.family}")


def show(encoder: EncoderArgument, card: Card = None) -> None:
    """Show the card of one encoder, as TOML that --card takes.

    Example: clip-smu encoders show adaface-ir50
    """
    from clip_smu.encoders.card_files import card_toml
    from clip_smu.encoders.locate import locate, own_encoder

    row, path = locate(own_encoder(encoder, card))
    write(card_toml(row).rstrip())
    if path is not None:
        write(f"# weights: {path}, {'there' if path.is_file() else 'not there yet'}")
    if not row.sha256:
        write("# sha256: not known; it is computed when the checkpoint is converted")


def pull(
    encoder: EncoderArgument,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You accept the licence of the weights.")
    ] = False,
) -> None:
    """Fetch the weights of an encoder. Broken off and run again, it goes on.

    Example: clip-smu encoders pull arcface-mbf --accept-licence
    """
    from clip_smu.encoders.downloads import pull as run
    from clip_smu.encoders.known import CARDS
    from clip_smu.encoders.locate import card

    row = next((one for one in CARDS if one.name == encoder), None) or card(encoder)
    write(f"{row.name}: licence of the code {row.licence_code}, of the weights {row.licence_weights}")
    with byte_bar() as progress:
        pulled = run(row, accept_licence=accept_licence, progress=progress)
    write(f"{'fetched' if pulled.fetched else 'there already'}: {pulled.path}")
    if pulled.convert:
        write(f"now run: clip-smu encoders convert {pulled.path} --architecture {row.name}")


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Official checkpoint; no code in it is run.")],
    architecture: Annotated[str, typer.Option(help="What it is: adaface-ir50, swinface, clip-vit-b32 ...")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder; default, where -e finds it by its name."),
    ] = None,
    flip_fusion: Annotated[
        bool, typer.Option("--flip-fusion", help="AdaFace: add the mirror image's vector.")
    ] = False,
    channels: Annotated[
        str | None,
        typer.Option(
            help="RGB or BGR, if this checkpoint was trained otherwise than its architecture's card says."
        ),
    ] = None,
) -> None:
    """Turn an official checkpoint into ONNX and a card.

    Accepted only if both give the same numbers. It is called by its architecture and the first eight digits of the
    checkpoint's sha256: two checkpoints, two names.

    Example: clip-smu encoders convert adaface_ir50_ms1mv2.ckpt --architecture adaface-ir50
    """
    from clip_smu.encoders.card_files import CARD_FILE, write_card
    from clip_smu.encoders.converted import checkpoint_name, converted_card
    from clip_smu.encoders.weights import weights_folder
    from clip_smu.storage.digests import file_digest
    from clip_smu.storage.output_paths import require_output
    from clip_smu.storage.textfiles import require_file

    if channels not in (None, "RGB", "BGR"):
        raise InputError(f"--channels is RGB or BGR, not {channels!r}")
    from clip_smu.encoders.conversion.convert import convert as run

    if output is not None:
        require_output(output, folder=True)
    require_file(checkpoint, "a checkpoint")
    called = checkpoint_name(architecture, file_digest(checkpoint), flip_fusion=flip_fusion)
    folder = output or weights_folder(called)
    done = run(checkpoint, architecture, folder, flip_fusion=flip_fusion)
    write(f"{done.path}: sha256 {done.sha256}, opset {done.opset}")
    write(f"largest difference from PyTorch: {done.largest_difference:.1e} of the largest number")
    row = converted_card(done.architecture, called, done.path, done.sha256, checkpoint.name, channels)
    if row is not None:
        write_card(folder / CARD_FILE, row)
        used = f"-e {called}" if output is None else f"-e onnx:{done.path}"
        write(f"{folder / CARD_FILE}: use it with {used}")


def heads(
    *,
    encoder: EncoderArgument,
    photos: Photos,
    faces: Alignment,
) -> None:
    """Read SwinFace's 42 heads from photos. One JSON object a face: an image-side reference.

    Example: clip-smu encoders heads onnx:swinface-heads.onnx photos/
    """
    from clip_smu.encoders.heads import read_heads
    from clip_smu.encoders.load import load_encoder
    from clip_smu.encoders.onnx import OnnxEncoder
    from clip_smu.photos import iter_photos

    model = load_encoder(encoder, faces.encoder_options(), card_file=faces.card)
    if not isinstance(model, OnnxEncoder):
        raise InputError(f"{encoder} has no heads: give onnx:PATH of a converted swinface-heads")
    rejected = 0
    stream = iter_photos(photos)
    for face in read_heads(model, stream):
        rejected += face.error is not None
        write(json.dumps(face.to_dict(), ensure_ascii=False))
    note_left_out(stream.left_out)
    if rejected:
        raise typer.Exit(1)


app = commands(
    "The face recognition models whose templates can be read.",
    {
        "list": list_encoders,
        "show": show,
        "pull": pull,
        "convert": convert,
        "check": check,
        "heads": heads,
    },
)
