"""Who is still recognised: verification on the same pairs, before and after."""

from __future__ import annotations

from dataclasses import dataclass

from clip_smu.evaluation.erasure.eraser import Eraser
from clip_smu.interpreter.thresholds import rows_of
from clip_smu.metrics.pairs import Pairs
from clip_smu.metrics.verification import Paired, Verification, compare, cosine, verification
from clip_smu.templates import Templates


@dataclass(frozen=True, slots=True)
class Recognition:
    """Verification on the same pairs, before and after.

    Attributes:
        pairs_from: the file, or "identities of the test list".
        left_out: pairs of which a photo has no usable template.
        before, after: figures.
        paired: after less before, with p-values.
    """

    pairs_from: str
    left_out: int
    before: Verification
    after: Verification
    paired: Paired


def recognition_of(pairs: Pairs, kept: Templates, eraser: Eraser, pairs_from: str) -> Recognition:
    """Cosines of the pairs whose two photos have usable templates, before and after.

    Raises:
        InputError: too few of them have.
    """
    rows_a, rows_b, used = rows_of(pairs, kept)
    first, second = kept.vectors[rows_a], kept.vectors[rows_b]
    before, after = cosine(first, second), cosine(eraser.apply(first), eraser.apply(second))
    return Recognition(
        pairs_from,
        len(pairs) - len(used),
        verification(before, used.same, used.folds),
        verification(after, used.same, used.folds),
        compare(before, after, used.same),
    )
