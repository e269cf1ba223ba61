"""The methods of an evaluation: their names, the attributes that they share, and what decides a reading."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clip_smu.arrays import Indices
from clip_smu.encoders.card import differences
from clip_smu.errors import EncoderError, InputError
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.words.hiding import Hide, shown_columns

_NOT_SAID = {
    "name",
    "folder",
    "provenance",
    "evidence",
    "known_words",
    "error_rate",
}  # do not change a reading


def called(
    loaded: Sequence[TemplateReader],
    given: Sequence[str | Path | TemplateReader],
    names: Sequence[str] | None,
) -> list[str]:
    """Names of the methods, each once: their own, or where two are the same, their folders'."""
    if not loaded:
        raise InputError("no method to evaluate: give one or more interpreters or probes")
    if names is not None:
        if len(names) != len(loaded):
            raise InputError(
                f"expected {len(loaded)} names, one a method, found {len(names)}: {', '.join(names)}"
            )
        called = list(names)
    else:
        called = [one.name for one in loaded]
        twice = {name for name, count in Counter(called).items() if count > 1}
        called = [
            Path(path).resolve().name if name in twice and isinstance(path, str | Path) else name
            for name, path in zip(called, given, strict=True)
        ]
    both = [name for name, count in Counter(called).items() if count > 1]
    if both:
        raise InputError(f"two methods are called {both[0]}: give each a name of its own (--name A --name B)")
    if not all(called):
        raise InputError("a method has an empty name: give each a name of its own (--name A --name B)")
    return called


def shown_of(
    loaded: Sequence[TemplateReader], called: Sequence[str], hide: Hide
) -> tuple[tuple[str, ...], Indices]:
    """The attributes to evaluate, and their columns in each method."""
    for method, name in zip(loaded, called, strict=True):
        if method.encoder != loaded[0].encoder:
            raise EncoderError(
                f"{called[0]} reads templates of {loaded[0].encoder}, {name} of {method.encoder}: evaluate each on its "
                "own encoder's templates, then clip-smu compare the two evaluations"
            )
        own = loaded[0].card
        differing = [] if own is None or method.card is None else differences(own, method.card)
        if differing:
            raise EncoderError(
                f"{called[0]} reads templates of another {method.encoder} than {name} ({'; '.join(differing)}): "
                "evaluate each on its own encoder's templates, then clip-smu compare the two evaluations"
            )
    attributes = loaded[0].attributes
    for method, name in zip(loaded, called, strict=True):
        if method.attributes != attributes:
            raise InputError(
                f"{name} reads {len(method.attributes)} attributes, {called[0]} {len(attributes)}, or in another "
                "order: evaluate them apart"
            )
    keep = shown_columns(attributes, hide)
    return tuple(attributes[k] for k in keep), np.array(keep, dtype=np.intp)


def described(method: TemplateReader, known: dict[str, str]) -> dict[str, Any]:
    """What the manifest keeps of a method; ``known`` holds its name here and its sha256."""
    provenance = method.provenance
    return {
        "name": known["name"],
        "kind": method.method_kind,
        "encoder": method.encoder,
        "dim": method.dim,
        "error_rate": method.error_rate,
        "objective": provenance.get("objective"),
        "job": provenance.get("job"),
        "trained_on": provenance.get("trained_on"),
        "sha256": known["sha256"],
    }


def method_digest(method: TemplateReader) -> str:
    """Hash of everything that decides what a method reads; its name and evidence do not."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        elif is_dataclass(value):
            for field in fields(value):
                if field.name not in _NOT_SAID:
                    digest.update(field.name.encode())
                    add(getattr(value, field.name))
        elif isinstance(value, tuple):
            for one in value:
                add(one)
        else:
            digest.update(repr(value).encode() + b"|")

    add(method)
    return digest.hexdigest()
