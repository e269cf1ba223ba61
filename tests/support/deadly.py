"""Encoders that go wrong, for tests of workers: they are loaded by name in processes of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from clip_smu.arrays import Pixels
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.encoder import Face
from faces import toy_card


class Deadly:
    """Finds no face; a photo of 31 rows kills its process, as a lack of memory would."""

    card: EncoderCard = toy_card()

    def encode(self, photos: Sequence[Pixels], names: Sequence[str] = ()) -> list[list[Face]]:
        if any(photo.shape[0] == 31 for photo in photos):
            os.kill(os.getpid(), signal.SIGKILL)
        return [[] for _ in photos]


class Picky:
    """Finds no face; raises what no library should where a photo has 33 rows."""

    card: EncoderCard = toy_card()

    def encode(self, photos: Sequence[Pixels], names: Sequence[str] = ()) -> list[list[Face]]:
        if any(photo.shape[0] == 33 for photo in photos):
            raise IndexError("33 rows are too many")
        return [[] for _ in photos]


def load() -> Deadly:
    return Deadly()


def load_nothing() -> Deadly:
    os._exit(7)
