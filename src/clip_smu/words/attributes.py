"""Attributes by name: the 47 names, their groups, and the ways to name one or several of them."""

from __future__ import annotations

from collections.abc import Iterable

from clip_smu.errors import InputError
from clip_smu.words.attribute_table import ATTRIBUTES, Attribute


def by_name(name: str) -> Attribute:
    """The attribute of that csv name or label; case, spaces, hyphens and underscores do not matter.

    Example:
        >>> by_name("gray hair").name
        'Gray_Hair'

    Raises:
        InputError: no attribute has this name; the message gives the closest ones.
    """
    attribute = _BY_KEY.get(_key(name))
    if attribute is None:
        raise InputError(f"expected the name of an attribute, found {name!r}; {_closest(name, NAMES)}")
    return attribute


def resolve(names_or_groups: Iterable[str]) -> tuple[int, ...]:
    """Column indices (0 to 46, ascending, each once) of attributes named one by one or in sets.

    Each entry is the name or label of an attribute, an exclusive group ("race", "hair color", "eyewear",
    "face shape", "forehead"), a category of MAAD-Face ("Hair", "Beard", "Face Geometry"),
    "attractiveness", or "sensitive" for all that is sensitive. One string may hold several, with commas.

    Example:
        >>> [NAMES[i] for i in resolve(["Eyeglasses", "race"])]
        ['Asian', 'White', 'Black', 'Eyeglasses']

    Raises:
        InputError: an entry is none of these; the message gives the closest ones.
    """
    entries = [names_or_groups] if isinstance(names_or_groups, str) else list(names_or_groups)
    for one in entries:
        if not isinstance(one, str):
            raise InputError(
                f"expected names of attributes or groups, found {one!r}: give names such as Male or race, not positions"
            )
    chosen: set[int] = set()
    for entry in (part.strip() for text in entries for part in text.split(",")):
        if not entry:
            continue
        members = _SETS.get(_key(entry))
        if members is None:
            attribute = _BY_KEY.get(_key(entry))
            if attribute is None:
                known = (*NAMES, *GROUPS, *CATEGORIES, *SENSITIVE, "sensitive")
                raise InputError(
                    f"expected attributes, groups or categories, found {entry!r}; {_closest(entry, known)}"
                )
            members = (attribute.name,)
        chosen.update(INDEX[name] for name in members)
    return tuple(sorted(chosen))


def columns(*names: str) -> tuple[int, ...]:
    """Column indices, 0 to 46, of exact names, in their order."""
    return tuple(INDEX[name] for name in names)


def _key(name: str) -> str:
    """One spelling for all spellings of a name."""
    text = name.strip().lower().replace("’", "'").replace("colour", "color")
    return "".join(text.replace("_", " ").replace("-", " ").replace("'", " ").split())


def _closest(name: str, known: Iterable[str]) -> str:
    """The advice of an error message: up to three names that look alike, else all of them."""
    from difflib import get_close_matches  # only errors need it

    spelled = {_key(one): one for one in known}
    close = get_close_matches(_key(name), spelled, n=3, cutoff=0.55)
    if close:
        return f"did you mean {' or '.join(spelled[one] for one in close)}?"
    return f"use one of {', '.join(spelled.values())}"


NAMES: tuple[str, ...] = tuple(attribute.name for attribute in ATTRIBUTES)
"""The 47 names, in the order of the csv's columns."""

INDEX: dict[str, int] = {name: i for i, name in enumerate(NAMES)}
"""Name → column index, 0 to 46."""

GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(a.name for a in ATTRIBUTES if a.group == group)
    for group in dict.fromkeys(a.group for a in ATTRIBUTES if a.group)
}
"""Exclusive groups: of each, at most one attribute holds of a face ("gender" has Male alone)."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    category: tuple(a.name for a in ATTRIBUTES if a.category == category)
    for category in dict.fromkeys(a.category for a in ATTRIBUTES)
}
"""MAAD-Face's categories, in the order of the csv."""

SENSITIVE: dict[str, tuple[str, ...]] = {
    kind: tuple(a.name for a in ATTRIBUTES if a.sensitive == kind)
    for kind in dict.fromkeys(a.sensitive for a in ATTRIBUTES if a.sensitive)
}
"""Kinds of sensitive attributes: gender, age, race and attractiveness."""

_SETS: dict[str, tuple[str, ...]] = {
    _key(name): members
    for name, members in (
        *CATEGORIES.items(),
        *SENSITIVE.items(),
        *GROUPS.items(),
        ("sensitive", tuple(a.name for a in ATTRIBUTES if a.sensitive)),
    )
}
_BY_KEY: dict[str, Attribute] = {_key(text): a for a in ATTRIBUTES for text in (a.label, a.name)}
