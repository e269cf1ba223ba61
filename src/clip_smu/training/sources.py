"""What a job learns from, as a user names it: one data set or several, on the command line or in a TOML file.

A source is one data set: templates, their labels, the photos to learn from, and photos of other persons to measure on.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec

from clip_smu.errors import InputError
from clip_smu.labels.labels import Labels
from clip_smu.storage.documents import Name, checked, read_toml
from clip_smu.templates import Source, Templates

Names: TypeAlias = Sequence[str] | str | Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # no "/", which parts it from a person's name
_FORM = "NAME=TEMPLATES,LABELS[,TRAIN[,TEST]]"


@dataclass(frozen=True, slots=True, eq=False)
class SourceSpec:
    """One data set to learn from.

    Attributes:
        name: a word of letters, digits, ``.``, ``_`` and ``-``; empty for the one source of a job that has no other.
        templates: a folder made by ``extract``, a file of templates, or templates in memory.
        labels: a csv or Parquet in the MAAD form, or labels in memory.
        train: names of the photos to learn from (a list, or a file with one name a line); ``None``: all.
        test: likewise, of persons who are not in ``train``, to measure on; ``None``: none.
    """

    name: str
    templates: Templates | Source
    labels: Labels | str | Path
    train: Names | None = None
    test: Names | None = None


def parse_source(text: str) -> SourceSpec:
    """A source from one text, ``NAME=TEMPLATES,LABELS[,TRAIN[,TEST]]``.

    A path with a comma stands in double quotes; a list that is left empty is not given.

    Raises:
        InputError: another form.

    Example:
        >>> found = parse_source('lfw="templates, dlib/",labels.csv,,test.txt')
        >>> found.name, found.templates, found.labels, found.train, found.test
        ('lfw', 'templates, dlib/', 'labels.csv', None, 'test.txt')
    """
    name, _, rest = text.partition("=")
    try:
        (paths,) = csv.reader([rest], strict=True)
    except (csv.Error, ValueError):
        paths = []
    if not 2 <= len(paths) <= 4 or not all(paths[:2]):
        raise InputError(
            f"expected a source as {_FORM}, found {text!r}: give one so (a path with a comma in double quotes), "
            "or a .toml file of sources"
        )
    train, test = (*(path or None for path in paths[2:]), None, None)[:2]
    return SourceSpec(_named(name, repr(text)), paths[0], paths[1], train, test)


class _SourceForm(msgspec.Struct, forbid_unknown_fields=True):
    templates: Name
    labels: Name
    train: Name | None = None
    test: Name | None = None


def read_sources_toml(path: str | Path) -> tuple[SourceSpec, ...]:
    """Sources from a TOML file, in its order; its paths start in its folder.

    ::

        [lfw]
        templates = "lfw/dlib"
        labels = "lfw/labels.csv"
        train = "lfw/train_list.txt"   # may be left out
        test = "lfw/test_list.txt"     # may be left out

    Raises:
        InputError: no such file, no TOML, no source in it, or a key that is missing or unknown.
    """
    path = Path(path)
    tables = checked(read_toml(path, "sources"), dict[str, _SourceForm], f"the sources in {path}")
    if not tables:
        raise InputError(f"expected sources in {path}, a table [NAME] each, found none: name at least one")
    here = path.parent
    return tuple(
        SourceSpec(
            _named(name, str(path)),
            here / row.templates,
            here / row.labels,
            None if row.train is None else here / row.train,
            None if row.test is None else here / row.test,
        )
        for name, row in tables.items()
    )


def named_sources(given: Sequence[str]) -> tuple[SourceSpec, ...]:
    """The sources of several texts, each as :func:`parse_source` takes it, or the name of a ``.toml`` file.

    Raises:
        InputError: as :func:`parse_source` and :func:`read_sources_toml`.
    """
    return tuple(
        one
        for text in given
        for one in (
            read_sources_toml(text) if "=" not in text and text.endswith(".toml") else [parse_source(text)]
        )
    )


def all_sources(
    templates: Templates | Source | None,
    labels: Labels | str | Path | None,
    train: Names | None,
    test: Names | None,
    sources: Sequence[SourceSpec],
) -> tuple[SourceSpec, ...]:
    """What a job was given, in one form: one source without a name, or those with names.

    Raises:
        InputError: both or neither were given, half of one, or two sources of one name.
    """
    if not sources:
        if templates is None or labels is None:
            missing = [what for what, one in (("templates", templates), ("labels", labels)) if one is None]
            raise InputError(
                f"expected templates and --labels, or several data sets (--data), found no {' and no '.join(missing)}: "
                "give one or the other"
            )
        return (SourceSpec("", templates, labels, train, test),)
    if any(one is not None for one in (templates, labels, train, test)):
        raise InputError(
            "expected templates, --labels and lists, or several data sets (--data), found both: give all as --data"
        )
    names = [_named(one.name, "the sources") for one in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"expected sources of different names, found {twice[0]} twice: rename one")
    return tuple(sources)


def _named(name: str, where: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"expected a source's name of letters, digits, '.', '_' and '-', found {name[:40]!r} in {where}: rename it"
        )
    return name
