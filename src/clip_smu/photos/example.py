"""The example photo: an astronaut (NASA, public domain), which ships inside scikit-image."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from clip_smu.errors import MissingExtraError


def example_photo() -> Path:
    """Where the photo lies; scikit-image is located, not imported.

    Raises:
        MissingExtraError: scikit-image is not installed.

    Example:
        >>> example_photo().name
        'astronaut.png'
    """
    spec = find_spec("skimage")
    photo = Path(spec.origin).parent / "data" / "astronaut.png" if spec is not None and spec.origin else None
    if photo is None or not photo.is_file():
        raise MissingExtraError("the example photo", "example")
    return photo
