"""Fetches encoder weights: resumable, checked by sha256 before use, and only under an accepted licence."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.weights import weights_folder
from clip_smu.errors import EncoderError
from clip_smu.storage.digests import file_digest
from clip_smu.storage.files import storage_errors

ATTEMPTS = 4  # connections that one call opens before it gives up on a line that keeps breaking
TIMEOUT_S = 30.0
_BLOCK = 1 << 20
_OK, _PARTIAL, _RANGE_REFUSED = 200, 206, 416

Progress = Callable[[int, int | None], None]

# official checkpoints that can be fetched but must be converted; the hash stands in OpenAI's own address
_CHECKPOINTS = {
    "clip-vit-b32": ("ViT-B-32.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    "clip-vit-b16": ("ViT-B-16.pt", "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
}


@dataclass(frozen=True, slots=True)
class Pulled:
    """A file that is there and right.

    Attributes:
        path: the file.
        fetched: whether it was fetched now; False if it was there before.
        convert: it is a checkpoint, to be converted before the encoder can be used.
    """

    path: Path
    fetched: bool
    convert: bool


def pull(
    card: EncoderCard,
    *,
    accept_licence: bool = False,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Pulled:
    """Fetches the weights of an encoder into its cache folder; nothing is fetched that is there already.

    Args:
        card: a row of :data:`clip_smu.encoders.known.CARDS`.
        accept_licence: you have read and accept the licence of the weights, where it is restricted.
        cache: root of the cache; default $CLIP_SMU_CACHE or ~/.cache/clip-smu.
        progress: called with the bytes there are and the bytes there will be (None if not known).

    Raises:
        EncoderError: no address, the licence is not accepted, no network, no such file, a wrong hash, or a
            connection that keeps breaking. What was fetched is kept, and the next call resumes.
        StorageError: the disk is full or may not be written.
    """
    url = next((source for source in card.sources if source.startswith(("https://", "http://"))), None)
    if url is None:
        sources = "; ".join(card.sources) or "no source stated"
        if not card.filename:
            raise EncoderError(f"the weights of {card.name} come with its package, not by pull: {sources}")
        raise EncoderError(
            f"{card.name} has no address to pull from ({sources}): fetch a checkpoint by hand, then "
            f"clip-smu encoders convert CHECKPOINT --architecture {card.name}"
        )
    if card.restricted and not accept_licence:
        raise EncoderError(
            f"the weights of {card.name} are under a restricted licence ({card.licence_weights}): "
            "if you accept it, pass --accept-licence"
        )
    name, digest = _CHECKPOINTS.get(card.name, (card.filename, card.sha256))
    target = weights_folder(card.name, cache) / name
    fetched = download(url, target, digest, progress)
    return Pulled(target, fetched, card.name in _CHECKPOINTS)


def download(url: str, target: Path, digest: str, progress: Progress | None = None) -> bool:
    """Fetches ``url`` to ``target``; the part fetched so far is kept beside it, ending in ``.part``.

    Args:
        url: http or https.
        target: the file; its folder is made.
        digest: sha256, hex; empty: not known, and not checked.
        progress: as in :func:`pull`.

    Returns:
        False if the file was there already, with the right hash.

    Raises:
        EncoderError, StorageError: as in :func:`pull`.
    """
    if target.is_file() and digest in ("", file_digest(target)):
        return False
    part = target.with_name(f"{target.name}.part")
    by_hand = f"or fetch {url} by hand and put it at {target}"
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):
            before = _length(part)
            try:
                if _fetch(url, part, progress):
                    break
            except urllib.error.HTTPError as error:
                error.close()
                raise EncoderError(
                    f"expected the file at {url}, the server answered {error.code} {error.reason}: "
                    f"try later, {by_hand}"
                ) from None
            except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
                if isinstance(getattr(error, "reason", None), OSError) and _length(part) == before:
                    raise EncoderError(
                        f"cannot reach {url} ({error.reason}): go online and run it again, {by_hand}"  # type: ignore[union-attr]
                    ) from None
        else:
            raise EncoderError(
                f"the connection to {url} broke {ATTEMPTS} times, {_length(part)} bytes are kept: "
                f"run the same command again to go on, {by_hand}"
            )
        found = file_digest(part)
        if digest and found != digest:
            part.unlink()
            raise EncoderError(
                f"expected sha256 {digest} from {url}, found {found}; the file was removed: "
                f"run it again, {by_hand}"
            )
        part.replace(target)
    return True


def _fetch(url: str, part: Path, progress: Progress | None) -> bool:
    """One connection: goes on where ``part`` ends. True when the file is whole."""
    start = _length(part)
    request = urllib.request.Request(url, headers={"User-Agent": "clip-smu"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_REFUSED and start:  # nothing after our end
            whole = (error.headers.get("Content-Range") or "").rpartition("/")[2] == str(start)
            error.close()
            if not whole:
                part.unlink()
            return whole
        raise
    with answer:
        resumes = answer.status == _PARTIAL and _first_byte(answer) == start
        if answer.status == _PARTIAL and not resumes:
            part.unlink(missing_ok=True)
            return False
        have = start if resumes else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if resumes else "wb") as file:
            while block := _read(answer):
                file.write(block)
                have += len(block)
                if progress:
                    progress(have, total)
    return total is None or have == total


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(_BLOCK)
    except http.client.IncompleteRead as broken:
        return broken.partial


def _first_byte(answer: http.client.HTTPResponse) -> int:
    span = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    return int(span) if span.isdigit() else -1


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
