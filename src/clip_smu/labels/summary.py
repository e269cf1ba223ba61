"""What a labels file holds, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Int64s
from clip_smu.labels.captions import caption_keys
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled
from clip_smu.labels.labels import Labels
from clip_smu.metrics.persons import known_persons
from clip_smu.templates import Templates
from clip_smu.words.attributes import NAMES


@dataclass(frozen=True, eq=False)
class Summary:
    """What a labels file holds.

    Attributes:
        photos, persons: their numbers; persons without a name count as none.
        counts: (47, 3) int64, photos that say yes, no and nothing of each attribute.
        captions: distinct captions of the paper.
        duplicates: rows of the file that repeated another.
        joined: the join with templates, ``None`` where none were given.
    """

    photos: int
    persons: int
    counts: Int64s
    captions: int
    duplicates: int
    joined: Labelled | None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "photos": self.photos,
            "persons": self.persons,
            "captions": self.captions,
            "duplicates": self.duplicates,
            "attributes": {
                name: dict(zip(("yes", "no", "unknown"), row, strict=True))
                for name, row in zip(NAMES, self.counts.tolist(), strict=True)
            },
            "join": None if self.joined is None else self.joined.report(),
        }


def summarise(
    labels: Labels, templates: Templates | None = None, only: Sequence[str] | None = None
) -> Summary:
    """Counts what labels say, and how they join with templates."""
    counts = np.stack([(labels.values == value).sum(axis=0) for value in (1, -1, 0)], axis=1)
    return Summary(
        photos=len(labels.images),
        persons=len(known_persons(labels.identities)),
        counts=counts.astype(np.int64),
        captions=len(np.unique(caption_keys(labels.values))),
        duplicates=labels.duplicates,
        joined=None if templates is None else join(templates, labels, only),
    )
