"""The sections of the page, in its order; each takes the report's content and gives markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clip_smu.report.cards import figure, interval
from clip_smu.report.content import Values
from clip_smu.report.figures.qualitative import MARKS
from clip_smu.report.findings import percent
from clip_smu.report.markup import Html, drawing, el, join, missing, table
from clip_smu.words.attributes import by_name

_WAYS = {
    "language": "language: sentences compared with templates",
    "multi-label": "one classifier for all attributes",
    "binary": "one classifier an attribute",
    "probe": "a converged classifier",
    "zero-shot": "CLIP's own text encoder, untrained",
}
_HUES = {1: "right", -1: "wrong", 0: "unknown"}
_WORDS = (
    ("template", "the vector of numbers that a face recognition model keeps of a face"),
    ("encoder", "the model that turns a photo into a template"),
    (
        "reading",
        "what is said of one attribute of one template; it is about the template, not about the person",
    ),
    (
        "AUC",
        "the share of pairs, one face with and one without the attribute, that are ranked right; .5 is "
        "guessing, 1 never wrong",
    ),
    (
        "95 % interval",
        "where the figure would lie for other persons drawn the same way, 95 times in 100; it counts "
        "persons, not photos",
    ),
    ("verdict", "encoded, not encoded, or cannot tell; asserted only where it is likely enough to be right"),
    (
        "classifier, probe",
        "a model trained to tell attributes from templates and nothing else: what could be read at least",
    ),
)


def header(content: Values) -> Html:
    """Title, and what this document is."""
    made = content["made"]
    warnings = []
    if not content["measured"]["finished"]:
        warnings.append("The run is not finished: parts are missing.")
    if content["measured"]["smoke"]:
        warnings.append(
            "A smoke run on few photos: it shows that everything works, and its figures mean nothing."
        )
    warnings += [
        f"The templates were made by an encoder that was not fed right: {row['fed']}."
        for row in content["measured"]["encoders"]
        if row["misfed"]
    ]
    if content["hidden"]:
        warnings.append(
            f"Left out of every figure: {', '.join(by_name(name).label for name in content['hidden'])}."
        )
    return el(
        "header",
        el("p", "CLIP-SMU evidence report", class_="kicker"),
        el("h1", content["title"]),
        el(
            "p",
            f"Made on {made['on']} by clip-smu {made['clip_smu']}. A reading is what a template gives away, not "
            f"a fact about a person.",
            class_="lede",
        ),
        [el("p", text, class_="warning", role="note") for text in warnings],
    )


def finding(content: Values) -> Html:
    """Three sentences."""
    return el("div", [el("p", text) for text in content["finding"]], class_="finding")


def measured(content: Values) -> Html:
    """What, on what, by which command."""
    what = content["measured"]
    encoders = [
        f"{row['encoder']}"
        + (f" ({row['dim']} numbers a template)" if row["dim"] else "")
        + f", {row['photos']:,} photos"
        for row in what["encoders"]
    ]
    rows: list[tuple[str, Html | str]] = [
        (
            "question",
            "which of MAAD-Face's 47 facial attributes can be read from stored face templates, and how well",
        ),
        ("encoders", "; ".join(encoders)),
        ("photos", f"{what['photos']:,}" + (f" of {what['persons']:,} persons" if what["persons"] else "")),
        (
            "fed right",
            "; ".join(f"{row['encoder']}: {row['fed'].replace('`', '')}" for row in what["encoders"]),
        ),
        ("held out", what["evidence_from"]),
        ("labels", what["labels_are"]),
        ("made by", join([el("code", command) for command in what["commands"]])),
    ]
    if content["made"]["command"]:
        rows.append(("this report by", el("code", content["made"]["command"])))
    if what["error_rate"] is not None:
        rows.insert(
            6,
            (
                "verdicts",
                f"asserted so that at most {percent(what['error_rate'], 0)} of them are wrong "
                f"on the faces that the "
                "bound was chosen on; otherwise the answer is “cannot tell”",
            ),
        )
    return el("dl", [[el("dt", key), el("dd", value)] for key, value in rows], class_="facts")


def overview(content: Values, drawings: Mapping[str, Html]) -> Html | None:
    """The dot plot."""
    return drawing(
        drawings.get("overview"),
        "AUC of every attribute with its 95 % interval",
        "How well each attribute is read: one line an attribute, the most readable on top. Dots are AUCs, lines 95 "
        "% intervals, "
        f"the dashed line is guessing. Labels: {content['measured']['labels_are']}.",
    )


def methods(content: Values) -> Html:
    """The ways of reading, the best first, one table an encoder."""
    rows = sorted(content["methods"], key=lambda row: (row["encoder"], -(row["auc"] or 0)))
    return join(
        [
            el(
                "p",
                "Mean over the attributes that could be measured. Language that reaches the classifiers says "
                "all that a "
                "classifier can learn from these templates; language below them leaves something unsaid.",
            ),
            table(
                (
                    "method",
                    "encoder",
                    "what it is",
                    "mean AUC (95 % interval)",
                    "attributes",
                    "wrong verdicts",
                    "readings with a verdict",
                    "calibration error",
                ),
                [
                    (
                        row["method"],
                        row["encoder"],
                        _WAYS[row["way"]],
                        interval(row, 4),
                        str(row["counted"]),
                        percent(row["error"]),
                        percent(row["coverage"]),
                        figure(row["calibration_error"]),
                    )
                    for row in rows
                ],
                caption="Ways of reading",
            ),
        ]
    )


def photos(content: Values) -> Html:
    """What was called encoded in a few photos."""
    if not content["photos"]:
        return missing(content, "single photos")
    names = list(dict.fromkeys(row["method"] for row in content["photos"]))
    held = {(row["photo"], row["method"]): row["encoded"] for row in content["photos"]}
    numbers = sorted({row["photo"] for row in content["photos"]})
    rows = [
        (f"photo {number}", *(_encoded(held[number, name], alone=len(names) == 1) for name in names))
        for number in numbers
    ]
    return join(
        [
            el(
                "p",
                "What each method called “encoded” in a few photos of different persons. ",
                el("span", f"{MARKS[1]} the label agrees", class_="right"),
                ", ",
                el("span", f"{MARKS[-1]} the label says no", class_="wrong"),
                ", ",
                el("span", f"{MARKS[0]} the label is unknown", class_="unknown"),
                ". Photos are numbered, as their names are often those of persons; clip-smu figures --kind photos "
                "names them.",
            ),
            table(("photo", *names), rows, caption="Attributes called encoded, by method"),
        ]
    )


def labels(content: Values) -> Html:
    """What the labels cannot carry."""
    weak = sorted(
        (card for card in content["attributes"] if card["label_accuracy"] < 0.85),
        key=lambda card: card["label_accuracy"],
    )
    named = ", ".join(f"{card['label']} {percent(card['label_accuracy'], 0)}" for card in weak)
    return join(
        [
            el("p", "Labels here: ", el("strong", content["measured"]["labels_are"]), "."),
            el("ul", [el("li", text) for text in content["label_limits"]]),
            el("p", f"Weakest labels by MAAD-Face's own check, below 85 % right: {named}.") if weak else None,
        ]
    )


def principles(content: Values) -> Html:
    """NIST IR 8312."""
    return join(
        [
            el(
                "p",
                "Phillips et al., Four Principles of Explainable Artificial Intelligence, NIST IR 8312, 2021. "
                "What this report gives for each, "
                "and what it lacks:",
            ),
            table(
                ("principle", "what it asks", "what is here", "what is not"),
                [
                    (row["principle"], row["asks"], row["given"], row["missing"])
                    for row in content["principles"]
                ],
                caption="NIST IR 8312's four principles",
            ),
        ]
    )


def law(content: Values) -> Html:
    """GDPR and AI Act."""
    return join(
        [
            el("p", el("strong", "Not legal advice. "), content["law"]["note"]),
            table(
                ("provision", "what it says, in short", "what it means for readings of templates"),
                [
                    (f"{row['act']} {row['article']}", row["says"], row["here"])
                    for row in content["law"]["provisions"]
                ],
                caption="Provisions of the EU that bear on readings",
            ),
        ]
    )


def words() -> Html:
    """A small glossary."""
    return el("dl", [[el("dt", word), el("dd", meaning)] for word, meaning in _WORDS], class_="facts")


def provenance(content: Values) -> Html:
    """Hashes, versions, settings; what is absent."""
    parts: list[Html | None] = []
    if content["absent"]:
        parts.append(el("p", "Not in this report:"))
        parts.append(
            el("ul", [el("li", f"{row['what']}: made by {row['how']}") for row in content["absent"]])
        )
    groups: dict[str, list[Sequence[str]]] = {}
    for row in content["provenance"]:
        groups.setdefault(row["of"], []).append((row["what"], row["value"]))
    parts += [
        el(
            "details",
            el("summary", f"{of} ({len(rows)} entries)"),
            table(("what", "value"), rows, caption=of),
            open=True,
            class_="provenance",
        )
        for of, rows in groups.items()
    ]
    return join(parts)


def footer(content: Values) -> Html:
    """The last line."""
    return el(
        "footer",
        el(
            "p",
            f"clip-smu {content['made']['clip_smu']}. This file needs no network and holds no photo and no template.",
        ),
    )


def _encoded(rows: Sequence[Values], *, alone: bool) -> Html:
    if not rows:
        return el("em", "nothing asserted")
    return el(
        "ul",
        [
            el("li", MARKS[row["label"]], " ", by_name(row["attribute"]).label, class_=_HUES[row["label"]])
            for row in rows
        ],
        class_="read alone" if alone else "read",
    )
