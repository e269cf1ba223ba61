"""Versions, hashes and settings of everything that a report rests on, flat, without the machine's folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from clip_smu.report.sources import Source

_LEFT_OUT = ("verdicts", "captions", "versions", "machine")  # told elsewhere, or the same for all
_LONGEST = 120  # characters of a value
_FOLDERS = re.compile(r"""(?<![^\s="':,])(?:~?/|[A-Za-z]:\\)(?:[^\s"'/\\]+[/\\])*([^\s"'/\\]+)""")


def provenance_of(source: Source, hidden: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Entries as (of what, what, value); none that names a hidden attribute."""
    run = {key: source.manifest.get(key) for key in ("name", "versions", "machine", "seconds")}
    yield from (("run", what, value) for what, value in _flat(run))
    for name, one in source.evaluations.items():
        kept = {key: value for key, value in one.manifest.items() if key not in ("attributes", "command")}
        kept["methods"] = [
            {key: row.get(key) for key in ("name", "kind", "sha256")} for row in kept.get("methods", [])
        ]
        yield from ((f"evaluation of {name}", what, value) for what, value in _flat(kept))
    for (encoder, name), method in source.methods.items():
        kept = {key: value for key, value in method.provenance.items() if key not in _LEFT_OUT}
        kept = {key: value for key, value in kept.items() if key != "config" or "settings" not in kept}
        of = f"{encoder}, {name}" if len(source.methods) > 1 else name
        yield from (
            (of, what, value) for what, value in _flat(kept) if not any(word in value for word in hidden)
        )


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and value and not any(isinstance(inner, dict | list) for inner in value):
        yield from _flat(
            ", ".join(f"{one:.4g}" if isinstance(one, float) else str(one) for one in value), key
        )
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            named = inner.get("name", number) if isinstance(inner, dict) else number
            yield from _flat(inner, f"{key}.{named}")
    elif value not in (None, ""):
        text = f"{value:.6g}" if isinstance(value, float) else short(str(value))
        yield key, text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def short(text: str) -> str:
    """The text without the folders that files lie in: they tell of the machine, not of the measurement.

    Example:
        >>> short("clip-smu evaluate --labels=/home/me/labels.csv ~/t/ -o 1/2")
        'clip-smu evaluate --labels=labels.csv t/ -o 1/2'
    """
    return _FOLDERS.sub(r"\1", text)
