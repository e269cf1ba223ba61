"""Every error that CLIP-SMU raises on purpose, on one tree.

    ClipSmuError
    ├── InputError          a path, option or list that the caller gave cannot be used
    ├── ImageError          one photo cannot be decoded, or shows no face (carries a short reason)
    ├── LabelError          a labels file breaks the MAAD form
    ├── TemplateError       templates of the wrong dimension, with NaN, or of another encoder
    ├── EncoderError        an encoder, its card, or its weights cannot be used
    ├── InterpreterError    an interpreter folder is incomplete or does not fit the templates
    ├── MissingExtraError   an optional package is not installed (names the extra)
    └── StorageError        the disk is full or not writable

Each message says what was expected, what was found, and what to do, on one line.
The command line prints it and exits with code 1; it never shows a traceback for one of these.
"""

from __future__ import annotations


class ClipSmuError(Exception):
    """Base of all errors that CLIP-SMU raises on purpose.

    Example:
        >>> from clip_smu import load_interpreter
        >>> try:
        ...     load_interpreter("nowhere")
        ... except ClipSmuError as error:
        ...     print(error)
        no interpreter at nowhere: give a folder made by clip-smu fit, or the shipped dlib-faces
    """


class InputError(ClipSmuError):
    """A path, option or list that the caller gave cannot be used."""


class ImageError(ClipSmuError):
    """One photo gave nothing.

    Attributes:
        reason: a short, stable code, the one that the ``_rejected`` table keeps: ``missing``, ``empty``,
            ``not-an-image``, ``git-lfs-pointer``, ``needs-heif`` (a HEIC, and the extra is not installed),
            ``truncated``, ``too-large``, ``unreadable``, ``repeated``, ``no-face``, ``no-alignment``,
            ``encoder-failed``, ``worker-died``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class LabelError(ClipSmuError):
    """A labels file breaks the MAAD form."""


class TemplateError(ClipSmuError):
    """Templates of the wrong dimension, with NaN, or of another encoder."""


class EncoderError(ClipSmuError):
    """An encoder, its card, or its weights cannot be used."""


class InterpreterError(ClipSmuError):
    """An interpreter folder is incomplete or does not fit the templates."""


class MissingExtraError(ClipSmuError):
    """An optional package is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra [{extra}], which is not installed: pip install 'clip-smu[{extra}]'"
        )
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.feature, self.extra)


class StorageError(ClipSmuError):
    """The disk is full or not writable."""


class RenamedWarning(FutureWarning):
    """Something was asked for by a name that it had before; no error. The command line tells it as a note."""
