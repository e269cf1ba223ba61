"""Photos → training set, as in section 4.2 of the paper: which photos remain, which step took the others, and why.

Decoding, alignment to 112x112, channel order and normalisation are the encoder's, by its card: they are done when
templates are extracted. What is left to do here needs templates and labels alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Float64s, Int8s, Int64s
from clip_smu.errors import InputError, LabelError
from clip_smu.labels.joined import labelled
from clip_smu.labels.labels import Labelled, Labels
from clip_smu.metrics.persons import known_persons
from clip_smu.templates import Source, Templates, read_rejected, read_templates, store_of
from clip_smu.words.attributes import GROUPS, INDEX, NAMES, by_name
from clip_smu.words.captions import OVERRULES, PAPER_NOUNS, paper_caption, settled

_BATCH_ROWS = 65_536


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
    joined, _ = labelled(table, labels, only)
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


# ---------------------------------------------------------------- captions of many rows


def unique_captions(labels: Int8s, seed: int) -> Int64s:
    """Rows of (N, 47) labels, ascending: one, drawn at random, of each distinct caption of the paper.

    Two rows are the same if :func:`clip_smu.words.captions.paper_caption` says the same of them, whatever else their
    labels say.

    Example:
        >>> hats = np.zeros((3, 47), np.int8)
        >>> hats[:2, INDEX["Wearing_Hat"]] = 1
        >>> hats[1, INDEX["Male"]] = -1  # which a caption does not word
        >>> len(unique_captions(hats, seed=0))
        2
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    keys = caption_keys(labels)[order]
    return np.sort(order[np.unique(keys, return_index=True)[1]])


def caption_keys(labels: Int8s) -> NDArray[np.uint64]:
    """(N,) one number for each caption of the paper: bit k says that attribute k is worded.

    Raises:
        LabelError: the labels are not (N, 47).
    """
    _check(labels)
    keys = np.empty(len(labels), dtype=np.uint64)
    for start in range(0, len(labels), _BATCH_ROWS):
        part = _settled(labels[start : start + _BATCH_ROWS])
        keys[start : start + _BATCH_ROWS] = _packed(part)
    return keys


def paper_captions(labels: Int8s) -> Any:
    """The captions of :func:`clip_smu.words.captions.paper_caption` for (N, 47) labels, as a string ChunkedArray.

    Millions of rows take seconds: a caption is put together from four parts, each of which is looked up.

    Example:
        >>> paper_captions(np.zeros((1, 47), np.int8)).to_pylist()
        ['A photo of a face.']

    Raises:
        LabelError: the labels are not (N, 47).
    """
    import pyarrow as pa
    from pyarrow import compute

    _check(labels)
    lists = [_list_parts(first, last) for first, last in _CHUNKS]
    person: dict[int, str] = {}
    chunks = []
    for start in range(0, len(labels), _BATCH_ROWS):
        yes = _settled(labels[start : start + _BATCH_ROWS])
        heads, head_of = np.unique(_packed(yes[:, _PERSON]), return_inverse=True)
        for key in heads.tolist():
            if key not in person:
                words = {NAMES[i]: 1 for bit, i in enumerate(_PERSON) if key >> bit & 1}
                person[key] = paper_caption(words).removesuffix(".")
        parts = [pa.array([person[key] for key in heads.tolist()]).take(pa.array(head_of))]
        bits = [_packed(yes[:, _NOUNS[first:last]]).astype(np.int64) for first, last in _CHUNKS]
        before = np.zeros(len(yes), dtype=bool)
        for at, (texts, part) in enumerate(zip(lists, bits, strict=True)):
            after = np.any([other > 0 for other in bits[at + 1 :]], axis=0) if bits[at + 1 :] else False
            variant = 2 * before + ~np.asarray(after | np.zeros_like(before))  # whether first, whether last
            parts.append(texts.take(pa.array(variant * (len(texts) // 4) + part)))
            before |= part > 0
        stop = pa.scalar(".")
        chunks.append(compute.binary_join_element_wise(*parts, stop, ""))
    return pa.chunked_array(chunks, pa.string())


def _check(labels: Int8s) -> None:
    if labels.ndim != 2 or labels.shape[1] != len(NAMES):
        raise LabelError(
            f"expected (N, {len(NAMES)}) labels, found {labels.shape}; give a column for each attribute"
        )


def _settled(labels: Int8s) -> Bools:
    """(N, 47) the positive labels without contradictions: `clip_smu.words.captions.settled` for many rows."""
    yes: Bools = labels == 1
    for members in _EXCLUSIVE:
        taken = yes[:, members[0]].copy()
        for i in members[1:]:
            yes[:, i] &= ~taken
            taken |= yes[:, i]
    for winner, losers in OVERRULES.items():
        over = yes[:, INDEX[winner]].copy()
        for loser in losers:
            yes[:, INDEX[loser]] &= ~over
    return yes


def _packed(bits: Bools) -> NDArray[np.uint64]:
    """(N,) the K <= 64 columns of (N, K) as one number, the first column its lowest bit."""
    padded = np.zeros((len(bits), 64), dtype=bool)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8")[:, 0]


@cache
def _list_parts(first: int, last: int) -> Any:
    """Every subset of some nouns as it stands in a list, in four variants of 2^K texts.

    The variant is 2 * (nouns come before) + (no nouns come after); "" for no noun.
    """
    import pyarrow as pa

    nouns = [noun for _, noun in PAPER_NOUNS[first:last]]
    texts = []
    for before in (False, True):
        for final in (False, True):
            for subset in range(1 << len(nouns)):
                chosen = [noun for k, noun in enumerate(nouns) if subset >> k & 1]
                text = "".join(f", {noun}" for noun in chosen[:-1])
                if chosen:
                    text += f" and {chosen[-1]}" if final and (before or text) else f", {chosen[-1]}"
                texts.append(text if before or not text else " with " + text.removeprefix(", "))
    return pa.array(texts)


_NOUNS = [i for i, _ in PAPER_NOUNS]
_PERSON = [i for i in range(len(NAMES)) if i not in _NOUNS]
_CHUNKS = tuple((at, min(at + 11, len(_NOUNS))) for at in range(0, len(_NOUNS), 11))
_EXCLUSIVE = tuple(
    tuple(INDEX[name] for name in sorted(names, key=lambda name: -by_name(name).label_accuracy))
    for names in GROUPS.values()
    if len(names) > 1
)

# ---------------------------------------------------------------- long captions


def shorten(
    labels: Sequence[int],
    fits: Callable[[str], bool],
    rng: np.random.Generator,
    word: Callable[[Sequence[int]], str] = paper_caption,
) -> tuple[str, int]:
    """The caption of 47 labels, and how many of its positive attributes were dropped, at random, until it fits.

    Args:
        fits: whether the text encoder reads a caption, such as one of at most CLIP's 77 tokens.
        word: labels → caption.

    Example:
        >>> row = [int(name in ("Bald", "Smiling", "Wearing_Hat")) for name in NAMES]
        >>> shorten(row, lambda text: len(text) < 40, np.random.default_rng(0))[1]
        1

    Raises:
        LabelError: there are not 47 labels of 1, 0, -1.
        InputError: not even the caption without any attribute fits.
    """
    kept = settled([int(value) for value in labels])
    text, dropped = word(kept), 0
    for i in rng.permutation(np.flatnonzero(np.array(kept) == 1)).tolist():
        if fits(text):
            return text, dropped
        kept[i] = 0
        text, dropped = word(kept), dropped + 1
    if not fits(text):
        raise InputError(
            f"expected a text encoder that reads at least {text!r}, this one does not: take another"
        )
    return text, dropped


# ---------------------------------------------------------------- balance


class ClassWeights(NamedTuple):
    """Weights of a binary classifier's rows; an unknown row weighs 0."""

    negative: float
    positive: float

    def of(self, column: Int8s) -> Float64s:
        """(N,) the weight of each row of one attribute's labels."""
        return np.where(column > 0, self.positive, np.where(column < 0, self.negative, 0.0))


def oversampled(column: Int8s, seed: int) -> Int64s:
    """Rows of one attribute's (N,) labels, ascending, with as many "yes" as "no"; unknown ones are left out.

    Each row of the larger class stands once. Those of the smaller are repeated equally often, and a random
    choice of them once more, to make up the number.

    Raises:
        LabelError: there is no "yes" or no "no".
    """
    small, large = _sides(column)
    times, rest = divmod(len(large), len(small))
    more = np.random.default_rng(seed).choice(small, rest, replace=False)
    return np.sort(np.concatenate([large, np.repeat(small, times), more]))


def class_weights(column: Int8s) -> ClassWeights:
    """Weights that do what :func:`oversampled` does, without repeating a row: 1 for the larger class.

    A sum over all rows, each times its weight, is the expectation, over seeds, of the sum over the
    oversampled rows; it is equal where the larger class is a multiple of the smaller.

    Raises:
        LabelError: there is no "yes" or no "no".
    """
    small, large = _sides(column)
    ratio = len(large) / len(small)
    return ClassWeights(1.0, ratio) if column[small[0]] > 0 else ClassWeights(ratio, 1.0)


def _sides(column: Int8s) -> tuple[Int64s, Int64s]:
    """Rows of the smaller and of the larger class."""
    yes, no = np.flatnonzero(column > 0), np.flatnonzero(column < 0)
    if not len(yes) or not len(no):
        raise LabelError(
            f"a binary classifier needs labels of both sides, found {len(yes)} yes and {len(no)} no: "
            "leave the attribute out"
        )
    return (yes, no) if len(yes) <= len(no) else (no, yes)


# ---------------------------------------------------------------- summary


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
        joined=None if templates is None else labelled(templates, labels, only)[0],
    )
