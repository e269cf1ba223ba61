"""The same network with other preprocessing: which variants there are, and which separate persons better."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_smu.arrays import Float32s, Float64s, Pixels
from clip_smu.encoders.card import EncoderCard
from clip_smu.encoders.crops import Crop, box_crop
from clip_smu.encoders.onnx import OnnxEncoder
from clip_smu.metrics import benjamini_hochberg
from clip_smu.metrics.pairs import Pairs
from clip_smu.metrics.verification import Paired, Verification, compare, cosine, verification

LEVEL = 0.01  # of the tests, after correction for the number of variants
MARGIN = 0.01  # a variant that separates less than 1 % better is no sign of a wrong card

_NORMALISATIONS = (
    ("pixels as they are, 0 to 255", 0.0, 1.0),
    ("pixels / 255", 0.0, 255.0),
    ("(pixels - 127.5) / 127.5", 127.5, 127.5),
)

Faces = tuple[Pixels, Pixels | None]  # a face as the card cuts it out, and as the detector's box


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


def faces_of(encoder: OnnxEncoder, photo: Pixels, crop: Crop) -> Faces:
    """A face both ways; no box where the card does not align by landmarks, or they are not the detector's."""
    if encoder.card.alignment != "five-point-112" or encoder.cropped or encoder.options.landmarks is not None:
        return crop.pixels, None
    return crop.pixels, box_crop(photo, crop.found.box, encoder.card.input_size)


def try_variants(
    encoder: OnnxEncoder, pairs: Pairs, faces: dict[str, Faces], as_card: Float64s
) -> list[Variant]:
    """Every variant on the same faces; ``as_card`` are the scores of the pairs with the card's own preprocessing."""
    boxed = all(box is not None for _, box in faces.values())
    variants = []
    for name, field, value, card, cut in _plans(encoder.card, boxed):
        crops = [one for one in (face[cut] for face in faces.values()) if one is not None]
        vectors, _ = encoder.templates(crops, card)
        found = scores(pairs, dict(zip(faces, vectors, strict=True)))
        figures = verification(found, pairs.same, pairs.folds)
        variants.append(Variant(name, field, value, figures, compare(as_card, found, pairs.same), False))
    return variants


def _plans(card: EncoderCard, boxed: bool) -> list[tuple[str, str, Any, EncoderCard, int]]:
    """Name, field and value of each variant, the card that gives it, and which of the two faces it sees."""
    swapped = "RGB" if card.channels == "BGR" else "BGR"
    plans: list[tuple[str, str, Any, EncoderCard, int]] = [
        (f"channels {swapped}", "channels", swapped, dataclasses.replace(card, channels=swapped), 0)
    ]
    for name, mean, std in _NORMALISATIONS:
        means, stds = (mean,) * 3, (std,) * 3
        if not np.allclose([card.mean, card.std], [means, stds]):
            other = dataclasses.replace(card, mean=means, std=stds)
            plans.append((name, "mean and std", f"{mean} and {std}", other, 0))
    if boxed:
        plans.append(("the detector's box, not aligned", "alignment", "box", card, 1))
    return plans


def judged(variants: list[Variant]) -> tuple[Variant, ...]:
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


def advice(variant: Variant, row: EncoderCard) -> str:
    """What to change in the card, and why."""
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


def scores(pairs: Pairs, templates: dict[str, Float32s]) -> Float64s:
    """Cosine of each pair."""
    first, second = (np.stack([templates[name] for name in names]) for names in (pairs.first, pairs.second))
    return cosine(first, second)
