"""The one way into a JSON or TOML file: bounded in size and depth, then checked against a typed form; and out of one.

A form is a ``msgspec.Struct`` or a dataclass whose annotations say what each field may be. Whatever is wrong becomes
one line that names the file and the field.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import msgspec

from clip_smu.errors import ClipSmuError, InputError
from clip_smu.storage.digests import checksum_of
from clip_smu.storage.files import atomic
from clip_smu.storage.textfiles import read_text, require_file

MOST_BYTES = 64 << 20  # of a document; CLIP's largest tokenizer is 4 MiB
DEEPEST = 64  # levels of lists and tables within each other; ours have seven

Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Dim = Annotated[int, msgspec.Meta(ge=1, le=65_536)]  # of a template
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]

Form = TypeVar("Form")
_WHERE = re.compile(r"^(.*?)(?: - at `(?:key` in `)?\$\.?(.*)`)?$", re.DOTALL)


def read_json(path: Path, what: str, error: type[ClipSmuError] = InputError) -> Any:
    """The values of a JSON file.

    Args:
        what: the name of such files in messages, with its article ("an evaluation").

    Raises:
        error: no regular file, over 64 MiB, no text, no JSON, or nested deeper than 64 levels.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "deep.json"
        >>> _ = file.write_text("[" * 2000)
        >>> try:
        ...     read_json(file, "a job's note")
        ... except InputError as refused:
        ...     print(str(refused).replace(str(file), "FILE"))
        expected a job's note at FILE, found damaged JSON (nested deeper than 64 levels)
    """
    text = _text(path, what, error)
    try:
        values = json.loads(text)
        _refuse_depth(values)
        if "\\u" in text:  # halves of a character, written as escapes, are no text
            json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:
        raise error(f"expected {what} at {path}, found damaged JSON ({_why(problem)})") from None
    return values


def read_toml(path: Path, what: str, error: type[ClipSmuError] = InputError) -> dict[str, Any]:
    """The values of a TOML file; raises as :func:`read_json`."""
    import tomllib

    text = _text(path, what, error)
    try:
        values = tomllib.loads(text)
        _refuse_depth(values)
    except (ValueError, RecursionError) as problem:
        raise error(f"expected TOML in {what} at {path}, found: {_why(problem)}") from None
    return values


def checked(values: Any, form: type[Form], where: str, error: type[ClipSmuError] = InputError) -> Form:
    """Values in their typed form.

    Args:
        where: stands before the field in the message ("the interpreter in FOLDER").

    Raises:
        error: a field is missing, of another type, or out of its range.

    Example:
        >>> checked({"n": [1, 2]}, dict[str, list[Count]], "the counts")
        {'n': [1, 2]}
        >>> try:
        ...     checked([{"n": -1}], list[dict[str, Count]], "the counts")
        ... except InputError as refused:
        ...     print(refused)
        the counts: at [0][...], expected `int` >= 0
    """
    try:
        return msgspec.convert(values, form)
    except msgspec.ValidationError as problem:
        raise error(f"{where}: {field_and_reason(problem)}") from None
    except (RecursionError, OverflowError, UnicodeError) as problem:
        raise error(f"{where}: {_why(problem)}") from None


def field_and_reason(problem: msgspec.ValidationError) -> str:
    """``at FIELD, expected ..., got ...`` from the library's own order."""
    found = _WHERE.match(str(problem).replace("\n", " "))
    reason, field = found.groups() if found else (str(problem), None)
    if not field:
        return cast(str, reason)
    return f"at {field}, {reason[:1].lower()}{reason[1:]}"


def bytes_of(path: Path, what: str, error: type[ClipSmuError] = InputError, most: int = MOST_BYTES) -> bytes:
    """All bytes of a regular file of at most ``most`` bytes.

    Raises:
        error: as :func:`clip_smu.storage.textfiles.require_file`, or the file is larger.
    """
    _refuse_size(path, what, error, most)
    return path.read_bytes()


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as indented UTF-8 JSON, atomically; JSON knows no NaN and no infinity: they become null."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_sealed(path: Path, values: dict[str, Any]) -> None:
    """Writes JSON as :func:`write_json`, with the ``checksum`` of the rest as its last field."""
    plain = json.loads(json.dumps(finite(values)))  # as it will be read
    write_json(path, {**plain, "checksum": checksum_of(plain)})


def finite(value: Any) -> Any:
    """JSON values with ``None`` in place of NaN and infinite numbers, at any depth.

    Example:
        >>> finite({"auc": float("nan"), "rows": [1.0, float("inf")]})
        {'auc': None, 'rows': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(path: Path, what: str, error: type[ClipSmuError]) -> str:
    _refuse_size(path, what, error, MOST_BYTES)
    return read_text(path, what, error)


def _refuse_size(path: Path, what: str, error: type[ClipSmuError], most: int) -> None:
    require_file(path, what, error)
    size = path.stat().st_size
    if size > most:
        raise error(f"expected {what} at {path}, found {size >> 20} MiB, more than any has")


def _refuse_depth(values: Any) -> None:
    level, depth = [values], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise RecursionError
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]


def _why(problem: BaseException) -> str:
    if isinstance(problem, RecursionError):
        return f"nested deeper than {DEEPEST} levels"
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__
