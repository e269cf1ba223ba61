"""How far people agree on the words: a second source of label quality beside MAAD-Face's own check of its labels.

The source is Wu et al., "Consistency and Accuracy of CelebA Attribute Values" (arXiv 2210.07356): two annotators gave
CelebA's 40 attributes to the same photos, and a part of CelebA's labels was audited by hand. Only the figures of its
abstract are known here; an attribute that it does not name has no figure.
"""

from __future__ import annotations

from clip_smu.words.attributes import NAMES, by_name, resolve

AGREEMENT: dict[str, float] = {
    "High_Cheekbones": 0.50,
    "Pointy_Nose": 0.50,
    "Oval_Face": 0.50,
    "No_Beard": 0.95,
}
"""Name → share of photos, 0 to 1, to which two annotators gave the same value; of *No_Beard* the least that it can be.

A half is what two coins agree on. Of the 40 attributes 12 reach .95; of these the abstract names one.
"""

CELEBA_LABEL_ERROR: dict[str, tuple[float | None, float | None]] = {
    "No_Beard": (None, 0.40),
    "Mouth_Closed": (0.02, 0.20),
}
"""Name → shares, 0 to 1, of CelebA's labels of 1 and of -1 that an audit by hand found wrong; ``None``: no figure.

*No_Beard*: "as high as". *Mouth_Closed* is the opposite of CelebA's *Mouth_Slightly_Open*.
"""

ADULTS_ONLY = frozenset({"Attractive"})
"""Words that must not be said of a child.

No data set here says who is a child, and an age that is read may be wrong; so they are said of nobody, unless somebody
asks for them by name.
"""


def agreement(name: str) -> float | None:
    """The share of photos, 0 to 1, on which two people agree whether the word fits; ``None``: no figure is known.

    Raises:
        InputError: no attribute has this name.
    """
    return AGREEMENT.get(by_name(name).name)


def asserted_by_default(name: str) -> bool:
    """Whether a verdict or a sentence may hold this attribute without having been asked for it by name.

    Not where two people agree no better than two coins (oval face, pointy nose, high cheekbones): there is nothing
    that such a reading could be right about, however well it repeats one labeller. And not *Attractive*, an opinion,
    which would be given of children too: see `ADULTS_ONLY`.

    Example:
        >>> asserted_by_default("Gray_Hair"), asserted_by_default("Oval_Face"), asserted_by_default("Attractive")
        (True, False, False)

    Raises:
        InputError: no attribute has this name.
    """
    known = by_name(name).name
    return known not in ADULTS_ONLY and AGREEMENT.get(known, 1.0) > _BY_CHANCE


def asked_by_name(entries: str) -> frozenset[str]:
    """The attributes that a list with commas names one by one; a group of several asks for none of them by name.

    Example:
        >>> sorted(asked_by_name("Attractive, face shape, bald"))
        ['Attractive', 'Bald']

    Raises:
        InputError: an entry names no attribute, group or category.
    """
    entered = (resolve(entry) for entry in entries.split(","))
    return frozenset(NAMES[found[0]] for found in entered if len(found) == 1)


_BY_CHANCE = 0.5
