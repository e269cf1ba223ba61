"""Attribute labels of photos, in memory."""

from __future__ import annotations

from dataclasses import dataclass

from clip_smu.arrays import Int8s


@dataclass(frozen=True, eq=False)
class Labels:
    """Attribute labels of photos.

    Attributes:
        images: N photo names, unique.
        identities: N persons, "" where unknown.
        values: (N, 47) int8 in the order of :data:`clip_smu.words.attributes.NAMES`; 1 yes, -1 no,
            0 unknown (never no).
        duplicates: rows of the file that said the same of a photo once more, and were left out.
    """

    images: list[str]
    identities: list[str]
    values: Int8s
    duplicates: int = 0
