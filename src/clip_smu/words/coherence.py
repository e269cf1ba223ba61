"""What cannot be true of one face together: the rules of captions, probabilities and verdicts, as tables of names.

A rule stands here if the words leave no way out, not because it mostly holds: women go bald, a beard need not be of a
kind that has a name here, and a man may wear lipstick.
"""

from __future__ import annotations

from itertools import combinations

from clip_smu.words.attributes import GROUPS, NAMES

AT_MOST_ONE: tuple[tuple[str, ...], ...] = (
    GROUPS["age"],
    GROUPS["race"],
    GROUPS["face shape"],
    GROUPS["forehead"],
    GROUPS["eyewear"],
    ("Bald", *GROUPS["hair color"]),
    ("Mustache", "No_Beard"),  # which is worded as clean-shaven
    ("Goatee", "No_Beard"),
    ("5_o_Clock_Shadow", "No_Beard"),
    ("Bald", "Wavy_Hair"),
    ("Bald", "Bangs"),
    ("Bangs", "Fully_Visible_Forehead"),
)
"""Sets of which at most one holds of a face. Where a set is no group of `GROUPS`, a caption words its first."""

AT_LEAST_ONE: tuple[tuple[str, ...], ...] = (GROUPS["age"], GROUPS["forehead"])
"""Sets of which one holds of every face, so that not all are *not encoded*.

Not so: race (another, or mixed), hair colour (red, dyed, under a hat), face shape (long, like a heart), eyewear
(sunglasses), *no beard* and the beard's kinds (a full beard). Probabilities need not sum to 1: labels deny all three
ages of people around thirty, and sums that are made 1 are worse calibrated at home.
"""

EXCLUDES: tuple[tuple[tuple[str, int], tuple[str, int]], ...] = (
    (("Male", -1), ("Mustache", 1)),
    (("Male", -1), ("Goatee", 1)),
    (("Male", -1), ("5_o_Clock_Shadow", 1)),
    (("Male", -1), ("Sideburns", 1)),  # whiskers
    (("Male", -1), ("No_Beard", -1)),
    (("Bangs", 1), ("Obstructed_Forehead", -1)),  # "nothing over the forehead"
)
"""Pairs of (attribute, 1 for yes or -1 for no) that do not hold together. Of probabilities, the second's gives way."""

RIVALS: dict[str, frozenset[str]] = {
    name: frozenset(other for names in AT_MOST_ONE if name in names for other in names if other != name)
    for name in NAMES
}
"""Attribute → those of which none holds of the same face, by `AT_MOST_ONE`."""

CLASHES: tuple[tuple[tuple[str, int], ...], ...] = (
    *(((a, 1), (b, 1)) for names in AT_MOST_ONE for a, b in combinations(names, 2)),
    *(tuple((name, -1) for name in names) for names in AT_LEAST_ONE),
    *EXCLUDES,
)
"""Every rule above as verdicts that cannot all stand: attributes with 1, *encoded*, or -1, *not encoded*."""
