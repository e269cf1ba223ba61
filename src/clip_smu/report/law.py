"""What a reader must know besides the figures: limits of the labels, NIST's four principles, the law of the EU.

The texts are data (``law.toml``, beside this file); what they say of *this* measurement is filled in from the report's
content.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Annotated, Any

import msgspec

from clip_smu.report.findings import percent
from clip_smu.storage.documents import checked, read_toml

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Provision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One provision of law.

    Attributes:
        act, article: where it stands.
        says: what it says, in short.
        here: what that means for readings of face templates.
    """

    act: Text
    article: Text
    says: Text
    here: Text


class Principle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of NIST IR 8312's four principles of explainable AI.

    Attributes:
        principle, asks: its name, and what it asks.
        given, missing: what a report gives for it, and what not; ``{...}`` are filled in, see :func:`principles`.
    """

    principle: Text
    asks: Text
    given: Text
    missing: Text


class Law(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """law.toml: what it is not, what labels cannot carry, provisions, principles."""

    note: Text
    label_limits: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    provisions: Annotated[tuple[Provision, ...], msgspec.Meta(min_length=1)]
    principles: Annotated[tuple[Principle, ...], msgspec.Meta(min_length=4, max_length=4)]


@cache
def law() -> Law:
    """The texts.

    Raises:
        InputError: the file was edited into something else than the form says; the message names the place.
    """
    with as_file(files("clip_smu.report").joinpath("law.toml")) as path:
        return checked(read_toml(path, "the texts of a report"), Law, f"the texts of a report in {path}")


def principles(content: dict[str, Any]) -> list[dict[str, str]]:
    """NIST IR 8312's four principles, and how this measurement meets each, or does not."""
    measured, lead = content["measured"], content["lead"]
    never = sum(card["level"] in ("not readable", "not measured") for card in content["attributes"])
    found = {
        "attributes": len(content["attributes"]),
        "measured": sum(card["auc"] is not None for card in content["attributes"]),
        "photos": measured["photos"],
        "labels": measured["labels_are"],
        "erasure": "Erasure shows in addition whether recognition itself uses an attribute."
        if content["erasure"] is not None
        else "Whether recognition itself uses an attribute was not measured (clip-smu erase).",
        "wrong": _share(
            lead["error"],
            "of the asserted verdicts were wrong",
            "The error of asserted verdicts was not measured",
        ),
        "told": _share(
            lead["coverage"],
            "of the readings got a verdict, the others cannot be told",
            "Coverage was not measured",
        ),
        "never": f"{never or 'none'} {'is' if never < 2 else 'are'}",
    }
    return [
        msgspec.to_builtins(row)
        | {"given": row.given.format(**found), "missing": row.missing.format(**found)}
        for row in law().principles
    ]


def _share(value: float | None, text: str, otherwise: str) -> str:
    return otherwise if value is None else f"{percent(value)} {text}"
