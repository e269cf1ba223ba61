"""One photo, not yet read: where its bytes are, or the reason why there are none."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from clip_smu.errors import ImageError
from clip_smu.photos.decode import MAX_BYTES, too_many_bytes


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, not yet read: small and picklable, so that a worker process can read it.

    Attributes:
        name: what its template is called, in posix form: relative to the folder or tar that it came from; as
            typed for a file or a glob; as written for a line of a list. Where several inputs hold the name, each of
            these photos is called by as much of its path as tells them apart. Always valid UTF-8.
        identity: the folder that directly holds it, where that lies below the given root; else "".
        path: the absolute path of its file, or of the tar that holds it; None if the bytes were streamed.
        offset: first byte within ``path``; 0 for a file.
        size: number of bytes; -1 means up to the end of the file.
        data: the bytes, if they were streamed.
        problem: why there are no bytes: a tar that breaks off here, a member too large.
    """

    name: str
    identity: str
    path: Path | None
    offset: int = 0
    size: int = -1
    data: bytes | None = None
    problem: ImageError | None = None

    def read(self) -> bytes:
        """Return the bytes of the photo.

        Raises:
            ImageError: ``missing`` (no such file), ``unreadable`` (no permission, a folder, pipe or device, a disk
                error), ``too-large`` or ``truncated`` (the tar breaks off here).
        """
        if self.problem is not None:
            raise self.problem
        if self.data is not None:
            return self.data
        assert self.path is not None
        try:
            data = self._read_file(self.path)
        except (FileNotFoundError, NotADirectoryError) as error:
            message = f'expected a photo at "{self.path}", found no such file: check the path'
            raise ImageError("missing", message) from error
        except (OSError, ValueError) as error:
            message = (
                f'expected a photo at "{self.path}", found it unreadable ({error}): check its permissions'
            )
            raise ImageError("unreadable", message) from error
        if len(data) < self.size:
            raise broken_tar(self.offset + len(data))
        return data

    def without_bytes(self) -> Photo:
        """The same without streamed bytes, for those who only tell of it."""
        return self if self.data is None else replace(self, data=None)

    def _read_file(self, path: Path) -> bytes:
        if stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(
            mode
        ):  # open() has the word for a folder
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size if self.size < 0 else self.size
                if size > MAX_BYTES:
                    raise too_many_bytes(size)
                if self.offset:
                    file.seek(self.offset)
                return file.read(self.size if self.size >= 0 else MAX_BYTES)
        message = f'expected a photo at "{path}", found a pipe or device: give a regular file'
        raise ImageError("unreadable", message)


def broken_tar(position: int) -> ImageError:
    """The reason of a photo that stands for the rest of a damaged tar."""
    message = (
        f"expected a whole tar, found it damaged or cut off near byte {position}: copy or download it again"
    )
    return ImageError("truncated", message)


def utf8(name: str) -> str:
    r"""Turn bytes of a file name that are not UTF-8 into ``\xNN``, so that every table can hold the name."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
