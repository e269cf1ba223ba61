"""The finding in words: three sentences for the whole, one for each attribute; every number comes from the content."""

from __future__ import annotations

from typing import Any

from clip_smu.evaluation.promised import is_broken, promise_in_words
from clip_smu.words.attributes import SENSITIVE, by_name

LEVELS = ((0.9, "readable"), (0.75, "partly readable"), (0.5, "weakly readable"))
"""Lower end of the AUC's interval above which an attribute is called so."""

NOT_READABLE, NOT_MEASURED = "not readable", "not measured"
_NAMED = 3  # attributes in the first sentence


def level(auc: float | None, low: float | None) -> str:
    """How readable an attribute is, by the lower end of its AUC's interval.

    Example:
        >>> level(0.97, 0.95), level(0.55, 0.48), level(None, None)
        ('readable', 'not readable', 'not measured')
    """
    if auc is None or low is None:
        return NOT_MEASURED
    return next((word for bound, word in LEVELS if low > bound), NOT_READABLE)


def of_attribute(card: dict[str, Any]) -> str:
    """One plain sentence for a card."""
    if card["level"] == NOT_MEASURED:
        why = card["reason"] or "no figure"
        return f"Not measured: {why} ({card['n_positive']} faces with it, {card['n_negative']} without)."
    pairs = pairs_of_100(card["auc"])
    text = f"{card['level'].capitalize()}: of 100 pairs of one face with and one without, {pairs} are ranked right"
    if card["level"] == NOT_READABLE:
        return f"{text}, which could be chance."
    return f"{text}."


def sentences(content: dict[str, Any]) -> list[str]:
    """The finding: what is given away, how surely, and what these figures are not; a broken promise before all."""
    lead = content["lead"]
    broken = is_broken(lead["promised"], lead["error"])
    first = [_promise(lead)] if broken else []
    return [*first, _what(content), _how_surely(content), _limits(content)]


def pairs_of_100(auc: float) -> str:
    """An AUC as pairs of 100; 100 only where it is 1.

    Example:
        >>> pairs_of_100(0.9132), pairs_of_100(0.998), pairs_of_100(1.0)
        ('91', 'more than 99', '100')
    """
    if 0.995 <= auc < 1:
        return "more than 99"
    return f"{100 * auc:.0f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in words.

    Example:
        >>> percent(0.0541), percent(None)
        ('5.4 %', '–')
    """
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _what(content: dict[str, Any]) -> str:
    cards, lead = content["attributes"], content["lead"]
    counted = [card for card in cards if card["auc"] is not None]
    above = [card for card in counted if card["low"] is not None and card["low"] > 0.5]
    well = sorted((card for card in above if card["level"] == "readable"), key=lambda card: -card["auc"])
    kinds = [
        kind
        for kind in ("race", "gender", "age")
        if any(card["attribute"] in SENSITIVE[kind] for card in well)
    ]
    text = (
        f"Face templates of {lead['encoder']} give away {len(above)} of the {len(counted)} facial attributes measured "
        f"better than guessing would, {len(well)} of them reliably"
    )
    if well:
        named = listed([by_name(card["attribute"]).label for card in well[:_NAMED]])
        text += (
            f" (in more than 90 of 100 cases; {'the surest are' if len(well) > _NAMED else 'namely'} {named})"
        )
    if kinds:
        text += f"; {listed(kinds)} {'is' if len(kinds) == 1 else 'are'} among these"
    return f"{text}."


def _how_surely(content: dict[str, Any]) -> str:
    lead = content["lead"]
    if lead["auc"] is None:
        return "No attribute had enough labelled faces for a figure."
    text = (
        f"Shown one face with an attribute and one without, {_reader(lead['way'])} picks the right one in "
        f"{pairs_of_100(lead['auc'])} of 100 cases on average{_interval(lead)}, where guessing gives 50"
    )
    probe = content["best_probe"]
    if probe is not None:
        reached = pairs_of_100(probe["auc"])
        text += f"; the best classifier trained for nothing else ({probe['method']}) reaches {reached}"
    others = [
        row for row in content["methods"] if row["lead_of_encoder"] and row["encoder"] != lead["encoder"]
    ]
    known = [row for row in others if row["auc"] is not None]
    if known:
        text += "; other encoders: " + listed(
            [f"{row['encoder']} {pairs_of_100(row['auc'])}" for row in known]
        )
    return f"{text}."


def _limits(content: dict[str, Any]) -> str:
    measured, lead = content["measured"], content["lead"]
    persons = f" of {measured['persons']:,} persons" if measured["persons"] else ""
    text = (
        f"That is agreement with {measured['labels_are']}, on {measured['photos']:,} photos{persons}; it speaks of "
        f"templates "
        "and is no fact about any person"
    )
    if lead["error"] is not None and lead["coverage"] is not None:
        promised = "" if lead["promised"] is None else f", of at most {percent(lead['promised'])} promised"
        text += (
            f": {percent(lead['error'])} of the single verdicts were wrong{promised}, and for "
            f"{percent(1 - lead['coverage'])} of the readings the honest answer was that it cannot tell"
        )
    return f"{text}."


def _promise(lead: dict[str, Any]) -> str:
    text = promise_in_words(lead["promised"], lead["error"], lead["error_low"], lead["error_high"])
    return f"{text} Do not rely on single verdicts about photos like these."


def _reader(way: str) -> str:
    return "the reading in plain language" if way in ("language", "zero-shot") else "the classifier"


def _interval(row: dict[str, Any]) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f" (95 % interval {100 * row['low']:.1f} to {100 * row['high']:.1f})"


def listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
