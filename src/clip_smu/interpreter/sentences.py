"""Readings → prose: what is encoded, said so that it does not contradict itself."""

from __future__ import annotations

from collections.abc import Mapping

from clip_smu.words.attributes import by_name
from clip_smu.words.descriptions import describe


def sentence(encoded: Mapping[str, float], woman: bool) -> str:
    """What one template reads as.

    Args:
        encoded: attributes read as *encoded*, name → probability.
        woman: whether Male is read as *not encoded*.

    Example:
        >>> sentence({"Gray_Hair": 0.9, "Black_Hair": 0.6, "No_Beard": 0.9}, woman=True)
        'This template reads as a woman with gray hair.'
    """
    return describe(compatible(encoded, woman), ["Male"] if woman else [])


def compatible(encoded: Mapping[str, float], woman: bool) -> list[str]:
    """The attributes that can be said in one breath; see :func:`sentence`.

    Of an exclusive group the likeliest only; of a woman not that she has no beard, which is true, but nobody says it.
    """
    best: dict[str, str] = {}
    for name in sorted(encoded, key=lambda one: -encoded[one]):
        group = by_name(name).group
        if group is not None:
            best.setdefault(group, name)
    kept = [name for name in encoded if best.get(by_name(name).group or "", name) == name]
    return [name for name in kept if not (woman and name == "No_Beard")]
