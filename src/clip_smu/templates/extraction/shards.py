"""The shards of an extraction: which are done, for these photos and this content, and how one is written."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.encoder import Face
from clip_smu.encoders.encoding import Outcome, content_of
from clip_smu.errors import InputError, TemplateError
from clip_smu.photos import Photo
from clip_smu.storage.digests import bytes_digest, lines_digest
from clip_smu.templates.seal import check_seal
from clip_smu.templates.shards import (
    REJECTED,
    REJECTED_SCHEMA,
    read_note,
    shard_note,
    template_schema,
    write_shard,
)

CHUNK_PHOTOS = 32  # photos a worker takes at once; MTCNN is fastest with 16 and more of one size
_CHUNK_BYTES = 64 << 20  # of photos that were streamed
_HELD_BYTES = 256 << 20  # of streamed photos that wait until it is known whether their shard is done

Row = dict[str, Any]


class Shards:
    """Cuts the stream of photos into numbered shards, skips those that are done, and counts.

    A shard is done if it is whole and its photos have the names and the content that they had. So a photo whose
    bytes changed is read again, with the shard that holds it.
    """

    def __init__(
        self, output: Path, card: EncoderCard, shard_photos: int, progress: Callable[[int], None] | None
    ) -> None:
        self.output, self.card, self.shard_photos, self.progress = output, card, shard_photos, progress
        self.photos = self.templates = self.resumed = self.count = 0
        self.rejected: Counter[str] = Counter()

    def unfinished(self, stream: Iterator[Photo]) -> Iterator[tuple[int, list[Photo]]]:
        """Chunks of the photos that are to be encoded, each with the number of its shard.

        Raises:
            InputError: a shard was made from photos of other names.
        """
        while (first := next(stream, None)) is not None:
            number, self.count = self.count, self.count + 1
            photos = itertools.chain([first], itertools.islice(stream, self.shard_photos - 1))
            note = self._note(number)
            if note is not None:
                held = _hold(photos)
                more = list(itertools.islice(photos, 1))
                if not more and self._is_done(number, *note, held):
                    continue
                photos = itertools.chain(held, more, photos)
            for chunk in _chunks(photos):
                yield number, chunk

    def write(self, number: int, outcomes: Sequence[Outcome]) -> None:
        """Writes a shard: first who was rejected, then the templates, whose file says that all is done."""
        rejects = [_rejected_row(outcome) for outcome in outcomes if outcome.error]
        reasons = Counter(reject["reason"] for reject in rejects)
        note = {
            "photos": len(outcomes),
            "names": _names(outcome.photo for outcome in outcomes),
            "contents": bytes_digest(*(outcome.content for outcome in outcomes)),
            "rejected": dict(sorted(reasons.items())),
        }
        rejected = self.output / REJECTED / part(number)
        if rejects:
            write_shard(rejected, rejects, REJECTED_SCHEMA)
        else:
            rejected.unlink(missing_ok=True)  # of what the photos were before
        rows = [
            _template_row(outcome.photo, index, face)
            for outcome in outcomes
            for index, face in enumerate(outcome.faces)
        ]
        schema = template_schema(self.card)
        noted = schema.with_metadata({**schema.metadata, **shard_note(note)})
        write_shard(self.output / part(number), rows, noted)
        self._add(note, len(rows))

    def finish(self) -> None:
        """Looks for what belongs to no photo.

        Raises:
            InputError: a shard of photos that are no longer given.
        """
        if (self.output / part(self.count)).exists():
            raise InputError(
                f"{self.output} holds shards of photos that are no longer given: pass --overwrite"
            )
        known = {part(number) for number in range(self.count)}
        for rejected in (self.output / REJECTED).glob("part-*.parquet"):
            if (
                rejected.name not in known
            ):  # a run was killed just before its last shard, and photos went away
                rejected.unlink()

    def _note(self, number: int) -> tuple[Row, int] | None:
        """The note of a shard and its number of rows; None if it is missing or damaged, and so to be made."""
        path = self.output / part(number)
        rejected = self.output / REJECTED / part(number)
        if not path.exists():
            return None
        try:
            note, rows = read_note(path)
            if note["rejected"]:
                check_seal(rejected)
            elif rejected.exists():
                return None
        except (TemplateError, OSError, KeyError, TypeError, ValueError):
            return None
        return note, rows

    def _is_done(self, number: int, note: Row, rows: int, photos: list[Photo]) -> bool:
        if note.get("names") != _names(photos):
            raise InputError(
                f"{self.output / part(number)} was made from other photos than those given now: "
                "choose another output folder, or pass --overwrite"
            )
        if note.get("contents") != bytes_digest(*map(content_of, photos)):
            return False
        self.resumed += note["photos"]
        if self.progress:
            self.progress(note["photos"])
        self._add(note, rows)
        return True

    def _add(self, note: Row, templates: int) -> None:
        self.photos += note["photos"]
        self.templates += templates
        self.rejected.update(note["rejected"])


def part(number: int) -> str:
    """The file name of a shard."""
    return f"part-{number:05d}.parquet"


def _hold(photos: Iterator[Photo]) -> list[Photo]:
    """The photos of a shard, or as many as may wait in memory."""
    held: list[Photo] = []
    size = 0
    while size <= _HELD_BYTES and (photo := next(photos, None)) is not None:
        held.append(photo)
        size += len(photo.data or b"")
    return held


def _chunks(photos: Iterator[Photo]) -> Iterator[list[Photo]]:
    chunk: list[Photo] = []
    size = 0
    for photo in photos:
        chunk.append(photo)
        size += len(photo.data or b"")
        if len(chunk) == CHUNK_PHOTOS or size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _names(photos: Iterable[Photo]) -> str:
    return lines_digest(photo.name for photo in photos)


def _template_row(photo: Photo, index: int, face: Face) -> Row:
    return {
        "image": photo.name,
        "face": index,
        "identity": photo.identity,
        "box": list(face.box),
        "landmarks": face.landmarks.reshape(-1),
        "score": face.score,
        "norm": face.norm,
        "template": face.template,
    }


def _rejected_row(outcome: Outcome) -> Row:
    assert outcome.error is not None
    return {
        "image": outcome.photo.name,
        "identity": outcome.photo.identity,
        "reason": outcome.error.reason,
        "message": str(outcome.error),
    }
