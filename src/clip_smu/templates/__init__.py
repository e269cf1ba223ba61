"""The template store: Parquet shards that we write, and templates in all the forms that people have.

Shards are written by :mod:`clip_smu.templates.shards`, which imports PyArrow: a tenth of a second that a reading of
photos does not need.
"""

from __future__ import annotations

from clip_smu.templates.store import Source, Store, is_templates, iter_templates, read_templates, store_of
from clip_smu.templates.table import Templates, usable, why_unusable

__all__ = [
    "Source",
    "Store",
    "Templates",
    "is_templates",
    "iter_templates",
    "read_templates",
    "store_of",
    "usable",
    "why_unusable",
]
