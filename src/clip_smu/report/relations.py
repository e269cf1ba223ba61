"""The sections on what stands beside the readings: curves, comparisons, confounds, erasure."""

from __future__ import annotations

from collections.abc import Mapping

from clip_smu.report.cards import figure, interval
from clip_smu.report.content import Values
from clip_smu.report.findings import percent
from clip_smu.report.markup import Html, drawing, el, join, missing, table
from clip_smu.report.supplements import sentence_of
from clip_smu.words.attributes import by_name


def curves(drawings: Mapping[str, Html]) -> Html:
    """ROC curves and reliability."""
    if "roc" not in drawings:
        return el(
            "p",
            "ROC curves and reliability diagrams need the readings of single photos: clip-smu evaluate keeps them.",
        )
    return join(
        [
            drawing(
                drawings["roc"],
                "ROC curves",
                "ROC curves. Solid lines are language, dashed the multi-label "
                "classifier, dot-dashed "
                "the binary ones, dotted other classifiers. A curve along the diagonal is guessing.",
            ),
            drawing(
                drawings["reliability"],
                "Reliability diagrams",
                "Are the probabilities true? Of all readings "
                "that were called, say, "
                "80 % likely, 80 % should be right: then the line lies on the diagonal. All attributes pooled.",
            ),
        ]
    )


def comparisons(content: Values, drawings: Mapping[str, Html]) -> Html:
    """Encoder against encoder, method against method."""
    if not content["comparisons"]:
        return missing(content, "a comparison")
    parts: list[Html | None] = [
        el(
            "p",
            "On the same photos, attribute by attribute: DeLong's paired test over persons; p adjusted for the "
            "number of attributes "
            "(Benjamini and Hochberg).",
        ),
        el("ul", [el("li", sentence_of(row)) for row in sorted(content["comparisons"], key=_encoders_first)]),
    ]
    for number, row in enumerate(content["comparisons"]):
        text = f"{row['a']} (left) and {row['b']} (right), AUC of each attribute"
        parts.append(
            drawing(
                drawings.get(f"slope-{number}"),
                text,
                f"{text}. Thick lines differ, thin ones show no difference.",
            )
        )
    return join(parts)


def confounds(content: Values, drawings: Mapping[str, Html]) -> Html:
    """What a reading is read from."""
    if not content["confounds"]:
        return missing(content, "confounds")
    parts: list[Html | None] = [
        el(
            "p",
            "An attribute may be read by way of another one: makeup from gender, gray hair from age. Among "
            "faces that are alike in the "
            "other attribute such a reading gets worse.",
        )
    ]
    for one in content["confounds"]:
        parts.append(el("h3", f"{one['encoder']}, read by {one['method']}"))
        parts += [_stratum(row) for row in one["within"]]
        strongest = one["read_from"]["strongest"][:6]
        if strongest:
            told = "; ".join(
                f"{by_name(row['reading']).label} for {by_name(row['label']).label} ({figure(row['auc'], 2)})"
                for row in strongest
            )
            parts.append(
                el(
                    "p",
                    f"Readings that tell another attribute's label best (AUC; below .5 the other way round): {told}.",
                )
            )
        if one["controls"] is not None and one["controls"]["rows"]:
            worst = one["controls"]["rows"][:5]
            named = "; ".join(
                f"{by_name(row['attribute']).label} {figure(row['whole'], 2)} to {figure(row['residual'], 2)}"
                for row in worst
            )
            on = ", ".join(by_name(name).label for name in one["controls"]["on"])
            parts.append(el("p", f"Without what the readings of {on} foretell, most is lost by: {named}."))
        parts.append(_norm(one["norm"]))
        if one["control_task"] is not None and one["control_task"]["unseen"] is not None:
            unseen = one["control_task"]["unseen"]
            parts.append(
                el(
                    "p",
                    f"Control: the same classifier on labels that mean nothing (a coin a person) "
                    f"reaches a mean AUC of "
                    f"{figure(unseen['control'])} on unseen persons, on real labels {figure(unseen['real'])}.",
                )
            )
    parts.append(
        drawing(
            drawings.get("read-from"),
            "What readings are read from",
            f"How well the reading of each row tells "
            f"the label of each column, "
            f"for {content['lead']['encoder']}: the darker, the farther from guessing. Columns are the "
            f"attributes that "
            "the readings of others tell most.",
        )
    )
    return join(parts)


def erasure(content: Values) -> Html:
    """Whether recognition uses what is encoded."""
    if content["erasure"] is None:
        return missing(content, "erasure")
    parts: list[Html | None] = []
    for one in content["erasure"]:
        parts.append(
            el("h3", f"{one['encoder']}: {', '.join(by_name(name).label for name in one['erased'])} erased")
        )
        if one["sentence"]:
            parts.append(el("p", one["sentence"]))
        parts.append(
            table(
                ("reader", "fitted on", "attribute", "AUC before", "AUC after"),
                [
                    (
                        row["reader"],
                        row["fitted_on"] or "as it is",
                        by_name(row["attribute"]).label,
                        interval(row["before"]),
                        interval(row["after"]),
                    )
                    for row in one["readings"]
                ],
                caption=f"What can be read before and after erasure, {one['encoder']}",
            )
        )
        if one["verification"] is not None:
            before, after = one["verification"]["before"], one["verification"]["after"]
            parts.append(
                el(
                    "p",
                    f"Recognition of persons: accuracy {percent(before['accuracy'], 2)} before, "
                    f"{percent(after['accuracy'], 2)} after; AUC {figure(before['auc'], 4)} and "
                    f"{figure(after['auc'], 4)}.",
                )
            )
        elif one["no_verification"]:
            parts.append(el("p", f"Recognition was not measured: {one['no_verification']}."))
    return join(parts)


def _stratum(row: Values) -> Html:
    label = by_name(row["by"]).label
    if not row["rows"]:
        return el("p", f"Among faces alike in “{label}” no attribute gets significantly worse.")
    more = ", the most affected" if row["affected"] > len(row["rows"]) else ""
    return table(
        ("attribute", "AUC over all", "among faces alike", "drop (95 % interval)", "in words"),
        [
            (
                by_name(one["attribute"]).label,
                figure(one["overall"]),
                figure(one["within"]),
                f"{one['drop']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f})",
                one["sentence"].partition(": ")[2],
            )
            for one in row["rows"]
        ],
        caption=f"Alike in “{label}”: {row['affected']} attributes get worse{more}",
    )


def _norm(norm: Values) -> Html | None:
    if norm["reason"]:
        return el("p", f"The length of the templates tells nothing here: {norm['reason']}.")
    if not norm["rows"]:
        return None
    told = "; ".join(f"{by_name(row['attribute']).label} {interval(row)}" for row in norm["rows"])
    return el("p", f"The length of the template alone, without its direction, tells (AUC): {told}.")


def _encoders_first(row: Values) -> tuple[bool, str]:
    return row["encoder_a"] == row["encoder_b"], row["encoder_a"]
