"""Evidence cards: one an attribute, with its sentence, its interval as a bar, and its figures."""

from __future__ import annotations

from clip_smu.report.content import Values
from clip_smu.report.findings import LEVELS, NOT_MEASURED, NOT_READABLE, listed, percent
from clip_smu.report.markup import Html, el, join
from clip_smu.words.attributes import by_name

_SIGNS = {
    "readable": "●●●",
    "partly readable": "●●○",
    "weakly readable": "●○○",
    NOT_READABLE: "○○○",
    NOT_MEASURED: "–",
}
_LEFT, _WIDE = 0.4, 240.0  # AUC at the left end of a bar; length of the bar


def attributes(content: Values) -> Html:
    """All cards, the most readable first, and what their words mean."""
    lead = content["lead"]
    cards = sorted(content["attributes"], key=lambda card: (card["auc"] is None, -(card["auc"] or 0)))
    bounds = "; ".join(f"{_SIGNS[word]} {word}: above {100 * bound:.0f}" for bound, word in LEVELS)
    return join(
        [
            el(
                "p",
                f"Readings of {lead['encoder']} templates by {lead['method']}. A face with the attribute and "
                f"one without are "
                "drawn at random; the figure says in how many of 100 such pairs the right one is ranked higher (50 "
                "is guessing). "
                "The words go by the lower end of the 95 % interval, which counts persons, not photos: "
                f"{bounds}; {_SIGNS[NOT_READABLE]} {NOT_READABLE}: the interval touches 50.",
            ),
            el("div", [_card(card, content) for card in cards], class_="cards"),
        ]
    )


def figure(value: float | None, digits: int = 3) -> str:
    """An AUC as the page writes it."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(row: Values, digits: int = 3) -> str:
    """An AUC with its interval."""
    auc, low, high = (figure(row[key], digits) for key in ("auc", "low", "high"))
    return auc if row["low"] is None or row["high"] is None else f"{auc} ({low} to {high})"


def _card(card: Values, content: Values) -> Html:
    facts: list[tuple[str, str]] = [
        ("AUC (95 %)", interval(card)),
        ("faces with it / without it", f"{card['n_positive']:,} / {card['n_negative']:,}"),
        ("“encoded” that were wrong", percent(card["encoded_error"])),
        ("“not encoded” that were wrong", percent(card["not_encoded_error"])),
        ("faces that got a verdict", percent(card["coverage"])),
        ("labels right, by MAAD-Face’s check", percent(card["label_accuracy"], 0)),
    ]
    if content["best_probe"] is not None:
        facts.append((f"by {content['best_probe']['method']}", figure(card["best_probe_auc"])))
    facts += [(f"by {encoder} templates", figure(auc)) for encoder, auc in card["other_encoders"].items()]
    facts += [
        (
            f"faces alike in “{by_name(row['by']).label}”",
            f"{figure(row['within'])} (all {figure(row['overall'])})",
        )
        for row in card["conditional"]
    ]
    notes = [card["reason"]] if card["reason"] and card["auc"] is not None else []
    if card["sensitive"] in ("race", "gender", "age"):
        notes.append(f"Sensitive: {card['sensitive']}. Inferring it of persons is restricted by law.")
    slug = card["level"].replace(" ", "-")
    return el(
        "article",
        el(
            "h3", card["label"], el("span", _SIGNS[card["level"]], " ", card["level"], class_=f"level {slug}")
        ),
        el("p", card["sentence"], class_="plain"),
        _bar(card),
        el("dl", [el("div", el("dt", what), el("dd", value)) for what, value in facts]),
        el("p", listed(notes), class_="note") if notes else None,
        class_="card",
        id=f"attribute-{card['attribute']}",
    )


def _bar(card: Values) -> Html | None:
    """The interval on a line from .4 to 1, with a tick at chance."""
    if card["auc"] is None:
        return None

    def x(value: float) -> str:
        return f"{8 + (max(value, _LEFT) - _LEFT) / (1 - _LEFT) * (_WIDE - 16):.1f}"

    low, high = (card["auc"] if card[end] is None else card[end] for end in ("low", "high"))
    return el(
        "svg",
        el("line", x1=x(_LEFT), x2=x(1), y1="8", y2="8", class_="rail"),
        el("line", x1=x(0.5), x2=x(0.5), y1="2", y2="14", class_="chance"),
        el("line", x1=x(low), x2=x(high), y1="8", y2="8", class_="reach"),
        el("circle", cx=x(card["auc"]), cy="8", r="4.5", class_="dot"),
        viewBox=f"0 0 {_WIDE:.0f} 16",
        class_="bar",
        role="img",
        aria_label=f"AUC {interval(card)}, on a line from {_LEFT} to 1 with a tick at chance, 0.5",
    )
