"""The report as one HTML file: no network, no script; light, dark and on paper. Its words and looks: ``templates/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from clip_smu.report.figures.qualitative import MARKS
from clip_smu.report.findings import LEVELS, percent
from clip_smu.report.supplements import sentence_of
from clip_smu.report.types import Auc, Card, Comparison, Content, MethodRow, NormRow, ProvenanceRow
from clip_smu.words.attributes import by_name

SECTIONS = (
    ("finding", "The finding"),
    ("measured", "What was measured"),
    ("overview", "All attributes at a glance"),
    ("methods", "Ways of reading"),
    ("attributes", "Evidence, attribute by attribute"),
    ("photos", "Single photos"),
    ("curves", "Curves"),
    ("comparisons", "Comparisons"),
    ("confounds", "Read from what? Confounds"),
    ("erasure", "Encoded, or used? Erasure"),
    ("labels", "Limits of the labels"),
    ("principles", "Four principles of explainable AI (NIST IR 8312)"),
    ("law", "Where the law restricts such readings"),
    ("words", "Words"),
    ("provenance", "Provenance"),
)
"""Template (``templates/KEY.html``) and heading of each section, in order."""


def render(content: Content, drawings: Mapping[str, str], dark_rules: str) -> str:
    """The page.

    Args:
        content: of :func:`clip_smu.report.content.gather`.
        drawings: name → SVG.
        dark_rules: CSS that recolours the drawings in dark mode.
    """
    page = _environment().get_template("page.html")
    return page.render(
        content=content,
        drawings={name: Markup(svg) for name, svg in drawings.items()},
        dark_rules=Markup(dark_rules),
        sections=SECTIONS,
        levels=LEVELS,
        marks=MARKS,
    )


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("clip_smu.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "label": lambda name: by_name(name).label,
        "percent": percent,
        "figure": figure,
        "interval": interval,
        "thousands": lambda number: f"{number:,}",
        "in_a_sentence": sentence_of,
        "best_first": _best_first,
        "most_readable_first": _most_readable_first,
        "encoders_first": _encoders_first,
        "by_source": _by_source,
        "command_for": _command_for,
    }
    return made


def figure(value: float | None, digits: int = 3) -> str:
    """An AUC as the page writes it."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(row: Auc | Card | MethodRow | NormRow, digits: int = 3) -> str:
    """An AUC with its interval."""
    auc, low, high = (figure(getattr(row, key), digits) for key in ("auc", "low", "high"))
    return auc if row.low is None or row.high is None else f"{auc} ({low} to {high})"


def _best_first(methods: Sequence[MethodRow]) -> list[MethodRow]:
    return sorted(methods, key=lambda row: (row.encoder, -(row.auc or 0)))


def _most_readable_first(cards: Sequence[Card]) -> list[Card]:
    return sorted(cards, key=lambda card: (card.auc is None, -(card.auc or 0)))


def _encoders_first(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return sorted(comparisons, key=lambda row: (row.encoder_a == row.encoder_b, row.encoder_a))


def _by_source(provenance: Sequence[ProvenanceRow]) -> list[tuple[str, list[ProvenanceRow]]]:
    return [(of, list(rows)) for of, rows in groupby(provenance, key=lambda row: row.of)]


def _command_for(content: Content, what: str) -> str:
    """The command that adds a part that the report does not have."""
    return next((row.how for row in content.absent if row.what.startswith(what)), "clip-smu reproduce")
