"""``clip-smu encoders check``: persons verified with an encoder, to find out whether its preprocessing is right."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clip_smu.cli.options import Alignment, AsJson, EncoderArgument, Photos, Seed
from clip_smu.cli.progress import progress_bar
from clip_smu.cli.show import note, note_left_out, write
from clip_smu.errors import InputError

if TYPE_CHECKING:
    from clip_smu.encoders.preprocessing_check import PreprocessingCheck


def check(
    *,
    encoder: EncoderArgument,
    photos: Photos,
    pairs: Annotated[
        Path | None, typer.Option(help="LFW's pairs.txt, or a csv with the columns a,b,same.")
    ] = None,
    identities: Annotated[
        bool, typer.Option("--identities", help="Draw pairs; the folder of a photo is its person.")
    ] = False,
    count: Annotated[int, typer.Option(min=4, help="Pairs to draw with --identities.")] = 6000,
    variant_pairs: Annotated[
        int, typer.Option(min=0, help="Pairs on which other preprocessing is tried; 0 for none.")
    ] = 1000,
    faces: Alignment,
    threads: Annotated[int | None, typer.Option(min=1, help="Default, one a core.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Find out whether an encoder's preprocessing is right. Persons are verified with it.

    Example: clip-smu encoders check dlib lfw/images.tar --pairs pairs.txt
    """
    from clip_smu.encoders.load import load_encoder
    from clip_smu.encoders.preprocessing_check import check_preprocessing
    from clip_smu.metrics.pairs import pairs_of_identities, read_pairs
    from clip_smu.photos import iter_photos

    if (pairs is None) != identities:
        raise InputError("give either --pairs pairs.txt or --identities")
    stream = iter_photos(photos)
    known = list(stream)
    if pairs is not None:
        chosen = read_pairs(pairs)
    else:
        chosen = pairs_of_identities([(photo.name, photo.identity) for photo in known], count, seed)
    loaded = load_encoder(
        encoder,
        faces.encoder_options(main_face=True),
        card_file=faces.card,
        threads=threads or os.cpu_count() or 1,
    )
    with progress_bar("photos", len({*chosen.first, *chosen.second})) as progress:
        found = check_preprocessing(loaded, known, chosen, variant_pairs=variant_pairs, progress=progress)
    if as_json:
        write(json.dumps(found.to_dict(), ensure_ascii=False))
    else:
        _show(found)
    note_left_out(stream.left_out)
    if found.misfed:
        raise typer.Exit(1)


def _show(found: PreprocessingCheck) -> None:
    figures = found.figures
    lost = ", ".join(f"{count} {reason}" for reason, count in found.rejected.items())
    write(
        f"{found.encoder}: accuracy {figures.accuracy:.2%} (sd {figures.accuracy_sd:.2%} over folds), "
        f"{_tar(figures.tar)}, AUC {figures.auc:.5f}, d' {figures.d_prime:.3f}, "
        f"mean score same {figures.mean_same:.3f}, different {figures.mean_different:.3f}"
    )
    write(
        f"{figures.n_same} pairs of one person, {figures.n_different} of two; {found.photos} photos"
        + (f", {lost}; {found.pairs_left_out} pairs left out" if lost else "")
    )
    if found.compared is not None:
        write("")
        write(
            f"{'preprocessing, same pairs':34} {'accuracy':>8} {'AUC':>8} {'same':>7} {chr(100) + chr(39):>7}  p of d'"
        )
        rows = [("as the card says", found.compared, None)]
        rows += [(one.name, one.figures, one) for one in found.variants]  # type: ignore[misc]
        for name, row, variant in rows:
            p = (
                ""
                if variant is None
                else f"{variant.paired.d_prime_p:8.1g}{'  better' if variant.better else ''}"
            )
            write(f"{name:34} {row.accuracy:8.2%} {row.auc:8.5f} {row.mean_same:7.3f} {row.d_prime:7.3f} {p}")
        if not found.misfed:
            write("preprocessing right: no other separates persons significantly better")
    for advice in found.misfed:
        note(advice)


def _tar(rates: Any) -> str:
    return ", ".join(f"TAR {value:.2%} at FAR {far}" for far, value in rates.items())
