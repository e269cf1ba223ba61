"""The report as one HTML file: no network, no script; light, dark and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from clip_smu.report import cards, relations, sections
from clip_smu.report.content import Values
from clip_smu.report.markup import Html, el, join


def render(content: Values, drawings: Mapping[str, Html], dark_rules: str) -> str:
    """The page.

    Args:
        content: of :func:`clip_smu.report.content.gather`.
        drawings: name → SVG.
        dark_rules: CSS that recolours the drawings in dark mode.
    """
    parts = [
        ("finding", "The finding", sections.finding(content)),
        ("measured", "What was measured", sections.measured(content)),
        ("overview", "All attributes at a glance", sections.overview(content, drawings)),
        ("methods", "Ways of reading", sections.methods(content)),
        ("attributes", "Evidence, attribute by attribute", cards.attributes(content)),
        ("photos", "Single photos", sections.photos(content)),
        ("curves", "Curves", relations.curves(drawings)),
        ("comparisons", "Comparisons", relations.comparisons(content, drawings)),
        ("confounds", "Read from what? Confounds", relations.confounds(content, drawings)),
        ("erasure", "Encoded, or used? Erasure", relations.erasure(content)),
        ("labels", "Limits of the labels", sections.labels(content)),
        ("principles", "Four principles of explainable AI (NIST IR 8312)", sections.principles(content)),
        ("law", "Where the law restricts such readings", sections.law(content)),
        ("words", "Words", sections.words()),
        ("provenance", "Provenance", sections.provenance(content)),
    ]
    contents = el("ol", [el("li", el("a", title, href=f"#{key}")) for key, title, _ in parts])
    body = [
        el("a", "Skip to the finding", href="#finding", class_="skip"),
        sections.header(content),
        el("nav", el("h2", "Contents", class_="small"), contents, aria_label="Contents"),
        el("main", [el("section", el("h2", title, id=f"{key}-title"), part, id=key, aria_labelledby=f"{key}-title")
                    for key, title, part in parts]),
        sections.footer(content),
    ]  # fmt: skip
    style = files("clip_smu").joinpath("report/report.css").read_text(encoding="utf-8")
    style += f"@media screen and (prefers-color-scheme: dark) {{{dark_rules}}}"
    head = [
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="generator", content=f"clip-smu {content['made']['clip_smu']}"),
        el("title", content["title"]),
        el("style", Html(style)),
    ]
    return "<!doctype html>\n" + join([el("html", el("head", head), el("body", body), lang="en")]) + "\n"
