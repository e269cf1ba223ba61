"""The confounds of one method as a folder: tables for people, one JSON file for programs.

    CONFOUNDS/
    ├── conditional.csv     AUC over all, within strata, and the drop
    ├── read_from.csv       AUC of each reading for each label
    ├── residual.csv        AUC without what the controls foretell
    ├── norm.csv            AUC by template norm, and of the norm alone
    ├── control.csv         AUC on labels that mean nothing (where templates were given)
    ├── confounds.json      all of it, and what it was made from
    └── _job.json           what the folder was made with

``confounds.json`` is written last: its presence says that the folder is whole.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import pyarrow as pa

from clip_smu.errors import InputError
from clip_smu.evaluation import table_of, write_table
from clip_smu.evaluation.confounds.conditional import Conditional
from clip_smu.evaluation.confounds.control import ControlTask
from clip_smu.evaluation.confounds.readings import ByNorm, ReadFrom, Residual
from clip_smu.metrics import AucInterval
from clip_smu.storage.documents import Count, checked, write_json
from clip_smu.storage.files import storage_errors
from clip_smu.storage.saved_folders import read_document, require_files
from clip_smu.words.attributes import NAMES

FORMAT = 1
MANIFEST = "confounds.json"

_TEXT, _REAL, _WHOLE = pa.string(), pa.float64(), pa.int64()
_AREA = [("auc", _REAL), ("low", _REAL), ("high", _REAL)]
_COUNTS = [("n_positive", _WHOLE), ("n_negative", _WHOLE), ("reason", _TEXT)]
_TABLES = {
    "conditional": pa.schema(
        [("within", _TEXT), ("attribute", _TEXT), ("stratum", _TEXT), *_AREA, *_COUNTS]
    ),
    "read_from": pa.schema([("reading", _TEXT), ("label", _TEXT), ("auc", _REAL), *_COUNTS]),
    "residual": pa.schema(
        [("attribute", _TEXT), ("reading", _TEXT), *_AREA, ("explained", _REAL), *_COUNTS]
    ),
    "norm": pa.schema(
        [("attribute", _TEXT), ("score", _TEXT), ("norm_from", _REAL), ("norm_to", _REAL), *_AREA, *_COUNTS]
    ),
    "control": pa.schema(
        [
            ("attribute", _TEXT), ("persons", _TEXT), *_AREA, ("control", _REAL), ("control_spread", _REAL),
            ("selectivity", _REAL), *_COUNTS,
        ]
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Confounds:
    """What one method's readings are read from.

    Attributes:
        encoder: whose templates were read; ``method``: by what.
        attributes: K names.
        conditional: one for each stratum.
        read_from: AUC of each reading for each label.
        residual: what is left without the controls; ``None`` where none of them was evaluated.
        norm: by template norm.
        control: labels that mean nothing; ``None`` where no templates were given.
        manifest: photos, persons, evaluation, seed, versions.
    """

    encoder: str
    method: str
    attributes: tuple[str, ...]
    conditional: tuple[Conditional, ...]
    read_from: ReadFrom
    residual: Residual | None
    norm: ByNorm
    control: ControlTask | None
    manifest: dict[str, Any]


def read_confounds(folder: str | Path) -> Confounds:
    """Reads what ``clip-smu confounds`` wrote.

    Raises:
        InputError: no such folder, none in it, or it is damaged.
    """
    file = Path(folder) / MANIFEST
    require_files(file.parent, (MANIFEST,), "a confounds folder", "clip-smu confounds")
    try:
        values = read_document(file, "confounds", FORMAT)
        made: Confounds = _unpacked(Confounds, values)
        checked(made.manifest, _ManifestForm, f"{file} is damaged: in the manifest")
        unknown = [name for name in made.attributes if name not in NAMES]
        if unknown:
            raise ValueError(f"attributes {', '.join(unknown)}")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{file} is damaged ({type(error).__name__}: {error}): run clip-smu confounds again"
        ) from None
    return made


class _ManifestForm(msgspec.Struct):
    """Those parts of the manifest that commands use."""

    photos: Count = 0
    persons: Count = 0


def write_confounds(made: Confounds, folder: str | Path) -> None:
    """Writes the tables and the JSON file.

    Raises:
        StorageError: the disk is full or not writable.
    """
    folder = Path(folder)
    with storage_errors(folder):
        (folder / MANIFEST).unlink(missing_ok=True)
    rows = {
        "conditional": _conditional_rows(made),
        "read_from": _read_from_rows(made),
        "residual": _residual_rows(made),
        "norm": _norm_rows(made),
        "control": _control_rows(made),
    }
    for name, schema in _TABLES.items():
        if name != "control" or made.control is not None:
            write_table(table_of(list(rows[name]), schema), folder / f"{name}.csv")
    write_json(folder / MANIFEST, {"format": FORMAT, **_packed(made)})


def _conditional_rows(made: Confounds) -> Iterator[dict[str, Any]]:
    for one in made.conditional:
        parts = {"all": one.overall, "no": one.no, "yes": one.yes, "within": one.stratified}
        for k, name in enumerate(made.attributes):
            first = {"within": one.by, "attribute": name}
            for stratum, area in parts.items():
                yield {**first, "stratum": stratum, **_area(area, k), **_counts(area, k)}
            drop = {"auc": one.drop[k], "low": one.drop_low[k], "high": one.drop_high[k]}
            yield {**first, "stratum": "drop", **_numbers(drop), **_counts(one.stratified, k)}


def _read_from_rows(made: Confounds) -> Iterator[dict[str, Any]]:
    for x, reading in enumerate(made.attributes):
        for y, label in enumerate(made.attributes):
            auc = float(made.read_from.auc[x, y])
            yield {"reading": reading, "label": label, "auc": auc, **_counts(made.read_from, y)}


def _residual_rows(made: Confounds) -> Iterator[dict[str, Any]]:
    if made.residual is None:
        return
    for k, name in enumerate(made.attributes):
        for reading, area in (("whole", made.residual.before), ("residual", made.residual.after)):
            share = {} if reading == "whole" else _numbers({"explained": made.residual.explained[k]})
            yield {"attribute": name, "reading": reading, **_area(area, k), **share, **_counts(area, k)}


def _norm_rows(made: Confounds) -> Iterator[dict[str, Any]]:
    norm = made.norm
    if norm.alone is None:
        yield {"score": "norm alone", "reason": norm.reason}
        return
    for k, name in enumerate(made.attributes):
        whole = {"norm_from": norm.edges[0], "norm_to": norm.edges[-1]}
        yield {
            "attribute": name, "score": "norm alone", **_numbers(whole), **_area(norm.alone, k),
            **_counts(norm.alone, k),
        }  # fmt: skip
        for low, high, area in zip(norm.edges[:-1], norm.edges[1:], norm.bins, strict=True):
            ends = _numbers({"norm_from": low, "norm_to": high})
            yield {"attribute": name, "score": "reading", **ends, **_area(area, k), **_counts(area, k)}


def _control_rows(made: Confounds) -> Iterator[dict[str, Any]]:
    if made.control is None:
        return
    for persons, one in (("unseen", made.control.unseen), ("shared", made.control.shared)):
        for k, name in enumerate(made.attributes if one is not None else ()):
            assert one is not None
            figures = {
                "control": one.control[k], "control_spread": one.spread[k], "selectivity": one.selectivity[k],
            }  # fmt: skip
            row = {"attribute": name, "persons": persons, **_area(one.real, k), **_numbers(figures)}
            yield {**row, **_counts(one.real, k), "reason": one.reason[k]}


def _area(area: AucInterval, k: int) -> dict[str, float]:
    return _numbers({"auc": area.auc[k], "low": area.low[k], "high": area.high[k]})


def _counts(of: AucInterval | ReadFrom, k: int) -> dict[str, Any]:
    return {"n_positive": int(of.n_positive[k]), "n_negative": int(of.n_negative[k]), "reason": of.reason[k]}


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _packed(value: Any) -> Any:
    """Dataclasses and arrays as JSON values; NaN becomes null."""
    if is_dataclass(value):
        return {field.name: _packed(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return _packed(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_packed(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _unpacked(kind: Any, value: Any) -> Any:
    """The same back, by the annotations of the dataclasses."""
    origin = get_origin(kind)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        parts = {field.name: _unpacked(hints[field.name], value[field.name]) for field in fields(kind)}
        return kind(**parts)  # type: ignore[operator]
    if origin is np.ndarray:
        return np.array(value, dtype=get_args(get_args(kind)[1])[0])
    if origin is tuple and not isinstance(value, list):
        raise TypeError(f"expected a list, found {type(value).__name__}")
    if origin is tuple:
        return tuple(_unpacked(get_args(kind)[0], one) for one in value)
    if origin is types.UnionType:
        return None if value is None else _unpacked(get_args(kind)[0], value)
    if kind in (str, int, float):
        return float("nan") if kind is float and value is None else msgspec.convert(value, kind)
    if origin is dict and not isinstance(value, dict):
        raise TypeError(f"expected a table, found {type(value).__name__}")
    return value
