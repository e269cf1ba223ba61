"""A reader's folder on disk: a sealed manifest beside tensors, with checksums; what both kinds of reader share.

    READER/
    ├── interpreter.json or probe.json              shared fields, own fields, checksum of all
    └── prompts.safetensors or weights.safetensors  own arrays; what the encoder's templates look like

The manifest is written last: its presence says that the folder is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import EncoderError, InterpreterError
from clip_smu.interpreter.evidence import Evidence
from clip_smu.interpreter.places import bound_rows, calibration_of
from clip_smu.interpreter.reader import TemplateReader
from clip_smu.interpreter.records import ReaderForm
from clip_smu.storage.digests import file_digest
from clip_smu.storage.documents import checked, write_sealed
from clip_smu.storage.saved_folders import read_document, refuse_edited, require_files
from clip_smu.storage.tensors import read_tensors, real_array, write_tensors
from clip_smu.templates.likeness import saved_likeness

FORMAT = 1
Form = TypeVar("Form", bound=ReaderForm)


@dataclass(frozen=True)
class FolderKind(Generic[Form]):
    """What a kind of folder is called, which files it has, which form its manifest, and the command that makes it."""

    what: str  # "an interpreter"
    manifest: str
    tensors: str
    form: type[Form]
    command: str

    @property
    def noun(self) -> str:
        """``interpreter`` or ``probe``."""
        return self.what.split()[-1]


@dataclass(frozen=True, eq=False)
class Opened(Generic[Form]):
    """A folder that was read and found whole.

    Attributes:
        form: its manifest. arrays: its tensors, not yet checked.
        shared: the fields of :class:`~clip_smu.interpreter.reader.TemplateReader`, by name.
        where: it lies, for messages.
    """

    form: Form
    arrays: Mapping[str, NDArray[Any]]
    shared: dict[str, Any]
    where: str

    def array(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A tensor as float32.

        Raises:
            InterpreterError: it is missing, of another shape, or not finite.
        """
        return real_array(self.arrays, name, shape, self.where, InterpreterError)


def write_folder(
    folder: Path,
    kind: FolderKind[Any],
    reader: TemplateReader,
    arrays: Mapping[str, NDArray[Any]],
    own: Mapping[str, Any],
    beside: Sequence[str] = (),
) -> None:
    """Writes the tensors, then the manifest.

    Args:
        arrays: the reader's own, by name. own: its own fields of the manifest, as JSON values.
        beside: names of other files in the folder that the manifest lists, if they are there.
    """
    looks = reader.likeness.arrays() if reader.likeness else {}
    files = {kind.tensors: write_tensors(folder / kind.tensors, {**arrays, **looks})}
    files |= {name: file_digest(folder / name) for name in beside if (folder / name).is_file()}
    write_sealed(
        folder / kind.manifest,
        {
            "format": FORMAT,
            "name": reader.name,
            "encoder": reader.encoder,
            "encoder_card": reader.card.to_dict() if reader.card else None,
            "dim": reader.dim,
            **own,
            "error_rate": reader.error_rate,
            "files": files,
            "likeness": reader.likeness.to_dict() if reader.likeness else None,
            "attributes": _attribute_rows(reader),
            "provenance": reader.provenance,
        },
    )


def read_folder(folder: Path, kind: FolderKind[Form]) -> Opened[Form]:
    """Reads and checks a folder.

    Raises:
        InterpreterError: a file is missing, damaged, edited, or of another format; the message says which.
    """
    require_files(folder, (kind.manifest, kind.tensors), kind.what, kind.command, InterpreterError)
    where = f"the {kind.noun} in {folder}"
    values = read_document(folder / kind.manifest, kind.what, FORMAT, InterpreterError)
    form = checked(values, kind.form, f"{where} is damaged", InterpreterError)
    refuse_edited(values, folder / kind.manifest, kind.command, InterpreterError)
    noted = form.files.get(kind.tensors)
    arrays = read_tensors(folder / kind.tensors, kind.noun, InterpreterError, noted=noted)
    looks = form.likeness
    shared = {
        "name": form.name,
        "encoder": form.encoder,
        "attributes": tuple(row.name for row in form.attributes),
        "calibration": calibration_of(form.attributes),
        "evidence": tuple(Evidence.from_form(row.evidence) for row in form.attributes),
        "error_rate": form.error_rate,
        "provenance": values["provenance"],
        "folder": folder,
        "files": form.files,
        "card": _own_card(form, where),
        "likeness": None if looks is None else saved_likeness(arrays, looks, form.dim, where),
    }
    return Opened(form, arrays, shared, where)


def _attribute_rows(reader: TemplateReader) -> list[dict[str, Any]]:
    """Calibration and evidence as JSON values, one row an attribute."""
    return [
        {"name": name, **bounds, "evidence": evidence.to_dict()}
        for name, bounds, evidence in zip(
            reader.attributes, bound_rows(reader.calibration), reader.evidence, strict=True
        )
    ]


def _own_card(form: ReaderForm, where: str) -> EncoderCard | None:
    """The card of the encoder that a folder's reader reads; ``None``: it was fitted to templates without one."""
    if form.encoder_card is None:
        return None
    try:
        card = EncoderCard.from_dict(form.encoder_card)
    except EncoderError as error:
        raise InterpreterError(f"{where} is damaged: {error}") from None
    if (card.name, card.dim) != (form.encoder, form.dim):
        raise InterpreterError(
            f"{where} is damaged: it reads templates of {form.encoder} of length {form.dim}, its encoder's card is of "
            f"{card.name} with {card.dim}"
        )
    return card
