"""The 42 heads of SwinFace: what each column of its head output means. A plain table, no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

NO_YES = ("No", "Yes")
EXPRESSIONS = ("Surprise", "Fear", "Disgust", "Happy", "Sad", "Anger", "Neutral")


@dataclass(frozen=True)
class Head:
    """One task of SwinFace.

    Attributes:
        task: the official name, as in the official result.
        branch: which of the 11 attention branches feeds it.
        position: its place in the checkpoint (``om.output_fcs.<position>``).
        classes: meaning of its columns, in order; empty for Age, whose one column is years.
        start: its first column in the concatenated head output (B, 88).
    """

    task: str
    branch: int
    position: int
    classes: tuple[str, ...]
    start: int

    @property
    def width(self) -> int:
        """Number of columns: 1 for Age, 7 for Expression, else 2."""
        return len(self.classes) or 1

    @property
    def columns(self) -> slice:
        """Its columns in the concatenated head output (B, 88)."""
        return slice(self.start, self.start + self.width)


BRANCHES: tuple[tuple[str, ...], ...] = (
    ("Gender",),
    ("Age", "Young"),
    ("Expression", "Smiling"),
    ("Attractive", "Blurry", "Chubby", "Heavy Makeup", "Oval Face", "Pale Skin"),
    (
        *("Bald", "Bangs", "Black Hair", "Blond Hair", "Brown Hair", "Gray Hair"),
        *("Receding Hairline", "Straight Hair", "Wavy Hair", "Wearing Hat"),
    ),
    ("Arched Eyebrows", "Bags Under Eyes", "Bushy Eyebrows", "Eyeglasses", "Narrow Eyes"),
    ("Big Nose", "Pointy Nose"),
    ("High Cheekbones", "Rosy Cheeks", "Wearing Earrings", "Sideburns"),
    (
        *("Five O'Clock Shadow", "Big Lips", "Mouth Slightly Open", "Mustache"),
        *("Wearing Lipstick", "No Beard"),
    ),
    ("Double Chin", "Goatee"),
    ("Wearing Necklace", "Wearing Necktie"),
)
"""Tasks of the 11 branches, in the order of the checkpoint's ``om.output_fcs``."""

RESULT_ORDER: tuple[str, ...] = (
    *("Age", "Attractive", "Blurry", "Chubby", "Heavy Makeup", "Gender", "Oval Face", "Pale Skin"),
    *("Smiling", "Young", "Bald", "Bangs", "Black Hair", "Blond Hair", "Brown Hair", "Gray Hair"),
    *("Receding Hairline", "Straight Hair", "Wavy Hair", "Wearing Hat", "Arched Eyebrows"),
    *("Bags Under Eyes", "Bushy Eyebrows", "Eyeglasses", "Narrow Eyes", "Big Nose", "Pointy Nose"),
    *("High Cheekbones", "Rosy Cheeks", "Wearing Earrings", "Sideburns", "Five O'Clock Shadow"),
    *("Big Lips", "Mouth Slightly Open", "Mustache", "Wearing Lipstick", "No Beard", "Double Chin"),
    *("Goatee", "Wearing Necklace", "Wearing Necktie", "Expression"),
)
"""Tasks in the order of the official result, which is not CelebA's alphabetical one."""

SPECIAL_CLASSES = {"Age": (), "Gender": ("Female", "Male"), "Expression": EXPRESSIONS}


def _heads() -> tuple[Head, ...]:
    stored = [(task, branch) for branch, tasks in enumerate(BRANCHES) for task in tasks]
    place = {task: (branch, position) for position, (task, branch) in enumerate(stored)}
    heads: list[Head] = []
    start = 0
    for task in RESULT_ORDER:
        head = Head(task, *place[task], SPECIAL_CLASSES.get(task, NO_YES), start)
        heads.append(head)
        start += head.width
    return tuple(heads)


HEADS: tuple[Head, ...] = _heads()
"""The 42 heads in the order of the official result."""

HEAD_COLUMNS = sum(head.width for head in HEADS)
"""Columns of the concatenated head output: 88."""
