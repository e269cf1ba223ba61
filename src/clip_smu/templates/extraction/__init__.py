"""Photos → templates on disk: all cores, atomic shards, resumable, nothing lost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from clip_smu.encoders.encoder import EncoderOptions
from clip_smu.encoders.load import load_encoder
from clip_smu.encoders.locate import card
from clip_smu.errors import InputError
from clip_smu.photos import iter_photos
from clip_smu.storage.job_folders import claim_folder, writes_folder
from clip_smu.templates.extraction.shards import Shards
from clip_smu.templates.extraction.workers import Workers

SHARD_PHOTOS = 1000  # photos a shard: the most that a killed job repeats


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction gave.

    Attributes:
        photos: photos seen, in this run and before.
        templates: faces with a template.
        rejected: number of photos that gave nothing, by reason.
        resumed: photos that an earlier run had already done.
        left_out: number of files that are no photos, by suffix.
        seconds: wall time of this run.
    """

    photos: int
    templates: int
    rejected: dict[str, int]
    resumed: int
    left_out: dict[str, int]
    seconds: float


@writes_folder
def extract(
    photos: Sequence[str | Path],
    output: str | Path,
    encoder: str = "dlib",
    options: EncoderOptions | None = None,
    *,
    processes: int | None = None,
    shard_photos: int = SHARD_PHOTOS,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Extraction:
    """Extracts templates from photos into a folder of Parquet shards.

    Killed at any moment and run again, the folder ends up byte for byte as after one run; photos are known by their
    content, so those that changed are read again. A photo that gives nothing (unreadable, no face) is a row with its
    reason under ``_rejected/``.

    Args:
        photos: files, folders, globs, list files, tar shards, or ``-``; see :mod:`clip_smu.photos`.
        output: folder for ``part-NNNNN.parquet`` and ``_rejected/part-NNNNN.parquet``.
        encoder: a name from :data:`clip_smu.encoders.known.CARDS`, or ``onnx:PATH?card=CARD.toml``.
        options: detection and alignment.
        processes: worker processes; default, one a core; 1 works in this process, which a photo could then end.
        shard_photos: photos a shard.
        overwrite: replace what another job left in ``output``.
        progress: called with the number of photos done since the last call.

    Raises:
        InputError: a path does not exist, or ``output`` holds another job.
        EncoderError, MissingExtraError: the encoder cannot be loaded.
        StorageError: the disk is full; finished shards are kept.

    Example:
        >>> import tempfile
        >>> from clip_smu.photos.example import example_photo
        >>> done = extract([example_photo()], tempfile.mkdtemp() + "/templates", processes=1)
        >>> done.templates, done.rejected
        (1, {})
    """
    started = time.perf_counter()
    if shard_photos < 1 or (processes is not None and processes < 1):
        raise InputError("the number of processes and of photos a shard must be at least 1")
    options = options or EncoderOptions()
    output = Path(output)
    row = card(encoder)
    job = {
        "command": "extract",
        "encoder": row.to_dict(),
        "options": asdict(options),
        "shard_photos": shard_photos,
    }
    with Workers(partial(load_encoder, encoder, options), processes) as workers:
        stream = iter_photos(photos)
        first = next(stream)  # a wrong path is said before anything is written
        claim_folder(output, job, overwrite=overwrite, private=True)
        shards = Shards(output, row, shard_photos, progress)
        outcomes = workers.run(shards.unfinished(itertools.chain([first], stream)))
        for number, chunks in itertools.groupby(outcomes, key=lambda pair: pair[0]):
            seen = []
            for _, chunk in chunks:
                seen += chunk
                if progress:
                    progress(len(chunk))
            shards.write(number, seen)
    shards.finish()
    return Extraction(
        shards.photos,
        shards.templates,
        dict(sorted(shards.rejected.items())),
        shards.resumed,
        dict(sorted(stream.left_out.items())),
        time.perf_counter() - started,
    )
