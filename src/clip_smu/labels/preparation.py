"""Photos → training set, as in section 4.2 of the paper: which photos remain, which step took the others, and why.

Decoding, alignment to 112x112, channel order and normalisation are the encoder's, by its card: they are done when
templates are extracted. What is left to do here needs templates and labels alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Int8s
from clip_smu.labels.captions import unique_captions
from clip_smu.labels.join import join
from clip_smu.labels.labelled import Labelled
from clip_smu.labels.labels import Labels
from clip_smu.templates import Source, Templates, read_templates, store_of
from clip_smu.templates.shards import read_rejected


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a preparation.

    Attributes:
        name: what left ("no face found", "same caption as a photo that is kept").
        before, removed, after: photos.
    """

    name: str
    before: int
    removed: int
    after: int


@dataclass(frozen=True, slots=True)
class PreparationReport:
    """What each step of a preparation removed.

    Attributes:
        steps: in the order they were taken; each begins with what the one before it left.
        preprocessing: the encoder's, by its card; "" where there is no card.
    """

    steps: tuple[Step, ...]
    preprocessing: str = ""

    @property
    def before(self) -> int:
        """Photos at the start."""
        return self.steps[0].before

    @property
    def after(self) -> int:
        """Photos that remain."""
        return self.steps[-1].after

    def rows(self) -> list[dict[str, Any]]:
        """The table: step, before, removed, after."""
        return [
            {"step": step.name, "before": step.before, "removed": step.removed, "after": step.after}
            for step in self.steps
        ]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What remains of templates and labels.

    Attributes:
        templates: N rows, the main face of each photo.
        labels: (N, 47) int8, of the same rows.
        report: what each step removed.
        joined: templates with labels before the unique-caption filter.
    """

    templates: Templates
    labels: Int8s
    report: PreparationReport
    joined: Labelled


def prepare(
    templates: Templates | Source,
    labels: Labels,
    only: Sequence[str] | None = None,
    *,
    unique: bool = True,
    seed: int = 0,
) -> Prepared:
    """Takes the photos that can be trained on, and reports what became of the others.

    In this order leave: photos without a template (by their reason: no face found, unreadable; known only where
    ``templates`` is a folder of ``extract``), photos that come twice, photos without a label, photos off the
    list, photos whose name may be that of several, photos whose template is zero or NaN, and all but one photo of each
    caption.

    Args:
        only: names of the photos to keep; all where ``None``.
        unique: whether to keep one photo of each caption of the paper; objectives that take several photos
            of one caption need no such loss.
        seed: of the choice of that one photo.

    Raises:
        TemplateError, LabelError: nothing to read, or no photo on both sides.
    """
    table = templates if isinstance(templates, Templates) else read_templates(templates)
    rejected = [] if isinstance(templates, Templates) else read_rejected(store_of(templates).path)
    joined = join(table, labels, only)
    chosen = unique_captions(joined.labels, seed) if unique else np.arange(len(joined.labels))
    reasons = [row["reason"] for row in rejected]
    removed = [(_REASONS.get(reason, reason), reasons.count(reason)) for reason in sorted(set(reasons))]
    removed += [
        ("photo came before", joined.duplicate_templates),
        ("no label", joined.unlabelled - joined.not_listed),
    ]
    if only is not None:
        removed.append(("not on the list", joined.not_listed))
    for seldom, gone in (("ambiguous name", joined.ambiguous), ("unusable template", joined.unusable)):
        if gone:
            removed.append((seldom, gone))
    if unique:
        removed.append(("same caption as a photo that is kept", len(joined.labels) - len(chosen)))
    count = int((table.faces == 0).sum()) + len(rejected)
    steps = []
    for name, gone in removed:
        steps.append(Step(name, count, gone, count - gone))
        count -= gone
    report = PreparationReport(tuple(steps), _preprocessing(table))
    return Prepared(joined.templates.take(chosen), joined.labels[chosen], report, joined)


_REASONS = {
    "no-face": "no face found",
    "no-alignment": "face not aligned",
    "missing": "photo missing",
    "too-large": "photo too large",
    "truncated": "photo cut off",
    "not-an-image": "not a photo",
    "encoder-failed": "encoder failed",
}


def _preprocessing(templates: Templates) -> str:
    card = templates.card
    if card is None:
        return ""
    height, width = card.input_size
    return (
        f"{card.name}: {card.alignment}, {width}x{height}, {card.channels}, "
        f"mean {_numbers(card.mean)}, std {_numbers(card.std)}"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:g}" for value in dict.fromkeys(values))
