"""The look of all figures: two themes, line styles by the way of reading, and how a figure becomes a file."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clip_smu.errors import InputError, MissingExtraError
from clip_smu.storage.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "pdf", "png")
_PNG_DOTS = 200  # per inch
_LONG = re.compile(r"(\d\.\d\d)\d+")  # hundredths of a point are enough
_TEXT_POINTS = 9  # readable when printed at its size

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STYLES: dict[str, Any] = {
    "language": "-",
    "multi-label": "--",
    "binary": "-.",
    "probe": ":",
    "zero-shot": (0, (1, 3)),
}
"""Line styles by the way of reading; the first three are the paper's."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one theme, as ``#rrggbb``.

    Attributes:
        name: ``light`` or ``dark``.
        paper, ink, muted, grid: background, text, lesser text, lines behind data.
        green, red, grey: a right reading, a wrong one, one that cannot be checked.
        series: in order of use.
        low, high: ends of a heat map; ``on_low`` and ``on_high`` are text on them.
    """

    name: str
    paper: str
    ink: str
    muted: str
    grid: str
    green: str
    red: str
    grey: str
    series: tuple[str, ...]
    low: str
    high: str
    on_low: str
    on_high: str


LIGHT = Theme(
    "light", "#ffffff", "#1b1f24", "#57606a", "#d8dee5", "#00795a", "#c0392b", "#6b747d",
    ("#0072b2", "#d55e00", "#008f68", "#a8527f", "#8f6b00", "#4c5761", "#3a8fc4", "#7b3fa0"),
    "#f4f6f8", "#08427e", "#1b1f25", "#fdfdfe",
)  # fmt: skip
DARK = Theme(
    "dark", "#10151b", "#e6ebf0", "#a3aeb9", "#333d47", "#3ecf9f", "#ff8672", "#97a2ad",
    ("#56b4e9", "#ff9248", "#2fc79b", "#e69fc6", "#e6c04a", "#b3bdc7", "#8fcdf2", "#c59be8"),
    "#1b232c", "#8ccbf5", "#e6ebf1", "#0b1016",
)  # fmt: skip
_THEMES = {"light": LIGHT, "dark": DARK}


def theme_of(name: str) -> Theme:
    """The theme of that name.

    Raises:
        InputError: there is none.
    """
    if name not in _THEMES:
        raise InputError(f"expected the theme light or dark, found {name!r}")
    return _THEMES[name]


@contextmanager
def drawn(theme: Theme) -> Iterator[None]:
    """Matplotlib's settings while a figure is made.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    settings = {
        "font.family": "sans-serif",
        "font.size": _TEXT_POINTS,
        "axes.titlesize": _TEXT_POINTS,
        "axes.labelsize": _TEXT_POINTS,
        "xtick.labelsize": _TEXT_POINTS - 1.5,
        "ytick.labelsize": _TEXT_POINTS - 1.5,
        "legend.fontsize": _TEXT_POINTS,
        "legend.frameon": False,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.muted,
        "axes.linewidth": 0.7,
        "axes.facecolor": theme.paper,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "figure.facecolor": theme.paper,
        "hatch.color": theme.muted,
        "hatch.linewidth": 0.6,
    }
    with _settings(settings):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, laid out so that nothing is cut."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_PNG_DOTS, layout="constrained")


def write_figure(figure: Figure, path: str | Path) -> None:
    """Writes a figure, atomically; the suffix says the format.

    Raises:
        InputError: the suffix is none of .svg, .pdf, .png.
        StorageError: it cannot be written.
    """
    path = Path(path)
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise InputError(f"expected a figure named *.svg, *.pdf or *.png, found {path.name}")
    _settle(figure)
    with atomic(path) as temporary:
        if form == "svg":
            temporary.write_text(as_svg(figure), encoding="utf-8")
        else:
            metadata = {"CreationDate": None} if form == "pdf" else {"Software": None}
            with _settings({"pdf.fonttype": 42}):
                figure.savefig(temporary, format=form, dpi=_PNG_DOTS, metadata=metadata)


def as_svg(figure: Figure, prefix: str = "") -> str:
    """A figure as SVG with text as text; the same figure gives the same bytes.

    Args:
        prefix: put before every id, so that several figures can stand in one page.
    """
    _settle(figure)
    held = io.StringIO()
    with _settings({"svg.fonttype": "none", "svg.hashsalt": "clip-smu"}):
        figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    text = held.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", lambda tag: _LONG.sub(r"\1", tag[0]), text)
    text = text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana")  # Verdana is as wide
    if prefix:
        text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    return text


def _settle(figure: Figure) -> None:
    """Lays a figure out once and for all: Matplotlib's layout moves a little with every drawing."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def _settings(values: dict[str, Any]) -> AbstractContextManager[None]:
    """Matplotlib's settings for a while.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
    except ImportError:
        raise MissingExtraError("drawing figures", "report") from None
    return rc_context(cast(Any, values))
