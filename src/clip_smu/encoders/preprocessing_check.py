"""Is an encoder's preprocessing right? Verification as its card says, beside the same network given other pixels."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Pixels
from clip_smu.encoders.crops import Crop
from clip_smu.encoders.encoder import Encoder
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.encoders.preprocessing_variants import (
    Faces,
    Variant,
    advice,
    faces_of,
    judged,
    scores,
    try_variants,
)
from clip_smu.errors import ImageError, InputError
from clip_smu.metrics.pairs import Pairs
from clip_smu.metrics.verification import Verification, verification
from clip_smu.photos import Photo
from clip_smu.photos.decode import decode
from clip_smu.photos.wanted import find_photos

CHUNK = 64  # photos decoded at once
VARIANT_PAIRS = 1000


@dataclass(frozen=True, slots=True)
class PreprocessingCheck:
    """What a check found.

    Attributes:
        encoder: name of its card.
        figures: as the card says, on all pairs whose photos both show a face.
        photos, rejected: photos asked for, and how many of them gave no template, by reason.
        pairs_left_out: pairs with such a photo.
        compared: figures as the card says on the pairs that the variants saw.
        variants: empty where an encoder has no other preprocessing.
        misfed: what to change in the card, one sentence for each better variant; empty: right.
    """

    encoder: str
    figures: Verification
    photos: int
    rejected: dict[str, int]
    pairs_left_out: int
    compared: Verification | None
    variants: tuple[Variant, ...]
    misfed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)


def check_preprocessing(
    encoder: Encoder,
    photos: Iterable[Photo],
    pairs: Pairs,
    *,
    variant_pairs: int = VARIANT_PAIRS,
    progress: Callable[[int], None] | None = None,
) -> PreprocessingCheck:
    """Verifies persons with an encoder as its card says, and for an ONNX encoder with other preprocessing too.

    Photos are detected and aligned once; the variants (channels swapped, other normalisations, the
    detector's box instead of landmarks) see the same faces. A variant counts as better when its separation
    d' is at least 1 % higher and significantly so, or its AUC significantly higher and its d' not lower; p-values
    are corrected for the number of variants. Accuracy alone hardly sees a channel swap.

    Args:
        encoder: from :func:`clip_smu.encoders.load.load_encoder`; only the main face of a photo counts.
        photos: those that the pairs name, and any others, which are left alone.
        pairs: from :mod:`clip_smu.metrics.verification`.
        variant_pairs: pairs that the variants see; 0 for no variants.
        progress: called with the photos done since the last call.

    Raises:
        InputError: photos of the pairs are not there, or too few show a face.
    """
    wanted = list(dict.fromkeys(itertools.chain(pairs.first, pairs.second)))
    found = _find(photos, wanted)
    tried = pairs.sample(variant_pairs) if isinstance(encoder, OnnxEncoder) and variant_pairs else None
    keep = {*tried.first, *tried.second} if tried else set()
    seen = _see(encoder, found, keep, progress)
    usable = _usable(pairs, seen.templates)
    figures = verification(scores(usable, seen.templates), usable.same, usable.folds)
    rejected, left_out = dict(seen.rejected), len(pairs) - len(usable)
    if not isinstance(encoder, OnnxEncoder) or tried is None:
        return PreprocessingCheck(encoder.card.name, figures, len(wanted), rejected, left_out, None, (), ())
    tried = _usable(tried, seen.templates)
    as_card = scores(tried, seen.templates)
    variants = judged(try_variants(encoder, tried, seen.kept, as_card))
    return PreprocessingCheck(
        encoder.card.name,
        figures,
        len(wanted),
        rejected,
        left_out,
        verification(as_card, tried.same, tried.folds),
        variants,
        tuple(advice(variant, encoder.card) for variant in variants if variant.better),
    )


def _find(photos: Iterable[Photo], wanted: Sequence[str]) -> dict[str, Photo]:
    """Photo of each wanted name."""
    found, how = find_photos(photos, wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(
            f"expected the photos that the pairs name, {len(missing)} of {len(wanted)} are not there, "
            f"the first: {missing[0]}; give the folder or tar that holds them"
            f"{f' (ambiguous: {how.first})' if how.first else ''}"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """By name of the photo: templates, and the faces that the variants see; how many photos gave none, by reason."""

    templates: dict[str, Float32s]
    kept: dict[str, Faces]
    rejected: Counter[str]


def _see(
    encoder: Encoder, found: dict[str, Photo], keep: set[str], progress: Callable[[int], None] | None
) -> _Seen:
    """Every photo once, some at a time; of those in ``keep`` the faces stay."""
    seen = _Seen({}, {}, Counter())
    everyone = list(found)
    for start in range(0, len(everyone), CHUNK):
        names = everyone[start : start + CHUNK]
        images = _decode(names, found, seen.rejected)
        if isinstance(encoder, OnnxEncoder):
            crops = _crops(encoder, images, found, seen.rejected)
            if crops:
                rows, _ = encoder.templates([crop.pixels for crop in crops.values()])
                seen.templates.update(zip(crops, rows, strict=True))
            for name, crop in crops.items():
                if name in keep:
                    seen.kept[name] = faces_of(encoder, images[name], crop)
        elif images:
            for name, faces in zip(images, encoder.encode(list(images.values()), list(images)), strict=True):
                if faces:
                    seen.templates[name] = faces[0].template
                else:
                    seen.rejected["no-face"] += 1
        if progress:
            progress(len(names))
    return seen


def _decode(names: Sequence[str], found: dict[str, Photo], rejected: Counter[str]) -> dict[str, Pixels]:
    images = {}
    for name in names:
        try:
            images[name] = decode(found[name].read())
        except ImageError as error:
            rejected[error.reason] += 1
    return images


def _crops(
    encoder: OnnxEncoder, images: dict[str, Pixels], found: dict[str, Photo], rejected: Counter[str]
) -> dict[str, Crop]:
    """The main face of each photo that shows one."""
    try:
        cut = encoder.crops(list(images.values()), [found[name].name for name in images])
    except ImageError as error:
        if len(images) == 1:
            rejected[error.reason] += 1
            return {}
        return {
            key: crop
            for name, image in images.items()
            for key, crop in _crops(encoder, {name: image}, found, rejected).items()
        }
    rejected.update("no-face" for crops in cut if not crops)
    return {name: crops[0] for name, crops in zip(images, cut, strict=True) if crops}


def _usable(pairs: Pairs, templates: dict[str, Float32s]) -> Pairs:
    rows = [
        row
        for row, (a, b) in enumerate(zip(pairs.first, pairs.second, strict=True))
        if a in templates and b in templates
    ]
    if not rows:
        raise InputError("no pair has a face in both photos: check the photos and the detector")
    return pairs.take(np.array(rows, np.intp))
