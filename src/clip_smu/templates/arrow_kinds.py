"""What kinds of Arrow columns hold names, numbers, lists and bytes, and which hold vectors."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from clip_smu.errors import TemplateError


def is_name(kind: pa.DataType) -> bool:
    """Whether names may be of this kind: text, numbers, Hugging Face's {bytes, path}, or nothing but nulls."""
    if pa.types.is_struct(kind):
        path = kind.field("path").type if kind.get_field_index("path") >= 0 else None
        return path is not None and (is_text(path) or bool(pa.types.is_null(path)))
    return is_text(kind) or is_number(kind) or bool(pa.types.is_null(kind))


def is_text(kind: pa.DataType) -> bool:
    """Text, or a dictionary of it."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whole or not."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def is_list(kind: pa.DataType) -> bool:
    """Of fixed length or not."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Of fixed length or not."""
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def holds_bytes(kind: pa.DataType) -> bool:
    """Bytes, or a dictionary of them."""
    return is_bytes(kind.value_type if pa.types.is_dictionary(kind) else kind)


def fixed_length(kind: pa.DataType) -> int | None:
    """The length of every list in a column, where its kind tells it."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def require_kind(kind: pa.DataType, column: str, file: Path) -> None:
    """Refuses a column that holds no vectors, and says what it holds."""
    if isinstance(kind, pa.BaseExtensionType):
        shape = getattr(kind, "shape", None)
        if shape is not None and sum(size != 1 for size in shape) > 1:
            raise TemplateError(
                f"{file}: the column '{column}' holds tensors of shape {list(shape)}: expected one vector a row"
            )
        kind = kind.storage_type
    if holds_bytes(kind):
        return
    inner = kind.value_type if is_list(kind) else None
    if inner is not None and is_list(inner):
        inner = inner.value_type
    elif inner is not None and pa.types.is_struct(inner) and inner.num_fields == 1:
        inner = inner.field(0).type
    if inner is not None and is_number(inner):
        return
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found, todo = "text", "parse it (json.loads) and store lists of numbers"
    else:
        found, todo = str(kind)[:80], "store one list of numbers a row"
    raise TemplateError(f"{file}: expected lists of numbers in the column '{column}', found {found}: {todo}")


def require_number(field: pa.Field, file: Path) -> str:
    """The name of a column of one number a row; refuses another kind."""
    if not is_number(field.type):
        raise TemplateError(
            f"{file}: expected numbers in the column '{field.name}', found {str(field.type)[:80]}"
        )
    return str(field.name)
