"""Stored templates: which files, in which form, and their rows in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from clip_smu.encoders.card import EncoderCard
from clip_smu.errors import TemplateError
from clip_smu.templates.bounds import BATCH_ROWS, first_bytes
from clip_smu.templates.seal import content_key
from clip_smu.templates.table import Templates, joined

PARQUET, NPY, NPZ, HDF5, TABLE, JSON_LINES = "Parquet", "npy", "npz", "HDF5", "table", "JSON lines"
_SIGNATURES = {b"PAR1": PARQUET, b"\x93NUM": NPY, b"PK\x03\x04": NPZ, b"PK\x05\x06": NPZ, b"\x89HDF": HDF5}
_SUFFIXES = {
    ".parquet": PARQUET,
    ".npy": NPY,
    ".npz": NPZ,
    ".h5": HDF5,
    ".hdf5": HDF5,
    ".csv": TABLE,
    ".tsv": TABLE,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
}
_FOREIGN = frozenset((".pkl", ".pickle", ".pt", ".pth", ".mat", ".feather", ".arrow", ".safetensors", ".ipc"))
_BESIDE = frozenset(
    (".json", ".md", ".txt", ".csv", ".safetensors")
)  # what lies beside shards of templates too
FORMS = ".parquet, .npy, .npz, .csv, .tsv, .jsonl or .h5"


@dataclass(frozen=True, slots=True, init=False)
class Store:
    """Stored templates, and which column of theirs to read.

    Attributes:
        path: a folder of ``.parquet`` files (hidden ones, and those that begin with ``_``, are passed over), or one
            file in any of the forms of docs/formats.md.
        column: of the templates, an array's or a dataset's name; ``None`` where only one might be it.

    Example:
        >>> import numpy as np, tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "vendor.npz"
        >>> np.savez(file, left=np.eye(3, 128), right=np.ones((3, 128)))
        >>> read_templates(Store(file, "left")).vectors.shape
        (3, 128)
    """

    path: Path
    column: str | None

    def __init__(self, path: str | Path, column: str | None = None) -> None:
        object.__setattr__(self, "path", Path(path))
        object.__setattr__(self, "column", column)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def files(self) -> list[Path]:
        """The files, in order.

        Raises:
            TemplateError: there are none.
        """
        if self.path.is_dir():
            files = _shards(self.path)
            if not files:
                raise TemplateError(
                    f"{self.path} holds no .parquet file: expected a folder made by clip-smu extract"
                )
            return files
        if not self.path.exists():
            raise TemplateError(f"no such templates: {self.path}")
        return [self.path]

    def part(self, file: Path, batch_rows: int = BATCH_ROWS) -> Iterator[Templates]:
        """The templates of one of the files, in batches.

        Raises:
            TemplateError: no templates, damaged, or of another kind.
        """
        yield from _reader(_form(file))(file, batch_rows, self.column)

    def peek(self, file: Path) -> tuple[EncoderCard | None, int | None]:
        """The card and the length d of one of the files, where they are known before its rows are read."""
        form = _form(file)
        if form == PARQUET:
            from clip_smu.templates import parquet

            return parquet.peek(file, self.column)
        if form == NPY:
            from clip_smu.templates.arrays import peek_npy

            found = peek_npy(file)
            return None, found[1] if found else None
        return None, None

    def count(self) -> int | None:
        """Rows of all files; ``None`` where that is not known before they are read."""
        total = 0
        for file in self.files:
            form = _form(file)
            if form == PARQUET:
                from clip_smu.templates import parquet

                total += parquet.count(file)
            elif form == NPY:
                from clip_smu.templates.arrays import peek_npy

                found = peek_npy(file)
                total += found[0] if found else 0
            else:
                return None
        return total

    def contents(self) -> list[list[str]]:
        """Name and content (sha256) of each file, and the column: what a job that goes on compares.

        Raises:
            TemplateError: a file is no regular one.
        """
        found = []
        for file in self.files:
            first_bytes(file)
            found.append([file.name, content_key(file), *([self.column] if self.column else [])])
        return found


Source: TypeAlias = Store | str | Path


def store_of(source: Source) -> Store:
    """A path as a store."""
    return source if isinstance(source, Store) else Store(source)


def read_templates(source: Source) -> Templates:
    """Reads all templates of a folder or file, in any of the forms of docs/formats.md.

    A row that holds no template (null, empty, of another length) is kept: NaN, with its reason under ``problems``.

    Raises:
        TemplateError: nothing there, no column of templates, vectors of several lengths or encoders.
        MissingExtraError: HDF5 without the extra [hdf5].

    Example:
        >>> import numpy as np, tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "vendor.npy"
        >>> np.save(file, np.eye(3, 128, dtype=np.float32))
        >>> read_templates(file).vectors.shape
        (3, 128)
    """
    return joined(list(iter_templates(source)))


def iter_templates(source: Source, batch_rows: int = BATCH_ROWS) -> Iterator[Templates]:
    """The same as :func:`read_templates` in batches of at most ``batch_rows`` rows, with flat memory."""
    store = store_of(source)
    card: EncoderCard | None = None
    dim: int | None = None
    for file in store.files:
        for part in store.part(file, batch_rows):
            if card is not None and part.card is not None and part.card != card:
                raise TemplateError(
                    f"{file} holds templates of {part.card.name}, the files before it of {card.name}: "
                    "templates of different encoders cannot be read as one"
                )
            card = card or part.card
            length = part.vectors.shape[1]
            if dim is not None and length != dim:
                raise TemplateError(
                    f"{file} holds templates of length {length}, before it {dim}: "
                    "templates of different encoders cannot be read as one"
                )
            dim = length
            yield part
    if dim is None:
        raise TemplateError(f"{store.path} holds no template: extract some with clip-smu extract")


def is_templates(path: str | Path, column: str | None = None) -> bool:
    """Whether ``path`` holds stored templates, by what it holds, not by its name alone.

    A folder of Parquet files without a column of templates, beside photos (img2dataset's output), holds photos.
    """
    path = Path(path)
    if path.is_dir():
        shards = _shards(path)
        if not shards:
            return False
        alone = not any(
            one.is_dir() or one.suffix.lower() not in _BESIDE
            for one in _visible(path)
            if one.suffix.lower() != ".parquet"
        )
        if alone:
            return True
        from clip_smu.templates.parquet import has_templates

        return has_templates(shards[0], column)
    if path.suffix.lower() in _SUFFIXES or path.suffix.lower() in _FOREIGN:
        return True
    if not path.is_file():
        return False
    try:
        return _SIGNATURES.get(first_bytes(path, 4)) in (PARQUET, NPY, HDF5)
    except TemplateError:
        return False


def _visible(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if not one.name.startswith((".", "_")))


def _shards(folder: Path) -> list[Path]:
    return [one for one in _visible(folder) if one.suffix.lower() == ".parquet" and not one.is_dir()]


def _form(file: Path) -> str:
    """By its first bytes where they tell, else by its suffix.

    Raises:
        TemplateError: neither does.
    """
    suffix = file.suffix.lower()
    found = _SIGNATURES.get(first_bytes(file, 4)) or _SUFFIXES.get(suffix)
    if suffix in (".pt", ".pth") or found is None:
        loads = " (files that run code when they are loaded are not)" if suffix in _FOREIGN else ""
        raise TemplateError(
            f"{file}: expected templates as {FORMS}, found {suffix or 'another kind'}{loads}: convert it"
        )
    return found


def _reader(form: str) -> Callable[[Path, int, str | None], Iterator[Templates]]:
    """The function that reads a form; each is imported when it is needed."""
    if form == PARQUET:
        from clip_smu.templates import parquet

        return parquet.read
    if form == HDF5:
        from clip_smu.templates import hdf5

        return hdf5.read
    if form in (NPY, NPZ):
        from clip_smu.templates import arrays

        return arrays.read_npy if form == NPY else arrays.read_npz
    from clip_smu.templates import text

    return text.read_table if form == TABLE else text.read_json_lines
