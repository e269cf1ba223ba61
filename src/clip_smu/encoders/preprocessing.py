"""Is an encoder's preprocessing right? Verification as its card says, beside the same network given other pixels."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from clip_smu.arrays import Float32s, Float64s, Pixels
from clip_smu.encoders.cards import EncoderCard
from clip_smu.encoders.encoder import Encoder
from clip_smu.encoders.onnx import Crop, OnnxEncoder, box_crop
from clip_smu.errors import ImageError, InputError
from clip_smu.metrics import benjamini_hochberg
from clip_smu.metrics.verification import Paired, Pairs, Verification, compare, cosine, verification
from clip_smu.photos import Photo
from clip_smu.photos.decode import decode
from clip_smu.photos.names import Matches, file_of, match
from clip_smu.storage.documents import Count, Share, checked, read_json

CHUNK = 64  # photos decoded at once
VARIANT_PAIRS = 1000
LEVEL = 0.01  # of the tests, after correction for the number of variants
MARGIN = 0.01  # a variant that separates less than 1 % better is no sign of a wrong card

_NORMALISATIONS = (
    ("pixels as they are, 0 to 255", 0.0, 1.0),
    ("pixels / 255", 0.0, 255.0),
    ("(pixels - 127.5) / 127.5", 127.5, 127.5),
)


class FiguresForm(msgspec.Struct):
    """Of a preprocessing check."""

    accuracy: Share


class PreprocessingCheckForm(msgspec.Struct):
    """What evidence keeps of such a check; see :func:`read_check`."""

    encoder: str
    figures: FiguresForm
    photos: Count
    rejected: dict[str, Count]
    misfed: list[str]
    tried: list[str]


class KeepsCheck(msgspec.Struct):
    """Evidence on disk that keeps such a check, or ``None``; before 2026-11-25 its key was ``feeding``."""

    preprocessing_check: PreprocessingCheckForm | None = None
    feeding: PreprocessingCheckForm | None = None


def kept_check(evidence: Mapping[str, Any]) -> dict[str, Any] | None:
    """The preprocessing check that a provenance or an ``evaluation.json`` keeps, under its new or its old key."""
    return evidence.get("preprocessing_check") or evidence.get("feeding")


@dataclass(frozen=True, slots=True)
class Variant:
    """The same network with one other preprocessing.

    Attributes:
        name: what was changed.
        field, value: of the card, as they would have to be if the variant is right.
        figures: of the variant, on the pairs of the comparison.
        paired: the variant less the card, on the same pairs.
        better: whether it separates persons significantly better than the card.
    """

    name: str
    field: str
    value: Any
    figures: Verification
    paired: Paired
    better: bool


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
    keep = set(itertools.chain(tried.first, tried.second)) if tried else set()
    templates: dict[str, Float32s] = {}
    kept: dict[str, tuple[Pixels, Pixels | None]] = {}
    rejected: dict[str, int] = {}
    names = list(wanted)
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        images = _decode(chunk, found, rejected)
        if isinstance(encoder, OnnxEncoder):
            crops = _crops(encoder, images, found, rejected)
            if crops:
                rows, _ = encoder.templates([crop.pixels for crop in crops.values()])
                templates.update(zip(crops, rows, strict=True))
            for name, crop in crops.items():
                if name in keep:
                    kept[name] = crop.pixels, _boxed(encoder, images[name], crop)
        elif images:
            for name, faces in zip(images, encoder.encode(list(images.values()), list(images)), strict=True):
                if faces:
                    templates[name] = faces[0].template
                else:
                    _count(rejected, "no-face")
        if progress:
            progress(len(chunk))
    usable = _usable(pairs, templates)
    figures = verification(_scores(usable, templates), usable.same, usable.folds)
    left_out = len(pairs) - len(usable)
    if not isinstance(encoder, OnnxEncoder) or tried is None:
        return PreprocessingCheck(encoder.card.name, figures, len(names), rejected, left_out, None, (), ())
    tried = _usable(tried, templates)
    as_card = _scores(tried, templates)
    variants = _judged(_variants(encoder, tried, kept, as_card))
    return PreprocessingCheck(
        encoder.card.name,
        figures,
        len(names),
        rejected,
        left_out,
        verification(as_card, tried.same, tried.folds),
        variants,
        tuple(_advice(variant, encoder.card) for variant in variants if variant.better),
    )


def read_check(path: str | Path, encoder: str | None = None) -> dict[str, Any]:
    """What evidence keeps of a check: encoder, figures, photos, rejected, misfed, and the names of what was tried.

    Args:
        path: of what ``clip-smu encoders check --json`` printed.
        encoder: whose templates the evidence is about; ``None``: not known.

    Raises:
        InputError: no such file, another content, or a check of another encoder.
    """
    values = read_json(Path(path), "a preprocessing check")
    form = checked(values, _Printed, f"{path} is not what clip-smu encoders check --json prints")
    kept = {key: values[key] for key in ("encoder", "figures", "photos", "rejected", "misfed")}
    kept["tried"] = [variant.name for variant in form.variants]
    if encoder is not None and kept["encoder"] != encoder:
        raise InputError(
            f"expected a preprocessing check of {encoder}, whose templates these are; {path} is of {kept['encoder']}: "
            f"run clip-smu encoders check on {encoder}"
        )
    return kept


class _Tried(msgspec.Struct):
    name: str


class _Printed(msgspec.Struct):
    """What ``clip-smu encoders check --json`` prints, as far as it is kept."""

    encoder: str
    figures: FiguresForm
    photos: Count
    rejected: dict[str, Count]
    misfed: list[str]
    variants: list[_Tried]


def in_words(check: dict[str, Any] | None) -> str:
    """What was found of an encoder's preprocessing, and on whose photos; ``None``: nothing was.

    Args:
        check: as :func:`read_check` gives it; with ``kept_by``, the method that it came with, where an evaluation took
            over a check that was made on other photos.

    Example:
        >>> in_words(None)
        "the encoder's preprocessing was not checked (`clip-smu encoders check`)"
    """
    if check is None:
        return "the encoder's preprocessing was not checked (`clip-smu encoders check`)"
    right = "no better preprocessing was found" if check["tried"] else "it has only one preprocessing"
    verdict = "; ".join(check["misfed"]) or right
    of = ""
    if check.get("kept_by"):  # an evaluation on other photos than the interpreter's
        of = (
            f" that came with {check['kept_by']}, on {check['photos']:,} photos of whoever fitted it and not on those "
            "evaluated here (--check gives one of these)"
        )
    return f"encoder check{of}: verification accuracy {check['figures']['accuracy']:.2%}; {verdict}"


def find_photos(photos: Iterable[Photo], wanted: Sequence[str]) -> tuple[dict[str, Photo], Matches]:
    """The photo of each wanted name that has one, and how the names matched; see :mod:`clip_smu.photos.names`.

    Photos of other file names pass by and are not kept.
    """
    files = {file_of(name) for name in wanted}
    kept = [photo for photo in photos if file_of(photo.name) in files]
    found = match(wanted, [photo.name for photo in kept])
    return {name: kept[row] for name, row in zip(wanted, found.at.tolist(), strict=True) if row >= 0}, found


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


def _decode(chunk: Sequence[str], found: dict[str, Photo], rejected: dict[str, int]) -> dict[str, Pixels]:
    images = {}
    for name in chunk:
        try:
            images[name] = decode(found[name].read())
        except ImageError as error:
            _count(rejected, error.reason)
    return images


def _crops(
    encoder: OnnxEncoder, images: dict[str, Pixels], found: dict[str, Photo], rejected: dict[str, int]
) -> dict[str, Crop]:
    """The main face of each photo that shows one."""
    try:
        cut = encoder.crops(list(images.values()), [found[name].name for name in images])
    except ImageError as error:
        if len(images) == 1:
            _count(rejected, error.reason)
            return {}
        return {
            key: crop
            for name, image in images.items()
            for key, crop in _crops(encoder, {name: image}, found, rejected).items()
        }
    for crops in cut:
        if not crops:
            _count(rejected, "no-face")
    return {name: crops[0] for name, crops in zip(images, cut, strict=True) if crops}


def _boxed(encoder: OnnxEncoder, image: Pixels, crop: Crop) -> Pixels | None:
    """The face as the detector's box, where the card aligns by landmarks and there is a box."""
    if encoder.card.alignment != "five-point-112" or encoder.cropped or encoder.options.landmarks is not None:
        return None
    return box_crop(image, crop.found.box, encoder.card.input_size)


def _variants(
    encoder: OnnxEncoder,
    pairs: Pairs,
    kept: dict[str, tuple[Pixels, Pixels | None]],
    as_card: Float64s,
) -> list[Variant]:
    row, names = encoder.card, list(kept)
    swapped = "RGB" if row.channels == "BGR" else "BGR"
    fed: list[tuple[str, str, Any, EncoderCard]] = [
        (f"channels {swapped}", "channels", swapped, dataclasses.replace(row, channels=swapped))
    ]
    for name, mean, std in _NORMALISATIONS:
        means, stds = (mean,) * 3, (std,) * 3
        if not np.allclose([row.mean, row.std], [means, stds]):
            other = dataclasses.replace(row, mean=means, std=stds)
            fed.append((name, "mean and std", f"{mean} and {std}", other))
    plans = [(name, field, value, other, 0) for name, field, value, other in fed]
    if all(boxed is not None for _, boxed in kept.values()):
        plans.append(("the detector's box, not aligned", "alignment", "box", row, 1))
    variants = []
    for name, field, value, other, which in plans:
        crops = [one for one in (kept[photo][which] for photo in names) if one is not None]
        vectors, _ = encoder.templates(crops, other)
        scores = _scores(pairs, dict(zip(names, vectors, strict=True)))
        figures = verification(scores, pairs.same, pairs.folds)
        variants.append(Variant(name, field, value, figures, compare(as_card, scores, pairs.same), False))
    return variants


def _judged(variants: list[Variant]) -> tuple[Variant, ...]:
    """Which variants are significantly better than the card, by Benjamini and Hochberg over all of them."""
    by_d = benjamini_hochberg([variant.paired.d_prime_p for variant in variants])
    by_auc = benjamini_hochberg([variant.paired.auc_p for variant in variants])
    judged = []
    for variant, d_q, auc_q in zip(variants, by_d, by_auc, strict=True):
        gain, d_card = variant.paired.d_prime, variant.figures.d_prime - variant.paired.d_prime
        separates = d_q < LEVEL and gain > MARGIN * abs(d_card)
        ranks = auc_q < LEVEL and variant.paired.auc > 0 and gain >= 0
        judged.append(dataclasses.replace(variant, better=bool(separates or ranks)))
    return tuple(judged)


def _advice(variant: Variant, row: EncoderCard) -> str:
    old = {
        "channels": row.channels,
        "mean and std": f"{row.mean[0]:g} and {row.std[0]:g}",
        "alignment": row.alignment,
    }[variant.field]
    return (
        f"{row.name} is mis-fed: its card says {variant.field} {old}, but with {variant.name} it separates "
        f"persons better (d' {variant.figures.d_prime:.2f} instead of "
        f"{variant.figures.d_prime - variant.paired.d_prime:.2f}, p {variant.paired.d_prime_p:.1g}; mean same-person "
        f"score {variant.paired.mean_same:+.3f}): set {variant.field} to {variant.value} and check again"
    )


def _scores(pairs: Pairs, templates: dict[str, Float32s]) -> Float64s:
    first, second = (np.stack([templates[name] for name in names]) for names in (pairs.first, pairs.second))
    return cosine(first, second)


def _usable(pairs: Pairs, templates: dict[str, Float32s]) -> Pairs:
    rows = [
        row
        for row, (a, b) in enumerate(zip(pairs.first, pairs.second, strict=True))
        if a in templates and b in templates
    ]
    if not rows:
        raise InputError("no pair has a face in both photos: check the photos and the detector")
    return pairs.take(np.array(rows, np.intp))


def _count(rejected: dict[str, int], reason: str) -> None:
    rejected[reason] = rejected.get(reason, 0) + 1
