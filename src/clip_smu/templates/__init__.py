"""The template store: Parquet shards that we write, and templates in all the forms that people have."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clip_smu.templates.store import Source, Store, is_templates, iter_templates, read_templates, store_of
from clip_smu.templates.table import Templates, usable, why_unusable

if TYPE_CHECKING:
    from clip_smu.templates.shards import (
        REJECTED,
        REJECTED_SCHEMA,
        read_note,
        read_rejected,
        save_templates,
        shard,
        shard_note,
        template_schema,
        write_shard,
    )

__all__ = [
    "REJECTED",
    "REJECTED_SCHEMA",
    "Source",
    "Store",
    "Templates",
    "is_templates",
    "iter_templates",
    "read_note",
    "read_rejected",
    "read_templates",
    "save_templates",
    "shard",
    "shard_note",
    "store_of",
    "template_schema",
    "usable",
    "why_unusable",
    "write_shard",
]


def __getattr__(name: str) -> Any:
    """What writes shards, on demand: PyArrow takes a tenth of a second, and a reading of photos needs none."""
    if name not in __all__:
        raise AttributeError(f"module 'clip_smu.templates' has no attribute {name!r}")
    return getattr(import_module("clip_smu.templates.shards"), name)
