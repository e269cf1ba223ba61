"""Evidence as one document: what was measured, the finding in plain words, the evidence, its limits, and the law.

``clip-smu report RUN|EVALUATION|INTERPRETER -o report.html`` writes one self-contained file; ``--format json`` the same
content, as ``data/report.schema.json`` describes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from clip_smu.errors import InputError
from clip_smu.report.content import gather
from clip_smu.report.sources import read_source
from clip_smu.storage.documents import write_json
from clip_smu.storage.files import atomic
from clip_smu.storage.output_paths import require_output
from clip_smu.words.attributes import NAMES
from clip_smu.words.hiding import Hide, hidden_names

FORMATS = ("html", "json")


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written.

    Attributes:
        path: the file.
        finding: three sentences.
        attributes: how many it has a card for.
        absent: parts that it does not have: ``what`` and ``how`` to get it.
        content: everything that it says, as JSON values.
    """

    path: Path
    finding: tuple[str, ...]
    attributes: int
    absent: tuple[dict[str, str], ...]
    content: dict[str, Any]


def report(
    source: str | Path,
    output: str | Path,
    *,
    form: str | None = None,
    hide: Hide = (),
    labels_are: str | None = None,
    allow_unfinished: bool = False,
    command: str = "",
) -> Report:
    """Writes the report of a run, an evaluation, or an interpreter or probe.

    Args:
        source: folder of ``reproduce``, ``evaluate``, ``fit`` or ``probe``, or ``dlib-faces``.
        output: file to write.
        form: ``html`` or ``json``; default, by the suffix of ``output``.
        hide: attributes, groups or categories to leave out of everything, by name.
        labels_are: where the labels come from, in words that stand beside the figures.
        allow_unfinished: report what an unfinished run has.
        command: that makes the report, to be shown in it.

    Raises:
        InputError: no such source, an unfinished run, nothing left to show, or another form.
        InterpreterError: a damaged interpreter.
        MissingExtraError: HTML needs Matplotlib (the extra [report]).
        StorageError: ``output`` cannot be written.

    Example:
        >>> import tempfile
        >>> made = report("dlib-faces", tempfile.mkdtemp() + "/report.json", hide="gender")
        >>> made.attributes, len(made.finding)
        (46, 3)
    """
    output = Path(output)
    require_output(output, folder=False)
    form = form or ("json" if output.suffix.lower() == ".json" else "html")
    if form not in FORMATS:
        raise InputError(f"expected the form html or json, found {form!r}")
    hidden = [name for name in NAMES if name in hidden_names(hide)]
    found = read_source(source, allow_unfinished=allow_unfinished, hidden=hidden)
    content = gather(found, hidden=hidden, labels_are=labels_are, command=command)
    values = msgspec.to_builtins(content)
    if form == "json":
        write_json(output, values)
    else:
        from clip_smu.report.drawings import dark_rules, draw
        from clip_smu.report.page import render

        text = render(content, draw(found, content), dark_rules())
        with atomic(output) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return Report(output, tuple(content.finding), len(content.attributes), tuple(values["absent"]), values)
