"""HTML from Python, escaped by construction: text is escaped, only what :func:`el` made is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_VOID = {"meta", "br"}


class Html(str):
    """Markup that is safe to put into a page as it is."""

    __slots__ = ()


Child = str | None | Iterable["Child"]


def el(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """An element; ``class_`` and ``aria_label`` become ``class`` and ``aria-label``, ``None`` is left out.

    Example:
        >>> el("p", "a < b ", el("b", "bold"), class_="note")
        '<p class="note">a &lt; b <b>bold</b></p>'
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Html:
    """Children one after the other; text is escaped."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(str(child))
        elif isinstance(child, str):
            parts.append(escape(child, quote=False))
        else:
            parts.append(str(join(child)))
    return Html("".join(parts))


def table(head: Sequence[str], rows: Iterable[Sequence[Child]], *, caption: str = "") -> Html:
    """A table whose first column heads its rows; it scrolls on a narrow screen."""
    body = [el("tr", el("th", row[0], scope="row"), [el("td", cell) for cell in row[1:]]) for row in rows]
    made = el(
        "table",
        el("caption", caption) if caption else None,
        el("thead", el("tr", [el("th", cell, scope="col") for cell in head])),
        el("tbody", body),
    )
    return el(
        "div", made, class_="scroll", tabindex="0", role="region", aria_label=caption or ", ".join(head)
    )


def drawing(svg: Html | None, label: str, caption: str) -> Html | None:
    """A figure with its caption; ``label`` tells it to those who do not see it."""
    if svg is None:
        return None
    return el(
        "figure", el("div", svg, class_="drawing", role="img", aria_label=label), el("figcaption", caption)
    )


def missing(content: Mapping[str, Any], what: str) -> Html:
    """What stands in place of a part that the report does not have: the command that adds it."""
    how = next(
        (row["how"] for row in content["absent"] if row["what"].startswith(what)), "clip-smu reproduce"
    )
    return el("p", f"Not measured here; {how} adds it.", class_="absent")
