"""What columns, arrays and keys are called in the files that people have, whatever the form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from clip_smu.errors import TemplateError

TEMPLATE = "template"  # ours: where it is there, it is the one
VECTORS = frozenset(
    (
        *(TEMPLATE, "templates", "embedding", "embeddings", "vector", "vectors", "feature", "features"),
        *("encoding", "encodings", "representation", "emb", "face_embedding", "face_encoding"),
    )
)
NAMES = (
    "image",
    "image_path",
    "filename",
    "file_name",
    "file",
    "path",
    "photo",
    "name",
    "images",
    "names",
    "key",
    "id",
)
IDENTITIES = ("identity", "identities")


def vector_column(names: Sequence[str], asked: str | None, where: str | Path, kind: str = "column") -> str:
    """The one that holds the templates: the one asked for, ``template``, or the only one with such a name.

    Raises:
        TemplateError: there is none, it comes twice, or several might be it.
    """
    found = [name for name in names if name == asked] if asked else known_vectors(names)
    if TEMPLATE in found:
        found = [name for name in found if name == TEMPLATE]
    if len(found) == 1:
        return found[0]
    if not found:
        there = listed(names) or "none"
        wanted = f"'{asked}'" if asked else f"'{TEMPLATE}', 'embedding', 'vector' or the like"
        raise TemplateError(f"{where} has no {kind} {wanted} (it has: {there}): name it with --column")
    if len(set(found)) == 1:
        raise TemplateError(f"{where} has {len(found)} {kind}s called '{found[0]}': rename all but one")
    raise TemplateError(f"{where} has several {kind}s of templates ({listed(found)}): choose with --column")


def listed(names: Sequence[str]) -> str:
    """The first names, on one line whatever they hold."""
    return " ".join(", ".join(names[:20]).split())[:400]


def numbered_run(names: Sequence[str], asked: str | None, where: str | Path) -> tuple[int, ...] | None:
    """Places of the columns of one name and a running number from 0 or 1 (``0``, ``1`` ... or ``e_0``, ``e_1`` ...).

    Raises:
        TemplateError: there are several such runs, and none is asked for by what its names begin with.
    """
    runs: dict[str, dict[int, int]] = {}
    for place, name in enumerate(names):
        if match := re.fullmatch(r"(.*?)(\d{1,6})", name):
            runs.setdefault(match[1], {})[int(match[2])] = place
    whole = {
        prefix: tuple(run[k] for k in sorted(run))
        for prefix, run in runs.items()
        if len(run) > 1 and sorted(run) in (list(range(len(run))), list(range(1, len(run) + 1)))
    }
    if asked is not None:
        whole = {
            prefix: run for prefix, run in whole.items() if prefix.rstrip("_.- ") == asked.rstrip("_.- ")
        }
    if len(whole) > 1:
        some = ", ".join(f"{prefix}0 ..." for prefix in list(whole)[:8])
        raise TemplateError(
            f"{where} has several runs of numbered columns ({some}): choose with --column PREFIX"
        )
    return next(iter(whole.values()), None)


def known_vectors(names: Iterable[str]) -> list[str]:
    """Those that are called as templates are."""
    return [name for name in names if name.lower() in VECTORS]


def first_of(names: Sequence[str], known: Sequence[str]) -> str | None:
    """The first of the ``known`` names that is there, whatever its case."""
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in known if name in lower), None)
