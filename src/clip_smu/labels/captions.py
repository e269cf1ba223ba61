"""The paper's captions of many rows of labels at once, and which rows share one."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_smu.arrays import Bools, Int8s, Int64s
from clip_smu.errors import LabelError
from clip_smu.words.attributes import GROUPS, INDEX, NAMES, by_name
from clip_smu.words.captions import paper_caption
from clip_smu.words.clauses import PAPER_NOUNS
from clip_smu.words.contradictions import OVERRULES

_BATCH_ROWS = 65_536


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
    """(N, 47) the positive labels without contradictions: `clip_smu.words.contradictions.settled` for many rows."""
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
