"""That the templates of several sources are of one encoder: by their cards, their length, and how they look."""

from __future__ import annotations

from collections.abc import Mapping

from clip_smu.encoders.card import EncoderCard, differences
from clip_smu.errors import EncoderError, TemplateError
from clip_smu.templates import Templates
from clip_smu.templates.likeness import measure_likeness

_ADVICE = "give all sources' templates by one encoder"


def common_card(tables: Mapping[str, Templates]) -> EncoderCard | None:
    """The card of the encoder that all templates are of; ``None`` where none of them has a card.

    Cards are compared whole, as an interpreter compares its own with that of templates. Templates without one must
    have the length of the others, and most of them must look like theirs (:mod:`clip_smu.templates.likeness`).

    Args:
        tables: a source's name → its templates, all of them usable; at least one.

    Raises:
        EncoderError: two cards differ; the message says which sources' and in what.
        TemplateError: lengths differ, or templates without a card look like another encoder's.
    """
    first = next((name for name, one in tables.items() if one.card is not None), next(iter(tables)))
    own = tables[first]
    others = {name: one for name, one in tables.items() if name != first}
    for name, other in others.items():
        if own.card is not None and other.card is not None and (found := differences(own.card, other.card)):
            raise EncoderError(
                f"templates of source {name} are of another encoder than those of {first} "
                f"({other.card.name}, {own.card.name}): {first} has {'; '.join(found)}: {_ADVICE}"
            )
        if (length := other.vectors.shape[1]) != own.vectors.shape[1]:
            raise TemplateError(
                f"templates of source {name} have length {length}, those of {first} {own.vectors.shape[1]}: {_ADVICE}"
            )
    unsigned = {name: one for name, one in others.items() if one.card is None}
    likeness = measure_likeness(own.vectors, own.identities) if unsigned else None
    for name, one in unsigned.items():
        odd = 0 if likeness is None else int((~likeness.holds(one.vectors)).sum())
        if 2 * odd > len(one):
            raise TemplateError(
                f"{odd} of {len(one)} templates of source {name}, which have no encoder's card, do not look like those "
                f"of {first}: {_ADVICE}"
            )
    return own.card
